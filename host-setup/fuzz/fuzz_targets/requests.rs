//! Any bytes as a line to an agent, then as a journal that somebody left. What the parser takes is resolved and
//! applied to an invented machine: no crash, no write but to settings, and every file gets its first value back.

#![no_main]

#[path = "../../tests/machines/mod.rs"]
mod machines;

use std::io;
use std::sync::LazyLock;

use host_setup::lease::list::{is_action, is_setting};
use host_setup::lease::{Entry, Record, restore};
use host_setup::protocol::{Op, Setup};
use host_setup::settings::apply;
use host_setup::{parse_request, switch};
use libfuzzer_sys::fuzz_target;
use machines::Machine;

/// A small server with everything that can be set: cloned for every input.
static MACHINE: LazyLock<Machine> = LazyLock::new(|| {
    let mut machine = Machine::cpus(4, 2, 2);
    machine
        .irqbalance()
        .nic("enp3s0f0", "0000:03:00.0", "ixgbe", 8)
        .file("sys/devices/system/cpu/intel_pstate/no_turbo", 0)
        .frequency(4, "intel_cpufreq", "powersave performance schedutil", "schedutil", (1_200_000, 3_100_000));
    machine
});

#[derive(Default)]
struct Notes(Vec<Entry>);

impl Record for Notes {
    fn append(&mut self, entry: &Entry) -> io::Result<()> {
        self.0.push(entry.clone());
        Ok(())
    }
}

fn settings(setup: &Setup) {
    let mut machine = MACHINE.clone();
    let mut notes = Notes::default();
    // The machine panics on a write to anything that is no setting.
    let _ = apply(&mut machine, &mut notes, setup, &mut |_, _, _| Ok(()));
    assert!(machine.written.iter().all(|path| is_setting(path) || is_action(path)));
    restore(&mut machine, &notes.0, &mut |_| {});
    assert_eq!(machine.differences(&MACHINE), []);
}

/// A journal is root's; one that is damaged must do no harm either.
fn journal(bytes: &[u8]) {
    let Ok(entries) = serde_json::from_slice::<Vec<Entry>>(bytes) else { return };
    let safe = |entry: &Entry| match entry {
        Entry::Change { path, .. } | Entry::Became { path, .. } => is_setting(path),
        // What is to be brought back is not written.
        Entry::Moved { .. } => true,
    };
    let entries: Vec<Entry> = entries.into_iter().filter(safe).collect();
    let mut machine = MACHINE.clone();
    restore(&mut machine, &entries, &mut |_| {});
    assert!(machine.written.iter().all(|path| is_setting(path) || is_action(path)));
}

fuzz_target!(|bytes: &[u8]| {
    journal(bytes);
    match parse_request(bytes) {
        Ok(Op::Lease { setup, .. }) => settings(&setup),
        Ok(Op::Build { scene }) => drop(switch::check(&scene)),
        Ok(_) | Err(_) => {}
    }
    // Most bytes are no request: the part that is a setup is tried by itself as well.
    if let Ok(setup) = serde_json::from_slice::<Setup>(bytes) {
        settings(&setup);
    }
});
