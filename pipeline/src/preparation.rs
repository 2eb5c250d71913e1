//! What a run asks of the host before it measures, and what that makes of the grade of its results. Pure. It
//! must not know how settings are made.

use std::collections::{BTreeMap, BTreeSet};

use host_setup::check::{Finding, check};
use host_setup::facts::Facts;
use host_setup::protocol::Setup;
use host_setup::settings::planned;
use results::axes::Io;

use crate::conditions::{Conditions, KnownSurroundings, Prospect};
use crate::drift;
use crate::experiment::{Experiment, Test};

/// The facts that an experiment goes by: those of a host that it leaves as it is, if it says so.
pub fn facts(experiment: &Experiment, facts: Facts) -> Facts {
    if experiment.protocol.leaves_host { planned::left_as_it_is(facts) } else { facts }
}

/// The setup for measuring these tests: hugepages for the one that needs most of them, among others.
pub fn setup<'t>(conditions: &Conditions, tests: impl Iterator<Item = &'t Test>) -> Setup {
    let facts = conditions.facts();
    let moves_interrupts = planned::moves_interrupts(facts);
    let mut shared = KnownSurroundings::default();
    let (mut measuring, mut housekeeping) = (BTreeSet::new(), BTreeSet::new());
    let mut pages: BTreeMap<u32, u64> = BTreeMap::new();
    for test in tests.filter(|test| moves_interrupts || test.tuple.variant.io == Io::Dpdk) {
        let Prospect::Ready(ready) = conditions.judge(test, &mut shared) else { continue };
        if let Some((node, wanted)) = conditions.hugepages(&test.tuple, &ready) {
            let most = pages.entry(node).or_default();
            *most = wanted.max(*most);
        }
        if moves_interrupts && !ready.cores.oversubscribed {
            measuring.extend(drift::measuring(&ready.cores));
            housekeeping.extend(ready.cores.housekeeping);
        }
    }
    // A CPU that measures in one test and keeps house in another is kept quiet only if others are left.
    if facts.topology.iter().all(|core| measuring.contains(&core.cpu)) {
        measuring.retain(|cpu| !housekeeping.contains(cpu));
    }
    let planned = planned::planned(facts, &measuring.into_iter().collect::<Vec<_>>());
    Setup { hugepages_2m: pages.into_iter().collect(), ..planned }
}

/// Why results of these tests would be indicative here, in words; none if they can be paper-grade.
pub fn indicative<'t>(conditions: &Conditions, tests: impl Iterator<Item = &'t Test>) -> Vec<String> {
    let facts = conditions.facts();
    let mut reasons: Vec<String> =
        check(facts).into_iter().filter(Finding::forbids_paper_grade).map(|finding| finding.is).collect();
    if facts.knobs.left {
        reasons.push("the host is left as it is, as host = \"leave\" in [protocol] asks".into());
    }
    let mut shared = KnownSurroundings::default();
    for test in tests {
        if let Prospect::Ready(ready) = conditions.judge(test, &mut shared)
            && ready.cores.oversubscribed
        {
            reasons.push(format!("{} is oversubscribed here", test.tuple));
            break;
        }
    }
    reasons
}
