//! Figures and tables as LaTeX, prepared for their templates; user text is escaped by the engine
//! ([`crate::text::tex`]). It must not know files or how LaTeX is run.

mod document;
mod scenarios;

pub use document::document;

use serde::Serialize;

use crate::figure::Figure;
use crate::number::{self, machine};
use crate::plot::{self, Form, Plot, PlotAxis, Point, Series, Whisker};
use crate::spec::Scale;
use crate::style::{Look, PALETTE};
use crate::table::{Table, TableCell};
use crate::templates::{RenderError, Templates};

/// Characters of a label of the vertical axis for which there is room.
const Y_DIGITS_FIT: usize = 4;
/// Room of one more, in points.
const Y_DIGIT_PT: usize = 6;

#[derive(Serialize)]
struct FigureData {
    id: String,
    options: String,
    x_label: String,
    y_label: String,
    x_ticks: Vec<String>,
    legend_columns: usize,
    series: Vec<SeriesData>,
    references: Vec<String>,
}

#[derive(Serialize)]
struct SeriesData {
    look: String,
    /// Options of intervals that are drawn with the points.
    intervals: String,
    coordinates: Vec<String>,
    /// Options of intervals that are drawn beside the points.
    whisker_look: String,
    whiskers: Vec<String>,
    /// Options of arrows where intervals go on beyond the plot, and where these stand.
    beyond_look: String,
    above: Vec<String>,
    below: Vec<String>,
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
pub fn figure(templates: &Templates, figure: &Figure) -> Result<String, RenderError> {
    let plot = &figure.plot;
    // A set of bars keeps its place in every group even where nothing of it was measured.
    let shown = |series: &&Series| plot.form == Form::Bars || !series.points.is_empty();
    let named: Vec<&Series> = plot.series.iter().filter(shown).collect();
    let longest = named.iter().map(|series| series.label.chars().count()).max().unwrap_or(0);
    let data = FigureData {
        id: figure.id.to_string(),
        options: options(plot),
        x_label: plot.x.label.clone(),
        y_label: plot.y.label.clone(),
        x_ticks: plot.x.ticks.iter().map(|tick| tick.label.clone()).collect(),
        legend_columns: (40 / (longest + 5)).clamp(1, 6),
        series: named
            .iter()
            .enumerate()
            .map(|(place, series)| series_data(plot, (place, named.len()), series))
            .collect(),
        references: plot
            .references
            .iter()
            .map(|reference| format!("({},{})", machine(reference.x), machine(reference.y)))
            .collect(),
    };
    templates.latex("figure.tex", &data)
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
    // pgfplots keeps a fixed room beside the axis, which four digits of ten-point text fill; larger text is made to fit.
    let widest = plot.y.ticks.iter().map(|tick| tick.label.chars().count()).max().unwrap_or(0);
    if widest > Y_DIGITS_FIT {
        options.push(format!("width=\\linewidth-{}pt", (widest - Y_DIGITS_FIT) * Y_DIGIT_PT));
    }
    if plot.form == Form::Bars {
        options.push(format!("septet bars, bar width={}", machine(plot::bar_width(plot.series.len()))));
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

fn bar_options(look: &Look) -> String {
    let ink = look.ink.tex();
    match look.marker.hatch().tex() {
        None => format!("fill={ink}, draw={ink}"),
        Some(pattern) => {
            format!("fill={ink}!20, draw={ink}, postaction={{pattern={pattern}, pattern color={ink}}}")
        }
    }
}

/// The series at `place` of so many.
fn series_data(plot: &Plot, (place, count): (usize, usize), series: &Series) -> SeriesData {
    let marked = series.is_marked();
    let look = match (plot.form, marked) {
        (Form::Bars, _) => bar_options(&series.look),
        (Form::Lines, true) => look_options(&series.look),
        (Form::Lines, false) => format!("{}, {}, mark=none", series.look.ink.tex(), series.look.dash.tex()),
    };
    let drawn = series.drawn();
    let has_intervals = marked && drawn.iter().any(|point| point.interval.is_some());
    let (bars, lines) = (has_intervals && plot.form == Form::Bars, has_intervals && plot.form == Form::Lines);
    let mut coordinates: Vec<String> =
        drawn.iter().map(|point| if bars { with_interval(plot, point) } else { coordinate(point) }).collect();
    if coordinates.is_empty() {
        // pgfplots gives the label of a plot without coordinates to the next one; this one has no height.
        coordinates.push(format!("({},{})", machine(plot.x.min + 0.5), machine(plot.y.min)));
    }
    let whisker = Whisker::of(plot.form, place, count, plot.x.ticks.len());
    let caps = format!("error bars/error mark options/.append={{, mark size={}\\linewidth}}", machine(whisker.cap));
    let aside = format!("{}, xshift={}\\linewidth, {caps}", series.look.ink.tex(), machine(whisker.aside));
    // Bars stand beside the middle of their group.
    let (beyond_look, offset) = match plot.form {
        Form::Lines => (format!("{}, xshift={}\\linewidth", series.look.ink.tex(), machine(whisker.aside)), 0.0),
        Form::Bars => ("black".to_string(), plot::bar_offset(place, count)),
    };
    let beyond = |edge: f64, is_beyond: &dyn Fn(f64, f64) -> bool| {
        let held = drawn
            .iter()
            .filter(|point| has_intervals && point.interval.is_some_and(|(low, high)| is_beyond(low, high)));
        held.map(|point| format!("({},{})", machine(point.x + offset), machine(edge))).collect()
    };
    SeriesData {
        look,
        above: beyond(plot.y.max, &|_, high| high > plot.y.max),
        below: beyond(plot.y.min, &|low, _| low < plot.y.min),
        beyond_look,
        intervals: if bars { format!("septet intervals, {caps}") } else { String::new() },
        coordinates,
        whisker_look: if lines { aside } else { String::new() },
        whiskers: match lines {
            true => {
                let held = drawn.iter().filter(|point| point.interval.is_some());
                held.map(|point| with_interval(plot, point)).collect()
            }
            false => Vec::new(),
        },
        label: series.label.clone(),
    }
}

fn coordinate(point: &Point) -> String {
    format!("({},{})", machine(point.x), machine(point.y))
}

/// `(x, y) += (0, up) -= (0, down)`; ends are kept within the plot's neighbourhood, where TeX can count.
fn with_interval(plot: &Plot, point: &Point) -> String {
    let place = coordinate(point);
    let Some((low, high)) = point.interval else { return place };
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
pub fn table(templates: &Templates, table: &Table) -> Result<String, RenderError> {
    let cell = |decimals: usize, cell: &Option<TableCell>| match cell {
        None => CellData { value: String::new(), doubt: String::new() },
        Some(TableCell::Missing { .. }) => CellData { value: "–".to_string(), doubt: String::new() },
        Some(TableCell::Value { mean, half_width, .. }) => CellData {
            value: number::shown(*mean, decimals),
            doubt: half_width.map(|half| number::doubt(*mean, half, decimals)).unwrap_or_default(),
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
    templates.latex("table.tex", &data)
}
