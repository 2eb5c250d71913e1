//! `kill -9` of each of the programs, at random instants.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime};

use super::bench::Bench;
use super::experiment::{self, REPETITIONS, eventually, goes_on, stored, valid};
use super::prefix::Prefix;
use super::processes::{self, Process};
use super::remains::{Host, turn};

/// Kills without `SEPTET_KILLS`: over sockets, and over DPDK.
const KILLS: [usize; 2] = [10, 6];
/// Programs of switches.
const SWITCHES: [&str; 8] =
    ["dpdk-testpmd", "basicfwd", "ovs-vswitchd-dp", "ovsdb-server", "ovs-vsctl", "ovsdb-tool", "vpp_main", "snabb"];
/// Switches that are killed over DPDK, where they are found.
const OVER_DPDK: [&str; 7] = ["testpmd", "ovs", "direct", "basicfwd", "vpp", "snabb", "custom:noisy"];
/// The last of them, as a site defines it.
const SITE: &str = r#"
[switches.noisy]
program = "/usr/bin/dpdk-testpmd"
drivers = ["bus_vdev", "mempool_ring", "net_vhost"]
sockets = "application"
forwards = "pairs"
ports_even = true
memory = ["no-huge", "hugepages-2m"]
memory_mib = 64
memory_mib_port = 24
start = [
  "{eal}", ["--vdev=net_vhost{port},iface={socket},client=1"], "--", "--forward-mode=noisy", "--nb-cores={cores}",
  "--total-num-mbufs=16384", "--no-mlockall", "--disable-link-check",
]
ready = [["({socket}) virtio is now ready for processing"]]
counters = "dpdk-telemetry"
"#;

/// Who dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Victim {
    /// `septet`.
    Pipeline,
    /// `septet-host`, the process that `septet` speaks to.
    Supervisor,
    /// `septet-host`, the first process of the namespaces; or one that finds out if they can be had.
    Worker,
    /// Anything below the worker that is no generator yet, or holds one: a container.
    Container,
    /// `septet-gen`, or the one over DPDK.
    Generator,
    /// A program of a switch.
    Switch,
}

impl Victim {
    /// Those of every way; a switch is the last.
    const ALL: [Victim; 6] =
        [Victim::Pipeline, Victim::Supervisor, Victim::Worker, Victim::Container, Victim::Generator, Victim::Switch];

    /// Those who could be meant, among a run's processes.
    fn among(self, septet: &Process, below: &[Process]) -> Vec<Process> {
        let is_agent = |process: &Process| process.parent == septet.pid && process.program == "septet-host";
        let supervisor = below.iter().find(|process| is_agent(process)).map(|process| process.pid);
        let worker = |process: &&Process| Some(process.parent) == supervisor;
        let generator = |process: &&Process| ["septet-gen", "septet-gen-dpdk"].contains(&process.program.as_str());
        let below = below.iter();
        match self {
            Victim::Pipeline => vec![septet.clone()],
            Victim::Supervisor => below.filter(|process| is_agent(process)).cloned().collect(),
            Victim::Worker => below.filter(worker).cloned().collect(),
            Victim::Generator => below.filter(generator).cloned().collect(),
            Victim::Switch => below.filter(|process| SWITCHES.contains(&process.program.as_str())).cloned().collect(),
            Victim::Container => below
                .filter(|process| supervisor.is_some() && process.parent != septet.pid)
                .filter(|process| !worker(process) && !generator(process))
                .cloned()
                .collect(),
        }
    }

    /// Whether a run may end like this when its victim was sent the signal. 0 when that came after the last
    /// word, also to one that was dead already, or to one that only found out what the host can.
    pub(super) fn allows(self, status: std::process::ExitStatus) -> bool {
        match self {
            Victim::Pipeline => status.signal() == Some(9) || status.success(),
            Victim::Supervisor | Victim::Worker => [Some(0), Some(3)].contains(&status.code()),
            Victim::Container | Victim::Generator | Victim::Switch => [Some(0), Some(1)].contains(&status.code()),
        }
    }
}

/// Even numbers from a seed: splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}

pub(super) fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// What instants and victims come from; it is told.
pub(super) fn seed() -> u64 {
    let clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
    let seed = number("SEPTET_KILL_SEED").unwrap_or_else(clock);
    println!("SEPTET_KILL_SEED={seed}");
    seed
}

/// The switch of tests over sockets.
const SOCKETS: &str = "linux-bridge";

/// A user and a container runtime, and how long a whole run takes with them.
struct Way {
    name: &'static str,
    runtime: &'static str,
    switch: &'static str,
    /// The stack of a switch that no distribution has.
    prefix: Option<Prefix>,
    bench: Bench,
    whole: Duration,
    rounds: usize,
}

impl Way {
    /// After a whole run, which shows that it works and how long it takes.
    fn new(name: &'static str, runtime: &'static str, switch: &'static str, bench: Bench) -> Way {
        Way { name, runtime, switch, prefix: None, bench, whole: Duration::ZERO, rounds: 0 }.worked()
    }

    fn worked(mut self) -> Way {
        self.write();
        let began = Instant::now();
        self.bench.septet(&["run", "small.toml"]).code(0);
        self.whole = began.elapsed();
        self
    }

    /// The experiment of a round.
    fn write(&self) {
        let stack = if self.prefix.is_some() { "here" } else { "system" };
        experiment::write_through(&self.bench, self.rounds, self.runtime, self.switch, stack);
    }

    /// Whether a death of the agent leaves settings to the next start.
    fn has_hugepages(&self) -> bool {
        self.switch != SOCKETS && !self.bench.as_nobody
    }

    /// Over DPDK, with every switch that is here, as root and not.
    fn over_dpdk() -> Vec<Way> {
        let mut ways = Vec::new();
        let only = std::env::var("SEPTET_KILL_SWITCHES").ok();
        let is_meant = |switch: &&str| only.as_ref().is_none_or(|only| only.split(',').any(|name| name == *switch));
        if is_meant(&"direct")
            && let Some(bench) = Bench::with_dpdk_as_nobody()
        {
            ways.push(Way::new("nobody, direct, no hugepages", "netns", "direct", bench));
        }
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: switches with hugepages need root");
            return ways;
        }
        for switch in OVER_DPDK.into_iter().filter(is_meant) {
            let Some(bench) = Bench::with_dpdk() else { return ways };
            let prefix = match switch {
                "vpp" | "snabb" => match Prefix::of(switch) {
                    None => continue,
                    found => found,
                },
                _ => None,
            };
            fs::create_dir_all(bench.path(".config/septet")).expect("the bench is writable");
            let stack = prefix.as_ref().map(Prefix::stack).unwrap_or_default();
            bench.write(".config/septet/site.toml", &format!("{SITE}{stack}"));
            let way = Way { name: switch, runtime: "auto", switch, prefix, bench, whole: Duration::ZERO, rounds: 0 };
            way.write();
            let plan = way.bench.septet(&["plan", "small.toml"]).code(0).stdout;
            match plan.contains("2 skipped") {
                true => println!("skipped: {plan}"),
                false => ways.push(way.worked()),
            }
        }
        ways
    }

    fn all() -> Vec<Way> {
        let mut ways = vec![Way::new("own user, runtime as it is found", "auto", SOCKETS, Bench::new())];
        if nix::unistd::geteuid().is_root() {
            ways.push(Way::new("root, netns", "netns", SOCKETS, Bench::new()));
            ways.extend(Bench::as_nobody().map(|bench| Way::new("nobody, netns", "netns", SOCKETS, bench)));
        } else {
            println!("skipped as root: the tests run as an ordinary user");
        }
        ways
    }

    /// One run, killed if its victim shows up before it ends.
    fn round(&mut self, victim: Victim, random: &mut Random) -> bool {
        self.rounds += 1;
        self.write();
        let mut host = Host::look();
        let stored_before = stored(&self.bench);
        let errors = File::create(self.bench.path("errors")).expect("the bench is writable");
        let mut command = self.bench.command(&["run", "small.toml"]);
        let mut child = command.stdout(Stdio::null()).stderr(errors).spawn().expect("it starts");
        std::thread::sleep(Duration::from_nanos(random.below(self.whole.as_nanos() as u64)));
        let killed = kill_one(&mut child, victim, random, &mut host);
        let status = wait(&mut child);
        let owes_settings = self.has_hugepages() && victim == Victim::Supervisor;
        if owes_settings {
            host.is_given_back_but_settings()
        } else {
            host.is_given_back()
        }

        let errors = fs::read_to_string(self.bench.path("errors")).expect("it is there");
        assert!(!errors.contains("panicked"), "{errors}");
        match killed {
            true => assert!(victim.allows(status), "{status}\n{errors}"),
            false => assert_eq!(status.code(), Some(0), "{errors}"),
        }
        assert!(status.success() || victim == Victim::Pipeline || errors.contains("failed to"), "{status}\n{errors}");
        self.keeps_what_was_told(&errors, stored(&self.bench) - stored_before);
        let measured = goes_on(&self.bench);
        if owes_settings {
            // A start that measures has restored them; one that has nothing to measure leaves the host alone.
            if measured == 0 {
                // Others who hold the host meanwhile restore it at their end.
                eventually(|| match self.bench.septet(&["host", "restore"]) {
                    ran if ran.code == 0 => Ok(()),
                    ran => Err(ran.stderr),
                });
            }
            host.is_given_back();
        }
        if !self.bench.as_nobody {
            eventually(root_cache_is_finished);
        }
        killed
    }

    /// Each repetition that was told is there, valid if it was told so; at most one more was stored and not told.
    fn keeps_what_was_told(&self, errors: &str, stored: u64) {
        let whole: Vec<&str> = errors.split_inclusive('\n').filter(|line| line.ends_with('\n')).collect();
        let finished: Vec<&&str> = whole.iter().filter(|line| line.trim_start().starts_with('[')).collect();
        let failed = whole.iter().filter(|line| line.starts_with("FAILED")).count() as u64;
        let told = finished.len() as u64 + failed;
        assert!((told..=told + 1).contains(&stored), "{stored} are stored\n{errors}");
        assert!(stored <= REPETITIONS + failed, "{stored} are stored\n{errors}");
        for (test, have) in valid(&self.bench) {
            let of_test = |line: &&&&str| line.contains(&format!(" {test} ")) && !line.contains("SUSPECT");
            let told = finished.iter().filter(of_test).count() as u64;
            assert!((told..=told + 1).contains(&have), "{test} has {have}\n{errors}");
        }
    }
}

/// Kills one of those who are meant as soon as there is one; false if the run ends before.
pub(super) fn kill_one(child: &mut Child, victim: Victim, random: &mut Random, host: &mut Host) -> bool {
    let pid = i32::try_from(child.id()).expect("pids are small");
    while child.try_wait().expect("it is ours").is_none() {
        let below = processes::below(pid);
        host.note(&below);
        let septet = Process { pid, parent: 0, program: "septet".into() };
        let meant = victim.among(&septet, &below);
        if !meant.is_empty() && meant[random.below(meant.len() as u64) as usize].kill() {
            return true;
        }
    }
    false
}

pub(super) fn wait(child: &mut Child) -> std::process::ExitStatus {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(status) = child.try_wait().expect("it is ours") {
            return status;
        }
        assert!(Instant::now() < deadline, "the run does not end");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Root's digests, and what was read out of programs, lie in one place for all, where others may be writing just now.
fn root_cache_is_finished() -> Result<(), String> {
    for entry in fs::read_dir("/var/cache/septet").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !["digests", "read"].contains(&name.as_str()) {
            return Err(format!("{name} is left in /var/cache/septet"));
        }
    }
    Ok(())
}

/// Kills so many in all ways in turn, each victim in each way.
fn kill_in_turn(mut ways: Vec<Way>, victims: &[Victim], kills: usize) {
    let kills = number("SEPTET_KILLS").map_or(kills, |kills| kills as usize);
    let mut random = Random::new(seed());
    let mut done = 0;
    for round in 0.. {
        let place = round % ways.len();
        let way = &mut ways[place];
        let victim = match victims[(round + round / victims.len()) % victims.len()] {
            // What forwards there is a container's.
            Victim::Switch if way.switch == "direct" => Victim::Container,
            victim => victim,
        };
        let began = Instant::now();
        println!("round {round}: {victim:?}; {}", way.name);
        done += usize::from(way.round(victim, &mut random));
        println!("  {done} killed; {:.1} s", began.elapsed().as_secs_f64());
        if done == kills {
            return;
        }
        // Where the host has nothing to set, a run is often over before one is looked for.
        assert!(round < 10 * kills, "{done} victims were found in {round} runs");
    }
}

#[test]
fn a_kill_at_any_instant_loses_nothing_and_leaves_nothing() {
    let _turn = turn();
    kill_in_turn(Way::all(), &Victim::ALL[..5], KILLS[0]);
}

#[test]
fn a_kill_at_any_instant_over_dpdk_loses_nothing_and_leaves_nothing() {
    let _turn = turn();
    let ways = Way::over_dpdk();
    if !ways.is_empty() {
        kill_in_turn(ways, &Victim::ALL, KILLS[1]);
    }
}
