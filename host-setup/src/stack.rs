//! Stacks: named choices of where the programs of switches, and what containers are made of, come from. It must not know what lies at a place.

use std::collections::BTreeMap;
use std::path::{Component, Path};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::switch;

/// The stack that nobody defines, and the place that it is: what the host's own packages install.
pub const SYSTEM: &str = "system";
/// Key of the place for all that a stack does not name.
pub const FROM: &str = "from";

/// The component that is the BusyBox of containers.
pub const BUSYBOX: &str = "busybox";
/// The component that runs containers of runtime `lxc`.
pub const LXC: &str = "lxc";

/// What can come from elsewhere, in order of name: switches with programs of their own, and what containers are made of.
pub fn components() -> &'static [&'static str] {
    static COMPONENTS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let mut names: Vec<&'static str> = switch::with_programs().chain([BUSYBOX, LXC]).collect();
        names.sort_unstable();
        names
    });
    &COMPONENTS
}

/// Where components come from: the system, or a place that lies over it. A place is a folder with `bin`, `sbin`
/// and `lib` in it, a Nix profile or store path, or a manifest of such paths as the flake makes it; what it does
/// not have is the system's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Stack(BTreeMap<String, String>);

/// A setting that a stack cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StackError {
    /// Nothing is called so.
    #[error("a stack has no {key:?}; it has {FROM}, for all of them, or {}", components().join(", "))]
    Key {
        /// What was written.
        key: String,
    },
    /// The place leads nowhere, or somewhere else for everyone who looks.
    #[error("{place:?} is no place: write an absolute path without '..' and ':', or {SYSTEM:?}")]
    Place {
        /// What was written.
        place: String,
    },
}

impl Stack {
    /// Says where a component, or all others by [`FROM`], come from.
    ///
    /// # Errors
    /// When there is no such component, or that is no place.
    pub fn set(&mut self, key: &str, place: &str) -> Result<(), StackError> {
        if key != FROM && !components().contains(&key) {
            return Err(StackError::Key { key: key.chars().take(64).collect() });
        }
        let path = Path::new(place);
        let leads_on = |part: Component| matches!(part, Component::RootDir | Component::Normal(_));
        let is_path = path.is_absolute() && path.components().all(leads_on) && !place.contains(['\0', ':']);
        if place != SYSTEM && !is_path {
            return Err(StackError::Place { place: place.chars().take(200).collect() });
        }
        self.0.insert(key.to_string(), place.to_string());
        Ok(())
    }

    /// Where a component comes from: [`SYSTEM`], or an absolute path.
    pub fn place(&self, component: &str) -> &str {
        self.0.get(component).or_else(|| self.0.get(FROM)).map_or(SYSTEM, String::as_str)
    }

    /// What it says, as it is written: [`FROM`] or a component, and a place.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, place)| (key.as_str(), place.as_str()))
    }
}

impl TryFrom<BTreeMap<String, String>> for Stack {
    type Error = StackError;

    fn try_from(settings: BTreeMap<String, String>) -> Result<Stack, StackError> {
        let mut stack = Stack::default();
        settings.iter().try_for_each(|(key, place)| stack.set(key, place))?;
        Ok(stack)
    }
}

impl From<Stack> for BTreeMap<String, String> {
    fn from(stack: Stack) -> BTreeMap<String, String> {
        stack.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(json: &str) -> Result<Stack, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_component_of_its_own_goes_before_all_others() {
        let both = stack(r#"{"from": "/opt/dpdk-24", "ovs": "system"}"#).expect("a stack");
        assert_eq!([both.place("testpmd"), both.place("ovs")], ["/opt/dpdk-24", SYSTEM]);
        assert_eq!(stack("{}").expect("an empty one").place("ovs"), SYSTEM);
        assert_eq!(serde_json::to_string(&both).expect("JSON"), r#"{"from":"/opt/dpdk-24","ovs":"system"}"#);
    }

    #[test]
    fn what_is_no_component_or_no_place_is_refused() {
        for wrong in [
            r#"{"kernel": "/opt/a"}"#,
            r#"{"ovs": "opt/a"}"#,
            r#"{"ovs": ""}"#,
            r#"{"ovs": "/opt/../etc"}"#,
            r#"{"ovs": "/a\u0000b"}"#,
            r#"{"ovs": "/a:/b"}"#,
            r#"{"ovs": 1}"#,
        ] {
            assert!(stack(wrong).is_err(), "{wrong}");
        }
    }
}
