//! Brings an archive's results into a store, under the name of their origin, by one rename. Only what verifies
//! comes in. It must not mix anything with one's own results.

use std::path::{Path, PathBuf};

use reports::spec::Id;

use super::ArchiveError;
use super::contents::files_below;
use super::origin::{ORIGIN_FILE, Origin};
use super::verify::{Compared, Opened, digests, summaries};
use crate::beneath;
use crate::store::{STORE_FOLDER, Store};

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
    if let Some(known) = Origin::read(store, name)? {
        return match known.archive == opened.digest {
            true => Ok(Imported { file: known.file(store, name)?, results: 0 }),
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
    let name_staged = stage.folder().name(["origin"])?;
    let staged = stage.folder().make_folder(&name_staged)?;
    let copy = |from: &Path, to: &str| -> Result<(), ArchiveError> {
        let to = staged.name([to])?;
        if let Some(above) = to.parent() {
            staged.make_folder(&above)?;
        }
        Ok(staged.write_new(&to, &beneath::plain_file(from, u64::MAX)?)?)
    };
    copy(&opened.workspace.file, &opened.description.file)?;
    let theirs = opened.workspace.store.root();
    for name in files_below(theirs)? {
        copy(&theirs.join(&name), &format!("{STORE_FOLDER}/{name}"))?;
    }
    let origin = Origin {
        format: ORIGIN_VERSION,
        name: name.to_string(),
        archive: opened.digest.clone(),
        file: opened.description.file.clone(),
    };
    let json = serde_json::to_vec_pretty(&origin).map_err(|error| ArchiveError::unfit(name, error))?;
    staged.write_new(&staged.name([ORIGIN_FILE])?, &json)?;
    Store::beneath(&staged, &staged.name([STORE_FOLDER])?)?.rebuild_index()?;
    staged.sync()?;
    store.take_in(stage.folder(), &name_staged, &Origin::folder(store, name)?)?;
    Ok(Imported { file: origin.file(store, name)?, results: opened.records.len() })
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
        false => Err(ArchiveError::Damaged { path: opened.archive.display().to_string(), differences }),
    }
}
