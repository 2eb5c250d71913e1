//! Snabb's learning bridge over vhost-user ports, on one core that it never leaves idle. Which program of Snabb's that
//! is, lies beside this file and is part of keys. It must not know what is at the ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, umount2};
use nix::unistd::Pid;

use super::forwarder::Names;
use super::program::{Program, Start, pause};
use super::software::made_of;
use super::source::{ProgramFile, Source};
use super::{
    Cores, Descriptor, Drawn, Driver, Ends, Entry, Forwards, MemoryUse, Ports, Queues, Shape, Site, Software, Switch,
    vhost,
};
use crate::eal::Memory;
use crate::failure::During;
use crate::protocol::{Failure, FailureKind, PortCounters};
use crate::scene::checked::CheckedContainer;

/// The line in the table.
pub(super) static ENTRY: Entry =
    Entry { descriptor, driver: Some(Driver { render, programs: Some(software), beside: None, start, sysctls: &[] }) };

/// No distribution has it: where its own `make install` puts it.
const PROGRAMS: [ProgramFile; 1] = [ProgramFile { system: "/usr/local/bin/snabb", inside: &["bin/snabb"] }];
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

fn descriptor() -> Descriptor {
    Descriptor {
        name: NAME.into(),
        io: vec!["dpdk".into()],
        ends: Ends::Listening,
        forwards: Forwards::Learning,
        uplink: false,
        ports: Ports { most: 64, even: true, why: "it is built with 1 to 32 pairs of them".into() },
        cores: Cores::One { why: "its engine is one thread".into() },
        queues: Queues::One { why: "its ports are driven with one".into() },
        memory: MemoryUse::Pages {
            modes: vec![Memory::Hugepages2m],
            why: "its packets lie in hugepages".into(),
            own_mib: 64,
            port_mib: 32,
        },
        drawn: Drawn::Virtio,
        programs: true,
        packages: Vec::new(),
        needs_root: Some("it looks up where its memory lies".into()),
        configuration: None,
    }
}

fn arguments(program: &str, sockets: &[String]) -> Vec<String> {
    ["snsh", program].into_iter().map(str::to_owned).chain(sockets.iter().cloned()).collect()
}

fn render(shape: &Shape) -> String {
    let names = Names::neutral(shape.cores, shape.ports);
    format!("{NAME} {}\n{PROGRAM}", arguments("PROGRAM", &names.sockets).join(" "))
}

fn software(source: &Source) -> Result<Software, String> {
    made_of(source, &PROGRAMS, &[], &[])
}

fn start(site: &Site) -> Result<Box<dyn Switch>, Failure> {
    let software = software(&site.source()?).host(|| "start snabb".into())?;
    let sockets = vhost::sockets(site.scene)?;
    let cpu = site.scene.switch.cpus.first().copied();
    Ok(Box::new(Snabb { software, cpu, sockets, containers: Vec::new(), program: None }))
}

/// One that stands, or waits for the sockets that it connects to.
struct Snabb {
    software: Software,
    cpu: Option<u32>,
    sockets: Vec<PathBuf>,
    containers: Vec<String>,
    program: Option<Program>,
}

impl Snabb {
    fn start(&mut self) -> Result<(), Failure> {
        let text = Path::new(FOLDER).join("bridge.lua");
        fs::create_dir_all(FOLDER)
            .and_then(|()| fs::write(&text, PROGRAM))
            .scene(|| "write a program for snabb".into())?;
        let sockets: Vec<String> = self.sockets.iter().map(|socket| socket.display().to_string()).collect();
        let missing = || Failure::new(FailureKind::Host, "start snabb: it has no program".to_string());
        let start = Start {
            name: NAME,
            program: self.software.programs.first().ok_or_else(missing)?,
            arguments: &arguments(&text.display().to_string(), &sockets),
            environment: &self.software.environment(),
            cpu: self.cpu,
            folder: Path::new(FOLDER),
        };
        self.program = Some(Program::start(&start)?);
        Ok(())
    }

    fn program(&mut self) -> Result<&mut Program, Failure> {
        let missing = || Failure::new(FailureKind::Scene, "speak to snabb: it was not started".to_string());
        self.program.as_mut().ok_or_else(missing)
    }

    /// What its own child has not removed when it should have, and what nobody else removes.
    fn tidy(pid: Pid) -> Result<(), Failure> {
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
        for folder in [SHARED, FOLDER] {
            match fs::remove_dir_all(folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).scene(doing),
                _ => {}
            }
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

impl Switch for Snabb {
    fn attach(&mut self, container: &CheckedContainer, _process: Pid) -> Result<(), Failure> {
        self.containers.push(container.name.clone());
        Ok(())
    }

    fn ready(&mut self, _deadline: Instant) -> Result<(), Failure> {
        Ok(())
    }

    /// It is started when every application has made its socket: it asks for one that is not there again and again,
    /// and says nothing.
    fn join(&mut self) -> Result<bool, Failure> {
        if self.program.is_none() {
            if !self.sockets.iter().all(|socket| socket.exists()) {
                return Ok(false);
            }
            self.start()?;
        }
        let ports = self.sockets.len();
        let program = self.program()?;
        program.check()?;
        let said = program.said();
        Ok((0..ports).all(|port| said.lines().any(|line| line == format!("p{port} forwards"))))
    }

    fn counters(&mut self) -> Result<Vec<PortCounters>, Failure> {
        let containers = self.containers.clone();
        let program = self.program()?;
        program.check()?;
        let links = Path::new(SHARED).join(program.pid.to_string()).join("links");
        let port = |(place, container): (usize, &String)| counters_of(&links, place, container);
        containers.iter().enumerate().map(port).collect()
    }

    fn processes(&self) -> Vec<(String, Pid)> {
        self.program.iter().map(|program| (program.name.into(), program.pid)).collect()
    }

    fn ended(&mut self, process: Pid, status: i32) -> Option<(String, Vec<String>)> {
        let program = self.program.as_mut()?;
        program.ended(process, status).then(|| (program.name.into(), program.last_lines()))
    }

    fn stop(&mut self) -> Result<(), Failure> {
        match &mut self.program {
            Some(program) => program.kill().and(Snabb::tidy(program.pid)),
            None => Ok(()),
        }
    }
}

/// What the two links between a port and the bridge have counted.
fn counters_of(links: &Path, place: usize, container: &str) -> Result<PortCounters, Failure> {
    let count = |link: String, name: &str| {
        let path = links.join(link).join(format!("{name}.counter"));
        let doing = || format!("read a counter of snabb, {}", path.display());
        let bytes = fs::read(&path).scene(doing)?;
        let count = bytes.first_chunk().ok_or("it is shorter than a number").scene(doing)?;
        Ok::<u64, Failure>(u64::from_ne_bytes(*count))
    };
    let from = || format!("p{place}.tx -> bridge.p{place}");
    let to = || format!("bridge.p{place} -> p{place}.rx");
    Ok(PortCounters {
        container: container.to_string(),
        received: count(from(), "txpackets")?,
        sent: count(to(), "rxpackets")?,
        received_dropped: count(from(), "txdrop")?,
        sent_dropped: count(to(), "txdrop")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_and_its_arguments_are_the_configuration() {
        let shape = Shape { ports: 2, cores: 1, queues: 1, memory: Some(Memory::Hugepages2m), uplink: None };
        let text = render(&shape);
        assert!(text.starts_with("snabb snsh PROGRAM PORT0 PORT1\n") && text.ends_with(PROGRAM), "{text}");
        assert_eq!(&blake3::hash(text.as_bytes()).to_hex()[..16], PINNED);
    }

    /// The digest of a configuration of two ports. If this must change, every measurement through Snabb becomes dirty.
    const PINNED: &str = "9fd296b5a404b1a9";

    #[test]
    fn links_count_in_files_of_a_number_each() {
        let folder = tempfile::tempdir().expect("a folder");
        let counters = [
            ("p0.tx -> bridge.p0", ["txpackets", "txdrop"], [5u64, 2]),
            ("bridge.p0 -> p0.rx", ["rxpackets", "txdrop"], [7, 1]),
        ];
        for (link, names, values) in counters {
            let link = folder.path().join(link);
            fs::create_dir(&link).expect("a folder");
            for (name, value) in names.iter().zip(values) {
                fs::write(link.join(format!("{name}.counter")), value.to_ne_bytes()).expect("a file");
            }
        }
        let port =
            PortCounters { container: "send-0".into(), received: 5, sent: 7, received_dropped: 2, sent_dropped: 1 };
        assert_eq!(counters_of(folder.path(), 0, "send-0").expect("counts"), port);
        assert!(counters_of(folder.path(), 1, "send-0").is_err());
    }
}
