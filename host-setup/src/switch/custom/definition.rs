//! A switch that a site defines: programs and texts with holes, and what can be asked of it, as data. It must not know
//! how a definition is written down, or how it is run.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::template::{self, FILES_MAX, Hole, Misfit, Part, RENDERED_BYTES_MAX};
use super::super::{Cores, Descriptor, Drawn, Ends, Forwards, MemoryUse, Piece, Ports, Queues, Template};
use crate::eal::Memory;

/// What the names of such switches begin with in experiments.
pub const PREFIX: &str = "custom:";
/// Most ports of one.
const PORTS_MAX: u32 = 64;
/// Longest text of a definition, bytes.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// Most pieces of a text.
const PIECES_MAX: usize = 256;
/// Longest time that one may take to become ready, s; the agent waits no longer for anything.
pub(super) const READY_S_MAX: u64 = 60;

/// A switch of the site's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The program that forwards.
    pub program: PathBuf,
    /// Files and folders that it loads or reads besides, which are in its fingerprint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// Drivers that its DPDK loads by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drivers: Vec<String>,
    /// Packages that have it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// Who makes the sockets of the ports.
    pub sockets: Sockets,
    /// How it finds the port for a packet.
    pub forwards: Forwards,
    /// Most ports.
    pub ports_max: u32,
    /// Whether there must be an even number of them.
    #[serde(default)]
    pub ports_even: bool,
    /// On how many cores it can poll.
    pub cores: Amount,
    /// How many queues a port can have.
    pub queues: Amount,
    /// What its memory can be made of; nothing for a program without memory of its own to speak of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<Memory>,
    /// What it takes for itself, MiB.
    #[serde(default)]
    pub memory_mib: u32,
    /// What it takes for each port, MiB.
    #[serde(default)]
    pub memory_mib_port: u32,
    /// Why only root can run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs_root: Option<String>,
    /// Arguments of the program.
    pub start: Template,
    /// A file that it reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Template>,
    /// What it says when ports can be attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// What attaches one port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach: Option<Tool>,
    /// What it says, each in a line, when all ports forward.
    pub ready: Template,
    /// Words in a line that say that it never will.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
    /// How long it may take to say so, s.
    pub ready_within_s: u64,
    /// How it is asked what its ports counted.
    #[serde(default)]
    pub counters: Counters,
    /// How it is asked for its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Tool>,
    /// How it is stopped.
    #[serde(default)]
    pub stop: Stop,
    /// Where each key was written, as `FILE:LINE:COLUMN`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub places: BTreeMap<String, String>,
}

/// How many of something a switch can have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Amount {
    /// One.
    #[default]
    One,
    /// One or more.
    Many,
}

/// Who makes a port's socket, and waits for the other to connect to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sockets {
    /// The switch.
    Switch,
    /// The application; the switch is started when all of them are there.
    Application,
}

/// A program that is run and ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// The program that is asked.
    pub program: PathBuf,
    /// Arguments of the program.
    pub arguments: Template,
}

/// How a switch tells what its ports counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counters {
    /// The switch has no command of the kind.
    #[default]
    None,
    /// Over the socket that DPDK programs have.
    DpdkTelemetry,
    /// By a program that prints a line of JSON for each port.
    Tool(Tool),
}

/// How a switch is stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// By SIGKILL.
    #[default]
    Kill,
    /// By SIGTERM, and SIGKILL if that does not help.
    Term,
    /// By SIGINT, and SIGKILL if that does not help.
    Int,
}

/// What is wrong with a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The key that the problem is about.
    pub key: &'static str,
    /// The very text in it, if it is one.
    pub text: Option<(String, std::ops::Range<usize>)>,
    /// What, in words.
    pub problem: String,
    /// What to do about it.
    pub help: Option<String>,
}

fn wrong(key: &'static str, problem: impl Into<String>, help: Option<&str>) -> Wrong {
    Wrong { key, text: None, problem: problem.into(), help: help.map(str::to_owned) }
}

/// Whether that can name a switch or an application of a site: it becomes no path, but is shown in many places.
pub fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=48).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with(['.', '-'])
}

/// Why that is no path of a program or file.
pub(crate) fn is_no_path(path: &Path) -> Option<&'static str> {
    let leads_on = |part: Component| matches!(part, Component::RootDir | Component::Normal(_));
    let text = path.to_str()?;
    let is_path = path.is_absolute() && path.components().all(leads_on) && !text.contains(['\0', '\n']);
    (!is_path || text.contains("/../") || text.len() > 4000).then_some("write an absolute path without '..'")
}

impl Definition {
    /// All that is wrong with it, but for what is on the host.
    pub fn problems(&self) -> Vec<Wrong> {
        let mut found = Vec::new();
        self.check_paths(&mut found);
        self.check_limits(&mut found);
        self.check_texts(&mut found);
        found
    }

    fn check_paths(&self, found: &mut Vec<Wrong>) {
        let tools = self.tools().map(|(key, tool)| (key, &tool.program));
        let files = self.files.iter().map(|file| ("files", file));
        for (key, path) in std::iter::once(("program", &self.program)).chain(files).chain(tools) {
            if let Some(help) = is_no_path(path) {
                found.push(wrong(key, format!("{key} names no file"), Some(help)));
            }
        }
        if self.files.len() > FILES_MAX {
            found.push(wrong("files", format!("there are more than {FILES_MAX} files"), None));
        }
        let is_driver = |name: &String| {
            (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if !self.drivers.iter().all(is_driver) {
            let help = "write names as in librte_NAME.so: [\"bus_vdev\", \"mempool_ring\", \"net_vhost\"]";
            found.push(wrong("drivers", "that is no driver of DPDK", Some(help)));
        }
        let is_package = |name: &String| (1..=100).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
        if !self.packages.iter().all(is_package) {
            found.push(wrong("packages", "that is no package", None));
        }
    }

    fn check_limits(&self, found: &mut Vec<Wrong>) {
        let mut within = |key: &'static str, value: u64, most: u64| {
            if value == 0 || value > most {
                found.push(wrong(key, format!("{key} is a whole number from 1 to {most}"), None));
            }
        };
        within("ports_max", self.ports_max.into(), PORTS_MAX.into());
        within("ready_within_s", self.ready_within_s, READY_S_MAX);
        if u64::from(self.memory_mib) + u64::from(self.memory_mib_port) * u64::from(PORTS_MAX) > 1 << 20 {
            found.push(wrong("memory_mib", "that is more than a TiB", None));
        }
        if self.ready.0.is_empty() {
            let help = "write what it says when it forwards: ready = [\"forwarding\"]";
            found.push(wrong("ready", "nothing says when it forwards", Some(help)));
        }
    }

    fn check_texts(&self, found: &mut Vec<Wrong>) {
        let tools = self.tools().map(|(key, tool)| (key, &tool.arguments));
        let texts = [("start", Some(&self.start)), ("configuration", self.configuration.as_ref())];
        let texts = texts.into_iter().filter_map(|(key, text)| Some((key, text?)));
        for (key, template) in texts.chain([("ready", &self.ready)]).chain(tools) {
            self.check_template(key, template, found);
        }
        for (key, words) in self
            .started
            .iter()
            .map(|words| ("started", words))
            .chain(self.refused.iter().map(|words| ("refused", words)))
        {
            if words.trim().is_empty() || words.len() > 1000 || words.contains(['\n', '\0']) {
                found.push(wrong(key, format!("{key} is words of one line"), None));
            }
        }
    }

    fn check_template(&self, key: &'static str, template: &Template, found: &mut Vec<Wrong>) {
        let bytes: usize = template.texts().map(str::len).sum();
        if template.texts().count() > PIECES_MAX || bytes > TEXT_BYTES_MAX {
            let problem = format!("{key} has more than {PIECES_MAX} pieces or {TEXT_BYTES_MAX} bytes");
            return found.push(wrong(key, problem, None));
        }
        for piece in &template.0 {
            let (texts, each_port) = match piece {
                Piece::Once(text) => (std::slice::from_ref(text), key == "attach"),
                Piece::EachPort(texts) => (texts.as_slice(), true),
            };
            for text in texts {
                if let Some(Misfit { at, problem, help }) = self.misfit(key, text, each_port) {
                    found.push(Wrong { key, text: Some((text.clone(), at)), problem, help: Some(help) });
                }
            }
        }
        if bytes.saturating_mul(PORTS_MAX as usize) > RENDERED_BYTES_MAX * 4 {
            found.push(wrong(key, format!("{key} would be too long for {PORTS_MAX} ports"), None));
        }
    }

    /// What of a text nothing can fill here.
    fn misfit(&self, key: &str, text: &str, each_port: bool) -> Option<Misfit> {
        if let Some(at) = text.find('\0') {
            return Some(Misfit { at: at..at + 1, problem: "a NUL".into(), help: "take it out".into() });
        }
        let parts = match template::parts(text) {
            Ok(parts) => parts,
            Err(misfit) => return Some(misfit),
        };
        let holes = parts.iter().filter_map(|part| match part {
            Part::Hole(hole) => Some(*hole),
            Part::Text(_) => None,
        });
        for hole in holes {
            let refuse = |problem: &str, help: &str| {
                let at = text.find('{').unwrap_or(0)..text.rfind('}').map_or(text.len(), |end| end + 1);
                Some(Misfit { at, problem: problem.into(), help: help.into() })
            };
            match hole {
                Hole::Port | Hole::Socket if !each_port => {
                    let help = "put it into a list of its own, which is there for each port: [\"--port={socket}\"]";
                    return refuse("which port is meant?", help);
                }
                Hole::File(number) if number > self.files.len() => {
                    return refuse("there is no such file", "files lists them, and the first is {file1}");
                }
                Hole::Configuration if self.configuration.is_none() => {
                    return refuse("there is no configuration", "define it: configuration = [\"...\"]");
                }
                Hole::Eal if key != "start" || text != "{eal}" => {
                    return refuse("{eal} is many arguments", "let it stand alone in start: [\"{eal}\", \"--\"]");
                }
                Hole::Eal if self.memory.is_empty() => {
                    return refuse("{eal} says how much memory it has", "say so: memory = [\"no-huge\"]");
                }
                _ => {}
            }
        }
        None
    }

    /// Programs that are run besides, by key.
    pub(super) fn tools(&self) -> impl Iterator<Item = (&'static str, &Tool)> {
        let counters = match &self.counters {
            Counters::Tool(tool) => Some(("counters", tool)),
            Counters::None | Counters::DpdkTelemetry => None,
        };
        let attach = self.attach.iter().map(|tool| ("attach", tool));
        attach.chain(counters).chain(self.version.iter().map(|tool| ("version", tool)))
    }

    /// The switch as everybody else sees it.
    pub fn descriptor(&self, name: &str) -> Descriptor {
        let memory = match self.memory.is_empty() {
            true => MemoryUse::None { why: "its definition says nothing of memory".into() },
            false => MemoryUse::Pages {
                modes: self.memory.clone(),
                why: "its definition says so (memory)".into(),
                own_mib: self.memory_mib,
                port_mib: self.memory_mib_port,
            },
        };
        let says = |key: &str| format!("its definition says so ({key})");
        Descriptor {
            name: format!("{PREFIX}{name}"),
            io: vec!["dpdk".into()],
            ends: match self.sockets {
                Sockets::Switch => Ends::Connecting,
                Sockets::Application => Ends::Listening,
            },
            forwards: self.forwards,
            uplink: false,
            ports: Ports { most: self.ports_max, even: self.ports_even, why: says("ports_max, ports_even") },
            cores: match self.cores {
                Amount::One => Cores::One { why: says("cores") },
                Amount::Many => Cores::Many,
            },
            queues: match self.queues {
                Amount::One => Queues::One { why: says("queues") },
                Amount::Many => Queues::Many,
            },
            memory,
            drawn: Drawn::Virtio,
            programs: true,
            packages: self.packages.clone(),
            needs_root: self.needs_root.clone(),
            renews: false,
            configuration: Some(self.rendered()),
        }
    }

    /// All that decides what it does, for keys: command lines and configuration, word by word. Where programs lie and
    /// what it says is no part of that.
    fn rendered(&self) -> Template {
        let mut pieces = vec![Piece::Once("start ".into())];
        pieces.extend(self.start.quoted().0);
        pieces.push(Piece::Once("\n".into()));
        if let Some(configuration) = &self.configuration {
            pieces.push(Piece::Once("configuration ".into()));
            pieces.extend(configuration.quoted().0);
            pieces.push(Piece::Once("\n".into()));
        }
        if let Some(attach) = &self.attach {
            let words = attach.arguments.quoted();
            let mut each = vec!["attach ".to_string()];
            each.extend(words.texts().map(str::to_owned));
            each.push("\n".into());
            pieces.push(Piece::EachPort(each));
        }
        Template(pieces)
    }

    /// A key with the place where it was written, in words; just the key if that is not known.
    pub(crate) fn place(&self, name: &str, key: &str) -> String {
        match self.places.get(key).or_else(|| self.places.get("program")) {
            Some(place) => format!("{key} of [switches.{name}], {place}"),
            None => format!("{key} of [switches.{name}]"),
        }
    }
}
