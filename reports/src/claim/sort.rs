//! Whether the parts of a claim fit: statements where statements are needed, numbers where numbers are, and
//! the same dimension on both sides. It must not know tests.

use std::ops::Range;

use super::ClaimError;
use super::syntax::{Comparison, Dimension, Node, NodeKind};

/// What a part stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Statement,
    Number(Dimension),
}

/// Fails unless the root is a statement all of whose parts fit.
pub(super) fn check(root: &Node, source: &str) -> Result<(), ClaimError> {
    statement(root, source)
}

fn statement(node: &Node, source: &str) -> Result<(), ClaimError> {
    match sort(node, source)? {
        Sort::Statement => Ok(()),
        Sort::Number(_) => Err(ClaimError::new(
            node.at.clone(),
            "this is a number; a claim compares: write '> ...' or '~ ... within 5%'",
        )),
    }
}

fn number(node: &Node, source: &str) -> Result<Dimension, ClaimError> {
    match sort(node, source)? {
        Sort::Number(dimension) => Ok(dimension),
        Sort::Statement => Err(ClaimError::new(node.at.clone(), "this is a statement where a number is needed")),
    }
}

fn sort(node: &Node, source: &str) -> Result<Sort, ClaimError> {
    match &node.kind {
        NodeKind::Quantified { body: inner, .. } | NodeKind::Not(inner) => {
            statement(inner, source)?;
            Ok(Sort::Statement)
        }
        NodeKind::Or(parts) | NodeKind::And(parts) => {
            parts.iter().try_for_each(|part| statement(part, source))?;
            Ok(Sort::Statement)
        }
        NodeKind::Relation { first, rest } => {
            let mut left = (first.as_ref(), number(first, source)?);
            for (comparison, right) in rest {
                let right = (right, number(right, source)?);
                same(left, right, source)?;
                if let (Comparison::About(_), NodeKind::Number { value: 0.0, .. }) = (comparison, &right.0.kind) {
                    return Err(ClaimError::new(right.0.at.clone(), "nothing lies within a percentage of 0; use '<'"));
                }
                left = right;
            }
            Ok(Sort::Statement)
        }
        NodeKind::Shape { operands, .. } => {
            let dimensions: Vec<Dimension> =
                operands.iter().map(|operand| number(operand, source)).collect::<Result<_, _>>()?;
            if let ([first, second], [a, b]) = (operands.as_slice(), dimensions.as_slice()) {
                same((first, *a), (second, *b), source)?;
            }
            Ok(Sort::Statement)
        }
        NodeKind::Sum(terms) => {
            let Some(((_, first), rest)) = terms.split_first() else { return Ok(Sort::Number(Dimension::Pure)) };
            let left = (first, number(first, source)?);
            for (_, term) in rest {
                same(left, (term, number(term, source)?), source)?;
            }
            Ok(Sort::Number(left.1))
        }
        NodeKind::Product(factors) => product(factors, source).map(Sort::Number),
        NodeKind::Negate(inner) => number(inner, source).map(Sort::Number),
        NodeKind::Number { dimension, .. } => Ok(Sort::Number(*dimension)),
        NodeKind::Select { metric, .. } => Ok(Sort::Number(Dimension::of(*metric))),
        NodeKind::Fold { value, .. } => number(value, source).map(Sort::Number),
    }
}

fn product(factors: &[(bool, Node)], source: &str) -> Result<Dimension, ClaimError> {
    let mut held = Dimension::Pure;
    for (divides, factor) in factors {
        let dimension = number(factor, source)?;
        held = match (divides, held, dimension) {
            (_, held, Dimension::Pure) => held,
            (false, Dimension::Pure, dimension) => dimension,
            (true, held, dimension) if held == dimension => Dimension::Pure,
            (false, held, dimension) => {
                let message = format!("{} times {} measures nothing known", held.name(), dimension.name());
                return Err(ClaimError::new(factor.at.clone(), message));
            }
            (true, held, dimension) => {
                let message = format!("{} divided by {} measures nothing known", held.name(), dimension.name());
                return Err(ClaimError::new(factor.at.clone(), message));
            }
        };
    }
    Ok(held)
}

/// Both sides measure the same; a plain number beside a rate or time is told its unit.
fn same(left: (&Node, Dimension), right: (&Node, Dimension), source: &str) -> Result<(), ClaimError> {
    if left.1 == right.1 {
        return Ok(());
    }
    let bare = |node: &Node, other: Dimension| -> Option<ClaimError> {
        let NodeKind::Number { dimension: Dimension::Pure, .. } = node.kind else { return None };
        let text = written(source, &node.at);
        let example = format!("{text}{}", other.unit());
        let message = format!("{text} has no unit; it stands beside {}", other.name());
        Some(ClaimError::new(node.at.clone(), message).suggesting(Some(&example)))
    };
    Err(bare(right.0, left.1).or_else(|| bare(left.0, right.1)).unwrap_or_else(|| {
        let message = format!("{} cannot be compared with {}", left.1.name(), right.1.name());
        ClaimError::new(right.0.at.clone(), message)
    }))
}

fn written<'a>(source: &'a str, at: &Range<usize>) -> &'a str {
    source.get(at.clone()).unwrap_or_default().trim()
}
