//! The measured programs themselves, found on this machine by content: a file goes into an archive only if it
//! is the one that was measured. It must not start anything; licences come from the package manager's files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use host_setup::facts::Component;

use super::bag::Piece;
use crate::beneath;

/// Where programs and libraries lie, besides `$PATH` and the folder of this program.
const FOLDERS: [&str; 14] = [
    "/usr/bin",
    "/usr/sbin",
    "/bin",
    "/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
];
/// Where Debian's package manager lists the files of each package.
const PACKAGES: &str = "/var/lib/dpkg/info";
/// The terms of septet's own programs.
const OWN_LICENSES: [(&str, &str); 2] = [
    ("LICENSE-MIT", include_str!("../../../LICENSE-MIT")),
    ("LICENSE-APACHE", include_str!("../../../LICENSE-APACHE")),
];

/// The files of programs that an archive can take in, and those that are gone.
#[derive(Debug, Default)]
pub struct FoundPrograms {
    /// Programs, libraries and licences.
    pub pieces: Vec<Piece>,
    /// Files that are not here any more.
    pub missing: Vec<String>,
}

/// Name of a component's folder, and of its record before `.json`.
pub fn folder(component: &Component) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+') { c } else { '_' };
    let name: String = component.name.chars().take(64).map(plain).collect();
    format!("{name}-{}", component.digest.get(..12).unwrap_or(&component.digest))
}

/// Finds the files of components, and the terms that they come under.
pub fn find(components: &[&Component]) -> FoundPrograms {
    let folders = folders();
    let mut found = FoundPrograms::default();
    for component in components {
        let folder = folder(component);
        let mut licenses: BTreeMap<String, Piece> = BTreeMap::new();
        for (name, digest) in &component.files {
            let here = || folders.iter().find_map(|folder| same_content(&folder.join(name), digest));
            // Whoever made the record chose the name, which is of a file in a folder.
            let Some(path) = Some(name).filter(|name| !name.contains('/')).and_then(|_| here()) else {
                found.missing.push(format!("{name} of {}", component.name));
                continue;
            };
            for (license, piece) in license_of(&path, &folder) {
                licenses.entry(license).or_insert(piece);
            }
            found.pieces.push(Piece::copy(format!("components/{folder}/{name}"), path));
        }
        found.pieces.extend(licenses.into_values());
    }
    found
}

fn folders() -> Vec<PathBuf> {
    let own = std::env::current_exe().ok().and_then(|path| path.parent().map(Path::to_path_buf));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut seen = BTreeSet::new();
    let all = own.into_iter().chain(std::env::split_paths(&path)).chain(FOLDERS.map(PathBuf::from));
    all.filter(|folder| folder.is_absolute() && seen.insert(folder.clone())).collect()
}

/// The file behind a path, if it has this content.
fn same_content(path: &Path, digest: &str) -> Option<PathBuf> {
    let path = fs::canonicalize(path).ok()?;
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut beneath::open_plain_file(&path).ok()?, &mut hasher).ok()?;
    (hasher.finalize().to_hex().as_str() == digest).then_some(path)
}

/// The texts of the licence of a file, by name: of the Debian package that it is of, or ours.
fn license_of(path: &Path, folder: &str) -> Vec<(String, Piece)> {
    let at = |name: String, piece: Piece| (name, piece);
    if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("septet-")) {
        return OWN_LICENSES
            .iter()
            .map(|(name, text)| at(name.to_string(), Piece::new(format!("components/{folder}/{name}"), *text)))
            .collect();
    }
    let Some(package) = package_of(path) else { return Vec::new() };
    let copyright = PathBuf::from("/usr/share/doc").join(&package).join("copyright");
    let name = format!("LICENSE-{package}");
    match copyright.is_file() {
        true => vec![at(name.clone(), Piece::copy(format!("components/{folder}/{name}"), copyright))],
        false => Vec::new(),
    }
}

/// The Debian package that a file is of, without its architecture.
fn package_of(path: &Path) -> Option<String> {
    let wanted = path.to_str()?;
    // Packages of before /usr was merged list their files without it.
    let older = wanted.strip_prefix("/usr").unwrap_or(wanted);
    let mut lists: Vec<PathBuf> = fs::read_dir(PACKAGES).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    lists.retain(|path| path.extension().is_some_and(|extension| extension == "list"));
    lists.sort();
    let holds = |list: &PathBuf| {
        fs::read_to_string(list).is_ok_and(|text| text.lines().any(|line| line == wanted || line == older))
    };
    let list = lists.into_iter().find(holds)?;
    let name = list.file_stem()?.to_str()?.to_string();
    Some(name.split(':').next().unwrap_or(&name).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_in_folders_of_programs_are_looked_at() {
        let digest = "0".repeat(64);
        let names = ["/dev/zero", "../../dev/zero", "..", "no-such-program"];
        let component = Component {
            name: "theirs".into(),
            provider: "file".into(),
            version: None,
            id: None,
            source: None,
            build_id: None,
            digest: digest.clone(),
            files: names.map(|name| (name.to_string(), digest.clone())).to_vec(),
        };
        let found = find(&[&component]);
        assert!(found.pieces.is_empty());
        assert_eq!(found.missing, names.map(|name| format!("{name} of theirs")));
        // A name in a folder may be of anything.
        assert_eq!(same_content(Path::new("/dev/zero"), &digest), None);
    }
}
