//! A configuration as text with holes, for a switch that is data alone: what holes there are, what fills them in keys,
//! and what in a run. It must not know any switch.

use std::fmt::Write as _;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::Shape;
use super::forwarder::Names;
use crate::eal;

/// Text in pieces, in order: `["two ", ["port {port} "], "end"]`. What `{...}` stands for is in `Hole`; `{{` and `}}`
/// are braces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(pub Vec<Piece>);

/// A part of a text with holes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Piece {
    /// What is inserted once.
    Once(String),
    /// All of them are there for each port.
    EachPort(Vec<String>),
}

/// What can stand between braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hole {
    Ports,
    PortMask,
    Cores,
    Queues,
    Memory,
    MemoryMib,
    Housekeeping,
    Cpus,
    Eal,
    Configuration,
    File(usize),
    Port,
    Socket,
}

/// Names of the holes, for people. `file1`, `file2` and so on stand for the files of a definition.
pub const HOLES: [&str; 13] = [
    "ports",
    "port_mask",
    "cores",
    "queues",
    "memory",
    "memory_mib",
    "housekeeping",
    "cpus",
    "eal",
    "configuration",
    "file1",
    "port",
    "socket",
];

impl Hole {
    fn named(name: &str) -> Option<Hole> {
        Some(match name {
            "ports" => Hole::Ports,
            "port_mask" => Hole::PortMask,
            "cores" => Hole::Cores,
            "queues" => Hole::Queues,
            "memory" => Hole::Memory,
            "memory_mib" => Hole::MemoryMib,
            "housekeeping" => Hole::Housekeeping,
            "cpus" => Hole::Cpus,
            "eal" => Hole::Eal,
            "configuration" => Hole::Configuration,
            "port" => Hole::Port,
            "socket" => Hole::Socket,
            _ => {
                let digits = name.strip_prefix("file").filter(|digits| !digits.starts_with(['0', '+']))?;
                Hole::File(digits.parse().ok()?)
            }
        })
    }
}

/// A part of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'t> {
    Text(&'t str),
    Hole(Hole),
}

/// What cannot be understood of a piece, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Bytes of the piece.
    pub at: Range<usize>,
    /// What is wrong with them, in words.
    pub problem: String,
    /// What to do about it.
    pub help: String,
}

/// The parts of a piece.
pub(super) fn parts(piece: &str) -> Result<Vec<Part<'_>>, Misfit> {
    let mut parts = Vec::new();
    let (mut from, mut at) = (0, 0);
    while let Some(found) = piece[at..].find(['{', '}']) {
        let brace = at + found;
        let rest = &piece[brace..];
        if rest.starts_with("{{") || rest.starts_with("}}") {
            parts.push(Part::Text(&piece[from..=brace]));
            (from, at) = (brace + 2, brace + 2);
            continue;
        }
        let literal = "for a brace itself write two: {{ or }}";
        let end = rest.find('}').filter(|_| rest.starts_with('{'));
        let Some(end) = end else {
            let (at, problem) = (brace..brace + 1, "a brace that does not pair".to_string());
            return Err(Misfit { at, problem, help: literal.into() });
        };
        let name = &rest[1..end];
        let Some(hole) = Hole::named(name) else {
            let name: String = name.chars().take(40).collect();
            let help = format!("holes are {}; {literal}", HOLES.map(|hole| format!("{{{hole}}}")).join(", "));
            return Err(Misfit { at: brace..brace + end + 1, problem: format!("nothing fills {{{name}}}"), help });
        };
        parts.push(Part::Text(&piece[from..brace]));
        parts.push(Part::Hole(hole));
        (from, at) = (brace + end + 1, brace + end + 1);
    }
    parts.push(Part::Text(&piece[from..]));
    Ok(parts)
}

/// What fills holes.
pub(super) struct Filling<'f> {
    pub shape: Shape,
    pub memory_mib: u32,
    /// CPUs and sockets.
    pub names: &'f Names,
    /// Where the configuration is.
    pub configuration: &'f str,
    /// Where files are.
    pub files: &'f [String],
}

impl Filling<'_> {
    /// The words of the EAL.
    fn eal(&self) -> Vec<String> {
        let cpus: Vec<String> = [&self.names.main].into_iter().chain(&self.names.cores).cloned().collect();
        match self.shape.memory {
            Some(memory) => eal::arguments(memory, self.memory_mib, &cpus),
            None => Vec::new(),
        }
    }

    fn hole(&self, hole: Hole, port: usize) -> String {
        let Shape { ports, cores, queues, memory, .. } = self.shape;
        match hole {
            Hole::Ports => ports.to_string(),
            // What many samples of DPDK's want of their ports: a bit for each.
            Hole::PortMask => format!("{:#x}", 1u128.checked_shl(ports).map_or(u128::MAX, |above| above - 1)),
            Hole::Cores => cores.to_string(),
            Hole::Queues => queues.to_string(),
            Hole::Memory => memory.map_or("none", |memory| memory.name()).to_string(),
            Hole::MemoryMib => self.memory_mib.to_string(),
            Hole::Housekeeping => self.names.main.clone(),
            Hole::Cpus => self.names.cores.join(","),
            Hole::Eal => self.eal().join(" "),
            Hole::Configuration => self.configuration.to_string(),
            Hole::File(number) => self.files.get(number.wrapping_sub(1)).cloned().unwrap_or_default(),
            Hole::Port => port.to_string(),
            Hole::Socket => self.names.sockets.get(port).cloned().unwrap_or_default(),
        }
    }

    /// A piece for a port, which only holes of ports ask for. One that was not understood when it was defined stays as
    /// it is.
    pub(super) fn fill(&self, piece: &str, port: usize) -> String {
        let Ok(parts) = parts(piece) else { return piece.to_string() };
        let mut out = String::new();
        for part in parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Hole(hole) => out.push_str(&self.hole(hole, port)),
            }
        }
        out
    }

    /// Every piece, each for each port that it is for.
    fn pieces<'t>(&'t self, template: &'t Template) -> impl Iterator<Item = (&'t str, usize)> {
        template.0.iter().flat_map(move |piece| {
            let (texts, ports) = match piece {
                Piece::Once(text) => (std::slice::from_ref(text), 1),
                Piece::EachPort(texts) => (texts.as_slice(), self.shape.ports as usize),
            };
            (0..ports).flat_map(move |port| texts.iter().map(move |text| (text.as_str(), port)))
        })
    }

    /// All pieces as one text.
    pub(super) fn text(&self, template: &Template) -> String {
        self.pieces(template).map(|(piece, port)| self.fill(piece, port)).collect()
    }

    /// Each piece as a word of its own; `{eal}` is as many as it has.
    pub(super) fn words(&self, template: &Template) -> Vec<String> {
        let words = |(piece, port): (&str, usize)| match piece {
            "{eal}" => self.eal(),
            piece => vec![self.fill(piece, port)],
        };
        self.pieces(template).flat_map(words).collect()
    }
}

/// How long a rendered configuration can become, bytes, before a definition is refused.
pub(super) const RENDERED_BYTES_MAX: usize = 1 << 20;

impl Template {
    /// One that is there once.
    pub fn once(text: &str) -> Template {
        Template(vec![Piece::Once(text.into())])
    }

    /// The configuration of a shape with so much memory, as keys have it: with names that are the same in each run.
    pub(super) fn render(&self, shape: &Shape, memory_mib: u32) -> String {
        let names = Names::neutral(shape.cores, shape.ports);
        let files: Vec<String> = (1..=FILES_MAX).map(|number| format!("FILE{number}")).collect();
        let filling =
            Filling { shape: *shape, memory_mib, names: &names, configuration: "CONFIGURATION", files: &files };
        filling.text(self)
    }

    /// Every text in it.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .flat_map(|piece| match piece {
                Piece::Once(text) => std::slice::from_ref(text).iter(),
                Piece::EachPort(texts) => texts.iter(),
            })
            .map(String::as_str)
    }

    /// This template with every text in quotes of its own, so that two that differ render to texts that differ.
    pub(super) fn quoted(&self) -> Template {
        let quoted = |text: &String| {
            let mut out = String::from("\"");
            for c in text.chars() {
                match c {
                    '"' | '\\' => out.extend(['\\', c]),
                    '\n' => out.push_str("\\n"),
                    c if c.is_control() => drop(write!(out, "\\x{:02x}", u32::from(c))),
                    c => out.push(c),
                }
            }
            out + "\" "
        };
        let piece = |piece: &Piece| match piece {
            Piece::Once(text) => Piece::Once(quoted(text)),
            Piece::EachPort(texts) => Piece::EachPort(texts.iter().map(quoted).collect()),
        };
        Template(self.0.iter().map(piece).collect())
    }
}

/// Most files of a definition.
pub(super) const FILES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Shape {
        Shape { ports: 2, cores: 1, queues: 1, memory: None, uplink: None }
    }

    #[test]
    fn holes_are_filled_and_a_list_is_there_for_each_port() {
        let template = Template(vec![
            Piece::Once("{ports} ({port_mask}) on {cores}, {memory} {{x}}\n".into()),
            Piece::EachPort(vec!["port {port} of {ports}".into(), " at {socket}\n".into()]),
            Piece::Once("end {configuration} {file2}\n".into()),
        ]);
        let text = "2 (0x3) on 1, none {x}\nport 0 of 2 at PORT0\nport 1 of 2 at PORT1\nend CONFIGURATION FILE2\n";
        assert_eq!(template.render(&shape(), 0), text);
    }

    #[test]
    fn a_piece_that_nothing_fills_says_where() {
        let misfit = parts("a {{b}} {sokcet} c").expect_err("no such hole");
        assert_eq!((misfit.at, &*misfit.problem), (8..16, "nothing fills {sokcet}"));
        for wrong in ["{", "}", "a{b", "{}", "{file0}", "{file+1}", "{file}", "{../x}", "{a\nb}", "{port }"] {
            assert!(parts(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn words_that_differ_render_to_texts_that_differ() {
        let render = |words: &[&str]| {
            let pieces = words.iter().map(|word| Piece::Once((*word).to_string())).collect();
            Template(pieces).quoted().render(&shape(), 0)
        };
        let all = [
            render(&["a b"]),
            render(&["a", "b"]),
            render(&["a\" \"b"]),
            render(&["a\\\" \\\"b"]),
            render(&["a\nb"]),
            render(&["a\\nb"]),
        ];
        for (place, one) in all.iter().enumerate() {
            assert!(!all[..place].contains(one), "{one}");
        }
    }
}
