//! What a site says for all of its experiments: `~/.config/septet/site.toml`, and one that lies beside an
//! experiment, which counts only after its owner has trusted its very content once. Read like experiments: every
//! error with its place, all in one go. It must not use what it says.

mod schema;
mod shown;
mod slurm;
mod switches;
mod testbed;
mod trust;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use host_setup::application;
use host_setup::stack::{SYSTEM, Stack, StackError};
use host_setup::switch::custom::Definition;
use toml::de::DeTable;

use crate::beneath;
use crate::experiment::diagnostic::{Diagnostic, Diagnostics, quoted};
use crate::experiment::document::{self, Findings, Node, Section};
use crate::remote::address::{self, Address, SCHEMES};

pub use schema::schema;
pub use shown::excerpt;
pub use slurm::Cluster;
pub use testbed::{Cable, End, Host, Nic, Reach, StandPlan, Testbed};
pub use trust::{TrustError, trust};

/// Name of the file, in `~/.config/septet` and beside experiments.
pub const SITE_FILE: &str = "site.toml";
/// Keys of the file.
pub const KEYS: [&str; 10] =
    ["agent", "store", "stacks", "switches", "applications", "hosts", "cables", "stands", "classes", "slurm"];
/// Keys of `[agent]`.
pub const AGENT_KEYS: [&str; 1] = ["sudo"];
/// Keys of `[store]`.
pub const STORE_KEYS: [&str; 1] = ["remote"];
/// Largest site file, bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What a site says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// The program that sudo lets this user start as root, as its rule names it; only the user's own file says so.
    pub sudo: Option<PathBuf>,
    /// Where results are shared.
    pub remote: Option<Address>,
    /// The stacks that it names; what lies at their places is the agent's to say.
    pub stacks: BTreeMap<String, Stack>,
    /// The site's hosts and cables; none where everything is measured on this machine.
    pub testbed: Testbed,
    /// The cluster whose nodes the hosts are.
    pub cluster: Option<Cluster>,
    /// The switches that it defines, by what stands after `custom:`.
    pub switches: BTreeMap<String, Definition>,
    /// The applications that it defines, by what stands after `application:`.
    pub applications: BTreeMap<String, application::Definition>,
}

/// Why a site file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// The site file cannot be read.
    #[error("failed to read the site file {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The site file is wrong; rendered as it is to be printed.
    #[error(transparent)]
    Invalid(#[from] Diagnostics),
}

/// A site, and what a user should know about where it came from.
#[derive(Debug, Default)]
pub struct FoundSite {
    /// The settings, of all site files that count.
    pub site: Site,
    /// A site file beside the experiment that is not trusted, and was not read.
    pub untrusted: Option<PathBuf>,
    /// The user's own site file, if it is there and cannot be read, and why: a user is not always at home where $HOME
    /// says.
    pub unread: Option<String>,
}

/// Folder of the user's own settings: `$XDG_CONFIG_HOME/septet`, or `~/.config/septet`.
pub fn folder() -> Option<PathBuf> {
    let named = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    Some(named("XDG_CONFIG_HOME").or_else(|| Some(named("HOME")?.join(".config")))?.join("septet"))
}

/// Whose a site file is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The user's own, which may say how the agent is started.
    Own,
    /// One that lies beside an experiment.
    Beside,
}

/// What the user's own site file says, whatever lies beside an experiment. A file that cannot be read says nothing.
pub fn own() -> Result<Site, SiteError> {
    let Some(path) = folder().map(|folder| folder.join(SITE_FILE)) else { return Ok(Site::default()) };
    match read(&path) {
        Ok(Some(bytes)) => Ok(parse_bytes(&bytes, &path, Whose::Own)?),
        Ok(None) | Err(_) => Ok(Site::default()),
    }
}

/// The site of an experiment in a folder: the user's own, over which a trusted one beside the experiment goes.
pub fn find(beside: &Path) -> Result<FoundSite, SiteError> {
    let mut found = FoundSite::default();
    let own = folder().map(|folder| folder.join(SITE_FILE));
    match own.as_deref().map(read).transpose() {
        Ok(Some(Some(bytes))) => found.site = parse_bytes(&bytes, &own.unwrap_or_default(), Whose::Own)?,
        Ok(_) => {}
        Err(error) => found.unread = Some(error.to_string()),
    }
    let path = beside.join(SITE_FILE);
    if let Some(bytes) = read(&path)? {
        match trust::is_trusted(&bytes) {
            true => {
                let theirs = parse_bytes(&bytes, &path, Whose::Beside)?;
                found.site.remote = theirs.remote.or(found.site.remote);
                found.site.stacks.extend(theirs.stacks);
                if !theirs.testbed.hosts.is_empty() {
                    found.site.testbed = theirs.testbed;
                    found.site.cluster = theirs.cluster;
                }
                found.site.switches.extend(theirs.switches);
                found.site.applications.extend(theirs.applications);
            }
            false => found.untrusted = Some(path),
        }
    }
    Ok(found)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, SiteError> {
    match beneath::plain_file(path, FILE_BYTES_MAX) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_absent() || error.source.kind() == std::io::ErrorKind::NotADirectory => Ok(None),
        Err(beneath::Error { path, source, .. }) => Err(SiteError::Read { path, source }),
    }
}

fn parse_bytes(bytes: &[u8], path: &Path, whose: Whose) -> Result<Site, Diagnostics> {
    parse_as(&String::from_utf8_lossy(bytes), &path.display().to_string(), whose)
}

/// Checks a site file of the user's own; all that is wrong with it comes back together.
pub fn parse(source: &str, file_name: &str) -> Result<Site, Diagnostics> {
    parse_as(source, file_name, Whose::Own)
}

fn parse_as(source: &str, file_name: &str, whose: Whose) -> Result<Site, Diagnostics> {
    let (root, syntax) = DeTable::parse_recoverable(source);
    let mut findings = Findings::new(source, !syntax.is_empty());
    let site = site(root.get_ref(), whose, file_name, &mut findings);
    let mut list = findings.list;
    list.extend(syntax.iter().map(|error| Diagnostic {
        span: error.span().unwrap_or(source.len()..source.len()),
        message: format!("not TOML: {}", error.message()),
        help: None,
    }));
    match list.is_empty() {
        true => Ok(site),
        false => Err(Diagnostics::new(file_name, &masked(source), list)),
    }
}

/// The file as it may be shown beside what is wrong in it: every byte in its place, and of addresses, or what is meant
/// as one, nothing that is secret.
fn masked(source: &str) -> String {
    let ends = |c: char| c.is_whitespace() || c == '"' || c == '\'';
    let word = |word: &str| {
        let (text, end) = word.split_at(word.trim_end_matches(ends).len());
        address::replaced(text, |secret| "*".repeat(secret.len())) + end
    };
    source.split_inclusive(ends).map(word).collect()
}

/// How the agent is started. A site file beside an experiment, trusted or not, is not asked.
fn sudo(file: &Section<'_, '_>, whose: Whose, findings: &mut Findings<'_>) -> Option<PathBuf> {
    let node = file.get("agent")?;
    if whose == Whose::Beside {
        let help = format!("write it into ~/.config/septet/{SITE_FILE}");
        findings.error(node.span(), "only your own site file says how the agent is started", Some(help));
        return None;
    }
    let section = Section::of("[agent]", node, findings)?;
    section.only(&AGENT_KEYS, findings);
    absolute(section.get("sudo")?, whose, findings)
}

/// The program that sudo lets a user start, here or on a host. Only the user's own file says so.
fn absolute(node: &Node<'_>, whose: Whose, findings: &mut Findings<'_>) -> Option<PathBuf> {
    if whose == Whose::Beside {
        let help = format!("write it into ~/.config/septet/{SITE_FILE}");
        findings.error(node.span(), "only your own site file says how the agent is started", Some(help));
        return None;
    }
    let path = PathBuf::from(document::text(node, "sudo", 4000, false, findings)?);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._+-".contains(&byte);
    if !path.is_absolute() {
        let help = "write the program as the rule of sudo names it: /opt/septet/septet-host".to_string();
        findings.error(node.span(), "sudo is not an absolute path", Some(help));
        return None;
    }
    if !path.as_os_str().as_encoded_bytes().iter().all(|byte| plain(*byte)) {
        let help = "letters, digits, and / . _ + - are taken: a shell of another host will read it".to_string();
        findings.error(node.span(), "sudo is a path with other characters than those of plain names", Some(help));
        return None;
    }
    Some(path)
}

fn site(root: &DeTable<'_>, whose: Whose, file_name: &str, findings: &mut Findings<'_>) -> Site {
    let file = Section::new("the site file", root, 0..0);
    file.only(&KEYS, findings);
    let mut site = Site { sudo: sudo(&file, whose, findings), ..Site::default() };
    site.testbed = testbed::read(&file, whose, findings);
    site.cluster = slurm::read(&file, &mut site.testbed, findings);
    if let Some(section) = file.get("store").and_then(|node| Section::of("[store]", node, findings)) {
        section.only(&STORE_KEYS, findings);
        if let Some(node) = section.get("remote")
            && let Some(remote) = document::text(node, "remote", 1000, false, findings)
        {
            match Address::parse(&remote) {
                Ok(address) => site.remote = Some(address),
                Err(reason) => {
                    let help = format!("write one of {}, and where", SCHEMES.join(", "));
                    findings.error(node.span(), format!("failed to {reason}"), Some(help));
                }
            }
        }
    }
    if let Some(section) = file.get("stacks").and_then(|node| Section::of("[stacks]", node, findings)) {
        for (name, span, node) in section.entries() {
            if reports::spec::Id::new(name).is_none() {
                findings.error(span, format!("{} cannot name a stack", quoted(name)), None);
            } else if name == SYSTEM {
                let help = format!("{SYSTEM} is what the host's own packages install; choose another name");
                findings.error(span, format!("{} is defined already", quoted(name)), Some(help));
            }
            let Some(section) = Section::of("a stack", node, findings) else { continue };
            let mut stack = Stack::default();
            for (key, span, node) in section.entries() {
                let Some(place) = document::text(node, "a place of a stack", 4000, false, findings) else { continue };
                match stack.set(key, &place) {
                    Ok(()) => {}
                    Err(error @ StackError::Key { .. }) => findings.error(span, error.to_string(), None),
                    Err(error @ StackError::Place { .. }) => findings.error(node.span(), error.to_string(), None),
                }
            }
            site.stacks.insert(name.to_string(), stack);
        }
    }
    site.switches = switches::read(&file, file_name, findings);
    site.applications = switches::read_applications(&file, findings);
    site
}
