//! Scenarios as drawings of a page: boxes and wires with their places in pixels. It must not know which
//! boxes a scenario has.

use serde::Serialize;

use crate::model::TestView;
use crate::number::pixel;
use crate::templates::{RenderError, Templates};
use crate::topology::{self, Block, BlockKind, Drawing, Wire};

/// Distance between lines of text.
const LINE: f64 = 13.5;
/// From a line's middle to its baseline.
const BASELINE: f64 = 4.0;
/// Length of an arrow's head, and half of its width.
const HEAD: (f64, f64) = (7.0, 3.2);

#[derive(Serialize)]
pub(super) struct ScenarioView {
    svg: String,
    letter: String,
    caption: String,
}

#[derive(Serialize)]
struct DrawingView {
    width: String,
    height: String,
    label: String,
    blocks: Vec<BlockView>,
    wires: Vec<WireView>,
}

#[derive(Serialize)]
struct BlockView {
    kind: &'static str,
    x: String,
    y: String,
    width: String,
    height: String,
    radius: &'static str,
    anchor: &'static str,
    lines: Vec<LineView>,
}

#[derive(Serialize)]
struct LineView {
    x: String,
    y: String,
    text: String,
}

#[derive(Serialize)]
struct WireView {
    path: String,
    heads: String,
}

/// The scenarios of all tests, lettered.
pub(super) fn views(templates: &Templates, tests: &[&TestView]) -> Result<Vec<ScenarioView>, RenderError> {
    let scenarios = topology::scenarios(tests);
    let view = |(scenario, letter): (&topology::Scenario, char)| {
        let caption = scenario.caption();
        let drawing = Drawing::of(scenario);
        let view = DrawingView {
            width: pixel(drawing.width),
            height: pixel(drawing.height),
            label: caption.clone(),
            blocks: drawing.blocks.iter().map(block).collect(),
            wires: drawing.wires.iter().map(wire).collect(),
        };
        let svg = templates.markup("topology.svg", &view)?;
        Ok(ScenarioView { svg, letter: letter.to_string(), caption })
    };
    scenarios.iter().zip('a'..='z').map(view).collect()
}

fn block(block: &Block) -> BlockView {
    let middle = block.x + block.width / 2.0;
    let spread = LINE * block.lines.len().saturating_sub(1) as f64;
    let (x, first) = match block.kind {
        BlockKind::Host => (block.x + 8.0, block.y + 10.0),
        BlockKind::Kernel => (middle, block.y + 8.0),
        BlockKind::Container | BlockKind::Port | BlockKind::Switch | BlockKind::Card => {
            (middle, block.y + (block.height - spread) / 2.0)
        }
    };
    let line = |(place, text): (usize, &String)| LineView {
        x: pixel(x),
        y: pixel(first + LINE * place as f64 + BASELINE),
        text: text.clone(),
    };
    BlockView {
        kind: block.kind.name(),
        x: pixel(block.x),
        y: pixel(block.y),
        width: pixel(block.width),
        height: pixel(block.height),
        radius: match block.kind {
            BlockKind::Host => "6",
            BlockKind::Container => "4",
            BlockKind::Port | BlockKind::Switch | BlockKind::Kernel | BlockKind::Card => "2",
        },
        anchor: if block.kind == BlockKind::Host { "start" } else { "middle" },
        lines: block.lines.iter().enumerate().map(line).collect(),
    }
}

fn wire(wire: &Wire) -> WireView {
    let mut path = String::new();
    for (place, (x, y)) in wire.points.iter().enumerate() {
        path.push_str(&format!("{}{} {}", if place == 0 { "M" } else { "L" }, pixel(*x), pixel(*y)));
    }
    let mut heads = String::new();
    if let [.., before, end] = wire.points.as_slice() {
        heads.push_str(&head(*before, *end));
    }
    if let ([start, after, ..], true) = (wire.points.as_slice(), wire.both_ways) {
        heads.push_str(&head(*after, *start));
    }
    WireView { path, heads }
}

/// A triangle whose tip is at `to`, for one who comes from `from` along an axis of the plane.
fn head(from: (f64, f64), to: (f64, f64)) -> String {
    let sign = |difference: f64| if difference == 0.0 { 0.0 } else { difference.signum() };
    let (dx, dy) = (sign(to.0 - from.0), sign(to.1 - from.1));
    let back = (to.0 - dx * HEAD.0, to.1 - dy * HEAD.0);
    let side = (dy * HEAD.1, dx * HEAD.1);
    format!(
        "M{} {}L{} {}L{} {}z",
        pixel(to.0),
        pixel(to.1),
        pixel(back.0 + side.0),
        pixel(back.1 + side.1),
        pixel(back.0 - side.0),
        pixel(back.1 - side.1)
    )
}
