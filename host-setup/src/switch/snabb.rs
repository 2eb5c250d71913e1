//! Snabb's learning bridge over vhost-user ports, on one core that it never leaves idle, or sleeps on when there is
//! nothing to do. Which program of Snabb's that is, lies beside this file and is part of keys. It must not know what is at the ends.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, umount2};

use super::forwarder::Names;
use super::kept::{Kept, Single, Way};
use super::program::pause;
use super::software::made_of;
use super::source::{ProgramFile, Source};
use super::{Cores, Descriptor, Driver, Entry, Forwards, MemoryUse, Queues, Shape, Site, Software, Switch, vhost};
use crate::eal::Memory;
use crate::failure::During;
use crate::patience::Patience;
use crate::protocol::{Failure, PortCounters};

/// The line in the table.
pub(super) static ENTRY: Entry = Entry {
    descriptor: || descriptor(NAME),
    driver: Some(Driver {
        render: |shape| render(shape, PROGRAM),
        programs: Some(software),
        beside: None,
        start: |site| start(site, PROGRAM.into()),
        sysctls: &[],
    }),
};
/// The line of the same with an engine that sleeps when there is nothing to do, up to 100 us at a time, which is how it
/// comes.
pub(super) static SLEEPING: Entry = Entry {
    descriptor: || descriptor("snabb-sleep"),
    driver: Some(Driver {
        render: |shape| render(shape, &sleeping()),
        programs: Some(software),
        beside: None,
        start: |site| start(site, sleeping()),
        sysctls: &[],
    }),
};

/// No distribution has it: where its own `make install` puts it.
const PROGRAMS: [ProgramFile; 1] =
    [ProgramFile { system: &["/usr/local/bin/snabb", "/usr/bin/snabb"], inside: &["bin/snabb"] }];
/// What it goes by, which says to it what it is.
const NAME: &str = "snabb";
const PROGRAM: &str = include_str!("snabb.lua");
/// Below the worker's private /run.
const FOLDER: &str = "/run/septet/snabb";
/// Where Snabb keeps what others may read of it, and its hugepages.
const SHARED: &str = "/run/snabb";
const HUGEPAGES: &str = "/run/snabb/hugetlbfs";
/// Where Snabb remembers what it agreed on with the other end of a socket.
const REMEMBERED: (&str, &str) = ("/tmp", "vhost_features_");
/// How long its own child may take to remove what it shared.
const TIDY: Duration = Duration::from_secs(5);
/// How long it may take for a hundred breaths, which are a few milliseconds on a CPU of its own.
const SHOWN: Duration = Duration::from_secs(30);

fn descriptor(name: &str) -> Descriptor {
    let memory = MemoryUse::Pages {
        modes: vec![Memory::Hugepages2m],
        why: "its packets lie in hugepages".into(),
        own_mib: 64,
        port_mib: 32,
    };
    Descriptor {
        forwards: Forwards::Learning,
        cores: Cores::One { why: "its engine is one thread".into() },
        queues: Queues::One { why: "its ports are driven with one".into() },
        needs_root: Some("it looks up where its memory lies".into()),
        ..vhost::descriptor(name, memory)
    }
}

fn arguments(program: &str, sockets: &[String]) -> Vec<String> {
    ["snsh", program].into_iter().map(str::to_owned).chain(sockets.iter().cloned()).collect()
}

fn render(shape: &Shape, program: &str) -> String {
    let names = Names::neutral(shape.cores, shape.ports);
    format!("{NAME} {}\n{program}", arguments("PROGRAM", &names.sockets).join(" "))
}

fn sleeping() -> String {
    PROGRAM.replace("engine.busywait = true", "engine.busywait = false")
}

fn software(source: &Source) -> Result<Software, String> {
    made_of(source, &PROGRAMS, &[], &[])
}

fn start(site: &Site, program: String) -> Result<Box<dyn Switch>, Failure> {
    let software = software(&site.source()?).host(|| "start snabb".into())?;
    let kept = Kept::new(site, NAME, software, FOLDER, site.scene.switch.cpus.first().copied())?;
    Ok(Single::boxed(kept, Snabb { program }))
}

/// One that forwards, or waits for the sockets that it connects to: it asks for one that is not there again and again,
/// and says nothing.
struct Snabb {
    /// The Lua program's text.
    program: String,
}

impl Way for Snabb {
    fn begin(&mut self, kept: &mut Kept) -> Result<(), Failure> {
        let program = kept.write("bridge.lua", &self.program)?;
        let sockets: Vec<String> = kept.sockets.iter().map(|socket| socket.display().to_string()).collect();
        kept.start(&arguments(&program.display().to_string(), &sockets))
    }

    fn forwards(&mut self, kept: &mut Kept) -> Result<bool, Failure> {
        let ports = kept.sockets.len();
        let said = kept.running()?.said();
        Ok((0..ports).all(|port| said.lines().any(|line| line == format!("p{port} forwards"))))
    }

    /// Snabb shows others what it counts every hundred of its breaths, all counts in one go. One that began before now
    /// may be under way; when a third has begun, the second is whole, and has everything that was counted until now.
    fn counters(&mut self, kept: &mut Kept) -> Result<Vec<PortCounters>, Failure> {
        let shared = Path::new(SHARED).join(kept.running()?.pid.to_string());
        let breaths = shared.join("engine/breaths.counter");
        let mut patience = Patience::of(SHOWN);
        for _ in 0..3 {
            let before = number(&breaths)?;
            while number(&breaths)? == before {
                let program = kept.running()?;
                if patience.is_over() {
                    let late = format!("it shows no counts within {} s", SHOWN.as_secs());
                    return Err(program.failure("read the counters of", &late));
                }
                pause()?;
            }
        }
        let links = shared.join("links");
        let port = |(place, container): (usize, &String)| counters_of(&links, place, container);
        kept.containers.iter().enumerate().map(port).collect()
    }

    /// What its own child has not removed when it should have, and what nobody else removes.
    fn tidy(&mut self, kept: &mut Kept) -> Result<(), Failure> {
        let Some(pid) = kept.pid() else { return Ok(()) };
        let doing = || "remove what snabb left".to_string();
        let own = Path::new(SHARED).join(pid.to_string());
        let deadline = Instant::now() + TIDY;
        while own.exists() && Instant::now() < deadline {
            pause()?;
        }
        match umount2(HUGEPAGES, MntFlags::MNT_DETACH) {
            Err(nix::errno::Errno::EINVAL | nix::errno::Errno::ENOENT) | Ok(()) => {}
            Err(error) => return Err(error).scene(doing),
        }
        match fs::remove_dir_all(SHARED) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).scene(doing),
            _ => {}
        }
        let (folder, prefix) = REMEMBERED;
        for entry in fs::read_dir(folder).scene(doing)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                fs::remove_file(entry.path()).scene(doing)?;
            }
        }
        Ok(())
    }
}

/// A number that it shows.
fn number(path: &Path) -> Result<u64, Failure> {
    let doing = || format!("read a counter of snabb, {}", path.display());
    let bytes = fs::read(path).scene(doing)?;
    let count = bytes.first_chunk().ok_or("it is shorter than a number").scene(doing)?;
    Ok(u64::from_ne_bytes(*count))
}

/// What the two links between a port and the bridge have counted.
fn counters_of(links: &Path, place: usize, container: &str) -> Result<PortCounters, Failure> {
    let count = |link: String, name: &str| number(&links.join(link).join(format!("{name}.counter")));
    let from = || format!("p{place}.tx -> bridge.p{place}");
    let to = || format!("bridge.p{place} -> p{place}.rx");
    // What the bridge has put into the link and the port has not taken waits for an application that no longer reads.
    let sent = count(to(), "rxpackets")?;
    let waiting = count(to(), "txpackets")?.saturating_sub(sent);
    Ok(PortCounters {
        container: container.to_string(),
        received: count(from(), "txpackets")?,
        sent,
        received_dropped: count(from(), "txdrop")?,
        sent_dropped: count(to(), "txdrop")? + waiting,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_and_its_arguments_are_the_configuration() {
        let shape = Shape { ports: 2, cores: 1, queues: 1, memory: Some(Memory::Hugepages2m), uplink: None };
        let text = render(&shape, PROGRAM);
        assert!(text.starts_with("snabb snsh PROGRAM PORT0 PORT1\n") && text.ends_with(PROGRAM), "{text}");
        assert_eq!(&blake3::hash(text.as_bytes()).to_hex()[..16], PINNED);
        let differs = |(one, other): &(&str, &str)| one != other;
        let asleep = render(&shape, &sleeping());
        let lines: Vec<_> = text.lines().zip(asleep.lines()).filter(differs).collect();
        assert_eq!(lines, [("engine.busywait = true", "engine.busywait = false")]);
    }

    /// The digest of a configuration of two ports. If this must change, every measurement through Snabb becomes dirty.
    const PINNED: &str = "f1d5160f935f3a51";

    #[test]
    fn links_count_in_files_of_a_number_each() {
        let folder = tempfile::tempdir().expect("a folder");
        let counters = [
            ("p0.tx -> bridge.p0", ["txpackets", "rxpackets", "txdrop"], [5u64, 5, 2]),
            ("bridge.p0 -> p0.rx", ["txpackets", "rxpackets", "txdrop"], [10, 7, 1]),
        ];
        for (link, names, values) in counters {
            let link = folder.path().join(link);
            fs::create_dir(&link).expect("a folder");
            for (name, value) in names.iter().zip(values) {
                fs::write(link.join(format!("{name}.counter")), value.to_ne_bytes()).expect("a file");
            }
        }
        let port =
            PortCounters { container: "send-0".into(), received: 5, sent: 7, received_dropped: 2, sent_dropped: 4 };
        assert_eq!(counters_of(folder.path(), 0, "send-0").expect("counts"), port);
        assert!(counters_of(folder.path(), 1, "send-0").is_err());
    }
}
