//! Who provides a file, and as what: Debian's package manager, Nix, or nobody. Its files are read, nothing is
//! started: `dpkg-query -S` of all files costs half a second. For people; identity is by content. It must not decide
//! anything.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::digests::{identity, is_settled};
use super::kept;
use super::looks::identity_of;
use super::remembered::Remembered;

/// What Debian says of its packages, whole: some megabyte, that several programs are looked up in.
static STATUS: Remembered<Arc<String>> = Remembered::new();

/// Where a file is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Provenance {
    /// `debian`, `nix` or `file`.
    pub provider: String,
    /// Package, or store path.
    pub id: Option<String>,
    /// The version as the package manager gives it.
    pub version: Option<String>,
    /// Debian's source package and its version.
    pub source: Option<String>,
}

/// Where a file is from. `packages` are the names under which Debian may know it.
pub(super) fn provenance(root: &Path, file: Option<&Path>, packages: &[&str]) -> Provenance {
    let none = Provenance { provider: "file".into(), id: None, version: None, source: None };
    let Some(file) = file else { return none };
    let real = file.canonicalize().unwrap_or_else(|_| file.to_path_buf());
    let path = format!("/{}", real.strip_prefix(root).unwrap_or(&real).display()).replace("//", "/");
    if let Some(rest) = path.strip_prefix("/nix/store/") {
        let name = rest.split('/').next().unwrap_or(rest);
        let (id, version) = (Some(format!("/nix/store/{name}")), version_of_store_path(name));
        return Provenance { provider: "nix".into(), id, version, source: None };
    }
    for package in packages {
        let list = root.join(format!("var/lib/dpkg/info/{package}.list"));
        let lists_it = |list: String| {
            // A merged /usr has two names for a file, and packages list either.
            let short = path.strip_prefix("/usr").unwrap_or(&path).to_owned();
            list.lines().any(|line| line == path || line == short)
        };
        if fs::read_to_string(list).is_ok_and(lists_it) {
            let (version, source) = known(&root.join("var/lib/dpkg/status"), package);
            return Provenance { provider: "debian".into(), id: Some((*package).into()), version, source };
        }
    }
    none
}

/// `/nix/store/HASH-name-1.2.3` is version `1.2.3`: what follows the first dash before a digit.
fn version_of_store_path(name: &str) -> Option<String> {
    let place = name.match_indices('-').skip(1).map(|(place, _)| place + 1);
    let mut starts = place.filter(|place| name[*place..].starts_with(|first: char| first.is_ascii_digit()));
    starts.next().map(|place| name[place..].to_owned())
}

/// What Debian's list says of a package, as it is kept or else as it is read.
fn known(list: &Path, package: &str) -> (Option<String>, Option<String>) {
    let what = format!("package:{package}");
    let before = identity_of(list).ok();
    if let Some(known) = before.and_then(|identity| kept::of(&what, &identity)) {
        return known;
    }
    let status = STATUS.of(list, |mut file| {
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(text.into())
    });
    let found = in_status(&status.unwrap_or_default(), package);
    let now = fs::metadata(list).ok().filter(is_settled).map(|about| identity(&about));
    if let Some(identity) = now.filter(|now| Some(*now) == before) {
        kept::note(&what, identity, &found);
    }
    found
}

/// Version of a package, and its source with the source's version, which are left out of its paragraph where they
/// are the same.
fn in_status(status: &str, package: &str) -> (Option<String>, Option<String>) {
    let header = format!("\n\nPackage: {package}\n");
    let start = match status.starts_with(&header[2..]) {
        true => Some(0),
        false => status.find(&header).map(|place| place + 2),
    };
    let paragraph = start.and_then(|start| status[start..].split("\n\n").next());
    let field = |name: &str| paragraph?.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    let version = field("Version: ");
    let source = field("Source: ").unwrap_or_else(|| package.to_owned());
    let source = match (source.split_once(" ("), &version) {
        (Some((name, version)), _) => Some(format!("{name} {}", version.trim_end_matches(')'))),
        (None, Some(version)) => Some(format!("{source} {version}")),
        (None, None) => None,
    };
    (version, source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_knows_its_files() {
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path().canonicalize().expect("its path");
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a parent")).and_then(|()| fs::write(path, text)).expect("a file");
        };
        write("usr/bin/box", "x");
        write("usr/bin/other", "x");
        write("var/lib/dpkg/info/box-static.list", "/.\n/bin/box\n");
        let status = "Package: box\nVersion: 0\n\nPackage: box-static\nStatus: ok\n\
                      Source: box (1:2)\nVersion: 1:2-3\n\n";
        write("var/lib/dpkg/status", status);
        let of = |file: &str| provenance(&root, Some(&root.join(file)), &["box", "box-static"]);
        let known = Provenance {
            provider: "debian".into(),
            id: Some("box-static".into()),
            version: Some("1:2-3".into()),
            source: Some("box 1:2".into()),
        };
        assert_eq!(of("usr/bin/box"), known);
        let unknown = Provenance { provider: "file".into(), id: None, version: None, source: None };
        assert_eq!(of("usr/bin/other"), unknown);
        assert_eq!(in_status(status, "box"), (Some("0".into()), Some("box 0".into())));
        assert_eq!(in_status(status, "none"), (None, None));
    }

    #[test]
    fn nix_says_its_version_in_the_path() {
        assert_eq!(version_of_store_path("abc-open-vswitch-3.3.1").as_deref(), Some("3.3.1"));
        assert_eq!(version_of_store_path("abc-script"), None);
    }
}
