//! Legends: a key for each series that has a name, for numbers that others have published, and for the two sides of a
//! reproduction. It must not know where they are drawn.

use serde::Serialize;

use super::{CHARACTER, Hatching, LEGEND_ROW, TICK_FONT_PX, WIDTH};
use crate::number::pixel;
use crate::plot::Series;
use crate::style::{Look, Marker};
use crate::templates::{RenderError, Templates};

#[derive(Clone, Serialize)]
pub(super) struct LegendItem {
    x: String,
    y: String,
    class: String,
    dash: &'static str,
    shape: &'static str,
    open: bool,
    bar: bool,
    hollow: bool,
    hatch: Hatching,
    reference: bool,
    marked: bool,
    label: String,
}

/// The legend that panels share, as a drawing of its own. Absent when no series has a name.
pub(crate) fn shared_legend(
    templates: &Templates,
    id: &str,
    series: &[&Series],
    bars: bool,
    referenced: bool,
) -> Result<Option<String>, RenderError> {
    let (items, rows) = legend(series, id, (bars, referenced), (4.0, 4.0), 2.0 * WIDTH);
    if items.is_empty() {
        return Ok(None);
    }
    #[derive(Serialize)]
    struct Strip {
        legend: Vec<LegendItem>,
        width: String,
        height: String,
    }
    let widest =
        items.iter().filter_map(|item| Some(item.x.parse::<f64>().ok()? + item_width(&item.label))).fold(0.0, f64::max);
    let strip = Strip { legend: items, width: pixel(widest), height: pixel(rows as f64 * LEGEND_ROW + 4.0) };
    templates.markup("legend.svg", &strip).map(Some)
}

fn item_width(label: &str) -> f64 {
    46.0 + label.chars().count() as f64 * TICK_FONT_PX * CHARACTER
}

/// What marked numbers of others are called.
const REFERENCE: &str = "published";
/// What marks of the two sides of a reproduction are called, and whether they are hollow.
const SIDES: [(&str, bool); 2] = [("theirs", true), ("ours", false)];

/// Place of the series that is grey.
const GREY: usize = 7;

/// Keys and the number of their rows, from `left` to `right`.
pub(super) fn legend(
    series: &[&Series],
    id: &str,
    (bars, referenced): (bool, bool),
    (left, top): (f64, f64),
    right: f64,
) -> (Vec<LegendItem>, usize) {
    let (mut x, mut row) = (left, 0);
    let sided = series.iter().any(|series| series.hollow);
    let sides = if sided { &SIDES[..] } else { &[] };
    let labels = series.iter().map(|series| series.label.as_str()).chain(referenced.then_some(REFERENCE));
    let labels = labels.chain(sides.iter().map(|(label, _)| *label));
    let width = labels.map(item_width).fold(0.0, f64::max);
    let mut items = Vec::new();
    for series in series.iter().filter(|series| !series.label.is_empty() && !series.hollow) {
        if x > left && x + width > right {
            (x, row) = (left, row + 1);
        }
        items.push(LegendItem {
            x: pixel(x),
            y: pixel(top + (row as f64 + 0.5) * LEGEND_ROW),
            class: series.look.ink.class(),
            dash: series.look.dash.svg(),
            shape: series.look.marker.path(),
            open: series.look.marker.open(),
            bar: bars,
            hollow: false,
            hatch: Hatching::of(&series.look, format!("{id}-key{}", items.len())),
            reference: false,
            marked: series.is_marked(),
            label: series.label.clone(),
        });
        x += width;
    }
    if referenced {
        if x > left && x + width > right {
            (x, row) = (left, row + 1);
        }
        items.push(LegendItem {
            x: pixel(x),
            y: pixel(top + (row as f64 + 0.5) * LEGEND_ROW),
            class: String::new(),
            dash: "",
            shape: Marker::Diamond.path(),
            open: false,
            bar: false,
            hollow: false,
            hatch: Hatching::default(),
            reference: true,
            marked: true,
            label: REFERENCE.to_string(),
        });
        x += width;
    }
    // The one colour that there is; grey stands for all of several.
    let first = series.first().map_or(Look::ordered(0).ink, |series| series.look.ink);
    let ink = if series.iter().all(|series| series.look.ink == first) { first } else { Look::ordered(GREY).ink };
    for (label, hollow) in sides {
        if x > left && x + width > right {
            (x, row) = (left, row + 1);
        }
        items.push(LegendItem {
            x: pixel(x),
            y: pixel(top + (row as f64 + 0.5) * LEGEND_ROW),
            class: ink.class(),
            dash: "",
            shape: Marker::Circle.path(),
            open: false,
            bar: bars,
            hollow: *hollow,
            hatch: Hatching { paint: "currentColor".to_string(), ..Hatching::default() },
            reference: false,
            marked: true,
            label: label.to_string(),
        });
        x += width;
    }
    let rows = if items.is_empty() { 0 } else { row + 1 };
    (items, rows)
}
