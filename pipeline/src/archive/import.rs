//! Brings an archive's results into a store, under the name of their origin, by one rename. Only what verifies
//! comes in. It must not mix anything with one's own results.

use std::fs;
use std::path::{Path, PathBuf};

use reports::spec::Id;

use super::ArchiveError;
use super::contents::files_below;
use super::origin::{ORIGIN_FILE, Origin};
use super::verify::{Compared, Opened, digests, summaries};
use crate::store::{STORE_FOLDER, Store, sync_folder, write_synced};

/// Version of `origin.json`.
const ORIGIN_VERSION: u32 = 1;

/// What an import did.
#[derive(Debug)]
pub struct Imported {
    /// Where the experiment is now, its store beside it.
    pub file: PathBuf,
    /// Repetitions that came in; 0 if they were there already.
    pub results: usize,
}

/// Imports an opened archive under a name.
pub fn import(opened: &Opened, store: &Store, name: &Id) -> Result<Imported, ArchiveError> {
    let folder = Origin::folder(store, name);
    let file = folder.join(&opened.description.file);
    if let Some(known) = Origin::read(store, name)? {
        return match known.archive == opened.digest {
            true => Ok(Imported { file, results: 0 }),
            false => Err(ArchiveError::unfit(
                format!("under the origin '{name}'"),
                "another archive has that name already; give this one another by --as",
            )),
        };
    }
    refuse_what_differs(opened)?;
    if [ORIGIN_FILE, STORE_FOLDER].contains(&opened.description.file.as_str()) {
        return Err(ArchiveError::unfit(&opened.description.file, "an experiment cannot have that name"));
    }
    let stage = store.stage()?;
    let staged = stage.path().join("origin");
    let copy = |from: &Path, to: &Path| -> Result<(), ArchiveError> {
        let above = to.parent().unwrap_or(to);
        fs::create_dir_all(above).map_err(ArchiveError::io("make the folder", above))?;
        let bytes = fs::read(from).map_err(ArchiveError::io("read", from))?;
        Ok(write_synced(to, &bytes)?)
    };
    copy(&opened.workspace.file, &staged.join(&opened.description.file))?;
    let theirs = opened.workspace.store.root();
    for name in files_below(theirs)? {
        copy(&theirs.join(&name), &staged.join(STORE_FOLDER).join(&name))?;
    }
    let origin = Origin {
        format: ORIGIN_VERSION,
        name: name.to_string(),
        archive: opened.digest.clone(),
        file: opened.description.file.clone(),
    };
    let json = serde_json::to_vec_pretty(&origin).map_err(|error| ArchiveError::unfit(name, error))?;
    write_synced(&staged.join(ORIGIN_FILE), &json)?;
    Store::open(&staged.join(STORE_FOLDER))?.rebuild_index()?;
    let above = folder.parent().unwrap_or(&folder);
    fs::create_dir_all(above).map_err(ArchiveError::io("make the folder", above))?;
    fs::rename(&staged, &folder).map_err(ArchiveError::io("rename to", &folder))?;
    sync_folder(above)?;
    Ok(Imported { file, results: opened.records.len() })
}

fn refuse_what_differs(opened: &Opened) -> Result<(), ArchiveError> {
    let levels = [digests(opened, 0), summaries(opened)];
    let differences: Vec<String> = levels
        .into_iter()
        .flat_map(|level| match level {
            Compared::Differs(differences) => differences,
            Compared::Equal(_) | Compared::Unknown(_) => Vec::new(),
        })
        .collect();
    match differences.is_empty() {
        true => Ok(()),
        false => Err(ArchiveError::Differs { path: opened.archive.display().to_string(), differences }),
    }
}
