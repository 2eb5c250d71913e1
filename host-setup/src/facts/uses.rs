//! What a measurement runs through, of all that a host has: one answer for keys, for what ran and is in none, and for
//! pages. Pure. It must not know what a component is made of.

use super::{Component, Facts, Offer};
use crate::scene::Uplink;
use crate::switch::uplink::By;

/// One part of what a measurement runs through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// The switch of this name.
    Switch(&'a str),
    /// The application of this name.
    Application(&'a str),
    /// The container runtime of this name.
    Runtime(&'a str),
}

/// All that a measurement runs through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Through<'a> {
    /// The test's switch.
    pub switch: &'a str,
    /// The test's application.
    pub application: &'a str,
    /// The test's container runtime; absent where it is not known: any could have been.
    pub runtime: Option<&'a str>,
    /// The component by which the switch reaches another host; absent for a test that stays on one.
    pub uplink: Option<&'a str>,
}

impl Facts {
    /// What this host says of a part; nothing for one that it does not know.
    pub fn offer(&self, part: Part) -> Option<&Offer> {
        let (offers, name) = match part {
            Part::Switch(name) => (&self.switches, name),
            Part::Application(name) => (&self.applications, name),
            Part::Runtime(name) => (&self.runtimes, name),
        };
        offers.iter().find(|offer| offer.name == name)
    }

    /// The component of that name.
    pub fn component(&self, name: &str) -> Option<&Component> {
        self.components.iter().find(|component| component.name == name)
    }

    /// What a measurement through a part runs through, in the part's order.
    ///
    /// # Errors
    /// When there is no such part, or nothing is known of a component that it names, in words that complete
    /// "skipped: ...": a key without it would say less than was measured.
    pub fn components_of(&self, part: Part) -> Result<Vec<&Component>, String> {
        let (Part::Switch(name) | Part::Application(name) | Part::Runtime(name)) = part;
        let offer = self.offer(part).ok_or_else(|| format!("{name} is not known on this host"))?;
        let found = |component: &String| {
            let missing = || format!("{name} runs through {component}, of which this host says nothing");
            self.component(component).ok_or_else(missing)
        };
        let components: Vec<&Component> = offer.components.iter().map(found).collect::<Result<_, String>>()?;
        let made_of_programs = match part {
            Part::Switch(name) => self.descriptor(name).is_some_and(|descriptor| descriptor.programs),
            Part::Application(_) => true,
            Part::Runtime(_) => false,
        };
        match made_of_programs && components.is_empty() {
            true => Err(format!("{name} is made of programs, and this host does not say which")),
            false => Ok(components),
        }
    }

    /// What the uplink of a switch runs through besides the switch; nothing for one in the kernel.
    ///
    /// # Errors
    /// When its driver is not here, in words that complete "skipped: ...".
    pub fn component_of_uplink(&self, switch: &str, uplink: &Uplink) -> Result<Option<&Component>, String> {
        if uplink.by == By::Kernel {
            return Ok(None);
        }
        let missing = || {
            let of = uplink.card.as_ref().map_or(String::new(), |card| format!(" of a card of {card}"));
            format!("{switch} has no driver here for an uplink by {}{of}", uplink.by)
        };
        self.component(&uplink.component(switch)).map(Some).ok_or_else(missing)
    }

    /// The components of a whole measurement that are known, in order of the facts.
    pub fn components_on(&self, through: &Through) -> Vec<&Component> {
        let Through { switch, application, runtime, uplink } = *through;
        let runtimes = self.runtimes.iter().filter(|offer| runtime.is_none_or(|name| offer.name == name));
        let parts = [Part::Switch(switch), Part::Application(application)];
        let parts = parts.into_iter().filter_map(|part| self.offer(part));
        let named: Vec<&String> = parts.chain(runtimes).flat_map(|offer| &offer.components).collect();
        let is_used = |name: &String| named.contains(&name) || uplink == Some(name);
        self.components.iter().filter(|component| is_used(&component.name)).collect()
    }
}
