//! What goes into an archive: of an experiment and its store, what one generation's report uses, and nothing
//! else. Reads the store and renders the report; it must not know how archives are written.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use host_setup::facts::{Component, Facts};
use rayon::prelude::*;

use super::anonymous::Identity;
use super::appendix::Appendix;
use super::bag::{self, Content, Piece};
use super::citation::{self, License};
use super::description::{ARCHIVE_FORMAT, Description};
use super::front::{self, Front};
use super::metadata::METADATA;
use super::write::{self, Packed};
use super::{ArchiveError, programs};
use crate::beneath::Stage;
use crate::key::{Key, ResultId};
use crate::report;
use crate::stood;
use crate::store::{Generation, Record, StoreError, names_a_boot};
use crate::workspace::Workspace;

/// Files of a result.
pub(super) const RESULT_FILES: [&str; 3] = ["log.zst", "record.json", "samples.parquet"];

/// What is asked of a new archive.
#[derive(Debug)]
pub struct ArchiveRequest<'a> {
    /// The file to write.
    pub out: &'a Path,
    /// The terms.
    pub license: &'a License,
    /// Whether the measured programs themselves go in.
    pub with_components: bool,
    /// What may be in no file of it.
    pub withheld: Option<&'a Identity>,
}

/// An archive that was made.
#[derive(Debug)]
pub struct Archived {
    /// The archive's size, bytes.
    pub bytes: u64,
    /// SHA-256 of it, hex: what it is cited by.
    pub sha256: String,
    /// Repetitions in it.
    pub results: usize,
    /// Tests that they are of.
    pub tests: usize,
    /// Measured programs that were asked for and are not on this machine any more.
    pub missing: Vec<String>,
    /// Why the store could not note that the generation was archived, where it could not.
    pub unnoted: Option<String>,
    /// Records of older versions, which name the boot that they were measured in.
    pub naming_boots: usize,
}

/// Writes the archive of a generation.
pub fn create(
    workspace: &Workspace,
    generation: &Generation,
    wanted: &ArchiveRequest,
) -> Result<Archived, ArchiveError> {
    let (stored, _) = generation.file()?;
    let generation = of_the_experiment(workspace, generation);
    let records = records(workspace, &generation)?;
    if records.is_empty() {
        return Err(ArchiveError::unfit(
            &workspace.experiment.name,
            "nothing of it is stored; `septet run` measures it",
        ));
    }
    let mut pieces = store_pieces(workspace, &generation, &records)?;
    pieces.extend(derived(&records, ARCHIVE_FORMAT)?);
    let mut missing = Vec::new();
    if wanted.with_components {
        let found = programs::find(&components(&records));
        pieces.extend(found.pieces);
        missing = found.missing;
    }
    let rendered = Stage::make_temporary()?;
    let folder = rendered.folder().make_folder(&rendered.folder().name(["report"])?)?;
    report::write_apart(workspace, &generation, &folder)?;
    for name in files_below(folder.shown())? {
        pieces.push(Piece::copy(format!("report/{name}"), folder.shown().join(&name)));
    }
    let tests = records.iter().map(|(_, record)| record.test.as_str()).collect::<BTreeSet<_>>().len();
    // Once: the files beside the experiment may change while it is archived.
    let citation = citation::beside(beside(workspace))?;
    let description = description(workspace, &generation, wanted.license, citation.is_some())?;
    let (created, counts) = (&generation.created, (records.len(), tests));
    let appendix = Appendix::of((&workspace.experiment, &description.file), &records, wanted.license, created);
    pieces.extend(front_matter(
        workspace,
        &description,
        (created, &appendix),
        (wanted.license, citation.as_deref()),
        counts,
        &pieces,
    )?);
    pieces.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(identity) = wanted.withheld {
        identity.refuse_in(&pieces)?;
    }
    let digests = bag::digest_pieces(&pieces)?;
    let info = front::info(&workspace.experiment, &description, created);
    let tags = bag::tags(&pieces, &digests, &info);
    let Packed { bytes, sha256 } = write::write(wanted.out, workspace.experiment.name.as_str(), &tags, &pieces)?;
    let archive = wanted.out.file_name().unwrap_or_default().to_string_lossy();
    // A note, without which the archive is whole.
    let noted = workspace.store.note_archive(&generation.experiment, &stored, &archive);
    let unnoted = noted.err().map(|error| error.to_string());
    let names_one = |record: &Record| record.hosts().any(|(host, _)| names_a_boot(&host.aside.boot_id));
    let naming_boots = records.iter().filter(|(_, record)| names_one(record)).count();
    Ok(Archived { unnoted, bytes, sha256, results: records.len(), tests, missing, naming_boots })
}

/// The artifact appendix of a generation.
pub fn appendix_of(
    workspace: &Workspace,
    generation: &Generation,
    license: &License,
) -> Result<Appendix, ArchiveError> {
    let generation = of_the_experiment(workspace, generation);
    let records = records(workspace, &generation)?;
    if records.is_empty() {
        return Err(ArchiveError::unfit(
            &workspace.experiment.name,
            "nothing of it is stored; `septet run` measures it",
        ));
    }
    let file = workspace.file.file_name().unwrap_or_default().to_string_lossy();
    Ok(Appendix::of((&workspace.experiment, &file), &records, license, &generation.created))
}

/// The generation without tests that the experiment has no more: reports do not see them.
pub(super) fn of_the_experiment(workspace: &Workspace, generation: &Generation) -> Generation {
    let names: HashSet<String> = workspace.tests().iter().map(|test| test.tuple.to_string()).collect();
    let mut generation = generation.clone();
    generation.tests.retain(|test| names.contains(&test.name));
    generation
}

/// The records of a generation, by id, each once.
pub(super) fn records(workspace: &Workspace, generation: &Generation) -> Result<Vec<(ResultId, Record)>, StoreError> {
    let listed: Vec<_> =
        generation.tests.iter().flat_map(|test| test.repetitions.iter().map(move |id| (*id, test))).collect();
    let read = listed.par_iter().map(|(id, test)| Ok((*id, stood::record(&workspace.store, test, id)?)));
    let read: Result<BTreeMap<ResultId, Record>, StoreError> = read.collect();
    Ok(read?.into_iter().collect())
}

/// The results, their manifests and the generation, laid out as a store.
fn store_pieces(
    workspace: &Workspace,
    generation: &Generation,
    records: &[(ResultId, Record)],
) -> Result<Vec<Piece>, ArchiveError> {
    let store = &workspace.store;
    let mut pieces = vec![Piece::new("store/format", crate::store::format_bytes())];
    for (id, record) in records {
        let folder = store.result_folder(id);
        // What is damaged here must not be given away.
        for name in ["samples.parquet", "log.zst"] {
            store.file(id, record, name)?;
        }
        let shelf = &id.to_string()[..2];
        let copies =
            RESULT_FILES.map(|name| Piece::copy(format!("store/results/{shelf}/{id}/{name}"), folder.join(name)));
        pieces.extend(copies);
    }
    let keys: BTreeSet<Key> = records.iter().map(|(_, record)| record.key).collect();
    for key in keys {
        if store.manifest(&key)?.is_none() {
            return Err(ArchiveError::unfit(
                &workspace.experiment.name,
                format!("the manifest of key {} is missing; `septet store verify` says what to run again", key.short()),
            ));
        }
        let shelf = &key.to_string()[..2];
        pieces.push(Piece::copy(format!("store/manifests/{shelf}/{key}.json"), store.manifest_path(&key)));
    }
    for id in generation.statements() {
        store.statement(&id)?;
        pieces.push(Piece::copy(format!("store/acceptances/{id}.json"), store.statement_path(&id)));
    }
    let (name, bytes) = generation.file()?;
    pieces.push(Piece::new(format!("store/generations/{}/{name}.json.zst", generation.experiment), bytes));
    Ok(pieces)
}

/// What is written once for readers although every record has it: hosts and components, each distinct one.
/// The first format had the hosts' boots in them.
pub(super) fn derived(records: &[(ResultId, Record)], format: u32) -> Result<Vec<Piece>, ArchiveError> {
    let mut ordered: Vec<&(ResultId, Record)> = records.iter().collect();
    ordered.sort_by(|a, b| (&a.1.started, a.0).cmp(&(&b.1.started, b.0)));
    let mut hosts: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut last = None;
    for host in ordered.iter().flat_map(|(_, record)| record.hosts().map(|(host, _)| host)) {
        // What changes from minute to minute makes no other host.
        let mut host: Facts = host.clone();
        if format > 1 {
            host.aside.boot_id.clear();
        }
        let mut lasting = host.clone();
        (lasting.aside.uptime_s, lasting.aside.load_1m) = (0.0, 0.0);
        // Most results are of the host that the one before is of.
        if last.as_ref() != Some(&lasting) {
            hosts.entry(short_digest(&json(&lasting)?)).or_insert(json(&host)?);
            last = Some(lasting);
        }
    }
    let mut pieces: Vec<Piece> =
        hosts.into_iter().map(|(digest, bytes)| Piece::new(format!("facts/{digest}.json"), bytes)).collect();
    for component in components(records) {
        pieces.push(Piece::new(format!("components/{}.json", programs::folder(component)), json(component)?));
    }
    Ok(pieces)
}

/// Every distinct component, in order of name and digest.
pub(super) fn components(records: &[(ResultId, Record)]) -> Vec<&Component> {
    let all = records.iter().flat_map(|(_, record)| record.components());
    all.map(|component| ((&component.name, &component.digest), component))
        .collect::<BTreeMap<_, _>>()
        .into_values()
        .collect()
}

fn short_digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..12].to_string()
}

pub(super) fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| ArchiveError::unfit("a description", error))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// What a reader meets first.
fn front_matter(
    workspace: &Workspace,
    description: &Description,
    (created, appendix): (&str, &Appendix),
    (license, citation): (&License, Option<&str>),
    counts: (usize, usize),
    others: &[Piece],
) -> Result<Vec<Piece>, ArchiveError> {
    let experiment = Piece::new(format!("experiment/{}", description.file), workspace.text.clone());
    let mut names: Vec<&str> = others.iter().map(|piece| piece.name.as_str()).chain([&*experiment.name]).collect();
    names.extend(front::NAMES.into_iter().filter(|name| *name != METADATA));
    names.sort_unstable();
    let report_package = match others.iter().find(|piece| piece.name == front::REPORT_PACKAGE) {
        Some(Piece { content: Content::File(path), .. }) => fs::read(path).map_err(ArchiveError::io("read", path))?,
        _ => Vec::new(),
    };
    let front = Front {
        experiment: &workspace.experiment,
        description,
        license,
        citation,
        created,
        counts,
        names: &names,
        report_package: &report_package,
        appendix,
    };
    let mut pieces = front.pieces()?;
    pieces.push(experiment);
    Ok(pieces)
}

/// The folder of the experiment.
fn beside(workspace: &Workspace) -> &Path {
    match workspace.file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn description(
    workspace: &Workspace,
    generation: &Generation,
    license: &License,
    citation_given: bool,
) -> Result<Description, ArchiveError> {
    let file = workspace.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    if !file.chars().all(plain) {
        return Err(ArchiveError::unfit(
            format!("'{file}'"),
            "rename it: only letters, digits, '.', '_', '-' and '+' are read everywhere",
        ));
    }
    let (name, _) = generation.file()?;
    let mut description = Description::new(workspace.experiment.name.as_str(), &file, name.as_str());
    description.license = license.spdx.clone();
    description.license_given = license.own;
    description.citation_given = citation_given;
    Ok(description)
}

/// Names of all files below a folder, with `/`, sorted.
pub(super) fn files_below(folder: &Path) -> Result<Vec<String>, ArchiveError> {
    let mut names = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(below) = open.pop() {
        let listed = folder.join(&below);
        for entry in fs::read_dir(&listed).map_err(ArchiveError::io("list", &listed))? {
            let entry = entry.map_err(ArchiveError::io("list", &listed))?;
            let name = below.join(entry.file_name());
            match entry.file_type().map_err(ArchiveError::io("look at", &entry.path()))?.is_dir() {
                true => open.push(name),
                false => names.push(name.to_string_lossy().into_owned()),
            }
        }
    }
    names.sort();
    Ok(names)
}
