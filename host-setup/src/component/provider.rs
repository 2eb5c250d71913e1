//! Who provides a file, and as which version: Debian's package manager, Nix, or nobody. For people; identity
//! is by content. It must not decide anything.

use std::fs;
use std::path::Path;

/// `(provider, version)` of a file. `packages` are the names under which Debian may know it.
pub(super) fn provenance(root: &Path, file: Option<&Path>, packages: &[&str]) -> (String, Option<String>) {
    let Some(file) = file else { return ("file".into(), None) };
    let real = file.canonicalize().unwrap_or_else(|_| file.to_path_buf());
    let path = format!("/{}", real.strip_prefix(root).unwrap_or(&real).display()).replace("//", "/");
    if let Some(rest) = path.strip_prefix("/nix/store/") {
        let name = rest.split('/').next().unwrap_or(rest);
        return ("nix".into(), version_of_store_path(name));
    }
    for package in packages {
        let list = root.join(format!("var/lib/dpkg/info/{package}.list"));
        let lists_it = |list: String| {
            // A merged /usr has two names for a file, and packages list either.
            let short = path.strip_prefix("/usr").unwrap_or(&path).to_owned();
            list.lines().any(|line| line == path || line == short)
        };
        if fs::read_to_string(list).is_ok_and(lists_it) {
            let status = fs::read_to_string(root.join("var/lib/dpkg/status")).unwrap_or_default();
            return ("debian".into(), version_in_status(&status, package));
        }
    }
    ("file".into(), None)
}

/// `/nix/store/HASH-name-1.2.3` is version `1.2.3`: what follows the first dash before a digit.
fn version_of_store_path(name: &str) -> Option<String> {
    let place = name.match_indices('-').skip(1).map(|(place, _)| place + 1);
    let mut starts = place.filter(|place| name[*place..].starts_with(|first: char| first.is_ascii_digit()));
    starts.next().map(|place| name[place..].to_owned())
}

fn version_in_status(status: &str, package: &str) -> Option<String> {
    let header = format!("Package: {package}");
    let paragraph = status.split("\n\n").find(|paragraph| paragraph.lines().next() == Some(header.as_str()))?;
    paragraph.lines().find_map(|line| line.strip_prefix("Version: ")).map(str::to_owned)
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
        write("var/lib/dpkg/status", "Package: box\nVersion: 0\n\nPackage: box-static\nStatus: ok\nVersion: 1:2-3\n\n");
        let of = |file: &str| provenance(&root, Some(&root.join(file)), &["box", "box-static"]);
        assert_eq!(of("usr/bin/box"), ("debian".into(), Some("1:2-3".into())));
        assert_eq!(of("usr/bin/other"), ("file".into(), None));
    }

    #[test]
    fn nix_says_its_version_in_the_path() {
        assert_eq!(version_of_store_path("abc-open-vswitch-3.3.1").as_deref(), Some("3.3.1"));
        assert_eq!(version_of_store_path("abc-script"), None);
    }
}
