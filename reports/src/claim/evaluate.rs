//! Walks a claim over its tests: resolves every selection, folds, compares. Checking is the same walk without
//! results, so that what passes the check can be judged. It must not know how text is parsed.

use std::collections::{BTreeMap, BTreeSet};

use results::axes::Axis;
use results::metric::Metric;

use super::condition::Condition;
use super::evidence::{ClaimEvidence, shown, weighed};
use super::interval::{self, Interval};
use super::shape::{self, Step};
use super::syntax::{Folding, Node, NodeKind, Shape};
use super::truth::{self, Truth};
use super::universe::{AXES, Binding, Subject, Universe, slot};
use super::{ClaimError, Compared, Comparison, Verdict};

/// Tests looked at in one walk; more is refused, because it would take minutes.
const LOOKS_MAX: usize = 200_000_000;

/// Resolves everything and judges what has results. Fails where a selection does not come to one test.
pub(super) fn run(root: &Node, source: &str, subjects: Vec<Subject>) -> Result<Verdict, ClaimError> {
    let (outcome, evidence) = walk(root, source, subjects)?;
    Ok(evidence.verdict(outcome))
}

/// The same walk: whether anything is still open, and the places of the tests by which it could be decided, each with
/// how many times too wide its interval is.
pub(super) fn open(root: &Node, source: &str, subjects: Vec<Subject>) -> Result<BTreeMap<usize, f64>, ClaimError> {
    let (outcome, evidence) = walk(root, source, subjects)?;
    let settled = matches!(outcome, Truth::Holds | Truth::Refuted);
    Ok(if settled { BTreeMap::new() } else { evidence.open() })
}

fn walk(root: &Node, source: &str, subjects: Vec<Subject>) -> Result<(Truth, ClaimEvidence), ClaimError> {
    let mut walk =
        Walk { universe: Universe::new(subjects), source, looks: 0, evidence: ClaimEvidence::default(), whole: root };
    let outcome = walk.truth(root, &[None; AXES])?;
    Ok((outcome, walk.evidence))
}

struct Walk<'a> {
    universe: Universe<'a>,
    source: &'a str,
    looks: usize,
    evidence: ClaimEvidence,
    whole: &'a Node,
}

/// An interval, or that nothing of it was measured.
type Amount = Option<Interval>;

impl Walk<'_> {
    fn select(
        &mut self,
        metric: Option<Metric>,
        conditions: &[Condition],
        binding: &Binding,
    ) -> Result<Vec<usize>, ClaimError> {
        self.looks += self.universe.subjects.len().max(1);
        if self.looks > LOOKS_MAX {
            return Err(ClaimError::new(self.whole.at.clone(), "too many combinations of tests; narrow the axes"));
        }
        self.universe.select(metric, conditions, binding)
    }

    fn truth(&mut self, node: &Node, binding: &Binding) -> Result<Truth, ClaimError> {
        match &node.kind {
            NodeKind::Or(parts) => Ok(truth::any(&self.truths(parts, binding)?)),
            NodeKind::And(parts) => Ok(truth::all(&self.truths(parts, binding)?)),
            NodeKind::Not(inner) => Ok(truth::not(self.truth(inner, binding)?)),
            NodeKind::Quantified { all, binders, body } => {
                let axes: Vec<Axis> = binders.iter().map(|binder| binder.axis).collect();
                let places = self.select(None, binders, binding)?;
                if places.is_empty() {
                    let at = binders.first().map_or(node.at.clone(), |binder| binder.at.clone());
                    return Err(ClaimError::new(at, format!("no test of this claim fits 'for'{}", self.at(binding))));
                }
                let mut truths = Vec::new();
                for instance in self.instances(&places, &axes, binding) {
                    truths.push(self.truth(body, &instance)?);
                }
                Ok(if *all { truth::every_measured(&truths) } else { truth::any(&truths) })
            }
            NodeKind::Relation { first, rest } => {
                let mut truths = Vec::with_capacity(rest.len());
                let mut left = first.as_ref();
                for (comparison, right) in rest {
                    let before = self.evidence.begin();
                    let (a, b) = (self.amount(left, binding)?, self.amount(right, binding)?);
                    let truth = match (a, b) {
                        (Some(a), Some(b)) => comparison.judge(a, b),
                        _ => Truth::NotMeasured,
                    };
                    let unit = unit_of(left).or_else(|| unit_of(right));
                    let line = match (a, b) {
                        (Some(a), Some(b)) => format!(
                            "{}{} {} {}",
                            self.prefix(binding),
                            self.told(left, a, unit),
                            comparison.symbol(),
                            self.told(right, b, unit)
                        ),
                        _ => String::new(),
                    };
                    let weigh = |node: &Node, value: Option<Interval>| {
                        let what = self.written(node).to_string();
                        Some(weighed(what, value?, unit_of(node).and(unit)))
                    };
                    let values = [weigh(left, a), weigh(right, b)].into_iter().flatten().collect();
                    let narrowed = |by: f64| Some(comparison.judge(a?.narrowed(by), b?.narrowed(by)));
                    let too_wide = interval::too_wide(narrowed);
                    let comparison = self.comparison(truth, binding, comparison.symbol(), values);
                    let told = |truth: Truth| (format!("{line}: {}", truth.name()), comparison);
                    truths.push(self.evidence.compared(before, truth, too_wide, told));
                    left = right;
                }
                Ok(truth::all(&truths))
            }
            NodeKind::Shape { shape, over, operands } => self.shape(node, *shape, over, operands, binding),
            _ => Err(ClaimError::new(node.at.clone(), "this is a number where a statement is needed")),
        }
    }

    fn truths(&mut self, parts: &[Node], binding: &Binding) -> Result<Vec<Truth>, ClaimError> {
        parts.iter().map(|part| self.truth(part, binding)).collect()
    }

    /// Bindings of the joint values that occur on some axes among tests, in the order of reports.
    fn instances(&self, places: &[usize], axes: &[Axis], binding: &Binding) -> Vec<Binding> {
        let joint: BTreeSet<Vec<u32>> = places.iter().map(|&place| self.universe.coordinates(place, axes)).collect();
        let bind = |numbers: Vec<u32>| {
            let mut bound = *binding;
            for (axis, number) in axes.iter().zip(numbers) {
                bound[slot(*axis)] = Some(number);
            }
            bound
        };
        joint.into_iter().map(bind).collect()
    }

    /// Bindings that a fold or shape runs through: joint values of its axes among the tests of all selections
    /// inside, which must leave these axes open.
    fn run_through(
        &mut self,
        node: &Node,
        inside: &[&Node],
        over: &[Axis],
        binding: &Binding,
    ) -> Result<Vec<Binding>, ClaimError> {
        let mut open = *binding;
        over.iter().for_each(|axis| open[slot(*axis)] = None);
        let mut found = Vec::new();
        inside.iter().for_each(|part| part.selections(&mut found));
        let pinned = |conditions: &[Condition]| {
            conditions.iter().any(|condition| over.contains(&condition.axis) && condition.accepts.pins())
        };
        let mut places = Vec::new();
        for (metric, conditions) in found.into_iter().filter(|(_, conditions)| !pinned(conditions)) {
            places.extend(self.select(Some(metric), conditions, &open)?);
        }
        if places.is_empty() {
            let axes = over.iter().map(|axis| axis.name()).collect::<Vec<_>>().join(", ");
            let message = format!("no test of this claim varies {axes} here{}", self.at(binding));
            return Err(ClaimError::new(node.at.clone(), message));
        }
        Ok(self.instances(&places, over, binding))
    }

    fn amount(&mut self, node: &Node, binding: &Binding) -> Result<Amount, ClaimError> {
        match &node.kind {
            NodeKind::Number { value, .. } => Ok(Some(Interval::exact(*value))),
            NodeKind::Negate(inner) => Ok(self.amount(inner, binding)?.map(Interval::negated)),
            NodeKind::Sum(terms) => self.combine(terms, binding, |held, subtracted, term| {
                held.plus(if subtracted { term.negated() } else { term })
            }),
            NodeKind::Product(factors) => {
                self.combine(
                    factors,
                    binding,
                    |held, divides, factor| {
                        if divides { held.divided_by(factor) } else { held.times(factor) }
                    },
                )
            }
            NodeKind::Select { metric, conditions } => self.resolve(node, *metric, conditions, binding),
            NodeKind::Fold { fold, over, value } => {
                let (mut known, mut looked_at) = (Vec::new(), Vec::new());
                for instance in self.run_through(node, &[value.as_ref()], over, binding)? {
                    let before = self.evidence.places();
                    if let Some(amount) = self.amount(value, &instance)? {
                        known.push(amount);
                        looked_at.push(self.evidence.places_since(&before));
                    }
                }
                // Narrower intervals of what cannot be the best decide nothing.
                let best = folded(*fold, &known);
                for (amount, places) in known.iter().zip(&looked_at) {
                    let beaten = best.is_some_and(|best| match fold {
                        Folding::Max => amount.high < best.low,
                        Folding::Min => amount.low > best.high,
                        Folding::Mean => false,
                    });
                    if beaten {
                        self.evidence.leave_out(places);
                    }
                }
                Ok(best)
            }
            _ => Err(ClaimError::new(node.at.clone(), "this is a statement where a number is needed")),
        }
    }

    fn combine(
        &mut self,
        parts: &[(bool, Node)],
        binding: &Binding,
        join: impl Fn(Interval, bool, Interval) -> Interval,
    ) -> Result<Amount, ClaimError> {
        let mut held: Option<Amount> = None;
        for (sign, part) in parts {
            let next = self.amount(part, binding)?;
            held = Some(match held {
                None => next,
                Some(held) => held.zip(next).map(|(held, next)| join(held, *sign, next)),
            });
        }
        Ok(held.flatten())
    }

    fn resolve(
        &mut self,
        node: &Node,
        metric: Metric,
        conditions: &[Condition],
        binding: &Binding,
    ) -> Result<Amount, ClaimError> {
        let places = self.select(Some(metric), conditions, binding)?;
        match places.as_slice() {
            [] => {
                let message = format!("no test of this claim is '{}'{}", self.written(node), self.at(binding));
                Err(ClaimError::new(node.at.clone(), message))
            }
            [place] => {
                let view = self.universe.subjects[*place].view;
                Ok(view.and_then(|view| self.evidence.value(*place, view, metric)))
            }
            [first, second, ..] => {
                let axes = self.universe.differing(*first, *second).join(", ");
                let message = format!(
                    "'{}'{} comes to {} tests, which differ in {axes}: name a value in brackets, bind the axis \
                     with 'for', or fold it with 'max(..., over ...)'",
                    self.written(node),
                    self.at(binding),
                    places.len()
                );
                Err(ClaimError::new(node.at.clone(), message))
            }
        }
    }

    fn shape(
        &mut self,
        node: &Node,
        shape: Shape,
        over: &[Axis],
        operands: &[Node],
        binding: &Binding,
    ) -> Result<Truth, ClaimError> {
        let before = self.evidence.begin();
        let inside: Vec<&Node> = operands.iter().collect();
        let (mut row, mut told, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for instance in self.run_through(node, &inside, over, binding)? {
            let value = self.amount(&operands[0], &instance)?;
            let other = operands.get(1).map(|other| self.amount(other, &instance)).transpose()?;
            let number = instance[slot(over[0])].unwrap_or(0);
            let x = self.universe.numeric(over[0], number);
            if x.is_none() && !matches!(shape, Shape::Flat(_)) {
                let message = format!("{} has names for values, which have no order", over[0]);
                return Err(ClaimError::new(node.at.clone(), message));
            }
            if let Some(value) = value {
                told.push(format!("{}: {}", self.universe.shown(over[0], number), shown(value, unit_of(&operands[0]))));
                let at = format!("{}={}", over[0], self.universe.shown(over[0], number));
                values.push(weighed(at, value, unit_of(&operands[0])));
                row.push(Step { x: x.unwrap_or(0.0), value, other: other.flatten() });
            }
        }
        let truth = match row.len() {
            1 if !matches!(shape, Shape::Plateau(_)) => Truth::NotMeasured,
            _ => shape::judge(shape, &row),
        };
        let line = format!("{}{} ({})", self.prefix(binding), self.written(node), told.join(", "));
        let comparison = self.comparison(truth, binding, self.written(node), values);
        let narrowed =
            |by: f64| Some(shape::judge(shape, &row.iter().map(|step| step.narrowed(by)).collect::<Vec<_>>()));
        let too_wide = interval::too_wide(narrowed);
        Ok(self.evidence.compared(before, truth, too_wide, |truth| (format!("{line}: {}", truth.name()), comparison)))
    }

    fn comparison(&self, outcome: Truth, binding: &Binding, relation: &str, values: Vec<Compared>) -> Comparison {
        let bound = |axis: Axis| Some((axis, self.universe.shown(axis, binding[slot(axis)]?).to_string()));
        let at = Axis::ALL.into_iter().filter_map(bound).collect();
        Comparison { outcome, at, relation: relation.to_string(), values }
    }

    fn written(&self, node: &Node) -> &str {
        self.source.get(node.at.clone()).unwrap_or_default().trim()
    }

    fn told(&self, node: &Node, value: Interval, unit: Option<Metric>) -> String {
        match node.kind {
            NodeKind::Number { .. } => self.written(node).to_string(),
            _ => format!("{} = {}", self.written(node), shown(value, unit_of(node).and(unit))),
        }
    }

    /// Bound axes as `V=ovs, P=64B`.
    fn bound(&self, binding: &Binding) -> String {
        let parts = Axis::ALL
            .into_iter()
            .filter_map(|axis| Some(format!("{axis}={}", self.universe.shown(axis, binding[slot(axis)]?))));
        parts.collect::<Vec<_>>().join(", ")
    }

    fn at(&self, binding: &Binding) -> String {
        match self.bound(binding) {
            bound if bound.is_empty() => String::new(),
            bound => format!(" at {bound}"),
        }
    }

    fn prefix(&self, binding: &Binding) -> String {
        match self.bound(binding) {
            bound if bound.is_empty() => String::new(),
            bound => format!("{bound}: "),
        }
    }
}

fn folded(fold: Folding, known: &[Interval]) -> Amount {
    let best = |better: fn(f64, f64) -> f64| {
        known.iter().copied().reduce(|held, next| {
            Interval::new(better(held.low, next.low), better(held.mean, next.mean), better(held.high, next.high))
        })
    };
    match fold {
        Folding::Max => best(f64::max),
        Folding::Min => best(f64::min),
        Folding::Mean => {
            let sum = known.iter().copied().reduce(Interval::plus)?;
            Some(sum.divided_by(Interval::exact(known.len() as f64)))
        }
    }
}

/// The metric in whose unit a number is shown: that of its first selection; none for quotients.
fn unit_of(node: &Node) -> Option<Metric> {
    match &node.kind {
        NodeKind::Select { metric, .. } => Some(*metric),
        NodeKind::Fold { value, .. } => unit_of(value),
        NodeKind::Negate(inner) => unit_of(inner),
        NodeKind::Sum(terms) => terms.iter().find_map(|(_, term)| unit_of(term)),
        NodeKind::Product(factors) => {
            let measured: Vec<(bool, Metric)> =
                factors.iter().filter_map(|(divides, factor)| Some((*divides, unit_of(factor)?))).collect();
            match measured.as_slice() {
                [(false, metric)] => Some(*metric),
                _ => None,
            }
        }
        _ => None,
    }
}
