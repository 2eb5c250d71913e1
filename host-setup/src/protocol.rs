//! The agent's protocol: versioned JSON lines on standard input and output, so that a transport is only how
//! the agent is spawned. Bulk data follows the line that announces its length and BLAKE3.
//! It must not know what the lines to and from applications mean.
//!
//! Requests are answered in order, each with one [`Reply`] of its `id`; [`Event`]s come in between.
//! End of input is the clean way out: the agent takes everything down and exits.

mod counters;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::counters::{
    Busy, Disturbance, Load, Peak, PortCounters, SettingChange, Snapshot, ThreadCounters, UplinkState, Watched,
};
use crate::facts::Facts;
pub use crate::meanings::Names;
use crate::scene::Scene;

/// Version of the protocol. An agent refuses another version with both numbers. 2: [`Op::Afar`], heartbeats of the
/// client, and what was added since 1 without a number of its own. 3: [`Op::Renew`].
pub const PROTOCOL: u32 = 3;
/// Longest request, bytes.
pub(crate) const REQUEST_BYTES_MAX: usize = 4 << 20;

/// A line to the agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the client, repeated in the reply.
    pub id: u64,
    /// What to do.
    #[serde(flatten)]
    pub op: Op,
}

/// What a client may ask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Op {
    /// Always first. Answered by [`Answer::Hello`].
    Hello {
        /// [`PROTOCOL`] of the client.
        protocol: u32,
        /// What the client will name, and what that means as far as it knows.
        #[serde(flatten)]
        names: Names,
    },
    /// The client is on another host, whose death or dead link no end of input may tell. From now on the agent gives
    /// the host back and ends when it has heard nothing for `silence_ms`; a client that has nothing to ask says
    /// [`HEARTBEAT`]. Answered by [`Answer::Programs`].
    Afar {
        /// Longest silence, milliseconds.
        silence_ms: u64,
    },
    /// What the host is. Needs no lease and changes nothing. Answered by [`Answer::Facts`].
    Facts {
        /// Fingerprint components again instead of trusting the digest cache.
        refresh: bool,
    },
    /// Exclusive use of the host, and its preparation. Waits for another holder up to `wait_ms`; while it
    /// waits, says so by [`Event::Waiting`]. Answered by [`Answer::Leased`].
    Lease {
        /// How long to wait for the holder, milliseconds.
        wait_ms: u64,
        /// What the host must be while the lease lasts.
        setup: Setup,
    },
    /// Moves an interface of the host into the network namespace of scenes, until the lease ends: then it is what it
    /// was. Only root may, and none that must stay. Answered by [`Answer::Done`].
    MoveIn {
        /// The interface's name.
        interface: String,
    },
    /// Looks at an interface that was moved in, and speaks over it to the agent at the other end of the cable, which is
    /// asked the same at the same time. Answered by [`Answer::Cable`].
    Cable {
        /// The interface's name.
        interface: String,
        /// Which end this is, 0 or 1.
        end: u8,
        /// What the two of them tell each other, so that no other agent is taken for one of them.
        word: u64,
        /// How long to wait for the other one, milliseconds.
        patience_ms: u64,
    },
    /// Builds switch, containers and links of one measurement. Answered by [`Answer::Done`].
    Build {
        /// What to build.
        scene: Scene,
    },
    /// Starts the application of a container of the scene and hands it its first line.
    /// What it prints comes as [`Event::Line`], its end as [`Event::Exit`]. Answered by [`Answer::Done`].
    Start {
        /// Name of the container.
        container: String,
        /// Passed to the application's standard input, with a newline, unread.
        line: String,
    },
    /// Waits until every port of the switch is joined to its container's application, which must have been
    /// started. Answered by [`Answer::Done`].
    Join,
    /// Which executable files the scene's processes have mapped: what really runs. Answered by
    /// [`Answer::Mapped`].
    Mapped,
    /// One more line for an application's standard input. Answered by [`Answer::Done`].
    Send {
        /// Name of the container.
        container: String,
        /// Passed with a newline, unread.
        line: String,
    },
    /// The host's monotonic clock. Answered by [`Answer::Clock`].
    Clock,
    /// Counters of what disturbs a measurement; cheap. Taken before and after a window. Answered by
    /// [`Answer::Snapshot`].
    Snapshot,
    /// Who has had `cpus` since this was asked last; the first answer tells of no time at all. It reads what every
    /// process of the host has spent, so that it is asked before and after a window, never within. Answered by
    /// [`Answer::Load`].
    Load {
        /// CPUs that measure.
        cpus: Vec<u32>,
    },
    /// Looks at the same counters while a window of the scene lasts, instead of what was watched before.
    /// Answered by [`Answer::Done`]: what is seen is kept until it is asked for.
    Watch {
        /// CPUs that measure; empty for all.
        cpus: Vec<u32>,
        /// First look, `CLOCK_MONOTONIC`, ns.
        from_mono_ns: u64,
        /// Last look, `CLOCK_MONOTONIC`, ns.
        until_mono_ns: u64,
        /// Time between two looks, milliseconds; longer ones are taken where looking is slow.
        every_ms: u64,
    },
    /// What has been seen so far. Answered by [`Answer::Watched`].
    Watched,
    /// The worker's process, for whoever has all of the agent's rights anyway and wants to look around in there.
    /// Answered by [`Answer::Inside`].
    Inside,
    /// The scene's processes. Answered by [`Answer::Processes`].
    Processes,
    /// Keeps the first packets at both ends of every link from now on. Nothing is to be measured meanwhile. Answered by
    /// [`Answer::Done`].
    Capture {
        /// How many of each end.
        packets: u32,
    },
    /// What was kept at a container since: one [`Bulk`] line with a pcap file behind it, then [`Answer::Done`].
    Captured {
        /// Name of the container.
        container: String,
    },
    /// The files an application left in its output folder, each as one [`Bulk`] line with its bytes behind
    /// it, then [`Answer::Done`].
    Collect {
        /// Name of the container.
        container: String,
    },
    /// Ends the scene's applications, says so, and makes its containers ready for new ones: their processes and output
    /// folders are new, their network namespaces with the links and the switch stay. Answered by [`Answer::Renewed`].
    Renew,
    /// Ends applications, containers, switch and links of the scene. Answered by [`Answer::Done`].
    Teardown,
    /// Takes the scene down if there is one, restores every setting, gives the host back. Answered by
    /// [`Answer::Done`].
    Release,
    /// The clean end; the agent answers [`Answer::Done`] and exits with 0. A transport's exit code alone
    /// proves nothing.
    Bye,
}

/// A line from the agent. One of the three, told apart by their first key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Message {
    /// Answer to a request.
    Reply(Reply),
    /// Something that nobody asked for.
    Event(Event),
    /// Bytes follow.
    Bulk(Bulk),
}

/// Answer to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The number of the request that this answers.
    pub id: u64,
    /// How it went.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// How a request went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The request was carried out.
    Ok(Answer),
    /// Not done, and nothing half done is left.
    Error(Failure),
}

/// What went wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Who can do something about it.
    pub kind: FailureKind,
    /// Completes "failed to ...", with its causes.
    pub message: String,
    /// What to do, if anything is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// The last lines of a program that died.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_lines: Vec<String>,
}

/// Who can do something about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The request makes no sense here (a bug of the client, or another version).
    Request,
    /// The host cannot be prepared for it.
    Host,
    /// Another measurement holds the host.
    Busy,
    /// A scene failed; another one may work.
    Scene,
}

/// What comes back when all went well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Answers [`Op::Hello`].
    Hello {
        /// [`PROTOCOL`] of the agent.
        protocol: u32,
        /// Version of the program, for people.
        version: String,
    },
    /// Answers [`Op::Afar`].
    Programs {
        /// BLAKE3 of each of the project's own programs that this agent would run, by name, its own file's too.
        programs: BTreeMap<String, String>,
        /// The host's wall clock, ns since 1970; nothing is decided by it.
        wall_ns: u64,
    },
    /// Answers [`Op::Facts`].
    Facts(Box<Facts>),
    /// Answers [`Op::Lease`].
    Leased {
        /// What the host is now, read back.
        achieved: Achieved,
    },
    /// Answers [`Op::Clock`].
    Clock {
        /// `CLOCK_MONOTONIC`, ns.
        mono_ns: u64,
    },
    /// Answers [`Op::Snapshot`].
    Snapshot(Snapshot),
    /// Answers [`Op::Load`].
    Load(Load),
    /// Answers [`Op::Watched`].
    Watched(Watched),
    /// Answers [`Op::Cable`].
    Cable(CableSeen),
    /// Answers [`Op::Mapped`].
    Mapped {
        /// Each file of each process once.
        files: Vec<Mapped>,
        /// What the switch's program says of its own version; absent for one that is not asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reported: Option<String>,
    },
    /// Answers [`Op::Inside`].
    Inside {
        /// The process that is first in the scene's namespaces, as the host sees it.
        pid: u32,
        /// Whether they are below a user namespace of their own.
        user_namespace: bool,
    },
    /// Answers [`Op::Renew`].
    Renewed {
        /// Whether applications can be started again; if not, the scene is as it was.
        renewed: bool,
    },
    /// Answers [`Op::Processes`]: name and process id, as the worker sees it.
    Processes(Vec<(String, u32)>),
    /// Nothing more to say.
    Done {},
}

/// What was seen of one end of a cable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CableSeen {
    /// Whether there is a carrier.
    pub carrier: bool,
    /// Largest packet of the interface, bytes.
    pub mtu_bytes: u32,
    /// Speed of the link, Mbit/s; unknown where the driver does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed_mbps: Option<u32>,
    /// Whether the other agent was heard, in packets of [`CABLE_MTU_BYTES`].
    pub heard: bool,
}

/// What a cable must carry, bytes: the largest packet that a test sends.
pub const CABLE_MTU_BYTES: u32 = 1500;

/// Something happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// An application wrote a line to its standard output.
    Line {
        /// The application's container.
        container: String,
        /// Without the newline; at most 64 KiB, the rest is cut.
        line: String,
    },
    /// An application ended, or a program of the switch.
    Exit {
        /// The application's container, or the name of the program.
        container: String,
        /// Exit code, or 128 plus the signal's number.
        status: i32,
        /// Last lines of its standard error, at most 20.
        last_lines: Vec<String>,
    },
    /// The host is held by another; sent once, and again every few seconds.
    Waiting {
        /// What is known of the holder.
        holder: String,
    },
    /// What was leased is lost: the worker died by itself, and all that it had built with it. The host has
    /// been given back. A request that was under way is answered after this, by an error.
    Lost {
        /// What is known of it.
        failure: Failure,
    },
    /// The agent lives. Sent every [`HEARTBEAT_MS`] while nothing else is.
    Heartbeat,
}

/// The line by which a client says that it lives. No request: it is not answered, and taken at any time.
pub const HEARTBEAT: &str = r#"{"heartbeat":true}"#;

/// Silence of the agent after which a client may give it up is a multiple of this, milliseconds.
pub const HEARTBEAT_MS: u64 = 1000;

/// Announces bytes: exactly `len` of them follow the line's newline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bulk {
    /// File name, without folders.
    pub bulk: String,
    /// Number of bytes.
    pub len: u64,
    /// BLAKE3 of them, hex.
    pub blake3: String,
}

/// What the host must be while a lease lasts. Absent parts are left alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// 2 MiB hugepages that must be free on a NUMA node, as `(node, pages)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hugepages_2m: Vec<(u32, u64)>,
    /// Free hugepages of 1 GiB, as `(NUMA node, pages)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hugepages_1g: Vec<(u32, u64)>,
    /// Frequency governor of every CPU, by the kernel's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governor: Option<String>,
    /// Whether the processor may exceed its nominal frequency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turbo: Option<bool>,
    /// Bounds of every CPU's frequency, kHz, lowest and highest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency_khz: Option<(u64, u64)>,
    /// Longest time that a CPU may need to wake up from idling, us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_latency_us: Option<u32>,
    /// Whether hyper-threads are on. Without it siblings of measuring cores are but left idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smt: Option<bool>,
    /// CPUs that devices' interrupts are moved away from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quiet_cpus: Vec<u32>,
    /// `false` pauses irqbalance, which would move interrupts back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub irqbalance: Option<bool>,
    /// `transparent_hugepage/enabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transparent_hugepages: Option<String>,
    /// Virtual functions to make.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vfs: Vec<Vfs>,
    /// Drivers to bind devices to, as `(PCI address, driver)`; made after the virtual functions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drivers: Vec<(String, String)>,
}

/// Virtual functions of a network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vfs {
    /// The physical function's interface.
    pub interface: String,
    /// How each is made, in order; their number is the length.
    pub each: Vec<Vf>,
}

/// One virtual function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vf {
    /// The function's MAC address, `02:00:00:00:00:01`: by it scenes name the function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Who drives it: `vfio-pci` for one that an application gets whole; absent for the kernel's own driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Whether it may change its address and be promiscuous.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<bool>,
    /// Whether frames of other source addresses are dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spoofchk: Option<bool>,
}

/// What the host is, read back after preparation. Only what was asked for, or is known, is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Achieved {
    /// All 2 MiB hugepages of a NUMA node, as `(node, pages)`, for each node that some were asked of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hugepages_2m: Vec<(u32, u64)>,
    /// Free hugepages of 1 GiB, as `(NUMA node, pages)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hugepages_1g: Vec<(u32, u64)>,
    /// PCI addresses of the virtual functions made, as `(interface, addresses in order)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vfs: Vec<(String, Vec<String>)>,
    /// What the settings are that a measurement relies on, whether they were changed or not, as
    /// `(name, value)`: a [`Snapshot`] that says otherwise tells of somebody who changed them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<(String, String)>,
    /// What was changed, in words for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// What was asked for and could be had in part only, in words for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
    /// Files that the agent copied for the containers of this lease, as `(name, BLAKE3 hex)`: what runs is
    /// what they were at the lease, whatever happens to the originals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub staged: Vec<(String, String)>,
}

/// An executable file that a process has mapped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mapped {
    /// The container, or the name of the switch's program.
    pub process: String,
    /// Path of the file, as the process sees it.
    pub path: String,
    /// BLAKE3 of its content, hex; absent if it can no longer be read there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<String>,
}
