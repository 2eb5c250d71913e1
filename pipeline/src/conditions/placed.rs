//! Where on a host a test is: its cores, near the card that its packets go through. Pure. It must not know what runs
//! there.

use host_setup::cores::{self, CorePlan, Needs};
use host_setup::facts::Facts;
use host_setup::switch::{Descriptor, Ends};
use results::tuple::Tuple;

use super::written::nic_at;
use super::{containers_a_side, sides};
use crate::stand::CableEnd;

/// The NUMA node of the card that a test's packets go through: the one at this end of the cable, or the one whose virtual
/// functions it is measured over. Absent where there is no card, or the machine has one node only.
pub(super) fn near(facts: &Facts, descriptor: &Descriptor, end: Option<&CableEnd>) -> Option<u32> {
    match end {
        Some(end) => nic_at(facts, end)?.node,
        None => facts.card().ok().filter(|_| descriptor.ends == Ends::Functions)?.node,
    }
}

/// The core plan of a test near that node.
pub(super) fn core_plan(tuple: &Tuple, facts: &Facts, descriptor: &Descriptor, near: Option<u32>) -> CorePlan {
    // Some switches run on their callers' cores.
    let switch_cores = descriptor.cores.given(tuple.variant.switch_cores.into());
    let needs = Needs { switch_cores, generators: containers_a_side(tuple) };
    cores::plan_near(&facts.topology, &needs, near)
}

/// The core plan of a test on a host of its record, which says what it was near to where a cable decided that.
pub(crate) fn placed_as(tuple: &Tuple, facts: &Facts, recorded: Option<u32>) -> Result<CorePlan, String> {
    let name = tuple.vswitch.name();
    let descriptor = facts.descriptor(name).ok_or_else(|| format!("its host knows no switch called {name}"))?;
    let near = if sides(tuple.locality) > 1 { recorded } else { near(facts, descriptor, None) };
    Ok(core_plan(tuple, facts, descriptor, near))
}
