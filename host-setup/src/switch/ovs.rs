//! Open vSwitch with DPDK: a database, a daemon and a bridge of its own, below the agent's private /run and in the
//! agent's network namespace, in which its taps die with it. Never the host's own. It must not know what is at
//! the ends.

mod written;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use self::written::{bridge_settings, in_two, mask, port, render, settings, uplink_port};
use super::forwarder::Names;
use super::plugins::Shown;
use super::program::{Program, Start, pause};
use super::software::made_of;
use super::source::{ProgramFile, Source};
use super::uplink::{By, UPLINK};
use super::{Descriptor, Driver, Entry, Forwards, MemoryUse, Shape, Site, Software, Switch, dpctl, unixctl, vhost};
use crate::cpulist;
use crate::eal::Memory;
use crate::failure::During;
use crate::netlink::Netlink;
use crate::patience::Patience;
use crate::protocol::{Failure, FailureKind, PortCounters, UplinkState};
use crate::scene;
use crate::scene::checked::CheckedContainer;

/// The line in the table.
pub(super) static ENTRY: Entry =
    Entry { descriptor, driver: Some(Driver { render, programs: Some(software), beside: None, start, sysctls: &[] }) };

/// For its shared pool of packet buffers (262,144 of them) and itself, MiB.
const MEMORY_MIB: u32 = 1024;

/// In the order of [`Parts`].
const PARTS: [ProgramFile; 5] = [
    ProgramFile {
        system: &["/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"],
        inside: &["lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk", "sbin/ovs-vswitchd", "bin/ovs-vswitchd"],
    },
    ProgramFile { system: &["/usr/sbin/ovsdb-server"], inside: &["sbin/ovsdb-server", "bin/ovsdb-server"] },
    ProgramFile { system: &["/usr/bin/ovsdb-tool"], inside: &["bin/ovsdb-tool"] },
    ProgramFile { system: &["/usr/bin/ovs-vsctl"], inside: &["bin/ovs-vsctl"] },
    ProgramFile {
        system: &["/usr/share/openvswitch/vswitch.ovsschema"],
        inside: &["share/openvswitch/vswitch.ovsschema"],
    },
];
const DRIVERS: [&str; 2] = ["bus_vdev", "mempool_ring"];
const PACKAGES: [&str; 3] = ["openvswitch-switch-dpdk", "openvswitch-switch", "openvswitch-common"];

/// Below the worker's private /run.
const FOLDER: &str = "/run/septet/ovs";
const BRIDGE: &str = "br0";
/// Links of its datapath in the agent's network namespace.
const TAPS: [&str; 2] = [BRIDGE, "ovs-netdev"];
/// What the daemon says when DPDK and the bridge stand.
const STANDS: [&str; 2] = ["DPDK Enabled - initialized", "bridge br0: added interface br0"];
/// A step of a small program takes milliseconds, more beside what polls; this bounds a host that hangs.
const STEP: Duration = Duration::from_secs(60);
/// DPDK and the bridge stand within a second; a loaded host takes its time.
const STANDING: Duration = Duration::from_secs(30);
/// NUMA nodes that have memory.
const NODES: &str = "/sys/devices/system/node/has_memory";

fn descriptor() -> Descriptor {
    let memory = MemoryUse::Pages {
        modes: vec![Memory::Hugepages2m],
        why: "it was never seen to pass packets so".into(),
        own_mib: MEMORY_MIB,
        port_mib: 0,
    };
    Descriptor {
        forwards: Forwards::Learning,
        uplink: true,
        packages: PACKAGES.map(str::to_owned).into(),
        needs_root: Some("its datapath makes taps".into()),
        renews: true,
        ..vhost::descriptor("ovs", memory)
    }
}

fn software(source: &Source) -> Result<Software, String> {
    made_of(source, &PARTS, &PACKAGES, &DRIVERS)
}

fn start(site: &Site) -> Result<Box<dyn Switch>, Failure> {
    Ok(Box::new(Ovs::start(site)?))
}

/// The switch's programs and their environment.
struct Parts {
    daemon: PathBuf,
    database: PathBuf,
    tool: PathBuf,
    control: PathBuf,
    schema: PathBuf,
    environment: Vec<String>,
}

impl Parts {
    fn of(software: &Software) -> Result<Parts, Failure> {
        let [daemon, database, tool, control, schema] = <[PathBuf; 5]>::try_from(software.programs.clone())
            .map_err(|programs| Failure::new(FailureKind::Host, format!("find the parts of ovs among {programs:?}")))?;
        let folders = ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"];
        let environment = folders.iter().map(|name| format!("{name}={FOLDER}"));
        let environment = environment.chain(software.environment()).collect();
        Ok(Parts { daemon, database, tool, control, schema, environment })
    }

    fn start(
        &self,
        name: &'static str,
        program: &Path,
        arguments: &[String],
        cpu: Option<u32>,
    ) -> Result<Program, Failure> {
        let folder = Path::new(FOLDER);
        Program::start(&Start { name, program, arguments, environment: &self.environment, cpu, folder })
    }
}

/// How far the ports are. One that finds no socket tries again only after a second, and to have its memory takes longer
/// than anything else about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ports {
    Absent,
    Made,
    /// To their sockets.
    Led,
}

/// One that stands.
struct Ovs {
    parts: Parts,
    database: Option<Program>,
    daemon: Option<Program>,
    shown: Option<Shown>,
    cpu: Option<u32>,
    containers: Vec<String>,
    sockets: Vec<PathBuf>,
    uplink: Option<scene::Uplink>,
    /// What is left to wait for the daemon.
    patience: Patience,
    ports: Ports,
    /// How much the daemon had said when applications were started anew; nothing before that.
    renewed: Option<usize>,
}

impl Ovs {
    fn start(site: &Site) -> Result<Ovs, Failure> {
        let uplink = site.scene.switch.uplink.clone();
        let software = software(&site.source()?).host(|| "start ovs".into())?;
        let software = software.with_uplink(uplink.as_ref());
        let mut ovs = Ovs {
            parts: Parts::of(&software)?,
            database: None,
            daemon: None,
            shown: None,
            cpu: site.scene.housekeeping,
            containers: Vec::new(),
            sockets: vhost::sockets(site.scene)?,
            uplink,
            patience: Patience::of(STANDING),
            ports: Ports::Absent,
            renewed: None,
        };
        match ovs.raise(site, &software) {
            Ok(()) => Ok(ovs),
            Err(failure) => {
                ovs.stop()?;
                Err(failure)
            }
        }
    }

    fn raise(&mut self, site: &Site, software: &Software) -> Result<(), Failure> {
        let shape = Shape::of(&site.scene.switch, site.scene.containers.len());
        let settings = settings(&shape, &Names::of(site.scene)?, mask);
        if let Some(scene::Uplink { device, by: By::AfPacket | By::AfXdp, .. }) = &self.uplink {
            let up = Netlink::open().and_then(|mut netlink| netlink.set_up(device, false));
            up.scene(|| format!("bring {device} up"))?;
        }
        fs::create_dir_all(FOLDER).scene(|| "create a folder for ovs".into())?;
        let schema = self.parts.schema.display().to_string();
        self.run("ovsdb-tool", &["create".into(), in_folder("conf.db"), schema])?;
        let quiet = ["-vsyslog:off".to_owned(), "-vfile:off".to_owned()];
        let mut arguments = vec![
            in_folder("conf.db"),
            format!("--remote=punix:{}", in_folder("db.sock")),
            format!("--unixctl={}", in_folder("database.ctl")),
            "-vconsole:warn".into(),
        ];
        arguments.extend(quiet.clone());
        let database =
            self.database.insert(self.parts.start("ovsdb-server", &self.parts.database, &arguments, self.cpu)?);
        let deadline = Instant::now() + STEP;
        while !Path::new(&in_folder("db.sock")).exists() {
            database.check()?;
            if Instant::now() >= deadline {
                return Err(database.failure("wait for", "it did not open its socket in time"));
            }
            pause()?;
        }
        let mut words = vec!["--no-wait".to_owned(), "init".into(), "--".into(), "set".into(), "Open_vSwitch".into()];
        words.push(".".into());
        words.extend(settings);
        words.extend(["--", "add-br", BRIDGE, "--", "set", "Bridge", BRIDGE].map(str::to_owned));
        words.extend(bridge_settings(shape.uplink));
        self.control(&words)?;
        let mut arguments = vec![
            format!("unix:{}", in_folder("db.sock")),
            format!("--unixctl={}", in_folder("daemon.ctl")),
            "-vconsole:info".into(),
        ];
        arguments.extend(quiet);
        self.shown = Some(Shown::only(software)?);
        self.daemon = Some(self.parts.start("ovs-vswitchd", &self.parts.daemon, &arguments, self.cpu)?);
        Ok(())
    }

    fn run(&mut self, name: &'static str, arguments: &[String]) -> Result<String, Failure> {
        let Ovs { parts, database, daemon, cpu, .. } = self;
        let start = Start {
            name,
            program: if name == "ovsdb-tool" { &parts.tool } else { &parts.control },
            arguments,
            environment: &parts.environment,
            cpu: *cpu,
            folder: &Path::new(FOLDER).join("once"),
        };
        let mut others = || [&mut *database, &mut *daemon].into_iter().flatten().try_for_each(Program::check);
        let result = Program::run(&start, Instant::now() + STEP, &mut others);
        fs::remove_dir_all(start.folder).scene(|| format!("remove what {name} said"))?;
        result
    }

    /// Runs the control program; what it printed.
    fn control(&mut self, words: &[String]) -> Result<String, Failure> {
        let mut arguments =
            vec![format!("--db=unix:{}", in_folder("db.sock")), format!("--timeout={}", STEP.as_secs())];
        arguments.extend_from_slice(words);
        self.run("ovs-vsctl", &arguments)
    }

    fn daemon(&mut self) -> Result<&mut Program, Failure> {
        self.daemon.as_mut().ok_or_else(|| Failure::new(FailureKind::Scene, "speak to ovs: it was not started"))
    }

    fn check(&mut self) -> Result<(), Failure> {
        self.database.as_mut().map_or(Ok(()), Program::check)?;
        self.daemon()?.check()
    }

    /// Whether DPDK and the bridge stand.
    fn stands(&mut self) -> Result<bool, Failure> {
        let said = self.daemon()?.said();
        Ok(STANDS.iter().all(|words| said.contains(words)))
    }

    /// Each port in two parts: what makes it, and what leads it to its socket.
    fn ports_in_two(&self) -> impl Iterator<Item = (Vec<String>, Vec<String>)> {
        let sockets = self.sockets.iter().enumerate();
        sockets.map(|(place, socket)| in_two(port(place, &socket.display().to_string())))
    }

    /// Tells the daemon of ports.
    fn tell(&mut self, words: &[String]) -> Result<(), Failure> {
        let told = self.control(words);
        told.map(drop).or_else(|failure| Err(Failure { last_lines: self.daemon()?.last_lines(), ..failure }))
    }

    fn make_ports(&mut self) -> Result<(), Failure> {
        let mut words: Vec<String> = self.ports_in_two().flat_map(|(made, _)| made).collect();
        if let Some(scene::Uplink { device, by, .. }) = &self.uplink {
            words.extend(uplink_port(*by, device, self.sockets.len()));
        }
        self.tell(&words)
    }

    fn lead_ports(&mut self) -> Result<(), Failure> {
        let words: Vec<String> = self.ports_in_two().flat_map(|(_, led)| led).collect();
        self.tell(&words)?;
        let mut words = Vec::new();
        let ports = (0..self.sockets.len()).map(|place| format!("p{place}"));
        for port in ports.chain(self.uplink.iter().map(|_| UPLINK.to_owned())) {
            words.extend(["--".to_owned(), "get".into(), "Interface".into(), port, "error".into()]);
        }
        let errors = self.control(&words)?;
        if let Some(problem) = errors.lines().find(|line| line.trim() != "[]") {
            return Err(self.daemon()?.failure("add a port to", problem.trim()));
        }
        Ok(())
    }
}

impl Ovs {
    /// What its ports counted; which one of them tells nothing.
    fn told(&self) -> Result<Result<Vec<PortCounters>, String>, Failure> {
        let doing = || "read the counters of ovs".to_string();
        let text = unixctl::ask(Path::new(&in_folder("daemon.ctl")), "dpctl/show", &["-s"]).scene(doing)?;
        let ports = self.containers.iter().enumerate().map(|(place, name)| (format!("p{place}"), name.as_str()));
        let uplink = self.uplink.iter().map(|_| (UPLINK.to_owned(), UPLINK));
        Ok(dpctl::counters(&text, ports.chain(uplink)))
    }
}

/// Whether all of the host's memory is near every core.
fn has_one_node() -> bool {
    fs::read_to_string(NODES).is_ok_and(|nodes| cpulist::parse(nodes.trim()).len() == 1)
}

fn in_folder(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

impl Switch for Ovs {
    fn attach(&mut self, container: &CheckedContainer, _process: Pid) -> Result<(), Failure> {
        self.containers.push(container.name.clone());
        Ok(())
    }

    /// Where memory is all of one node, DPDK starts while that of the applications does. Where it is not, they could leave
    /// none on the node of its core, and it takes what it needs before them.
    fn ready(&mut self, deadline: Instant) -> Result<(), Failure> {
        if has_one_node() {
            return self.check();
        }
        loop {
            self.check()?;
            if self.stands()? {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(self.daemon()?.failure("wait for", "DPDK and its bridge did not come up in time"));
            }
            pause()?;
        }
    }

    fn join(&mut self, have_memory: &dyn Fn() -> bool) -> Result<bool, Failure> {
        self.check()?;
        let listen = self.ports != Ports::Led && self.sockets.iter().all(|socket| socket.exists());
        if self.ports == Ports::Absent {
            if !self.stands()? {
                return match self.patience.is_over() {
                    true => Err(self.daemon()?.failure("wait for", "DPDK and its bridge did not come up in time")),
                    false => Ok(false),
                };
            }
            if !listen && !have_memory() {
                return Ok(false);
            }
            self.make_ports()?;
            self.ports = Ports::Made;
        }
        if self.ports == Ports::Made {
            // While memory was found for them, applications went on.
            if !self.sockets.iter().all(|socket| socket.exists()) {
                return Ok(false);
            }
            self.lead_ports()?;
            self.ports = Ports::Led;
        }
        let said = self.daemon()?.said();
        let of_these = said.get(self.renewed.unwrap_or(0)..).unwrap_or_default();
        match vhost::forward(of_these, &self.sockets) {
            // A port that was there before has counts all the time, and the daemon says when it has taken it up again.
            Ok(true) if self.renewed.is_some() && !self.sockets.iter().all(|socket| taken_up(of_these, socket)) => {
                Ok(false)
            }
            // The library says so before the datapath has taken the port up: until then it drops what it is to send there,
            // receives nothing, and has no counts.
            Ok(forward) => Ok(forward && self.told()?.is_ok() && self.uplink()?.is_none_or(|uplink| uplink.carrier)),
            Err(line) => Err(self.daemon()?.failure("join ports of", &line)),
        }
    }

    fn renew(&mut self) -> Result<(), Failure> {
        self.renewed = Some(self.daemon()?.said().len());
        Ok(())
    }

    /// A card that the kernel has is the kernel's to tell of.
    fn uplink(&mut self) -> Result<Option<UplinkState>, Failure> {
        if self.uplink.as_ref().is_none_or(|uplink| uplink.by != By::Pci) {
            return Ok(None);
        }
        let columns = ["link_state", "link_resets"];
        let row = unixctl::row(Path::new(&in_folder("db.sock")), "Interface", UPLINK, &columns);
        let row = row.scene(|| "ask ovs how its uplink stands".into())?;
        let changes = row["link_resets"].as_u64().and_then(|resets| u32::try_from(resets).ok());
        Ok(Some(UplinkState { carrier: row["link_state"] == "up", changes: changes.unwrap_or(0) }))
    }

    fn counters(&mut self) -> Result<Vec<PortCounters>, Failure> {
        self.check()?;
        self.told()?.scene(|| "read the counters of ovs".to_string())
    }

    fn reported(&mut self) -> Result<Option<String>, Failure> {
        Ok(version(&self.daemon()?.said()))
    }

    fn processes(&self) -> Vec<(String, Pid)> {
        self.database.iter().chain(&self.daemon).map(|program| (program.name.into(), program.pid)).collect()
    }

    fn ended(&mut self, process: Pid, status: i32) -> Option<(String, Vec<String>)> {
        let mut programs = self.database.iter_mut().chain(&mut self.daemon);
        let program = programs.find(|program| program.pid == process)?;
        program.ended(process, status).then(|| (program.name.into(), program.last_lines()))
    }

    fn stop(&mut self) -> Result<(), Failure> {
        let mut result = Ok(());
        for program in self.daemon.iter_mut().chain(&mut self.database) {
            result = result.and(program.kill());
        }
        if let Some(shown) = self.shown.take() {
            result = result.and(shown.all());
        }
        // Its taps are made to outlive it.
        let taps = Netlink::open().and_then(|mut netlink| TAPS.iter().try_for_each(|tap| netlink.delete(tap)));
        result = result.and(taps.scene(|| "delete the taps of ovs".into()));
        match fs::remove_dir_all(FOLDER) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                result.and(Err(error).scene(|| "remove the folder of ovs".into()))
            }
            _ => result,
        }
    }
}

/// Whether the daemon says that its datapath has taken up what is at a socket.
fn taken_up(said: &str, socket: &Path) -> bool {
    said.contains(&format!("vHost Device '{}' has been added", socket.display()))
}

/// The versions of itself and of DPDK that the daemon says when it starts.
fn version(said: &str) -> Option<String> {
    let after = |words: &str| {
        let rest = said.lines().find_map(|line| line.split_once(words))?.1;
        rest.split_whitespace().next().map(str::to_owned)
    };
    let own = after("(Open vSwitch) ")?;
    let dpdk = after("Using DPDK ").map(|version| format!(", DPDK {version}"));
    Some(format!("Open vSwitch {own}{}", dpdk.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemon_says_its_versions() {
        let said = "2026-11-22T10:00:00Z|00007|dpdk|INFO|Using DPDK 22.11.11\n\
                    2026-11-22T10:00:01Z|00015|bridge|INFO|ovs-vswitchd (Open vSwitch) 3.1.0\n";
        assert_eq!(version(said).as_deref(), Some("Open vSwitch 3.1.0, DPDK 22.11.11"));
        assert_eq!(version(""), None);
    }
}
