//! What is shared: results by key. Pushes what a shared store does not have, pulls what one's own does not have
//! and believes it only when its digests and its manifest are what they must be. Cut anywhere, the next push or
//! pull goes on. It must not know how files are copied.
//!
//! A shared store is laid out like one's own, but for its index (`parts`). `record.json` is copied last, so that
//! a result is there when its record is, and named by the index after that.

use std::collections::{BTreeSet, HashSet};

use super::{Op, Outcome, Remote, RemoteError, generations, parts, told};
use crate::beneath::{Folder, Stage};
use crate::key::{Key, ResultId};
use crate::store::{
    Adopted, Arrival, Entry, Generation, GenerationName, Record, Store, StoreError, Writer, format_bytes, record_schema,
};

/// The file that is copied last, and makes a result of what lies beside it.
const RECORD: &str = "record.json";
/// Results that are copied before any of them counts.
const BATCH: usize = 64;
/// Most bytes of what is pulled besides a record, by file; the record says how many there are.
const BYTES_MAX: [(&str, u64); 2] = [("samples.parquet", 4 << 30), ("log.zst", 64 << 20)];
/// Most bytes of a record.
const RECORD_BYTES_MAX: u64 = 64 << 20;
/// What every column of `samples.parquet` means (a Frictionless Table Schema), and every key of `record.json`: for who
/// reads a shared store without septet. Nothing here reads them.
const DICTIONARY: [&str; 2] = ["samples.schema.json", "record.schema.json"];
/// Most bytes of a manifest.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;

/// What a push or pull did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    /// Results that were copied.
    pub copied: usize,
    /// Results that were there already.
    pub there: usize,
    /// Results that were not taken, and why.
    pub refused: Vec<String>,
    /// Experiments whose latest generation came, so that a report of them can be made here.
    pub generations: Vec<(String, GenerationName)>,
    /// What else is to be known, in words.
    pub notes: Vec<String>,
}

fn result_name(id: &ResultId, file: &str) -> String {
    let id = id.to_string();
    format!("results/{}/{id}/{file}", &id[..2])
}

fn manifest_name(key: &Key) -> String {
    let key = key.to_string();
    format!("manifests/{}/{key}.json", &key[..2])
}

/// Copies to a shared store every result that it does not have.
pub fn push(store: &Store, remote: &mut Remote) -> Result<Transfer, RemoteError> {
    // Not in the store, which may be somebody else's: to push from it needs no right to write.
    let stage = Stage::make_temporary()?;
    let theirs = parts::read(remote, stage.folder())?;
    let mut known: HashSet<ResultId> = theirs.index.entries().iter().map(|entry| entry.id).collect();
    let ours = store.index()?;
    let fresh: Vec<&Entry> = ours.entries().iter().filter(|entry| !known.contains(&entry.id)).collect();
    // The index is written last; what a cut push has copied is found by its records.
    let missing = absent(remote, &fresh, |entry| result_name(&entry.id, "record.json"))?;
    let mut shared = Transfer { there: ours.entries().len() - missing.len(), ..Transfer::default() };
    let bad = push_all(store, remote, stage.folder(), &missing, &mut shared)?;
    let new: Vec<Entry> = fresh.into_iter().filter(|entry| !bad.contains(&entry.id)).copied().collect();
    known.extend(new.iter().map(|entry| entry.id));
    if !new.is_empty() {
        parts::add(remote, stage.folder(), &theirs, new)?;
    }
    shared.notes = generations::push(store, remote, stage.folder(), &|id| known.contains(id))?;
    Ok(shared)
}

/// The items whose object is not in a shared store.
fn absent<T: Copy>(remote: &mut Remote, all: &[T], name: impl Fn(T) -> String) -> Result<Vec<T>, RemoteError> {
    let found = remote.copy(all.iter().map(|one| Op::Has { name: name(*one) }).collect())?;
    Ok(all.iter().zip(found).filter(|(_, found)| *found == Outcome::Absent).map(|(one, _)| *one).collect())
}

/// Copies results; those that are not sound are told, and are what is returned.
fn push_all(
    store: &Store,
    remote: &mut Remote,
    folder: &Folder,
    missing: &[&Entry],
    shared: &mut Transfer,
) -> Result<HashSet<ResultId>, RemoteError> {
    if missing.is_empty() {
        return Ok(HashSet::new());
    }
    let format = folder.name(["format-here"])?;
    folder.write_new(&format, &format_bytes())?;
    remote.copy(vec![Op::Put { name: "format".to_string(), from: told(&folder.path_of(&format)) }])?;
    describe(remote, folder)?;
    let keys: BTreeSet<Key> = missing.iter().map(|entry| entry.key).collect();
    let mut keys: HashSet<Key> =
        absent(remote, &keys.into_iter().collect::<Vec<_>>(), |key| manifest_name(&key))?.into_iter().collect();
    let mut bad = HashSet::new();
    for batch in missing.chunks(BATCH) {
        let (mut bodies, mut heads) = (Vec::new(), Vec::new());
        for entry in batch {
            if let Err(error) = sound(store, entry) {
                shared.refused.push(error.to_string());
                bad.insert(entry.id);
                continue;
            }
            let folder = store.result_folder(&entry.id);
            let put = |file: &str| Op::Put { name: result_name(&entry.id, file), from: told(&folder.join(file)) };
            bodies.extend(["samples.parquet", "log.zst"].map(put));
            if keys.remove(&entry.key) {
                let manifest = told(&store.manifest_path(&entry.key));
                bodies.push(Op::Put { name: manifest_name(&entry.key), from: manifest });
            }
            heads.push(put("record.json"));
        }
        shared.copied += heads.len();
        remote.copy(bodies)?;
        remote.copy(heads)?;
    }
    Ok(bad)
}

/// Writes the dictionary of what is copied; it is the same for all results of one version of septet.
fn describe(remote: &mut Remote, folder: &Folder) -> Result<(), RemoteError> {
    let schemas = [reports::package::schema(&results::dictionary::samples()), record_schema::schema()];
    let mut puts = Vec::new();
    for (name, schema) in DICTIONARY.into_iter().zip(schemas) {
        let file = folder.name([name])?;
        folder.write_new(&file, format!("{schema:#}\n").as_bytes())?;
        puts.push(Op::Put { name: name.to_string(), from: told(&folder.path_of(&file)) });
    }
    remote.copy(puts).map(drop)
}

/// A result that is what its name says, with its manifest.
fn sound(store: &Store, entry: &Entry) -> Result<(), StoreError> {
    let record = store.record(&entry.id)?;
    for file in ["samples.parquet", "log.zst"] {
        store.file(&entry.id, &record, file)?;
    }
    match store.manifest(&record.key)? {
        Some(_) => Ok(()),
        None => Err(StoreError::damaged(&store.manifest_path(&record.key), "it is missing")),
    }
}

/// What a shared store says that it has, of what is wanted. Nothing is copied, so nothing of it is proven.
pub fn look(remote: &mut Remote, wanted: &dyn Fn(&Entry) -> bool) -> Result<Vec<Entry>, RemoteError> {
    let stage = Stage::make_temporary()?;
    let theirs = parts::read(remote, stage.folder())?;
    Ok(theirs.index.entries().iter().filter(|entry| wanted(entry)).copied().collect())
}

/// Copies from a shared store the results that are wanted and that one's own does not have.
pub fn pull(store: &Store, remote: &mut Remote, wanted: &dyn Fn(&Entry) -> bool) -> Result<Transfer, RemoteError> {
    let stage = store.stage_for_results()?;
    let theirs = parts::read(remote, stage.folder())?;
    let all = theirs.index.entries().iter().filter(|entry| wanted(entry));
    fetch(store, remote, stage.folder(), &all.map(|entry| (entry.id, entry.key)).collect::<Vec<_>>())
}

/// The latest generation that a shared store has of an experiment, with its results, which are copied; if there
/// is one. It is kept when all of its results are.
pub fn pull_generation(
    store: &Store,
    remote: &mut Remote,
    experiment: &str,
) -> Result<Option<(Generation, Transfer)>, RemoteError> {
    let stage = store.stage_for_results()?;
    let Some(generation) = generations::latest(remote, stage.folder(), experiment)? else { return Ok(None) };
    let shared = fetch(store, remote, stage.folder(), &results_of(&generation))?;
    if shared.refused.is_empty() {
        store.adopt_generation(&generation)?;
    }
    Ok(Some((generation, shared)))
}

/// Copies from a shared store the latest generation of each experiment of which one's own store has none, with what is
/// not here of its results: a report needs both. One's own generations stay what a report of them stands on.
pub fn pull_generations(store: &Store, remote: &mut Remote, shared: &mut Transfer) -> Result<(), RemoteError> {
    let own: HashSet<String> = store.experiments()?.into_iter().collect();
    let Some(theirs) = generations::experiments(remote)? else {
        shared.notes.push(
            "a plain web server cannot be listed, so no generation came: with this address as `remote` under [store] of \
             the site, `septet report FILE` takes that of its experiment"
                .to_string(),
        );
        return Ok(());
    };
    let fresh: Vec<_> = theirs.into_iter().filter(|experiment| !own.contains(experiment.as_str())).collect();
    for experiment in fresh {
        match pull_generation(store, remote, experiment.as_str()) {
            Ok(Some((generation, came))) => {
                shared.copied += came.copied;
                if came.refused.is_empty() {
                    shared.generations.push((experiment.to_string(), generation.name()));
                }
                shared.refused.extend(came.refused);
            }
            Ok(None) => {}
            // One that cannot be used keeps no other out.
            Err(error @ RemoteError::Refused { .. }) => shared.refused.push(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    if shared.generations.is_empty() && own.is_empty() {
        shared.notes.push(
            "no generation is there that a report could stand on: `septet run FILE` makes one of what is stored, and \
             measures what is missing"
                .to_string(),
        );
    }
    Ok(())
}

/// Copies from a shared store what a generation names and one's own store does not have.
pub fn complete(store: &Store, remote: &mut Remote, generation: &Generation) -> Result<Transfer, RemoteError> {
    if !generation.statements().is_empty() {
        // Under which of a test's keys each was measured is in the index.
        let named: HashSet<ResultId> = generation.tests.iter().flat_map(|test| test.repetitions.clone()).collect();
        return pull(store, remote, &|entry| named.contains(&entry.id));
    }
    let stage = store.stage_for_results()?;
    fetch(store, remote, stage.folder(), &results_of(generation))
}

fn results_of(generation: &Generation) -> Vec<(ResultId, Key)> {
    let of_test = |test: &crate::store::GenerationTest| {
        let key = test.key?;
        Some(test.repetitions.iter().map(move |id| (*id, key)).collect::<Vec<_>>())
    };
    generation.tests.iter().filter_map(of_test).flatten().collect()
}

/// Copies results that are not there yet, each with its key; `stage` lies on the store's file system.
fn fetch(store: &Store, remote: &mut Remote, stage: &Folder, all: &[(ResultId, Key)]) -> Result<Transfer, RemoteError> {
    let mut seen = HashSet::new();
    let is_missing = |(id, _): &&(ResultId, Key)| seen.insert(*id) && !store.has_result(id);
    let missing: Vec<&(ResultId, Key)> = all.iter().filter(is_missing).collect();
    let mut shared = Transfer { there: all.len() - missing.len(), ..Transfer::default() };
    if missing.is_empty() {
        return Ok(shared);
    }
    let mut writer = Writer::open(store)?;
    for batch in missing.chunks(BATCH) {
        fetch_batch(store, remote, &mut writer, stage, batch, &mut shared)?;
    }
    writer.close()?;
    Ok(shared)
}

fn fetch_batch(
    store: &Store,
    remote: &mut Remote,
    writer: &mut Writer,
    stage: &Folder,
    batch: &[&(ResultId, Key)],
    shared: &mut Transfer,
) -> Result<(), RemoteError> {
    let mut ops = Vec::new();
    let keys: BTreeSet<Key> = batch.iter().map(|(_, key)| *key).collect();
    for key in keys {
        let place = stage.name([&Arrival::manifest(&key)])?;
        if !store.has_manifest(&key) && !stage.has(&place) {
            let to = told(&stage.path_of(&place));
            ops.push(Op::Get { name: manifest_name(&key), to, bytes_max: MANIFEST_BYTES_MAX });
        }
    }
    let mut arrivals = Vec::new();
    for (id, key) in batch {
        let arrival = Arrival { id: *id, key: *key };
        let folder = stage.new_folder(&stage.name([&arrival.folder()])?, 0o777)?;
        let to = told(&folder.path_of(&folder.name([RECORD])?));
        ops.push(Op::Get { name: result_name(id, RECORD), to, bytes_max: RECORD_BYTES_MAX });
        arrivals.push(arrival);
    }
    remote.copy(ops)?;
    let arrivals = fetch_bodies(remote, stage, arrivals, shared)?;
    for (arrival, adopted) in arrivals.iter().zip(writer.adopt(stage, &arrivals)?) {
        match adopted {
            Adopted::Kept => shared.copied += 1,
            Adopted::Refused(reason) => shared.refused.push(format!("result {}: {reason}", arrival.id.short())),
        }
    }
    Ok(())
}

/// Copies what belongs to records that have come, and of each file no more than its record says; the results of which
/// no file goes on after that.
fn fetch_bodies(
    remote: &mut Remote,
    stage: &Folder,
    arrivals: Vec<Arrival>,
    shared: &mut Transfer,
) -> Result<Vec<Arrival>, RemoteError> {
    let (mut ops, mut whose) = (Vec::new(), Vec::new());
    for (number, arrival) in arrivals.iter().enumerate() {
        // One without a sound record is refused for that, whatever else there is of it.
        let folder = stage.folder(&stage.name([&arrival.folder()])?)?;
        let bytes = folder.read_if_there(&folder.name([RECORD])?, RECORD_BYTES_MAX)?.unwrap_or_default();
        let Ok(record) = Record::parse(&bytes) else { continue };
        for (file, most) in BYTES_MAX {
            let Some(said) = record.files.get(file) else { continue };
            let (name, to) = (result_name(&arrival.id, file), told(&folder.path_of(&folder.name([file])?)));
            ops.push(Op::Get { name, to, bytes_max: most.min(said.len) });
            whose.push((number, file));
        }
    }
    let outcomes = remote.copy(ops)?;
    let mut longer = HashSet::new();
    for ((number, file), _) in whose.iter().zip(&outcomes).filter(|(_, is)| matches!(is, Outcome::Longer(_))) {
        if longer.insert(*number) {
            let id = arrivals[*number].id.short();
            shared.refused.push(format!("result {id}: its {file} is longer than its record says"));
        }
    }
    let sound = |(number, arrival): (usize, Arrival)| (!longer.contains(&number)).then_some(arrival);
    Ok(arrivals.into_iter().enumerate().filter_map(sound).collect())
}
