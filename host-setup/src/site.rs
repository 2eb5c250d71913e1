//! What whoever commands an agent may do, and what names mean when that is another than root: root-owned
//! `/etc/septet/host.toml`. It must not know containers, requests or settings, nor how it is found out who commands.
//!
//! Root who starts an agent commands it: the programs that lie beside it are root's choice. But an agent that
//! an ordinary user has started as root (by `sudo -n septet-host agent`) stands at a boundary of privilege: it
//! must be a program of root's, and so must be whatever it runs, or it becomes that user again and works in a
//! user namespace of its own, as it would have without sudo.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};
use toml::Spanned;
use toml::de::DeValue;

use crate::application;
use crate::commander::{AS_ROOT, Commander, Who, commander};
use crate::failure::During;
use crate::protocol::{Failure, FailureKind, Names};
use crate::stack::Stack;
use crate::switch::custom::{self, Definition};

/// What names mean to an agent that somebody else commands.
pub(crate) const SITE_FILE: &str = "/etc/septet/host.toml";
/// Makes sure that nobody commands more than is theirs: an agent of root's that another commands keeps its
/// rights only if it is root's own program and [`SITE_FILE`] says what names mean; else it becomes that user. Returns
/// what is so from then on.
pub(crate) fn settle(who: Who) -> Result<Commander, Failure> {
    let Who::Other(user) = who else { return Ok(Commander::Own) };
    let problem = match std::env::current_exe() {
        Ok(program) => untrusted(&program).or_else(|| untrusted(Path::new(SITE_FILE))),
        Err(error) => Some(format!("its own program cannot be found: {error}")),
    };
    let Some(problem) = problem else {
        // Nothing in it is root's choice, and nothing that root's agent does depends on it.
        crate::sys::clear_environment();
        return Ok(Commander::Other);
    };
    let message = format!("serve a user as root: {problem}");
    let advice = "install septet-host where only root writes, and let root write /etc/septet/host.toml (make site)";
    let Some((user, group)) = user else {
        let advice = format!("{advice}; if you are root yourself, say so: septet-host agent {AS_ROOT}");
        return Err(Failure::new(FailureKind::Host, message).advise(advice));
    };
    become_user(user, group).host(|| message.clone())?;
    crate::failure::warn(&format!("{problem}: it works as user {user}, without root's rights; {advice}"));
    // All the rights that it has left are the user's own.
    Ok(Commander::Own)
}

fn become_user(user: u32, group: u32) -> nix::Result<()> {
    setgroups(&[])?;
    setgid(Gid::from_raw(group))?;
    setuid(Uid::from_raw(user))?;
    // Or its own files below /proc, by which a user namespace is set up, stay root's.
    nix::sys::prctl::set_dumpable(true)
}

/// Why a file must not be believed by root: somebody else can change it, or what leads to it; in words.
pub(crate) fn untrusted(path: &Path) -> Option<String> {
    if !path.is_absolute() {
        return Some(format!("{} is no absolute path", path.display()));
    }
    let real = match fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) => return Some(format!("{}: {error}", path.display())),
    };
    // Both ways that lead to it: a link in the name is as good as the file.
    path.ancestors().chain(real.ancestors()).find_map(|part| {
        let meta = match fs::metadata(part) {
            Ok(meta) => meta,
            Err(error) => return Some(format!("{}: {error}", part.display())),
        };
        // Nix's builders may add to its store, and its sticky bit keeps them from what is there.
        let is_store = part == Path::new("/nix/store") && meta.mode() & 0o1000 != 0;
        let others_write = meta.mode() & 0o022 != 0 && !is_store;
        (meta.uid() != 0 || others_write).then(|| format!("{} can be changed by others than root", part.display()))
    })
}

/// Files of the programs that an agent may put into containers when a user commands it, by name.
///
/// # Errors
/// When the site file cannot be believed, or is not understood.
pub(crate) fn programs() -> Result<BTreeMap<String, PathBuf>, Failure> {
    let programs = read()?.programs;
    match programs.values().find_map(|path| untrusted(path)) {
        Some(problem) => Err(Failure::new(FailureKind::Host, format!("read {SITE_FILE}: {problem}"))),
        None => Ok(programs),
    }
}

/// What was said of names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub stacks: BTreeMap<String, Stack>,
    pub switches: BTreeMap<String, Definition>,
    pub applications: BTreeMap<String, application::Definition>,
}

/// What names mean: what the client says, or root's own word to one that a user commands. One that nobody defines is
/// left out.
///
/// # Errors
/// When the site file cannot be believed, or is not understood.
pub(crate) fn said(names: &Names) -> Result<Said, Failure> {
    match commander() {
        Commander::Own => Ok(Said {
            stacks: defined(&names.stacks),
            switches: defined(&names.switches),
            applications: defined(&names.applications),
        }),
        Commander::Other if *names == Names::default() => Ok(Said::default()),
        Commander::Other => {
            let SiteFile { stacks, switches, applications, .. } = read()?;
            Ok(Said {
                stacks: named(stacks, &names.stacks),
                switches: named(switches, &names.switches),
                applications: named(applications, &names.applications),
            })
        }
    }
}

/// Names that whoever uses them defines.
fn defined<T: Clone>(of_client: &BTreeMap<String, Option<T>>) -> BTreeMap<String, T> {
    of_client.iter().filter_map(|(name, meaning)| Some((name.clone(), meaning.clone()?))).collect()
}

/// What is known of names that are used.
fn named<T>(known: BTreeMap<String, T>, of_client: &BTreeMap<String, Option<T>>) -> BTreeMap<String, T> {
    known.into_iter().filter(|(name, _)| of_client.contains_key(name)).collect()
}

/// What root says.
#[derive(Debug, Default, PartialEq, Eq)]
struct SiteFile {
    programs: BTreeMap<String, PathBuf>,
    stacks: BTreeMap<String, Stack>,
    switches: BTreeMap<String, Definition>,
    applications: BTreeMap<String, application::Definition>,
}

fn read() -> Result<SiteFile, Failure> {
    let doing = || format!("read {SITE_FILE}");
    if let Some(problem) = untrusted(Path::new(SITE_FILE)) {
        return Err(Failure::new(FailureKind::Host, format!("{}: {problem}", doing())));
    }
    parse(&fs::read_to_string(SITE_FILE).host(doing)?).host(doing)
}

/// `[programs]`, each `name = "/absolute/path"`, and `[stacks.NAME]` and `[switches.NAME]`, each as in a user's own site
/// file.
fn parse(text: &str) -> Result<SiteFile, String> {
    let document = toml::de::DeTable::parse(text).map_err(|error| error.to_string())?;
    let mut site = SiteFile::default();
    for (section, value) in document.get_ref() {
        let section = &**section.get_ref();
        let table = value.get_ref().as_table().ok_or_else(|| format!("[{section}] is a table"))?;
        for (name, value) in table {
            let name = name.get_ref().to_string();
            match section {
                "programs" => {
                    let path = value.get_ref().as_str().map(PathBuf::from).filter(|path| path.is_absolute());
                    let path = path.ok_or_else(|| format!("{name} is no absolute path in quotes"))?;
                    site.programs.insert(name, path);
                }
                "stacks" => {
                    let settings = value.get_ref().as_table().ok_or_else(|| format!("[stacks.{name}] is a table"))?;
                    let mut stack = Stack::default();
                    for (key, place) in settings {
                        let place =
                            place.get_ref().as_str().ok_or_else(|| format!("a place in [stacks.{name}] is a text"))?;
                        stack.set(key.get_ref(), place).map_err(|error| format!("[stacks.{name}]: {error}"))?;
                    }
                    site.stacks.insert(name, stack);
                }
                "switches" => {
                    let definition = definition(&name, value, text)?;
                    site.switches.insert(name, definition);
                }
                "applications" => {
                    let definition = application(&name, value, text)?;
                    site.applications.insert(name, definition);
                }
                _ => {
                    let known = "[programs], [stacks.NAME], [switches.NAME] and [applications.NAME]";
                    return Err(format!("[{section}] is not known; there are {known}"));
                }
            }
        }
    }
    Ok(site)
}

/// A switch of root's.
fn definition(name: &str, value: &Spanned<DeValue<'_>>, text: &str) -> Result<Definition, String> {
    let table = value.get_ref().as_table().ok_or_else(|| format!("[switches.{name}] is a table"))?;
    if !custom::is_name(name) {
        return Err(format!("{:?} cannot name a switch", name.chars().take(64).collect::<String>()));
    }
    custom::read(name, table, value.span(), text, SITE_FILE)
        .map_err(|problems| problems.iter().map(|problem| problem.words(text)).collect::<Vec<_>>().join("\n"))
}

/// An application of root's.
fn application(name: &str, value: &Spanned<DeValue<'_>>, text: &str) -> Result<application::Definition, String> {
    let table = value.get_ref().as_table().ok_or_else(|| format!("[applications.{name}] is a table"))?;
    if !application::is_application_name(name) {
        return Err(format!("{:?} cannot name an application", name.chars().take(64).collect::<String>()));
    }
    application::read(name, table, value.span(), text)
        .map_err(|problems| problems.iter().map(|problem| problem.words(text)).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_others_can_change_are_not_believed() {
        assert!(untrusted(Path::new("relative")).is_some_and(|why| why.contains("absolute")));
        assert!(untrusted(Path::new("/no/such/file")).is_some());
        assert!(untrusted(Path::new("/tmp")).is_some_and(|why| why.contains("others than root")));
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("host.toml");
        fs::write(&file, "").expect("a file");
        assert!(untrusted(&file).is_some(), "what leads to it is writable");
    }

    #[test]
    fn the_site_file_names_programs_and_stacks_and_nothing_else() {
        let text = "# a comment\n[programs]\nsepteT = \"/opt/septet/septet-gen\"\n[stacks.new]\novs = \"/opt/ovs\"\n";
        let site = parse(text).expect("a site file");
        assert_eq!(site.programs["septeT"], Path::new("/opt/septet/septet-gen"));
        assert_eq!(site.stacks["new"].place("ovs"), "/opt/ovs");
        assert_eq!(parse(""), Ok(SiteFile::default()));
        for text in [
            "[program]\na = 1\n",
            "[programs]\na = \"relative\"\n",
            "[programs]\na = 1\n",
            "programs = 1\n",
            "[stacks.new]\novs = \"opt\"\n",
            "[stacks.new]\nlinux = \"/opt\"\n",
            "[stacks]\nnew = \"/opt\"\n",
            "[",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
