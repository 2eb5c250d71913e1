//! How facts are found: by readers of files, each over an injected root, and by looking for programs. It must not
//! know what is made of facts.

mod kernel;
mod knobs;
mod machine;
mod nics;
mod offers;
mod surroundings;
mod tree;

use std::collections::BTreeMap;
use std::path::Path;

use nix::unistd::geteuid;

use self::tree::Tree;
use crate::component::{self, DigestCache};
use crate::facts::{Facts, Privilege};
use crate::meanings::Meanings;
use crate::switch;
use crate::{privilege, sys};

/// Reads everything, changing nothing but the cache of digests; with `refresh` that is not trusted. `allowed`
/// are the CPUs that may be used.
pub(crate) fn read(allowed: &[u32], meanings: &Meanings, refresh: bool) -> Facts {
    component::look_once(|| read_once(allowed, meanings, refresh))
}

fn read_once(allowed: &[u32], meanings: &Meanings, refresh: bool) -> Facts {
    // What a process in new namespaces finds out takes a while, in which files are read.
    let probing = privilege::begin();
    let kept = DigestCache::folder(geteuid().is_root());
    let mut digests = DigestCache::load(kept.as_deref(), refresh);
    component::recall(kept.as_deref(), refresh);
    let around = Around {
        allowed: allowed.to_vec(),
        privilege: Privilege::None,
        signature: sys::hypervisor_signature(),
        firmware: sys::firmware_version,
    };
    let mut host = of_tree(Path::new("/"), &around);
    let rights = probing.end();
    host.privilege = rights.privilege;
    host.knobs.settable = knobs::settable(&Tree::at(Path::new("/")), &host.knobs.interrupts, rights.privilege);
    let offers = offers::read(rights, &host.nics, meanings, &mut digests);
    digests.save();
    component::keep();
    Facts {
        runtimes: offers.runtimes,
        switches: offers.switches,
        descriptors: switch::descriptors().iter().cloned().chain(meanings.switches.descriptors()).collect(),
        applications: offers.applications,
        components: offers.components,
        stacks: offers.stacks,
        ..host
    }
}

/// What facts are made of besides files.
#[derive(Clone, Debug)]
pub struct Around {
    /// CPUs that may be used.
    pub allowed: Vec<u32>,
    /// What the agent may do.
    pub privilege: Privilege,
    /// What the processor calls its hypervisor.
    pub signature: Option<String>,
    /// Version of the firmware of a network interface.
    pub firmware: fn(&str) -> Option<String>,
}

/// All facts that are read from the files below a folder; none of software, which is found by trying.
pub fn of_tree(root: &Path, around: &Around) -> Facts {
    let tree = Tree::at(root);
    Facts {
        kernel: kernel::read(&tree),
        cpu: machine::cpu(&tree),
        topology: machine::topology(&tree, &around.allowed),
        memory: machine::memory(&tree),
        virtualisation: surroundings::virtualisation(&tree, around.signature.as_deref()),
        privilege: around.privilege,
        runtimes: Vec::new(),
        switches: Vec::new(),
        descriptors: Vec::new(),
        applications: Vec::new(),
        components: Vec::new(),
        stacks: BTreeMap::new(),
        tuning: surroundings::tuning(&tree),
        knobs: knobs::read(&tree, around.privilege),
        nics: nics::read(&tree, &around.firmware),
        aside: surroundings::aside(&tree),
    }
}
