//! Which settings a host is given for measuring, from its facts alone, and what it is then: so that a plan
//! can say in advance what a key will hold. Pure. It must not know experiments.
//!
//! What is asked for is what the paper's numbers stand on: governor `performance`, no turbo, CPUs that sleep no
//! deeper than C1, interrupts away from measuring CPUs, irqbalance paused. In a virtual machine nothing is: its
//! knobs do not reach the hardware, so turning them would but look like control, unless somebody asks for just that. More
//! is set where it is asked for by name (`facts::AskedSettings`).

use crate::facts::{Facts, Tuning};
use crate::protocol::Setup;

/// The governor that holds the frequency still.
pub const GOVERNOR: &str = "performance";
/// Longest time to wake up, us: C1 and nothing deeper, on Intel's and AMD's servers.
pub const IDLE_LATENCY_US: u32 = 2;

/// What is asked of a host; `measuring` are the CPUs that measurements run on, none if they are shared.
pub fn planned(facts: &Facts, measuring: &[u32]) -> Setup {
    if is_beyond_reach(facts) {
        return Setup::default();
    }
    let (knobs, asked) = (&facts.knobs, facts.knobs.asked);
    let offered = || knobs.frequency.iter().all(|policy| policy.governors.iter().any(|name| name == GOVERNOR));
    let moves = moves_interrupts(facts) && !measuring.is_empty();
    Setup {
        governor: (knobs.can_set("governor") && offered()).then(|| GOVERNOR.into()),
        turbo: (knobs.can_set("turbo") && facts.tuning.turbo.is_some()).then_some(false),
        idle_latency_us: idles_lightly(facts).then_some(IDLE_LATENCY_US),
        irqbalance: (moves && knobs.can_set("irqbalance")).then_some(false),
        quiet_cpus: if moves { measuring.to_vec() } else { Vec::new() },
        // What is asked for by name is had, or nothing is measured.
        frequency_khz: asked.frequency_khz,
        smt: asked.smt,
        transparent_hugepages: asked.transparent_hugepages.map(|choice| choice.name().into()),
        ..Setup::default()
    }
}

/// The facts of a host that is to be left as it is: nothing of it may be set but the memory that programs need.
#[must_use]
pub fn left_as_it_is(mut facts: Facts) -> Facts {
    // Where nothing would be set it makes no difference, and must make none to a key.
    facts.knobs.left = planned(&facts, &sparable(&facts)) != Setup::default();
    facts.knobs.settable.retain(|setting| setting == "hugepages");
    facts
}

/// What a host is when it has been given what is [`planned`].
pub fn tuned(facts: &Facts) -> Tuning {
    let setup = planned(facts, &[]);
    let governor = setup.governor.or_else(|| facts.tuning.governor.clone());
    let word = |on: bool| if on { "on" } else { "off" }.to_string();
    let smt = setup.smt.filter(|_| facts.tuning.smt.as_deref().is_some_and(|now| ["on", "off"].contains(&now)));
    let smt = smt.map(word).or_else(|| facts.tuning.smt.clone());
    Tuning { governor, turbo: setup.turbo.or(facts.tuning.turbo), smt, ..facts.tuning.clone() }
}

/// `transparent_hugepage/enabled` when the host has been given what is [`planned`].
pub fn transparent_hugepages(facts: &Facts) -> Option<String> {
    planned(facts, &[]).transparent_hugepages.or_else(|| facts.memory.transparent_hugepages.clone())
}

/// Whether nothing is set since the host is virtual.
fn is_beyond_reach(facts: &Facts) -> bool {
    facts.virtualisation.is_some() && !facts.knobs.asked.virtual_too
}

/// Longest time to wake up that measurements are given, us; none if that is left as it is.
pub fn idle_latency_us(facts: &Facts) -> Option<u32> {
    planned(facts, &[]).idle_latency_us
}

/// Whether interrupts are moved away from CPUs that measure alone.
pub fn moves_interrupts(facts: &Facts) -> bool {
    // With an irqbalance that cannot be paused they would not stay away.
    let stay = facts.knobs.interrupts.irqbalance.is_none() || facts.knobs.can_set("irqbalance");
    !is_beyond_reach(facts) && facts.knobs.can_set("interrupts") && stay
}

/// CPUs that can be kept for measuring: all but the first core of each package, with its siblings.
pub fn sparable(facts: &Facts) -> Vec<u32> {
    let mut kept: Vec<(u32, u32)> = Vec::new();
    for core in &facts.topology {
        if !kept.iter().any(|(package, _)| *package == core.package) {
            kept.push((core.package, core.core));
        }
    }
    let measuring = facts.topology.iter().filter(|core| !kept.contains(&(core.package, core.core)));
    measuring.map(|core| core.cpu).collect()
}

fn idles_lightly(facts: &Facts) -> bool {
    facts.knobs.can_set("idle-latency") && !facts.knobs.idle_states.is_empty()
}
