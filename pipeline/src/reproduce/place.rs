//! The folder of a reproduction: new, or of the same archive. Everything in it is written beneath the open folder. It
//! must not know what is measured.
//!
//! ```text
//! DIR/
//!   reproduction.json     of which archive this is
//!   FILE                  the archive's experiment
//!   .septet/              what was measured here; origins/theirs: what the archive holds
//!   report/               theirs beside ours; theirs/ and ours/: the two reports
//!   report-scale-0.1/     the same of a first look
//! ```

use std::path::Path;

use reports::spec::Id;
use serde::{Deserialize, Serialize};

use super::ReproduceError;
use crate::archive::{self, Opened, Origin};
use crate::beneath::Folder;
use crate::experiment::{Experiment, FILE_BYTES_MAX};
use crate::store::{STORE_FOLDER, Store};
use crate::workspace::Workspace;

/// Folder of the report; of one that was scaled, so far: `report-scale-0.1`.
const REPORT_FOLDER: &str = "report";
/// What says of which archive a folder is.
const MARKER: &str = "reproduction.json";
/// Version of it.
const MARKER_VERSION: u32 = 1;
/// Most bytes of it.
const MARKER_BYTES_MAX: u64 = 1 << 16;
/// Names that an experiment cannot have here: they are read as something else.
const RESERVED: [&str; 4] = [MARKER, STORE_FOLDER, "site.toml", "templates"];
/// Name of the origin of what the archive holds.
const ORIGIN: &str = "theirs";

/// Says which archive a folder was made from.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    format: u32,
    archive: String,
    experiment: String,
    file: String,
}

/// A folder in which an archive is reproduced.
#[derive(Debug)]
pub struct ReproductionFolder {
    /// The folder.
    pub folder: Folder,
    /// The experiment with what is measured here.
    pub ours: Workspace,
    /// The experiment with what the archive holds.
    pub theirs: Workspace,
    /// Repetitions that came in now; 0 if they were there already.
    pub imported: usize,
    /// Name of the report's folder.
    pub report: String,
}

impl ReproductionFolder {
    /// Makes the folder, or goes on in it. The archive must have been verified.
    ///
    /// # Errors
    /// Where the folder is for something else, or the archive's experiment has a name that is read as another thing.
    pub fn make(opened: &Opened, path: &Path, scale: Option<f64>) -> Result<ReproductionFolder, ReproduceError> {
        let refused = |reason: String| ReproduceError::Place { folder: path.display().to_string(), reason };
        let file = &opened.description.file;
        if file.starts_with('.')
            || file.starts_with(REPORT_FOLDER)
            || RESERVED.iter().any(|name| name.eq_ignore_ascii_case(file))
        {
            return Err(refused(format!("its experiment is called {file}, which is read as something else there")));
        }
        let (workspace, _) = opened.sound()?;
        // Before anything is written: what cannot be scaled leaves nothing behind.
        let experiment = scaled(&workspace.experiment, scale)?;
        let marker = Marker {
            format: MARKER_VERSION,
            archive: opened.digest.clone(),
            experiment: opened.description.experiment.clone(),
            file: file.clone(),
        };
        if let Some(folder) = Folder::open_if_there(path)? {
            check(&folder, &marker).map_err(refused)?;
        }
        let text = workspace.text.clone();
        let folder = Folder::make(path)?;
        let (marker_name, file_name) = (folder.name([MARKER])?, folder.name([file])?);
        let json = serde_json::to_vec_pretty(&marker).map_err(|error| refused(error.to_string()))?;
        folder.replace_if_different(&marker_name, &json)?;
        match folder.read_if_there(&file_name, FILE_BYTES_MAX)? {
            None => folder.write_new(&file_name, &text)?,
            Some(there) if there == text => {}
            Some(_) => {
                let why = "it is not as the archive has it any more: `septet run` measures it as it is now, `reproduce` \
                           wants another folder";
                return Err(refused(format!("{file} there was changed; {why}")));
            }
        }
        let store = Store::beneath(&folder, &folder.name([STORE_FOLDER])?)?;
        let origin = Origin::name(ORIGIN)?;
        let imported = archive::import(opened, &store, &origin)?.results;
        let theirs = origin_of(&store, &origin)?.ok_or_else(|| refused("its results did not come in".to_string()))?;
        let ours = Workspace::beneath(&folder, &file_name, store)?;
        let report = match scale {
            None => REPORT_FOLDER.to_string(),
            Some(part) => format!("{REPORT_FOLDER}-scale-{part}"),
        };
        Ok(ReproductionFolder { ours: Workspace { experiment, ..ours }, folder, theirs, imported, report })
    }
}

fn origin_of(store: &Store, origin: &Id) -> Result<Option<Workspace>, ReproduceError> {
    Ok(Origin::workspace(store, origin)?)
}

fn scaled(experiment: &Experiment, scale: Option<f64>) -> Result<Experiment, ReproduceError> {
    match scale {
        None => Ok(experiment.clone()),
        Some(part) => experiment.scaled(part).map_err(ReproduceError::Scale),
    }
}

/// Whether a folder that is there may be gone on in; why not, in words.
fn check(folder: &Folder, marker: &Marker) -> Result<(), String> {
    let name = folder.name([MARKER]).map_err(|error| error.to_string())?;
    let there = folder.read_if_there(&name, MARKER_BYTES_MAX).map_err(|error| error.to_string())?;
    let Some(bytes) = there else {
        let is_empty = folder.list().map_err(|error| error.to_string())?.is_empty();
        return match is_empty {
            true => Ok(()),
            false => Err("it is not empty, and no earlier reproduction; name another folder".to_string()),
        };
    };
    match serde_json::from_slice::<Marker>(&bytes) {
        Ok(there) if there == *marker => Ok(()),
        Ok(there) if there.format > MARKER_VERSION => {
            Err(format!("it has format {}, this septet reads up to {MARKER_VERSION}; use a newer septet", there.format))
        }
        Ok(there) => Err(format!(
            "it is of another archive ({}, this is {}); name another folder",
            there.archive, marker.archive
        )),
        Err(error) => Err(format!("its {MARKER} cannot be understood: {error}; name another folder")),
    }
}
