//! The paper skeleton: every figure, table and claim on two columns, and an appendix, prepared for its
//! template. It must not know how figures are drawn.

use serde::Serialize;

use super::scenarios::{self, ScenarioData};
use super::{bar_options, look_options};
use crate::figure::Figure;
use crate::html;
use crate::model::{ComponentRow, Fact, State, accepted_changes};
use crate::numbering::{self, Plate};
use crate::plot::Form;
use crate::published::Comparison;
use crate::report::Report;
use crate::table::Table;
use crate::templates::{RenderError, Templates};
use crate::text::{self, LABEL_MAX, PROSE_MAX};

/// Panels of a plate that still fit on a page in rows of two; more stand in rows of three.
const PANELS_IN_PAIRS_MAX: usize = 8;

#[derive(Serialize)]
struct Document {
    title: String,
    authors: String,
    pdf_title: String,
    pdf_authors: String,
    summary: Vec<String>,
    notes: Vec<String>,
    accepted: Vec<AcceptedData>,
    generation: String,
    scenarios: Vec<ScenarioData>,
    plates: Vec<PlateData>,
    tables: Vec<FloatData>,
    claims: Vec<ClaimData>,
    flags: Vec<FlagData>,
    protocol: Vec<Pair>,
    facts: Vec<PairList>,
    components: Vec<ComponentData>,
    tests: Vec<TestData>,
}

#[derive(Serialize)]
struct AcceptedData {
    day: String,
    change: String,
    reason: String,
}

#[derive(Serialize)]
struct PlateData {
    number: String,
    wide: bool,
    width: &'static str,
    caption: String,
    legend: Vec<KeyData>,
    /// Whether a panel has others' numbers.
    published: bool,
    panels: Vec<FloatData>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct KeyData {
    look: String,
    bar: bool,
    label: String,
}

#[derive(Serialize)]
struct FloatData {
    id: String,
    label: String,
    caption: String,
    notes: Vec<String>,
    published: Option<ComparisonData>,
    row_end: bool,
}

/// Published numbers beside ours; every text is ready.
#[derive(Serialize)]
struct ComparisonData {
    source: String,
    rows: Vec<ComparisonRow>,
}

#[derive(Serialize)]
struct ComparisonRow {
    what: String,
    published: String,
    ours: String,
    ratio: String,
}

#[derive(Serialize)]
struct ClaimData {
    id: String,
    text: String,
    outcome: &'static str,
    details: Vec<String>,
    published: Option<ComparisonData>,
}

#[derive(Serialize)]
struct FlagData {
    name: &'static str,
    meaning: &'static str,
}

#[derive(Serialize)]
struct Pair {
    label: String,
    value: String,
}

#[derive(Serialize)]
struct PairList {
    heading: String,
    rows: Vec<Pair>,
}

#[derive(Serialize)]
struct ComponentData {
    name: String,
    version: String,
    digest: String,
}

#[derive(Serialize)]
struct TestData {
    name: String,
    state: String,
    key: String,
}

/// `report.tex`: a two-column paper with every figure, table and claim, and an appendix.
pub fn document(templates: &Templates, report: &Report) -> Result<String, RenderError> {
    let meta = report.meta;
    let short = |text: &str| text::cleaned(text, LABEL_MAX);
    let pair = |fact: &Fact| Pair { label: short(&fact.label), value: text::cleaned(&fact.value, PROSE_MAX) };
    let component = |row: &ComponentRow| ComponentData {
        name: short(&row.name),
        version: short(&row.version),
        digest: short(&row.digest).chars().take(12).collect(),
    };
    let mut flags: Vec<_> =
        report.tests.iter().filter_map(|test| test.measured()).flat_map(|summary| &summary.flags).collect();
    flags.sort();
    flags.dedup_by_key(|(flag, _)| *flag);
    let title = short(meta.title.as_deref().unwrap_or(meta.name.as_str()));
    let authors = text::cleaned(&meta.authors.join(", "), PROSE_MAX);
    let data = Document {
        pdf_title: text::pdf(&title),
        pdf_authors: text::pdf(&authors),
        title,
        authors,
        summary: html::abstract_of(report),
        notes: meta.notes.iter().map(|note| text::cleaned(note, PROSE_MAX)).collect(),
        accepted: accepted_changes(report.tests)
            .into_iter()
            .map(|(accepted, _)| AcceptedData {
                day: short(&accepted.day),
                change: text::cleaned(&accepted.change, PROSE_MAX),
                reason: text::cleaned(&accepted.reason, PROSE_MAX),
            })
            .collect(),
        generation: short(&meta.generation),
        scenarios: scenarios::data(report.tests),
        plates: plates(report.figures),
        tables: tables(report.tables),
        claims: report
            .claims
            .iter()
            .map(|claim| ClaimData {
                id: claim.id.to_string(),
                text: text::cleaned(&claim.text, PROSE_MAX),
                outcome: claim.verdict.as_ref().map_or("not judged yet", |verdict| verdict.outcome.name()),
                details: claim.verdict.as_ref().map(|verdict| verdict.doubts.clone()).unwrap_or_default(),
                published: claim.published.as_ref().map(comparison),
            })
            .collect(),
        flags: flags.into_iter().map(|(flag, _)| FlagData { name: flag.name(), meaning: flag.meaning() }).collect(),
        protocol: meta.protocol.iter().map(pair).collect(),
        facts: meta
            .facts
            .iter()
            .map(|list| PairList { heading: short(&list.heading), rows: list.facts.iter().map(pair).collect() })
            .collect(),
        components: meta.components.iter().map(component).collect(),
        tests: report
            .tests
            .iter()
            .map(|test| TestData {
                name: short(&test.name),
                state: match &test.state {
                    State::Measured => "measured".to_string(),
                    State::NotMeasured => "not measured yet".to_string(),
                    State::Skipped(_) => "skipped".to_string(),
                },
                key: test.key.as_deref().map(|key| short(key).chars().take(12).collect()).unwrap_or_default(),
            })
            .collect(),
    };
    templates.latex("report.tex", &data)
}

fn comparison(held: &Comparison) -> ComparisonData {
    let row = |row: &crate::published::ComparisonRow| ComparisonRow {
        what: row.what.clone(),
        published: row.published_shown(),
        ours: row.ours_shown(),
        ratio: row.ratio_shown(),
    };
    ComparisonData { source: held.source.clone(), rows: held.rows.iter().map(row).collect() }
}

fn plates(figures: &[Figure]) -> Vec<PlateData> {
    let ids: Vec<_> = figures.iter().map(|figure| &figure.id).collect();
    numbering::plates(&ids).iter().map(|plate| plate_data(plate, figures)).collect()
}

fn plate_data(plate: &Plate, figures: &[Figure]) -> PlateData {
    let wide = plate.panels.len() > 1;
    let columns = if plate.panels.len() > PANELS_IN_PAIRS_MAX { 3 } else { 2 };
    let mut legend: Vec<KeyData> = Vec::new();
    let mut notes: Vec<String> = Vec::new();
    let mut panels = Vec::new();
    for (panel, (place, letter)) in plate.panels.iter().enumerate() {
        let figure = &figures[*place];
        for series in figure.plot.series.iter().filter(|series| !series.points.is_empty()) {
            if !series.label.is_empty() && !legend.iter().any(|key| key.label == series.label) {
                let bar = figure.plot.form == Form::Bars;
                let look = if bar { bar_options(&series.look) } else { look_options(&series.look) };
                legend.push(KeyData { look, bar, label: series.label.clone() });
            }
        }
        let said = [figure.title.clone().map(|title| format!("{title}.")), figure.caption.clone()];
        let source = figure.published.as_ref().filter(|_| !figure.plot.references.is_empty());
        let source = source.map(|published| format!("Published values: {}.", published.source));
        for note in figure.notes.iter().chain(&source) {
            let note = if wide && note.starts_with("Missing") { format!("({letter}) {note}") } else { note.clone() };
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        panels.push(FloatData {
            id: figure.id.to_string(),
            label: if wide { letter.clone() } else { plate.label(panel) },
            caption: said.into_iter().flatten().collect::<Vec<_>>().join(" "),
            notes: figure.notes.iter().cloned().chain(source).collect(),
            published: None,
            row_end: (panel + 1) % columns == 0,
        });
    }
    let letters = (plate.panels.first(), plate.panels.last());
    let caption = match letters {
        (Some((_, first)), Some((_, last))) if wide => format!("Panels ({first}) to ({last})."),
        _ => String::new(),
    };
    let width = if columns == 3 { "0.325" } else { "0.485" };
    let published = plate.panels.iter().any(|(place, _)| !figures[*place].plot.references.is_empty());
    PlateData { number: plate.number.clone(), wide, width, caption, legend, published, panels, notes }
}

fn tables(tables: &[Table]) -> Vec<FloatData> {
    let ids: Vec<_> = tables.iter().map(|table| &table.id).collect();
    let plates = numbering::plates(&ids);
    let mut floats = Vec::new();
    for plate in &plates {
        for (panel, (place, _)) in plate.panels.iter().enumerate() {
            floats.push(FloatData {
                id: tables[*place].id.to_string(),
                label: plate.label(panel),
                caption: tables[*place].caption.clone().unwrap_or_default(),
                notes: tables[*place].notes.clone(),
                published: tables[*place].published.as_ref().map(comparison),
                row_end: false,
            });
        }
    }
    floats
}
