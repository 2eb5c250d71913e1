//! A switch that the site defines, as it is run: a program that is started with rendered arguments, says when it
//! forwards, and is asked for what it counted. It must not know which program that is, nor who wrote the definition.

mod definition;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;

pub(crate) use self::definition::is_no_path;
pub use self::definition::{Amount, Counters, Definition, PREFIX, Sockets, Stop, Tool, Wrong, is_name};
pub use self::written::{KEYS, read};
use super::forwarder::Names;
use super::plugins::Shown;
use super::program::{Program, Start, pause};
use super::template::Filling;
use super::{Descriptor, Shape, Site, Software, Switch, source, telemetry, vhost};
use crate::facts::Privilege;
use crate::failure::During;
use crate::protocol::{Failure, FailureKind, PortCounters};
use crate::scene::checked::CheckedContainer;

/// Below the worker's private /run.
const FOLDER: &str = "/run/septet/switch";
const CONFIGURATION: &str = "/run/septet/switch/configuration";
/// How long a program may take that attaches a port, counts or says a version.
const TOOL: Duration = Duration::from_secs(10);
/// How long a switch may take to end by itself.
const STOP: Duration = Duration::from_secs(3);
/// Longest version that is kept, characters.
const VERSION_CHARS_MAX: usize = 100;
/// Most files of a folder that is in a definition.
const FOLDER_FILES_MAX: usize = 4096;

/// Switches of the site's own, by the name that stands after `custom:`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Customs(BTreeMap<String, Definition>);

impl Customs {
    /// Definitions that hold. What is wrong with one that a client sends is told there before; here it is a request
    /// that makes no sense.
    pub(crate) fn of(definitions: BTreeMap<String, Definition>) -> Result<Customs, Failure> {
        for (name, definition) in &definitions {
            let refuse = |problem: &str| {
                let name: String = name.chars().take(64).collect();
                Err(Failure::new(FailureKind::Request, format!("define switch {name:?}: {problem}")))
            };
            if !is_name(name) {
                return refuse("that is no name");
            }
            if let Some(Wrong { key, problem, .. }) = definition.problems().first() {
                return refuse(&format!("{key}: {problem}"));
            }
        }
        Ok(Customs(definitions))
    }

    /// The definition of a switch by its whole name.
    pub(super) fn get(&self, switch: &str) -> Option<(&str, &Definition)> {
        let (name, definition) = self.0.get_key_value(switch.strip_prefix(PREFIX)?)?;
        Some((name, definition))
    }

    /// All of them, as everybody else sees them.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = Descriptor> {
        self.0.iter().map(|(name, definition)| definition.descriptor(name))
    }

    /// The switch of that name, of the table or of these.
    pub(super) fn descriptor(&self, switch: &str) -> Option<Descriptor> {
        let own = self.get(switch).map(|(name, definition)| definition.descriptor(name));
        own.or_else(|| super::descriptor(switch).cloned())
    }

    /// What one is made of, or why it cannot be run here.
    pub(crate) fn software(&self, switch: &str, privilege: Privilege) -> Result<Software, String> {
        let (name, definition) = self.get(switch).ok_or_else(|| format!("no switch called {switch} is defined"))?;
        if let (Some(why), true) = (&definition.needs_root, privilege != Privilege::Root) {
            return Err(format!("{switch} needs root: {why}"));
        }
        for (key, path) in [("program", &definition.program)]
            .into_iter()
            .chain(definition.files.iter().map(|file| ("files", file)))
            .chain(definition.tools().map(|(key, tool)| (key, &tool.program)))
        {
            let wrong =
                |why: String| Err(format!("{switch}: {} {why} ({})", path.display(), definition.place(name, key)));
            let Ok(real) = fs::canonicalize(path) else { return wrong("is not there".into()) };
            if let Some(hidden) = source::HIDDEN.iter().find(|hidden| real.starts_with(hidden)) {
                return wrong(format!("lies below {hidden}, where nothing is seen by what is measured"));
            }
        }
        let mut programs = vec![definition.program.clone()];
        for file in &definition.files {
            match file.is_dir() {
                true => below(file, &mut programs).map_err(|error| format!("{switch}: {}: {error}", file.display()))?,
                false => programs.push(file.clone()),
            }
        }
        programs.extend(definition.attach.iter().map(|tool| tool.program.clone()));
        let software = Software {
            programs,
            packages: kept(&definition.packages),
            drivers: kept(&definition.drivers),
            uplink: Vec::new(),
            loaded: Vec::new(),
            plugged: None,
            libraries: Vec::new(),
        };
        let failed = |error: crate::component::ComponentError| format!("{switch}: failed to {error}");
        let files = software.files().map_err(failed)?;
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        let loaded = software.linker().closure(&files).map_err(failed)?;
        let tools = definition.tools().map(|(_, tool)| tool.program.as_path());
        match source::untrusted(loaded.iter().map(|file| &*file.path).chain(tools)) {
            Some(problem) => Err(format!("{switch}: {problem}")),
            None => Ok(software),
        }
    }

    /// Starts that of a scene whose configuration is as rendered.
    pub(super) fn start(&self, site: &Site) -> Result<Box<dyn Switch>, Failure> {
        let switch = &site.scene.switch.kind;
        let doing = || format!("start {switch}");
        let software = self.software(switch, site.privilege).host(doing)?;
        let (name, definition) = self.get(switch).ok_or("it is not defined").request(doing)?;
        let shape = Shape::of(&site.scene.switch, site.scene.containers.len());
        let ports = u32::try_from(site.scene.containers.len()).unwrap_or(u32::MAX);
        let mut custom = Custom {
            name: name.to_string(),
            shown_name: kept(std::slice::from_ref(switch))[0],
            memory_mib: definition.descriptor(name).memory_mib(ports),
            definition: definition.clone(),
            software,
            shape,
            names: Names::of(site.scene)?,
            sockets: vhost::sockets(site.scene)?,
            cpu: site.scene.housekeeping,
            containers: Vec::new(),
            attached: 0,
            started: None,
            program: None,
            shown: None,
        };
        if definition.sockets == Sockets::Switch {
            // Nobody else would take down what it made so far.
            if let Err(failure) = custom.run() {
                return custom.stop().and(Err(failure));
            }
        }
        Ok(Box::new(custom))
    }
}

/// Every file below a folder.
pub(crate) fn below(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match fs::metadata(&path)? {
            about if about.is_dir() => below(&path, found)?,
            about if about.is_file() => found.push(path),
            _ => {}
        }
        if found.len() > FOLDER_FILES_MAX {
            return Err(std::io::Error::other(format!("there are more than {FOLDER_FILES_MAX} files")));
        }
    }
    Ok(())
}

/// Words that live as long as the agent: each list once, and an agent is told of few.
fn kept(words: &[String]) -> &'static [&'static str] {
    static KEPT: Mutex<BTreeSet<&'static [&'static str]>> = Mutex::new(BTreeSet::new());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.iter().find(|known| **known == words) {
        return known;
    }
    let words: Vec<&'static str> = words.iter().map(|word| &*Box::leak(Box::<str>::from(*word))).collect();
    let words: &'static [&'static str] = Box::leak(words.into_boxed_slice());
    kept.insert(words);
    words
}

/// What a program that counts says of a port.
#[derive(Deserialize)]
struct Counted {
    port: usize,
    received: u64,
    sent: u64,
    #[serde(default)]
    received_dropped: u64,
    #[serde(default)]
    sent_dropped: u64,
}

/// One that stands, or waits for the sockets that it connects to.
struct Custom {
    name: String,
    shown_name: &'static str,
    definition: Definition,
    software: Software,
    shape: Shape,
    memory_mib: u32,
    names: Names,
    sockets: Vec<PathBuf>,
    cpu: Option<u32>,
    containers: Vec<String>,
    /// Ports that were attached.
    attached: usize,
    started: Option<Instant>,
    program: Option<Program>,
    shown: Option<Shown>,
}

impl Custom {
    fn filled<T>(&self, fill: impl FnOnce(&Filling) -> T) -> T {
        let files: Vec<String> = self.definition.files.iter().map(|file| file.display().to_string()).collect();
        fill(&Filling {
            shape: self.shape,
            memory_mib: self.memory_mib,
            names: &self.names,
            configuration: CONFIGURATION,
            files: &files,
        })
    }

    /// The failure of a step, with the place of the key that says how it goes.
    fn failure(&self, doing: &str, problem: &str, key: &str) -> Failure {
        let message = format!("{doing} {}: {problem} ({})", self.shown_name, self.definition.place(&self.name, key));
        let last_lines = self.program.as_ref().map(Program::last_lines).unwrap_or_default();
        Failure { last_lines, ..Failure::new(FailureKind::Scene, message) }
    }

    fn run(&mut self) -> Result<(), Failure> {
        telemetry::remove();
        self.shown = Some(Shown::only(&self.software)?);
        if let Some(configuration) = &self.definition.configuration {
            let text = self.filled(|filling| filling.text(configuration));
            fs::create_dir_all(FOLDER)
                .and_then(|()| fs::write(CONFIGURATION, text))
                .scene(|| format!("write the configuration of {}", self.shown_name))?;
        }
        let start = Start {
            name: self.shown_name,
            program: &self.definition.program,
            arguments: &self.filled(|filling| filling.words(&self.definition.start)),
            environment: &[],
            cpu: self.cpu,
            folder: Path::new(FOLDER),
        };
        self.program = Some(Program::start(&start)?);
        self.started = Some(Instant::now());
        Ok(())
    }

    /// Runs a program of the definition to its end; what it said.
    fn tool(&mut self, key: &'static str, doing: &str, tool: &Tool, arguments: &[String]) -> Result<String, Failure> {
        let log = Path::new(FOLDER).join(format!("{key}.log"));
        // What it said when it was run last is no answer.
        match fs::remove_file(&log) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).scene(|| doing.to_string());
            }
            _ => {}
        }
        let start = Start {
            name: key,
            program: &tool.program,
            arguments,
            environment: &[],
            cpu: self.cpu,
            folder: Path::new(FOLDER),
        };
        // It may wait for the switch, which is told when that has died.
        let mut others = || self.program.as_mut().map_or(Ok(()), Program::check);
        let ran = Program::run(&start, Instant::now() + TOOL, &mut others);
        ran.or_else(|failure| {
            self.alive()?;
            let last_lines = failure.last_lines.clone();
            Err(Failure { last_lines, ..self.failure(doing, &failure.message, key) })
        })
    }

    /// The switch's program; an error if it has died.
    fn alive(&mut self) -> Result<&mut Program, Failure> {
        let dead = match &mut self.program {
            None => {
                return Err(Failure::new(FailureKind::Scene, format!("speak to {}: it was not started", self.name)));
            }
            Some(program) => program.check().err(),
        };
        if let Some(failure) = dead {
            let message = format!("{} ({})", failure.message, self.definition.place(&self.name, "start"));
            return Err(Failure { message, ..failure });
        }
        self.program.as_mut().ok_or_else(|| Failure::new(FailureKind::Scene, "speak to a switch".to_string()))
    }

    /// What it has not said yet of what it says when it forwards.
    fn unsaid(&self, said: &str) -> Option<String> {
        let words = self.filled(|filling| filling.words(&self.definition.ready));
        words.into_iter().find(|words| !said.contains(words.as_str()))
    }

    /// Whether it is late; a failure then.
    fn late(&self, problem: &str, key: &str) -> Result<(), Failure> {
        let within = Duration::from_secs(self.definition.ready_within_s);
        match self.started.is_some_and(|started| started.elapsed() > within) {
            true => Err(self.failure("join ports of", &format!("{problem} within {} s", within.as_secs()), key)),
            false => Ok(()),
        }
    }
}

impl Switch for Custom {
    fn attach(&mut self, container: &CheckedContainer, _process: Pid) -> Result<(), Failure> {
        self.containers.push(container.name.clone());
        Ok(())
    }

    /// One that makes the sockets has made them.
    fn ready(&mut self, deadline: Instant) -> Result<(), Failure> {
        if self.definition.sockets == Sockets::Application {
            return Ok(());
        }
        while self.definition.attach.is_none()
            && let Some(missing) = self.sockets.iter().position(|socket| !socket.exists())
        {
            self.alive()?;
            self.late(&format!("it has not made the socket of port {missing}"), "start")?;
            if Instant::now() >= deadline {
                return Err(self.failure("start", &format!("it has not made the socket of port {missing}"), "start"));
            }
            pause()?;
        }
        // Ports that are attached have their sockets from then on, and applications look for them at once.
        while self.definition.attach.is_some() && !self.attach_ports()? {
            pause()?;
        }
        Ok(())
    }

    fn join(&mut self, _have_memory: &dyn Fn() -> bool) -> Result<bool, Failure> {
        if self.program.is_none() {
            if !self.sockets.iter().all(|socket| socket.exists()) {
                return Ok(false);
            }
            self.run()?;
        }
        if !self.attach_ports()? {
            return Ok(false);
        }
        let said = self.alive()?.said();
        let refusal = |line: &&str| self.definition.refused.iter().any(|words| line.contains(words.as_str()));
        if let Some(line) = said.lines().find(refusal) {
            return Err(self.failure("join ports of", line, "refused"));
        }
        match self.unsaid(&said) {
            None => Ok(true),
            Some(words) => self.late(&format!("it has not said {words:?}"), "ready").map(|()| false),
        }
    }

    fn counters(&mut self) -> Result<Vec<PortCounters>, Failure> {
        self.alive()?;
        let tool = match &self.definition.counters {
            Counters::None => return Ok(Vec::new()),
            Counters::DpdkTelemetry => return telemetry::counters(&self.containers),
            Counters::Tool(tool) => tool.clone(),
        };
        let arguments = self.filled(|filling| filling.words(&tool.arguments));
        let said = self.tool("counters", "ask for the counters of", &tool, &arguments)?;
        let wrong = |problem: String| self.failure("read the counters of", &problem, "counters");
        let counted = said.lines().filter(|line| !line.trim().is_empty()).map(|line| {
            let shown: String = line.chars().take(200).collect();
            serde_json::from_str::<Counted>(line)
                .map_err(|error| wrong(format!("{shown:?} is no line of JSON with counts of a port: {error}")))
        });
        let counted: BTreeMap<usize, Counted> = counted
            .map(|counted| Ok((counted.as_ref().map_or(0, |counted| counted.port), counted?)))
            .collect::<Result<_, Failure>>()?;
        let port = |(port, container): (usize, &String)| {
            let Counted { received, sent, received_dropped, sent_dropped, .. } =
                counted.get(&port).ok_or_else(|| wrong(format!("it said nothing of port {port}")))?;
            Ok(PortCounters {
                container: container.clone(),
                received: *received,
                sent: *sent,
                received_dropped: *received_dropped,
                sent_dropped: *sent_dropped,
            })
        };
        self.containers.iter().enumerate().map(port).collect()
    }

    fn reported(&mut self) -> Result<Option<String>, Failure> {
        self.alive()?;
        match (self.definition.version.clone(), &self.definition.counters) {
            (Some(tool), _) => {
                let arguments = self.filled(|filling| filling.words(&tool.arguments));
                let said = self.tool("version", "ask for the version of", &tool, &arguments)?;
                let line = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
                Ok(Some(line.chars().filter(|c| !c.is_control()).take(VERSION_CHARS_MAX).collect()))
            }
            (None, Counters::DpdkTelemetry) => telemetry::version(),
            (None, _) => Ok(None),
        }
    }

    fn processes(&self) -> Vec<(String, Pid)> {
        self.program.iter().map(|program| (program.name.into(), program.pid)).collect()
    }

    fn ended(&mut self, process: Pid, status: i32) -> Option<(String, Vec<String>)> {
        let place = self.definition.place(&self.name, "start");
        let program = self.program.as_mut()?;
        program.ended(process, status).then(|| (format!("{} ({place})", program.name), program.last_lines()))
    }

    fn stop(&mut self) -> Result<(), Failure> {
        let mut result = Ok(());
        if let Some(program) = &mut self.program {
            let signal = match self.definition.stop {
                Stop::Kill => None,
                Stop::Term => Some(Signal::SIGTERM),
                Stop::Int => Some(Signal::SIGINT),
            };
            if let Some(signal) = signal {
                // It may have ended by itself just now; what goes on is killed.
                let _ = kill(program.pid, signal);
                let deadline = Instant::now() + STOP;
                while program.check().is_ok() && Instant::now() < deadline {
                    pause()?;
                }
            }
            result = program.kill();
        }
        if let Some(shown) = self.shown.take() {
            result = result.and(shown.all());
        }
        telemetry::remove();
        match fs::remove_dir_all(FOLDER) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                result.and(Err(error).scene(|| format!("remove the folder of {}", self.shown_name)))
            }
            _ => result,
        }
    }
}

impl Custom {
    /// Attaches ports once it has said that it is started; whether all of them are.
    fn attach_ports(&mut self) -> Result<bool, Failure> {
        let said = self.alive()?.said();
        if let Some(words) = self.definition.started.clone().filter(|words| !said.contains(words.as_str())) {
            return self.late(&format!("it has not said {words:?}"), "started").map(|()| false);
        }
        let Some(tool) = self.definition.attach.clone() else { return Ok(true) };
        while self.attached < self.containers.len() {
            let port = self.attached;
            let arguments: Vec<String> =
                self.filled(|filling| tool.arguments.texts().map(|text| filling.fill(text, port)).collect());
            self.tool("attach", &format!("attach port {port} of"), &tool, &arguments)?;
            self.attached += 1;
        }
        Ok(true)
    }
}
