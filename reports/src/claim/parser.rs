//! From text to the shape of a claim, by recursive descent with bounded depth. It must not know tests, nor
//! whether units fit.

use results::axes::Axis;
use results::metric::Metric;
use results::tuple::Value;

use super::condition::{self, Accepts, Condition};
use super::scan::Scanner;
use super::syntax::{Comparison, Dimension, Folding, Node, NodeKind, Shape};
use super::{ClaimError, DEPTH_MAX, LEN_MAX};
use crate::suggest;

/// Units of numbers: name, base units in one, what they measure.
const UNITS: [(&str, f64, Dimension); 12] = [
    ("pps", 1.0, Dimension::PacketRate),
    ("kpps", 1e3, Dimension::PacketRate),
    ("Mpps", 1e6, Dimension::PacketRate),
    ("mpps", 1e6, Dimension::PacketRate),
    ("bps", 1.0, Dimension::BitRate),
    ("kbps", 1e3, Dimension::BitRate),
    ("Mbps", 1e6, Dimension::BitRate),
    ("Gbps", 1e9, Dimension::BitRate),
    ("ns", 1.0, Dimension::Time),
    ("us", 1e3, Dimension::Time),
    ("ms", 1e6, Dimension::Time),
    ("s", 1e9, Dimension::Time),
];

const FUNCTIONS: [&str; 8] = ["max", "min", "mean", "flat", "logarithmic", "increasing", "decreasing", "plateau"];

pub(super) fn parse(source: &str) -> Result<Node, ClaimError> {
    if source.len() > LEN_MAX {
        let message = format!("the expression has {} bytes, more than {LEN_MAX}", source.len());
        return Err(ClaimError::new(0..source.len(), message));
    }
    let mut parser = Parser { scan: Scanner::new(source), depth: 0 };
    let root = parser.claim()?;
    match parser.scan.at_end() {
        true => Ok(root),
        false => Err(ClaimError::new(parser.scan.here(), "expected 'and', 'or', a comparison or the end here")),
    }
}

struct Parser<'a> {
    scan: Scanner<'a>,
    depth: usize,
}

type Parsed = Result<Node, ClaimError>;

impl Parser<'_> {
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, ClaimError>) -> Result<T, ClaimError> {
        if self.depth >= DEPTH_MAX {
            return Err(ClaimError::new(self.scan.here(), format!("nested deeper than {DEPTH_MAX} levels")));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn node(&self, start: usize, kind: NodeKind) -> Node {
        Node { at: start..self.scan.end(), kind }
    }

    fn claim(&mut self) -> Parsed {
        let start = self.scan.start();
        if !self.scan.keyword("for") {
            return self.alternatives();
        }
        let all = self.scan.keyword("all") || !self.scan.keyword("some");
        let mut binders = vec![self.condition(true)?];
        while self.scan.symbol(",") {
            binders.push(self.condition(true)?);
        }
        self.scan.expect(":", "after the axes that 'for' runs through")?;
        let body = Box::new(self.nested(Self::claim)?);
        Ok(self.node(start, NodeKind::Quantified { all, binders, body }))
    }

    fn alternatives(&mut self) -> Parsed {
        let start = self.scan.start();
        let mut parts = vec![self.conjunction()?];
        while self.scan.keyword("or") {
            parts.push(self.conjunction()?);
        }
        Ok(self.one_or(start, parts, NodeKind::Or))
    }

    fn conjunction(&mut self) -> Parsed {
        let start = self.scan.start();
        let mut parts = vec![self.negation()?];
        while self.scan.keyword("and") {
            parts.push(self.negation()?);
        }
        Ok(self.one_or(start, parts, NodeKind::And))
    }

    fn one_or(&self, start: usize, mut parts: Vec<Node>, kind: fn(Vec<Node>) -> NodeKind) -> Node {
        match parts.len() {
            1 => parts.remove(0),
            _ => self.node(start, kind(parts)),
        }
    }

    fn negation(&mut self) -> Parsed {
        let start = self.scan.start();
        if self.scan.keyword("not") {
            let inner = Box::new(self.nested(Self::negation)?);
            return Ok(self.node(start, NodeKind::Not(inner)));
        }
        self.relation()
    }

    fn relation(&mut self) -> Parsed {
        let start = self.scan.start();
        let first = self.sum()?;
        let mut rest = Vec::new();
        loop {
            let comparison = match () {
                () if self.scan.symbol("<=") => Comparison::AtMost,
                () if self.scan.symbol(">=") => Comparison::AtLeast,
                () if self.scan.symbol("<") => Comparison::Less,
                () if self.scan.symbol(">") => Comparison::More,
                () if self.scan.symbol("~") => Comparison::About(0.0),
                () if self.scan.symbol("=") => {
                    let at = self.scan.end() - 1..self.scan.end();
                    let message = "measured values are never equal; write '~ ... within 5%'";
                    return Err(ClaimError::new(at, message).suggesting(Some("~")));
                }
                () => break,
            };
            let right = self.sum()?;
            let comparison = match comparison {
                Comparison::About(_) => Comparison::About(self.within("after '~'")?),
                other => other,
            };
            rest.push((comparison, right));
        }
        match rest.is_empty() {
            true => Ok(first),
            false => Ok(self.node(start, NodeKind::Relation { first: Box::new(first), rest })),
        }
    }

    /// `within 5%`, as a part of 1.
    fn within(&mut self, after: &str) -> Result<f64, ClaimError> {
        let at = self.scan.here();
        if !self.scan.keyword("within") {
            return Err(ClaimError::new(at, format!("expected 'within' and a percentage {after}")));
        }
        let here = self.scan.here();
        let Some((value, at)) = self.scan.number()? else {
            return Err(ClaimError::new(here, "expected a percentage, such as 5%"));
        };
        let part = if self.scan.symbol("%") { value / 100.0 } else { value };
        match (0.0..1.0).contains(&part) {
            true => Ok(part),
            false => Err(ClaimError::new(at, "a tolerance lies between 0% and 100%")),
        }
    }

    fn sum(&mut self) -> Parsed {
        let start = self.scan.start();
        let mut terms = vec![(false, self.product()?)];
        loop {
            let subtracted = match () {
                () if self.scan.symbol("+") => false,
                () if self.scan.symbol("-") => true,
                () => break,
            };
            terms.push((subtracted, self.product()?));
        }
        Ok(self.one_or_signed(start, terms, NodeKind::Sum))
    }

    fn product(&mut self) -> Parsed {
        let start = self.scan.start();
        let mut factors = vec![(false, self.unary()?)];
        loop {
            let divides = match () {
                () if self.scan.symbol("*") => false,
                () if self.scan.symbol("/") => true,
                () => break,
            };
            factors.push((divides, self.unary()?));
        }
        Ok(self.one_or_signed(start, factors, NodeKind::Product))
    }

    fn one_or_signed(
        &self,
        start: usize,
        mut parts: Vec<(bool, Node)>,
        kind: fn(Vec<(bool, Node)>) -> NodeKind,
    ) -> Node {
        match parts.len() {
            1 => parts.remove(0).1,
            _ => self.node(start, kind(parts)),
        }
    }

    fn unary(&mut self) -> Parsed {
        let start = self.scan.start();
        if self.scan.symbol("-") {
            let inner = Box::new(self.nested(Self::unary)?);
            return Ok(self.node(start, NodeKind::Negate(inner)));
        }
        self.primary()
    }

    fn primary(&mut self) -> Parsed {
        let start = self.scan.start();
        if self.scan.symbol("(") {
            let inner = self.nested(Self::claim)?;
            self.scan.expect(")", "to close '('")?;
            return Ok(Node { at: start..self.scan.end(), ..inner });
        }
        if let Some((value, _)) = self.scan.number()? {
            return self.quantity(start, value);
        }
        let here = self.scan.here();
        let Some((name, at)) = self.scan.name() else {
            return Err(ClaimError::new(here, "expected a metric, a number or '('"));
        };
        if FUNCTIONS.contains(&name) {
            return self.function(start, name);
        }
        if name == "for" {
            return Err(ClaimError::new(at, "'for' inside of a claim needs parentheses: (for V: ...)"));
        }
        let Ok(metric) = name.parse::<Metric>() else {
            let metrics: Vec<String> = Metric::all().map(|metric| metric.to_string()).collect();
            let words = metrics.iter().map(String::as_str).chain(FUNCTIONS);
            let near = suggest::nearest(name, words).map(str::to_string);
            return Err(ClaimError::new(at, format!("'{name}' is no metric")).suggesting(near.as_deref()));
        };
        let mut conditions: Vec<Condition> = Vec::new();
        if self.scan.symbol("[") {
            loop {
                let condition = self.condition(false)?;
                if conditions.iter().any(|other| other.axis == condition.axis && other.accepts.pins()) {
                    return Err(ClaimError::new(condition.at, format!("{} has one value already", condition.axis)));
                }
                conditions.push(condition);
                if !self.scan.symbol(",") {
                    break;
                }
            }
            self.scan.expect("]", "to close '['")?;
        }
        Ok(self.node(start, NodeKind::Select { metric, conditions }))
    }

    fn quantity(&mut self, start: usize, value: f64) -> Parsed {
        if self.scan.symbol("%") {
            return Ok(self.node(start, NodeKind::Number { value: value / 100.0, dimension: Dimension::Pure }));
        }
        if self.scan.symbol("µs") {
            return Ok(self.node(start, NodeKind::Number { value: value * 1e3, dimension: Dimension::Time }));
        }
        if let Some((name, at)) = self.scan.peek_name() {
            if let Some(&(_, size, dimension)) = UNITS.iter().find(|(unit, _, _)| *unit == name) {
                self.scan.name();
                return Ok(self.node(start, NodeKind::Number { value: value * size, dimension }));
            }
            if !["and", "or", "within"].contains(&name) {
                let near = suggest::nearest(name, UNITS.iter().map(|(unit, _, _)| *unit));
                return Err(ClaimError::new(at, format!("'{name}' is no unit")).suggesting(near));
            }
        }
        Ok(self.node(start, NodeKind::Number { value, dimension: Dimension::Pure }))
    }

    fn function(&mut self, start: usize, name: &str) -> Parsed {
        self.scan.expect("(", &format!("after '{name}'"))?;
        let mut operands = vec![self.nested(Self::sum)?];
        if name == "plateau" {
            self.scan.expect(",", "between the two values that 'plateau' compares")?;
            operands.push(self.nested(Self::sum)?);
        }
        self.scan.expect(",", "before 'over'")?;
        let here = self.scan.here();
        if !self.scan.keyword("over") {
            return Err(ClaimError::new(here, format!("expected 'over' and an axis in '{name}(...)'")));
        }
        let mut over = vec![self.axis()?];
        let mut within = None;
        while self.scan.symbol(",") {
            match self.scan.peek_name() {
                Some(("within", _)) => {
                    within = Some(self.within("")?);
                    break;
                }
                _ => over.push(self.axis()?),
            }
        }
        let end = self.scan.here();
        self.scan.expect(")", &format!("to close '{name}('"))?;
        let needed =
            within.ok_or_else(|| ClaimError::new(end.clone(), format!("'{name}' needs 'within' and a percentage")));
        let shape = match name {
            "flat" => Shape::Flat(needed?),
            "logarithmic" => Shape::Logarithmic(needed?),
            "plateau" => Shape::Plateau(needed?),
            _ if within.is_some() => return Err(ClaimError::new(end, format!("'{name}' takes no 'within'"))),
            "increasing" => Shape::Increasing,
            "decreasing" => Shape::Decreasing,
            _ => {
                let fold = match name {
                    "max" => Folding::Max,
                    "min" => Folding::Min,
                    _ => Folding::Mean,
                };
                let value = Box::new(operands.remove(0));
                return Ok(self.node(start, NodeKind::Fold { fold, over, value }));
            }
        };
        if over.len() > 1 && shape != Shape::Flat(within.unwrap_or(0.0)) {
            return Err(ClaimError::new(end, format!("'{name}' runs over one axis")));
        }
        Ok(self.node(start, NodeKind::Shape { shape, over, operands }))
    }

    fn axis(&mut self) -> Result<Axis, ClaimError> {
        let here = self.scan.here();
        match self.scan.name() {
            Some((name, at)) => condition::axis(name, at),
            None => Err(ClaimError::new(here, "expected an axis, such as V or P")),
        }
    }

    fn condition(&mut self, bare: bool) -> Result<Condition, ClaimError> {
        let start = self.scan.start();
        let axis = self.axis()?;
        let accepts = match () {
            () if self.scan.symbol("!=") || self.scan.keyword("except") => Accepts::NoneOf(self.values(axis)?),
            () if self.scan.symbol("<=") => Accepts::AtMost(self.limit(axis)?),
            () if self.scan.symbol(">=") => Accepts::AtLeast(self.limit(axis)?),
            () if self.scan.symbol("<") => Accepts::Below(self.limit(axis)?),
            () if self.scan.symbol(">") => Accepts::Above(self.limit(axis)?),
            () if self.scan.symbol("=") || self.scan.keyword("in") => Accepts::OneOf(self.values(axis)?),
            () if bare => Accepts::Any,
            () => {
                let message = format!("expected '=', '!=', '<' or '>' and a value after '{axis}'");
                return Err(ClaimError::new(self.scan.here(), message));
            }
        };
        Ok(Condition { at: start..self.scan.end(), axis, accepts })
    }

    fn values(&mut self, axis: Axis) -> Result<Vec<Value>, ClaimError> {
        let separator = if self.scan.symbol("(") { "," } else { "|" };
        let mut values = vec![self.value(axis)?];
        while self.scan.symbol(separator) {
            values.push(self.value(axis)?);
        }
        if separator == "," {
            self.scan.expect(")", "after the values")?;
        }
        Ok(values)
    }

    fn value(&mut self, axis: Axis) -> Result<Value, ClaimError> {
        let here = self.scan.here();
        match self.scan.value() {
            Some((text, at)) => condition::value(axis, text, at),
            None => Err(ClaimError::new(here, format!("expected a value of {axis}"))),
        }
    }

    fn limit(&mut self, axis: Axis) -> Result<u64, ClaimError> {
        let start = self.scan.start();
        match self.value(axis)? {
            Value::Number(number) => Ok(number),
            Value::Name(name) => {
                let message = format!("'{name}' has no place in an order; {axis} can only be '=' or '!='");
                Err(ClaimError::new(start..self.scan.end(), message))
            }
        }
    }
}
