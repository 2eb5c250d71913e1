//! The core plan on invented machines, rejections included, and its rules as properties.

use std::collections::BTreeSet;

use host_setup::cores::{CorePlan, Needs, plan, plan_near};
use host_setup::facts::Core;
use proptest::prelude::*;

fn core(cpu: u32, package: u32, core: u32, node: u32) -> Core {
    Core { cpu, package, core, node, isolated: false, nohz_full: false, kind: None }
}

/// Two sockets of ten cores with hyper-threads; even CPUs on socket 0, odd ones on socket 1.
fn r630() -> Vec<Core> {
    (0..40).map(|cpu| core(cpu, cpu % 2, (cpu % 20) / 2, cpu % 2)).collect()
}

/// One socket, four nodes of 16 cores, hyper-threads numbered from 64.
fn epyc() -> Vec<Core> {
    (0..128).map(|cpu| core(cpu, 0, cpu % 64, (cpu % 64) / 16)).collect()
}

/// Four performance cores with two threads each, then eight efficiency cores.
fn hybrid() -> Vec<Core> {
    let performance = (0..8).map(|cpu| Core { kind: Some("performance".into()), ..core(cpu, 0, cpu / 2, 0) });
    let efficiency = (8..16).map(|cpu| Core { kind: Some("efficiency".into()), ..core(cpu, 0, cpu, 0) });
    performance.chain(efficiency).collect()
}

fn vm() -> Vec<Core> {
    vec![core(0, 0, 0, 0), core(1, 0, 1, 0)]
}

fn needs(switch_cores: u32, generators: u32) -> Needs {
    Needs { switch_cores, generators }
}

fn generator_cpus(plan: &CorePlan) -> Vec<u32> {
    plan.generators.iter().flat_map(|generator| generator.cpus.clone()).collect()
}

#[test]
fn r630_keeps_one_socket_and_leaves_siblings_idle() {
    let plan = plan(&r630(), &needs(2, 2));
    assert!(!plan.oversubscribed);
    assert_eq!(plan.node, Some(0));
    assert_eq!(plan.switch, [0, 2]);
    assert_eq!(generator_cpus(&plan), [4, 6]);
    assert_eq!(plan.housekeeping, Some(8));
    assert!(plan.limits.is_empty(), "{:?}", plan.limits);
}

#[test]
fn a_measurement_is_on_the_node_of_the_card_where_it_fits() {
    let mut machine = r630();
    for core in &mut machine {
        core.isolated = core.package == 0 && core.core >= 2;
    }
    let near = plan_near(&machine, &needs(0, 2), Some(1));
    assert_eq!((near.node, generator_cpus(&near), near.limits), (Some(1), vec![1, 3], vec![]));
    let far = plan_near(&machine, &needs(0, 12), Some(1));
    assert_eq!(far.node, Some(1), "both are too small, and the card is there");
    let small: Vec<Core> = machine.into_iter().filter(|core| core.package == 0 || core.core < 2).collect();
    let far = plan_near(&small, &needs(0, 4), Some(1));
    assert_eq!(far.node, Some(0));
    assert!(far.limits.iter().any(|limit| limit.contains("card is on node 1")), "{:?}", far.limits);
}

#[test]
fn r630_isolated_cores_come_first_whatever_their_socket() {
    let mut machine = r630();
    for core in &mut machine {
        core.isolated = core.package == 1 && core.core >= 2;
    }
    let plan = plan(&machine, &needs(1, 4));
    assert_eq!(plan.node, Some(1));
    assert_eq!(plan.switch, [5]);
    assert_eq!(generator_cpus(&plan), [7, 9, 11, 13]);
    assert_eq!(plan.housekeeping, Some(1), "housekeeping belongs on a core that is not isolated");
}

#[test]
fn r630_lends_a_core_of_the_other_socket_for_housekeeping_only() {
    let plan = plan(&r630(), &needs(2, 8));
    assert!(!plan.oversubscribed);
    assert_eq!(plan.housekeeping, Some(1));
    assert_eq!(plan.limits.len(), 1);
    assert!(plan.limits[0].contains("no core left for housekeeping"), "{:?}", plan.limits);
}

#[test]
fn r630_refuses_to_span_sockets() {
    let plan = plan(&r630(), &needs(1, 16));
    assert!(plan.oversubscribed);
    assert!(generator_cpus(&plan).iter().all(|cpu| cpu % 2 == 0 && *cpu < 20));
    assert_eq!(
        plan.limits,
        ["16 generators, 1 switch core and housekeeping need 18 cores, NUMA node 0 has 10 of this host's 20: \
          oversubscribed, results are indicative"]
    );
}

#[test]
fn epyc_stays_on_a_node() {
    let plan = plan(&epyc(), &needs(2, 8));
    assert_eq!((plan.node, plan.oversubscribed), (Some(0), false));
    assert!(generator_cpus(&plan).iter().all(|cpu| *cpu < 16));
    assert!(!generator_cpus(&plan).contains(&plan.housekeeping.unwrap()));
}

#[test]
fn hybrid_measures_on_performance_cores_and_keeps_house_on_an_efficient_one() {
    let enough = plan(&hybrid(), &needs(1, 2));
    assert_eq!(enough.switch, [0]);
    assert_eq!(generator_cpus(&enough), [2, 4]);
    assert_eq!(enough.housekeeping, Some(8));
    assert!(enough.limits.is_empty());
    let more = plan(&hybrid(), &needs(2, 4));
    assert!(!more.oversubscribed);
    assert_eq!(more.limits, ["not enough performance cores: CPU 8, 9 are efficiency cores"]);
}

#[test]
fn two_core_vm_is_oversubscribed_and_says_so() {
    let one_pair = plan(&vm(), &needs(0, 2));
    assert!(one_pair.oversubscribed);
    assert_eq!(generator_cpus(&one_pair), [0, 1]);
    assert!(one_pair.generators.iter().all(|generator| !generator.dedicated));
    assert_eq!(
        one_pair.limits,
        ["2 generators and housekeeping need 3 cores, this host has 2: oversubscribed, results are indicative"]
    );
    let eight_pairs = plan(&vm(), &needs(1, 16));
    assert_eq!(eight_pairs.switch, [0]);
    assert!(generator_cpus(&eight_pairs).iter().all(|cpu| *cpu == 1), "the switch keeps its core");
    assert!(eight_pairs.limits[0].contains("need 18 cores, this host has 2"), "{:?}", eight_pairs.limits);
}

#[test]
fn nothing_known_pins_nothing() {
    let plan = plan(&[], &needs(1, 2));
    assert!(plan.oversubscribed && plan.switch.is_empty() && plan.node.is_none());
    assert!(plan.generators.iter().all(|generator| generator.cpus.is_empty() && !generator.dedicated));
}

#[test]
fn plans_are_pinned_as_bytes() {
    let json = serde_json::to_string(&plan(&vm(), &needs(0, 1))).unwrap();
    assert_eq!(
        json,
        r#"{"switch":[],"generators":[{"cpus":[0],"dedicated":true}],"housekeeping":1,"limits":[],"oversubscribed":false,"node":0}"#
    );
}

prop_compose! {
    fn machine()(nodes in 1u32..4, cores in 1u32..12, threads in 1u32..3, bits in any::<u64>()) -> Vec<Core> {
        let physical = nodes * cores;
        (0..physical * threads)
            .map(|cpu| {
                let number = cpu % physical;
                let mut core = core(cpu, number / cores, number % cores, number / cores);
                core.isolated = bits >> (number % 61) & 1 == 1;
                core
            })
            .collect()
    }
}

proptest! {
    #[test]
    fn rules_hold(machine in machine(), switch_cores in 0u32..4, generators in 1u32..20) {
        let needs = needs(switch_cores, generators);
        let plan = plan(&machine, &needs);
        let find = |cpu: u32| machine.iter().find(|core| core.cpu == cpu).unwrap();
        prop_assert_eq!(plan.switch.len(), switch_cores as usize);
        prop_assert_eq!(plan.generators.len(), generators as usize);
        let measuring: Vec<u32> = plan.switch.iter().copied().chain(generator_cpus(&plan)).collect();
        let nodes: BTreeSet<u32> = measuring.iter().map(|cpu| find(*cpu).node).collect();
        prop_assert_eq!(nodes.into_iter().collect::<Vec<_>>(), vec![plan.node.unwrap()]);
        let physical = |cpu: u32| (find(cpu).package, find(cpu).core);
        // A physical core is used through one thread only, shared or not.
        let threads: BTreeSet<u32> = measuring.iter().copied().chain(plan.housekeeping).collect();
        let cores: BTreeSet<(u32, u32)> = threads.iter().map(|cpu| physical(*cpu)).collect();
        prop_assert_eq!(cores.len(), threads.len());
        if plan.oversubscribed {
            prop_assert!(!plan.limits.is_empty());
            prop_assert!(plan.generators.iter().all(|generator| !generator.dedicated));
        } else {
            prop_assert_eq!(threads.len(), measuring.len() + 1);
            prop_assert!(plan.generators.iter().all(|generator| generator.dedicated));
        }
    }

    #[test]
    fn order_of_the_topology_does_not_matter(machine in machine(), generators in 1u32..8) {
        let mut turned = machine.clone();
        turned.reverse();
        let needs = needs(1, generators);
        prop_assert_eq!(plan(&machine, &needs), plan(&turned, &needs));
    }
}

#[test]
fn a_host_booted_with_isolcpus_measures_on_what_it_isolates() {
    // Four CPUs, isolcpus=1-3: all are granted, though a program inherits CPU 0 alone.
    let machine: Vec<Core> = (0..4).map(|cpu| Core { isolated: cpu > 0, ..core(cpu, 0, cpu, 0) }).collect();
    let plan = plan(&machine, &needs(1, 2));
    assert!(!plan.oversubscribed && plan.limits.is_empty(), "{plan:?}");
    assert_eq!(plan.switch, [1]);
    assert_eq!(generator_cpus(&plan), [2, 3]);
    assert_eq!(plan.housekeeping, Some(0));
}
