//! Templates beside an experiment, in a folder `templates/`: each replaces the built-in one of its name.
//! Reads regular files there and nothing else. It must not know what templates say.

use std::collections::BTreeMap;
use std::path::Path;

use reports::templates::Templates;

use super::ReportError;
use crate::beneath::{FileKind, Folder};

/// Largest template, bytes.
const BYTES_MAX: u64 = 1 << 20;
/// Most files that are looked at.
const FILES_MAX: usize = 200;
/// Name of the folder.
pub const FOLDER: &str = "templates";

/// The templates of the experiment in `file`. A link is not followed: what a folder from somebody else
/// points to does not come into a report.
pub(super) fn of(file: &Path) -> Result<Templates, ReportError> {
    let mut own = BTreeMap::new();
    if let Some(beside) = Folder::open_if_there(file.parent().unwrap_or(Path::new("")))? {
        let name = beside.name([FOLDER])?;
        // A link is none of ours, as is a file of that name.
        if beside.look(&name)?.is_some_and(|look| look.kind == FileKind::Folder) {
            let folder = beside.folder(&name)?;
            for entry in folder.list()?.into_iter().filter(|entry| entry.kind == FileKind::File).take(FILES_MAX) {
                let Some(name) = entry.below() else { continue };
                let bytes = folder.read(&name, BYTES_MAX)?;
                let text = String::from_utf8(bytes).map_err(|_| ReportError::Io {
                    doing: "read the template",
                    path: folder.path_of(&name).display().to_string(),
                    source: std::io::Error::other("it is not UTF-8"),
                })?;
                own.insert(name.to_string(), text);
            }
        }
    }
    Ok(Templates::new(&own)?)
}
