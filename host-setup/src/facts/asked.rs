//! What an experiment asks of a host beyond what every measurement is given. Pure. It must not know how settings are
//! made.

use serde::{Deserialize, Serialize};

use super::Facts;

/// Settings that are asked for by name; absent ones stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AskedSettings {
    /// Whether settings are made in a virtual machine as well, where they may not reach the hardware.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub virtual_too: bool,
    /// Bounds of every CPU's frequency, kHz, lowest and highest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_khz: Option<(u64, u64)>,
    /// Whether hyper-threads are on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smt: Option<bool>,
    /// When the kernel makes large pages by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transparent_hugepages: Option<Transparent>,
    /// Free hugepages of 1 GiB on each NUMA node that is measured on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hugepages_1g: Option<u64>,
}

/// When the kernel makes large pages by itself, by its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transparent {
    /// Wherever it can.
    Always,
    /// Where a program asks for them.
    Madvise,
    /// Nowhere.
    Never,
}

impl Transparent {
    /// All of them.
    pub const ALL: [Transparent; 3] = [Transparent::Always, Transparent::Madvise, Transparent::Never];

    /// The kernel's word.
    pub fn name(self) -> &'static str {
        match self {
            Transparent::Always => "always",
            Transparent::Madvise => "madvise",
            Transparent::Never => "never",
        }
    }
}

impl AskedSettings {
    /// Whether nothing is asked for.
    pub fn is_nothing(&self) -> bool {
        *self == AskedSettings::default()
    }
}

impl Facts {
    /// The host as it is when that is asked of it: without hyper-threads there are fewer CPUs to plan with.
    #[must_use]
    pub fn asked(mut self, asked: AskedSettings) -> Facts {
        self.knobs.asked = asked;
        if asked.smt == Some(false) {
            let siblings = self.topology.clone();
            self.topology.retain(|core| {
                let same = |other: &&super::Core| (other.package, other.core) == (core.package, core.core);
                siblings.iter().filter(same).all(|other| other.cpu >= core.cpu)
            });
        }
        self
    }
}
