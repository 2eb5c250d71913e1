//! The programs that an agent on another host needs, as they lie beside this one, known by content. It must not know
//! how they get there.

use std::fs;
use std::path::{Path, PathBuf};

use host_setup::programs::{AGENT, BUSYBOX, names};
use sha2::{Digest as _, Sha256};

use super::AgentError;

/// A program beside this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The program's name.
    pub name: &'static str,
    /// Where it is.
    pub path: PathBuf,
    /// BLAKE3 of it, hex: what it is known by.
    pub blake3: String,
}

impl Program {
    /// SHA-256 of it, hex: what other hosts' own tools can check a copy by.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn sha256(&self) -> Result<String, AgentError> {
        let bytes = fs::read(&self.path).map_err(|source| AgentError::Spawn { path: self.path.clone(), source })?;
        Ok(Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    /// The agent first.
    pub list: Vec<Program>,
    /// A name for a folder that has exactly these: a digest of names and contents.
    pub digest: String,
}

impl Programs {
    /// Those in a folder.
    ///
    /// # Errors
    /// When the agent is not among them, or one cannot be read.
    pub fn of(folder: &Path) -> Result<Programs, AgentError> {
        let mut list = Vec::new();
        for name in names() {
            let path = folder.join(name);
            let bytes = match fs::read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && name != AGENT => continue,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(AgentError::NotFound(path)),
                Err(source) => return Err(AgentError::Spawn { path, source }),
            };
            let blake3 = blake3::hash(&bytes).to_hex().to_string();
            list.push(Program { name, path, blake3 });
        }
        let mut hasher = blake3::Hasher::new();
        for program in &list {
            hasher.update(format!("{} {}\n", program.name, program.blake3).as_bytes());
        }
        Ok(Programs { digest: hasher.finalize().to_hex().to_string(), list })
    }

    /// What differs in what an agent says that it has, in words; none where it has what is here. Where others
    /// installed it (`installed`), what only some hosts need may be missing, and BusyBox may be theirs.
    pub fn differences<'a>(
        &'a self,
        there: &'a std::collections::BTreeMap<String, String>,
        installed: bool,
    ) -> Vec<String> {
        let optional = |name: &str| installed && !matches!(name, AGENT | "septet-gen");
        let told = |program: &Program| match there.get(program.name) {
            Some(digest) if *digest == program.blake3 || (installed && program.name == BUSYBOX) => None,
            Some(digest) => Some(format!("{} is {:.12} there and {:.12} here", program.name, digest, program.blake3)),
            None if optional(program.name) => None,
            None => Some(format!("{} is not there", program.name)),
        };
        self.list.iter().filter_map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_by_content_and_what_differs_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(matches!(Programs::of(folder.path()), Err(AgentError::NotFound(_))));
        fs::write(folder.path().join(AGENT), "agent").expect("it is ours");
        fs::write(folder.path().join("septet-gen"), "gen").expect("it is ours");
        let before = Programs::of(folder.path()).expect("they are there");
        let said = |programs: &Programs| {
            programs.list.iter().map(|program| (program.name.to_string(), program.blake3.clone())).collect()
        };
        assert!(before.differences(&said(&before), false).is_empty());
        fs::write(folder.path().join("septet-gen"), "other").expect("it is ours");
        fs::write(folder.path().join(BUSYBOX), "box").expect("it is ours");
        let after = Programs::of(folder.path()).expect("they are there");
        assert_ne!(before.digest, after.digest);
        let told = after.differences(&said(&before), false);
        assert!(told[0].starts_with("septet-gen is ") && told[1] == "busybox is not there", "{told:?}");
        assert_eq!(after.differences(&said(&before), true).len(), 1);
    }
}
