//! Facts as a stack makes them: what comes from it in place of the system's. Pure. It must not know where a stack
//! lies.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Component, Facts, Offer};
use crate::application;
use crate::stack::{BUSYBOX, LXC, SYSTEM, components};
use crate::switch::uplink::{self, By};

/// What a stack has in place of the system's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StackFacts {
    /// Why it cannot be used at all, in words that complete "skipped: ..."; absent when it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// Switches whose programs come from it, or could not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub switches: Vec<Offer>,
    /// What those run through, and what containers are made of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
}

impl Facts {
    /// The facts of a measurement with a stack: what it has in place of the system's.
    ///
    /// # Errors
    /// When there is no such stack, or nothing can come from it, in words that complete "skipped: ...".
    pub fn of_stack(&self, name: &str) -> Result<Cow<'_, Facts>, String> {
        // What generates the traffic is no matter of where switches come from.
        if name == SYSTEM || name.starts_with(application::PREFIX) {
            return Ok(Cow::Borrowed(self));
        }
        let stack = self.stack(name)?;
        let all = components().iter().fold(self.clone(), |facts, component| facts.replaced(component, stack));
        Ok(Cow::Owned(all))
    }

    /// The facts as they would be if one component came from a stack.
    ///
    /// # Errors
    /// When there is no such component or stack, or it cannot be had from there, in words.
    pub fn if_from(&self, component: &str, name: &str) -> Result<Facts, String> {
        if !components().contains(&component) {
            return Err(format!("no component '{component}' can come from a stack; {} can", components().join(", ")));
        }
        if name == SYSTEM {
            return Ok(self.clone());
        }
        let facts = self.replaced(component, self.stack(name)?);
        match facts.switches.iter().find(|offer| offer.name == component).and_then(|offer| offer.missing.clone()) {
            Some(reason) => Err(format!("{component} cannot come from stack '{name}': {reason}")),
            None => Ok(facts),
        }
    }

    fn stack(&self, name: &str) -> Result<&StackFacts, String> {
        match self.stacks.get(name) {
            None => Err(format!("no stack '{name}' is defined on this site")),
            Some(StackFacts { missing: Some(reason), .. }) => Err(format!("stack '{name}': {reason}")),
            Some(stack) => Ok(stack),
        }
    }

    /// These facts with a component as a stack has it; unchanged where the stack has none of its own.
    fn replaced(&self, component: &str, stack: &StackFacts) -> Facts {
        let mut facts = self.clone();
        if let Some(offer) = stack.switches.iter().find(|offer| offer.name == component) {
            facts.switches.retain(|other| other.name != component);
            facts.switches.push(offer.clone());
            let of_kind = |by: By| by.cards().into_iter().map(move |card| uplink::component(component, by, card));
            let uplinks: Vec<String> = By::ALL.into_iter().flat_map(of_kind).collect();
            let is_of_it = |other: &Component| other.name == component || uplinks.contains(&other.name);
            facts.components.retain(|other| !is_of_it(other));
            facts.components.extend(stack.components.iter().filter(|other| is_of_it(other)).cloned());
        }
        if let Some(found) = stack.components.iter().find(|found| found.name == component)
            && [BUSYBOX, LXC].contains(&component)
        {
            facts.components.retain(|other| other.name != component);
            facts.components.push(found.clone());
            let has_busybox = facts.components.iter().any(|other| other.name == BUSYBOX);
            // A host without LXC of its own has that of the stack.
            if let Some(lxc) = facts.runtimes.iter_mut().find(|runtime| runtime.name == component) {
                let components = [has_busybox.then_some(BUSYBOX), Some(LXC)];
                lxc.components = components.into_iter().flatten().map(str::to_owned).collect();
                lxc.missing = None;
            }
        }
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Part, Privilege, Through};
    use super::*;
    use crate::survey::{Around, of_tree};

    fn component(name: &str, digest: &str) -> Component {
        Component { name: name.into(), digest: digest.into(), ..Component::default() }
    }

    fn offer(name: &str, missing: Option<&str>) -> Offer {
        let missing = missing.map(str::to_owned);
        Offer { name: name.into(), missing, components: vec![name.into()], io: Vec::new() }
    }

    fn facts() -> Facts {
        let around = Around { allowed: vec![0], privilege: Privilege::Root, signature: None, firmware: |_| None };
        let nowhere = tempfile::tempdir().expect("a folder");
        let mut facts = of_tree(nowhere.path(), &around);
        facts.switches = ["ovs", "testpmd", "linux-bridge"].map(|name| offer(name, None)).into();
        facts.components = ["ovs", "testpmd", "busybox"].map(|name| component(name, "old")).into();
        let new = StackFacts {
            missing: None,
            switches: vec![offer("ovs", None), offer("basicfwd", Some("it is not there"))],
            components: vec![component("ovs", "new")],
        };
        facts.stacks.insert("new".into(), new);
        facts.stacks.insert("gone".into(), StackFacts { missing: Some("no such place".into()), ..Default::default() });
        facts
    }

    fn digest<'f>(facts: &'f Facts, name: &str) -> &'f str {
        let found: Vec<&Component> = facts.components.iter().filter(|component| component.name == name).collect();
        assert_eq!(found.len(), 1, "{name}");
        &found[0].digest
    }

    #[test]
    fn a_stack_takes_the_place_of_what_it_has_and_of_nothing_else() {
        let facts = facts();
        assert!(matches!(facts.of_stack(SYSTEM), Ok(Cow::Borrowed(_))));
        let new = facts.of_stack("new").expect("it is there");
        assert_eq!(["ovs", "testpmd", "busybox"].map(|name| digest(&new, name)), ["new", "old", "old"]);
        assert_eq!(new.switches.iter().filter(|offer| offer.name == "ovs").count(), 1);
        assert_eq!(facts.of_stack("gone").unwrap_err(), "stack 'gone': no such place");
        assert_eq!(facts.of_stack("other").unwrap_err(), "no stack 'other' is defined on this site");
    }

    #[test]
    fn one_component_may_come_from_a_stack() {
        let facts = facts();
        assert_eq!(digest(&facts.if_from("ovs", "new").expect("it has one"), "ovs"), "new");
        assert_eq!(digest(&facts.if_from("testpmd", "new").expect("the system's"), "ovs"), "old");
        assert!(facts.if_from("basicfwd", "new").unwrap_err().contains("it is not there"));
        assert!(facts.if_from("kernel", "new").unwrap_err().contains("no component"));
        assert!(facts.if_from("ovs", "other").unwrap_err().contains("no stack"));
    }

    #[test]
    fn containers_may_be_made_of_what_a_stack_has() {
        let mut facts = facts();
        facts.runtimes = vec![
            Offer { components: vec!["busybox".into()], ..offer("netns", None) },
            Offer { components: Vec::new(), ..offer("lxc", Some("it is not installed")) },
        ];
        let new = facts.stacks.get_mut("new").expect("it is there");
        new.components.extend(["busybox", "lxc"].map(|name| component(name, "new")));
        let from = |component| facts.if_from(component, "new").expect("it has one");
        assert_eq!(digest(&from("busybox"), "busybox"), "new");
        assert_eq!(from("busybox").runtimes, facts.runtimes);
        let with = from("lxc");
        assert_eq!((digest(&with, "busybox"), digest(&with, "lxc")), ("old", "new"));
        let lxc = with.offer(Part::Runtime("lxc")).expect("it is there");
        assert_eq!((&*lxc.components, &lxc.missing), (&["busybox".to_string(), "lxc".into()][..], &None));
        let both = facts.of_stack("new").expect("it is there");
        assert_eq!(["ovs", "busybox", "lxc"].map(|name| digest(&both, name)), ["new"; 3]);
    }

    #[test]
    fn what_only_other_parts_run_through_is_not_of_a_measurement() {
        let mut facts = facts();
        facts.runtimes = vec![Offer { components: vec!["busybox".into()], ..offer("netns", None) }];
        let names = |switch| {
            let through = Through { switch, application: "septet-gen", runtime: None, uplink: None };
            facts.components_on(&through).into_iter().map(|component| &*component.name).collect::<Vec<_>>()
        };
        assert_eq!(names("ovs"), ["ovs", "busybox"]);
        assert_eq!(names("linux-bridge"), ["busybox"]);
    }

    #[test]
    fn a_component_of_which_nothing_is_known_is_an_error_and_not_a_gap() {
        let mut facts = facts();
        assert_eq!(facts.components_of(Part::Switch("ovs")).expect("it is known").len(), 1);
        facts.components.retain(|component| component.name != "ovs");
        let words = facts.components_of(Part::Switch("ovs")).expect_err("it is gone");
        assert_eq!(words, "ovs runs through ovs, of which this host says nothing");
        facts.switches.iter_mut().for_each(|offer| offer.components.clear());
        let words = facts.components_of(Part::Switch("testpmd")).expect_err("it has programs");
        assert_eq!(words, "testpmd is made of programs, and this host does not say which");
        facts.switches.retain(|offer| offer.name != "testpmd");
        assert!(facts.components_of(Part::Switch("testpmd")).is_err_and(|words| words.contains("is not known")));
    }
}
