//! What of an archive follows from the rest of it, is made again and compared; and what does not, and has to be
//! taken on trust, said in words. It must not know how anything was measured.

use std::path::Path;

use super::appendix::Appendix;
use super::bag::{self, Content, PAYLOAD};
use super::citation::License;
use super::description::Description;
use super::digest::DigestedFiles;
use super::front::{self, FRONT_VERSION, Front};
use super::metadata::METADATA;
use super::{ArchiveError, read_if_there};
use crate::acceptance::Says;
use crate::key::ResultId;
use crate::store::{Generation, Record};
use crate::workspace::Workspace;

/// What was compared and what could not be.
#[derive(Debug, Default)]
pub struct Looked {
    /// What does not follow from the rest.
    pub wrong: Vec<String>,
    /// What nothing proves.
    pub on_trust: Vec<String>,
}

/// Looks at what a reader meets first. `bag` is the folder of the bag, `files` what is in it, `records` its results,
/// of so many `tests`.
pub fn look(
    workspace: &Workspace,
    generation: &Generation,
    description: &Description,
    (bag, files): (&Path, &DigestedFiles),
    (records, tests): (&[(ResultId, Record)], usize),
) -> Result<Looked, ArchiveError> {
    let mut looked = Looked { wrong: Vec::new(), on_trust: on_trust(workspace, generation, description, files) };
    if description.front != FRONT_VERSION {
        let names = front::NAMES.join(", ");
        looked.on_trust.push(format!("{names}, bag-info.txt: another version of septet wrote them, in its own words"));
        return Ok(looked);
    }
    let read = |name: &str| {
        let bytes = read_if_there(&bag.join(name))?;
        Ok::<_, ArchiveError>(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    };
    let own = |name: &str| Ok::<_, ArchiveError>(read(&format!("{PAYLOAD}/{name}"))?.unwrap_or_default());
    let license = match description.license_given {
        true => License { text: own(front::LICENSE)?, own: true, ..License::of(description.license.clone()) },
        false => License::of(description.license.clone()),
    };
    let citation = description.citation_given.then(|| own("CITATION.cff")).transpose()?;
    let package = bag.join(PAYLOAD).join(front::REPORT_PACKAGE);
    let report_package = read_if_there(&package)?.unwrap_or_default();
    let appendix = Appendix::of((&workspace.experiment, &description.file), records, &license, &generation.created);
    let names: Vec<&str> = payload(files).filter(|name| *name != METADATA).collect();
    let front = Front {
        experiment: &workspace.experiment,
        description,
        license: &license,
        citation: citation.as_deref(),
        created: &generation.created,
        counts: (records.len(), tests),
        names: &names,
        report_package: &report_package,
        appendix: &appendix,
    };
    for piece in front.pieces()? {
        let Content::Bytes(made) = &piece.content else { continue };
        match read_if_there(&bag.join(PAYLOAD).join(&piece.name))? {
            Some(found) if found == *made => {}
            Some(_) => looked.wrong.push(format!("{} does not follow from experiment and results", piece.name)),
            None => looked.wrong.push(format!("{} is missing", piece.name)),
        }
    }
    let bytes = files.iter().filter(|(name, _)| bag::is_payload(name)).map(|(_, file)| file.len).sum();
    let info = front::info(&workspace.experiment, description, &generation.created);
    if read("bag-info.txt")? != Some(bag::about(&info, bytes, payload(files).count())) {
        looked.wrong.push("bag-info.txt does not follow from experiment and results".to_string());
    }
    Ok(looked)
}

/// Names of the payload, sorted.
fn payload(files: &DigestedFiles) -> impl Iterator<Item = &str> {
    files.keys().filter_map(|name| name.strip_prefix("data/"))
}

fn on_trust(
    workspace: &Workspace,
    generation: &Generation,
    description: &Description,
    files: &DigestedFiles,
) -> Vec<String> {
    let mut on_trust = vec![
        "samples, logs, counters and facts: that they were measured, where and when they say".to_string(),
        format!("experiment/{}: title, authors, texts and published values", description.file),
    ];
    on_trust.push(match (&description.license, description.license_given) {
        (Some(spdx), true) => format!("LICENSE: {spdx}, and its text as the author gave it"),
        (None, true) => "LICENSE: the text that the author gave".to_string(),
        (Some(spdx), false) => format!("LICENSE: {spdx}, which the author named"),
        (None, false) => "LICENSE: that there is none".to_string(),
    });
    if description.citation_given {
        on_trust.push("CITATION.cff: as the author wrote it".to_string());
    }
    let store = &workspace.store;
    let accepts = |id| store.statement(id).is_ok_and(|statement| matches!(statement.says, Says::Harmless(_)));
    if generation.statements().iter().any(accepts) {
        on_trust.push("store/acceptances: that the accepted changes are harmless".to_string());
    }
    let is_license = |name: &str| {
        let last = name.rsplit('/').next().unwrap_or(name);
        name.starts_with("components/") && last.starts_with("LICENSE")
    };
    if payload(files).any(is_license) {
        on_trust.push("components: the licences beside the programs".to_string());
    }
    on_trust
}
