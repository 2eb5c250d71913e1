//! Switches that no distribution has, as the prefix of a stack: where a variable names the program, or `PATH` has it.

use std::fs;
use std::path::{Path, PathBuf};

/// A prefix with the program in its `bin`; a copy of a program that lies in none.
pub struct Prefix {
    path: PathBuf,
    _copied: Option<tempfile::TempDir>,
}

impl Prefix {
    /// Where the program is, by a variable (`SEPTET_VPP`) or in `PATH`. None, with the reason printed, if it is nowhere.
    pub fn of(name: &str) -> Option<Prefix> {
        let variable = format!("SEPTET_{}", name.to_uppercase());
        let in_path = || {
            std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(|it| it.is_file())
        };
        let Some(program) = std::env::var_os(&variable).map(PathBuf::from).or_else(in_path) else {
            println!("skipped: there is no {name} ({variable} names the program)");
            return None;
        };
        let program = program.canonicalize().expect("it is there");
        let folder = program.parent().expect("a program lies in a folder");
        if folder.ends_with("bin") {
            return Some(Prefix { path: folder.parent().expect("a prefix").to_path_buf(), _copied: None });
        }
        // Nothing below /tmp is seen by what is measured.
        let copied = tempfile::tempdir_in("/var/tmp").expect("a folder");
        fs::create_dir(copied.path().join("bin")).expect("a folder");
        fs::copy(&program, copied.path().join("bin").join(name)).expect("it can be copied");
        Some(Prefix { path: copied.path().to_path_buf(), _copied: Some(copied) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same as a stack of a site that is called `here`.
    pub fn stack(&self) -> String {
        format!("[stacks.here]\nfrom = \"{}\"\n", self.path.display())
    }
}
