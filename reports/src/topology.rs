//! What a scenario looks like: containers, their ports, the switch between them, one host or two. From the
//! tests of an experiment to boxes and wires on a plane, which both writers draw. It must not know colours,
//! markup or pages.

use std::collections::{BTreeMap, BTreeSet};

use results::axes::{Dimension, Locality, VSwitch};

use crate::model::TestView;

/// How packets get from one container to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Route {
    /// A bridge of the kernel, virtual Ethernet pairs.
    Kernel,
    /// No switch: the two ports face each other.
    Direct,
    /// A switch in user space, virtio ports over shared memory.
    Virtio,
    /// The switch inside of a network card, a virtual function a container.
    Card,
}

impl Route {
    fn port(self) -> &'static str {
        match self {
            Route::Kernel => "veth",
            Route::Direct | Route::Virtio => "virtio",
            Route::Card => "VF",
        }
    }
}

/// Tests that differ in nothing that can be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// One way or there and back.
    pub dimension: Dimension,
    /// One host or two.
    pub locality: Locality,
    /// Through what.
    pub route: Route,
    /// The switches that are put there, in the order of reports.
    pub switches: Vec<VSwitch>,
    /// Numbers of container pairs, ascending.
    pub pairs: Vec<u16>,
}

/// The scenarios of an experiment: throughput first, one host first.
pub fn scenarios(tests: &[&TestView]) -> Vec<Scenario> {
    type Members = (BTreeSet<VSwitch>, BTreeSet<u16>);
    let mut found: BTreeMap<(Dimension, Locality, Route), Members> = BTreeMap::new();
    for test in tests {
        let tuple = &test.tuple;
        let (switches, pairs) = found.entry((tuple.dimension, tuple.locality, test.route)).or_default();
        switches.insert(tuple.vswitch);
        pairs.insert(tuple.pairs.get());
    }
    found
        .into_iter()
        .map(|((dimension, locality, route), (switches, pairs))| Scenario {
            dimension,
            locality,
            route,
            switches: switches.into_iter().collect(),
            pairs: pairs.into_iter().collect(),
        })
        .collect()
}

impl Scenario {
    /// In words: `Throughput on one host through linux-bridge, 1vs1`.
    pub fn caption(&self) -> String {
        let what = match self.dimension {
            Dimension::Throughput => "Throughput",
            Dimension::Latency => "Latency",
        };
        let hosts = match self.locality {
            Locality::Local => "on one host",
            Locality::Remote => "between two hosts",
        };
        let names: Vec<&str> = self.switches.iter().map(|vswitch| vswitch.name()).collect();
        let through = match (self.route, names.as_slice()) {
            (Route::Direct, _) => "without a switch".to_string(),
            (_, [one]) => format!("through {one}"),
            (_, [first @ .., last]) => format!("through {} or {last}", first.join(", ")),
            (_, []) => String::new(),
        };
        let pairs: Vec<String> = self.pairs.iter().map(|count| format!("{count}vs{count}")).collect();
        format!("{what} {hosts} {through}, {}", pairs.join(", "))
    }

    fn several(&self) -> bool {
        self.pairs.iter().any(|count| *count > 1)
    }

    /// Who is in the two containers of a pair.
    fn roles(&self) -> (&'static str, &'static str) {
        match self.dimension {
            Dimension::Throughput => ("sender", "receiver"),
            Dimension::Latency => ("client", "server"),
        }
    }
}

/// What a box stands for; writers choose its look by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// A machine.
    Host,
    /// A container; drawn as a stack where there are several pairs.
    Container,
    /// A port of a container.
    Port,
    /// A switch that is a program or part of the kernel.
    Switch,
    /// The kernel around a switch.
    Kernel,
    /// A network card.
    Card,
}

impl BlockKind {
    /// The kind's name in style sheets.
    pub fn name(self) -> &'static str {
        match self {
            BlockKind::Host => "host",
            BlockKind::Container => "container",
            BlockKind::Port => "port",
            BlockKind::Switch => "switch",
            BlockKind::Kernel => "kernel",
            BlockKind::Card => "card",
        }
    }
}

/// A box with text in it. Lengths are points of the drawing; y grows downwards.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// What the box stands for.
    pub kind: BlockKind,
    /// Left end.
    pub x: f64,
    /// Upper end.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
    /// Lines of text; those of hosts stand in the upper left corner, those of kernels at the upper side, others in
    /// the middle.
    pub lines: Vec<String>,
}

/// A line along which packets go.
#[derive(Clone, Debug, PartialEq)]
pub struct Wire {
    /// The wire's corners.
    pub points: Vec<(f64, f64)>,
    /// Whether packets also go backwards: an arrow at both ends instead of the last.
    pub both_ways: bool,
}

/// Boxes, in the order in which they are drawn, and wires above them.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    /// Width of the whole.
    pub width: f64,
    /// Height of the whole.
    pub height: f64,
    /// Outer ones first.
    pub blocks: Vec<Block>,
    /// Between ports, switches and cards.
    pub wires: Vec<Wire>,
}

const MARGIN: f64 = 3.0;
const CONTAINER: (f64, f64) = (92.0, 42.0);
const PORT: (f64, f64) = (44.0, 17.0);
const CONTAINER_TOP: f64 = 32.0;
const PORT_TOP: f64 = CONTAINER_TOP + CONTAINER.1;
const SWITCH_TOP: f64 = PORT_TOP + PORT.1 + 34.0;
const SWITCH_HEIGHT: f64 = 40.0;
/// Upper end of a card below a switch.
const CARD_TOP: f64 = SWITCH_TOP + SWITCH_HEIGHT + 26.0;
const CARD_HEIGHT: f64 = 30.0;
/// How far each further container of a stack peeks out.
const STACK: f64 = 4.0;

impl Drawing {
    /// The drawing of a scenario.
    pub fn of(scenario: &Scenario) -> Drawing {
        let mut drawing = Drawing { width: 0.0, height: 0.0, blocks: Vec::new(), wires: Vec::new() };
        match scenario.locality {
            Locality::Local => drawing.one_host(scenario),
            Locality::Remote => drawing.two_hosts(scenario),
        }
        drawing
    }

    fn block(&mut self, kind: BlockKind, (x, y): (f64, f64), (width, height): (f64, f64), lines: Vec<String>) {
        self.blocks.push(Block { kind, x, y, width, height, lines });
    }

    fn wire(&mut self, scenario: &Scenario, points: &[(f64, f64)]) {
        self.wires.push(Wire { points: points.to_vec(), both_ways: scenario.dimension == Dimension::Latency });
    }

    /// A container (or a stack) around `x` with its port; the port's lower end.
    fn container(&mut self, scenario: &Scenario, role: &str, x: f64) -> (f64, f64) {
        let at = (x - CONTAINER.0 / 2.0, CONTAINER_TOP);
        if scenario.several() {
            for behind in [2.0, 1.0] {
                let place = (at.0 + behind * STACK, at.1 - behind * STACK);
                self.block(BlockKind::Container, place, CONTAINER, Vec::new());
            }
        }
        self.block(BlockKind::Container, at, CONTAINER, vec!["container".to_string(), role.to_string()]);
        let port = vec![scenario.route.port().to_string()];
        self.block(BlockKind::Port, (x - PORT.0 / 2.0, PORT_TOP), PORT, port);
        (x, PORT_TOP + PORT.1)
    }

    /// The switch of a host between `left` and `right`, with the kernel around it if it is part of it.
    fn switch(&mut self, scenario: &Scenario, left: f64, right: f64) {
        let size = (right - left, SWITCH_HEIGHT);
        match scenario.route {
            Route::Kernel => {
                self.block(
                    BlockKind::Kernel,
                    (left - 10.0, SWITCH_TOP - 15.0),
                    (size.0 + 20.0, SWITCH_HEIGHT + 22.0),
                    vec!["kernel".to_string()],
                );
                self.block(BlockKind::Switch, (left, SWITCH_TOP), size, switch_lines(scenario));
            }
            Route::Virtio => self.block(BlockKind::Switch, (left, SWITCH_TOP), size, switch_lines(scenario)),
            Route::Card => {
                let lines = vec!["network card".to_string(), "embedded switch".to_string()];
                self.block(BlockKind::Card, (left, SWITCH_TOP), size, lines);
            }
            Route::Direct => {}
        }
    }

    fn one_host(&mut self, scenario: &Scenario) {
        const WIDTH: f64 = 274.0;
        let height = SWITCH_TOP + if scenario.route == Route::Direct { 6.0 } else { SWITCH_HEIGHT + 16.0 };
        (self.width, self.height) = (WIDTH + 2.0 * MARGIN, height + 2.0 * MARGIN);
        self.block(BlockKind::Host, (MARGIN, MARGIN), (WIDTH, height), vec!["host".to_string()]);
        let (first, second) = scenario.roles();
        let (left, right) = (MARGIN + 66.0, MARGIN + WIDTH - 66.0);
        let from = self.container(scenario, first, left);
        let to = self.container(scenario, second, right);
        self.switch(scenario, MARGIN + 32.0, MARGIN + WIDTH - 32.0);
        match scenario.route {
            Route::Direct => {
                let turn = SWITCH_TOP - 14.0;
                self.wire(scenario, &[from, (from.0, turn), (to.0, turn), to]);
            }
            _ => {
                self.wire(scenario, &[from, (from.0, SWITCH_TOP)]);
                self.wire(scenario, &[(to.0, SWITCH_TOP), to]);
            }
        }
    }

    fn two_hosts(&mut self, scenario: &Scenario) {
        const WIDTH: f64 = 168.0;
        const GAP: f64 = 44.0;
        let card_is_switch = scenario.route == Route::Card;
        let bottom = if card_is_switch { SWITCH_TOP + SWITCH_HEIGHT } else { CARD_TOP + CARD_HEIGHT };
        let height = bottom + 12.0 - MARGIN;
        (self.width, self.height) = (2.0 * WIDTH + GAP + 2.0 * MARGIN, height + 2.0 * MARGIN);
        let (first, second) = scenario.roles();
        for (left, role, sends) in [(MARGIN, first, true), (MARGIN + WIDTH + GAP, second, false)] {
            self.block(BlockKind::Host, (left, MARGIN), (WIDTH, height), vec!["host".to_string()]);
            let middle = left + WIDTH / 2.0;
            let port = self.container(scenario, role, middle);
            let (near, far) = (left + 16.0, left + WIDTH - 16.0);
            self.switch(scenario, near, far);
            let mut path = vec![port, (middle, SWITCH_TOP)];
            if !sends {
                path.reverse();
            }
            if scenario.route != Route::Direct {
                self.wire(scenario, &path);
            }
            if !card_is_switch {
                let lines = vec!["network card".to_string()];
                self.block(BlockKind::Card, (near, CARD_TOP), (far - near, CARD_HEIGHT), lines);
                let from = if scenario.route == Route::Direct { port.1 } else { SWITCH_TOP + SWITCH_HEIGHT };
                let mut path = vec![(middle, from), (middle, CARD_TOP)];
                if !sends {
                    path.reverse();
                }
                self.wire(scenario, &path);
            }
        }
        let y = if card_is_switch { SWITCH_TOP + SWITCH_HEIGHT / 2.0 } else { CARD_TOP + CARD_HEIGHT / 2.0 };
        self.wire(scenario, &[(MARGIN + WIDTH - 16.0, y), (MARGIN + WIDTH + GAP + 16.0, y)]);
    }
}

/// What is written into a switch: what it is, and which ones stand there, two lines of them at most.
fn switch_lines(scenario: &Scenario) -> Vec<String> {
    let line_chars_max = if scenario.locality == Locality::Local { 30 } else { 19 };
    let mut lines = vec![String::new()];
    for (place, name) in scenario.switches.iter().map(|vswitch| vswitch.name()).enumerate() {
        let full = lines.last().is_some_and(|line| line.len() + name.len() > line_chars_max);
        if full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(name);
            if place + 1 < scenario.switches.len() {
                line.push_str(if full || line.len() < line_chars_max { ", " } else { "," });
            }
        }
    }
    lines.into_iter().map(|line| line.trim_end().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_scenario() -> Vec<Scenario> {
        let mut all = Vec::new();
        for dimension in Dimension::ALL {
            for locality in [Locality::Local, Locality::Remote] {
                for route in [Route::Kernel, Route::Direct, Route::Virtio, Route::Card] {
                    all.push(Scenario {
                        dimension: *dimension,
                        locality,
                        route,
                        switches: vec![
                            VSwitch::new("custom:one-of-a-name-that-is-as-long-as-it-may-be-or-nearly").unwrap(),
                        ],
                        pairs: vec![1, 4],
                    });
                }
            }
        }
        all
    }

    #[test]
    fn every_box_and_wire_lies_inside_of_its_drawing() {
        for scenario in every_scenario() {
            let drawing = Drawing::of(&scenario);
            for block in &drawing.blocks {
                assert!(block.x >= 0.0 && block.x + block.width <= drawing.width, "{scenario:?} {block:?}");
                assert!(block.y >= 0.0 && block.y + block.height <= drawing.height, "{scenario:?} {block:?}");
            }
            for (x, y) in drawing.wires.iter().flat_map(|wire| &wire.points) {
                assert!((0.0..=drawing.width).contains(x) && (0.0..=drawing.height).contains(y), "{scenario:?}");
            }
            assert!(!drawing.wires.is_empty(), "{scenario:?}");
        }
    }

    #[test]
    fn captions_say_what_is_drawn() {
        let scenario = Scenario {
            dimension: Dimension::Throughput,
            locality: Locality::Remote,
            route: Route::Virtio,
            switches: ["basicfwd", "ovs", "vpp"].map(|name| VSwitch::new(name).unwrap()).into(),
            pairs: vec![1, 8],
        };
        assert_eq!(scenario.caption(), "Throughput between two hosts through basicfwd, ovs or vpp, 1vs1, 8vs8");
        assert_eq!(switch_lines(&scenario), ["basicfwd, ovs, vpp"]);
    }
}
