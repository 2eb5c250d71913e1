//! What a run asks of the host before it measures, and what that makes of the grade of its results. Pure. It
//! must not know how settings are made.

use std::collections::{BTreeMap, BTreeSet};

use host_setup::check::{Finding, check};
use host_setup::facts::Facts;
use host_setup::protocol::{Setup, Vf, Vfs};
use host_setup::settings::planned;
use results::axes::Io;
use wire::Port;

use crate::conditions::{Conditions, KnownSurroundings, Prospect};
use crate::drift;
use crate::experiment::{Experiment, Test};
use crate::ready::{Ready, Side};
use crate::stand::Site;
use crate::traffic::{self, Seating};

/// The kernel's driver of a device that an application gets whole.
const WHOLE: &str = "vfio-pci";

/// The facts that an experiment goes by: those of a host that it leaves as it is, if it says so.
pub fn facts(experiment: &Experiment, facts: Facts) -> Facts {
    let facts = facts.asked(experiment.protocol.asked);
    if experiment.protocol.leaves_host { planned::left_as_it_is(facts) } else { facts }
}

/// The setup of the host in that place for measuring these tests: hugepages for the one that needs most of them, among
/// others.
pub fn setup<'t>(conditions: &Conditions, place: usize, tests: impl Iterator<Item = &'t Test>) -> Setup {
    let Some(facts) = conditions.hosts().nth(place) else { return Setup::default() };
    let moves_interrupts = planned::moves_interrupts(facts);
    let mut shared = KnownSurroundings::default();
    let (mut measuring, mut housekeeping) = (BTreeSet::new(), BTreeSet::new());
    let mut pages: BTreeMap<u32, u64> = BTreeMap::new();
    let mut large: BTreeMap<u32, u64> = BTreeMap::new();
    let asked = facts.knobs.asked;
    let mut vfs: BTreeMap<String, BTreeMap<String, Vf>> = BTreeMap::new();
    let has_card = facts.card().is_ok();
    let asks = |test: &&Test| {
        moves_interrupts || has_card || asked.hugepages_1g.is_some() || test.tuple.variant.io == Io::Dpdk
    };
    for test in tests.filter(asks) {
        let Prospect::Ready(ready) = conditions.judge(test, &mut shared) else { continue };
        if let Some(card) = ready.sides.get(place).and_then(|side| side.card.as_ref()) {
            vfs.entry(card.interface.clone()).or_default().extend(functions(test, &ready, place));
        }
        for (node, wanted) in conditions.hugepages(&ready, place) {
            let most = pages.entry(node).or_default();
            *most = wanted.max(*most);
        }
        let node = ready.sides.get(place).and_then(|side| side.cores.node);
        large.extend(node.zip(asked.hugepages_1g));
        if moves_interrupts && let Some(side) = ready.sides.get(place).filter(|side| !side.cores.oversubscribed) {
            measuring.extend(drift::measuring(&side.cores));
            housekeeping.extend(side.cores.housekeeping);
        }
    }
    // A CPU that measures in one test and keeps house in another is kept quiet only if others are left.
    if facts.topology.iter().all(|core| measuring.contains(&core.cpu)) {
        measuring.retain(|cpu| !housekeeping.contains(cpu));
    }
    let planned = planned::planned(facts, &measuring.into_iter().collect::<Vec<_>>());
    let vfs = vfs.into_iter().map(|(interface, each)| Vfs { interface, each: each.into_values().collect() }).collect();
    let [hugepages_2m, hugepages_1g] = [pages, large].map(|pages| pages.into_iter().collect());
    Setup { hugepages_2m, hugepages_1g, vfs, ..planned }
}

/// The virtual functions of a test on the host in that place, by their addresses.
fn functions<'r>(test: &Test, ready: &'r Ready, place: usize) -> impl Iterator<Item = (String, Vf)> + 'r {
    let seats: Vec<Seating> = ready.sides.iter().map(Side::seating).collect();
    let parties = traffic::parties(&test.tuple, &test.times, &seats).into_iter();
    parties.filter(move |party| party.side == place).map(|party| {
        let whole = matches!(party.request.port, Port::Dpdk { .. });
        let mac = party.request.local.mac;
        let driver = whole.then(|| WHOLE.to_string());
        (mac.clone(), Vf { mac: Some(mac), driver, trust: None, spoofchk: Some(false) })
    })
}

/// Why results of these tests would be indicative here, in words; none if they can be paper-grade.
pub fn indicative<'t>(conditions: &Conditions, tests: impl Iterator<Item = &'t Test>) -> Vec<String> {
    let several = conditions.ground().hosts.len() > 1;
    let mut reasons = Vec::new();
    for Site { name, facts } in &conditions.ground().hosts {
        let of_host = |finding: Finding| if several { format!("{name}: {}", finding.is) } else { finding.is };
        reasons.extend(check(facts).into_iter().filter(Finding::forbids_paper_grade).map(of_host));
    }
    if conditions.hosts().any(|facts| facts.knobs.left) {
        reasons.push("the host is left as it is, as host = \"leave\" in [protocol] asks".into());
    }
    let mut shared = KnownSurroundings::default();
    for test in tests {
        if let Prospect::Ready(ready) = conditions.judge(test, &mut shared)
            && ready.sides.iter().any(|side| side.cores.oversubscribed)
        {
            reasons.push(format!("{} is oversubscribed here", test.tuple));
            break;
        }
    }
    reasons
}
