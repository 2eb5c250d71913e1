//! The shape of a parsed claim. Lists instead of left-leaning trees, so that depth is what a writer nests. It
//! must not know text or tests.

use std::ops::Range;

use results::axes::Axis;
use results::metric::Metric;

use super::condition::Condition;
use super::interval::Interval;

/// A part of an expression and the bytes that it was written in.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub at: Range<usize>,
    pub kind: NodeKind,
}

/// What a part is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum NodeKind {
    Quantified {
        all: bool,
        binders: Vec<Condition>,
        body: Box<Node>,
    },
    Or(Vec<Node>),
    And(Vec<Node>),
    Not(Box<Node>),
    Relation {
        first: Box<Node>,
        rest: Vec<(Comparison, Node)>,
    },
    Shape {
        shape: Shape,
        over: Vec<Axis>,
        operands: Vec<Node>,
    },
    /// Terms with whether they are subtracted.
    Sum(Vec<(bool, Node)>),
    /// Factors with whether they divide.
    Product(Vec<(bool, Node)>),
    Negate(Box<Node>),
    Number {
        value: f64,
        dimension: Dimension,
    },
    Select {
        metric: Metric,
        conditions: Vec<Condition>,
    },
    Fold {
        fold: Folding,
        over: Vec<Axis>,
        value: Box<Node>,
    },
}

/// How two sides of a relation compare.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
    /// Differs by at most this part of the right side.
    About(f64),
}

/// What a row of values is said to look like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    Flat(f64),
    Logarithmic(f64),
    Increasing,
    Decreasing,
    Plateau(f64),
}

/// How values become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folding {
    Max,
    Min,
    Mean,
}

/// What a number measures, in base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dimension {
    Pure,
    PacketRate,
    BitRate,
    Time,
}

impl Dimension {
    pub fn of(metric: Metric) -> Dimension {
        match metric.quantity.units()[0].symbol() {
            "pps" => Dimension::PacketRate,
            "Mbps" => Dimension::BitRate,
            "ns" => Dimension::Time,
            _ => Dimension::Pure,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Dimension::Pure => "a plain number",
            Dimension::PacketRate => "a packet rate",
            Dimension::BitRate => "a bit rate",
            Dimension::Time => "a time",
        }
    }

    /// A unit to suggest.
    pub fn unit(self) -> &'static str {
        match self {
            Dimension::Pure => "",
            Dimension::PacketRate => "Mpps",
            Dimension::BitRate => "Gbps",
            Dimension::Time => "us",
        }
    }
}

impl Comparison {
    pub fn symbol(self) -> &'static str {
        match self {
            Comparison::Less => "<",
            Comparison::AtMost => "≤",
            Comparison::More => ">",
            Comparison::AtLeast => "≥",
            Comparison::About(_) => "≈",
        }
    }

    /// Whether `left` stands so to `right`.
    pub fn judge(self, left: Interval, right: Interval) -> super::truth::Truth {
        match self {
            Comparison::Less => left.below(right, true),
            Comparison::AtMost => left.below(right, false),
            Comparison::More => right.below(left, true),
            Comparison::AtLeast => right.below(left, false),
            Comparison::About(part) => left.about(right, part),
        }
    }
}

impl Node {
    /// Every selection inside, in order of writing.
    pub fn selections<'a>(&'a self, found: &mut Vec<(Metric, &'a [Condition])>) {
        match &self.kind {
            NodeKind::Select { metric, conditions } => found.push((*metric, conditions)),
            NodeKind::Number { .. } => {}
            NodeKind::Not(inner) | NodeKind::Negate(inner) => inner.selections(found),
            NodeKind::Quantified { body, .. } => body.selections(found),
            NodeKind::Fold { value, .. } => value.selections(found),
            NodeKind::Or(parts) | NodeKind::And(parts) | NodeKind::Shape { operands: parts, .. } => {
                parts.iter().for_each(|part| part.selections(found));
            }
            NodeKind::Sum(parts) | NodeKind::Product(parts) => {
                parts.iter().for_each(|(_, part)| part.selections(found))
            }
            NodeKind::Relation { first, rest } => {
                first.selections(found);
                rest.iter().for_each(|(_, part)| part.selections(found));
            }
        }
    }
}
