//! Templates beside an experiment, in a folder `templates/`: each replaces the built-in one of its name.
//! Reads regular files there and nothing else. It must not know what templates say.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use reports::templates::Templates;

use super::ReportError;

/// Largest template, bytes.
const BYTES_MAX: u64 = 1 << 20;
/// Most files that are looked at.
const FILES_MAX: usize = 200;
/// Name of the folder.
const FOLDER: &str = "templates";

/// The templates of the experiment in `file`. A link is not followed: what a folder from somebody else
/// points to does not come into a report.
pub(super) fn of(file: &Path) -> Result<Templates, ReportError> {
    let folder = file.parent().unwrap_or(Path::new("")).join(FOLDER);
    let failed = |doing: &'static str, path: &Path| {
        let path = path.display().to_string();
        move |source: io::Error| ReportError::Io { doing, path, source }
    };
    let mut own = BTreeMap::new();
    if fs::symlink_metadata(&folder).is_ok_and(|meta| meta.is_dir()) {
        for entry in fs::read_dir(&folder).map_err(failed("list", &folder))?.take(FILES_MAX) {
            let entry = entry.map_err(failed("list", &folder))?;
            let path = entry.path();
            let is_file = entry.file_type().map_err(failed("look at", &path))?.is_file();
            let Some(name) = entry.file_name().to_str().map(String::from).filter(|_| is_file) else { continue };
            let mut text = String::new();
            fs::File::open(&path)
                .and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text))
                .map_err(failed("read the template", &path))?;
            own.insert(name, text);
        }
    }
    Ok(Templates::new(&own)?)
}
