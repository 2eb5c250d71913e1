//! The front page.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use results::axes::Axis;
use results::flags::Flag;
use results::summary::Grade;

use super::claims::{self, ClaimLine};
use super::comparison::{self, ComparisonView};
use super::scenarios::{self, ScenarioView};
use super::tables::{self, TableView};
use super::{AcceptedChange, ComponentLine, FactRow, FactTable, FlagLine};
use crate::figure::Figure;
use crate::model::{Accepted, State, TestView, accepted_changes};
use crate::number;
use crate::numbering::{self, Plate};
use crate::plot::{Form, Series};
use crate::report::Report;
use crate::select;
use crate::since;
use crate::svg;
use crate::templates::{RenderError, Templates};
use crate::text::{self, LABEL_MAX, PROSE_MAX};

#[derive(Serialize)]
struct Page {
    title: String,
    authors: String,
    name: String,
    generation: String,
    grade: &'static str,
    summary: Vec<String>,
    notes: Vec<String>,
    accepted: Vec<AcceptedLine>,
    scenarios: Vec<ScenarioView>,
    plates: Vec<PlateView>,
    tables: Vec<TableView>,
    claims: Vec<ClaimLine>,
    flags: Vec<FlagLine>,
    facts: Vec<FactTable>,
    components: Vec<ComponentLine>,
    protocol: Vec<FactRow>,
    common: String,
    tests: Vec<TestLine>,
    count: String,
}

#[derive(Serialize)]
struct AcceptedLine {
    #[serde(flatten)]
    change: AcceptedChange,
    tests: String,
}

#[derive(Serialize)]
struct PlateView {
    number: String,
    legend: String,
    wide: bool,
    panels: Vec<PanelView>,
}

#[derive(Serialize)]
struct PanelView {
    id: String,
    label: String,
    title: String,
    svg: String,
    caption: String,
    notes: Vec<String>,
    published: Option<ComparisonView>,
}

#[derive(Serialize)]
struct TestLine {
    name: String,
    link: String,
    key: String,
    state: String,
    class: &'static str,
    value: String,
    sort: String,
    flags: String,
}

/// The text of `index.html`.
pub fn index(templates: &Templates, report: &Report) -> Result<String, RenderError> {
    let meta = report.meta;
    let title = text::cleaned(meta.title.as_deref().unwrap_or(meta.name.as_str()), LABEL_MAX);
    let common = common_flags(report.tests);
    let page = Page {
        title,
        authors: text::cleaned(&meta.authors.join(", "), PROSE_MAX),
        name: meta.name.to_string(),
        generation: text::cleaned(&meta.generation, LABEL_MAX),
        grade: super::grade_name(meta.grade),
        summary: abstract_of(report),
        notes: meta.notes.iter().map(|note| text::cleaned(note, PROSE_MAX)).collect(),
        accepted: accepted_changes(report.tests).into_iter().map(accepted_line).collect(),
        scenarios: scenarios::views(templates, report.tests)?,
        plates: plates(templates, report.figures)?,
        tables: table_views(report),
        claims: claims::lines(report.claims),
        flags: flag_lines(report.tests),
        facts: meta.facts.iter().map(|list| super::fact_table(templates, list)).collect::<Result<_, _>>()?,
        components: meta.components.iter().map(super::component_line).collect(),
        protocol: meta.protocol.iter().map(super::fact_row).collect(),
        tests: report.tests.iter().map(|test| test_line(test, &common)).collect(),
        common: common.iter().map(|flag| flag.name()).collect::<Vec<_>>().join(", "),
        count: number::count(report.tests.len() as u64),
    };
    templates.markup("index.html", &page)
}

fn plates(templates: &Templates, figures: &[Figure]) -> Result<Vec<PlateView>, RenderError> {
    let ids: Vec<_> = figures.iter().map(|figure| &figure.id).collect();
    numbering::plates(&ids).iter().map(|plate| plate_view(templates, plate, figures)).collect()
}

fn plate_view(templates: &Templates, plate: &Plate, figures: &[Figure]) -> Result<PlateView, RenderError> {
    let shared = plate.panels.len() > 1;
    let legend = if shared { plate_legend(templates, plate, figures)? } else { None };
    let own_legend = legend.is_none();
    let panels = plate.panels.iter().enumerate().map(|(panel, (place, letter))| {
        let figure = &figures[*place];
        Ok(PanelView {
            id: figure.id.to_string(),
            label: if shared { format!("({letter})") } else { format!("Figure {}.", plate.label(panel)) },
            title: figure.title.clone().unwrap_or_default(),
            svg: svg::figure_inline(templates, figure, own_legend, ("", ""))?,
            caption: figure.caption.clone().unwrap_or_default(),
            notes: figure.notes.clone(),
            published: figure.published.as_ref().map(comparison::view),
        })
    });
    Ok(PlateView {
        number: plate.number.clone(),
        legend: legend.unwrap_or_default(),
        wide: shared,
        panels: panels.collect::<Result<_, RenderError>>()?,
    })
}

/// One legend for all panels, when a name looks the same in all of them.
fn plate_legend(templates: &Templates, plate: &Plate, figures: &[Figure]) -> Result<Option<String>, RenderError> {
    let members = || plate.panels.iter().map(|(place, _)| &figures[*place]);
    let mut series: Vec<&Series> = Vec::new();
    for candidate in members().flat_map(|figure| &figure.plot.series) {
        match series.iter().find(|held| held.label == candidate.label) {
            Some(held) if held.look != candidate.look => return Ok(None),
            Some(_) => {}
            None => series.push(candidate),
        }
    }
    let bars = members().all(|figure| figure.plot.form == Form::Bars);
    let referenced = members().any(|figure| !figure.plot.references.is_empty());
    svg::shared_legend(templates, &format!("plate-{}-legend", plate.number), &series, bars, referenced)
}

fn table_views(report: &Report) -> Vec<TableView> {
    let ids: Vec<_> = report.tables.iter().map(|table| &table.id).collect();
    let plates = numbering::plates(&ids);
    let labels = plates
        .iter()
        .flat_map(|plate| plate.panels.iter().enumerate().map(|(panel, (place, _))| (*place, plate.label(panel))));
    labels.map(|(place, label)| tables::view(label, &report.tables[place])).collect()
}

/// Sentences that say what was measured.
pub(crate) fn abstract_of(report: &Report) -> Vec<String> {
    let tests = report.tests;
    let measured = tests.iter().filter(|test| test.measured().is_some()).count();
    let skipped = tests.iter().filter(|test| matches!(test.state, State::Skipped(_))).count();
    let waiting = tests.len() - measured - skipped;
    let plural = |count: usize, one: &str, many: &str| {
        format!("{} {}", number::count(count as u64), if count == 1 { one } else { many })
    };
    let mut first = format!(
        "This report is made of {}: {} measured",
        plural(tests.len(), "test", "tests"),
        number::count(measured as u64)
    );
    if waiting > 0 {
        first.push_str(&format!(", {} not measured yet", number::count(waiting as u64)));
    }
    if skipped > 0 {
        first.push_str(&format!(", {} skipped because this host cannot run them", number::count(skipped as u64)));
    }
    first.push('.');
    let mut sentences = vec![first];

    let varied: Vec<String> = Axis::ALL.into_iter().filter_map(|axis| spread(axis, tests)).collect();
    if !varied.is_empty() {
        sentences.push(format!("They vary {}.", varied.join("; ")));
    }
    let counts: Vec<u32> = tests.iter().filter_map(|test| Some(test.measured()?.valid)).collect();
    if let (Some(least), Some(most)) = (counts.iter().min(), counts.iter().max()) {
        let times = if least == most { least.to_string() } else { format!("{least} to {most}") };
        sentences.push(format!(
            "Each value is the mean over {times} valid repetitions, with a 95 % interval by Student's t; one that is wider than a fifth of the mean has its upper end on a logarithmic scale, and none begins below zero."
        ));
    }
    match report.meta.grade {
        _ if measured == 0 => {}
        Grade::PaperGrade => sentences.push("The host was what paper-grade results ask for.".to_string()),
        Grade::Indicative => sentences.push(
            "Results are indicative, not paper-grade: the host could not give all that was asked for (see Doubts)."
                .to_string(),
        ),
    }
    if !report.claims.is_empty() {
        sentences.push(claims::outcomes_of(report.claims));
    }
    sentences
}

/// The values of an axis that varies: `burst size (4, 32, 128)`.
fn spread(axis: Axis, tests: &[&TestView]) -> Option<String> {
    const LISTED_MAX: usize = 12;
    let values = select::values(axis, tests);
    if values.len() < 2 {
        return None;
    }
    let label = axis.label().split(" (").next().unwrap_or_default();
    let label = if label.starts_with("I/O") { label.to_string() } else { lower_first(label) };
    let shown: Vec<String> = values.values().map(|test| test.tuple.shown(axis)).collect();
    let list = if shown.len() <= LISTED_MAX {
        shown.join(", ")
    } else {
        format!("{} values from {} to {}", shown.len(), shown[0], shown[shown.len() - 1])
    };
    Some(text::cleaned(&format!("{label} ({list})"), PROSE_MAX))
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

fn flag_lines(tests: &[&TestView]) -> Vec<FlagLine> {
    let mut counts: BTreeMap<Flag, usize> = BTreeMap::new();
    for (flag, _) in tests.iter().filter_map(|test| test.measured()).flat_map(|summary| &summary.flags) {
        *counts.entry(*flag).or_default() += 1;
    }
    counts.into_iter().map(|(flag, count)| super::flag_line(flag, number::count(count as u64))).collect()
}

fn accepted_line((accepted, tests): (&Accepted, usize)) -> AcceptedLine {
    AcceptedLine { change: super::accepted_change(accepted), tests: number::count(tests as u64) }
}

/// Flags that every measured test has: they are told once instead of in every row.
fn common_flags(tests: &[&TestView]) -> BTreeSet<Flag> {
    let flags = |test: &&TestView| -> Option<BTreeSet<Flag>> {
        Some(test.measured()?.flags.iter().map(|(flag, _)| *flag).collect())
    };
    tests.iter().filter_map(flags).reduce(|held, next| held.intersection(&next).copied().collect()).unwrap_or_default()
}

fn test_line(test: &TestView, common: &BTreeSet<Flag>) -> TestLine {
    let (state, class) = match &test.state {
        State::Measured => ("measured".to_string(), "measured"),
        State::NotMeasured => ("not measured yet".to_string(), "waiting"),
        State::Skipped(reason) => (format!("skipped: {}", text::cleaned(reason, LABEL_MAX)), "skipped"),
    };
    let (value, sort) = headline(test).unwrap_or_default();
    let flags = test.measured().map(|summary| {
        let own = summary.flags.iter().map(|(flag, _)| *flag).filter(|flag| !common.contains(flag));
        own.map(Flag::name).collect::<Vec<_>>()
    });
    TestLine {
        name: text::cleaned(&test.name, PROSE_MAX),
        link: match test.measured() {
            Some(_) => svg::test_page(test.key.as_deref()).unwrap_or_default(),
            None => String::new(),
        },
        key: test.key.as_deref().map(|key| key.chars().take(12).collect()).unwrap_or_default(),
        state,
        class,
        value,
        sort,
        flags: flags.unwrap_or_default().join(", "),
    }
}

/// The one number of a test for the list, and what it is sorted by.
fn headline(test: &TestView) -> Option<(String, String)> {
    let metric = since::headline(test)?;
    let mean = test.measured()?.get(metric.quantity)?.mean;
    let value = mean / metric.unit.scale();
    let shown = number::shown(value, number::decimals_for(value));
    Some((format!("{shown} {}", metric.unit.symbol()), number::machine(mean)))
}
