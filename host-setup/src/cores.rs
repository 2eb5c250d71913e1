//! The core plan: which CPU does what during a measurement. Pure: topology and needs in, plan out, and the
//! plan is part of a key, so equal input gives an equal plan forever.
//! It must not know how topology is read, how threads are pinned, or what an experiment is.
//!
//! The rules, in order of weight:
//!
//! 1. One thread of a physical core is used, its hyper-thread siblings are left idle.
//! 2. Switch and generators are on one NUMA node: the first (by the network card that they measure through, then by
//!    isolated, then by performance cores on offer) on which they fit. The housekeeping core is on it too if there is room, else elsewhere, told.
//! 3. Isolated cores first, then `nohz_full` ones, then performance cores, then by CPU number. The
//!    housekeeping core is chosen the other way round: not isolated, efficient, lowest number.
//! 4. Not enough cores: the plan is `oversubscribed`. Every core of the node is used, switch cores are kept
//!    apart from generators as far as possible, generators go round robin over the rest. No generator of
//!    such a plan counts as dedicated, also one that happens to be alone: all of a measurement must wait
//!    the same way. This includes a host whose generators have a core each and whose housekeeping has none.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::facts::Core;

/// What a measurement wants cores for; one more is wanted for housekeeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// Cores given to the switch, main and control threads counted; 0 for a switch that runs in the kernel
    /// on its callers' CPUs.
    pub switch_cores: u32,
    /// Generators, one core each.
    pub generators: u32,
}

/// Which CPU does what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorePlan {
    /// CPUs of the switch, as many as were needed; some named twice if there are too few.
    pub switch: Vec<u32>,
    /// One a generator, in their order.
    pub generators: Vec<Assignment>,
    /// Where the agent and its reads run; absent only if no CPU is known.
    pub housekeeping: Option<u32>,
    /// What could not be had, in words for people. Empty for a plan without a doubt.
    pub limits: Vec<String>,
    /// Whether roles share cores: results are indicative, and waiting must yield.
    pub oversubscribed: bool,
    /// NUMA node of switch and generators; absent only if no CPU is known.
    pub node: Option<u32>,
}

/// The CPUs of one generator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// CPUs that it may run on; empty for all.
    pub cpus: Vec<u32>,
    /// Whether nothing else of the measurement runs there, so that it may spin.
    pub dedicated: bool,
}

/// A physical core, by the one thread of it that is used.
#[derive(Clone, Copy, Debug)]
struct Slot {
    cpu: u32,
    node: u32,
    isolated: bool,
    nohz_full: bool,
    efficient: bool,
}

/// Makes the plan. Never fails: what cannot be had is told in [`CorePlan::limits`].
pub fn plan(topology: &[Core], needs: &Needs) -> CorePlan {
    plan_near(topology, needs, None)
}

/// Like [`plan`], for a measurement through a network card on the NUMA node `near`, if it is on one.
pub fn plan_near(topology: &[Core], needs: &Needs, near: Option<u32>) -> CorePlan {
    let slots = slots(topology);
    let measuring = needs.switch_cores as usize + needs.generators as usize;
    let Some(node) = choose_node(&slots, measuring, near) else { return unknown(needs) };
    let mut on_node: Vec<Slot> = slots.iter().filter(|slot| slot.node == node).copied().collect();
    let housekeepers = |slot: &Slot| (slot.isolated, slot.nohz_full, !slot.efficient, slot.cpu);

    let mut limits = Vec::new();
    limits.extend(near.filter(|near| *near != node).map(|near| {
        format!("the network card is on node {near}, which has too few cores: the measurement is on node {node}")
    }));
    let mut housekeeping = None;
    if on_node.len() > measuring {
        // The housekeeper is taken first only from what the measurement can spare: an isolated core is
        // left to it if it needs one.
        let spare = on_node.split_off(measuring);
        housekeeping = spare.iter().min_by_key(|slot| housekeepers(slot)).map(|slot| slot.cpu);
    } else if on_node.len() == measuring
        && let Some(other) = slots.iter().filter(|slot| slot.node != node).min_by_key(|slot| housekeepers(slot))
    {
        housekeeping = Some(other.cpu);
        limits.push(format!(
            "node {node} has no core left for housekeeping, which runs on CPU {} of node {}",
            other.cpu, other.node
        ));
    }
    let oversubscribed = housekeeping.is_none();
    if oversubscribed {
        limits.push(shortage(needs, &slots, node));
        housekeeping = on_node.iter().min_by_key(|slot| housekeepers(slot)).map(|slot| slot.cpu);
    }
    let cpus: Vec<u32> = on_node.iter().map(|slot| slot.cpu).collect();
    let (switch, generators) = assign(&cpus, needs, !oversubscribed);
    limits.extend(mixed_kinds(&on_node, &switch, &generators));
    CorePlan { switch, generators, housekeeping, limits, oversubscribed, node: Some(node) }
}

/// One slot a physical core, in the order in which a measurement takes them.
fn slots(topology: &[Core]) -> Vec<Slot> {
    let mut physical: BTreeMap<(u32, u32, u32), Vec<&Core>> = BTreeMap::new();
    for core in topology {
        physical.entry((core.node, core.package, core.core)).or_default().push(core);
    }
    let mut slots: Vec<Slot> = physical
        .into_values()
        .filter_map(|threads| threads.into_iter().min_by_key(|core| (!core.isolated, !core.nohz_full, core.cpu)))
        .map(|core| Slot {
            cpu: core.cpu,
            node: core.node,
            isolated: core.isolated,
            nohz_full: core.nohz_full,
            efficient: core.kind.as_deref() == Some("efficiency"),
        })
        .collect();
    slots.sort_by_key(|slot| (!slot.isolated, !slot.nohz_full, slot.efficient, slot.cpu));
    slots
}

/// The node on which the measurement fits best; when it fits on none, the one with most cores.
fn choose_node(slots: &[Slot], measuring: usize, near: Option<u32>) -> Option<u32> {
    let nodes: BTreeSet<u32> = slots.iter().map(|slot| slot.node).collect();
    nodes.into_iter().min_by_key(|node| {
        let here: Vec<&Slot> = slots.iter().filter(|slot| slot.node == *node).collect();
        let used = &here[..measuring.min(here.len())];
        let isolated = used.iter().filter(|slot| slot.isolated).count();
        let performance = used.iter().filter(|slot| !slot.efficient).count();
        // Room for housekeeping weighs less than isolation of what is measured.
        let fit = here.len().min(measuring);
        let is_near = near == Some(*node);
        (Reverse(fit), Reverse(is_near), Reverse(isolated), Reverse(performance), here.len() <= measuring, *node)
    })
}

/// Switch cores first, then generators, one each; round robin when there are too few.
fn assign(cpus: &[u32], needs: &Needs, dedicated: bool) -> (Vec<u32>, Vec<Assignment>) {
    let switch_cores = needs.switch_cores as usize;
    let for_switch: Vec<u32> = cpus.iter().copied().take(switch_cores).collect();
    let for_generators = if cpus.len() > switch_cores { &cpus[switch_cores..] } else { cpus };
    let switch = for_switch.iter().copied().cycle().take(switch_cores).collect();
    let generators = for_generators
        .iter()
        .cycle()
        .take(needs.generators as usize)
        .map(|cpu| Assignment { cpus: vec![*cpu], dedicated })
        .collect();
    (switch, generators)
}

/// The sentence that says what is missing.
fn shortage(needs: &Needs, slots: &[Slot], node: u32) -> String {
    let all = slots.len();
    let here = slots.iter().filter(|slot| slot.node == node).count();
    let wanted = u64::from(needs.switch_cores) + u64::from(needs.generators) + 1;
    let mut roles = vec![counted(needs.generators, "generator")];
    if needs.switch_cores > 0 {
        roles.push(counted(needs.switch_cores, "switch core"));
    }
    let has = if here == all {
        format!("this host has {all}")
    } else {
        format!("NUMA node {node} has {here} of this host's {all}")
    };
    format!("{} and housekeeping need {wanted} cores, {has}: oversubscribed, results are indicative", roles.join(", "))
}

fn counted(count: u32, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A word about hybrid processors, if measuring roles are on both kinds of core.
fn mixed_kinds(on_node: &[Slot], switch: &[u32], generators: &[Assignment]) -> Option<String> {
    let used: BTreeSet<u32> =
        switch.iter().copied().chain(generators.iter().flat_map(|generator| generator.cpus.clone())).collect();
    let efficient: Vec<String> = on_node
        .iter()
        .filter(|slot| slot.efficient && used.contains(&slot.cpu))
        .map(|slot| slot.cpu.to_string())
        .collect();
    (!efficient.is_empty())
        .then(|| format!("not enough performance cores: CPU {} are efficiency cores", efficient.join(", ")))
}

/// The plan for a host of which no CPU is known: nothing is pinned.
fn unknown(needs: &Needs) -> CorePlan {
    CorePlan {
        switch: Vec::new(),
        generators: vec![Assignment { cpus: Vec::new(), dedicated: false }; needs.generators as usize],
        housekeeping: None,
        limits: vec!["no CPU of this host is known: nothing is pinned, results are indicative".into()],
        oversubscribed: true,
        node: None,
    }
}
