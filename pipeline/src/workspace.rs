//! An experiment and everything that goes with it: its tests, its store, where its report goes. Reads files;
//! it must not measure or print.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::beneath::{self, Below, Destination, Folder, NameError};
use crate::experiment::{self, Experiment, LoadError, Test};
use crate::store::{Store, StoreError};

/// An experiment, loaded.
#[derive(Debug)]
pub struct Workspace {
    /// The file.
    pub file: PathBuf,
    /// The file's bytes as read: what follows from them must not be stored beside what was written since.
    pub text: Vec<u8>,
    /// The experiment in it.
    pub experiment: Experiment,
    /// Where results are kept.
    pub store: Store,
}

/// Why a workspace cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// The file cannot be read, or is wrong; the text names every place.
    #[error(transparent)]
    File(#[from] LoadError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Workspace {
    /// Loads an experiment and opens its store: `store`, or `$SEPTET_STORE`, or `.septet` beside the file.
    pub fn load(file: &Path, store: Option<&Path>) -> Result<Workspace, WorkspaceError> {
        let (experiment, text) = experiment::load_with_text(file)?;
        let store = Store::meant(store, file.parent().unwrap_or(Path::new("")))?;
        Ok(Workspace { file: file.to_path_buf(), text, experiment, store })
    }

    /// The experiment in a file beneath an open folder, with a store that lies there.
    pub fn beneath(folder: &Folder, file: &Below, store: Store) -> Result<Workspace, WorkspaceError> {
        let path = folder.path_of(file);
        let unread = |error: beneath::Error| LoadError::Read { path: path.clone(), source: error.source };
        let bytes = folder.read(file, experiment::FILE_BYTES_MAX).map_err(unread)?;
        let experiment = experiment::parse_bytes(&bytes, &path.display().to_string()).map_err(LoadError::from)?;
        Ok(Workspace { file: path, text: bytes, experiment, store })
    }

    /// The experiment's tests, each once, in order of declaration.
    pub fn tests(&self) -> &[Test] {
        &self.experiment.matrix.tests
    }

    /// Digest of its tests' names, in order.
    pub fn tests_digest(&self) -> blake3::Hash {
        /// Tests hashed by one worker; part of the digest.
        const CHUNK: usize = 4096;
        let chunk = |tests: &[Test]| {
            let mut names = String::with_capacity(tests.len() * 64);
            for test in tests {
                // Writing to a string cannot fail.
                let _ = writeln!(names, "{}", test.tuple);
            }
            blake3::hash(names.as_bytes())
        };
        let chunks: Vec<blake3::Hash> = self.tests().par_chunks(CHUNK).map(chunk).collect();
        let mut hasher = blake3::Hasher::new();
        for chunk in chunks {
            hasher.update(chunk.as_bytes());
        }
        hasher.finalize()
    }

    /// Where its report goes if nothing else is said: `out/NAME` in the current folder. Neither part may be a link:
    /// where the experiment is somebody else's, so is what lies beside it.
    pub fn report_folder(&self) -> Result<Destination, NameError> {
        usual_output(self.experiment.name.as_str())
    }
}

/// A folder in `out`, in the current folder.
pub fn usual_output(name: &str) -> Result<Destination, NameError> {
    Ok(Destination::Usual(Below::of(["out", name])?))
}
