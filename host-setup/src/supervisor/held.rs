//! A host that is held: the lock, the settings that were changed, the worker. Letting go gives all of it
//! back, in the reverse order. It must not know the client.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use nix::poll::{PollTimeout, poll};
use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getegid, geteuid};

use super::moved::Moved;
use super::relay::Relay;
use crate::commander::{Commander, commander};
use crate::facts::Privilege;
use crate::failure::During;
use crate::functions::{self, Function};
use crate::lease::interface::{Change, Links};
use crate::lease::tree::{HostTree, number};
use crate::lease::{Entry, JournalFile, Record};
use crate::links::HostLinks;
use crate::meanings::Meanings;
use crate::patience::Patience;
use crate::protocol::{Achieved, Answer, Failure, FailureKind, Setup};
use crate::scene::{Scene, Uplink};
use crate::{affinity, links, privilege, settings, sys, worker};

/// How long a card that was brought up may take to have a link.
const CARRIER: Duration = Duration::from_secs(15);

/// The host as held by this agent.
pub(super) struct Held {
    worker: Pid,
    socket: OwnedFd,
    pub relay: Relay,
    journal: JournalFile,
    /// Interfaces that are in the worker's namespace.
    interfaces: Vec<Moved>,
    /// Virtual functions of the lease.
    functions: Vec<Function>,
    /// Open as long as CPUs must not sleep deeply.
    _idle_latency: Option<File>,
    // Last, so that it is let go last.
    _lock: OwnedFd,
}

impl Held {
    /// Prepares the host and starts the worker, which answers the lease request itself.
    pub(super) fn prepare(lock: OwnedFd, lease: u64, setup: &Setup, meanings: &Rc<Meanings>) -> Result<Held, Failure> {
        let privilege = privilege::probe().privilege;
        if privilege == Privilege::None {
            let advice = "run it as root, or let users make user namespaces: sysctl -w \
                          kernel.unprivileged_userns_clone=1 (Debian), or \
                          kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu)";
            let message = "prepare the host: this user may not make namespaces";
            return Err(Failure::new(FailureKind::Host, message).advise(advice));
        }
        let mut journal = JournalFile::of_host();
        recover(&mut journal)?;
        let (achieved, idle_latency) = match prepared(privilege, &mut journal, setup) {
            Ok(prepared) => prepared,
            Err(failure) => {
                recover(&mut journal)?;
                return Err(failure);
            }
        };
        let functions = functions::of(setup, &achieved);
        let given = Given { achieved, functions: functions.clone(), drivers: functions::drivers(setup) };
        match start_worker(privilege, &lock, lease, given, meanings) {
            Ok((worker, socket)) => {
                let relay = Relay::default();
                let interfaces = Vec::new();
                let _idle_latency = idle_latency;
                Ok(Held { worker, socket, relay, journal, interfaces, functions, _idle_latency, _lock: lock })
            }
            Err(failure) => {
                recover(&mut journal)?;
                Err(failure)
            }
        }
    }

    /// Moves an interface into the worker's namespace; what it was is noted first.
    pub(super) fn move_in(&mut self, name: &str) -> Result<(), Failure> {
        let doing = || format!("move {name} into the namespace of scenes");
        if privilege::probe().privilege != Privilege::Root {
            let message = format!("{}: only root can", doing());
            return Err(Failure::new(FailureKind::Host, message).advise("run septet-host as root"));
        }
        settings::may_move(&HostTree::of_host(), name)?;
        if self.has_moved_in(name) {
            return Ok(());
        }
        let all = HostLinks.all().host(doing)?;
        let Some(interface) = all.into_iter().find(|interface| interface.name == name) else {
            let message = format!("{}: there is no such interface", doing());
            return Err(Failure::new(FailureKind::Host, message).advise("septet host facts lists them"));
        };
        self.journal.append(&Entry::Moved { interface: interface.clone() }).host(doing)?;
        self.interfaces.push(Moved::new(&HostTree::of_host(), interface));
        links::send_to(name, self.worker).host(doing)
    }

    /// Whether an interface of this name is in the worker's namespace by this lease.
    pub(super) fn has_moved_in(&self, name: &str) -> bool {
        self.interfaces.iter().any(|moved| moved.interface.name == name)
    }

    /// Has the driver that a scene wants drive the card of its uplink: the kernel's, or one of DPDK's in a switch.
    pub(super) fn drive(&mut self, uplink: &Uplink) -> Result<(), Failure> {
        let Some(moved) = self.interfaces.iter().find(|moved| moved.is_of(uplink)) else {
            let message = format!("build a scene: {:?} was not moved in", uplink.device);
            return Err(Failure::new(FailureKind::Request, message));
        };
        moved.drive(uplink.by, &mut HostTree::of_host(), &mut self.journal, self.worker)
    }

    /// Where to look around in the scene's namespaces. Who looks there is root in them, so that one who commands an
    /// agent of root's is not told.
    pub(super) fn inside(&self) -> Result<Answer, Failure> {
        if let Commander::Other = commander() {
            let message = "say where the scene is: whoever enters it has this agent's rights, and you have fewer";
            return Err(Failure::new(FailureKind::Host, message).advise("run septet as root, or without sudo"));
        }
        let user_namespace = privilege::probe().privilege == Privilege::UserNamespace;
        Ok(Answer::Inside { pid: self.worker.as_raw().unsigned_abs(), user_namespace })
    }

    /// Moves interfaces of virtual functions to the worker that builds a scene with them. They end with the lease, so
    /// nothing is noted.
    pub(super) fn move_functions(&self, scene: &Scene) -> Result<(), Failure> {
        functions::move_in(scene, &self.functions, self.worker)
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Ends the worker, and with it every process, link and mount of the scene, and restores the settings.
    pub(super) fn let_go(mut self) -> Result<(), Failure> {
        for moved in self.interfaces.iter().rev() {
            // With the namespace a virtual one would be deleted, and another end up elsewhere. If the worker is dead
            // already that has happened: what can be made again of it is the journal's.
            let _ = links::fetch_from(&moved.interface.name, self.worker);
        }
        // The kernel lets a process that is first of its namespace be reaped only when all others there are.
        let _ = kill(self.worker, Signal::SIGKILL);
        let reaped = waitpid(self.worker, None).host(|| "reap the worker".into());
        recover(&mut self.journal)?;
        reaped.map(drop)
    }
}

/// Restores what a journal says, an old one or this lease's. Only to be called by who holds the lock.
pub(crate) fn recover(journal: &mut JournalFile) -> Result<(), Failure> {
    if !journal.exists() {
        return Ok(());
    }
    for words in journal.restore(&mut HostTree::of_host())? {
        crate::failure::warn(&words);
    }
    Ok(())
}

/// Changes the settings that are asked for; what must be held open to last comes along.
fn prepared(
    privilege: Privilege,
    journal: &mut JournalFile,
    setup: &Setup,
) -> Result<(Achieved, Option<File>), Failure> {
    let mut tree = HostTree::of_host();
    if *setup == Setup::default() {
        let mut settings = settings::state(&tree, &[]);
        settings.extend(affinity::state());
        return Ok((Achieved { settings, ..Achieved::default() }, None));
    }
    if privilege != Privilege::Root {
        let message = "prepare the host: settings were asked for, and only root can change them";
        return Err(Failure::new(FailureKind::Host, message).advise("run septet-host as root, or ask for no setup"));
    }
    for vfs in &setup.vfs {
        raise(&tree, journal, &vfs.interface)?;
    }
    let latency = setup.idle_latency_us.map(|us| settings::hold_idle_latency(Path::new("/"), us)).transpose()?;
    let mut achieved = settings::apply(&mut tree, journal, setup, &mut settings::set_vf)?;
    achieved.settings.extend(affinity::state());
    if let Some(us) = setup.idle_latency_us {
        achieved.changed.push(format!("idle CPUs wake up within {us} us"));
    }
    Ok((achieved, latency))
}

/// Brings a card up whose functions are wanted, since they have a link only then; what it was is noted first.
fn raise(tree: &HostTree, journal: &mut JournalFile, name: &str) -> Result<(), Failure> {
    settings::may_have_functions(tree, name)?;
    let doing = || format!("bring {name} up");
    let Some(interface) = HostLinks.all().host(doing)?.into_iter().find(|interface| interface.name == name) else {
        let message = format!("{}: there is no such interface", doing());
        return Err(Failure::new(FailureKind::Host, message).advise("septet host facts lists them"));
    };
    if !interface.up {
        journal.append(&Entry::Moved { interface }).host(doing)?;
        HostLinks.change(name, &Change::Up(true)).host(doing)?;
    }
    let carrier = format!("sys/class/net/{name}/carrier");
    let mut patience = Patience::of(CARRIER);
    while number::<u8>(tree, &carrier) != Some(1) {
        if patience.is_over() {
            let message = format!("{}: it has no link within {} s", doing(), CARRIER.as_secs());
            return Err(Failure::new(FailureKind::Host, message)
                .advise("plug a cable in: without one its functions have no link"));
        }
        let step = PollTimeout::try_from(patience.step()).unwrap_or(PollTimeout::MAX);
        poll(&mut [], step).host(doing)?;
    }
    Ok(())
}

/// What of the lease the worker is told.
struct Given {
    achieved: Achieved,
    functions: Vec<Function>,
    /// Libraries of DPDK that drive them.
    drivers: &'static [&'static str],
}

fn start_worker(
    privilege: Privilege,
    lock: &OwnedFd,
    lease: u64,
    given: Given,
    meanings: &Rc<Meanings>,
) -> Result<(Pid, OwnedFd), Failure> {
    let doing = || "start the worker".to_string();
    let Given { achieved, functions, drivers } = given;
    let sources = worker::Sources::open(&meanings.applications, drivers)?;
    let (near, far) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC).host(doing)?;
    let lock = lock.try_clone().host(doing)?;
    let mut namespaces = privilege::worker_namespaces();
    let mut map = None;
    if privilege == Privilege::UserNamespace {
        namespaces |= CloneFlags::CLONE_NEWUSER;
        map = Some((geteuid().as_raw(), getegid().as_raw()));
    }
    match sys::fork_into(namespaces).host(doing)? {
        None => {
            let meanings = meanings.clone();
            worker::run(worker::Hand { socket: far, lock, lease, achieved, functions, sources, meanings, map })
        }
        Some(pid) => Ok((pid, near)),
    }
}
