//! Names of the sections of a manifest. A name is in keys: none ever changes. It must not know what a section holds.

use std::borrow::Cow;

/// A section that this version makes. Stored manifests may have others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SectionName {
    /// The kernel of the host.
    Kernel,
    /// The host's processor.
    Cpu,
    /// What kind of host it is.
    Host,
    /// What it was made for measuring.
    Setup,
    /// Memory of DPDK programs.
    Memory,
    /// The switch, and how it is configured.
    Switch,
    /// Times of the protocol.
    Protocol,
    /// Who runs on how many cores.
    Cores,
    /// How containers are made.
    Runtime,
    /// What generates the traffic.
    Generator,
    /// What else is in containers.
    Rootfs,
    /// What generators are asked for.
    Traffic,
    /// The goal of a search.
    Search,
    /// The test's own: the tuple and its variants.
    Test,
}

impl SectionName {
    /// Every one.
    pub const ALL: [SectionName; 14] = [
        SectionName::Kernel,
        SectionName::Cpu,
        SectionName::Host,
        SectionName::Setup,
        SectionName::Memory,
        SectionName::Switch,
        SectionName::Protocol,
        SectionName::Cores,
        SectionName::Runtime,
        SectionName::Generator,
        SectionName::Rootfs,
        SectionName::Traffic,
        SectionName::Search,
        SectionName::Test,
    ];

    /// As keys and explanations have it; also the name of the trigger that a change of it is.
    pub const fn name(self) -> &'static str {
        match self {
            SectionName::Kernel => "kernel",
            SectionName::Cpu => "cpu",
            SectionName::Host => "host",
            SectionName::Setup => "setup",
            SectionName::Memory => "memory",
            SectionName::Switch => "switch",
            SectionName::Protocol => "protocol",
            SectionName::Cores => "cores",
            SectionName::Runtime => "runtime",
            SectionName::Generator => "generator",
            SectionName::Rootfs => "rootfs",
            SectionName::Traffic => "traffic",
            SectionName::Search => "search",
            SectionName::Test => "test",
        }
    }

    /// Whether it says what the experiment asks for, and not what it runs through.
    pub fn is_asked_for(self) -> bool {
        matches!(self, SectionName::Test | SectionName::Protocol | SectionName::Search)
    }
}

impl From<SectionName> for Cow<'static, str> {
    fn from(name: SectionName) -> Cow<'static, str> {
        Cow::Borrowed(name.name())
    }
}
