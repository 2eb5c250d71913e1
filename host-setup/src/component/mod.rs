//! Software that measurements run through, known by content: a program and everything that the dynamic linker
//! would load for it. Nothing is run to find that out. It must not know what a component is used for.

mod cache;
mod closure;
mod digests;
pub(crate) mod elf;
mod hwcaps;
mod kept;
mod looks;
pub(crate) mod plugins;
mod provider;
mod remembered;

use std::path::Path;

pub(crate) use self::closure::{Linker, Loaded};
pub(crate) use self::digests::DigestCache;
pub(crate) use self::kept::{keep, recall};
pub(crate) use self::looks::{is_file, look_once};
use self::provider::{Provenance, provenance};
use crate::facts::Component;

/// A component that cannot be fingerprinted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ComponentError {
    #[error("read {path}: {source}")]
    Read { path: String, source: std::io::Error },
    #[error("read {path} as a program: {problem}")]
    Elf { path: String, problem: String },
    #[error("find {soname}, which {path} loads")]
    Missing { soname: String, path: String },
}

/// Fingerprints the component `name`: `programs` and all that they load. `packages` are names under which a
/// package manager may know it.
pub(crate) fn fingerprint(
    linker: &Linker,
    name: &str,
    programs: &[&Path],
    packages: &[&str],
    digests: &mut DigestCache,
) -> Result<Component, ComponentError> {
    let mut files = Vec::new();
    for file in linker.closure(programs)? {
        let digest = digests
            .digest(&file.path)
            .map_err(|source| ComponentError::Read { path: file.path.display().to_string(), source })?;
        files.push((file.name, digest));
    }
    let program = programs.first().copied();
    let Provenance { provider, id, version, source } = provenance(linker.root(), program, packages);
    let build_id = program.and_then(elf::build_id);
    let digest = combined(&files);
    Ok(Component { name: name.into(), provider, version, id, source, build_id, digest, files })
}

/// A component with a file more, which is made for it.
pub(crate) fn with_file(mut component: Component, name: &str, bytes: &[u8]) -> Component {
    component.files.push((name.into(), blake3::hash(bytes).to_hex().to_string()));
    component.digest = combined(&component.files);
    component
}

/// The digest over names and digests, each with its length before it, in order of names: two sets of files
/// have the same one only if they are the same.
fn combined(files: &[(String, String)]) -> String {
    let mut sorted: Vec<&(String, String)> = files.iter().collect();
    sorted.sort();
    let mut hasher = blake3::Hasher::new();
    for text in sorted.into_iter().flat_map(|(name, digest)| [name, digest]) {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_combined_digest_is_pinned_and_does_not_depend_on_order() {
        let file = |name: &str, digest: &str| (name.to_string(), digest.to_string());
        let there = combined(&[file("a", "1"), file("b", "2")]);
        assert_eq!(there, combined(&[file("b", "2"), file("a", "1")]));
        assert_ne!(there, combined(&[file("a", "1b"), file("", "2")]));
        assert_eq!(there, "b7950062754133e2d828409486e76ca70357fe59acc982edbedbfd39fe9881d4");
    }

    #[test]
    fn a_program_of_this_machine_has_its_libraries_in_its_fingerprint() {
        let program = std::env::current_exe().expect("this test");
        let mut digests = DigestCache::empty();
        let component = fingerprint(&Linker::of_host(), "test", &[&program], &[], &mut digests).expect("a fingerprint");
        let names: Vec<&str> = component.files.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.iter().any(|name| name.starts_with("libc.so")), "{names:?}");
        assert!(names.iter().any(|name| name.starts_with("ld-linux")), "{names:?}");
        assert!(names.iter().all(|name| !name.contains('/')), "{names:?}");
        assert_eq!(component.provider, "file");
    }
}
