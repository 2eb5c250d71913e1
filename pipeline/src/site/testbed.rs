//! The hosts of a site: how each is reached, which cables join them, and which stands they make. Names are names: what
//! is written here becomes arguments of ssh, so that a text which could be an option or a second word is refused. It
//! must not reach any host.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use host_setup::switch::uplink::By;
use reports::spec::Id;

use super::{Whose, slurm};
use crate::experiment::diagnostic::{Span, quoted};
use crate::experiment::document::{self, Findings, Node, Section, kind};

/// Keys of `[hosts.NAME]`.
pub const HOST_KEYS: [&str; 6] = ["ssh", "here", "sudo", "class", "cores", "uplink"];
/// Keys of `[[cables]]`.
pub const CABLE_KEYS: [&str; 2] = ["ends", "feature"];
/// Keys of `[stands.NAME]`.
pub const STAND_KEYS: [&str; 1] = ["hosts"];
/// Keys of `[classes.NAME]`.
pub const CLASS_KEYS: [&str; 1] = ["may-differ"];
/// By what switches of DPDK's can get at the end of a cable, the usual one first: an XDP socket sees one queue of a card
/// only, and what has a card whole takes it from the kernel.
pub(super) const UPLINKS: [By; 3] = [By::AfPacket, By::AfXdp, By::Pci];
/// Most hosts, cables or stands of a site.
pub const COUNT_MAX: usize = 1000;
/// The class of hosts of which nothing is said.
pub const CLASS: &str = "default";
/// What ssh is told a host is called, as a regular expression: no option, one word.
pub(super) const SSH_NAME: &str = "^[A-Za-z0-9_][A-Za-z0-9._-]*(@[A-Za-z0-9_][A-Za-z0-9._-]*)?$";
/// A PCI address, as a regular expression.
pub(super) const PCI: &str = "[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\\.[0-7]";
/// An interface, as a regular expression.
pub(super) const INTERFACE: &str = "[A-Za-z0-9_][A-Za-z0-9_.@-]{0,14}";
/// A list of CPUs, as a regular expression.
pub(super) const CORES: &str = "^[0-9]{1,5}(-[0-9]{1,5})?(,[0-9]{1,5}(-[0-9]{1,5})?)*$";

/// How a host is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This machine itself.
    Here,
    /// By ssh under this name, with whatever `~/.ssh/config` says of it.
    Ssh(String),
    /// A node of a Slurm cluster, named like the host.
    Slurm,
}

/// A host of the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// What the site calls it.
    pub name: String,
    /// How it is reached.
    pub reach: Reach,
    /// The agent that sudo lets the user start there as root, as the rule names it. Without it the agent is copied
    /// over and has the rights of the login.
    pub sudo: Option<PathBuf>,
    /// Hosts of one class are held to be alike.
    pub class: String,
    /// The CPUs that may be used, as the kernel writes lists of them; all that the agent may use if absent.
    pub cores: Option<String>,
    /// By what switches of DPDK's get at the host's end of a cable.
    pub uplink: By,
}

/// A network interface of a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nic {
    /// A device by its PCI address, whatever driver it has.
    Pci(String),
    /// An interface of the kernel's by name.
    Interface(String),
}

impl fmt::Display for Nic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Nic::Pci(text) | Nic::Interface(text)) = self;
        f.write_str(text)
    }
}

/// One end of a cable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// Name of the host.
    pub host: String,
    /// The NIC.
    pub nic: Nic,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.nic)
    }
}

/// A cable between two hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cable(pub [End; 2]);

impl Cable {
    /// Whether it joins these two hosts, in either order.
    pub fn joins(&self, one: &str, other: &str) -> bool {
        let Cable([a, b]) = self;
        (a.host == one && b.host == other) || (a.host == other && b.host == one)
    }

    /// The NIC at a host.
    pub fn nic_of(&self, host: &str) -> Option<&Nic> {
        self.0.iter().find(|end| end.host == host).map(|end| &end.nic)
    }
}

/// What one measurement needs for itself: a host, or two with a cable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandPlan {
    /// What people call it.
    pub name: String,
    /// Names of its hosts: senders and clients are on the first, receivers and servers on the second.
    pub hosts: Vec<String>,
    /// The cable between them.
    pub cable: Option<Cable>,
}

/// All hosts of a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Testbed {
    /// By name.
    pub hosts: BTreeMap<String, Host>,
    /// In the order of the file.
    pub cables: Vec<Cable>,
    /// For each of them, the feature by which Slurm knows the pair of its hosts.
    pub features: Vec<Option<String>>,
    /// Stands that the file names, in its order.
    pub named: Vec<StandPlan>,
    /// What may differ between hosts of a class without making their results different, as `section field` of
    /// `septet explain`.
    pub may_differ: BTreeMap<String, BTreeSet<String>>,
}

impl Testbed {
    /// The stands of a run; no host is in two of them, since no two measurements share a host. The file's own stands if
    /// it names some; otherwise, if tests need `pairs`, a stand for each cable whose hosts are not in one yet, and in
    /// any case one for each host that is left.
    pub fn stands(&self, pairs: bool) -> Vec<StandPlan> {
        if !self.named.is_empty() {
            return self.named.clone();
        }
        let mut stands: Vec<StandPlan> = Vec::new();
        let mut taken: BTreeSet<&str> = BTreeSet::new();
        for cable in self.cables.iter().filter(|_| pairs) {
            let Cable([a, b]) = cable;
            if taken.contains(&*a.host) || taken.contains(&*b.host) {
                continue;
            }
            taken.extend([&*a.host, &*b.host]);
            let hosts = vec![a.host.clone(), b.host.clone()];
            stands.push(StandPlan { name: format!("{}-{}", a.host, b.host), hosts, cable: Some(cable.clone()) });
        }
        let left = self.hosts.keys().filter(|name| !taken.contains(name.as_str()));
        stands.extend(left.map(|name| StandPlan { name: name.clone(), hosts: vec![name.clone()], cable: None }));
        stands
    }

    /// The stands of a run that are of a class, or all.
    pub fn stands_of(&self, pairs: bool, class: Option<&str>) -> Vec<StandPlan> {
        let mut stands = self.stands(pairs);
        stands.retain(|stand| class.is_none_or(|class| self.is_of(stand, class)));
        stands
    }

    /// Whether a stand is of a class: its own, or the one that all its hosts are of.
    fn is_of(&self, stand: &StandPlan, class: &str) -> bool {
        self.class_of(stand) == class || self.class_of(stand).split('+').all(|of_host| of_host == class)
    }

    /// The feature by which Slurm knows the hosts of a cable.
    pub fn feature_of(&self, cable: &Cable) -> Option<&str> {
        let place = self.cables.iter().position(|known| known == cable)?;
        self.features.get(place)?.as_deref()
    }

    /// The class of a stand: that of its hosts, in order.
    pub fn class_of(&self, stand: &StandPlan) -> String {
        let of = |name: &String| self.hosts.get(name).map_or(CLASS, |host| &host.class);
        stand.hosts.iter().map(of).collect::<Vec<_>>().join("+")
    }
}

pub(super) fn is_word(text: &str) -> bool {
    let first = text.bytes().next();
    first.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Whether ssh takes a text for a host, or `USER@HOST`, and for nothing else.
pub(super) fn is_ssh_name(text: &str) -> bool {
    let (user, host) = text.split_once('@').map_or((None, text), |(user, host)| (Some(user), host));
    text.len() <= 255 && is_word(host) && user.is_none_or(is_word)
}

/// A NIC as cables name it.
pub(super) fn nic(text: &str) -> Option<Nic> {
    let hex = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    if let [domain, bus, rest] = text.split(':').collect::<Vec<_>>()[..]
        && let Some((device, function)) = rest.split_once('.')
    {
        let fits =
            hex(domain, 4) && hex(bus, 2) && hex(device, 2) && device < "20" && hex(function, 1) && function < "8";
        return fits.then(|| Nic::Pci(text.to_string()));
    }
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"_.@-".contains(&byte);
    let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (text.len() <= 15 && starts && text.bytes().all(word)).then(|| Nic::Interface(text.to_string()))
}

/// Whether a text is a list of CPUs, each range the right way round.
pub(super) fn is_cores(text: &str) -> bool {
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 5 {
        true => text.parse::<u32>().ok(),
        false => None,
    };
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        matches!((number(first), number(last)), (Some(first), Some(last)) if first <= last)
    };
    text.len() <= 1000 && text.split(',').all(range)
}

/// The tables of hosts, cables, stands and classes.
pub(super) fn read(file: &Section<'_, '_>, whose: Whose, findings: &mut Findings<'_>) -> Testbed {
    let mut reader = Reader { testbed: Testbed::default(), ssh: BTreeMap::new(), whose };
    for (name, span, node) in named("[hosts]", file.get("hosts"), "a host", findings) {
        if let Some(host) = reader.host(name, span, node, findings) {
            reader.testbed.hosts.insert(name.to_string(), host);
        }
    }
    // What is not understood of a host is told once, and not again wherever it is named.
    let hosts: BTreeSet<String> = entries(file.get("hosts")).into_iter().map(|(name, ..)| name.to_string()).collect();
    for section in document::sections("[[cables]]", file.get("cables"), COUNT_MAX, findings) {
        section.only(&CABLE_KEYS, findings);
        let feature = section.get("feature").and_then(|node| slurm::word(node, "a feature", findings));
        if let Some(node) = section.require("ends", "ends = [\"one:eth1\", \"other:eth1\"]", findings) {
            reader.cable(node, &hosts, findings);
        }
        reader.testbed.features.resize(reader.testbed.cables.len(), feature);
    }
    for (name, _, node) in named("[stands]", file.get("stands"), "a stand", findings) {
        let Some(section) = Section::of("a stand", node, findings) else { continue };
        section.only(&STAND_KEYS, findings);
        if let Some(node) = section.require("hosts", "hosts = [\"one\", \"other\"]", findings) {
            reader.stand(name, node, &hosts, findings);
        }
    }
    for (name, span, node) in named("[classes]", file.get("classes"), "a class", findings) {
        let Some(section) = Section::of("a class", node, findings) else { continue };
        section.only(&CLASS_KEYS, findings);
        if !reader.testbed.hosts.values().any(|host| host.class == name) {
            findings.missing(span, format!("no host is of class {}", quoted(name)), None);
        }
        let Some(node) = section.get("may-differ") else { continue };
        let texts = texts(node, "may-differ", findings).into_iter().map(|(text, _)| text.to_string());
        reader.testbed.may_differ.insert(name.to_string(), texts.collect());
    }
    reader.testbed
}

struct Reader {
    testbed: Testbed,
    /// Which host has which name of ssh's; this machine has none.
    ssh: BTreeMap<Option<String>, String>,
    whose: Whose,
}

impl Reader {
    fn host(&mut self, name: &str, span: Span, node: &Node<'_>, findings: &mut Findings<'_>) -> Option<Host> {
        let section = Section::of("a host", node, findings)?;
        section.only(&HOST_KEYS, findings);
        let here = section.get("here").is_some_and(|node| {
            let flag = node.get_ref().as_bool();
            if flag.is_none() {
                findings.error(node.span(), format!("here is true or false, not {}", kind(node)), None);
            }
            flag == Some(true)
        });
        let ssh = match section.get("ssh") {
            Some(node) if here => {
                findings.error(node.span(), "a host that is here is not reached by ssh", None);
                return None;
            }
            Some(node) => {
                let text = document::string(node, "ssh", findings)?;
                if !is_ssh_name(text) {
                    let help = "write HOST or USER@HOST; ports, keys and jump hosts belong into ~/.ssh/config";
                    findings.error(
                        node.span(),
                        format!("{} cannot name a host of ssh", quoted(text)),
                        Some(help.into()),
                    );
                    return None;
                }
                text.to_string()
            }
            None => name.to_string(),
        };
        let place = (!here).then(|| ssh.clone());
        if let Some(other) = self.ssh.insert(place, name.to_string()) {
            let what = if here { "this machine".to_string() } else { quoted(&ssh) };
            let help = "a host is one host: two measurements never share it".to_string();
            findings.error(span, format!("{what} is host {} already", quoted(&other)), Some(help));
        }
        let sudo = section.get("sudo").and_then(|node| super::absolute(node, self.whose, findings));
        let class = match section.get("class") {
            Some(node) => document::id(node, "a class", findings)?.to_string(),
            None => CLASS.to_string(),
        };
        let cores = section.get("cores").and_then(|node| {
            let text = document::string(node, "cores", findings)?;
            if !is_cores(text) {
                let help = "write it as the kernel does: \"2-7\", \"0,2,4\"".to_string();
                findings.error(node.span(), format!("{} is no list of CPUs", quoted(text)), Some(help));
                return None;
            }
            Some(text.to_string())
        });
        let uplink = section.get("uplink").and_then(|node| {
            let text = document::string(node, "uplink", findings)?;
            let found = UPLINKS.into_iter().find(|by| by.name() == text);
            if found.is_none() {
                let names = UPLINKS.map(By::name).join(", ");
                let help =
                    format!("it is one of {names}; a card that a cable names by its PCI address is got at by that");
                findings.error(node.span(), format!("{} is no way to an interface", quoted(text)), Some(help));
            }
            found
        });
        let uplink = uplink.unwrap_or(UPLINKS[0]);
        let reach = if here { Reach::Here } else { Reach::Ssh(ssh) };
        Some(Host { name: name.to_string(), reach, sudo, class, cores, uplink })
    }

    fn cable(&mut self, node: &Node<'_>, hosts: &BTreeSet<String>, findings: &mut Findings<'_>) {
        let texts = texts(node, "ends", findings);
        let mut ends = Vec::new();
        for (text, span) in &texts {
            let end = text.split_once(':').and_then(|(host, rest)| Some((host, nic(rest)?)));
            let Some((host, nic)) = end else {
                let help = "write HOST:INTERFACE or HOST:PCI-ADDRESS, as in north:eth1 or north:0000:3b:00.0";
                findings.error(span.clone(), format!("{} is no end of a cable", quoted(text)), Some(help.into()));
                continue;
            };
            unknown(host, hosts, span, findings);
            let end = End { host: host.to_string(), nic };
            if self.testbed.cables.iter().flat_map(|cable| &cable.0).chain(&ends).any(|known| *known == end) {
                findings.error(span.clone(), format!("{} has a cable already", quoted(text)), None);
            }
            ends.push(end);
        }
        match <[End; 2]>::try_from(ends) {
            Ok([a, b]) if a.host == b.host => {
                findings.error(node.span(), format!("the cable joins {} with itself", quoted(&a.host)), None);
            }
            Ok(ends) => self.testbed.cables.push(Cable(ends)),
            Err(_) if texts.len() == 2 || node.get_ref().as_array().is_none() => {}
            Err(_) => findings.error(node.span(), format!("a cable has two ends, not {}", texts.len()), None),
        }
    }

    fn stand(&mut self, name: &str, node: &Node<'_>, hosts: &BTreeSet<String>, findings: &mut Findings<'_>) {
        let texts = texts(node, "hosts", findings);
        for (place, (host, span)) in texts.iter().enumerate() {
            unknown(host, hosts, span, findings);
            let other = self.testbed.named.iter().find(|stand| stand.hosts.iter().any(|known| known == host));
            let twice = texts[..place].iter().any(|(known, _)| known == host);
            if let Some(in_it) = other.map(|stand| &*stand.name).or(twice.then_some(name)) {
                let help = Some("two measurements never share a host".to_string());
                findings.error(span.clone(), format!("{} is in stand {} already", quoted(host), quoted(in_it)), help);
            }
        }
        let names: Vec<String> = texts.iter().map(|(host, _)| host.to_string()).collect();
        let cable = match &names[..] {
            [_] => None,
            [one, other] => {
                let cable = self.testbed.cables.iter().find(|cable| cable.joins(one, other)).cloned();
                if cable.is_none() && one != other && hosts.contains(one) && hosts.contains(other) {
                    let help = format!("write [[cables]] ends = [\"{one}:NIC\", \"{other}:NIC\"]");
                    findings.missing(node.span(), format!("no cable joins {one} and {other}"), Some(help));
                }
                cable
            }
            [] if node.get_ref().as_array().is_none() => return,
            _ => {
                findings.error(node.span(), format!("a stand has one host or two, not {}", names.len()), None);
                return;
            }
        };
        self.testbed.named.push(StandPlan { name: name.to_string(), hosts: names, cable });
    }
}

fn unknown(host: &str, hosts: &BTreeSet<String>, span: &Span, findings: &mut Findings<'_>) {
    if !hosts.contains(host) {
        let help = reports::suggest::help(host, hosts.iter().map(String::as_str));
        findings.missing(span.clone(), format!("no host is called {}", quoted(host)), help);
    }
}

fn entries<'t, 'i>(node: Option<&'t Node<'i>>) -> Vec<(&'t str, Span, &'t Node<'i>)> {
    let table = node.and_then(|node| node.get_ref().as_table());
    table.map(|table| Section::new("a table", table, 0..0).entries()).unwrap_or_default()
}

/// The named tables below a table, each with a name that can name files.
fn named<'t, 'i>(
    head: &'static str,
    node: Option<&'t Node<'i>>,
    what: &str,
    findings: &mut Findings<'_>,
) -> Vec<(&'t str, Span, &'t Node<'i>)> {
    let Some(section) = node.and_then(|node| Section::of(head, node, findings)) else { return Vec::new() };
    let mut entries = section.entries();
    if let Some((_, span, _)) = entries.get(COUNT_MAX) {
        findings.error(span.clone(), format!("there are more than {COUNT_MAX} in {head}"), None);
    }
    entries.truncate(COUNT_MAX);
    entries.retain(|(name, span, _)| {
        let fits = Id::new(name).is_some() && is_word(name);
        if !fits {
            let help = "letters, digits, '.', '_' and '-', a letter or digit first".to_string();
            findings.error(span.clone(), format!("{} cannot name {what}", quoted(name)), Some(help));
        }
        fits
    });
    entries
}

/// A list of strings, each with its place.
fn texts<'t>(node: &'t Node<'_>, what: &str, findings: &mut Findings<'_>) -> Vec<(&'t str, Span)> {
    let Some(array) = node.get_ref().as_array() else {
        findings.error(node.span(), format!("{what} is a list, not {}", kind(node)), None);
        return Vec::new();
    };
    let one = |node: &'t Node<'_>| {
        let text = document::string(node, what, findings)?;
        Some((text, node.span()))
    };
    array.iter().take(COUNT_MAX).filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_ssh_are_no_options_and_one_word() {
        for name in ["north", "root@north.lab", "10.77.0.11", "_x", "a-b"] {
            assert!(is_ssh_name(name), "{name}");
        }
        for name in [
            "",
            "-oProxyCommand=x",
            "a b",
            "root@-x",
            "-x@a",
            "a@b@c",
            "a\nb",
            "a;b",
            "$(a)",
            "a'b",
            "ssh://a",
            "a\u{a0}b",
        ] {
            assert!(!is_ssh_name(name), "{name:?}");
        }
    }

    #[test]
    fn nics_are_interfaces_or_pci_addresses() {
        assert_eq!(nic("cable0"), Some(Nic::Interface("cable0".into())));
        assert_eq!(nic("0000:3b:00.0"), Some(Nic::Pci("0000:3b:00.0".into())));
        for text in
            ["", "-x", "a/b", "..", "a b", "sixteen-letters-", "0000:3b:00", "0000:3b:20.0", "0000:3b:00.8", "a:b"]
        {
            assert_eq!(nic(text), None, "{text}");
        }
    }

    #[test]
    fn cores_are_lists_of_ranges() {
        assert!(["0", "2-7", "0,2,4-5"].iter().all(|text| is_cores(text)));
        assert!(["", "-1", "7-2", "0,", "a", "1 2", "0-999999"].iter().all(|text| !is_cores(text)));
    }
}
