//! Commands that ask all hosts of the site: whether each can be reached and each cable carries something, and what each
//! stand can measure. They must not measure anything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use host_setup::check::{Finding, check as judged, missing_right};
use host_setup::facts::{Facts, Privilege};
use host_setup::protocol::Names;
use host_setup::protocol::{Op, Setup};
use serde::Serialize;

use super::stands::at_once;
use super::{host, say, say_json, share, stacks};
use crate::agent::{Agent, AgentError, Bell};
use crate::conditions::cannot_reach;
use crate::exit::{Exit, Trouble};
use crate::run;
use crate::site::{Cable, Host, Reach, Testbed};
use crate::slurm::place::ClusterPlace;
use crate::stand::{self, Post};

/// A clock that is off by more than this is told, though nothing depends on it but the times in records.
const CLOCK_OFF_MAX_MS: f64 = 1000.0;
/// Looks at a host's clock, of which the fastest tells how long an answer takes.
const LOOKS: usize = 10;

/// A host that was reached.
struct Reached {
    agent: Agent,
    facts: Facts,
    round_trip: Duration,
}

/// `septet site check --json`.
#[derive(Serialize)]
struct SiteJson {
    hosts: Vec<HostJson>,
    cables: Vec<CableJson>,
    stands: Vec<StandJson>,
}

#[derive(Serialize)]
struct HostJson {
    name: String,
    reached: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    round_trip_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_ahead_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<String>,
}

#[derive(Serialize)]
struct CableJson {
    ends: [String; 2],
    joined: bool,
    /// Speed of its link, Mbit/s, where the drivers tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    speed_mbps: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Serialize)]
struct StandJson {
    name: String,
    class: String,
    hosts: Vec<String>,
    /// Switches of local tests, and of remote ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    local: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<Vec<String>>,
    /// Why others that are there are not among those, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_remote: Vec<String>,
}

/// Hosts, each with what became of reaching it.
type Hosts<'t> = Vec<(&'t Host, Result<Reached, Trouble>)>;

/// Reaches every host, all at once.
fn reach(testbed: &Testbed) -> Result<Hosts<'_>, Trouble> {
    let bell = Bell::default();
    let hosts: Vec<&Host> = testbed.hosts.values().collect();
    let one = |host: &Host| {
        let named = |error: AgentError| error.on(host.name.clone());
        let mut agent = Agent::with_bell(
            &*stacks::transport(host, &ClusterPlace::of_environment())?,
            Names::default(),
            bell.clone(),
        )
        .map_err(named)?;
        let mut round_trip = Duration::MAX;
        for _ in 0..LOOKS {
            let asked = Instant::now();
            agent.clock().map_err(named)?;
            round_trip = round_trip.min(asked.elapsed());
        }
        let facts = agent.facts(false).map_err(named)?;
        Ok(Reached { agent, facts, round_trip })
    };
    let reached = at_once(hosts.iter().copied(), one)?;
    Ok(hosts.into_iter().zip(reached).collect())
}

/// `septet site check`.
pub(super) fn check(folder: &Path, json: bool) -> Result<Exit, Trouble> {
    let testbed = share::site_in(folder)?.testbed;
    let mut hosts = reach(&testbed)?;
    let told: Vec<HostJson> = hosts.iter().map(|(host, reached)| of_host(host, reached)).collect();
    let cables: Vec<CableJson> = testbed.cables.iter().map(|cable| of_cable(&testbed, cable, &mut hosts)).collect();
    let pairs = !testbed.cables.is_empty();
    let stand = |plan: crate::site::StandPlan| StandJson {
        class: testbed.class_of(&plan),
        name: plan.name,
        hosts: plan.hosts,
        local: None,
        remote: None,
        not_remote: Vec::new(),
    };
    let told = SiteJson { hosts: told, cables, stands: testbed.stands(pairs).into_iter().map(stand).collect() };
    end(hosts);
    let fails = told.hosts.iter().any(|host| host.problem.is_some()) || told.cables.iter().any(|cable| !cable.joined);
    match json {
        true => say_json(&told)?,
        false => say(&site_text(&told))?,
    };
    Ok(if fails { Exit::Host } else { Exit::Well })
}

fn end(hosts: Hosts<'_>) {
    for (_, reached) in hosts {
        if let Ok(Reached { agent, .. }) = reached {
            // Whatever is wrong with it was told where it was asked.
            let _ = agent.bye();
        }
    }
}

fn of_host(host: &Host, reached: &Result<Reached, Trouble>) -> HostJson {
    let name = host.name.clone();
    match reached {
        Err(trouble) => HostJson {
            name,
            reached: false,
            problem: Some(trouble.text.trim_end().to_string()),
            root: None,
            round_trip_us: None,
            clock_ahead_ms: None,
            words: None,
        },
        Ok(Reached { agent, facts, round_trip }) => {
            let right = match facts.privilege {
                Privilege::Root => "root",
                Privilege::UserNamespace => "root of its own user namespace",
                Privilege::None => "an ordinary user without user namespaces",
            };
            let by = match &host.reach {
                Reach::Here => "this machine".to_string(),
                Reach::Ssh(destination) => format!("ssh {destination}"),
                Reach::Slurm => "a node of the cluster".to_string(),
            };
            let problem = (host.sudo.is_some() && facts.privilege != Privilege::Root)
                .then(|| "sudo starts the agent, and it is not root: see SECURITY.md for the rule".to_string());
            HostJson {
                name,
                reached: true,
                problem,
                root: Some(facts.privilege == Privilege::Root),
                round_trip_us: Some(round_trip.as_nanos() as f64 / 1e3),
                clock_ahead_ms: agent.wall_ahead_ns.map(|ns| ns as f64 / 1e6),
                words: Some(format!("{by}: {}, {}, {} CPUs", right, facts.aside.os, facts.topology.len())),
            }
        }
    }
}

/// Leases both hosts, tries the cable out, and gives them back.
fn of_cable(testbed: &Testbed, cable: &Cable, hosts: &mut [(&Host, Result<Reached, Trouble>)]) -> CableJson {
    let names: Vec<String> = cable.0.iter().map(|end| end.host.clone()).collect();
    let ends = cable.0.each_ref().map(ToString::to_string);
    let result = match stacks::cable_of(&names, cable, testbed) {
        None => Err("one of its hosts is not known".to_string()),
        Some(ends) => tried(&names, &ends, hosts),
    };
    let speed_mbps = result.as_ref().ok().copied().flatten();
    CableJson { ends, joined: result.is_ok(), speed_mbps, problem: result.err() }
}

fn tried(
    names: &[String],
    cable: &stand::Cable,
    hosts: &mut [(&Host, Result<Reached, Trouble>)],
) -> Result<Option<u32>, String> {
    let mut posts: Vec<Post> = Vec::new();
    let mut known: Vec<(&str, &Facts)> = Vec::new();
    for (host, reached) in hosts.iter_mut().filter(|(host, _)| names.contains(&host.name)) {
        match reached {
            Ok(Reached { agent, facts, .. }) => {
                posts.push(Post { name: host.name.clone(), agent });
                known.push((&host.name, facts));
            }
            Err(_) => return Err(format!("{} was not reached", host.name)),
        }
    }
    // In the order of the cable's ends.
    posts.sort_by_key(|post| names.iter().position(|name| *name == post.name));
    known.sort_by_key(|(known, _)| names.iter().position(|name| name == known));
    let interfaces = cable.interfaces(known.into_iter().map(|(_, facts)| facts));
    let leased = posts.iter_mut().try_for_each(|post| {
        let leased = post.agent.lease(Duration::ZERO, Setup::default(), &mut |_| true);
        leased.map(drop).map_err(|error| error.on(post.name.clone()).to_string())
    });
    let result = leased.and_then(|()| run::try_cable(&mut posts, &interfaces).map_err(|error| error.to_string()));
    for post in &mut posts {
        if let (Err(error), true) = (post.agent.done("give the host back", Op::Release), result.is_ok()) {
            return Err(error.on(post.name.clone()).to_string());
        }
    }
    result
}

fn site_text(told: &SiteJson) -> String {
    if told.hosts.is_empty() {
        return "the site names no hosts: everything is measured on this machine\n".to_string();
    }
    let mut out = String::new();
    for host in &told.hosts {
        if let Some(words) = &host.words {
            out.push_str(&format!("host   {:<12} {words}", host.name));
            out.push_str(&host.round_trip_us.map_or(String::new(), |us| format!("; answers in {:.2} ms", us / 1e3)));
            match host.clock_ahead_ms {
                Some(ms) if ms.abs() > CLOCK_OFF_MAX_MS => {
                    out.push_str(&format!("; its clock is {:+.1} s off: times in records will say so", ms / 1e3));
                }
                Some(ms) => out.push_str(&format!(", clock {ms:+.1} ms")),
                None => {}
            }
            out.push('\n');
        }
        if let Some(problem) = &host.problem {
            out.push_str(&format!("host   {:<12} WRONG: {problem}\n", host.name));
        }
    }
    for cable in &told.cables {
        let state = match (&cable.problem, cable.speed_mbps) {
            (Some(problem), _) => format!("WRONG: {problem}"),
            (None, Some(mbps)) => format!("joined, {mbps} Mbit/s"),
            (None, None) => "joined".to_string(),
        };
        out.push_str(&format!("cable  {} {}  {state}\n", cable.ends[0], cable.ends[1]));
    }
    for stand in &told.stands {
        out.push_str(&format!("stand  {:<12} {} (class {})\n", stand.name, stand.hosts.join(" and "), stand.class));
    }
    out
}

/// `septet host check --json` of a site with hosts.
#[derive(Serialize)]
struct HostsJson<'a> {
    paper_grade: bool,
    hosts: Vec<CheckJson<'a>>,
    stands: Vec<StandJson>,
}

#[derive(Serialize)]
struct CheckJson<'a> {
    name: &'a str,
    paper_grade: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    missing_right: Option<String>,
    findings: Vec<Finding>,
}

/// `septet host check` of a site with hosts; none where everything is measured on this machine.
pub(super) fn check_hosts(json: bool) -> Result<Option<Exit>, Trouble> {
    let testbed = share::site_of(Path::new("."))?.testbed;
    if testbed.hosts.is_empty() {
        return Ok(None);
    }
    let hosts = reach(&testbed)?;
    let mut out = String::new();
    let (mut checks, mut known) = (Vec::new(), BTreeMap::new());
    for (host, reached) in &hosts {
        out.push_str(&format!("{}: ", host.name));
        match reached {
            Err(trouble) => {
                let problem = trouble.text.trim_end().to_string();
                out.push_str(&format!("{problem}\n\n"));
                let findings = Vec::new();
                let problem = Some(problem);
                checks.push(CheckJson { name: &host.name, paper_grade: false, problem, missing_right: None, findings });
            }
            Ok(Reached { facts, .. }) => {
                let findings = judged(facts);
                let paper_grade = !findings.iter().any(Finding::forbids_paper_grade);
                out.push_str(&host::check_text(facts, &findings, paper_grade));
                out.push('\n');
                let missing_right = missing_right(facts);
                checks.push(CheckJson { name: &host.name, paper_grade, problem: None, missing_right, findings });
                known.insert(host.name.as_str(), facts);
            }
        }
    }
    let stands: Vec<StandJson> = stands(&testbed, &known);
    for stand in &stands {
        let list = |names: &Option<Vec<String>>| match names.as_deref() {
            None => "unknown".to_string(),
            Some([]) => "nothing".to_string(),
            Some(names) => names.join(", "),
        };
        out.push_str(&format!("stand {} (class {}): local tests with {}", stand.name, stand.class, list(&stand.local)));
        if stand.hosts.len() == 2 {
            out.push_str(&format!("; remote tests with {}", list(&stand.remote)));
        }
        out.push('\n');
        out.extend(stand.not_remote.iter().map(|why| format!("    no remote tests: {why}\n")));
    }
    let paper_grade = checks.iter().all(|check| check.paper_grade);
    match json {
        true => say_json(&HostsJson { paper_grade, hosts: checks, stands })?,
        false => say(&out)?,
    };
    end(hosts);
    Ok(Some(if paper_grade { Exit::Well } else { Exit::Host }))
}

/// What each stand can measure: with switches that its first host has, and remote ones with those that both have and
/// that take an uplink.
fn stands(testbed: &Testbed, known: &BTreeMap<&str, &Facts>) -> Vec<StandJson> {
    let has = |name: &String| -> Option<BTreeSet<String>> {
        let facts = known.get(name.as_str())?;
        Some(facts.switches.iter().filter(|offer| offer.missing.is_none()).map(|offer| offer.name.clone()).collect())
    };
    let takes_uplink = |host: &String, name: &str| {
        let descriptor = known.get(host.as_str()).and_then(|facts| facts.descriptor(name));
        descriptor.is_some_and(|descriptor| !descriptor.uplinks().is_empty())
    };
    // What stands in its way at the cable, by host.
    let hindered = |hosts: &[String], cable: &stand::Cable, name: &str| {
        hosts.iter().zip(&cable.ends).find_map(|(host, end)| {
            let facts = known.get(host.as_str())?;
            let why = cannot_reach(facts, facts.descriptor(name)?, end)?;
            Some(format!("on host {host}: {why}"))
        })
    };
    let one = |plan: crate::site::StandPlan| {
        let local = plan.hosts.first().and_then(has);
        let cable = plan.cable.as_ref().and_then(|cable| stacks::cable_of(&plan.hosts, cable, testbed));
        let mut not_remote = Vec::new();
        let remote = match &plan.hosts[..] {
            [first, second] => has(first).zip(has(second)).map(|(of_first, of_second)| {
                let mut names: Vec<String> =
                    of_first.intersection(&of_second).filter(|name| takes_uplink(first, name)).cloned().collect();
                names.retain(|name| {
                    let why = cable.as_ref().and_then(|cable| hindered(&plan.hosts, cable, name));
                    not_remote.extend(why.clone());
                    why.is_none()
                });
                names
            }),
            _ => None,
        };
        let local = local.map(|names| names.into_iter().collect());
        StandJson { class: testbed.class_of(&plan), name: plan.name, hosts: plan.hosts, local, remote, not_remote }
    };
    testbed.stands(!testbed.cables.is_empty()).into_iter().map(one).collect()
}
