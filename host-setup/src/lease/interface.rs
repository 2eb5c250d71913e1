//! A network interface that is away for the time of a lease: what it was before, noted in the journal, and what is
//! done to make it so again. Pure over [`Links`]. It must not know why an interface was moved.
//!
//! What the kernel does when the namespace that has it ends (tried on Linux 6.18): an interface with a device below
//! it falls back into the initial namespace, down and without addresses; a virtual one (veth, dummy, tap) is deleted.
//! The first is made again what it was; the second cannot be, and is reported.

use std::io;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// What an interface is, as far as it is given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// The interface's name.
    pub name: String,
    /// The interface's link-layer address, `02:00:00:00:00:01`.
    pub mac: String,
    /// What kind of virtual interface it is; absent for one with a device below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Largest packet, bytes.
    pub mtu_bytes: u32,
    /// Whether the interface is up.
    pub up: bool,
    /// The interface's addresses and their prefix lengths, bits; none that the kernel makes by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<(IpAddr, u8)>,
}

/// The interfaces of a network namespace.
pub trait Links {
    /// All of them.
    ///
    /// # Errors
    /// The system's.
    fn all(&mut self) -> io::Result<Vec<Interface>>;

    /// Changes one of them, found by its name.
    ///
    /// # Errors
    /// The system's.
    fn change(&mut self, name: &str, change: &Change) -> io::Result<()>;

    /// Frees one of whatever a switch has hung before it and could not take away, since it died. There is mostly
    /// nothing, and where there cannot be anything the system says so: neither matters.
    fn free(&mut self, _name: &str) {}
}

/// A step towards what an interface was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Another name; only while the interface is down.
    Rename(String),
    /// Another MTU, bytes.
    Mtu(u32),
    /// Up, or down.
    Up(bool),
    /// An address is added, with the length of its prefix.
    Address(IpAddr, u8),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Returned {
    /// The interface is what it was.
    Back,
    /// The interface is not there yet: what the kernel gives back comes a moment after the namespace's end.
    NotYet,
    /// The interface cannot come back, in words.
    Gone(String),
    /// The interface is there and not what it was.
    Failed(String),
}

/// Makes an interface again what it was before it was moved.
pub fn give_back(links: &mut dyn Links, was: &Interface) -> Returned {
    let all = match links.all() {
        Ok(all) => all,
        Err(error) => return Returned::Failed(format!("list interfaces: {error}")),
    };
    let by_name = all.iter().find(|now| now.name == was.name);
    let by_mac = || all.iter().find(|now| now.mac == was.mac && now.kind == was.kind);
    let now = match by_name {
        Some(now) if now.mac == was.mac => now,
        // The kernel renames one that comes back to find its name taken.
        other => match (by_mac(), other, &was.kind) {
            (Some(now), ..) => now,
            (None, Some(_), Some(_)) => {
                return Returned::Gone(format!("{} is another interface now and is left so", was.name));
            }
            (None, None, Some(kind)) => {
                let words = format!(
                    "{} was deleted with the namespace that it was in, as a {kind} is: make it again",
                    was.name
                );
                return Returned::Gone(words);
            }
            (None, _, None) => return Returned::NotYet,
        },
    };
    let mut called = now.name.clone();
    links.free(&called);
    for change in steps(now, was, by_name.is_none()) {
        if let Err(error) = links.change(&called, &change) {
            return Returned::Failed(format!("{change:?} of {called}: {error}"));
        }
        if let Change::Rename(name) = change {
            called = name;
        }
    }
    Returned::Back
}

/// What is to be changed, in order.
fn steps(now: &Interface, was: &Interface, name_is_free: bool) -> Vec<Change> {
    let mut steps = Vec::new();
    if now.name != was.name && name_is_free {
        steps.extend(now.up.then_some(Change::Up(false)));
        steps.push(Change::Rename(was.name.clone()));
    }
    steps.extend((now.mtu_bytes != was.mtu_bytes).then_some(Change::Mtu(was.mtu_bytes)));
    let is_down = now.up && !steps.contains(&Change::Up(false));
    steps.extend((is_down != was.up).then_some(Change::Up(was.up)));
    let missing = was.addresses.iter().filter(|address| !now.addresses.contains(address));
    steps.extend(missing.map(|(address, prefix)| Change::Address(*address, *prefix)));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Memory(Vec<Interface>);

    impl Links for Memory {
        fn all(&mut self) -> io::Result<Vec<Interface>> {
            Ok(self.0.clone())
        }

        fn change(&mut self, name: &str, change: &Change) -> io::Result<()> {
            let found = self.0.iter_mut().find(|link| link.name == name);
            let link = found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
            match change {
                Change::Rename(_) if link.up => return Err(io::Error::other("it is up")),
                Change::Rename(name) => link.name.clone_from(name),
                Change::Mtu(bytes) => link.mtu_bytes = *bytes,
                Change::Up(up) => link.up = *up,
                Change::Address(address, prefix) => link.addresses.push((*address, *prefix)),
            }
            Ok(())
        }
    }

    fn cable() -> Interface {
        Interface {
            name: "cable0".into(),
            mac: "02:00:00:00:00:01".into(),
            kind: None,
            mtu_bytes: 9000,
            up: true,
            addresses: vec![("10.0.0.1".parse().expect("an address"), 24), ("fd00::1".parse().expect("one"), 64)],
        }
    }

    fn bare() -> Interface {
        Interface { mtu_bytes: 1500, up: false, addresses: Vec::new(), ..cable() }
    }

    #[test]
    fn what_fell_back_bare_is_what_it_was_under_its_own_name() {
        for name in ["cable0", "dev7"] {
            let other = Interface { name: "eth0".into(), mac: "02:00:00:00:00:02".into(), ..bare() };
            let mut links =
                Memory(vec![other.clone(), Interface { name: name.into(), up: name != "cable0", ..bare() }]);
            assert_eq!(give_back(&mut links, &cable()), Returned::Back);
            assert_eq!(links.0, [other, cable()]);
            assert_eq!(give_back(&mut links, &cable()), Returned::Back, "twice is as good as once");
            assert_eq!(links.0[1], cable());
        }
        let mut taken = Memory(vec![
            Interface { mac: "02:00:00:00:00:09".into(), ..bare() },
            Interface { name: "dev7".into(), ..bare() },
        ]);
        assert_eq!(give_back(&mut taken, &cable()), Returned::Back);
        assert_eq!(taken.0[1], Interface { name: "dev7".into(), ..cable() }, "a name that is taken stays so");
    }

    #[test]
    fn one_that_is_not_there_is_awaited_or_gone() {
        assert_eq!(give_back(&mut Memory(Vec::new()), &cable()), Returned::NotYet);
        let dummy = Interface { kind: Some("dummy".into()), ..cable() };
        assert!(matches!(give_back(&mut Memory(Vec::new()), &dummy), Returned::Gone(words) if words.contains("dummy")));
        let another = Interface { mac: "02:00:00:00:00:09".into(), ..dummy.clone() };
        let mut links = Memory(vec![another.clone()]);
        assert!(matches!(give_back(&mut links, &dummy), Returned::Gone(words) if words.contains("left so")));
        assert_eq!(links.0, [another]);
    }
}
