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
    /// [`SectionName::Kernel`] of the other host of a remote test.
    PeerKernel,
    /// [`SectionName::Cpu`] of the other host of a remote test.
    PeerCpu,
    /// [`SectionName::Host`] of the other host of a remote test.
    PeerHost,
    /// [`SectionName::Setup`] of the other host of a remote test.
    PeerSetup,
    /// [`SectionName::Memory`] of the other host of a remote test.
    PeerMemory,
    /// [`SectionName::Switch`] of the other host of a remote test.
    PeerSwitch,
    /// [`SectionName::Cores`] of the other host of a remote test.
    PeerCores,
    /// [`SectionName::Runtime`] of the other host of a remote test.
    PeerRuntime,
    /// [`SectionName::Generator`] of the other host of a remote test.
    PeerGenerator,
    /// [`SectionName::Rootfs`] of the other host of a remote test.
    PeerRootfs,
    /// The network card by which the first host reaches the other one.
    Nic,
    /// The network card of the other host.
    PeerNic,
    /// What joins the two.
    Cable,
}

impl SectionName {
    /// Every one.
    pub const ALL: [SectionName; 27] = [
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
        SectionName::PeerKernel,
        SectionName::PeerCpu,
        SectionName::PeerHost,
        SectionName::PeerSetup,
        SectionName::PeerMemory,
        SectionName::PeerSwitch,
        SectionName::PeerCores,
        SectionName::PeerRuntime,
        SectionName::PeerGenerator,
        SectionName::PeerRootfs,
        SectionName::Nic,
        SectionName::PeerNic,
        SectionName::Cable,
    ];

    /// The name in keys and explanations, and as a trigger of `septet accept`.
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
            SectionName::PeerKernel => "peer-kernel",
            SectionName::PeerCpu => "peer-cpu",
            SectionName::PeerHost => "peer-host",
            SectionName::PeerSetup => "peer-setup",
            SectionName::PeerMemory => "peer-memory",
            SectionName::PeerSwitch => "peer-switch",
            SectionName::PeerCores => "peer-cores",
            SectionName::PeerRuntime => "peer-runtime",
            SectionName::PeerGenerator => "peer-generator",
            SectionName::PeerRootfs => "peer-rootfs",
            SectionName::Nic => "nic",
            SectionName::PeerNic => "peer-nic",
            SectionName::Cable => "cable",
        }
    }

    /// What a section is called that says this of the host in that place: the first one's names are those of a test
    /// that stays on it. What the whole test has in common has one name.
    #[must_use]
    pub fn of_host(self, place: usize) -> SectionName {
        if place == 0 {
            return self;
        }
        match self {
            SectionName::Kernel => SectionName::PeerKernel,
            SectionName::Cpu => SectionName::PeerCpu,
            SectionName::Host => SectionName::PeerHost,
            SectionName::Setup => SectionName::PeerSetup,
            SectionName::Memory => SectionName::PeerMemory,
            SectionName::Switch => SectionName::PeerSwitch,
            SectionName::Cores => SectionName::PeerCores,
            SectionName::Runtime => SectionName::PeerRuntime,
            SectionName::Generator => SectionName::PeerGenerator,
            SectionName::Rootfs => SectionName::PeerRootfs,
            SectionName::Nic => SectionName::PeerNic,
            shared => shared,
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
