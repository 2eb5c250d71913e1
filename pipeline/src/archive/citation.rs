//! Under which terms an archive may be used, and how it is cited: `LICENSE` and `CITATION.cff`. Files of these
//! names beside the experiment are taken as they are. It must not know results.

use std::path::Path;

use super::ArchiveError;
use crate::beneath::Folder;
use crate::experiment::Experiment;

/// Names under which a licence may lie beside an experiment.
const LICENSE_FILES: [&str; 4] = ["LICENSE", "LICENSE.txt", "LICENSE.md", "COPYING"];
/// Most bytes of either file.
const BYTES_MAX: u64 = 1 << 20;

/// The terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct License {
    /// The licence's identifier in the SPDX list, if it was given.
    pub spdx: Option<String>,
    /// The licence's text.
    pub text: String,
    /// Whether there is any: without one, nobody may use the archive.
    pub given: bool,
    /// Whether the text is the author's own, not one that follows from the identifier.
    pub own: bool,
}

impl License {
    /// The licence that is named, and that lies beside the experiment.
    ///
    /// # Errors
    /// A name that is no SPDX identifier.
    pub fn find(named: Option<&str>, beside: &Path) -> Result<License, ArchiveError> {
        if let Some(name) = named {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '+');
            if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
                return Err(ArchiveError::unfit(
                    format!("under the licence '{name}'"),
                    "name it as the SPDX list does, such as CC-BY-4.0",
                ));
            }
        }
        let spdx = named.map(String::from);
        for name in LICENSE_FILES {
            if let Some(text) = beside_experiment(beside, name)? {
                return Ok(License { spdx, text, given: true, own: true });
            }
        }
        Ok(License::of(spdx))
    }

    /// The licence of an identifier, its text where it can be read.
    pub fn of(spdx: Option<String>) -> License {
        let text = match &spdx {
            Some(spdx) => format!("SPDX-License-Identifier: {spdx}\n\nhttps://spdx.org/licenses/{spdx}.html\n"),
            None => "No licence was given with these results; ask their authors before using them.\n".to_string(),
        };
        let given = spdx.is_some();
        License { spdx, text, given, own: false }
    }
}

/// A file that lies beside the experiment. The folder may be somebody else's, and what the file holds is published: a
/// link in it is refused.
fn beside_experiment(folder: &Path, name: &str) -> Result<Option<String>, ArchiveError> {
    let folder = Folder::open(folder)?;
    let Some(bytes) = folder.read_if_there(&folder.name([name])?, BYTES_MAX)? else { return Ok(None) };
    let unfit = |_| ArchiveError::unfit(format!("{name} beside the experiment"), "write it as text in UTF-8");
    String::from_utf8(bytes).map(Some).map_err(unfit)
}

/// The author's own `CITATION.cff` beside the experiment.
pub fn beside(folder: &Path) -> Result<Option<String>, ArchiveError> {
    beside_experiment(folder, "CITATION.cff")
}

/// `CITATION.cff` (Citation File Format 1.2.0), made from what the experiment says.
pub fn citation(experiment: &Experiment, license: &License, date: &str) -> String {
    // A string of JSON is one of YAML.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut out = String::from("cff-version: 1.2.0\nmessage: \"If you use these results, please cite them.\"\n");
    out.push_str(&format!("type: dataset\ntitle: {}\nauthors:\n", quoted(&experiment.title)));
    for author in &experiment.authors {
        out.push_str(&format!("  - name: {}\n", quoted(author)));
    }
    if experiment.authors.is_empty() {
        out.push_str(&format!("  - name: {}\n", quoted(&format!("The authors of {}", experiment.name))));
    }
    if let Some(spdx) = &license.spdx {
        out.push_str(&format!("license: {spdx}\n"));
    }
    if let Some(doi) = &experiment.artifact.doi {
        out.push_str(&format!("doi: {}\n", quoted(doi)));
    }
    out.push_str(&format!("date-released: {date}\n"));
    out
}
