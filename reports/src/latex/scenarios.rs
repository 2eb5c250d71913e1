//! Scenarios as TikZ: boxes and wires with their places in points. It must not know which boxes a scenario
//! has.

use serde::Serialize;

use crate::model::TestView;
use crate::number::pixel;
use crate::topology::{self, Block, BlockKind, Drawing, Wire};

#[derive(Serialize)]
pub(super) struct ScenarioData {
    letter: String,
    caption: String,
    blocks: Vec<BlockData>,
    wires: Vec<WireData>,
}

#[derive(Serialize)]
struct BlockData {
    kind: &'static str,
    corners: String,
    /// Where its text is anchored.
    at: String,
    /// The style that says by which of its sides.
    anchor: &'static str,
    lines: Vec<String>,
}

#[derive(Serialize)]
struct WireData {
    arrows: &'static str,
    path: String,
}

/// The scenarios of all tests, lettered.
pub(super) fn data(tests: &[&TestView]) -> Vec<ScenarioData> {
    let scenarios = topology::scenarios(tests);
    let data = |(scenario, letter): (&topology::Scenario, char)| {
        let drawing = Drawing::of(scenario);
        ScenarioData {
            letter: letter.to_string(),
            caption: scenario.caption(),
            blocks: drawing.blocks.iter().map(block).collect(),
            wires: drawing.wires.iter().map(wire).collect(),
        }
    };
    scenarios.iter().zip('a'..='z').map(data).collect()
}

/// A place; TikZ counts upwards.
fn place(x: f64, y: f64) -> String {
    format!("({},{})", pixel(x), pixel(-y))
}

fn block(block: &Block) -> BlockData {
    let (right, bottom) = (block.x + block.width, block.y + block.height);
    BlockData {
        kind: block.kind.name(),
        corners: format!("{} rectangle {}", place(block.x, block.y), place(right, bottom)),
        at: match block.kind {
            BlockKind::Host => place(block.x, block.y),
            BlockKind::Kernel => place((block.x + right) / 2.0, block.y),
            BlockKind::Container | BlockKind::Port | BlockKind::Switch | BlockKind::Card => {
                place((block.x + right) / 2.0, (block.y + bottom) / 2.0)
            }
        },
        anchor: match block.kind {
            BlockKind::Host => "septet corner",
            BlockKind::Kernel => "septet top",
            BlockKind::Container | BlockKind::Port | BlockKind::Switch | BlockKind::Card => "septet text",
        },
        lines: block.lines.clone(),
    }
}

fn wire(wire: &Wire) -> WireData {
    WireData {
        arrows: if wire.both_ways { "septet both" } else { "septet one" },
        path: wire.points.iter().map(|(x, y)| place(*x, *y)).collect::<Vec<_>>().join(" -- "),
    }
}
