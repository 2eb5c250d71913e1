//! Each claim with two verdicts and the word for the pair, and the sum of the words. Verdicts are compared over the
//! tests that both sides measured: a side must not be called wrong for what it never saw. It must not judge by itself.

use std::collections::BTreeSet;
use std::fmt;

use super::word::{Word, word};
use crate::claim::Outcome;
use crate::model::{State, TestView};
use crate::report::ClaimView;
use crate::spec::ClaimSpec;

/// A claim on two sides.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimPair {
    /// Their claim, judged by this program over all that they measured.
    pub theirs: ClaimView,
    /// Our claim, over all that was measured here.
    pub ours: ClaimView,
    /// Their outcome over the tests that both measured.
    pub theirs_both: Outcome,
    /// Ours over the same.
    pub ours_both: Outcome,
    /// What is said of the pair.
    pub word: Word,
    /// How many tests of its groups have results on one side only.
    pub one_sided: usize,
}

/// The claims of `specs` over all tests of both sides.
pub fn pair_claims(specs: &[ClaimSpec], theirs: &[&TestView], ours: &[&TestView]) -> Vec<ClaimPair> {
    let measured = |tests: &[&TestView]| -> BTreeSet<String> {
        tests.iter().filter(|test| test.measured().is_some()).map(|test| test.name.clone()).collect()
    };
    let (there, here) = (measured(theirs), measured(ours));
    let both: BTreeSet<&String> = there.intersection(&here).collect();
    let one_sided: BTreeSet<&String> = there.symmetric_difference(&here).collect();
    let only_both = |tests: &[&TestView]| -> Vec<TestView> { tests.iter().map(|test| without(test, &both)).collect() };
    let (theirs_both, ours_both) = (only_both(theirs), only_both(ours));
    let (theirs_both, ours_both): (Vec<&TestView>, Vec<&TestView>) =
        (theirs_both.iter().collect(), ours_both.iter().collect());
    let pair = |spec: &ClaimSpec| {
        let is_about = |test: &&&TestView| test.groups.iter().any(|group| spec.from.contains(group));
        let sided = ours.iter().filter(is_about).filter(|test| one_sided.contains(&test.name)).count();
        let judged = |tests: &[&TestView]| ClaimView::judged(spec, tests);
        let (theirs, ours) = (judged(theirs), judged(ours));
        let (theirs_both, ours_both) = match sided {
            0 => (outcome(&theirs), outcome(&ours)),
            _ => (outcome(&judged(&theirs_both)), outcome(&judged(&ours_both))),
        };
        let word = word(theirs_both, ours_both, outcome(&ours));
        ClaimPair { theirs, ours, theirs_both, ours_both, word, one_sided: sided }
    };
    specs.iter().map(pair).collect()
}

fn outcome(view: &ClaimView) -> Outcome {
    view.verdict.as_ref().map_or(Outcome::NotMeasured, |verdict| verdict.outcome)
}

/// A test as if it had no result, unless both sides have one.
fn without(test: &TestView, both: &BTreeSet<&String>) -> TestView {
    match both.contains(&test.name) {
        true => test.clone(),
        false => TestView { state: State::NotMeasured, summary: None, ..test.clone() },
    }
}

/// How many claims have each word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([usize; 4]);

impl Tally {
    /// Counts the words of some claims.
    pub fn of(claims: &[ClaimPair]) -> Tally {
        Tally(Word::ALL.map(|word| claims.iter().filter(|claim| claim.word == word).count()))
    }

    /// How many have a word.
    pub fn count(&self, word: Word) -> usize {
        Word::ALL.into_iter().zip(self.0).find(|(other, _)| *other == word).map_or(0, |(_, count)| count)
    }
}

/// `14 of 18 claims reproduced, 1 not, 2 inconclusive, 1 not measured here`.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [reproduced, not, inconclusive, unmeasured] = self.0;
        let all: usize = self.0.iter().sum();
        if all == 0 {
            return f.write_str("the experiment makes no claims");
        }
        write!(f, "{reproduced} of {all} {} reproduced", if all == 1 { "claim" } else { "claims" })?;
        for (count, what) in [(not, "not"), (inconclusive, "inconclusive"), (unmeasured, "not measured here")] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_names_what_there_is() {
        assert_eq!(
            Tally([14, 1, 2, 1]).to_string(),
            "14 of 18 claims reproduced, 1 not, 2 inconclusive, 1 not measured here"
        );
        assert_eq!(Tally([1, 0, 0, 0]).to_string(), "1 of 1 claim reproduced");
        assert_eq!(Tally([0; 4]).to_string(), "the experiment makes no claims");
        assert_eq!(Tally([14, 1, 2, 1]).count(Word::Inconclusive), 2);
    }
}
