//! VPP with vhost-user ports in one bridge domain that learns addresses: a start-up configuration, and lines that are
//! told to it over its control socket, each of whose answers is looked at. It must not know what is at the ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::forwarder::{Names, pages};
use super::kept::{Kept, Single, Way};
use super::program::pause;
use super::software::made_of;
use super::source::{ProgramFile, Source};
use super::uplink::{By, UPLINK, Uplink};
use super::vppctl::Cli;
use super::{Descriptor, Driver, Entry, Forwards, MemoryUse, Shape, Site, Software, Switch, vhost};
use crate::affinity;
use crate::eal::Memory;
use crate::failure::During;
use crate::netlink::Netlink;
use crate::protocol::{Failure, FailureKind, PortCounters, UplinkState};

/// The line in the table.
pub(super) static ENTRY: Entry =
    Entry { descriptor, driver: Some(Driver { render, programs: Some(software), beside: None, start, sysctls: &[] }) };

const NAME: &str = "vpp";
/// Where fd.io's packages and VPP's own `make install` put the program.
const PROGRAMS: [ProgramFile; 1] =
    [ProgramFile { system: &["/usr/bin/vpp", "/usr/local/bin/vpp"], inside: &["bin/vpp"] }];
const PACKAGES: [&str; 2] = ["vpp", "vpp-plugin-core"];
/// What it loads by itself of the folder of plugins, all others being disabled; and what it takes for an uplink.
const PLUGINS: [&str; 1] = ["vhost_plugin.so"];
const UPLINK_PLUGINS: [(By, &str); 2] = [(By::AfPacket, "af_packet_plugin.so"), (By::Pci, "dpdk_plugin.so")];
/// Below the libraries that it is installed with: plugins, of which it is told where they are, and what it loads
/// whatever it is told.
const PLUGIN_FOLDER: &str = "vpp_plugins";
const ENGINE_FOLDER: &str = "vpp_crypto_engines";
/// Below the worker's private /run.
const FOLDER: &str = "/run/septet/vpp";
/// What its threads but the first are called; a number follows.
const WORKER: &str = "vpp_wk_";
/// Size of VPP's heap, MiB.
const HEAP_MIB: u32 = 256;
/// Number of VPP's buffers, each 2048 bytes and its headroom.
const BUFFERS: u32 = 16_384;
const OWN_MIB: u32 = HEAP_MIB + 64;

fn descriptor() -> Descriptor {
    let memory = MemoryUse::Pages {
        modes: vec![Memory::Hugepages2m, Memory::NoHuge],
        why: "it has buffers of its own".into(),
        own_mib: OWN_MIB,
        port_mib: 0,
    };
    Descriptor {
        forwards: Forwards::Learning,
        uplink: true,
        packages: PACKAGES.map(str::to_owned).into(),
        needs_root: Some("its workers keep to their cores".into()),
        ..vhost::descriptor(NAME, memory)
    }
}

/// The configuration that it is started with.
fn configuration(shape: &Shape, names: &Names, plugins: &str) -> String {
    let page = match pages(shape) {
        Memory::Hugepages2m => "default-hugepage",
        Memory::NoHuge => "default",
    };
    let workers = match &*names.cores {
        [] => String::new(),
        cores => format!(" corelist-workers {}", cores.join(",")),
    };
    let of_uplink = UPLINK_PLUGINS.iter().filter(|(by, _)| shape.uplink.is_some_and(|uplink| uplink.by == *by));
    let enabled = PLUGINS.iter().chain(of_uplink.map(|(_, plugin)| plugin));
    let enabled: String = enabled.map(|plugin| format!(" plugin {plugin} {{ enable }}")).collect();
    // Whoever starts it has bound the card.
    let card = match shape.uplink {
        Some(Uplink { by: By::Pci, .. }) => {
            format!("dpdk {{ uio-driver vfio-pci dev {} {{ name {UPLINK} }} }}\n", names.uplink)
        }
        _ => String::new(),
    };
    format!(
        "unix {{ nodaemon nosyslog nocolor nobanner runtime-dir {FOLDER} cli-listen {FOLDER}/cli.sock pidfile \
         {FOLDER}/vpp.pid }}\n\
         api-segment {{ prefix septet }}\n\
         socksvr {{ socket-name {FOLDER}/api.sock }}\n\
         statseg {{ socket-name {FOLDER}/stats.sock size 32M page-size default }}\n\
         memory {{ main-heap-size {HEAP_MIB}M main-heap-page-size {page} }}\n\
         cpu {{ main-core {}{workers} }}\n\
         buffers {{ buffers-per-numa {BUFFERS} default data-size 2048 page-size {page} }}\n\
         plugins {{ path {plugins} plugin default {{ disable }}{enabled} }}\n{card}",
        names.main
    )
}

/// The lines that make the bridge domain, each with the answer to it.
fn bridge() -> [(String, String); 1] {
    let line = "create bridge-domain 1 learn 1 forward 1 flood 1 uu-flood 1 arp-term 0 mac-age 5";
    [(line.into(), "bridge-domain 1".into())]
}

/// VPP's name of a port.
fn interface(place: usize) -> String {
    format!("VirtualEthernet0/0/{place}")
}

/// The lines that add a port, each with the answer to it.
fn port(place: usize, socket: &str) -> [(String, String); 3] {
    let name = interface(place);
    [
        (format!("create vhost-user socket {socket}"), name.clone()),
        (format!("set interface l2 bridge {name} 1"), String::new()),
        (format!("set interface state {name} up"), String::new()),
    ]
}

/// The lines that add what leads to another host, each with the answer to it. A card is an interface from the start.
fn uplink_port(by: By, device: &str) -> Vec<(String, String)> {
    let name = uplink_interface(by, device);
    let made = (by != By::Pci).then(|| (format!("create host-interface name {device}"), name.clone()));
    let joined = (format!("set interface l2 bridge {name} 1"), String::new());
    made.into_iter().chain([joined, (format!("set interface state {name} up"), String::new())]).collect()
}

/// VPP's name of the uplink.
fn uplink_interface(by: By, device: &str) -> String {
    if by == By::Pci { UPLINK.to_owned() } else { format!("host-{device}") }
}

fn render(shape: &Shape) -> String {
    let names = Names::neutral(shape.cores, shape.ports);
    let ports = names.sockets.iter().enumerate().flat_map(|(place, socket)| port(place, socket));
    let uplink = shape.uplink.iter().flat_map(|uplink| uplink_port(uplink.by, &names.uplink));
    let lines: String = bridge().into_iter().chain(ports).chain(uplink).map(|(line, _)| line + "\n").collect();
    let queues = format!("queues {}, as each port's driver says\n", shape.queues);
    configuration(shape, &names, "PLUGINS") + &lines + &queues
}

/// Folders of libraries of the place where a program is installed.
fn libraries(program: &Path) -> impl Iterator<Item = PathBuf> {
    let prefix = program.parent().and_then(Path::parent).unwrap_or(Path::new("/")).to_path_buf();
    let multiarch = format!("lib/{}-linux-gnu", std::env::consts::ARCH);
    [multiarch, "lib64".into(), "lib".into()].into_iter().map(move |folder| prefix.join(folder))
}

/// The folder of plugins of a program.
fn plugins_of(program: &Path) -> Result<PathBuf, String> {
    let folders: Vec<PathBuf> = libraries(program).map(|folder| folder.join(PLUGIN_FOLDER)).collect();
    let has = |folder: &&PathBuf| PLUGINS.iter().all(|plugin| folder.join(plugin).is_file());
    folders.iter().find(has).cloned().ok_or_else(|| {
        let looked: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
        format!("vpp is there without {}: looked in {}", PLUGINS.join(", "), looked.join(", "))
    })
}

/// What it loads besides its plugins.
fn engines_of(program: &Path) -> Vec<PathBuf> {
    let entries = libraries(program).filter_map(|folder| fs::read_dir(folder.join(ENGINE_FOLDER)).ok());
    let mut engines: Vec<PathBuf> = entries.flatten().flatten().map(|entry| entry.path()).collect();
    engines.retain(|path| path.extension().is_some_and(|extension| extension == "so"));
    engines.sort();
    engines
}

fn software(source: &Source) -> Result<Software, String> {
    let mut software = made_of(source, &PROGRAMS, &PACKAGES, &[])?;
    if let Some(program) = software.programs.first().filter(|program| program.is_file()).cloned() {
        let folder = plugins_of(&program)?;
        let loaded = PLUGINS.iter().map(|plugin| folder.join(plugin)).chain(engines_of(&program));
        let plugin = |(by, plugin): &(By, &str)| (*by, vec![folder.join(plugin)]);
        let is_there = |(_, files): &(By, Vec<PathBuf>)| files.iter().all(|file| file.is_file());
        software.plugged = Some(UPLINK_PLUGINS.iter().map(plugin).filter(is_there).collect());
        // Plugins first, where whoever starts it finds their folder.
        software.loaded = loaded.chain(std::mem::take(&mut software.loaded)).collect();
    }
    Ok(software)
}

fn start(site: &Site) -> Result<Box<dyn Switch>, Failure> {
    let doing = || "start vpp".to_string();
    let software = software(&site.source()?).host(doing)?;
    let missing = || "it has no plugins";
    let plugins = software.loaded.first().and_then(|plugin| plugin.parent()).ok_or_else(missing).host(doing)?;
    let plugins = plugins.display().to_string();
    let uplink = site.scene.switch.uplink.clone();
    if let Some(uplink) = &uplink {
        // One without a plugin has no component, and so no test that could be measured.
        software.files_of_uplink(uplink.by, uplink.card.as_deref()).host(doing)?;
        if uplink.by != By::Pci {
            let up = Netlink::open().and_then(|mut netlink| netlink.set_up(&uplink.device, false));
            up.scene(|| format!("bring {} up", uplink.device))?;
        }
    }
    let shape = Shape::of(&site.scene.switch, site.scene.containers.len());
    let wanted = Cpus { main: site.scene.housekeeping, workers: site.scene.switch.cpus.clone() };
    let apart = wanted.apart(&affinity::granted().host(doing)?).host(doing)?;
    let mut names = Names::of(site.scene)?;
    (names.main, names.cores) = (apart[0].to_string(), apart[1..].iter().map(u32::to_string).collect());
    let mut kept = Kept::new(site, NAME, software, FOLDER, site.scene.housekeeping)?;
    let text = kept.write("startup.conf", &configuration(&shape, &names, &plugins))?;
    kept.start(&["-c".to_owned(), text.display().to_string()])?;
    Ok(Single::boxed(kept, Vpp { cpus: wanted, cli: None, uplink: uplink.map(|uplink| (uplink.by, uplink.device)) }))
}

/// Where its threads belong.
struct Cpus {
    main: Option<u32>,
    workers: Vec<u32>,
}

impl Cpus {
    /// CPUs to start on, the first thread's first: VPP starts no two threads on one CPU, which a host with few of them
    /// may ask for. Where these differ, they are those where threads belong.
    fn apart(&self, granted: &[u32]) -> Result<Vec<u32>, String> {
        let mut apart: Vec<u32> = Vec::new();
        // Workers come in order of CPUs, so they are told in that order.
        let mut workers = self.workers.clone();
        workers.sort_unstable();
        for cpu in self.main.into_iter().chain(workers) {
            match apart.contains(&cpu) {
                false => apart.push(cpu),
                true => {
                    let taken = |cpu: &&u32| !apart.contains(cpu) && !self.workers.contains(cpu);
                    let free = granted.iter().find(taken).or_else(|| granted.iter().find(|cpu| !apart.contains(cpu)));
                    let most = granted.len();
                    apart.push(*free.ok_or_else(|| format!("it starts one thread a CPU, and there are {most}"))?);
                }
            }
        }
        match self.main {
            Some(_) => Ok(apart),
            None => Err("no CPU is known for its first thread".into()),
        }
    }
}

/// One that runs.
struct Vpp {
    cpus: Cpus,
    cli: Option<Cli>,
    /// What leads to another host, and by what.
    uplink: Option<(By, String)>,
}

impl Vpp {
    fn ask(&mut self, line: &str) -> Result<String, Failure> {
        let doing = || format!("ask vpp to {line}");
        let cli = self.cli.as_mut().ok_or("it does not listen yet").scene(doing)?;
        cli.ask(line).scene(doing)
    }

    /// Tells it lines, each of which must be answered as it is said beside it.
    fn tell(&mut self, kept: &mut Kept, lines: impl IntoIterator<Item = (String, String)>) -> Result<(), Failure> {
        for (line, expected) in lines {
            let answer = self.ask(&line)?;
            if answer != expected {
                return Err(kept.running()?.failure(&format!("{line}, told to"), &format!("it answers {answer:?}")));
            }
        }
        Ok(())
    }

    /// Keeps each thread to the CPU where it belongs.
    fn place(&self, kept: &mut Kept) -> Result<(), Failure> {
        let doing = || "keep the threads of vpp to their CPUs".to_string();
        let process = kept.running()?.pid;
        if let Some(main) = self.cpus.main {
            affinity::pin_thread(process, main).scene(doing)?;
        }
        let mut workers = self.cpus.workers.clone();
        workers.sort_unstable();
        let mut found = 0;
        for entry in fs::read_dir(format!("/proc/{process}/task")).scene(doing)? {
            let thread = entry.scene(doing)?;
            let name = fs::read_to_string(thread.path().join("comm")).scene(doing)?;
            let number = name.trim().strip_prefix(WORKER).and_then(|number| number.parse::<usize>().ok());
            let id = thread.file_name().to_str().and_then(|id| id.parse().ok());
            if let (Some(cpu), Some(id)) = (number.and_then(|number| workers.get(number)), id) {
                affinity::pin_thread(nix::unistd::Pid::from_raw(id), *cpu).scene(doing)?;
                found += 1;
            }
        }
        match found == workers.len() {
            true => Ok(()),
            false => Err(Failure::new(FailureKind::Scene, format!("{}: {found} of {} poll", doing(), workers.len()))),
        }
    }
}

impl Way for Vpp {
    /// Waits for the workers: the socket exists before VPP answers, and VPP answers before its workers run.
    fn ready(&mut self, kept: &mut Kept, deadline: Instant) -> Result<(), Failure> {
        let socket = Path::new(FOLDER).join("cli.sock");
        while self.cli.is_none() {
            let program = kept.running()?;
            match Cli::dial(&socket) {
                Ok(cli) => self.cli = Some(cli),
                Err(_) if Instant::now() < deadline => pause()?,
                Err(error) => return Err(program.failure("wait for", &format!("no answer in time: {error}"))),
            }
        }
        self.tell(kept, bridge())?;
        self.place(kept)
    }

    fn begin(&mut self, kept: &mut Kept) -> Result<(), Failure> {
        for (place, socket) in kept.sockets.clone().iter().enumerate() {
            self.tell(kept, port(place, &socket.display().to_string()))?;
        }
        self.uplink.clone().map_or(Ok(()), |(by, device)| self.tell(kept, uplink_port(by, &device)))
    }

    fn forwards(&mut self, kept: &mut Kept) -> Result<bool, Failure> {
        kept.running()?;
        let text = self.ask("show hardware-interfaces brief")?;
        let card = self.uplink.iter().filter(|(by, _)| *by == By::Pci).map(|_| UPLINK.to_owned());
        Ok((0..kept.sockets.len()).map(interface).chain(card).all(|name| is_up(&text, &name)))
    }

    /// How often that has changed it does not count.
    fn uplink(&mut self, _kept: &mut Kept) -> Result<Option<UplinkState>, Failure> {
        if self.uplink.as_ref().is_none_or(|(by, _)| *by != By::Pci) {
            return Ok(None);
        }
        let text = self.ask("show hardware-interfaces brief")?;
        Ok(Some(UplinkState { carrier: is_up(&text, UPLINK), changes: 0 }))
    }

    fn counters(&mut self, kept: &mut Kept) -> Result<Vec<PortCounters>, Failure> {
        let (interfaces, errors) = (self.ask("show interface")?, self.ask("show errors")?);
        let ports = kept.containers.iter().enumerate().map(|(place, name)| (interface(place), name.as_str()));
        let uplink = self.uplink.iter().map(|(by, device)| (uplink_interface(*by, device), UPLINK));
        let port = |(port, end): (String, &str)| counters(&interfaces, &errors, &port, end);
        Ok(ports.chain(uplink).map(port).collect())
    }

    fn reported(&mut self, _kept: &mut Kept) -> Result<Option<String>, Failure> {
        Ok(version(&self.ask("show version")?))
    }

    /// All else lies in its folder, or in memory that is the agent's own.
    fn tidy(&mut self, _kept: &mut Kept) -> Result<(), Failure> {
        self.cli = None;
        for entry in fs::read_dir("/dev/shm").scene(|| "remove what vpp left".into())?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("septet-") {
                fs::remove_file(entry.path()).scene(|| "remove what vpp left".into())?;
            }
        }
        Ok(())
    }
}

/// Whether the application at a port has answered all of VPP's questions.
fn is_up(text: &str, name: &str) -> bool {
    text.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some(name) && words.nth(1) == Some("up")
    })
}

/// What `show interface` and `show errors` say of a port. What could not be given to it is counted as sent before that
/// is known, and what is lost on the way in, for want of buffers, in no other place than the sum of both.
fn counters(interfaces: &str, errors: &str, name: &str, container: &str) -> PortCounters {
    let starts = |line: &&str| line.split_whitespace().next() == Some(name);
    let mut lines = interfaces.lines().skip_while(|line| !starts(line));
    let first = lines.next().unwrap_or_default();
    let own: Vec<&str> = std::iter::once(first).chain(lines.take_while(|line| line.starts_with(' '))).collect();
    let count = |what: &str| -> u64 {
        let rest = own.iter().find_map(|line| line.split_once(what)).map_or("", |(_, rest)| rest);
        rest.trim().parse().unwrap_or(0)
    };
    let of_node = |node: &str, why: &str| -> u64 {
        let counted = errors.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            let count: u64 = words.next()?.parse().ok()?;
            (words.next() == Some(node) && line.contains(why)).then_some(count)
        });
        counted.sum()
    };
    let not_given = of_node(&format!("{name}-tx"), "");
    let unbuffered = of_node("vhost-user-input", "no available buffer");
    PortCounters {
        container: container.to_owned(),
        received: count("rx packets"),
        sent: count("tx packets").saturating_sub(not_given),
        received_dropped: count("drops").saturating_sub(not_given).min(unbuffered),
        sent_dropped: not_given,
    }
}

/// `vpp v25.06-release built by ...` is version `25.06-release`.
fn version(text: &str) -> Option<String> {
    let version = text.split_whitespace().skip_while(|word| *word != "vpp").nth(1)?;
    Some(format!("VPP {}", version.trim_start_matches('v')))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Interface counters in VPP 25.06's words.
    const INTERFACES: &str = concat!(
        "              Name               Idx    State  MTU (L3/IP4/IP6/MPLS)     Counter          Count     \n",
        "VirtualEthernet0/0/0              1      up          9000/0/0/0     rx packets                  1984\n",
        "                                                                    rx bytes                  119040\n",
        "                                                                    tx packets                     9\n",
        "                                                                    tx bytes                     540\n",
        "                                                                    drops                         11\n",
        "VirtualEthernet0/0/10             2      up          9000/0/0/0     tx packets                  1984\n",
        "local0                            0     down          0/0/0/0       "
    );
    const ERRORS: &str = concat!(
        "   Count                  Node                              Reason               Severity \n",
        "         5        vhost-user-input                    no available buffer              error   \n",
        "         6     VirtualEthernet0/0/0-tx     tx packet drops (no available descriptors)  error   \n",
        "      1986            l2-learn                              L2 learn packets           error   "
    );

    #[test]
    fn counts_are_of_a_port_and_what_it_was_not_given_is_not_sent() {
        let port =
            PortCounters { container: "send-0".into(), received: 1984, sent: 3, received_dropped: 5, sent_dropped: 6 };
        assert_eq!(counters(INTERFACES, ERRORS, &interface(0), "send-0"), port);
        let other =
            PortCounters { container: "x".into(), sent: 1984, received: 0, received_dropped: 0, sent_dropped: 0 };
        assert_eq!(counters(INTERFACES, ERRORS, &interface(10), "x"), other);
        let none = PortCounters { sent: 0, ..other };
        assert_eq!(counters(INTERFACES, ERRORS, &interface(1), "x"), none);
    }

    #[test]
    fn a_port_is_up_when_its_own_line_says_so() {
        let text = "              Name                Idx   Link  Hardware\n\
                    VirtualEthernet0/0/0               1     up   VirtualEthernet0/0/0\n  Link speed: unknown\n\
                    VirtualEthernet0/0/1               2    down  VirtualEthernet0/0/1\n";
        assert_eq!([0, 1, 2].map(|place| is_up(text, &interface(place))), [true, false, false]);
    }

    #[test]
    fn the_version_is_its_own() {
        let said = "vpp v25.06-release built by root on vm at 2026-11-27T04:14:48";
        assert_eq!(version(said).as_deref(), Some("VPP 25.06-release"));
        assert_eq!(version("unknown input"), None);
    }

    #[test]
    fn no_two_threads_start_on_one_cpu() {
        let apart = |main, workers: &[u32], granted: &[u32]| Cpus { main, workers: workers.to_vec() }.apart(granted);
        assert_eq!(apart(Some(0), &[3, 2], &[0, 1, 2, 3]), Ok(vec![0, 2, 3]));
        assert_eq!(apart(Some(0), &[0], &[0, 1]), Ok(vec![0, 1]));
        assert_eq!(apart(Some(1), &[1, 2], &[0, 1, 2, 3]), Ok(vec![1, 0, 2]));
        assert!(apart(Some(0), &[0, 1], &[0, 1]).is_err_and(|why| why.contains("there are 2")));
        assert!(apart(None, &[1], &[0, 1]).is_err());
    }
}
