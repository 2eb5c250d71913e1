//! What the settings are that a measurement relies on, by name: read after preparation and around each
//! window, and compared by whoever judges. Cheap. It must not know what they should be.

use super::frequency::{policies_of, turbos};
use crate::lease::tree::Tree;
use crate::lease::value::get;

/// Name and value of each that this host has, in order of name; those of single CPUs of `cpus` only, of all if there
/// are none.
pub(crate) fn state(tree: &dyn Tree, cpus: &[u32]) -> Vec<(String, String)> {
    let mut state = Vec::new();
    let policies = policies_of(tree, cpus);
    let common = |file: &str| {
        let mut values: Vec<String> =
            policies.iter().filter_map(|policy| tree.read(&format!("{policy}/{file}")).ok()).collect();
        values.sort();
        values.dedup();
        (!values.is_empty()).then(|| values.join("|"))
    };
    let mut note = |name: &str, value: Option<String>| state.extend(value.map(|value| (name.to_owned(), value)));
    note("clocksource", tree.read("sys/devices/system/clocksource/clocksource0/current_clocksource").ok());
    note("frequency_khz_max", common("scaling_max_freq"));
    note("frequency_khz_min", common("scaling_min_freq"));
    note("governor", common("scaling_governor"));
    note("smt", tree.read("sys/devices/system/cpu/smt/control").ok());
    note("transparent_hugepages", get(tree, "sys/kernel/mm/transparent_hugepage/enabled").ok());
    let turbos = turbos(tree, &policies);
    let is = |on: bool| turbos.iter().all(|turbo| tree.read(&turbo.path).is_ok_and(|now| now == turbo.word(on)));
    note(
        "turbo",
        match () {
            () if turbos.is_empty() => None,
            () if is(true) => Some("on".into()),
            () if is(false) => Some("off".into()),
            () => Some("mixed".into()),
        },
    );
    state
}
