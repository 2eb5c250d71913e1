//! The stand and the stacks that a command needs, as the site defines them, and the facts of hosts with them. It must not know
//! what lies in a stack.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr;

use host_setup::facts::Facts;
use host_setup::stack::{SYSTEM, Stack};
use host_setup::switch::uplink::By;
use results::axes::Locality;

use super::share;
use crate::agent::{self, Agent, AgentError, Bell, Direct, Programs, Ssh, Sudo, Transport};
use crate::conditions::Conditions;
use crate::exit::Trouble;
use crate::preparation;
use crate::site::{self, Host, Nic, Reach, StandPlan, Testbed};
use crate::stand::{Cable, CableEnd, Ground, Post, Site, Stand};
use crate::workspace::Workspace;

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

/// The agents of a stand.
#[derive(Debug)]
pub(super) struct Agents {
    /// What people call the stand.
    pub(super) name: String,
    /// What people call each host, and its agent.
    pub(super) hosts: Vec<(String, Agent)>,
    /// What joins two hosts.
    cable: Option<Cable>,
    /// Whether this program runs on one of them.
    pub(super) shares_host: bool,
}

impl Agents {
    /// What the stand is, as an experiment goes by it.
    pub(super) fn ground(&mut self, workspace: &Workspace, refresh: bool) -> Result<Ground, Trouble> {
        let several = self.hosts.len() > 1;
        let mut hosts = Vec::new();
        for (name, agent) in &mut self.hosts {
            let named = |error: AgentError| if several { error.on(name.clone()) } else { error };
            let facts = preparation::facts(&workspace.experiment, agent.facts(refresh).map_err(named)?);
            hosts.push(Site { name: name.clone(), facts });
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

/// Agents of the stand that an experiment's tests are measured on, which know the stacks of these tests, and those of
/// `more`: of two cabled hosts if tests need two and the site has them, otherwise of one.
pub(super) fn agents<'a>(workspace: &'a Workspace, more: impl Iterator<Item = &'a str>) -> Result<Agents, Trouble> {
    let site = share::site_of(&share::beside(&workspace.file))?;
    let of_tests = workspace.tests().iter().map(|test| &*test.tuple.variant.stack);
    let names: BTreeSet<&str> = of_tests.chain(more).filter(|name| *name != SYSTEM).collect();
    let known = |name: &str| (name.to_string(), site.stacks.get(name).cloned());
    let stacks: BTreeMap<String, Option<Stack>> = names.into_iter().map(known).collect();
    let pairs = workspace.tests().iter().any(|test| test.tuple.locality == Locality::Remote);
    let plans = site.testbed.stands(pairs);
    let chosen = plans.iter().find(|plan| pairs && plan.hosts.len() == 2).or(plans.first());
    let Some(plan) = chosen else {
        let hosts = vec![("this host".to_string(), start(stacks)?)];
        return Ok(Agents { name: "this host".to_string(), hosts, cable: None, shares_host: true });
    };
    connect(&site.testbed, plan, &stacks)
}

/// The agents of a stand of the site.
pub(super) fn connect(
    testbed: &Testbed,
    plan: &StandPlan,
    stacks: &BTreeMap<String, Option<Stack>>,
) -> Result<Agents, Trouble> {
    let bell = Bell::default();
    let mut hosts = Vec::new();
    for name in &plan.hosts {
        let Some(host) = testbed.hosts.get(name) else { continue };
        let agent = Agent::with_bell(&*transport(host)?, stacks.clone(), bell.clone());
        hosts.push((name.clone(), agent.map_err(|error| error.on(name.clone()))?));
    }
    let here = |name: &String| testbed.hosts.get(name).is_some_and(|host| host.reach == Reach::Here);
    let cable = plan.cable.as_ref().and_then(|cable| cable_of(&plan.hosts, cable, testbed));
    Ok(Agents { name: plan.name.clone(), hosts, cable, shares_host: plan.hosts.iter().any(here) })
}

/// How a host of the site is reached.
pub(super) fn transport(host: &Host) -> Result<Box<dyn Transport>, Trouble> {
    match (&host.reach, &host.sudo) {
        (Reach::Here, Some(program)) => Ok(Box::new(Sudo::at(program))),
        (Reach::Here, None) => Ok(Box::new(Direct::at(&agent::program()))),
        (Reach::Ssh(destination), sudo) => {
            let folder = agent::program().parent().map(Path::to_path_buf).unwrap_or_default();
            Ok(Box::new(Ssh {
                host: host.name.clone(),
                destination: destination.clone(),
                sudo: sudo.clone(),
                cores: host.cores.clone(),
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
pub(super) fn start(stacks: BTreeMap<String, Option<Stack>>) -> Result<Agent, Trouble> {
    Ok(match site::own()?.sudo {
        Some(program) => Agent::over(&Sudo::at(&program), stacks)?,
        None => Agent::over(&Direct::at(&agent::program()), stacks)?,
    })
}

/// What the stand of an experiment is, by short-lived agents; digests are computed again with `refresh`. Under
/// assumptions it is what it would be.
pub(super) fn ground(workspace: &Workspace, refresh: bool, assumptions: &[Assumption]) -> Result<Ground, Trouble> {
    let assumed = assumptions.iter().map(|assumption| &*assumption.stack);
    let mut agents = agents(workspace, assumed)?;
    let mut ground = agents.ground(workspace, refresh)?;
    agents.bye()?;
    for Assumption { component, stack } in assumptions {
        for site in &mut ground.hosts {
            let problem = |problem| Trouble::input(format!("--if {component}={stack}: {problem}"));
            site.facts = site.facts.if_from(component, stack).map_err(problem)?;
        }
    }
    Ok(ground)
}

/// Facts of this host with all stacks that the site defines for experiments in a folder.
pub(super) fn of_host(folder: &Path, refresh: bool) -> Result<Facts, Trouble> {
    let stacks = share::site_of(folder)?.stacks.into_iter().map(|(name, stack)| (name, Some(stack)));
    let mut agent = start(stacks.collect())?;
    let facts = agent.facts(refresh)?;
    agent.bye()?;
    Ok(facts)
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
