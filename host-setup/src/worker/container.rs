//! A container of runtime `netns`: a process in namespaces of its own that holds them from the building of
//! the scene on, becomes the application when it is told to, and takes all its children with it.
//! It must not know switches, or what the application does.

use std::convert::Infallible;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, send, socketpair};
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, execve, read, sethostname, setsid};

use super::application::{Inside, Streams, pipes};
use super::makings::Makings;
use super::rootfs::Rootfs;
use crate::affinity::GrantedCpus;
use crate::containers::{CAPABILITIES, ENVIRONMENT};
use crate::failure::During;
use crate::netlink::Netlink;
use crate::patience::Patience;
use crate::protocol::{Failure, FailureKind};
use crate::scene::Runtime;
use crate::scene::checked::CheckedContainer;
use crate::switch::vhost_folder;
use crate::sys;

/// What the process is told and says, one byte a packet; a failure is said as JSON.
const LINK_IS_THERE: &[u8] = b"l";
const BECOME_THE_APPLICATION: &[u8] = b"a";
const DONE: &[u8] = b"d";
/// A step of a container takes milliseconds; this bounds a host that hangs.
const STEP: Duration = Duration::from_secs(20);

/// How far a container has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The container's namespaces stand, no application runs.
    Held,
    /// The application runs.
    Running,
    /// The process has ended, with this exit code, or 128 plus the signal's number.
    Ended(i32),
}

/// What a container is made among.
pub(super) struct Around<'a> {
    /// What it is made with.
    pub makings: &'a Makings,
    /// Roots of containers.
    pub rootfs: &'a Rootfs,
    /// Settings of its network namespace.
    pub sysctls: &'a [(&'a str, &'a str)],
    /// Devices that its application gets besides those of all.
    pub devices: Vec<PathBuf>,
}

/// A container that stands.
pub(super) struct Container {
    pub checked: CheckedContainer,
    pub pid: Pid,
    pub state: State,
    pub streams: Streams,
    pub output: PathBuf,
    control: OwnedFd,
    /// Keeps the network namespace, and so the port of the switch with its counts, until the scene is taken
    /// down, though the process may have ended. Absent where /proc is another namespace's.
    pub network: Option<File>,
}

impl Container {
    /// Starts the process; it prepares itself while the caller goes on.
    pub(super) fn start(checked: &CheckedContainer, around: &Around) -> Result<Container, Failure> {
        let rootfs = around.rootfs;
        let output = rootfs.make_output(&checked.name, checked.output_bytes_max)?;
        let started = Self::fork(checked, around, &output, None);
        if started.is_err() {
            rootfs.remove_output(&output)?;
        }
        let (pid, control, streams) = started?;
        let network = File::open(format!("/proc/{pid}/ns/net")).ok();
        Ok(Container { checked: checked.clone(), pid, state: State::Held, streams, output, control, network })
    }

    /// Starts the process anew, where the one before has ended: in the same network namespace, in which the link is, with
    /// an empty output folder.
    pub(super) fn renew(&mut self, around: &Around) -> Result<(), Failure> {
        around.rootfs.empty_output(&self.output)?;
        let (pid, control, streams) = Self::fork(&self.checked, around, &self.output, self.network.as_ref())?;
        (self.pid, self.control, self.streams, self.state) = (pid, control, streams, State::Held);
        Ok(())
    }

    fn fork(
        checked: &CheckedContainer,
        around: &Around,
        output: &std::path::Path,
        network: Option<&File>,
    ) -> Result<(Pid, OwnedFd, Streams), Failure> {
        let doing = || format!("start container {}", checked.name);
        let (inside, streams) = pipes()?;
        let (control, far) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).scene(doing)?;
        let mut namespaces =
            CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
        namespaces.set(CloneFlags::CLONE_NEWNET, network.is_none());
        let Some(pid) = sys::fork_into(namespaces).scene(doing)? else {
            let Err(failure) = hold(checked, around, output, &inside, &far, network);
            tell(&far, &serde_json::to_vec(&failure).unwrap_or_default());
            sys::exit_now(1);
        };
        Ok((pid, control, streams))
    }

    /// Returns when the process has prepared everything but its link.
    pub(super) fn wait_prepared(&self) -> Result<(), Failure> {
        self.answer("prepare", false)
    }

    /// Lets the process give its link addresses; it answers by [`Container::wait_linked`].
    pub(super) fn link_is_there(&self) {
        tell(&self.control, LINK_IS_THERE);
    }

    /// Returns when the link is up.
    pub(super) fn wait_linked(&self) -> Result<(), Failure> {
        self.answer("link", false)
    }

    /// Lets the process become the application, and returns when it has.
    pub(super) fn run(&mut self) -> Result<(), Failure> {
        let name = &self.checked.name;
        match self.state {
            State::Held => {}
            State::Running => {
                let message = format!("start the application of container {name}: it runs already");
                return Err(Failure::new(FailureKind::Request, message));
            }
            State::Ended(status) => {
                let message = format!("start the application of container {name}: it has ended with {status}");
                return Err(Failure {
                    last_lines: self.streams.last_lines(),
                    ..Failure::new(FailureKind::Scene, message)
                });
            }
        }
        tell(&self.control, BECOME_THE_APPLICATION);
        self.answer("start the application of", true)?;
        self.state = State::Running;
        Ok(())
    }

    /// Kills the process and with it everything in its namespaces. Reaping is the caller's.
    pub(super) fn kill(&self) {
        if !matches!(self.state, State::Ended(_)) {
            // It may have ended by itself just now.
            let _ = kill(self.pid, Signal::SIGKILL);
        }
    }

    /// The process's answer to one step: done, its failure, or the end of the channel, which a successful
    /// exec closes. If it was closed by a death instead, the exit event tells.
    fn answer(&self, step: &str, may_execute: bool) -> Result<(), Failure> {
        let doing = || format!("{step} container {}", self.checked.name);
        let mut patience = Patience::of(STEP);
        loop {
            let mut fds = [PollFd::new(self.control.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::try_from(patience.step()).unwrap_or(PollTimeout::MAX)) {
                Ok(0) | Err(Errno::EINTR) if patience.is_over() => {
                    let message = format!("{}: no answer within {} s", doing(), STEP.as_secs());
                    return Err(Failure::new(FailureKind::Scene, message));
                }
                Ok(0) | Err(Errno::EINTR) => continue,
                other => other.scene(doing)?,
            };
            let mut bytes = vec![0; 64 << 10];
            let length = read(&self.control, &mut bytes).scene(doing)?;
            return match &bytes[..length] {
                DONE => Ok(()),
                [] if may_execute => Ok(()),
                failure => Err(serde_json::from_slice(failure)
                    .unwrap_or_else(|_| Failure::new(FailureKind::Scene, format!("{}: it died", doing())))),
            };
        }
    }
}

/// The life of the process inside: prepare, take the link, become the application.
fn hold(
    checked: &CheckedContainer,
    around: &Around,
    output: &std::path::Path,
    inside: &Inside,
    control: &OwnedFd,
    network: Option<&File>,
) -> Result<Infallible, Failure> {
    let Around { makings, rootfs, sysctls, devices } = around;
    let doing = || format!("prepare container {}", checked.name);
    prctl::set_pdeathsig(Signal::SIGKILL).scene(doing)?;
    if let Some(network) = network {
        setns(network, CloneFlags::CLONE_NEWNET).scene(doing)?;
    }
    // A session of its own, as LXC gives one: a kernel that shares time out by session (autogroup) then treats
    // the containers of both runtimes alike.
    setsid().scene(doing)?;
    dup2_stdin(&inside.stdin).and_then(|()| dup2_stdout(&inside.stdout)).scene(doing)?;
    dup2_stderr(&inside.stderr).scene(doing)?;
    sys::close_all_but(&[control.as_fd()]).scene(doing)?;
    sethostname(&checked.name).scene(doing)?;
    crate::switch::set_sysctls(sysctls)?;
    let pinning = || format!("keep container {} to CPUs {:?}", checked.name, checked.cpus);
    let place = (!checked.cpus.is_empty()).then(|| GrantedCpus::of(&checked.cpus)).transpose().scene(pinning)?;
    let mut netlink = Netlink::open().scene(doing)?;
    netlink.set_up("lo", true).scene(doing)?;
    if !devices.is_empty() {
        rootfs.show_devices(&checked.application, devices)?;
        // All memory of the application is pinned, so that the device can reach it.
        setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY).scene(doing)?;
    }
    match makings.runtime {
        Runtime::Netns => {
            let port = vhost_folder(&checked.link);
            let own_proc = checked.link.is_for_dpdk();
            rootfs.enter(&checked.application, output, port.as_deref(), own_proc, makings.busybox.as_deref())?;
        }
        Runtime::Lxc => super::lxc::prepare(checked, rootfs, output, makings)?,
    }
    tell(control, DONE);
    expect(control, LINK_IS_THERE);
    // In a namespace that was there before, the link has its addresses.
    if network.is_none() {
        take_link(&mut netlink, checked)?;
    }
    drop(netlink);
    tell(control, DONE);
    expect(control, BECOME_THE_APPLICATION);
    if let Some(place) = place {
        place.keep().scene(pinning)?;
    }
    let (program, arguments, more) = match &makings.lxc {
        None => {
            drop_privileges().scene(doing)?;
            let program = format!("/bin/{}", checked.application);
            (program.clone(), vec![program], Vec::new())
        }
        Some(lxc) => super::lxc::command(checked, lxc),
    };
    let doing = || format!("execute {} in container {}", checked.application, checked.name);
    sys::default_signals().scene(doing)?;
    let text = |text: String| CString::new(text).scene(doing);
    let arguments = arguments.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let program = CString::new(program).scene(doing)?;
    let more = more.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let environment: Vec<&CStr> = std::iter::once(ENVIRONMENT).chain(more.iter().map(CString::as_c_str)).collect();
    execve(&program, &arguments, &environment).scene(doing)
}

fn take_link(netlink: &mut Netlink, checked: &CheckedContainer) -> Result<(), Failure> {
    // A socket is there when an application opens it.
    let Some(link) = checked.link.interface() else { return Ok(()) };
    let doing = || format!("set up {} of container {}", link.name, checked.name);
    let index = netlink.index_of(&link.name).scene(doing)?;
    // Without an address, or with neighbours given, nothing is left to resolve: no ARP among what is measured.
    let resolve_addresses = link.ipv4.is_some() && link.neighbours.is_empty();
    if let Some((address, prefix)) = link.ipv4 {
        netlink.add_ipv4(index, address, prefix).scene(doing)?;
    }
    netlink.set_up(&link.name, resolve_addresses).scene(doing)?;
    for (address, mac) in &link.neighbours {
        netlink.add_neighbour(index, *address, *mac).scene(doing)?;
    }
    Ok(())
}

fn drop_privileges() -> nix::Result<()> {
    for capability in (0..64).filter(|number| CAPABILITIES.iter().all(|(_, kept)| kept != number)) {
        match sys::drop_from_bounding_set(capability) {
            Ok(()) => {}
            Err(Errno::EINVAL) => break,
            Err(error) => return Err(error),
        }
    }
    prctl::set_no_new_privs()
}

/// A packet to the other side; if that has died, so will this one, by signal or by the end of its input.
fn tell(control: &OwnedFd, packet: &[u8]) {
    let _ = send(control.as_raw_fd(), packet, MsgFlags::MSG_NOSIGNAL);
}

/// Waits to be told. Anything else, the end of the channel included, is the end.
fn expect(control: &OwnedFd, packet: &[u8]) {
    let mut bytes = [0; 8];
    loop {
        match read(control, &mut bytes) {
            Err(Errno::EINTR) => {}
            Ok(length) if &bytes[..length] == packet => return,
            _ => sys::exit_now(1),
        }
    }
}
