//! What is said of a claim that two sides have judged: one of four words, a pure function of outcomes. It must not know
//! how they came about.

use crate::claim::Outcome;

/// The word for a claim and two verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Word {
    /// The claim holds on both sides, or is refuted on both.
    Reproduced,
    /// The claim holds on one side and is refuted on the other.
    NotReproduced,
    /// One side at least could not tell.
    Inconclusive,
    /// What it needs was not measured here.
    NotMeasuredHere,
}

impl Word {
    /// Every word, in the order in which sums name them.
    pub const ALL: [Word; 4] = [Word::Reproduced, Word::NotReproduced, Word::Inconclusive, Word::NotMeasuredHere];

    /// The word that reports use.
    pub fn name(self) -> &'static str {
        match self {
            Word::Reproduced => "reproduced",
            Word::NotReproduced => "not reproduced",
            Word::Inconclusive => "inconclusive",
            Word::NotMeasuredHere => "not measured here",
        }
    }

    /// The class of its badge in pages.
    pub fn class(self) -> &'static str {
        match self {
            Word::Reproduced => "holds",
            Word::NotReproduced => "refuted",
            Word::Inconclusive => "doubtful",
            Word::NotMeasuredHere => "open",
        }
    }
}

/// The word for two verdicts over the tests that both sides measured. `ours_alone` is ours over all of our tests: where
/// even these say nothing, it was not measured here; where only theirs are missing, nobody can tell.
pub fn word(theirs: Outcome, ours: Outcome, ours_alone: Outcome) -> Word {
    match (theirs, ours) {
        _ if ours_alone == Outcome::NotMeasured => Word::NotMeasuredHere,
        (Outcome::Holds, Outcome::Holds) | (Outcome::Refuted, Outcome::Refuted) => Word::Reproduced,
        (Outcome::Holds, Outcome::Refuted) | (Outcome::Refuted, Outcome::Holds) => Word::NotReproduced,
        _ => Word::Inconclusive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    const OUTCOMES: [Outcome; 4] = [Outcome::Holds, Outcome::Refuted, Outcome::Inconclusive, Outcome::NotMeasured];

    fn opposite(outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Holds => Outcome::Refuted,
            Outcome::Refuted => Outcome::Holds,
            other => other,
        }
    }

    fn is_conclusive(outcome: Outcome) -> bool {
        matches!(outcome, Outcome::Holds | Outcome::Refuted)
    }

    proptest! {
        #[test]
        fn a_pair_has_the_word_that_its_outcomes_allow(
            theirs in select(&OUTCOMES[..]), ours in select(&OUTCOMES[..]), alone in select(&OUTCOMES[..])
        ) {
            let said = word(theirs, ours, alone);
            // Nothing is (not) reproduced unless both sides are sure.
            let sure = is_conclusive(theirs) && is_conclusive(ours) && alone != Outcome::NotMeasured;
            prop_assert_eq!(matches!(said, Word::Reproduced | Word::NotReproduced), sure);
            prop_assert_eq!(said == Word::Reproduced, sure && theirs == ours);
            prop_assert_eq!(said == Word::NotMeasuredHere, alone == Outcome::NotMeasured);
            // To negate a claim changes nothing of whether it was reproduced.
            prop_assert_eq!(word(opposite(theirs), opposite(ours), opposite(alone)), said);
            // Neither does who measured first, where both measured the same.
            prop_assert_eq!(word(ours, theirs, alone), said);
        }
    }

    #[test]
    fn the_names_differ() {
        let names: std::collections::BTreeSet<&str> = Word::ALL.map(Word::name).into();
        assert_eq!(names.len(), 4);
    }
}
