//! Whether an archive is what it says, at three levels: digests and keys; summaries, derived again from the raw
//! samples; pages, rendered again. The first unpacks little, the others work on a copy in a temporary folder; none
//! needs a store, host or network. It must not know how archives are made.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use reports::templates::RENDERER_VERSION;
use results::summary::REDUCTION_VERSION;

use super::bag::{self, PAYLOAD};
use super::contents::files_below;
use super::description::{ARCHIVE_FORMAT, Description, Renderer};
use super::digest::{Digested, DigestedFiles};
use super::trust::{self, Looked};
use super::unpack::{Limits, Unpacked, refused, unpack};
use super::{ArchiveError, foreign, proof, read_if_there};
use crate::beneath::Stage;
use crate::key::ResultId;
use crate::report::{self, ReportError};
use crate::store::{Generation, GenerationName, Record};
use crate::workspace::Workspace;

/// Most bytes of `septet.json`.
const DESCRIPTION_BYTES_MAX: u64 = 1 << 20;

/// An archive, what is needed of it unpacked into a temporary folder, which goes when this does.
#[derive(Debug)]
pub struct Opened {
    /// The archive.
    pub archive: PathBuf,
    /// What it says of itself.
    pub description: Description,
    /// BLAKE3 of its list of digests: the same for the same contents, however they are packed. 16 digits.
    pub digest: String,
    pub(super) workspace: Workspace,
    pub(super) generation: Generation,
    pub(super) records: Vec<(ResultId, Record)>,
    bag: PathBuf,
    files: DigestedFiles,
    depth: Depth,
    differences: Vec<String>,
    on_trust: Vec<String>,
    repacked: Option<String>,
    _stage: Stage,
}

impl Opened {
    /// The experiment and the generation that it holds, for whoever wants to use them.
    ///
    /// # Errors
    /// Where anything differs from its digest.
    pub fn sound(&self) -> Result<(&Workspace, &Generation), ArchiveError> {
        match self.differences.first() {
            None => Ok((&self.workspace, &self.generation)),
            Some(difference) => Err(ArchiveError::damaged(&self.archive, difference.clone())),
        }
    }
}

/// How far something was compared, and what differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    /// This number of files, all equal.
    Equal(usize),
    /// What differs, in words.
    Differs(Vec<String>),
    /// Not compared, and why; nothing is known to be wrong.
    Unknown(String),
}

impl Compared {
    fn of(count: usize, differences: Vec<String>) -> Compared {
        if differences.is_empty() { Compared::Equal(count) } else { Compared::Differs(differences) }
    }

    /// Whether something differs.
    pub fn differs(&self) -> bool {
        matches!(self, Compared::Differs(_))
    }
}

/// What the three levels found.
#[derive(Debug)]
pub struct Verified {
    /// Files, by their digests; names, keys, and what belongs to what.
    pub digests: Compared,
    /// Summaries, derived again from the raw samples.
    pub summaries: Compared,
    /// Pages, rendered again.
    pub pages: Compared,
    /// What nothing in it proves, in words.
    pub on_trust: Vec<String>,
    /// How it is packed otherwise than Septet packs; absent where it is not.
    pub repacked: Option<String>,
    /// Bytes of the payload.
    pub bytes: u64,
    /// Repetitions.
    pub results: usize,
    /// Tests that they are of.
    pub tests: usize,
}

impl Verified {
    /// The outcome for an archive too damaged to compare anything.
    pub fn nothing(differences: Vec<String>) -> Verified {
        let unknown = || Compared::Unknown(WRONG.to_string());
        Verified {
            digests: Compared::Differs(differences),
            summaries: unknown(),
            pages: unknown(),
            on_trust: Vec::new(),
            repacked: None,
            bytes: 0,
            results: 0,
            tests: 0,
        }
    }

    /// The highest level at which all is equal, with those below it: 0 to 3.
    pub fn level(&self) -> u8 {
        let levels = [&self.digests, &self.summaries, &self.pages];
        levels.iter().take_while(|level| matches!(level, Compared::Equal(_))).count() as u8
    }

    /// Whether something differs.
    pub fn differs(&self) -> bool {
        [&self.digests, &self.summaries, &self.pages].iter().any(|level| level.differs())
    }
}

/// Why the higher levels are not looked at.
const WRONG: &str = "not compared, since the contents are not what they say";
/// Where results are, below the bag.
const RESULTS: &str = "data/store/results/";

/// The result whose record has that name.
fn result_of(name: &str) -> Option<ResultId> {
    let (_, id) = name.strip_prefix(RESULTS)?.strip_suffix("/record.json")?.split_once('/')?;
    id.parse().ok()
}

/// How much of an archive is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The archive's digests: results and pages are digested and read as they come out of it, and written nowhere.
    Digests,
    /// All of it, to be used.
    Whole,
}

impl Depth {
    /// Whether a file, by its name below the bag, is read again.
    fn keeps(self, name: &str) -> bool {
        let bulky = name.starts_with(RESULTS)
            || name.starts_with("data/report/") && name != "data/report/datapackage.json"
            || name.starts_with("data/components/") && !name.ends_with(".json");
        self == Depth::Whole || !bulky
    }
}

/// Reads what an archive holds, checking every digest.
///
/// # Errors
/// One that is hostile, of another kind or of a newer format: refused. One that is so damaged that nothing can be
/// compared.
pub fn open(archive: &Path, limits: Limits, depth: Depth) -> Result<Opened, ArchiveError> {
    let stage = Stage::make_temporary()?;
    let read: Mutex<proof::Read> = Mutex::default();
    let reader = |name: &str, bytes: &[u8]| {
        if let Some(id) = result_of(name) {
            let record = Record::of(&id, bytes);
            read.lock().unwrap_or_else(PoisonError::into_inner).insert(id, record);
        }
    };
    let bag = stage.path().to_path_buf();
    let is_kept = |name: &str| depth.keeps(name);
    let Unpacked { bag: name, files, repacked } = unpack(archive, stage.folder(), limits, &is_kept, &reader)?;
    let read = read.into_inner().unwrap_or_else(PoisonError::into_inner);
    if !files.contains_key(&format!("{PAYLOAD}/septet.json")) {
        let damaged = || ArchiveError::damaged(archive, "its septet.json is missing".to_string());
        return Err(foreign::named(archive, limits).unwrap_or_else(damaged));
    }
    let listed = read_if_there(&bag.join(bag::MANIFEST))?.unwrap_or_default();
    let digest = blake3::hash(&listed).to_hex()[..16].to_string();
    let mut differences = bag::differences(&bag, &files)?;

    let payload = bag.join(PAYLOAD);
    let description = description(archive, &payload.join("septet.json"))?;
    // Where nothing can be compared: all that is known to differ, and why.
    let told = |error: &dyn std::fmt::Display| {
        let mut differences = differences.clone();
        differences.push(error.to_string().trim_end().to_string());
        let differences = differences.into_iter().map(|text| without(&bag, &text)).collect();
        ArchiveError::Damaged { path: archive.display().to_string(), differences }
    };
    let file = payload.join("experiment").join(&description.file);
    let workspace = Workspace::load(&file, Some(&payload.join("store"))).map_err(|error| told(&error))?;
    let is_other = name.is_some_and(|name| name != description.experiment);
    if workspace.experiment.name.as_str() != description.experiment || is_other {
        return Err(refused(archive, "its folder, its description and its experiment have different names"));
    }
    let called: GenerationName = description.generation.parse().map_err(|error| told(&error))?;
    let generation = match workspace.store.generation(&description.experiment, &called) {
        Err(error) if error.is_unread() => return Err(error.into()),
        other => other.map_err(|error| told(&error))?,
    };
    let (records, mut wrong) = proof::records(&workspace, &generation, &description, &files, read)?;
    let Looked { wrong: of_front, on_trust } =
        trust::look(&workspace, &generation, &description, (&bag, &files), (&records, tests(&records)))?;
    // What a lost result makes of it need not be told again.
    if wrong.is_empty() {
        wrong = of_front;
    }
    // What is known to differ by its digest need not be told again as what follows from it.
    if differences.is_empty() {
        differences = wrong;
    }
    let differences = differences.into_iter().map(|text| without(&bag, &text)).collect();
    Ok(Opened {
        archive: archive.to_path_buf(),
        description,
        digest,
        workspace,
        generation,
        records,
        bag,
        files,
        depth,
        differences,
        on_trust,
        repacked,
        _stage: stage,
    })
}

/// SHA-256 of an archive's file, hex: what it is cited by; none of a folder.
pub fn sha256(archive: &Path) -> Result<Option<String>, ArchiveError> {
    if archive.is_dir() {
        return Ok(None);
    }
    let digested = Digested::of_file(archive).map_err(ArchiveError::io("read", archive))?;
    Ok(Some(digested.sha256))
}

/// A text without the names of folders that are gone when it is read.
fn without(folder: &Path, text: &str) -> String {
    text.replace(&format!("{}/", folder.display()), "")
}

/// Number of tests that records are of.
fn tests(records: &[(ResultId, Record)]) -> usize {
    records.iter().map(|(_, record)| record.test.as_str()).collect::<BTreeSet<&str>>().len()
}

fn description(archive: &Path, path: &Path) -> Result<Description, ArchiveError> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        format: u32,
    }
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(DESCRIPTION_BYTES_MAX).read_to_end(&mut bytes))
        .map_err(|error| ArchiveError::damaged(archive, format!("its septet.json cannot be read: {error}")))?;
    let wrong = |error: serde_json::Error| ArchiveError::damaged(archive, format!("invalid septet.json: {error}"));
    let versioned: Versioned = serde_json::from_slice(&bytes).map_err(wrong)?;
    if versioned.format > ARCHIVE_FORMAT {
        let reason =
            format!("it has format {}, this septet reads up to {ARCHIVE_FORMAT}; use a newer septet", versioned.format);
        return Err(refused(archive, reason));
    }
    let description: Description = serde_json::from_slice(&bytes).map_err(wrong)?;
    for name in [&description.file, &description.generation, &description.experiment] {
        if name.is_empty() || name == ".." || name == "." || name.contains('/') {
            return Err(refused(
                archive,
                format!("its septet.json has the name '{}', which is none", name.escape_debug()),
            ));
        }
    }
    Ok(description)
}

/// Compares as far as was asked for: at all levels, or with [`Depth::Digests`] at the first.
pub fn verify(opened: &Opened) -> Result<Verified, ArchiveError> {
    let payload = || opened.files.iter().filter(|(name, _)| bag::is_payload(name));
    let digests = digests(opened, payload().count());
    let unknown = |reason: &str| (Compared::Unknown(reason.to_string()), Compared::Unknown(reason.to_string()));
    let (summaries, pages) = match (digests.differs(), opened.depth) {
        // What is not what it says by its digests is not worth deriving anything from.
        (true, _) => unknown(WRONG),
        (false, Depth::Digests) => unknown("not compared, since only digests were asked for"),
        (false, Depth::Whole) => (summaries(opened), pages(opened, &opened.bag.join(PAYLOAD))?),
    };
    let bytes = payload().map(|(_, file)| file.len).sum();
    let mut on_trust = opened.on_trust.clone();
    if let Compared::Unknown(why) = &pages {
        on_trust.push(format!("report: {why}"));
    }
    Ok(Verified {
        digests,
        summaries,
        pages,
        on_trust,
        repacked: opened.repacked.clone(),
        bytes,
        results: opened.records.len(),
        tests: tests(&opened.records),
    })
}

/// What is not what it says; `files` were looked at.
pub(super) fn digests(opened: &Opened, files: usize) -> Compared {
    Compared::of(files, opened.differences.clone())
}

pub(super) fn summaries(opened: &Opened) -> Compared {
    let differences = proof::summaries(&opened.workspace, &opened.records);
    let older = opened.records.iter().filter(|(_, record)| record.reduction_version != REDUCTION_VERSION).count();
    if differences.is_empty() && older > 0 {
        let version = opened.records.iter().map(|(_, record)| record.reduction_version).min().unwrap_or(0);
        return Compared::Unknown(format!(
            "{older} of {} were reduced by version {version}, here it is {REDUCTION_VERSION}: reduction differs; the others are equal",
            opened.records.len()
        ));
    }
    Compared::of(opened.records.len(), differences)
}

fn pages(opened: &Opened, payload: &Path) -> Result<Compared, ArchiveError> {
    let theirs = &opened.description.renderer;
    if *theirs != Renderer::here() {
        return Ok(Compared::Unknown(format!(
            "renderer differs (version {} there, {RENDERER_VERSION} here{})",
            theirs.version,
            if theirs.version == RENDERER_VERSION { ", other templates" } else { "" }
        )));
    }
    if opened.description.reduction_version != REDUCTION_VERSION {
        return Ok(Compared::Unknown("reduction differs, so that pages do".to_string()));
    }
    let rendered = Stage::make_temporary()?;
    let folder = rendered.folder().make_folder(&rendered.folder().name(["report"])?)?;
    match report::write_apart(&opened.workspace, &opened.generation, &folder) {
        Ok(_) => {}
        // What this host refuses says nothing of the archive.
        Err(error @ ReportError::Io { .. }) => return Err(error.into()),
        Err(error) => {
            let reason = without(rendered.path(), &without(&opened.bag, &error.to_string()));
            return Ok(Compared::Differs(vec![reason]));
        }
    }
    let folder = folder.shown();
    let kept = payload.join("report");
    let (now, then) = (files_below(folder)?, files_below(&kept)?);
    let all: BTreeSet<&String> = now.iter().chain(&then).collect();
    let count = all.len();
    let mut differences = Vec::new();
    for name in all {
        let of = |folder: &Path| read_if_there(&folder.join(name));
        match (of(&kept)?, of(folder)?) {
            (Some(then), Some(now)) if then == now => {}
            (Some(then), Some(now)) => differences.push(format!("report/{name} differs {}", place(&then, &now))),
            (Some(_), None) => differences.push(format!("report/{name} is not made of these results")),
            (None, _) => differences.push(format!("report/{name} is missing")),
        }
    }
    Ok(Compared::of(count, differences))
}

/// Where two contents begin to differ.
fn place(a: &[u8], b: &[u8]) -> String {
    let at = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
    let line = 1 + a[..at].iter().filter(|byte| **byte == b'\n').count();
    format!("from byte {at} on, in line {line}")
}
