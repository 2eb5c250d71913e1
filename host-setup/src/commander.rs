//! Who commands this agent: decided once, at its start, from what whoever started it can neither choose nor change
//! afterwards. It must not know what a commander may do, nor read anything twice.
//!
//! An agent of root's that an ordinary user has started (`sudo -n septet-host agent`) stands at a boundary of
//! privilege. Its parent says nothing of who that is: a parent can die, execute a set-uid program, or leave its
//! children to another. Without a word to the contrary an agent is commanded by whoever sudo, pkexec or doas name;
//! the word is an argument, [`AS_ROOT`], which no rule of theirs may allow.

use std::io::{stdin, stdout};
use std::os::fd::AsFd;
use std::sync::OnceLock;

use nix::sys::stat::fstat;
use nix::unistd::{Uid, User, getgid, getuid};

/// The argument by which a real root says that nobody else commands the agent: `septet-host agent --as-root`. It
/// gives an agent that is not root nothing, so that whoever can start programs on a host may always use it. A rule of
/// sudo's must not allow it: it makes whoever commands the agent root.
pub const AS_ROOT: &str = "--as-root";

/// Who commands the agent, by what that means for what it may believe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commander {
    /// Somebody who has all of the agent's rights anyway.
    Own,
    /// Somebody who has fewer.
    Other,
}

/// Who commands, while the agent still has the rights that it was started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// See [`Commander::Own`].
    Own,
    /// Another, by number of user and group; absent if they are not known for certain.
    Other(Option<(u32, u32)>),
}

/// What is known of how this process was started.
struct Start {
    says_root: bool,
    /// Real user and group: those of who executed a set-uid program.
    real: (u32, u32),
    /// User and group that each program named which hands commands to root; absent in one that is not understood.
    named: Vec<Option<(u32, u32)>>,
    /// Who logged in, as the kernel's audit keeps it; absent if nobody did.
    login: Option<u32>,
    /// Who made the pipes, sockets or terminals that the client speaks through.
    client: Vec<u32>,
}

static DECIDED: OnceLock<Commander> = OnceLock::new();

/// Keeps the decision for the life of this process and of those that it forks. Only the first counts.
pub(crate) fn decide(commander: Commander) -> Commander {
    *DECIDED.get_or_init(|| commander)
}

/// What was decided; the least trust before that.
pub(crate) fn commander() -> Commander {
    DECIDED.get().copied().unwrap_or(Commander::Other)
}

/// Looks at how this process was started.
pub(crate) fn look(says_root: bool) -> Who {
    if !Uid::effective().is_root() {
        return Who::Own;
    }
    let variable = |name: &str| std::env::var_os(name).map(|value| value.into_string().unwrap_or_default());
    let owner = |fd: &dyn AsFd| fstat(fd.as_fd()).ok().map(|stat| stat.st_uid);
    judge(&Start {
        says_root,
        real: (getuid().as_raw(), getgid().as_raw()),
        named: named(&variable, &|user| group_of(User::from_uid(Uid::from_raw(user)))),
        login: std::fs::read_to_string("/proc/self/loginuid").ok().and_then(|text| login(&text)),
        client: [owner(&stdin()), owner(&stdout())].into_iter().flatten().collect(),
    })
}

fn group_of(user: nix::Result<Option<User>>) -> Option<u32> {
    Some(user.ok()??.gid.as_raw())
}

/// What sudo, pkexec and doas leave in the environment of what they start.
fn named(
    variable: &dyn Fn(&str) -> Option<String>,
    group_of_user: &dyn Fn(u32) -> Option<u32>,
) -> Vec<Option<(u32, u32)>> {
    let with_group = |user: u32| Some((user, group_of_user(user)?));
    let sudo = variable("SUDO_UID").map(|text| {
        let user = text.parse().ok()?;
        match variable("SUDO_GID") {
            Some(group) => Some((user, group.parse().ok()?)),
            None => with_group(user),
        }
    });
    let pkexec = variable("PKEXEC_UID").map(|text| with_group(text.parse().ok()?));
    let doas = variable("DOAS_USER").map(|name| {
        let user = User::from_name(&name).ok()??;
        Some((user.uid.as_raw(), user.gid.as_raw()))
    });
    [sudo, pkexec, doas].into_iter().flatten().collect()
}

/// The kernel writes all ones if nobody logged in, as for services and in containers.
fn login(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|user| *user != u32::MAX)
}

/// Any sign of another than root is believed, and none of root but [`AS_ROOT`] takes one back. Two names that differ
/// are nobody's: who could write one of them into the environment must not become the other.
fn judge(start: &Start) -> Who {
    if start.real.0 != 0 {
        return Who::Other(Some(start.real));
    }
    if start.says_root {
        return Who::Own;
    }
    let users: Vec<Option<(u32, u32)>> =
        start.named.iter().copied().filter(|named| named.is_none_or(|(user, _)| user != 0)).collect();
    match users.first() {
        Some(first) if users.iter().all(|user| user.map(|(user, _)| user) == first.map(|(user, _)| user)) => {
            Who::Other(*first)
        }
        Some(_) => Who::Other(None),
        None if start.login.iter().chain(&start.client).any(|user| *user != 0) => Who::Other(None),
        None => Who::Own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const USER: (u32, u32) = (1000, 100);

    fn root() -> Start {
        Start { says_root: false, real: (0, 0), named: Vec::new(), login: None, client: vec![0, 0] }
    }

    #[test]
    fn sudo_and_its_like_name_the_commander() {
        let judged = |named: &[Option<(u32, u32)>]| judge(&Start { named: named.to_vec(), ..root() });
        assert_eq!(judged(&[Some(USER)]), Who::Other(Some(USER)));
        assert_eq!(judged(&[Some((0, 0))]), Who::Own);
        // Root's own sudo in a shell that somebody's doas made.
        assert_eq!(judged(&[Some((0, 0)), Some(USER)]), Who::Other(Some(USER)));
        assert_eq!(judged(&[Some(USER), Some((1000, 7))]), Who::Other(Some(USER)));
        // One of them is a lie.
        assert_eq!(judged(&[Some(USER), Some((1001, 100))]), Who::Other(None));
        assert_eq!(judged(&[Some(USER), None]), Who::Other(None));
        assert_eq!(judged(&[None]), Who::Other(None));
    }

    #[test]
    fn without_a_name_every_sign_of_another_counts() {
        assert_eq!(judge(&root()), Who::Own);
        assert_eq!(judge(&Start { login: Some(0), ..root() }), Who::Own);
        assert_eq!(judge(&Start { login: Some(1000), ..root() }), Who::Other(None));
        assert_eq!(judge(&Start { client: vec![0, 1000], ..root() }), Who::Other(None));
        assert_eq!(judge(&Start { client: Vec::new(), ..root() }), Who::Own);
    }

    #[test]
    fn a_set_uid_program_serves_who_executed_it_whatever_it_is_told() {
        let start = Start { real: USER, says_root: true, named: vec![Some((0, 0)), Some((7, 7))], ..root() };
        assert_eq!(judge(&start), Who::Other(Some(USER)));
    }

    proptest! {
        #[test]
        fn only_the_argument_makes_another_root(
            named in proptest::collection::vec(proptest::option::of((0u32..3, 0u32..3)), 0..4),
            login in proptest::option::of(0u32..3),
            client in proptest::collection::vec(0u32..3, 0..3),
        ) {
            let sign = named.iter().any(|named| *named != Some((0, named.map_or(0, |(_, group)| group))))
                || login.is_some_and(|user| user != 0)
                || client.iter().any(|user| *user != 0);
            let start = Start { named, login, client, ..root() };
            prop_assert_eq!(judge(&start) == Who::Own, !sign);
            prop_assert_eq!(judge(&Start { says_root: true, ..start }), Who::Own);
        }
    }

    #[test]
    fn variables_are_parsed_whole_or_not_believed() {
        let of = |pairs: &[(&str, &str)]| {
            let pairs: Vec<(String, String)> =
                pairs.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
            named(&|name| pairs.iter().find(|(other, _)| other == name).map(|(_, text)| text.clone()), &|user| {
                (user == 1000).then_some(100)
            })
        };
        assert_eq!(of(&[]), []);
        assert_eq!(of(&[("SUDO_UID", "1000"), ("SUDO_GID", "7")]), [Some((1000, 7))]);
        assert_eq!(of(&[("SUDO_UID", "1000")]), [Some(USER)]);
        assert_eq!(of(&[("PKEXEC_UID", "1000")]), [Some(USER)]);
        assert_eq!(of(&[("PKEXEC_UID", "1001")]), [None]);
        assert_eq!(of(&[("DOAS_USER", "root")]), [Some((0, 0))]);
        for text in ["", " 0", "-1", "0x0", "4294967296"] {
            assert_eq!(of(&[("SUDO_UID", text)]), [None], "{text:?}");
        }
        assert_eq!(of(&[("SUDO_UID", "0"), ("SUDO_GID", "x")]), [None]);
        assert_eq!(of(&[("DOAS_USER", "nobody-of-that-name")]), [None]);
        assert_eq!(login("4294967295"), None);
        assert_eq!(login("1000\n"), Some(1000));
    }
}
