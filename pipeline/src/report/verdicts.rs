//! Verdicts of an experiment's claims over a generation, without a report. It must not write.

use reports::claim::Outcome;
use reports::report::ClaimView;
use reports::spec::Id;

use super::views;
use crate::store::{Generation, StoreError};
use crate::workspace::Workspace;

/// Claims that a generation refutes, in order of declaration.
pub fn refuted(workspace: &Workspace, generation: &Generation) -> Result<Vec<Id>, StoreError> {
    let claims = &workspace.experiment.report.claims;
    if claims.is_empty() {
        return Ok(Vec::new());
    }
    let measured = views::read(workspace, generation)?;
    let tests: Vec<_> = measured.views.iter().collect();
    let judged = claims.iter().map(|claim| ClaimView::judged(claim, &tests));
    let is_refuted =
        |claim: &ClaimView| claim.verdict.as_ref().is_some_and(|verdict| verdict.outcome == Outcome::Refuted);
    Ok(judged.filter(is_refuted).map(|claim| claim.id).collect())
}
