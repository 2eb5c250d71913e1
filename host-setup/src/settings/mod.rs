//! Settings of the host that change for the time of a lease: what a [`Setup`] asks for, made by changing files
//! through the journal and read back. It must not know scenes, how the journal is kept, or who asks.
//!
//! The order is one that can be gone back the same way: what decides which CPUs there are, then what decides
//! what their frequency may be, then the frequency; virtual functions before their drivers.

mod devices;
mod frequency;
mod hugepages;
mod interrupts;
pub mod planned;
pub mod protected;
mod state;
mod vf;

use std::io;

pub use self::devices::{give_to_kernel, give_whole};
pub(crate) use self::devices::{may_have_functions, may_move};
pub(crate) use self::frequency::turbo_paths;
pub(crate) use self::interrupts::{affinity as irq_affinity, balancer};
pub(crate) use self::state::state;
pub(crate) use self::vf::set_vf;
use crate::failure::During;
use crate::lease::tree::Tree;
use crate::lease::{Record, change, value};
use crate::protocol::{Achieved, Failure, FailureKind, Setup, Vf};

/// Sets up one virtual function of an interface, which is no file's affair.
pub type SetVf<'a> = dyn FnMut(&str, u32, &Vf) -> io::Result<()> + 'a;

/// What settings are changed through, and what came of it.
struct Change<'a> {
    tree: &'a mut dyn Tree,
    record: &'a mut dyn Record,
    achieved: Achieved,
}

impl Change<'_> {
    /// Changes a setting; a kernel that makes something else of it is a failure.
    fn exactly(&mut self, path: &str, value: &str) -> Result<(), Failure> {
        let doing = || format!("set /{path} to {value}");
        let became = self.to(path, value).host(doing)?;
        if became == value {
            return Ok(());
        }
        let message = format!("{}: the kernel made {became:?} of it", doing());
        Err(Failure::new(FailureKind::Host, message).advise("another program may hold it, or the firmware"))
    }

    /// Changes a setting and returns what it became.
    fn to(&mut self, path: &str, value: &str) -> io::Result<String> {
        change(self.tree, self.record, path, value)
    }

    fn says(&mut self, words: impl Into<String>) {
        self.achieved.changed.push(words.into());
    }

    fn limit(&mut self, words: impl Into<String>) {
        self.achieved.limits.push(words.into());
    }
}

/// Something that a setup asks for and that this host does not have, or must not give.
fn refused(message: impl Into<String>, advice: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Host, message).advise(advice)
}

/// Makes the host what `setup` says and returns what it became. The wake-up latency of idle CPUs is not among
/// it: that is no setting, but lasts as long as the agent holds a file open.
///
/// # Errors
/// When something cannot be had, or only in part where a part is of no use. What was changed by then is in the
/// record: the caller restores.
pub fn apply(
    tree: &mut dyn Tree,
    record: &mut dyn Record,
    setup: &Setup,
    set_vf: &mut SetVf<'_>,
) -> Result<Achieved, Failure> {
    let mut change = Change { tree, record, achieved: Achieved::default() };
    if let Some(on) = setup.smt {
        smt(&mut change, on)?;
    }
    frequency::apply(&mut change, setup)?;
    if let Some(choice) = &setup.transparent_hugepages {
        transparent_hugepages(&mut change, choice)?;
    }
    change.achieved.hugepages_2m = hugepages::apply(&mut change, hugepages::Size::Mib2, &setup.hugepages_2m)?;
    change.achieved.hugepages_1g = hugepages::apply(&mut change, hugepages::Size::Gib1, &setup.hugepages_1g)?;
    if setup.irqbalance == Some(false) {
        interrupts::pause_balancer(&mut change)?;
    }
    interrupts::quiet(&mut change, &setup.quiet_cpus)?;
    for vfs in &setup.vfs {
        devices::make_vfs(&mut change, vfs, set_vf)?;
    }
    for (address, driver) in &setup.drivers {
        devices::bind(&mut change, address, driver)?;
    }
    change.achieved.settings = state(change.tree, &[]);
    Ok(change.achieved)
}

fn smt(change: &mut Change<'_>, on: bool) -> Result<(), Failure> {
    const PATH: &str = "sys/devices/system/cpu/smt/control";
    let word = if on { "on" } else { "off" };
    let now = change.tree.read(PATH).unwrap_or_else(|_| "notimplemented".into());
    match now.as_str() {
        "on" | "off" => {}
        // Without siblings there is nothing to switch off.
        "notsupported" | "notimplemented" | "forceoff" if !on => return Ok(()),
        _ => return Err(refused(format!("switch hyper-threads {word}: /{PATH} says {now}"), "ask the firmware")),
    }
    if now != word {
        change.says(format!("hyper-threads are {word}"));
    }
    if now == "on" && !on {
        interrupts::leave_siblings(change);
    }
    change.exactly(PATH, word)
}

fn transparent_hugepages(change: &mut Change<'_>, choice: &str) -> Result<(), Failure> {
    const PATH: &str = "sys/kernel/mm/transparent_hugepage/enabled";
    if !["always", "madvise", "never"].contains(&choice) {
        let message = format!("set transparent hugepages to {choice:?}: they are always, madvise or never");
        return Err(Failure::new(FailureKind::Request, message));
    }
    let before = value::get(change.tree, PATH).unwrap_or_default();
    change.exactly(PATH, choice)?;
    if before != choice {
        change.says(format!("transparent hugepages are {choice}"));
    }
    Ok(())
}

/// Keeps idle CPUs from sleeping deeper than they can wake up from in `latency_us`, until the returned file is
/// closed: the kernel takes the wish back by itself, also when this process is killed.
///
/// # Errors
/// When this kernel takes no such wish, or does not heed it.
pub(crate) fn hold_idle_latency(root: &std::path::Path, latency_us: u32) -> Result<std::fs::File, Failure> {
    use std::os::unix::fs::FileExt as _;
    let path = root.join("dev/cpu_dma_latency");
    let doing = || format!("keep CPUs awake through {}", path.display());
    let latency = i32::try_from(latency_us).request(doing)?;
    let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).host(doing)?;
    file.write_all_at(&latency.to_ne_bytes(), 0).host(doing)?;
    let mut bytes = [0; 4];
    file.read_exact_at(&mut bytes, 0).host(doing)?;
    let holds = i32::from_ne_bytes(bytes);
    // Another program may have asked for less, which is as good.
    if holds > latency {
        return Err(Failure::new(FailureKind::Host, format!("{}: the kernel holds {holds} us", doing())));
    }
    Ok(file)
}
