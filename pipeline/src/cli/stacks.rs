//! The stacks that a command needs, as the site defines them, and the facts of a host with them. It must not know
//! what lies in a stack.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr;

use host_setup::facts::Facts;
use host_setup::stack::{SYSTEM, Stack};

use super::share;
use crate::agent::{self, Agent, Direct, Sudo};
use crate::exit::Trouble;
use crate::preparation;
use crate::site;
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

/// An agent that knows the stacks of an experiment's tests, and those of `more`.
pub(super) fn agent<'a>(workspace: &'a Workspace, more: impl Iterator<Item = &'a str>) -> Result<Agent, Trouble> {
    let of_tests = workspace.tests().iter().map(|test| &*test.tuple.variant.stack);
    let names: BTreeSet<&str> = of_tests.chain(more).filter(|name| *name != SYSTEM).collect();
    let mut wanted: BTreeMap<String, Option<Stack>> = BTreeMap::new();
    if !names.is_empty() {
        let mut known = share::site_of(&share::beside(&workspace.file))?.stacks;
        wanted = names.into_iter().map(|name| (name.to_string(), known.remove(name))).collect();
    }
    start(wanted)
}

/// Starts the agent of this host as the user's own site file says: directly, or by sudo.
pub(super) fn start(stacks: BTreeMap<String, Option<Stack>>) -> Result<Agent, Trouble> {
    Ok(match site::own()?.sudo {
        Some(program) => Agent::over(&Sudo::at(&program), stacks)?,
        None => Agent::over(&Direct::at(&agent::program()), stacks)?,
    })
}

/// Facts of this host, by a short-lived agent; digests are computed again with `refresh`. Under assumptions they are
/// what they would be.
pub(super) fn facts(workspace: &Workspace, refresh: bool, assumptions: &[Assumption]) -> Result<Facts, Trouble> {
    let assumed = assumptions.iter().map(|assumption| &*assumption.stack);
    let facts = preparation::facts(&workspace.experiment, ask(agent(workspace, assumed)?, refresh)?);
    let assume = |facts: Facts, Assumption { component, stack }: &Assumption| {
        facts
            .if_from(component, stack)
            .map_err(|problem| Trouble::input(format!("--if {component}={stack}: {problem}")))
    };
    assumptions.iter().try_fold(facts, assume)
}

/// Facts of this host with all stacks that the site defines for experiments in a folder.
pub(super) fn of_host(folder: &Path, refresh: bool) -> Result<Facts, Trouble> {
    let stacks = share::site_of(folder)?.stacks.into_iter().map(|(name, stack)| (name, Some(stack)));
    ask(start(stacks.collect())?, refresh)
}

fn ask(mut agent: Agent, refresh: bool) -> Result<Facts, Trouble> {
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
