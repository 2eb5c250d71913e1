//! From facts to manifests: what a test runs through on this host, or why it is skipped. Pure: the same
//! test and facts give the same manifest. It must not know what is stored.

mod placed;
mod reached;
mod written;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use host_setup::containers;
use host_setup::cores::CorePlan;
use host_setup::eal::{GENERATOR_MIB, HUGEPAGE_MIB, Memory};
use host_setup::facts::{Component, Facts, Offer, Part, Privilege};
use host_setup::scene::{Runtime, Uplink};
use host_setup::switch::{Descriptor, Ends, Shape};
use results::axes::{Dimension, Io, Locality, Rate, RuntimeChoice, VSwitch, io_name};
use results::tuple::Tuple;

use crate::experiment::{Fault, Test, Times};
use crate::key::Key;
use crate::manifest::{Common, Keyed, Manifest, Sealed, Section};
use crate::ready::{Ready, Side, SwitchPlan};
use crate::search::Goal;
use crate::sections::SectionName;
use crate::stand::{Ground, Site};
use crate::traffic;

pub(crate) use self::placed::placed_as;
use self::placed::{core_plan, near};
pub(crate) use self::reached::cannot_reach;
use self::reached::{card, uplink};
use self::written::{
    cable_section, cores_section, encode_test, host_parts, memory_section, nic_at, nic_section, traffic_section,
};
pub(crate) use self::written::{protocol_section, test_section};

/// Hugepages beyond what a program asks for, for what DPDK rounds up, MiB.
const SPARE_MIB: u32 = 16;
/// The section that each test has of its own.
pub const OWN_SECTION: &str = SectionName::Test.name();

/// What measurements on one stand stand on.
#[derive(Debug)]
pub struct Conditions<'a> {
    ground: &'a Ground,
    /// In the order of its hosts.
    hosts: Vec<HostConditions<'a>>,
    /// Manifests of another stand under which tests are wanted, by the tests' names.
    wanted: BTreeMap<String, Manifest>,
}

/// What they stand on at one host.
#[derive(Debug)]
struct HostConditions<'a> {
    facts: &'a Facts,
    /// The facts of each stack, or why it cannot be used.
    stacks: BTreeMap<&'a str, Result<Facts, String>>,
    sections: Vec<(SectionName, Sealed)>,
}

/// What becomes of a test here.
#[derive(Debug)]
pub enum Prospect {
    /// The test can be measured.
    Ready(Box<Ready>),
    /// The test cannot be measured, for this reason.
    Skipped(String),
}

/// What tests share with one another, so that a hundred thousand of them need not make it anew.
#[derive(Debug, Default)]
pub struct KnownSurroundings {
    surroundings: HashMap<SurroundingsKey, Result<Surroundings, String>>,
    /// The last one, since tests of a kind come one after the other.
    last: Option<(SurroundingsKey, Result<Surroundings, String>)>,
    /// For what is encoded.
    buffer: Vec<u8>,
}

/// What decides the surroundings of a test: all that [`Conditions::surroundings`] looks at must be here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct SurroundingsKey {
    kind: Kind,
    stack: Arc<str>,
}

/// All of it but the stack, which threads that share it would wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Kind {
    dimension: Dimension,
    locality: Locality,
    vswitch: VSwitch,
    pairs: u16,
    /// The rate, if it is a search: its goal is in the key.
    search: Option<Rate>,
    io: Io,
    queues: u16,
    switch_cores: u16,
    runtime: RuntimeChoice,
    times: Times,
}

impl Kind {
    fn of(test: &Test) -> Kind {
        let Tuple { dimension, locality, pairs, vswitch, packet: _, rate, burst: _, variant } = &test.tuple;
        Kind {
            dimension: *dimension,
            locality: *locality,
            vswitch: *vswitch,
            pairs: pairs.get(),
            search: (!matches!(rate, Rate::Pps(_))).then_some(*rate),
            io: variant.io,
            queues: variant.queues,
            switch_cores: variant.switch_cores,
            runtime: variant.runtime,
            times: test.times,
        }
    }
}

impl SurroundingsKey {
    fn of(test: &Test) -> SurroundingsKey {
        SurroundingsKey { kind: Kind::of(test), stack: test.tuple.variant.stack.clone() }
    }

    /// Whether it is the one of a test.
    fn is_of(&self, test: &Test) -> bool {
        self.kind == Kind::of(test) && *self.stack == *test.tuple.variant.stack
    }
}

/// What a test runs through besides what is its own.
#[derive(Clone, Debug)]
struct Surroundings {
    common: Arc<Common>,
    sides: Arc<[Side]>,
}

impl<'a> HostConditions<'a> {
    fn new(place: usize, facts: &'a Facts) -> HostConditions<'a> {
        let of_stack = |name: &'a String| (&**name, facts.of_stack(name).map(Cow::into_owned));
        let stacks = facts.stacks.keys().map(of_stack).collect();
        HostConditions { facts, stacks, sections: host_sections(place, facts) }
    }

    /// The facts of a test here: those of its stack.
    fn facts_of(&self, tuple: &Tuple) -> Result<&Facts, String> {
        let stack = &*tuple.variant.stack;
        match self.stacks.get(stack) {
            Some(facts) => facts.as_ref().map_err(String::clone),
            None => self.facts.of_stack(stack).map(|_| self.facts),
        }
    }

    /// What the memory of DPDK programs can be made of here: only root can reserve hugepages.
    fn memory(&self) -> Memory {
        let reserves = self.facts.privilege == Privilege::Root && !self.facts.memory.hugepages_2m.is_empty();
        if reserves { Memory::Hugepages2m } else { Memory::NoHuge }
    }
}

impl<'a> Conditions<'a> {
    /// What measurements on this stand stand on. They are made once, and handed to whoever plans, measures or
    /// explains.
    pub fn new(ground: &'a Ground) -> Conditions<'a> {
        let of_host = |(place, site): (usize, &'a Site)| HostConditions::new(place, &site.facts);
        Conditions { ground, hosts: ground.hosts.iter().enumerate().map(of_host).collect(), wanted: BTreeMap::new() }
    }

    /// The same, with other manifests for some tests: of another stand, from which this one may differ.
    pub fn wanted_as(self, wanted: BTreeMap<String, Manifest>) -> Conditions<'a> {
        Conditions { wanted, ..self }
    }

    /// What the stand is.
    pub fn ground(&self) -> &'a Ground {
        self.ground
    }

    /// The facts of each host.
    pub fn hosts(&self) -> impl Iterator<Item = &'a Facts> + '_ {
        self.hosts.iter().map(|host| host.facts)
    }

    /// The facts of each host that a test is measured on: those of its stack.
    ///
    /// # Errors
    /// When its stack cannot be used, in words.
    pub fn facts_of(&self, tuple: &Tuple) -> Result<Vec<&Facts>, String> {
        let hosts = self.hosts.iter().enumerate().take(sides(tuple.locality));
        hosts.map(|(place, host)| host.facts_of(tuple).map_err(|reason| self.at(tuple, place, reason))).collect()
    }

    /// A reason of a host, which it names where the test has two.
    fn at(&self, tuple: &Tuple, place: usize, reason: String) -> String {
        match self.ground.hosts.get(place) {
            Some(site) if sides(tuple.locality) > 1 => format!("on host {}: {reason}", site.name),
            _ => reason,
        }
    }

    /// What becomes of a test.
    pub fn judge(&self, test: &Test, shared: &mut KnownSurroundings) -> Prospect {
        match self.ready(test, shared) {
            Ok(ready) => Prospect::Ready(Box::new(ready)),
            Err(reason) => Prospect::Skipped(reason),
        }
    }

    /// The key of a test and what it is made of, or why it cannot be measured here: what [`Conditions::judge`] says, for a
    /// fraction of its cost.
    ///
    /// # Errors
    /// The reason, in words.
    pub fn keyed<'s>(&'s self, test: &Test, shared: &'s mut KnownSurroundings) -> Result<Keyed<'s>, String> {
        let KnownSurroundings { surroundings, last, buffer } = shared;
        let common = &self.known(test, surroundings, last)?.common;
        if let Some(wanted) = self.wanted(test) {
            return Ok(wanted.keyed());
        }
        buffer.clear();
        encode_test(&test.tuple, buffer);
        let own = (!buffer.is_empty()).then(|| *blake3::hash(buffer).as_bytes());
        Ok(Keyed { key: common.key_with(own.as_ref(), buffer), common, own })
    }

    /// What a test has in common with others; none where it cannot be measured here.
    pub fn common<'s>(&'s self, test: &Test, shared: &'s mut KnownSurroundings) -> Option<&'s Arc<Common>> {
        let KnownSurroundings { surroundings, last, .. } = shared;
        let here = &self.known(test, surroundings, last).ok()?.common;
        Some(self.wanted(test).map_or(here, Manifest::common))
    }

    /// The key alone.
    ///
    /// # Errors
    /// Why the test cannot be measured here, in words.
    pub fn key(&self, test: &Test, shared: &mut KnownSurroundings) -> Result<Key, String> {
        self.keyed(test, shared).map(|keyed| keyed.key)
    }

    fn ready(&self, test: &Test, shared: &mut KnownSurroundings) -> Result<Ready, String> {
        let KnownSurroundings { surroundings, last, .. } = shared;
        let Surroundings { common, sides } = self.known(test, surroundings, last)?.clone();
        let here = || Manifest::new(common, Sealed::new(test_section(&test.tuple)));
        Ok(Ready { manifest: self.wanted(test).cloned().unwrap_or_else(here), sides })
    }

    /// The manifest that a test is wanted under, if that is another stand's.
    fn wanted(&self, test: &Test) -> Option<&Manifest> {
        if self.wanted.is_empty() { None } else { self.wanted.get(&test.tuple.to_string()) }
    }

    /// The surroundings of a test, made if its kind is new.
    fn known<'s>(
        &self,
        test: &Test,
        surroundings: &mut HashMap<SurroundingsKey, Result<Surroundings, String>>,
        last: &'s mut Option<(SurroundingsKey, Result<Surroundings, String>)>,
    ) -> Result<&'s Surroundings, String> {
        if last.as_ref().is_none_or(|(last, _)| !last.is_of(test)) {
            let kind = SurroundingsKey::of(test);
            let made = surroundings.entry(kind.clone()).or_insert_with(|| self.surroundings(test));
            *last = Some((kind, made.clone()));
        }
        match last {
            Some((_, Ok(surroundings))) => Ok(surroundings),
            Some((_, Err(reason))) => Err(reason.clone()),
            None => Err("nothing is known of it".to_string()),
        }
    }

    /// What a test of this kind runs through here, or why it cannot.
    fn surroundings(&self, test: &Test) -> Result<Surroundings, String> {
        let tuple = &test.tuple;
        let count = sides(tuple.locality);
        if self.hosts.len() < count {
            return Err("L=remote needs two hosts that a cable joins: the site file names none".to_string());
        }
        let (mut made, mut sections) = (Vec::new(), Vec::new());
        for place in 0..count {
            let side = self.side(test, place).map_err(|reason| self.at(tuple, place, reason))?;
            sections.extend(side.1.into_iter().map(|(name, sealed)| (name.of_host(place), sealed)));
            made.push(side.0);
        }
        let sides: Arc<[Side]> = made.into();
        sections.push((SectionName::Protocol, Sealed::new(protocol_section(&test.times))));
        sections.push((SectionName::Traffic, Sealed::new(traffic_section(test, &sides))));
        if let Some(goal) = Goal::of(tuple.rate, test.times.duration_ns) {
            sections.push((SectionName::Search, Sealed::new(goal.section())));
        }
        if count > 1 {
            sections.push((SectionName::Cable, Sealed::new(cable_section(&sides))));
        }
        Ok(Surroundings { common: Arc::new(Common::new(OWN_SECTION, sections)), sides })
    }

    /// The test's part on the host in that place, and what of keys is of it.
    fn side(&self, test: &Test, place: usize) -> Result<(Side, Vec<(SectionName, Sealed)>), String> {
        let (tuple, host) = (&test.tuple, &self.hosts[place]);
        let facts = host.facts_of(tuple)?;
        let descriptor = descriptor(facts, tuple)?;
        let runtime = runtime(facts, tuple.variant.runtime)?;
        let application = traffic::application(tuple);
        if let Some(name) = traffic::of_site(tuple) {
            if facts.offer(Part::Application(&application)).is_none() {
                return Err(format!("no application called {name} is defined on this host"));
            }
            if tuple.dimension == Dimension::Latency {
                return Err("an application that a site defines measures throughput only".to_string());
            }
        }
        takes_io(offered(facts, Part::Application(&application))?, tuple.variant.io)?;
        let end = self.ground.cable.as_ref().filter(|_| sides(tuple.locality) > 1).map(|cable| &cable.ends[place]);
        let uplink = end.map(|end| uplink(facts, descriptor, end, place)).transpose()?;
        let card = card(facts, tuple, descriptor, end)?;

        let near = near(host.facts, descriptor, end);
        let cores = core_plan(tuple, host.facts, descriptor, near);
        let memory = traffic::memory(tuple, host.memory());
        let switch = switch_plan(tuple, descriptor, &cores, memory, uplink.as_ref());
        let configuration = descriptor.render(&switch.shape).map_err(|error| error.to_string())?;
        let mut sections = host.sections.clone();
        sections.push((SectionName::Memory, Sealed::new(memory_section(memory, switch.memory_mib))));
        let switch_section = switch_section(facts, tuple, &configuration, uplink.as_ref())?;
        sections.push((SectionName::Switch, Sealed::new(switch_section)));
        sections.push((SectionName::Cores, Sealed::new(cores_section(&cores, host.facts))));
        sections.extend(software(facts, runtime, descriptor.ends, tuple)?);
        if card.is_some() && end.is_none() {
            let nic = host.facts.card()?;
            sections.push((SectionName::Nic, Sealed::new(nic_section(Some(nic)))));
        }
        if let Some(end) = end {
            sections.push((SectionName::Nic, Sealed::new(nic_section(nic_at(host.facts, end)))));
        }
        let configuration = configuration.into();
        Ok((Side { cores, near, runtime, configuration, memory, switch, uplink, card }, sections))
    }

    /// The hugepages that must be free on the host in that place for a test, as `(NUMA node, pages of 2 MiB)`; none
    /// for one that needs none there.
    pub fn hugepages(&self, ready: &Ready, place: usize) -> Vec<(u32, u64)> {
        let Some(side) = ready.sides.get(place).filter(|side| side.memory == Some(Memory::Hugepages2m)) else {
            return Vec::new();
        };
        let node = side.cores.node.unwrap_or(0);
        let generators = side.switch.shape.ports;
        let switch_mib = side.switch.memory_mib;
        let programs = generators + u32::from(switch_mib > 0);
        let mib = generators * GENERATOR_MIB + switch_mib + programs * SPARE_MIB;
        let mut pages = vec![(node, u64::from(mib.div_ceil(HUGEPAGE_MIB)))];
        // A switch that keeps house on another node has the little there that DPDK takes where it starts.
        let keeps_house = self.hosts.get(place).and_then(|host| {
            let core = host.facts.topology.iter().find(|core| Some(core.cpu) == side.cores.housekeeping)?;
            (switch_mib > 0 && core.node != node).then_some(core.node)
        });
        pages.extend(keeps_house.map(|node| (node, u64::from(SPARE_MIB.div_ceil(HUGEPAGE_MIB)))));
        pages
    }
}

/// How many hosts a test is measured on.
pub(crate) fn sides(locality: Locality) -> usize {
    if locality == Locality::Remote { 2 } else { 1 }
}

/// Containers of a test on each of its hosts.
fn containers_a_side(tuple: &Tuple) -> u32 {
    2 * u32::from(tuple.pairs.get()) / if tuple.locality == Locality::Remote { 2 } else { 1 }
}

/// The switch of a test, if it can be had here and takes what the test asks of it.
fn descriptor<'f>(facts: &'f Facts, tuple: &Tuple) -> Result<&'f Descriptor, String> {
    let name = tuple.vswitch.name();
    let undefined = || format!("no switch called {name} is defined on this host");
    if facts.offer(Part::Switch(name)).is_none() {
        return Err(undefined());
    }
    offered(facts, Part::Switch(name))?;
    let descriptor = facts.descriptor(name).ok_or_else(undefined)?;
    // What this version knows was checked before; a host may know more switches, and others of the same name.
    Fault::of_switch(tuple, descriptor).map_or(Ok(descriptor), |fault| Err(fault.to_string()))
}

fn takes_io(offer: &Offer, io: Io) -> Result<(), String> {
    let name = io_name(io);
    match offer.io.is_empty() || offer.io.iter().any(|io| io == name) {
        true => Ok(()),
        false => Err(format!("{} does not take io={name}", offer.name)),
    }
}

fn runtime(facts: &Facts, choice: RuntimeChoice) -> Result<Runtime, String> {
    let named = |runtime: Runtime| offered(facts, Part::Runtime(runtime.name())).map(|_| runtime);
    match choice {
        RuntimeChoice::Lxc => named(Runtime::Lxc),
        RuntimeChoice::Netns => named(Runtime::Netns),
        RuntimeChoice::Auto => named(Runtime::Lxc).or_else(|_| named(Runtime::Netns)),
    }
}

/// The section with a digest for each component that a part of the test runs through.
fn with_components(facts: &Facts, section: Section, part: Part) -> Result<Section, String> {
    let with = |section: Section, Component { name, digest, .. }: &Component| section.with(name, digest.clone());
    Ok(facts.components_of(part)?.into_iter().fold(section, with))
}

/// What of its switch a test gets here.
fn switch_plan(
    tuple: &Tuple,
    descriptor: &Descriptor,
    cores: &CorePlan,
    memory: Option<Memory>,
    uplink: Option<&Uplink>,
) -> SwitchPlan {
    let ports = containers_a_side(tuple);
    let uplink = uplink.map(Uplink::shape);
    let cores = u32::try_from(cores.switch.len()).unwrap_or(u32::MAX);
    let shape = descriptor.shape(&Shape { ports, cores, queues: tuple.variant.queues, memory, uplink });
    SwitchPlan { ends: descriptor.ends, shape, memory_mib: descriptor.memory_mib(ports), renews: descriptor.renews }
}

fn switch_section(
    facts: &Facts,
    tuple: &Tuple,
    configuration: &str,
    uplink: Option<&Uplink>,
) -> Result<Section, String> {
    let name = tuple.vswitch.name();
    let driver = uplink.map(|uplink| facts.component_of_uplink(name, uplink)).transpose()?.flatten();
    let section = Section::new()
        .with("configuration", configuration)
        .with_some("uplink", driver.map(|component| component.digest.clone()));
    if !tuple.vswitch.is_custom() {
        return with_components(facts, section.with("kind", name), Part::Switch(name));
    }
    // What a site calls it says nothing: it is what it is made of, and how it is configured.
    let components = facts.components_of(Part::Switch(name))?;
    Ok(numbered(section, &components))
}

/// The section with a digest for each component, none of which has a name that means anything elsewhere.
fn numbered(section: Section, components: &[&Component]) -> Section {
    let digests = components.iter().map(|component| component.digest.clone());
    digests.zip(1..).fold(section, |section, (digest, number)| section.with(&format!("component-{number}"), digest))
}

fn software(facts: &Facts, runtime: Runtime, ends: Ends, tuple: &Tuple) -> Result<Vec<(SectionName, Sealed)>, String> {
    let containers = match (ends, tuple.variant.io) {
        (Ends::Functions, Io::Dpdk) => containers::render_function(runtime),
        (_, Io::Dpdk) => containers::render_vhost_user(runtime),
        _ => containers::render(runtime),
    };
    let made = Section::new().with("name", runtime.name()).with("containers", containers);
    let application = traffic::application(tuple);
    let generator = match traffic::of_site(tuple) {
        None => with_components(facts, Section::new().with("name", &*application), Part::Application(&application))?,
        // What a site calls it says nothing.
        Some(_) => numbered(Section::new(), &facts.components_of(Part::Application(&application))?),
    };
    let busybox = facts.component("busybox").map(|component| component.digest.clone());
    Ok(vec![
        (SectionName::Runtime, Sealed::new(with_components(facts, made, Part::Runtime(runtime.name()))?)),
        (SectionName::Generator, Sealed::new(generator)),
        (SectionName::Rootfs, Sealed::new(Section::new().with_some("busybox", busybox))),
    ])
}

/// What this host offers of a part, or why it cannot be had.
fn offered<'f>(facts: &'f Facts, part: Part) -> Result<&'f Offer, String> {
    let (Part::Switch(name) | Part::Application(name) | Part::Runtime(name)) = part;
    match facts.offer(part) {
        None => Err(format!("{name} is not known on this host")),
        Some(Offer { missing: Some(reason), .. }) if reason.starts_with(name) => Err(reason.clone()),
        Some(Offer { missing: Some(reason), .. }) => Err(format!("{name}: {reason}")),
        Some(offer) => Ok(offer),
    }
}

/// The sections that follow from the facts and the core plan of the host in that place alone, by which what a record
/// says of its hosts is held against the manifest of its key.
pub(crate) fn sections_of_host(place: usize, facts: &Facts, cores: &CorePlan) -> Vec<(SectionName, Section)> {
    let parts = host_parts(facts).into_iter().chain([(SectionName::Cores, cores_section(cores, facts))]);
    parts.map(|(name, section)| (name.of_host(place), section)).collect()
}

fn host_sections(place: usize, facts: &Facts) -> Vec<(SectionName, Sealed)> {
    host_parts(facts).into_iter().map(|(name, section)| (name.of_host(place), Sealed::new(section))).collect()
}
