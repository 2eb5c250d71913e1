//! Archives: one file that holds an experiment, every raw sample, manifest and record that its report uses,
//! and the report, and that proves itself: a BagIt bag (RFC 8493) whose payload is an RO-Crate 1.1. It must
//! not know how anything was measured.
//!
//! ```text
//! NAME/                             the bag, as tar with only plain files, in zstd
//!   bagit.txt bag-info.txt manifest-sha256.txt tagmanifest-sha256.txt
//!   data/
//!     ro-crate-metadata.json        what this is, for people who know nothing of septet
//!     septet.json                   what this is, for septet: [`Description`]
//!     README.md LICENSE CITATION.cff
//!     ARTIFACT.md ARTIFACT.tex      the artifact appendix
//!     experiment/FILE               the experiment
//!     store/                        a store with what the report uses and nothing else
//!     facts/DIGEST.json             each host that was measured on
//!     components/NAME-DIGEST.json   each piece of software that was measured
//!     components/NAME-DIGEST/FILE   its programs, where they were asked for
//!     report/                       the report
//! ```

pub mod anonymous;
mod appendix;
mod bag;
mod citation;
mod contents;
mod description;
mod digest;
mod entries;
mod folder;
mod foreign;
mod front;
mod import;
mod judged;
mod metadata;
mod mix;
mod origin;
mod packed;
mod programs;
mod proof;
pub mod signature;
mod trust;
mod unpack;
mod verify;
mod write;

use std::io;
use std::path::Path;

pub use appendix::{Appendix, LATEX as APPENDIX_LATEX, MARKDOWN as APPENDIX_MARKDOWN};
pub use citation::License;
pub use contents::{ArchiveRequest, Archived, appendix_of, create};
pub use description::{ARCHIVE_FORMAT, Description};
pub use import::{Imported, import};
pub use mix::mix;
pub use origin::Origin;
pub use unpack::Limits;
pub use verify::{Compared, Depth, Opened, Verified, open, sha256, verify};

use crate::report::ReportError;
use crate::store::StoreError;
use crate::workspace::WorkspaceError;

/// Why an archive could not be made, read or believed.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The system refused.
    #[error("failed to {doing} {path}: {source}")]
    Io {
        /// Completes "failed to ... PATH".
        doing: &'static str,
        /// What was touched.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The archive is not what an archive may be; nothing of it was used.
    #[error("failed to open the archive {path}: {reason}; nothing of it was used")]
    Refused {
        /// The archive.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The contents do not match their digests; nothing of the archive was used.
    #[error("failed to believe the archive {path}: {}; nothing of it was used", differences.join("; "))]
    Damaged {
        /// The archive.
        path: String,
        /// What differs.
        differences: Vec<String>,
    },
    /// What should be archived cannot be.
    #[error("failed to archive {what}: {reason}")]
    Unfit {
        /// What.
        what: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The experiment.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The report.
    #[error(transparent)]
    Report(Box<ReportError>),
}

impl From<crate::beneath::Error> for ArchiveError {
    fn from(error: crate::beneath::Error) -> ArchiveError {
        let crate::beneath::Error { doing, path, source } = error;
        ArchiveError::Io { doing, path, source }
    }
}

impl From<ReportError> for ArchiveError {
    fn from(error: ReportError) -> ArchiveError {
        ArchiveError::Report(Box::new(error))
    }
}

/// The content of a file of what was unpacked; nothing where it is not there. What this host refuses to read says nothing
/// of the archive.
fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, ArchiveError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind()) => Ok(None),
        Err(error) => Err(ArchiveError::io("read", path)(error)),
    }
}

impl ArchiveError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ArchiveError {
        let path = path.display().to_string();
        move |source| ArchiveError::Io { doing, path, source }
    }

    fn damaged(path: &Path, reason: String) -> ArchiveError {
        ArchiveError::Damaged { path: path.display().to_string(), differences: vec![reason] }
    }

    fn unfit(what: impl ToString, reason: impl ToString) -> ArchiveError {
        ArchiveError::Unfit { what: what.to_string(), reason: reason.to_string() }
    }
}
