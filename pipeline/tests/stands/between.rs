//! A stand of two hosts, played by two stand-ins that are listened to together: what either says counts for its own
//! side, whatever goes wrong is told with its host, and what is stored names both.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use host_setup::protocol::{Achieved, Names};
use host_setup::switch::uplink::By;
use pipeline::agent::{Agent, AgentError, Bell, Transport};
use pipeline::conditions::Conditions;
use pipeline::experiment::Test;
use pipeline::run::{self, RunError, RunRequest, Watcher};
use pipeline::stand::{Cable, CableEnd, Ground, Post, Site, Stand};
use pipeline::store::Record;
use pipeline::workspace::Workspace;

const EXPERIMENT: &str = r#"
[experiment]
name = "between"
[protocol]
duration = "50ms"
warmup = "10ms"
cooldown = "10ms"
repetitions = 1
[[tests]]
id = "all"
D = "throughput"
L = "remote"
S = ["1vs1", "8vs8"]
V = "linux-bridge"
P = [64, 512]
R = "10k"
B = 4
io = "udp"
"#;

/// This program as an agent that comes to this.
#[derive(Debug)]
struct StandIn(&'static str);

impl Transport for StandIn {
    fn command(&self) -> Result<Command, AgentError> {
        let mut command = Command::new(std::env::current_exe().expect("it runs"));
        command.arg("agent").env("STAND_IN", self.0);
        Ok(command)
    }
}

#[derive(Default)]
struct Told {
    stored: Vec<Record>,
    failed: Vec<String>,
    lost: Vec<String>,
}

impl Watcher for Told {
    fn waiting(&mut self, holder: &str) {
        panic!("nobody holds a stand of a stand-in: {holder}");
    }
    fn unquiet(&mut self, words: &str) {
        panic!("nobody waits for a quiet stand: {words}");
    }
    fn prepared(&mut self, _: &Achieved) {}
    fn left(&mut self, _: u64, _: Duration) {}
    fn begins(&mut self, _: &Test, _: &str) {}
    fn tried(&mut self, _: &Test, _: u32, _: f64) {}
    fn stored(&mut self, _: &Test, record: &Record) {
        self.stored.push(record.clone());
    }
    fn failed(&mut self, _: &Test, reason: &str, _: &[String]) {
        self.failed.push(reason.to_string());
    }
    fn lost(&mut self, _: &str, reason: &str) {
        self.lost.push(reason.to_string());
    }
}

/// A run on north and on a south that comes to this: what was told, and why it went no further, if it did not.
fn with_a_south_that(comes_to: &'static str, folder: &Path) -> (Told, Option<String>) {
    let file = folder.join(format!("{comes_to}.toml"));
    std::fs::write(&file, EXPERIMENT).expect("it is ours");
    let store = folder.join(comes_to);
    let bell = Bell::default();
    let spawn = |comes_to| Agent::with_bell(&StandIn(comes_to), Names::default(), bell.clone()).expect("it starts");
    let mut agents = [spawn("lives"), spawn(comes_to)];
    let names = ["north", "south"];
    let sites = agents.iter_mut().zip(names).map(|(agent, name)| {
        let facts = agent.facts(false).expect("a stand-in has facts");
        Site { name: name.to_string(), facts }
    });
    let end = |_| CableEnd { device: "cable0".to_string(), dpdk: By::AfPacket };
    let ground = Ground { hosts: sites.collect(), cable: Some(Cable { ends: [0, 1].map(end) }) };
    let conditions = Conditions::new(&ground);
    let workspace = Workspace::load(&file, Some(&store)).expect("the experiment is right");
    let posts = agents.iter_mut().zip(names).map(|(agent, name)| Post { name: name.to_string(), agent });
    let stand = Stand {
        name: "north-south".to_string(),
        hosts: posts.collect(),
        conditions: &conditions,
        shares_host: false,
        may_differ: BTreeSet::new(),
    };
    let request = RunRequest {
        keep_going: true,
        only: &|_| true,
        force: &|_| false,
        twins: &[],
        time_limit: None,
        wait: Duration::ZERO,
        until_quiet: None,
        keep: None,
        interrupted: &|| false,
    };
    let mut told = Told::default();
    let why = match run::run(&workspace, vec![stand], &request, &mut told) {
        Ok(finished) => finished.lost.as_ref().map(RunError::to_string),
        Err(error) => Some(error.to_string()),
    };
    (told, why)
}

/// All of it.
pub fn hosts(folder: &Path) {
    let (told, why) = with_a_south_that("lives", folder);
    assert_eq!((why, told.failed.len(), told.lost.len()), (None, 0, 0), "{:?}", told.failed);
    assert_eq!(told.stored.len(), 4);
    for record in &told.stored {
        let text = serde_json::to_value(record).expect("records are JSON");
        let names = [&text["host"]["aside"]["hostname"], &text["peers"][0]["host"]["aside"]["hostname"]];
        assert_eq!(names, ["lives", "lives"], "{text}");
        assert_eq!(text["peers"].as_array().map(Vec::len), Some(1));
        assert_eq!(text["evidence"]["peers"].as_array().map(Vec::len), Some(1));
        // Who sends is on the first host, who receives on the second; the inbox had the words of both.
        let parties = text["evidence"]["parties"].as_object().expect("parties");
        assert_eq!(parties.len(), 2 * text["tuple"]["pairs"].as_u64().expect("a number") as usize);
        assert!(text["evidence"]["clocks"]["uncertainty_ns"].is_u64(), "{text}");
    }

    let (told, why) = with_a_south_that("refuses", folder);
    assert_eq!((why, told.stored.len()), (None, 0));
    assert_eq!(told.failed.len(), 4);
    assert!(told.failed.iter().all(|reason| reason.ends_with("(on host south)")), "{:?}", told.failed);

    for comes_to in ["dies", "babbles"] {
        let (told, why) = with_a_south_that(comes_to, folder);
        let why = why.expect("there is no other stand");
        assert!(why.contains("south") && !why.contains("north"), "{comes_to}: {why}");
        assert!(told.stored.len() < 4 && told.failed.is_empty(), "{comes_to}: {:?}", told.failed);
        println!("a south that {comes_to}: {why}");
    }
}
