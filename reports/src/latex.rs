//! Figures, tables and the paper skeleton as LaTeX, prepared for their templates; user text is escaped by
//! the engine ([`crate::text::tex`]). It must not know files or how LaTeX is run.

use serde::Serialize;

use crate::figure::Figure;
use crate::html;
use crate::model::{ComponentRow, Fact, State};
use crate::number::{self, machine};
use crate::numbering::{self, Plate};
use crate::plot::{Form, Plot, PlotAxis, Point, Series};
use crate::render::Report;
use crate::spec::Scale;
use crate::style::{Look, PALETTE};
use crate::table::{Table, TableCell};
use crate::templates::{self, RenderError};
use crate::text::{self, LABEL_MAX, PROSE_MAX};

/// Panels of a plate that still fit on a page in rows of two; more stand in rows of three.
const PANELS_IN_PAIRS_MAX: usize = 8;

#[derive(Serialize)]
struct FigureData {
    id: String,
    options: String,
    x_label: String,
    y_label: String,
    x_ticks: Vec<String>,
    legend_columns: usize,
    series: Vec<SeriesData>,
}

#[derive(Serialize)]
struct SeriesData {
    look: String,
    intervals: bool,
    coordinates: Vec<String>,
    label: String,
}

/// The colours of the palette as definitions for the style file.
pub fn palette() -> String {
    let define = |(name, hex, _): &(&str, &str, &str)| {
        format!("\\definecolor{{septet-{name}}}{{HTML}}{{{}}}\n", hex.trim_start_matches('#'))
    };
    PALETTE.iter().map(define).collect()
}

/// `figures/ID.tex`: a tikzpicture; needs the style file and nothing else.
pub fn figure(figure: &Figure) -> Result<String, RenderError> {
    let plot = &figure.plot;
    let named: Vec<&Series> = plot.series.iter().filter(|series| !series.points.is_empty()).collect();
    let longest = named.iter().map(|series| series.label.chars().count()).max().unwrap_or(0);
    let data = FigureData {
        id: figure.id.to_string(),
        options: options(plot),
        x_label: plot.x.label.clone(),
        y_label: plot.y.label.clone(),
        x_ticks: plot.x.ticks.iter().map(|tick| tick.label.clone()).collect(),
        legend_columns: (40 / (longest + 5)).clamp(1, 6),
        series: named.iter().map(|series| series_data(plot, series)).collect(),
    };
    templates::latex("figure.tex", &data)
}

/// Options of the axis that hold numbers only.
fn options(plot: &Plot) -> String {
    let mode = |letter: char, axis: &PlotAxis| match axis.scale {
        Scale::Linear => format!("{letter}mode=linear"),
        Scale::Log2 | Scale::Log10 => format!("{letter}mode=log"),
    };
    let at = |axis: &PlotAxis| axis.ticks.iter().map(|tick| machine(tick.at)).collect::<Vec<_>>().join(",");
    let y_labels = plot.y.ticks.iter().map(|tick| format!("{{{}}}", tick.label)).collect::<Vec<_>>().join(",");
    let mut options = vec![
        mode('x', &plot.x),
        mode('y', &plot.y),
        format!("xmin={}, xmax={}", machine(plot.x.min), machine(plot.x.max)),
        format!("ymin={}, ymax={}", machine(plot.y.min), machine(plot.y.max)),
        format!("xtick={{{}}}", at(&plot.x)),
        format!("ytick={{{}}}", at(&plot.y)),
        format!("yticklabels={{{y_labels}}}"),
    ];
    if plot.form == Form::Bars {
        let series = plot.series.iter().filter(|series| !series.points.is_empty()).count().max(1);
        options.push(format!("septet bars, bar width={}", machine((0.8 / series as f64).min(0.5))));
        let widest = plot.x.ticks.iter().map(|tick| tick.label.chars().count()).max().unwrap_or(0);
        if widest * plot.x.ticks.len() > 40 {
            options.push("septet slanted".to_string());
        }
    }
    options.join(",\n  ")
}

fn look_options(look: &Look) -> String {
    format!("{}, {}, {}", look.ink.tex(), look.dash.tex(), look.marker.tex())
}

fn series_data(plot: &Plot, series: &Series) -> SeriesData {
    let marked = series.is_marked();
    let look = match (plot.form, marked) {
        (Form::Bars, _) => format!("fill={0}, draw={0}", series.look.ink.tex()),
        (Form::Lines, true) => look_options(&series.look),
        (Form::Lines, false) => format!("{}, {}, mark=none", series.look.ink.tex(), series.look.dash.tex()),
    };
    let drawn = series.drawn();
    let intervals = marked && drawn.iter().any(|point| point.interval.is_some());
    let coordinates = drawn.iter().map(|point| coordinate(plot, point, intervals)).collect();
    SeriesData { look, intervals, coordinates, label: series.label.clone() }
}

/// `(x, y) += (0, up) -= (0, down)`; ends are kept within the plot's neighbourhood, where TeX can count.
fn coordinate(plot: &Plot, point: &Point, intervals: bool) -> String {
    let place = format!("({},{})", machine(point.x), machine(point.y));
    let Some((low, high)) = point.interval.filter(|_| intervals) else { return place };
    let reach = plot.y.max - plot.y.min;
    let high = high.min(plot.y.max + reach);
    let low = match plot.y.scale {
        Scale::Linear => low.max(plot.y.min - reach),
        Scale::Log2 | Scale::Log10 => low.max(plot.y.min),
    };
    format!("{place} += (0,{}) -= (0,{})", machine((high - point.y).max(0.0)), machine((point.y - low).max(0.0)))
}

#[derive(Serialize)]
struct TableData {
    id: String,
    columns: String,
    stub: String,
    spanner: String,
    span: usize,
    headings: Vec<String>,
    rows: Vec<RowData>,
}

#[derive(Serialize)]
struct RowData {
    heading: String,
    cells: Vec<CellData>,
}

#[derive(Serialize)]
struct CellData {
    value: String,
    doubt: String,
}

/// `tables/ID.tex`: a tabular with booktabs' rules.
pub fn table(table: &Table) -> Result<String, RenderError> {
    let cell = |decimals: usize, cell: &Option<TableCell>| match cell {
        None => CellData { value: String::new(), doubt: String::new() },
        Some(TableCell::Missing { .. }) => CellData { value: "–".to_string(), doubt: String::new() },
        Some(TableCell::Value { mean, half_width, .. }) => CellData {
            value: number::shown(*mean, decimals),
            doubt: half_width.map(|half| number::shown(half, decimals)).unwrap_or_default(),
        },
    };
    let data = TableData {
        id: table.id.to_string(),
        columns: "r@{\\,}l".repeat(table.columns.len()),
        stub: table.rows_axis.label().to_string(),
        spanner: table.spanner.clone().unwrap_or_default(),
        span: 2 * table.columns.len(),
        headings: table.columns.iter().map(|column| column.heading.clone()).collect(),
        rows: table
            .rows
            .iter()
            .map(|row| RowData {
                heading: row.heading.clone(),
                cells: table.columns.iter().zip(&row.cells).map(|(column, held)| cell(column.decimals, held)).collect(),
            })
            .collect(),
    };
    templates::latex("table.tex", &data)
}

#[derive(Serialize)]
struct Document {
    title: String,
    authors: String,
    summary: Vec<String>,
    notes: Vec<String>,
    generation: String,
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
struct PlateData {
    number: String,
    wide: bool,
    width: &'static str,
    caption: String,
    legend: Vec<KeyData>,
    panels: Vec<FloatData>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct KeyData {
    look: String,
    label: String,
}

#[derive(Serialize)]
struct FloatData {
    id: String,
    label: String,
    caption: String,
    notes: Vec<String>,
    row_end: bool,
}

#[derive(Serialize)]
struct ClaimData {
    id: String,
    text: String,
    outcome: &'static str,
    details: Vec<String>,
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
pub fn document(report: &Report) -> Result<String, RenderError> {
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
    let data = Document {
        title: short(meta.title.as_deref().unwrap_or(meta.name.as_str())),
        authors: text::cleaned(&meta.authors.join(", "), PROSE_MAX),
        summary: html::abstract_of(report),
        notes: meta.notes.iter().map(|note| text::cleaned(note, PROSE_MAX)).collect(),
        generation: short(&meta.generation),
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
    templates::latex("report.tex", &data)
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
                legend.push(KeyData { look: look_options(&series.look), label: series.label.clone() });
            }
        }
        let said = [figure.title.clone().map(|title| format!("{title}.")), figure.caption.clone()];
        for note in &figure.notes {
            let note = if wide && note.starts_with("Missing") { format!("({letter}) {note}") } else { note.clone() };
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        panels.push(FloatData {
            id: figure.id.to_string(),
            label: if wide { letter.clone() } else { plate.label(panel) },
            caption: said.into_iter().flatten().collect::<Vec<_>>().join(" "),
            notes: figure.notes.clone(),
            row_end: (panel + 1) % columns == 0,
        });
    }
    let letters = (plate.panels.first(), plate.panels.last());
    let caption = match letters {
        (Some((_, first)), Some((_, last))) if wide => format!("Panels ({first}) to ({last})."),
        _ => String::new(),
    };
    let width = if columns == 3 { "0.325" } else { "0.485" };
    PlateData { number: plate.number.clone(), wide, width, caption, legend, panels, notes }
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
                row_end: false,
            });
        }
    }
    floats
}
