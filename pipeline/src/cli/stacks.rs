//! The stand that a command needs and the names of stacks, switches and applications, as the site defines them, and the
//! facts of hosts with them. It must not know what lies behind a name.

mod known;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::path::Path;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use host_setup::application;
use host_setup::cpulist;
use host_setup::facts::Facts;
use host_setup::protocol::Names;
use host_setup::stack::SYSTEM;
use host_setup::switch::uplink::By;
use results::axes::{Locality, VSwitch};

pub(super) use self::known::Known;
use super::{remark, shard, share, stands};
use crate::agent::{self, Agent, AgentError, Bell, Direct, Programs, Srun, Ssh, Sudo, Transport};
use crate::clock;
use crate::conditions::Conditions;
use crate::exit::Trouble;
use crate::preparation;
use crate::remembered::{self, Remembered};
use crate::signals::Signals;
use crate::site::{self, Cluster, Host, Nic, Reach, StandPlan, Testbed};
use crate::slurm::commands::Allocation;
use crate::slurm::place::ClusterPlace;
use crate::slurm::script;
use crate::stand::{Cable, CableEnd, Ground, Post, Site, Stand};
use crate::store::Index;
use crate::workspace::Workspace;

/// The only stand where the site has no hosts.
const THIS_HOST: &str = "this host";
/// Whoever waits for longer than this is told for what.
const TOLD_AFTER: Duration = Duration::from_secs(3);

/// An assumption that a component came from a stack: `ovs=new`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assumption {
    component: String,
    stack: String,
}

impl FromStr for Assumption {
    type Err = String;

    fn from_str(text: &str) -> Result<Assumption, String> {
        match text.split_once('=') {
            Some((component, stack)) if !component.is_empty() && !stack.is_empty() => {
                Ok(Assumption { component: component.to_string(), stack: stack.to_string() })
            }
            _ => Err("write COMPONENT=STACK, as in ovs=new".to_string()),
        }
    }
}

/// On which stands, and how anew.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Where {
    /// Use stands of this class of hosts, where the site has several: `lab`, or `lab+edge` for two cabled hosts.
    #[arg(long, value_name = "NAME")]
    pub(super) class: Option<String>,
    /// Recompute fingerprints; ignore the cache, and what hosts told before.
    #[arg(long)]
    pub(super) refresh: bool,
}

impl Where {
    /// The stands of the site that are meant.
    ///
    /// # Errors
    /// When there are none of that class.
    pub(super) fn stands(&self, testbed: &Testbed, pairs: bool) -> Result<Vec<StandPlan>, Trouble> {
        let class = self.class.as_deref();
        let stands = testbed.stands_of(pairs, class);
        let Some(class) = class.filter(|_| stands.is_empty()) else { return Ok(stands) };
        let known: BTreeSet<String> = testbed.stands(pairs).iter().map(|stand| testbed.class_of(stand)).collect();
        let known: Vec<String> = known.into_iter().collect();
        Err(Trouble::input(match known[..] {
            [] => format!("--class {class}: the site file names no hosts"),
            _ => format!("--class {class}: no stand is of that class; there are {}", known.join(", ")),
        }))
    }
}

/// What the site says of a host.
#[derive(Debug, Default)]
struct About {
    /// The CPUs that may be used; all if absent.
    cores: Option<String>,
    /// All that the host is asked, if it is worth remembering what it answers.
    question: Option<String>,
}

impl About {
    fn of(host: &Host, names: &Names) -> About {
        let question = (host.reach != Reach::Here).then(|| format!("{host:?} {names:?}"));
        About { cores: host.cores.clone(), question }
    }

    /// The facts of the host as an experiment goes by them: without CPUs that are not to be used.
    fn facts(&self, workspace: &Workspace, name: &str, facts: Facts) -> Result<Facts, Trouble> {
        let facts = preparation::facts(&workspace.experiment, facts);
        let Some(text) = &self.cores else { return Ok(facts) };
        let cores = cpulist::parse(text);
        let topology: Vec<_> = facts.topology.iter().filter(|core| cores.contains(&core.cpu)).cloned().collect();
        match topology.is_empty() {
            true => Err(Trouble::input(format!(
                "failed to plan for host {name}: the site file gives it the CPUs {text}, of which it has none"
            ))),
            false => Ok(Facts { topology, ..facts }),
        }
    }
}

/// The agents of a stand.
#[derive(Debug)]
pub(super) struct Agents {
    /// What people call the stand.
    pub(super) name: String,
    /// What people call each host, and its agent.
    pub(super) hosts: Vec<(String, Agent)>,
    /// What the site says of each.
    about: Vec<About>,
    /// What joins two hosts.
    cable: Option<Cable>,
    /// Whether this program runs on one of them.
    pub(super) shares_host: bool,
    /// What holds them, given back after the agents' end.
    _held: Option<Allocation>,
}

impl Agents {
    /// What the stand is, as an experiment goes by it.
    pub(super) fn ground(&mut self, workspace: &Workspace, refresh: bool) -> Result<Ground, Trouble> {
        let several = self.hosts.len() > 1;
        let mut hosts = Vec::new();
        for ((name, agent), about) in self.hosts.iter_mut().zip(&self.about) {
            let named = |error: AgentError| if several { error.on(name.clone()) } else { error };
            let facts = agent.facts(refresh).map_err(named)?;
            if let Some(Err(error)) = about.question.as_ref().map(|question| remembered::keep(question, &facts)) {
                remark(&format!("septet: {error}; what {name} is will be asked again"));
            }
            hosts.push(Site { name: name.clone(), facts: about.facts(workspace, name, facts)? });
        }
        Ok(Ground { hosts, cable: self.cable.clone() })
    }

    /// The stand, for measuring under conditions that were made of its ground.
    pub(super) fn stand<'a>(&'a mut self, conditions: &'a Conditions<'a>) -> Stand<'a> {
        let post = |(name, agent): &'a mut (String, Agent)| Post { name: name.clone(), agent };
        let hosts = self.hosts.iter_mut().map(post).collect();
        let may_differ = BTreeSet::new();
        Stand { name: self.name.clone(), hosts, conditions, shares_host: self.shares_host, may_differ }
    }

    /// The clean end of all of them.
    pub(super) fn bye(self) -> Result<(), Trouble> {
        let ended: Vec<Result<(), AgentError>> = self.hosts.into_iter().map(|(_, agent)| agent.bye()).collect();
        Ok(ended.into_iter().collect::<Result<(), AgentError>>()?)
    }
}

/// What an experiment's tests are measured on, as the site has it.
struct Chosen {
    testbed: Testbed,
    /// The stands of a class, any of which says what a plan has to know: of two cabled hosts if tests need two and the
    /// site has them, otherwise of one. None where the site has no hosts: everything is measured on this one then.
    plans: Vec<StandPlan>,
    /// What will be named, and what that means as far as it is known.
    names: Names,
    /// The cluster whose nodes they are.
    cluster: Option<Cluster>,
}

impl Chosen {
    /// With the stacks of the tests, and those of `more`.
    fn of<'a>(workspace: &'a Workspace, on: &Where, more: impl Iterator<Item = &'a str>) -> Result<Chosen, Trouble> {
        let site = share::site_of(&share::beside(&workspace.file))?;
        let names = named(workspace, more, &site);
        let pairs = workspace.tests().iter().any(|test| test.tuple.locality == Locality::Remote);
        let mut plans = on.stands(&site.testbed, pairs)?;
        let first = plans.iter().find(|plan| pairs && plan.hosts.len() == 2).or(plans.first());
        let class = first.map(|plan| site.testbed.class_of(plan));
        plans.retain(|plan| class.as_ref() == Some(&site.testbed.class_of(plan)));
        Ok(Chosen { testbed: site.testbed, plans, names, cluster: site.cluster })
    }
}

/// The agents of the stand that an experiment's tests are measured on, which know the stacks of these tests, and those
/// of `more`.
pub(super) fn agents<'a>(
    workspace: &'a Workspace,
    on: &Where,
    more: impl Iterator<Item = &'a str>,
) -> Result<Agents, Trouble> {
    let Chosen { testbed, plans, names, cluster } = Chosen::of(workspace, on, more)?;
    if let Some(cluster) = &cluster {
        return on_cluster(&testbed, &plans, &names, cluster);
    }
    if plans.is_empty() {
        let hosts = vec![(THIS_HOST.to_string(), start(names)?)];
        let about = vec![About::default()];
        return Ok(Agents { name: THIS_HOST.to_string(), hosts, about, cable: None, shares_host: true, _held: None });
    }
    let mut unreached = None;
    for plan in &plans {
        match connect(&testbed, plan, &names, &ClusterPlace::outside()) {
            Ok(agents) => return Ok(agents),
            Err(trouble) if unreached.is_none() => unreached = Some(trouble),
            Err(_) => {}
        }
    }
    Err(unreached.unwrap_or_else(|| Trouble::host("failed to find a stand")))
}

/// The agents of nodes of a cluster, which are held for asking them what they are.
fn on_cluster(testbed: &Testbed, plans: &[StandPlan], names: &Names, cluster: &Cluster) -> Result<Agents, Trouble> {
    let signals = Signals::take().map_err(|error| Trouble::host(format!("failed to take signals: {error}")))?;
    let hosts = if plans.iter().any(|plan| plan.hosts.len() == 2) { 2 } else { 1 };
    let features: Vec<&str> = testbed.features.iter().flatten().map(String::as_str).collect();
    let comment = format!("septet:facts:{}", crate::beneath::unique_name());
    let asked = Instant::now();
    let mut is_told = false;
    // Keys are those of one stand where others may differ from it: always of the same one then.
    let first = plans.iter().find(|plan| plan.hosts.len() == hosts as usize);
    let first = first.filter(|_| !stands::may_differ(testbed, plans).is_empty()).map_or(&[][..], |plan| &plan.hosts);
    let arguments = script::allocation(hosts, cluster, &features, first, &comment);
    let held = Allocation::wait(&arguments, &comment, &mut || {
        if !is_told && asked.elapsed() > TOLD_AFTER {
            is_told = true;
            remark("waiting for a node of the cluster that is free, to ask it what it is");
        }
        !signals.asked()
    })?;
    let plan = match &held.nodes[..] {
        [node] if testbed.hosts.contains_key(node) => {
            StandPlan { name: node.clone(), hosts: vec![node.clone()], cable: None }
        }
        [node] => return Err(shard::unknown(node)),
        nodes => shard::pair(testbed, nodes)?,
    };
    if !plans.iter().any(|known| known.hosts.iter().all(|host| plan.hosts.contains(host))) {
        return Err(Trouble::input(format!(
            "failed to ask a node that is meant: the cluster gave {}; constraint of [slurm], or features of cables, have to \
             choose those of the class",
            plan.name
        )));
    }
    let agents = connect(testbed, &plan, names, &ClusterPlace::holding(held.job))?;
    Ok(Agents { _held: Some(held), ..agents })
}

/// The names in an experiment's tests, and the stacks of `more`, with what the site says of them.
pub(super) fn named<'a>(workspace: &'a Workspace, more: impl Iterator<Item = &'a str>, site: &site::Site) -> Names {
    fn known<'n, T: Clone>(
        names: impl Iterator<Item = &'n str>,
        meanings: &BTreeMap<String, T>,
    ) -> BTreeMap<String, Option<T>> {
        names.map(|name| (name.to_string(), meanings.get(name).cloned())).collect()
    }
    let of_tests = workspace.tests().iter().map(|test| &*test.tuple.variant.stack);
    let all: BTreeSet<&str> = of_tests.chain(more).filter(|name| *name != SYSTEM).collect();
    let applications = all.iter().filter_map(|name| name.strip_prefix(application::PREFIX));
    let stacks = all.iter().copied().filter(|name| !name.starts_with(application::PREFIX));
    let switches = workspace.tests().iter().map(|test| test.tuple.vswitch.name());
    let switches: BTreeSet<&str> = switches.filter_map(|name| name.strip_prefix(VSwitch::CUSTOM)).collect();
    Names {
        stacks: known(stacks, &site.stacks),
        switches: known(switches.into_iter(), &site.switches),
        applications: known(applications, &site.applications),
    }
}

/// The agents of a stand of the site.
pub(super) fn connect(
    testbed: &Testbed,
    plan: &StandPlan,
    names: &Names,
    place: &ClusterPlace,
) -> Result<Agents, Trouble> {
    let bell = Bell::default();
    let (mut hosts, mut about) = (Vec::new(), Vec::new());
    for name in &plan.hosts {
        let Some(host) = testbed.hosts.get(name) else { continue };
        about.push(About::of(host, names));
        let agent = Agent::with_bell(&*transport(host, place)?, names.clone(), bell.clone());
        hosts.push((name.clone(), agent.map_err(|error| error.on(name.clone()))?));
    }
    let here = |name: &String| testbed.hosts.get(name).is_some_and(|host| is_here(host, place));
    let cable = plan.cable.as_ref().and_then(|cable| cable_of(&plan.hosts, cable, testbed));
    Ok(Agents { name: plan.name.clone(), hosts, about, cable, shares_host: plan.hosts.iter().any(here), _held: None })
}

/// Whether a host is the one that this program runs on.
fn is_here(host: &Host, place: &ClusterPlace) -> bool {
    match host.reach {
        Reach::Here => true,
        Reach::Slurm => place.node.as_ref() == Some(&host.name),
        Reach::Ssh(_) => false,
    }
}

/// How a host of the site is reached.
pub(super) fn transport(host: &Host, place: &ClusterPlace) -> Result<Box<dyn Transport>, Trouble> {
    match (&host.reach, &host.sudo) {
        (_, Some(program)) if is_here(host, place) => Ok(Box::new(Sudo::at(program))),
        (_, None) if is_here(host, place) => Ok(Box::new(Direct::at(&agent::program()))),
        (Reach::Here, _) => Ok(Box::new(Direct::at(&agent::program()))),
        (Reach::Slurm, sudo) => {
            let (program, host) = (agent::program(), host.name.clone());
            let programs = Programs::of(program.parent().unwrap_or(Path::new("")))?;
            let job = place.job.ok_or_else(|| {
                Trouble::input(format!(
                    "failed to reach {host}: it is a node of a Slurm cluster, and this is no job of it; use septet run \
                     --slurm, or septet plan --refresh to ask a node what it is"
                ))
            })?;
            Ok(Box::new(Srun { host, job, program, sudo: sudo.clone(), programs }))
        }
        (Reach::Ssh(destination), sudo) => {
            let folder = agent::program().parent().map(Path::to_path_buf).unwrap_or_default();
            Ok(Box::new(Ssh {
                host: host.name.clone(),
                destination: destination.clone(),
                sudo: sudo.clone(),
                programs: Programs::of(&folder)?,
            }))
        }
    }
}

/// The cable of a stand with its ends in the order of the hosts.
pub(super) fn cable_of(hosts: &[String], cable: &site::Cable, testbed: &Testbed) -> Option<Cable> {
    let end = |name: &String| {
        let (device, dpdk) = match cable.nic_of(name)? {
            Nic::Pci(address) => (address.clone(), By::Pci),
            Nic::Interface(name_of_it) => (name_of_it.clone(), testbed.hosts.get(name)?.uplink),
        };
        Some(CableEnd { device, dpdk })
    };
    match hosts {
        [first, second] => Some(Cable { ends: [end(first)?, end(second)?] }),
        _ => None,
    }
}

/// Starts the agent of this host as the user's own site file says: directly, or by sudo.
pub(super) fn start(names: Names) -> Result<Agent, Trouble> {
    Ok(match site::own()?.sudo {
        Some(program) => Agent::over(&Sudo::at(&program), names)?,
        None => Agent::over(&Direct::at(&agent::program()), names)?,
    })
}

/// What the stand of an experiment is: by short-lived agents, or as hosts that are far away said when they were asked
/// last, which is told. With `--refresh` all are asked, and digests are computed again. Under assumptions it is what it
/// would be.
pub(super) fn ground(workspace: &Workspace, on: &Where, assumptions: &[Assumption]) -> Result<Ground, Trouble> {
    let assumed = || assumptions.iter().map(|assumption| &*assumption.stack);
    let known = if on.refresh { None } else { known(workspace, Chosen::of(workspace, on, assumed())?)? };
    let mut ground = match known {
        Some(ground) => ground,
        None => {
            let mut agents = agents(workspace, on, assumed())?;
            let ground = agents.ground(workspace, on.refresh)?;
            agents.bye()?;
            ground
        }
    };
    for Assumption { component, stack } in assumptions {
        for site in &mut ground.hosts {
            let problem = |problem| Trouble::input(format!("--if {component}={stack}: {problem}"));
            site.facts = site.facts.if_from(component, stack).map_err(problem)?;
        }
    }
    Ok(ground)
}

/// The same, and the index, which is read while the agent looks around.
pub(super) fn ground_and_index(
    workspace: &Workspace,
    on: &Where,
    assumptions: &[Assumption],
    known: Option<Known>,
) -> Result<(Ground, Index), Trouble> {
    if let Some(known) = known.filter(|_| assumptions.is_empty()) {
        let index = workspace.store.index()?;
        return Ok(match known.ground(workspace, on)? {
            Some(ground) => (ground, index),
            None => (ground(workspace, on, assumptions)?, index),
        });
    }
    let read = || workspace.store.index();
    thread::scope(|scope| {
        let reading = thread::Builder::new().spawn_scoped(scope, read);
        let ground = ground(workspace, on, assumptions)?;
        let index = match reading {
            Ok(reading) => reading.join().unwrap_or_else(|panic| resume_unwind(panic)),
            // Where no thread can be made it is read afterwards.
            Err(_) => read(),
        };
        Ok((ground, index?))
    })
}

/// What the stand of an experiment says that it is now.
pub(super) fn asked(workspace: &Workspace, on: &Where) -> Result<Ground, Trouble> {
    let mut agents = agents(workspace, on, std::iter::empty())?;
    let ground = agents.ground(workspace, on.refresh)?;
    agents.bye()?;
    Ok(ground)
}

/// A stand whose hosts are all far away and were asked before, as they said then, with how long ago that was; none if
/// there is none.
fn known(workspace: &Workspace, chosen: Chosen) -> Result<Option<Ground>, Trouble> {
    for plan in &chosen.plans {
        let (mut hosts, mut oldest) = (Vec::new(), Duration::ZERO);
        for host in plan.hosts.iter().filter_map(|name| chosen.testbed.hosts.get(name)) {
            let about = About::of(host, &chosen.names);
            let Some(Remembered { facts, age }) = about.question.as_deref().and_then(remembered::answer) else { break };
            oldest = oldest.max(age);
            hosts.push(Site { name: host.name.clone(), facts: about.facts(workspace, &host.name, facts)? });
        }
        if !hosts.is_empty() && hosts.len() == plan.hosts.len() {
            let names: Vec<&str> = hosts.iter().map(|site| site.name.as_str()).collect();
            let age = clock::shown(oldest);
            remark(&format!("what {} told {age} ago; --refresh asks again", names.join(" and ")));
            let cable = plan.cable.as_ref().and_then(|cable| cable_of(&plan.hosts, cable, &chosen.testbed));
            return Ok(Some(Ground { hosts, cable }));
        }
    }
    Ok(None)
}

/// Facts of this host with all stacks that the site defines for experiments in a folder.
pub(super) fn of_host(folder: &Path, refresh: bool) -> Result<Facts, Trouble> {
    let site = share::site_of(folder)?;
    let mut agent = start(Names {
        stacks: defined(site.stacks),
        switches: defined(site.switches),
        applications: defined(site.applications),
    })?;
    let facts = agent.facts(refresh)?;
    agent.bye()?;
    Ok(facts)
}

fn defined<T>(meanings: BTreeMap<String, T>) -> BTreeMap<String, Option<T>> {
    meanings.into_iter().map(|(name, meaning)| (name, Some(meaning))).collect()
}

/// What a plan under assumptions begins with.
pub(super) fn words(assumptions: &[Assumption]) -> String {
    let each: Vec<String> =
        assumptions.iter().map(|assumed| format!("{} came from stack {}", assumed.component, assumed.stack)).collect();
    if each.is_empty() { String::new() } else { format!("if {}:\n", each.join(" and ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assumption_is_a_component_and_a_stack() {
        let ovs: Assumption = "ovs=new".parse().expect("an assumption");
        assert_eq!(words(std::slice::from_ref(&ovs)), "if ovs came from stack new:\n");
        assert_eq!((ovs.component, ovs.stack), ("ovs".to_string(), "new".to_string()));
        assert!(["ovs", "=new", "ovs=", ""].iter().all(|text| text.parse::<Assumption>().is_err()));
        assert_eq!(words(&[]), "");
    }
}
