//! The page of one test: values, charts over time, distribution, repetitions, doubts, and how to run it again.

use serde::Serialize;

use results::axes::Axis;
use results::flags::Flag;
use results::metric::{Metric, Quantity, Unit};
use results::summary::Estimate;

use super::{AcceptedChange, FactRow, FlagLine, Shown};
use crate::model::{
    Details, Distribution, Fact, FactList, Meta, PartyCounts, RatesOverTime, RepetitionView, State, TestView,
};
use crate::number;
use crate::plot::{Form, Plot, PlotAxis, Point, Series, Tick};
use crate::spec::Scale;
use crate::style::Look;
use crate::svg::{self, Setting};
use crate::templates::{Prepared, RenderError, Templates};
use crate::text::{self, LABEL_MAX, PROSE_MAX};

#[derive(Serialize)]
struct Page<'a> {
    name: String,
    report: String,
    key: String,
    state: String,
    grade: &'static str,
    axes: Vec<FactRow>,
    values: Vec<ValueLine>,
    counts: String,
    accepted: Vec<AcceptedChange>,
    charts: Vec<Chart>,
    repetitions: Vec<RepetitionLine>,
    repetition_columns: Vec<String>,
    seen: Vec<SeenLine>,
    parties: Vec<PartyView>,
    flags: Vec<FlagLine>,
    facts: &'a [Prepared],
    inputs: &'a [Prepared],
    components: Option<&'a Prepared>,
    command: String,
    logs: Vec<LogView>,
}

#[derive(Serialize)]
struct ValueLine {
    label: String,
    mean: String,
    doubt: String,
    unit: &'static str,
    n: String,
}

#[derive(Serialize)]
struct Chart {
    heading: &'static str,
    svg: String,
    note: String,
}

#[derive(Serialize)]
struct RepetitionLine {
    id: String,
    suspect: bool,
    values: Vec<String>,
    flags: String,
}

/// Something that the host did while a repetition was measured.
#[derive(Serialize)]
struct SeenLine {
    id: String,
    flag: &'static str,
    words: String,
}

/// The packet accounting of one program, a row a repetition.
#[derive(Serialize)]
struct PartyView {
    name: String,
    columns: Vec<String>,
    rows: Vec<CountLine>,
}

#[derive(Serialize)]
struct CountLine {
    id: String,
    counts: Vec<String>,
}

#[derive(Serialize)]
struct InputTable {
    heading: String,
    #[serde(flatten)]
    rows: Shown<InputLine>,
}

#[derive(Serialize)]
struct InputLine {
    label: String,
    value: String,
    long: bool,
}

#[derive(Serialize)]
struct LogView {
    id: String,
    text: String,
}

/// The text of `tests/KEY.html`.
pub fn test_page(
    templates: &Templates,
    meta: &Meta,
    test: &TestView,
    details: &Details,
) -> Result<String, RenderError> {
    let summary = test.measured();
    let quantities: Vec<(Quantity, Unit)> = summary
        .map(|summary| summary.values.iter().map(|(quantity, estimate)| (*quantity, unit_for(*quantity, estimate))))
        .map(Iterator::collect)
        .unwrap_or_default();
    let column_quantities: Vec<(Quantity, Unit)> =
        quantities.iter().copied().filter(|(quantity, _)| is_column(*quantity)).collect();
    let page = Page {
        name: text::cleaned(&test.name, PROSE_MAX),
        report: text::cleaned(meta.title.as_deref().unwrap_or(meta.name.as_str()), LABEL_MAX),
        key: text::cleaned(test.key.as_deref().unwrap_or_default(), LABEL_MAX),
        state: match &test.state {
            State::Measured => "measured".to_string(),
            State::NotMeasured => "not measured yet".to_string(),
            State::Skipped(reason) => format!("skipped: {}", text::cleaned(reason, LABEL_MAX)),
        },
        grade: summary.map_or("", |summary| super::grade_name(summary.grade)),
        axes: axes(test),
        values: quantities
            .iter()
            .filter_map(|&(quantity, unit)| Some(value_line(quantity, unit, summary?.get(quantity)?)))
            .collect(),
        counts: summary.map(|summary| counts(summary.valid, summary.suspect)).unwrap_or_default(),
        accepted: test.accepted.iter().map(|accepted| super::accepted_change(accepted)).collect(),
        charts: charts(templates, details)?,
        repetition_columns: column_quantities
            .iter()
            .map(|&(quantity, unit)| Metric { quantity, unit }.label())
            .collect(),
        repetitions: details
            .repetitions
            .iter()
            .map(|repetition| repetition_line(repetition, &column_quantities))
            .collect(),
        seen: details.repetitions.iter().flat_map(seen_lines).collect(),
        parties: parties(&details.repetitions),
        flags: summary
            .map(|summary| {
                summary.flags.iter().map(|(flag, count)| super::flag_line(*flag, count.to_string())).collect()
            })
            .unwrap_or_default(),
        facts: &details.facts,
        inputs: &details.inputs,
        components: details.components.as_ref(),
        command: text::cleaned(details.command.as_deref().unwrap_or_default(), PROSE_MAX),
        logs: details
            .repetitions
            .iter()
            .filter_map(|repetition| {
                Some(LogView { id: short(&repetition.id), text: text::cleaned_lines(repetition.log.as_deref()?) })
            })
            .collect(),
    };
    templates.markup("test.html", &page)
}

fn counts(valid: u32, suspect: u32) -> String {
    let noun = if valid == 1 { "repetition" } else { "repetitions" };
    match suspect {
        0 => format!("{valid} valid {noun}"),
        _ => format!("{valid} valid {noun}, {suspect} suspect and left out"),
    }
}

fn axes(test: &TestView) -> Vec<FactRow> {
    let row = |axis: Axis| FactRow {
        label: format!("{} ({axis})", axis.label().split(" (").next().unwrap_or_default()),
        value: text::cleaned(&test.tuple.shown(axis), LABEL_MAX),
    };
    Axis::ALL.into_iter().map(row).collect()
}

/// The largest unit in which the mean is at least 1.
fn unit_for(quantity: Quantity, estimate: &Estimate) -> Unit {
    let units = quantity.units();
    units.iter().rev().copied().find(|unit| estimate.mean.abs() >= unit.scale()).unwrap_or(units[0])
}

/// Quantities that repetitions are compared by.
fn is_column(quantity: Quantity) -> bool {
    matches!(
        quantity,
        Quantity::RxPps
            | Quantity::TxPps
            | Quantity::LossRatio
            | Quantity::RttMean
            | Quantity::RttP50
            | Quantity::RttP99
    )
}

fn value_line(quantity: Quantity, unit: Unit, estimate: &Estimate) -> ValueLine {
    let mean = estimate.mean / unit.scale();
    let decimals = number::decimals_for(mean);
    ValueLine {
        label: quantity.label().to_string(),
        mean: number::shown(mean, decimals),
        doubt: estimate.half_width.map(|half| number::doubt(mean, half / unit.scale(), decimals)).unwrap_or_default(),
        unit: unit.symbol(),
        n: estimate.n.to_string(),
    }
}

fn short(id: &str) -> String {
    text::cleaned(id, LABEL_MAX).chars().take(12).collect()
}

fn repetition_line(repetition: &RepetitionView, columns: &[(Quantity, Unit)]) -> RepetitionLine {
    let value = |&(quantity, unit): &(Quantity, Unit)| {
        repetition.values.get(&quantity).map_or("–".to_string(), |value| {
            let value = value / unit.scale();
            number::shown(value, number::decimals_for(value))
        })
    };
    RepetitionLine {
        id: short(&repetition.id),
        suspect: repetition.suspect,
        values: columns.iter().map(value).collect(),
        flags: repetition.flags.iter().map(|flag| flag.name()).collect::<Vec<_>>().join(", "),
    }
}

fn seen_lines(repetition: &RepetitionView) -> impl Iterator<Item = SeenLine> {
    let line = |(flag, words): &(Flag, String)| SeenLine {
        id: short(&repetition.id),
        flag: flag.name(),
        words: text::cleaned(words, PROSE_MAX),
    };
    repetition.seen.iter().map(line)
}

/// Accounting by program: counts of different ones in one table would be wider than a page.
fn parties<'a>(repetitions: &'a [RepetitionView]) -> Vec<PartyView> {
    let mut names: Vec<&str> = Vec::new();
    for party in repetitions.iter().flat_map(|repetition| &repetition.counts) {
        if !names.contains(&party.name.as_str()) {
            names.push(&party.name);
        }
    }
    let view = |name: &str| {
        let of = |repetition: &'a RepetitionView| repetition.counts.iter().find(|party| party.name == name);
        let all: Vec<(&RepetitionView, &PartyCounts)> =
            repetitions.iter().filter_map(|repetition| Some((repetition, of(repetition)?))).collect();
        let columns = all.first().map(|(_, party)| party.counts.iter().map(|(label, _)| label.to_string()).collect());
        PartyView {
            name: text::cleaned(name, LABEL_MAX),
            columns: columns.unwrap_or_default(),
            rows: all
                .iter()
                .map(|(repetition, party)| CountLine {
                    id: short(&repetition.id),
                    counts: party.counts.iter().map(|(_, count)| number::count(*count)).collect(),
                })
                .collect(),
        }
    };
    names.into_iter().map(view).collect()
}

/// Inputs of a key as a test's page shows them. Long values, such as a switch's configuration, keep their lines.
pub fn inputs(templates: &Templates, list: &FactList) -> Result<Prepared, RenderError> {
    const SHORT_CHARS_MAX: usize = 80;
    let line = |fact: &Fact| {
        let long = fact.value.contains('\n') || fact.value.chars().count() > SHORT_CHARS_MAX;
        let value = match long {
            true => text::cleaned_lines(fact.value.trim_end()),
            false => text::cleaned(&fact.value, PROSE_MAX),
        };
        InputLine { label: text::cleaned(&fact.label, LABEL_MAX), value, long }
    };
    let rows = Shown::by(templates, "input-list.html", list.facts.iter().map(line).collect())?;
    Prepared::new(&InputTable { heading: text::cleaned(&list.heading, LABEL_MAX), rows })
}

fn charts(templates: &Templates, details: &Details) -> Result<Vec<Chart>, RenderError> {
    let mut charts = Vec::new();
    let mut add = |heading: &'static str, plot: Plot, note: String, id: &str| -> Result<(), RenderError> {
        let description = format!("{} against {}", plot.y.label, plot.x.label);
        let legend = plot.series.len() > 1;
        let setting = Setting {
            id,
            title: heading,
            description: &description,
            alone: false,
            legend,
            base: "../",
            base_hollow: "../",
        };
        charts.push(Chart { heading, svg: svg::drawing(templates, &plot, &setting)?, note });
        Ok(())
    };
    if let Some(rates) = details.rates.as_ref().filter(|rates| !rates.rx_pps.is_empty() || !rates.tx_pps.is_empty()) {
        let note = format!(
            "Intervals of {} ms of one repetition; what is shaded lies outside of the measured window.",
            number::machine(rates.interval_ns as f64 / 1e6)
        );
        add("Rate over time", rate_plot(rates), note, "rates")?;
    }
    if let Some(round_trips) = &details.round_trips {
        if round_trips.cumulative.len() > 1 {
            add("Distribution of round-trip times", cumulative_plot(round_trips), String::new(), "cdf")?;
        }
        if !round_trips.histogram.is_empty() {
            add("Histogram of round-trip times", histogram_plot(round_trips), String::new(), "histogram")?;
        }
    }
    Ok(charts)
}

fn point(x: f64, y: f64) -> Option<Point> {
    (x.is_finite() && y.is_finite()).then_some(Point { x, y, interval: None, source: None })
}

fn rate_plot(rates: &RatesOverTime) -> Plot {
    let step_s = rates.interval_ns as f64 / 1e9;
    let (unit, scale) = match rates.rx_pps.iter().chain(&rates.tx_pps).copied().fold(0.0, f64::max) {
        largest if largest >= 1e6 => (Unit::Mpps, 1e6),
        largest if largest >= 1e4 => (Unit::Kpps, 1e3),
        _ => (Unit::Pps, 1.0),
    };
    let line = |label: &str, values: &[f64], place: usize| Series {
        label: label.to_string(),
        look: Look::ordered(place),
        marks: false,
        hollow: false,
        points: values
            .iter()
            .enumerate()
            .filter_map(|(at, value)| point((at as f64 + 0.5) * step_s, value / scale))
            .collect(),
    };
    let series = vec![line("sent", &rates.tx_pps, 3), line("received", &rates.rx_pps, 0)];
    let intervals = rates.rx_pps.len().max(rates.tx_pps.len());
    let times: Vec<f64> = (0..=intervals.max(13)).map(|at| at as f64 * step_s).take(intervals + 1).collect();
    let means: Vec<f64> = series.iter().flat_map(|series| &series.points).map(|point| point.y).collect();
    let mut x = PlotAxis::horizontal("Time (s)".to_string(), Scale::Linear, &times);
    let end = intervals as f64 * step_s;
    if end > 0.0 {
        (x.min, x.max) = (0.0, end);
        x.ticks.retain(|tick| tick.at <= end);
    }
    Plot {
        form: Form::Lines,
        x,
        y: PlotAxis::vertical(format!("Rate ({})", unit.symbol()), Scale::Linear, &means, &means),
        series,
        shaded: vec![(0.0, rates.window.0 as f64 * step_s), (rates.window.1 as f64 * step_s, end)],
        references: Vec::new(),
    }
}

fn micros(label: &str, values: &[f64]) -> PlotAxis {
    let mut values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite() && *value > 0.0).collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    PlotAxis::horizontal(label.to_string(), Scale::Log10, &values)
}

fn cumulative_plot(distribution: &Distribution) -> Plot {
    let points: Vec<Point> =
        distribution.cumulative.iter().filter_map(|&(ns, part)| point(ns / 1e3, part.clamp(0.0, 1.0))).collect();
    let tick = |at: f64| Tick { at, label: number::machine(at) };
    Plot {
        form: Form::Lines,
        x: micros("Round-trip time (µs)", &points.iter().map(|point| point.x).collect::<Vec<_>>()),
        y: PlotAxis {
            label: "Part of round trips".to_string(),
            scale: Scale::Linear,
            min: 0.0,
            max: 1.0,
            ticks: [0.0, 0.25, 0.5, 0.75, 1.0].map(tick).to_vec(),
        },
        series: vec![Series { label: String::new(), look: Look::ordered(0), marks: false, hollow: false, points }],
        shaded: Vec::new(),
        references: Vec::new(),
    }
}

/// Steps: each class of the histogram is a level between its ends.
fn histogram_plot(distribution: &Distribution) -> Plot {
    let points: Vec<Point> = distribution
        .histogram
        .iter()
        .flat_map(|&(from, to, count)| [point(from / 1e3, count as f64), point(to / 1e3, count as f64)])
        .flatten()
        .collect();
    let counts: Vec<f64> = points.iter().map(|point| point.y).collect();
    Plot {
        form: Form::Lines,
        x: micros("Round-trip time (µs)", &points.iter().map(|point| point.x).collect::<Vec<_>>()),
        y: PlotAxis::vertical("Round trips".to_string(), Scale::Linear, &counts, &counts),
        series: vec![Series { label: String::new(), look: Look::ordered(0), marks: false, hollow: false, points }],
        shaded: Vec::new(),
        references: Vec::new(),
    }
}
