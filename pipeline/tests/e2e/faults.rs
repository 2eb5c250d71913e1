//! Switches and generators that cannot start: the test is marked failed in the program's own words, and with `-k`
//! the run goes on. The faults are real ones: memory that others took, an occupied socket, pages that cannot be
//! shared, a database that refuses.

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::bench::{Bench, Ran};
use super::processes;
use super::room::Room;

/// Pages of 2 MiB of both generators of a pair.
const GENERATORS_PAGES: u64 = 2 * 64;

/// A test through `switch` that is to fail, and then one that needs nothing of DPDK.
pub fn experiment(switch: &str) -> String {
    let test = |id: &str, switch: &str| {
        format!(
            "[[tests]]\nid = \"{id}\"\nD = \"throughput\"\nL = \"local\"\nS = \"1vs1\"\nV = \"{switch}\"\nP = 64\n\
             R = \"20k\"\nB = 8\nruntime = \"netns\"\n"
        )
    };
    format!(
        "[experiment]\nname = \"faults\"\n[protocol]\nduration = \"150ms\"\nwarmup = \"50ms\"\ncooldown = \"20ms\"\n\
         repetitions = 1\norder = \"declared\"\n{}{}",
        test("faulty", switch),
        test("sound", "linux-bridge")
    )
}

pub const RUN: [&str; 5] = ["run", "faults.toml", "-k", "--wait", "5m"];

/// A bench with an experiment through `switch`. None, with the reason printed, where that switch cannot be run.
pub fn bench(switch: &str) -> Option<Bench> {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: hugepages and mounts need root");
        return None;
    }
    let bench = Bench::with_dpdk()?;
    bench.write("faults.toml", &experiment(switch));
    let plan = bench.septet(&["plan", "faults.toml"]).code(0).stdout;
    if plan.contains("1 skipped") {
        println!("skipped: {plan}");
        return None;
    }
    Some(bench)
}

/// The first test failed, says why in `words`, and is kept so; the other was measured. `septet` asks where it ran.
#[track_caller]
pub fn failed_alone(septet: impl Fn(&[&str]) -> Ran, ran: &Ran, words: &[&str]) {
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains("measured 1 repetition, 1 test failed"), "{ran:?}");
    assert!(ran.stderr.contains("FAILED throughput/"), "{ran:?}");
    let plan = septet(&["plan", "faults.toml", "--json"]).code(0).json();
    let tests = plan["tests"].as_array().expect("tests are listed");
    let of = |switch: &str| {
        let name = |test: &&Value| test["name"].as_str().is_some_and(|name| name.contains(switch));
        let test = tests.iter().find(name).unwrap_or_else(|| panic!("no {switch} in {plan}"));
        septet(&["show", test["key"].as_str().expect("its key"), "--json"]).code(0).json()
    };
    let sound = of("/linux-bridge/");
    assert!(!sound[0]["status"].to_string().contains("failed"), "{sound}");
    let faulty = tests.iter().find_map(|test| test["name"].as_str().filter(|name| !name.contains("/linux-bridge/")));
    let record = of(faulty.expect("the other test"));
    let status = record[0]["status"].to_string();
    assert!(status.contains("failed"), "{record}");
    for words in words {
        assert!(status.contains(words), "{words:?} is not in {status}");
        assert!(ran.stderr.contains(words), "{words:?} is not in {}", ran.stderr);
    }
}

/// A run whose standard error can be read meanwhile.
struct Running<'a> {
    bench: &'a Bench,
    child: Child,
}

impl Running<'_> {
    fn start(bench: &Bench) -> Running<'_> {
        let errors = File::create(bench.path("errors")).expect("the bench is writable");
        let child = bench.command(&RUN).stdout(Stdio::piped()).stderr(errors).spawn().expect("it starts");
        Running { bench, child }
    }

    fn said(&self) -> String {
        fs::read_to_string(self.bench.path("errors")).unwrap_or_default()
    }

    /// Waits until something is there, while the run lasts.
    #[track_caller]
    fn until<T>(&mut self, mut found: impl FnMut(&Running) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(330);
        loop {
            if let Some(found) = found(self) {
                return found;
            }
            let ended = self.child.try_wait().expect("it is ours");
            assert!(ended.is_none() && Instant::now() < deadline, "{ended:?}; {}", self.said());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn end(self) -> Ran {
        let errors = self.bench.path("errors");
        let ran = Ran::of(self.child.wait_with_output().expect("it is ours"));
        Ran { stderr: fs::read_to_string(errors).expect("it is there"), ..ran }
    }
}

#[test]
fn too_little_memory_is_told_by_the_switch_itself() {
    let Some(bench) = bench("testpmd") else { return };
    let Some(others) = Room::of(&bench) else { return };
    let mut running = Running::start(&bench);
    let pages: u64 = running.until(|running| {
        let said = running.said();
        let line = said.lines().find(|line| line.contains("2 MiB hugepages were added"))?;
        line.strip_prefix("host: ")?.split(' ').next()?.parse().ok()
    });
    // Others take what the generators leave, all but a few pages.
    let taken_mib = 2 * (pages - GENERATORS_PAGES - 5);
    others.sh(&format!("mkdir pages && mount -t hugetlbfs -o pagesize=2M,min_size={taken_mib}M septet pages"));
    running.until(|running| running.said().contains("FAILED").then_some(()));
    others.sh("umount pages");
    failed_alone(|words| bench.septet(words), &running.end(), &["testpmd", "Cannot init memory"]);
}

/// The first port's socket, as the agent's processes see it.
const SOCKET: &str = "run/septet/ports/port-0/vhost.sock";

#[test]
fn a_port_whose_socket_is_taken_is_told_by_its_generator() {
    let Some(bench) = bench("testpmd") else { return };
    let mut running = Running::start(&bench);
    let pid = i32::try_from(running.child.id()).expect("pids are small");
    // Between the making of the folder and the start of the generator, which loads DPDK first.
    let _taken = running.until(|_| {
        let below = processes::below(pid);
        let place = |pid: i32| Path::new("/proc").join(pid.to_string()).join("root").join(SOCKET);
        below.iter().find_map(|process| UnixListener::bind(place(process.pid)).ok())
    });
    failed_alone(|words| bench.septet(words), &running.end(), &["receive-0 failed to", "Address already in use"]);
}

/// Another word of the same length for DPDK, in a program that says the first.
fn reword(bench: &Bench, program: &str, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let mut bytes = fs::read(bench.path(program)).expect("it is there");
    let places: Vec<usize> = (0..bytes.len()).filter(|place| bytes[*place..].starts_with(from.as_bytes())).collect();
    assert!(!places.is_empty(), "{program} does not say {from}");
    for place in places {
        bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
    }
    // Under another name first: it is written by this process, and executed by others.
    fs::write(bench.path("reworded"), bytes).expect("the bench is writable");
    let script = format!("cp -p {program} new && cat reworded > new && mv new {program}");
    let done = std::process::Command::new("sh").arg("-c").arg(script).current_dir(bench.path("")).status();
    assert!(done.is_ok_and(|status| status.success()), "{program} can be replaced");
}

#[test]
fn memory_in_too_many_pieces_is_told_by_the_generator_that_cannot_share_it() {
    let Some(bench) = bench("testpmd") else { return };
    // Without this word each page is a file of its own, and vhost-user passes eight of them.
    for program in ["septet", "septet-host"] {
        reword(&bench, program, "--single-file-segments", "--file-prefix=abcdefgh");
    }
    let ran = bench.septet(&RUN);
    failed_alone(|words| bench.septet(words), &ran, &["0 failed to", "Too many memory regions"]);
}

#[test]
fn a_line_of_configuration_that_is_refused_is_told_in_the_words_of_the_database() {
    let Some(bench) = bench("ovs") else { return };
    let Some(room) = Room::of(&bench) else { return };
    // As in a version that knows another word for it.
    room.sh("schema=/usr/share/openvswitch/vswitch.ovsschema
        sed 's/\"standalone\"/\"alone\"/' $schema > schema && ! cmp -s schema $schema && mount --bind schema $schema");
    let ran = room.septet(&RUN);
    failed_alone(|words| room.septet(words), &ran, &["ovs-vsctl", "constraint violation", "standalone"]);
}

#[test]
fn hugepages_that_are_mounted_where_nobody_sees_them_are_in_nobodys_way() {
    let Some(bench) = bench("testpmd") else { return };
    let Some(room) = Room::of(&bench) else { return };
    // The agent has a /tmp of its own, and DPDK locks every such folder that it reads of.
    let folder = bench.path("pages");
    room.sh("mkdir pages && mount -t hugetlbfs -o pagesize=2M septet pages");
    assert!(folder.as_os_str().as_bytes().starts_with(b"/tmp/"), "{}", folder.display());
    let ran = room.septet(&RUN).code(0);
    assert!(ran.stdout.contains("measured 2 repetitions"), "{ran:?}");
}
