//! The page of claims: each statement with its verdict, the numbers that it rests on, and its expression.
//! The front page lists them by the same lines. It must not judge.

use serde::Serialize;

use super::comparison::{self, ComparisonView};
use crate::claim::{Outcome, Verdict};
use crate::report::{ClaimView, Report};
use crate::templates::{RenderError, Templates};
use crate::text::{self, LABEL_MAX, PROSE_MAX};

#[derive(Serialize)]
pub(super) struct ClaimLine {
    id: String,
    text: String,
    expression: String,
    outcome: &'static str,
    class: &'static str,
    grade: &'static str,
    numbers: Vec<String>,
    doubts: Vec<String>,
    missing: Vec<String>,
    published: Option<ComparisonView>,
}

#[derive(Serialize)]
struct Page {
    title: String,
    tally: String,
    claims: Vec<ClaimLine>,
}

/// The text of `claims.html`.
pub fn claims(templates: &Templates, report: &Report) -> Result<String, RenderError> {
    let meta = report.meta;
    let page = Page {
        title: text::cleaned(meta.title.as_deref().unwrap_or(meta.name.as_str()), LABEL_MAX),
        tally: outcomes_of(report.claims),
        claims: lines(report.claims),
    };
    templates.markup("claims.html", &page)
}

pub(super) fn lines(claims: &[ClaimView]) -> Vec<ClaimLine> {
    claims.iter().map(line).collect()
}

fn line(claim: &ClaimView) -> ClaimLine {
    let cleaned = |lines: &[String]| lines.iter().map(|line| text::cleaned(line, PROSE_MAX)).collect();
    let verdict = claim.verdict.as_ref();
    let told = |pick: fn(&Verdict) -> &[String]| verdict.map(|verdict| cleaned(pick(verdict))).unwrap_or_default();
    ClaimLine {
        id: claim.id.to_string(),
        text: text::cleaned(&claim.text, PROSE_MAX),
        expression: text::cleaned_lines(claim.expression.trim()),
        outcome: verdict.map_or("not judged yet", |verdict| verdict.outcome.name()),
        class: verdict.map_or("open", |verdict| verdict.outcome.class()),
        grade: match verdict {
            Some(verdict) if verdict.rests_on_something() => super::grade_name(verdict.grade),
            _ => "",
        },
        numbers: told(|verdict| &verdict.numbers),
        doubts: told(|verdict| &verdict.doubts),
        missing: told(|verdict| &verdict.missing),
        published: claim.published.as_ref().map(comparison::view),
    }
}

/// How many claims came out how: `Of 3 claims, 2 hold and 1 is refuted.`
pub(super) fn outcomes_of(claims: &[ClaimView]) -> String {
    let count = |outcome: Option<Outcome>| {
        claims.iter().filter(|claim| claim.verdict.as_ref().map(|verdict| verdict.outcome) == outcome).count()
    };
    let kinds = [
        (count(Some(Outcome::Holds)), "holds", "hold"),
        (count(Some(Outcome::Refuted)), "is refuted", "are refuted"),
        (count(Some(Outcome::Inconclusive)), "is inconclusive", "are inconclusive"),
        (count(Some(Outcome::NotMeasured)), "is not measured", "are not measured"),
        (count(None), "is not judged yet", "are not judged yet"),
    ];
    let told: Vec<String> = kinds
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }))
        .collect();
    let noun = if claims.len() == 1 { "claim" } else { "claims" };
    format!("Of {} {noun}, {}.", claims.len(), told.join(", "))
}
