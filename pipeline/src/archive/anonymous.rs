//! An archive and an appendix for double-blind review: the same results without who measured them where. Records are
//! written anew, without names of hosts and users, and have other ids therefore; keys, manifests and samples stay as they
//! are, so that they can be checked. Every file is searched before it is given away. It must not know how archives are
//! written.

mod identity;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

pub use identity::Identity;

use super::contents::{self, ArchiveRequest, Archived};
use super::{Appendix, ArchiveError, License};
use crate::beneath::Stage;
use crate::experiment;
use crate::key::ResultId;
use crate::report;
use crate::store::{Generation, Record, Repetition, STORE_FOLDER, Store, Writer};
use crate::workspace::Workspace;

/// Fields of a record that name what was measured, digests and numbers' names, no host: they stay as they are.
const TECHNICAL: [&str; 20] = [
    "tuple",
    "test",
    "key",
    "files",
    "flags",
    "flag",
    "reduction",
    "role",
    "state",
    "name",
    "names",
    "provider",
    "version",
    "id",
    "source",
    "build_id",
    "digest",
    "blake3",
    "components",
    "started",
];

/// The experiment and generation without names and places, in a temporary folder that dies with this.
struct Nameless {
    workspace: Workspace,
    generation: Generation,
    identity: Identity,
    _stage: Stage,
}

/// Writes the archive of a generation without names.
///
/// # Errors
/// Where a name is in something that cannot be written anew, such as the manifest of a key.
pub fn create(
    workspace: &Workspace,
    generation: &Generation,
    out: &Path,
    license: &License,
) -> Result<Archived, ArchiveError> {
    let nameless = nameless(workspace, generation)?;
    let wanted = ArchiveRequest { out, license, with_components: false, withheld: Some(&nameless.identity) };
    let archived = contents::create(&nameless.workspace, &nameless.generation, &wanted)?;
    // What was archived is the generation here, whose results stay for it.
    let (stored, _) = generation.file()?;
    let archive = out.file_name().unwrap_or_default().to_string_lossy();
    let noted = workspace.store.note_archive(&generation.experiment, &stored, &archive);
    Ok(Archived { unnoted: noted.err().map(|error| error.to_string()), ..archived })
}

/// The artifact appendix of a generation without names.
///
/// # Errors
/// As those of [`create`].
pub fn appendix(workspace: &Workspace, generation: &Generation, license: &License) -> Result<Appendix, ArchiveError> {
    let nameless = nameless(workspace, generation)?;
    contents::appendix_of(&nameless.workspace, &nameless.generation, license)
}

fn nameless(workspace: &Workspace, generation: &Generation) -> Result<Nameless, ArchiveError> {
    let mut generation = contents::of_the_experiment(workspace, generation);
    let records = contents::records(workspace, &generation)?;
    let hosts = records.iter().flat_map(|(_, record)| record.hosts()).map(|(host, _)| host.aside.hostname.clone());
    let identity = Identity::of(hosts);
    let stage = Stage::make_temporary()?;
    let file = workspace.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = identity.without(&experiment::anonymous(&String::from_utf8_lossy(&workspace.text)));
    let file = stage.folder().name([&file])?;
    stage.folder().write_new(&file, text.as_bytes())?;
    let store = Store::beneath(stage.folder(), &stage.folder().name([STORE_FOLDER])?)?;
    let ids = renamed(workspace, &records, &store, &identity)?;
    for test in &mut generation.tests {
        test.repetitions = test.repetitions.iter().filter_map(|id| ids.get(id).copied()).collect();
        test.repetitions.sort_unstable();
    }
    for id in generation.statements() {
        let statement = workspace.store.statement(&id)?;
        store.keep_statement(&statement)?;
    }
    let workspace = Workspace::beneath(stage.folder(), &file, store)?;
    Ok(Nameless { workspace, generation, identity, _stage: stage })
}

/// Writes every record without names into another store; the ids that they have there.
fn renamed(
    workspace: &Workspace,
    records: &[(ResultId, Record)],
    store: &Store,
    identity: &Identity,
) -> Result<BTreeMap<ResultId, ResultId>, ArchiveError> {
    let mut writer = Writer::open(store)?;
    let mut ids = BTreeMap::new();
    for (id, record) in records {
        let manifest = workspace.store.manifest(&record.key)?.ok_or_else(|| {
            let reason = format!(
                "the manifest of key {} is missing; `septet store verify` says what to run again",
                record.key.short()
            );
            ArchiveError::unfit(&workspace.experiment.name, reason)
        })?;
        let samples = workspace.store.file(id, record, "samples.parquet")?;
        let log = identity.without(&report::log(&workspace.store, id, record)?);
        let record = without(record, identity)?;
        let entry = writer.commit(Repetition { record, samples, log }, &manifest)?;
        ids.insert(*id, entry.id);
    }
    writer.close()?;
    Ok(ids)
}

/// A record in which no text names a host or a user, and that tells no boot.
fn without(record: &Record, identity: &Identity) -> Result<Record, ArchiveError> {
    let wrong = |error: serde_json::Error| ArchiveError::unfit("a record without names", error);
    let mut value = serde_json::to_value(record).map_err(wrong)?;
    scrub(&mut value, identity);
    let mut nameless: Record = serde_json::from_value(value).map_err(wrong)?;
    let peers = nameless.peers.iter_mut().zip(&record.peers).map(|(peer, named)| (&mut peer.host, &named.host));
    let own = (Arc::make_mut(&mut nameless.host), &*record.host);
    for (host, named) in std::iter::once(own).chain(peers) {
        host.aside.hostname = identity.host(&named.aside.hostname);
        host.aside.boot_id.clear();
    }
    Ok(nameless)
}

fn scrub(value: &mut Value, identity: &Identity) {
    match value {
        Value::String(text) => *text = identity.without(text),
        Value::Array(values) => values.iter_mut().for_each(|value| scrub(value, identity)),
        Value::Object(fields) => {
            let named = fields.iter_mut().filter(|(name, _)| !TECHNICAL.contains(&name.as_str()));
            named.for_each(|(_, value)| scrub(value, identity));
        }
        _ => {}
    }
}
