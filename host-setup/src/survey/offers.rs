//! What can be had on this host: containers, switches, applications, and the components that they run
//! through. It must not start any of them; rights are tried out in processes that end at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::application::DEFINITION_FILE;
use crate::applications::{busybox, file_of, files_of, generators};
use crate::component::{ComponentError, DigestCache, Linker, fingerprint, plugins, with_file};
use crate::facts::{Component, Nic, Offer, Privilege, StackFacts, card, function_drivers};
use crate::meanings::Meanings;
use crate::privilege::Rights;
use crate::stack;
use crate::switch::uplink::By;
use crate::switch::{Customs, Descriptor, Ends, Software, Source, Stacks};
use crate::{switch, worker};

/// Offers, and the components that they name.
#[derive(Default)]
pub(super) struct Offers {
    pub runtimes: Vec<Offer>,
    pub switches: Vec<Offer>,
    pub applications: Vec<Offer>,
    pub components: Vec<Component>,
    pub stacks: BTreeMap<String, StackFacts>,
}

/// Reads all of them.
pub(super) fn read(rights: Rights, nics: &[Nic], meanings: &Meanings, digests: &mut DigestCache) -> Offers {
    let privilege = rights.privilege;
    let mut offers = Offers::default();
    offers.runtimes = runtimes(privilege, digests, &mut offers.components);
    offers.switches = switches(rights, nics, digests, &mut offers.components);
    offers.switches.extend(customs(rights, &meanings.switches, digests, &mut offers.components));
    offers.applications = applications(meanings, digests, &mut offers.components);
    for descriptor in switch::descriptors().iter().filter(|descriptor| descriptor.ends == Ends::Functions) {
        let offer = offers.switches.iter_mut().find(|offer| offer.name == descriptor.name && offer.missing.is_none());
        if let Some(offer) = offer {
            functions(offer, rights, nics, digests, &mut offers.components);
        }
    }
    let stacks = &meanings.stacks;
    let looked =
        stacks.names().map(|name| (name.to_string(), stack(name, stacks, (privilege, nics), &offers, digests)));
    offers.stacks = looked.collect();
    offers
}

/// What a stack has that the system has not, or has otherwise.
fn stack(
    name: &str,
    stacks: &Stacks,
    (privilege, nics): (Privilege, &[Nic]),
    system: &Offers,
    digests: &mut DigestCache,
) -> StackFacts {
    let mut facts = StackFacts::default();
    for component in stack::components().iter().copied() {
        let source = match stacks.source(name, component) {
            Ok(source) => source,
            Err(reason) => {
                facts.missing = Some(reason);
                continue;
            }
        };
        let Some(place) = &source.place else { continue };
        if [stack::BUSYBOX, stack::LXC].contains(&component) {
            match makings_of(&source, component, privilege, system, digests) {
                Ok(found) => facts.components.extend(found.map(|found| of_place(found, place))),
                Err(reason) => facts.missing = Some(reason),
            }
            continue;
        }
        let is_same =
            |found: &Component| system.components.iter().any(|own| own.name == component && own.digest == found.digest);
        let mut offer = Offer { name: component.into(), missing: None, components: Vec::new(), io: Vec::new() };
        match component_of_switch(component, privilege, &source, digests) {
            Ok(Some(found)) if !is_same(&found) => {
                offer.components.push(component.into());
                offer.io = switch::descriptor(component).map(|descriptor| descriptor.io.clone()).unwrap_or_default();
                facts.components.push(of_place(found, place));
                if let Some(descriptor) = switch::descriptor(component) {
                    facts.components.extend(uplinks(descriptor, (privilege, nics), &source, digests));
                }
            }
            Ok(_) => continue,
            Err(reason)
                if system.switches.iter().any(|own| own.name == component && own.missing.as_ref() == Some(&reason)) =>
            {
                continue;
            }
            Err(reason) => offer.missing = Some(reason),
        }
        facts.switches.push(offer);
    }
    facts
}

fn of_place(found: Component, place: &str) -> Component {
    Component { id: found.id.or_else(|| Some(place.to_string())), ..found }
}

fn runtimes(privilege: Privilege, digests: &mut DigestCache, components: &mut Vec<Component>) -> Vec<Offer> {
    let mut netns = Offer { name: "netns".into(), missing: None, components: Vec::new(), io: Vec::new() };
    if privilege == Privilege::None {
        netns.missing = Some("this user may not make namespaces".into());
    }
    // Without a BusyBox there is nothing but the application in a container.
    if let Some(path) = busybox()
        && let Ok(component) =
            fingerprint(&Linker::of_host(), "busybox", &[&path], &["busybox-static", "busybox"], digests)
    {
        netns.components.push(component.name.clone());
        components.push(component);
    }
    let mut lxc = Offer { name: "lxc".into(), missing: None, ..netns.clone() };
    match lxc_of(&Source::system(), privilege, digests) {
        Ok(component) => {
            lxc.components.push(component.name.clone());
            components.push(component);
        }
        Err(reason) => {
            lxc.missing = Some(reason);
            lxc.components.clear();
        }
    }
    vec![netns, lxc]
}

fn lxc_of(source: &Source, privilege: Privilege, digests: &mut DigestCache) -> Result<Component, String> {
    let lxc = worker::lxc(privilege, source)?;
    fingerprint(&lxc.linker(), stack::LXC, &lxc.programs(), &["lxc"], digests).map_err(failed)
}

/// What a stack has of its own for containers: nothing of what is the same as the system's, no LXC where there could be
/// none, and no BusyBox where containers have none in whose place it could be.
fn makings_of(
    source: &Source,
    component: &str,
    privilege: Privilege,
    system: &Offers,
    digests: &mut DigestCache,
) -> Result<Option<Component>, String> {
    let own = system.components.iter().find(|own| own.name == component);
    let found = match component {
        stack::BUSYBOX => match worker::busybox(source)?.filter(|_| own.is_some()) {
            Some(path) => fingerprint(&Linker::of_host(), component, &[&path], &[], digests).map_err(failed)?,
            None => return Ok(None),
        },
        _ if privilege != Privilege::Root => return Ok(None),
        _ => match worker::lxc(privilege, source) {
            Ok(lxc) if !lxc.of_stack => return Ok(None),
            _ => lxc_of(source, privilege, digests)?,
        },
    };
    Ok(Some(found).filter(|found| own.is_none_or(|own| own.digest != found.digest)))
}

fn switches(rights: Rights, nics: &[Nic], digests: &mut DigestCache, components: &mut Vec<Component>) -> Vec<Offer> {
    let mut offers = Vec::new();
    for descriptor in switch::descriptors() {
        let name = &descriptor.name;
        let mut offer = Offer { name: name.clone(), missing: None, components: Vec::new(), io: Vec::new() };
        let found = can_stand(descriptor, rights)
            .and_then(|()| component_of_switch(name, rights.privilege, &Source::system(), digests));
        match found {
            Ok(component) => {
                offer.io = descriptor.io.clone();
                offer.components.extend(component.iter().map(|component| component.name.clone()));
                components.extend(component);
                components.extend(uplinks(descriptor, (rights.privilege, nics), &Source::system(), digests));
            }
            Err(reason) => offer.missing = Some(reason),
        }
        offers.push(offer);
    }
    offers
}

/// Switches that a site defines.
fn customs(
    rights: Rights,
    customs: &Customs,
    digests: &mut DigestCache,
    components: &mut Vec<Component>,
) -> Vec<Offer> {
    let mut offers = Vec::new();
    for descriptor in customs.descriptors() {
        let name = &descriptor.name;
        let mut offer = Offer { name: name.clone(), missing: None, components: Vec::new(), io: Vec::new() };
        let found = may_stand(&descriptor, rights).and_then(|()| customs.software(name, rights.privilege));
        match found.and_then(|software| component_of(name, &software, digests)) {
            Ok(component) => {
                offer.io = descriptor.io.clone();
                offer.components.push(component.name.clone());
                components.push(component);
            }
            Err(reason) => offer.missing = Some(reason),
        }
        offers.push(offer);
    }
    offers
}

/// Whether this agent can make such a switch at all, or why not.
fn can_stand(descriptor: &Descriptor, rights: Rights) -> Result<(), String> {
    let name = &descriptor.name;
    if !switch::is_driven(name) {
        return Err(format!("this version of septet-host does not drive {name} yet"));
    }
    may_stand(descriptor, rights)
}

/// Whether its links can be made here, or why not.
fn may_stand(descriptor: &Descriptor, rights: Rights) -> Result<(), String> {
    if rights.privilege == Privilege::None {
        return Err("this user may not make network namespaces".into());
    }
    if descriptor.ends == Ends::Interfaces && !rights.bridges {
        return Err("this kernel makes no bridges or no veth pairs".into());
    }
    Ok(())
}

/// What the uplinks of a switch run through besides itself, of those that its source has the drivers of.
fn uplinks(
    descriptor: &Descriptor,
    (privilege, nics): (Privilege, &[Nic]),
    source: &Source,
    digests: &mut DigestCache,
) -> Vec<Component> {
    let Ok(Some(software)) = switch::software(&descriptor.name, privilege, source) else { return Vec::new() };
    let of = |(by, card): (By, Option<&str>)| {
        let files = software.files_of_uplink(by, card).ok()?;
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        let name = switch::uplink::component(&descriptor.name, by, card);
        fingerprint(&software.linker(), &name, &files, &[], digests).ok()
    };
    let is_here =
        |card: &Option<&str>| card.is_none_or(|card| nics.iter().any(|nic| nic.driver.as_deref() == Some(card)));
    let kinds = descriptor.uplinks().iter().flat_map(|by| by.cards().into_iter().map(|card| (*by, card)));
    // A driver that is not there, or cannot be read, is one that cannot be had.
    kinds.filter(|(_, card)| is_here(card)).filter_map(of).collect()
}

/// What can be had of a switch that is a card's: its functions need one that nobody else needs, and DPDK what drives
/// them.
fn functions(
    offer: &mut Offer,
    rights: Rights,
    nics: &[Nic],
    digests: &mut DigestCache,
    components: &mut Vec<Component>,
) {
    let found = match card(nics) {
        Ok(_) if rights.privilege != Privilege::Root => {
            Err(format!("{} needs root: it makes virtual functions", offer.name))
        }
        Ok(card) => Ok(card),
        Err(reason) => Err(reason),
    };
    let card = match found {
        Ok(card) => card,
        Err(reason) => {
            offer.io.clear();
            offer.missing = Some(reason);
            return;
        }
    };
    match drivers(&offer.name, card, digests) {
        Ok(component) => {
            offer.components.push(component.name.clone());
            components.push(component);
        }
        // Sockets have the kernel's driver.
        Err(_) => offer.io.retain(|io| io != "dpdk"),
    }
}

/// What of DPDK drives functions of a card.
fn drivers(name: &str, card: &Nic, digests: &mut DigestCache) -> Result<Component, String> {
    let driver = card.driver.as_deref().unwrap_or_default();
    let names = function_drivers(driver).ok_or_else(|| format!("no driver of DPDK's is known for {driver}"))?;
    let application = generators().find(|application| application.io.contains(&"dpdk"));
    let application = application.ok_or("there is no generator over DPDK")?;
    let linker = Linker::of_host();
    let programs = [file_of(&application.name).map_err(|failure| failure.message)?];
    let files = plugins::wanted(&linker, &programs, names).map_err(failed)?;
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    match files.iter().find(|file| !file.is_file()) {
        Some(file) => Err(format!("{} is not there", file.display())),
        None => fingerprint(&linker, name, &files, &[], digests).map_err(failed),
    }
}

fn component_of_switch(
    name: &str,
    privilege: Privilege,
    source: &Source,
    digests: &mut DigestCache,
) -> Result<Option<Component>, String> {
    let Some(software) = switch::software(name, privilege, source)? else { return Ok(None) };
    component_of(name, &software, digests).map(Some)
}

fn component_of(name: &str, software: &Software, digests: &mut DigestCache) -> Result<Component, String> {
    let files = software.files().map_err(failed)?;
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    fingerprint(&software.linker(), name, &files, software.packages, digests).map_err(failed)
}

fn applications(meanings: &Meanings, digests: &mut DigestCache, components: &mut Vec<Component>) -> Vec<Offer> {
    let mut offers = Vec::new();
    for application in generators().chain(meanings.applications.iter().cloned()) {
        let io = application.io.iter().map(|name| (*name).into()).collect();
        let mut offer = Offer { name: application.name.clone(), missing: None, components: Vec::new(), io };
        let found = files_of(&application).map_err(|failure| failure.message).and_then(|files: Vec<PathBuf>| {
            let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
            fingerprint(&Linker::of_host(), &application.name, &files, &[], digests).map_err(failed)
        });
        match found {
            Ok(component) => {
                let component = match &application.definition {
                    Some(definition) => with_file(component, DEFINITION_FILE, &definition.bytes()),
                    None => component,
                };
                offer.components.push(component.name.clone());
                components.push(component);
            }
            Err(reason) => offer.missing = Some(reason),
        }
        offers.push(offer);
    }
    offers
}

fn failed(error: ComponentError) -> String {
    format!("failed to {error}")
}
