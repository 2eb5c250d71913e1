//! The report of a reproduction: both sides' own reports, and a page that holds them against each other. The same
//! archive and the same results give the same bytes. It must not measure.

use std::collections::{BTreeMap, BTreeSet};

use reports::model::{FactList, State, TestView};
use reports::render::{self, OutputFile};
use reports::reproduction::{FactPair, Reproduction, Tally, Unmeasured, Word, pair_claims, pair_figure, pair_table};
use reports::select::SpecError;
use reports::spec::Id;
use reports::templates::Templates;

use super::ReproduceError;
use super::place::ReproductionFolder;
use crate::beneath::Destination;
use crate::compare;
use crate::report::{self, ReportError, Seen};
use crate::store::Generation;

/// What was written of both sides.
#[derive(Debug)]
pub struct Beside {
    /// Files written, those of both reports counted.
    pub files: usize,
    /// The sum.
    pub tally: Tally,
    /// Each claim: id, their outcome, ours, the word for the pair.
    pub claims: Vec<(String, &'static str, &'static str, Word)>,
    /// `reproduction.json`.
    pub json: serde_json::Value,
    /// Path of the page.
    pub page: std::path::PathBuf,
}

/// Writes the report. `verified` is what was found of the archive, in sentences; `scale` what `ours` was scaled to.
pub fn beside(
    place: &ReproductionFolder,
    theirs: &Generation,
    ours: &Generation,
    archive: &str,
    verified: &[String],
    scale: Option<f64>,
) -> Result<Beside, ReproduceError> {
    let (there, here) = (report::seen(&place.theirs, theirs)?, report::seen(&place.ours, ours)?);
    let views = |seen: &'_ Seen| -> Vec<TestView> { seen.views.clone() };
    let (their_views, our_views) = (views(&there), views(&here));
    let (their_tests, our_tests): (Vec<&TestView>, Vec<&TestView>) =
        (their_views.iter().collect(), our_views.iter().collect());
    let spec = &place.ours.experiment.report;
    let claims = pair_claims(&spec.claims, &their_tests, &our_tests);
    let drawing = |id: &Id| {
        let id = id.clone();
        move |error: SpecError| ReportError::Drawing { id, reason: error.to_string() }
    };
    let (mut figures, mut tables) = (Vec::new(), Vec::new());
    for figure in &spec.figures {
        figures.push(pair_figure(figure, &their_tests, &our_tests).map_err(drawing(&figure.id))?);
    }
    for table in &spec.tables {
        tables.push(pair_table(table, &their_tests, &our_tests).map_err(drawing(&table.id))?);
    }
    let sides = [(&place.theirs, theirs, "theirs"), (&place.ours, ours, "ours")];
    let [their_side, our_side] =
        sides.map(|(workspace, generation, name)| compare::side(workspace, name.to_string(), generation));
    let inputs = compare::compare(&their_side?, &our_side?, None).inputs;
    let facts = facts(&there.meta.facts, &here.meta.facts);
    let both = both(&their_views, &our_views);
    let reproduction = Reproduction {
        meta: &here.meta,
        archive,
        generation_theirs: &there.meta.generation,
        verified: verified.to_vec(),
        scale,
        tests: our_tests.len(),
        tests_both: both,
        is_other_hardware: facts.iter().any(|fact| fact.label == "Processor" && fact.theirs != fact.ours),
        claims: &claims,
        figures: &figures,
        tables: &tables,
        inputs: &inputs,
        facts: &facts,
        unmeasured: &unmeasured(&our_views),
    };
    let templates = Templates::built_in().map_err(ReportError::from)?;
    let rendering = |source| ReportError::Render { what: "the reproduction".to_string(), source };
    let files = render::render_reproduction(templates, &reproduction).map_err(rendering)?;
    let written = write(place, &files)?;
    let own = sides.map(|(workspace, generation, name)| -> Result<usize, ReproduceError> {
        let folder = place.folder.make_folder(&place.folder.name([place.report.as_str(), name])?)?;
        Ok(report::write(workspace, generation, &Destination::Open(folder))?.files)
    });
    let [of_theirs, of_ours] = own;
    let json = files.iter().find(|file| file.path == "reproduction.json");
    let json = json.and_then(|file| serde_json::from_slice(&file.bytes).ok()).unwrap_or_default();
    let outcome = |view: &reports::report::ClaimView| {
        view.verdict.as_ref().map_or("not judged", |verdict| verdict.outcome.name())
    };
    Ok(Beside {
        files: written + of_theirs? + of_ours?,
        tally: Tally::of(&claims),
        claims: claims
            .iter()
            .map(|pair| (pair.ours.id.to_string(), outcome(&pair.theirs), outcome(&pair.ours), pair.word))
            .collect(),
        json,
        page: place.folder.shown().join(&place.report).join("index.html"),
    })
}

fn write(place: &ReproductionFolder, files: &[OutputFile]) -> Result<usize, ReproduceError> {
    let folder = place.folder.make_folder(&place.folder.name([place.report.as_str()])?)?;
    let mut written = 0;
    for file in files {
        written += usize::from(folder.replace_if_different(&folder.name([&file.path])?, &file.bytes)?);
    }
    Ok(written)
}

/// Number of tests with a result on both sides.
fn both(theirs: &[TestView], ours: &[TestView]) -> usize {
    let there: BTreeSet<&str> =
        theirs.iter().filter(|test| test.measured().is_some()).map(|test| test.name.as_str()).collect();
    ours.iter().filter(|test| test.measured().is_some() && there.contains(test.name.as_str())).count()
}

/// What both hosts say of themselves and say differently, and their processors in any case. Several states of a host are
/// joined.
fn facts(theirs: &[FactList], ours: &[FactList]) -> Vec<FactPair> {
    let joined = |lists: &[FactList], label: &str| {
        let facts = lists.iter().flat_map(|list| &list.facts).filter(|fact| fact.label == label);
        let values: BTreeSet<&str> = facts.map(|fact| fact.value.as_str()).collect();
        values.into_iter().collect::<Vec<_>>().join("; ")
    };
    let mut labels: Vec<&str> = Vec::new();
    for fact in theirs.iter().chain(ours).flat_map(|list| &list.facts) {
        if !labels.contains(&fact.label.as_str()) {
            labels.push(&fact.label);
        }
    }
    let pairs = labels.into_iter().map(|label| FactPair {
        label: label.to_string(),
        theirs: joined(theirs, label),
        ours: joined(ours, label),
    });
    pairs.filter(|pair| pair.theirs != pair.ours || pair.label == "Processor").collect()
}

/// Tests without a result here, by reason, in the order of the reasons' texts.
fn unmeasured(ours: &[TestView]) -> Vec<Unmeasured> {
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for test in ours.iter().filter(|test| test.measured().is_none()) {
        let reason = match &test.state {
            State::Skipped(reason) => reason.clone(),
            _ => "could be measured here, and has no valid repetition: left out, out of time, or every attempt was suspect \
                  or failed"
                .to_string(),
        };
        reasons.entry(reason).or_default().push(test.name.clone());
    }
    reasons.into_iter().map(|(reason, tests)| Unmeasured { reason, tests }).collect()
}
