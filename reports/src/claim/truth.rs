//! Truth with doubt: what is known, what is inconclusive, what was not measured, and how they combine. It must
//! not know what is judged.

use super::Outcome;

/// An outcome inside of an expression; the same four as a verdict has.
pub(super) type Truth = Outcome;

/// The first of `order` that occurs; `otherwise` if none does.
fn first_of(parts: &[Truth], order: &[Truth], otherwise: Truth) -> Truth {
    order.iter().copied().find(|truth| parts.contains(truth)).unwrap_or(otherwise)
}

/// All of the parts: a contradiction decides, then what is missing, then what is inconclusive.
pub(super) fn all(parts: &[Truth]) -> Truth {
    first_of(parts, &[Truth::Refuted, Truth::NotMeasured, Truth::Inconclusive], Truth::Holds)
}

/// One of the parts.
pub(super) fn any(parts: &[Truth]) -> Truth {
    first_of(parts, &[Truth::Holds, Truth::NotMeasured, Truth::Inconclusive], Truth::Refuted)
}

/// The opposite.
pub(super) fn not(truth: Truth) -> Truth {
    match truth {
        Truth::Holds => Truth::Refuted,
        Truth::Refuted => Truth::Holds,
        other => other,
    }
}

/// Instances of `for all`: judged over those that were measured.
pub(super) fn every_measured(instances: &[Truth]) -> Truth {
    let measured: Vec<Truth> = instances.iter().copied().filter(|&truth| truth != Truth::NotMeasured).collect();
    if measured.is_empty() { Truth::NotMeasured } else { all(&measured) }
}

#[cfg(test)]
mod tests {
    use super::Outcome::{Holds, Inconclusive, NotMeasured, Refuted};
    use super::*;

    #[test]
    fn what_is_known_decides_before_what_is_not() {
        assert_eq!(all(&[Holds, NotMeasured, Refuted]), Refuted);
        assert_eq!(all(&[Holds, Inconclusive, NotMeasured]), NotMeasured);
        assert_eq!(all(&[Holds, Holds]), Holds);
        assert_eq!(any(&[Refuted, Inconclusive]), Inconclusive);
        assert_eq!(any(&[NotMeasured, Holds]), Holds);
        assert_eq!(every_measured(&[NotMeasured, Holds]), Holds);
        assert_eq!(every_measured(&[NotMeasured]), NotMeasured);
        assert_eq!(not(Inconclusive), Inconclusive);
    }
}
