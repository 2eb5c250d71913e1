//! Somebody else's archive, measured here: a folder with its experiment, its results under their origin, one's own
//! results apart from them, and a report of both. What does not verify gets no further than in `archive verify`. It must
//! not measure or print.

mod beside;
mod place;

pub use beside::{Beside, beside};
pub use place::ReproductionFolder;

use crate::archive::ArchiveError;
use crate::beneath;
use crate::report::ReportError;
use crate::store::StoreError;
use crate::workspace::WorkspaceError;

/// Why an archive cannot be reproduced.
#[derive(Debug, thiserror::Error)]
pub enum ReproduceError {
    /// The archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The folder is for something else.
    #[error("failed to reproduce into {folder}: {reason}")]
    Place {
        /// The folder.
        folder: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// The experiment cannot be scaled that far.
    #[error("failed to scale the experiment: {0}")]
    Scale(String),
    /// The experiment.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The report.
    #[error(transparent)]
    Report(Box<ReportError>),
    /// A file or folder.
    #[error(transparent)]
    Files(#[from] beneath::Error),
}

impl From<ReportError> for ReproduceError {
    fn from(error: ReportError) -> ReproduceError {
        ReproduceError::Report(Box::new(error))
    }
}
