//! The plot of a comparison: the ratio of each test with its interval, in the order of the table beside it. It
//! must not know what was compared, or how it was judged.

use crate::number;
use crate::plot::{Form, Plot, PlotAxis, Point, PointSource, Series, Tick};
use crate::spec::Scale;
use crate::style::Look;
use crate::svg::{self, Setting};
use crate::templates::{RenderError, Templates};

/// Most tests of one plot; the first ones are drawn.
pub const TESTS_MAX: usize = 100;

/// A test's ratio.
#[derive(Clone, Debug, PartialEq)]
pub struct RatioRow {
    /// The test's name.
    pub test: String,
    /// Repetitions, of both sides together.
    pub n: u32,
    /// Later mean over earlier mean.
    pub ratio: f64,
    /// Ends of its 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// Whether the difference is real.
    pub moved: bool,
}

/// The plot as an SVG file of its own. `title` stands above it.
pub fn svg(title: &str, rows: &[RatioRow]) -> Result<String, RenderError> {
    let rows = &rows[..rows.len().min(TESTS_MAX)];
    let y = vertical(rows);
    let x = PlotAxis {
        label: "Test, by its number in the table".to_string(),
        scale: Scale::Linear,
        min: 0.0,
        max: rows.len() as f64 + 1.0,
        ticks: ticks(rows.len()),
    };
    // A test is a series of its own, so that no line joins one to the next; the first of a kind names it.
    let first = |moved: bool| rows.iter().position(|row| row.moved == moved);
    let series = rows.iter().enumerate().map(|(place, row)| {
        let (name, look) = match row.moved {
            true => ("moved", Look::ordered(0)),
            false => ("no significant difference", Look::ordered(5)),
        };
        let label = if first(row.moved) == Some(place) { name } else { "" };
        Series { label: label.to_string(), look, marks: true, hollow: false, points: vec![point(place, row)] }
    });
    // Equal on both sides: a line through 1.
    let level = [0.0, x.max].map(|x| Point { x, y: 1.0, interval: None, source: None });
    let level =
        Series { label: String::new(), look: Look::ordered(15), marks: false, hollow: false, points: level.to_vec() };
    let series = std::iter::once(level).chain(series).collect();
    let plot = Plot { form: Form::Lines, x, y, series, shaded: Vec::new(), references: Vec::new() };
    let description = "Ratio of means of each test with its 95 % interval; 1 is no change.";
    let setting =
        Setting { id: "comparison", title, description, alone: true, legend: true, base: "", base_hollow: "" };
    svg::drawing(Templates::built_in()?, &plot, &setting)
}

fn point(place: usize, row: &RatioRow) -> Point {
    let source = PointSource {
        test: row.test.clone(),
        key: None,
        n: row.n,
        flags: Vec::new(),
        x_data: (place + 1).to_string(),
        chosen: None,
        tuple: None,
    };
    Point { x: place as f64 + 1.0, y: row.ratio, interval: row.interval, source: Some(source) }
}

/// From a little below the lowest ratio to a little above the highest one; intervals may run out.
fn vertical(rows: &[RatioRow]) -> PlotAxis {
    let lowest = rows.iter().map(|row| row.ratio).fold(1.0, f64::min);
    let highest = rows.iter().map(|row| row.ratio).fold(1.0, f64::max);
    let room = ((highest - lowest) * 0.25).max(0.02);
    let (min, max) = ((lowest - room).max(0.0), highest + room);
    let step = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0, 1000.0]
        .into_iter()
        .find(|step| (max - min) / step <= 8.0)
        .unwrap_or((max - min) / 4.0);
    let first = (min / step).ceil() as i64;
    let last = (max / step).floor() as i64;
    let ticks = (first..=last.min(first + 10)).map(|number| {
        let at = number as f64 * step;
        Tick { at, label: number::tick(at, step) }
    });
    PlotAxis { label: "Later / earlier".to_string(), scale: Scale::Linear, min, max, ticks: ticks.collect() }
}

fn ticks(tests: usize) -> Vec<Tick> {
    let every = tests.div_ceil(20).max(1);
    (1..=tests).step_by(every).map(|number| Tick { at: number as f64, label: number.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_is_drawn_and_names_are_text() {
        let row = |ratio: f64, moved| RatioRow {
            test: "<b>&".to_string(),
            n: 6,
            ratio,
            interval: Some((ratio - 0.1, ratio + 0.1)),
            moved,
        };
        let drawn = svg("a against b", &[row(0.5, true), row(1.01, false), row(1.0, false)]).unwrap();
        assert!(drawn.contains("moved") && drawn.contains("no significant difference"));
        assert!(drawn.contains("&lt;b&gt;") && !drawn.contains("<b>"));
        assert!(svg("nothing", &[]).is_ok());
        let wide = RatioRow { interval: None, ..row(1e9, true) };
        assert!(svg("one", &[wide]).is_ok());
    }
}
