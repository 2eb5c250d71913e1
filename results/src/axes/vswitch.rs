//! V: what joins the containers of a test, by name. It must not know what any of them can do: that is asked of whoever
//! drives them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Io;

/// The name of a switch. The well-known ones stand before all others, in the order in which reports list them; others
/// are ordered by name. A name costs as little as a number: each is kept once, for as long as the program runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VSwitch {
    rank: u8,
    name: &'static str,
}

/// Names that are kept, without the well-known ones.
static OTHERS: RwLock<BTreeSet<&'static str>> = RwLock::new(BTreeSet::new());

impl VSwitch {
    /// Names of the switches that have a place, a colour and a marker of their own in every report.
    pub const WELL_KNOWN: [&'static str; 8] =
        ["linux-bridge", "direct", "basicfwd", "testpmd", "ovs", "snabb", "sriov", "vpp"];
    /// The kernel's bridge over veth pairs.
    pub const LINUX_BRIDGE: VSwitch = VSwitch { rank: 0, name: VSwitch::WELL_KNOWN[0] };
    /// What the names of switches begin with that a site defines.
    pub const CUSTOM: &'static str = "custom:";
    /// Longest name, bytes.
    pub const LEN_MAX: usize = 64;

    /// The switch of that name, if it can be one: letters, digits, `.`, `_` and `-`, after `custom:` or not.
    pub fn new(name: &str) -> Option<VSwitch> {
        if let Some(place) = VSwitch::WELL_KNOWN.iter().position(|known| *known == name) {
            return Some(VSwitch { rank: u8::try_from(place).ok()?, name: VSwitch::WELL_KNOWN[place] });
        }
        let id = name.strip_prefix(VSwitch::CUSTOM).unwrap_or(name);
        let is_of_id = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if id.is_empty() || name.len() > VSwitch::LEN_MAX || !id.bytes().all(is_of_id) {
            return None;
        }
        let known = OTHERS.read().unwrap_or_else(PoisonError::into_inner).get(name).copied();
        let name = known.unwrap_or_else(|| {
            let mut others = OTHERS.write().unwrap_or_else(PoisonError::into_inner);
            // Another thread may have kept it meanwhile.
            others.get(name).copied().unwrap_or_else(|| {
                let kept: &'static str = Box::leak(name.into());
                others.insert(kept);
                kept
            })
        });
        Some(VSwitch { rank: u8::MAX, name })
    }

    /// The name in experiments, test names and reports.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The switch's place among the well-known ones.
    pub fn place(self) -> Option<usize> {
        Some(usize::from(self.rank)).filter(|place| *place < VSwitch::WELL_KNOWN.len())
    }

    /// Whether a site defines it.
    pub fn is_custom(self) -> bool {
        self.name.starts_with(VSwitch::CUSTOM)
    }

    /// The I/O technique of a test through it that names none. Names of tests rest on it, so it is a matter of the
    /// name alone.
    pub fn io_default(self) -> Io {
        if self == VSwitch::LINUX_BRIDGE { Io::Udp } else { Io::Dpdk }
    }
}

impl fmt::Display for VSwitch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for VSwitch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for VSwitch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

impl<'de> Deserialize<'de> for VSwitch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<VSwitch, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = VSwitch;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a switch")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<VSwitch, E> {
                VSwitch::new(name).ok_or_else(|| E::custom(format!("{name:?} cannot be the name of a switch")))
            }
        }
        deserializer.deserialize_str(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_switches_keep_their_order_and_others_follow_by_name() {
        let names = ["custom:b", "vpp", "idle", "custom:a", "linux-bridge", "ovs"];
        let mut switches = names.map(|name| VSwitch::new(name).expect("a name"));
        switches.sort();
        assert_eq!(switches.map(VSwitch::name), ["linux-bridge", "ovs", "vpp", "custom:a", "custom:b", "idle"]);
        assert_eq!(switches.map(VSwitch::place), [Some(0), Some(4), Some(7), None, None, None]);
        assert_eq!(VSwitch::new("linux-bridge"), Some(VSwitch::LINUX_BRIDGE));
    }

    #[test]
    fn a_name_is_the_same_in_json_and_what_cannot_be_one_is_refused() {
        for name in ["ovs", "custom:a.B_c-1", "idle"] {
            let switch: VSwitch = serde_json::from_str(&format!("{name:?}")).expect("a switch");
            assert_eq!(serde_json::to_string(&switch).expect("JSON"), format!("{name:?}"));
            assert_eq!((switch.name(), switch.is_custom()), (name, name.starts_with("custom:")));
            assert_eq!(VSwitch::new(name), Some(switch));
        }
        let long = "a".repeat(VSwitch::LEN_MAX + 1);
        for wrong in ["", "custom:", "a b", "a/b", "custom:a:b", "a+b", "a,b", "a|b", "a=b", "ä", &long] {
            assert_eq!(VSwitch::new(wrong), None, "{wrong}");
        }
    }
}
