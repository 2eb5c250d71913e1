//! What a whole report is made of. It must not know how any of it is written.

use crate::claim;
use crate::figure::Figure;
use crate::model::{Meta, TestView};
use crate::published::{self, Comparison};
use crate::spec::{ClaimSpec, Id};
use crate::table::Table;

/// A claim as a report shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimView {
    /// The claim's identifier.
    pub id: Id,
    /// The statement in words.
    pub text: String,
    /// The expression, as written.
    pub expression: String,
    /// The verdict; absent as long as it is not judged.
    pub verdict: Option<claim::Verdict>,
    /// The numbers that it was published with beside ours.
    pub published: Option<Comparison>,
}

impl ClaimView {
    /// A claim that is not judged yet.
    pub fn unjudged(spec: &ClaimSpec) -> ClaimView {
        ClaimView {
            id: spec.id.clone(),
            text: spec.text.clone(),
            expression: spec.test.clone(),
            verdict: None,
            published: None,
        }
    }

    /// A claim judged over `tests` (all of the experiment; its groups are applied here). One whose
    /// expression does not parse stays unjudged.
    pub fn judged(spec: &ClaimSpec, tests: &[&TestView]) -> ClaimView {
        let among: Vec<&TestView> =
            tests.iter().copied().filter(|test| test.groups.iter().any(|group| spec.from.contains(group))).collect();
        let verdict = claim::parse(&spec.test).ok().map(|claim| claim.judge(&among));
        let published = spec.published.as_ref().map(|published| published::compare(published, &among, None));
        ClaimView { verdict, published, ..ClaimView::unjudged(spec) }
    }
}

/// Everything that a whole report is made of, each list in order of declaration.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// About the experiment.
    pub meta: &'a Meta,
    /// The report's figures.
    pub figures: &'a [Figure],
    /// The report's tables.
    pub tables: &'a [Table],
    /// The report's claims.
    pub claims: &'a [ClaimView],
    /// All of its tests.
    pub tests: &'a [&'a TestView],
}
