//! What the contents of an archive prove about each other: results, manifests and the generation are of the
//! same tests, samples give the summaries that records say, and nothing is there that nobody uses. It must not
//! know how archives are packed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rayon::prelude::*;
use results::accounting::check_totals;
use results::axes::{Dimension, Rate};
use results::dataset::{RawStream, read_parquet};
use results::flags::Flag;
use results::reduce::CountedWindow;
use results::summary::REDUCTION_VERSION;
use results::tuple::Tuple;
use wire::Role;

use super::bag::Content;
use super::contents::{RESULT_FILES, components, derived};
use super::description::Description;
use super::digest::DigestedFiles;
use super::{ArchiveError, front, judged, programs, read_if_there};
use crate::acceptance::{Says, Step, carried};
use crate::conditions::{protocol_section, test_section};
use crate::judge;
use crate::key::{Key, ResultId, StatementId};
use crate::manifest::Listing;
use crate::search::trials::{Search, streams_of, window};
use crate::sections::SectionName;
use crate::stood::Identity;
use crate::store::{Evidence, Generation, GenerationTest, Record, Status, Store, StoreError, streams_of_window};
use crate::workspace::Workspace;

/// Records by id.
type Results = Vec<(ResultId, Record)>;
/// Records as they were read, or what is wrong with them.
pub type Read = HashMap<ResultId, Result<Record, String>>;

/// The records of the generation, and all that is wrong with what is there.
pub fn records(
    workspace: &Workspace,
    generation: &Generation,
    description: &Description,
    files: &DigestedFiles,
    mut read: Read,
) -> Result<(Results, Vec<String>), ArchiveError> {
    let store = &workspace.store;
    let mut wrong = Vec::new();
    let steps = match accepted(store, generation) {
        Ok(steps) => steps,
        Err(reason) => {
            wrong.push(reason);
            HashMap::new()
        }
    };
    let mut wanted: BTreeMap<ResultId, Vec<&GenerationTest>> = BTreeMap::new();
    for test in &generation.tests {
        for id in &test.repetitions {
            let tests = wanted.entry(*id).or_default();
            // Tests of one key are one measurement under several names, as of stacks that have nothing of it.
            if tests.iter().any(|other| other.key != test.key) {
                wrong.push(format!("result {} is of two tests in the generation", id.short()));
            }
            tests.push(test);
        }
    }
    let keys: BTreeSet<Key> = wanted.values().flatten().flat_map(|test| test.keys()).collect();
    let keys: Vec<Key> = keys.into_iter().collect();
    let manifests: Result<Vec<Result<Listing, String>>, StoreError> =
        keys.par_iter().map(|key| manifest(store, key)).collect();
    let manifests = manifests?;
    let manifests: HashMap<Key, Result<Listing, String>> = keys.into_iter().zip(manifests).collect();
    let wanted: Vec<_> = wanted.into_iter().map(|(id, tests)| (id, tests, read.remove(&id))).collect();
    let judge = |(id, tests, record): (ResultId, Vec<&GenerationTest>, Option<Result<Record, String>>)| {
        let about = |reason: String| format!("result {} of {}: record.json: {reason}", id.short(), tests[0].name);
        let record = record.unwrap_or_else(|| Err("it is missing".to_string())).map_err(about)?;
        let manifest = manifests.get(&record.key);
        tests.iter().try_for_each(|test| of_its_test((&id, &record), test, manifest, &steps, files))?;
        if let Some(Ok(manifest)) = manifest {
            judged::again(&record, manifest)
                .map_err(|reason| format!("result {} of {}: {reason}", id.short(), record.test))?;
        }
        Ok((id, record))
    };
    let judged: Vec<Result<(ResultId, Record), String>> = wanted.into_par_iter().map(judge).collect();
    let mut records = Vec::with_capacity(judged.len());
    for record in judged {
        match record {
            Ok(record) => records.push(record),
            Err(reason) => wrong.push(reason),
        }
    }
    wrong.extend(twins(&records));
    wrong.extend(strangers(store, generation, description, &records, files)?);
    Ok((records, wrong))
}

/// The manifest of a key, or what is wrong with it.
///
/// # Errors
/// Where it cannot be read.
fn manifest(store: &Store, key: &Key) -> Result<Result<Listing, String>, StoreError> {
    Ok(match store.manifest(key) {
        Ok(found) => found.ok_or_else(|| format!("the manifest of key {} is missing", key.short())),
        Err(error) if error.is_unread() => return Err(error),
        Err(error) => Err(error.to_string()),
    })
}

/// The changes that a generation leans on.
fn accepted(store: &Store, generation: &Generation) -> Result<HashMap<StatementId, Step>, String> {
    let mut steps = HashMap::new();
    for id in generation.statements() {
        let statement = store.statement(&id).map_err(|error| error.to_string())?;
        match statement.says {
            Says::Harmless(step) if statement.experiment == generation.experiment => steps.insert(id, step),
            _ => return Err(format!("the statement {} accepts nothing of this experiment", id.short())),
        };
    }
    Ok(steps)
}

/// Whether a result is of the test that the generation says, under the key that its manifest has, or under an older
/// one that the accepted changes make that key.
fn of_its_test(
    (id, record): (&ResultId, &Record),
    test: &GenerationTest,
    manifest: Option<&Result<Listing, String>>,
    steps: &HashMap<StatementId, Step>,
    files: &DigestedFiles,
) -> Result<(), String> {
    Identity::of(record).stands_under(id, test)?;
    let (short, name) = (id.short(), &test.name);
    let lean = test.leans.iter().find(|lean| lean.key == record.key);
    let manifest = match manifest {
        Some(manifest) => manifest.as_ref().map_err(String::clone)?,
        None => return Err(format!("the manifest of key {} is missing", record.key.short())),
    };
    let names: Vec<&str> = record.files.keys().map(String::as_str).collect();
    if names != ["log.zst", "samples.parquet"] {
        return Err(format!("the record of result {short} of {name} names the files {}", names.join(", ")));
    }
    let shelf = &id.to_string()[..2];
    for (file, says) in &record.files {
        match files.get(&format!("data/store/results/{shelf}/{id}/{file}")) {
            Some(found) if found.len == says.len && found.blake3 == says.blake3 => {}
            Some(_) => {
                return Err(format!("result {short} of {name}: {file}: its content is not what its record says"));
            }
            None => return Err(format!("result {short} of {name}: {file} is missing")),
        }
    }
    let says =
        |section: SectionName, made: crate::manifest::Section| manifest.sections.get(section.name()) == Some(&made);
    if !says(SectionName::Test, test_section(&record.tuple))
        || !says(SectionName::Protocol, protocol_section(&record.times))
    {
        return Err(format!("the manifest of key {} is of another test than {name}", record.key.short()));
    }
    if let Some(lean) = lean {
        let by = lean.by.iter().filter_map(|id| steps.get(id));
        if carried(manifest.clone(), by).ok() != test.key {
            return Err(format!(
                "result {short} of {name} counts by changes that do not lead from its key to the test's"
            ));
        }
    }
    Ok(())
}

/// Results that have the same raw samples: one of them has another one's.
fn twins(records: &[(ResultId, Record)]) -> Vec<String> {
    let mut seen: HashMap<&str, &(ResultId, Record)> = HashMap::new();
    let mut wrong = Vec::new();
    // Repetitions in which nothing moved may well have equal samples, and do not count.
    for pair in records.iter().filter(|(_, record)| record.is_valid()) {
        let Some(digest) = pair.1.files.get("samples.parquet") else { continue };
        if let Some((other, theirs)) = seen.insert(&digest.blake3, pair) {
            wrong.push(format!(
                "results {} of {} and {} of {} have the same samples: one of them has those of another",
                other.short(),
                theirs.test,
                pair.0.short(),
                pair.1.test
            ));
        }
    }
    wrong
}

/// Files of the payload that are not made of the results, or that nothing uses.
fn strangers(
    store: &Store,
    generation: &Generation,
    description: &Description,
    records: &[(ResultId, Record)],
    files: &DigestedFiles,
) -> Result<Vec<String>, ArchiveError> {
    let root = store.root();
    let payload = root.parent().unwrap_or(root);
    let mut known: BTreeSet<String> = BTreeSet::new();
    for (id, record) in records {
        let (id, key) = (id.to_string(), record.key.to_string());
        known.extend(RESULT_FILES.iter().map(|file| format!("store/results/{}/{id}/{file}", &id[..2])));
        known.insert(format!("store/manifests/{}/{key}.json", &key[..2]));
    }
    known.insert("store/format".to_string());
    known.extend(generation.statements().iter().map(|id| format!("store/acceptances/{id}.json")));
    known.insert(format!("store/generations/{}/{}.json.zst", generation.experiment, description.generation));
    known.insert(format!("experiment/{}", description.file));
    known.extend(front::NAMES.map(String::from));
    let mut wrong = Vec::new();
    for piece in derived(records, description.format)? {
        let Content::Bytes(bytes) = piece.content else { continue };
        let path = payload.join(&piece.name);
        match read_if_there(&path)? {
            Some(found) if found == bytes => {}
            Some(_) => wrong.push(format!("{} is not what the records say", piece.name)),
            None => wrong.push(format!("{} is missing", piece.name)),
        }
        known.insert(piece.name);
    }
    let mut licenses: Vec<String> = Vec::new();
    for component in components(records) {
        let folder = programs::folder(component);
        licenses.push(format!("components/{folder}/LICENSE"));
        for (name, digest) in &component.files {
            let name = format!("components/{folder}/{name}");
            if files.get(&format!("data/{name}")).is_some_and(|found| found.blake3 != *digest) {
                wrong.push(format!("{name} is not what was measured"));
            }
            known.insert(name);
        }
    }
    for name in files.keys().filter_map(|name| name.strip_prefix("data/")) {
        let is_license = |start: &String| name.strip_prefix(start).is_some_and(|rest| !rest.contains('/'));
        let expected = known.contains(name) || name.starts_with("report/") || licenses.iter().any(is_license);
        if !expected {
            wrong.push(format!("{name} is of nothing that the report uses"));
        }
    }
    Ok(wrong)
}

/// Every result whose summary is not what its raw samples give, by the reduction of this program.
pub fn summaries(workspace: &Workspace, records: &[(ResultId, Record)]) -> Vec<String> {
    let wrong = |(id, record): &(ResultId, Record)| {
        let reason = summary(&workspace.store, id, record).err()?;
        Some(format!("result {} of {}: {reason}", id.short(), record.test))
    };
    records.par_iter().filter_map(wrong).collect()
}

fn summary(store: &Store, id: &ResultId, record: &Record) -> Result<(), String> {
    let bytes = store.file(id, record, "samples.parquet").map_err(|error| error.to_string())?;
    let streams = read_parquet(&bytes).map_err(|error| format!("failed to {error}"))?;
    if matches!(record.status, Status::Failed { .. }) {
        return Ok(());
    }
    match &record.search {
        Some(search) => {
            of_these_parties(&search.evidenced(&streams), &record.evidence)?;
            of_these_trials(search, &streams, record)?;
        }
        None if record.windows.is_empty() => of_these_parties(&streams, &record.evidence)?,
        None => of_these_windows(&streams, record)?,
    }
    if record.reduction_version != REDUCTION_VERSION {
        return Ok(());
    }
    let again = judge::reduce_again(record, &streams);
    if again != record.reduction {
        let differs =
            again.values.iter().find(|(quantity, value)| record.reduction.values.get(quantity) != Some(value));
        return Err(match differs {
            Some((quantity, value)) => format!(
                "its samples give {quantity:?} = {value}, its record says {}",
                record.reduction.values.get(quantity).map_or("nothing".to_string(), f64::to_string)
            ),
            None => "its samples do not give what its record says".to_string(),
        });
    }
    let window = CountedWindow {
        warmup_ns: record.times.warmup_ns,
        duration_ns: record.times.duration_ns,
        interval_ns: record.interval_ns,
    };
    let windows = record.reduce_windows(&streams, &window, &record.tuple);
    if let Some(place) = windows.iter().zip(&record.windows).position(|(again, window)| *again != window.reduction) {
        return Err(format!("the samples of window {} do not give what its record says", place + 1));
    }
    // The doubts of the samples are in the reduction, which is equal, and those of the run were judged again.
    match record.is_valid() {
        true => record.evidence_of_windows().try_for_each(|evidence| balanced(evidence, &record.tuple)),
        false => Ok(()),
    }
}

/// Whether the samples are those of all windows of a set-up, and of nothing else.
fn of_these_windows(streams: &[RawStream], record: &Record) -> Result<(), String> {
    let mut known = 0;
    for (place, evidence) in record.evidence_of_windows().enumerate() {
        let own = streams_of_window(streams, place);
        known += own.len();
        of_these_parties(&own, evidence).map_err(|reason| format!("window {}: {reason}", place + 1))?;
    }
    match known == streams.len() {
        true => Ok(()),
        false => Err("its samples are of other windows than its record says".to_string()),
    }
}

/// Whether the trials of a search count what their samples hold.
fn of_these_trials(search: &Search, streams: &[RawStream], record: &Record) -> Result<(), String> {
    for (place, trial) in search.trials.iter().enumerate() {
        let own = streams_of(streams, place);
        let fixed = Tuple { rate: Rate::Pps(trial.rate_pps), ..record.tuple.clone() };
        let window = window(&record.times, trial.duration_ns, record.interval_ns);
        if results::reduce::trial(&own, &window, &fixed).as_ref() != Some(&trial.count) {
            return Err(format!("the samples of trial {place} do not give the counts that its record says"));
        }
    }
    Ok(())
}

/// Whether the samples are those of the generators whose counts are in the record.
fn of_these_parties(streams: &[RawStream], evidence: &Evidence) -> Result<(), String> {
    let told: BTreeMap<&str, Role> = evidence.parties.iter().map(|(name, party)| (name.as_str(), party.role)).collect();
    let found: BTreeMap<&str, Role> = streams.iter().map(|stream| (stream.source.as_str(), stream.role)).collect();
    if told != found {
        return Err("its samples are of other processes than its record says: samples of another test".to_string());
    }
    for stream in streams {
        let Some(party) = evidence.parties.get(&stream.source) else { continue };
        let counted: u64 = stream.intervals.iter().map(|interval| u64::from(interval.packets)).sum();
        let totals = &party.totals;
        let expected = if stream.role == Role::Send { totals.sent } else { totals.received };
        let timed = stream.rtts.len() as u64;
        // The drain after the last interval is in the totals only.
        if counted > expected || stream.role == Role::Client && timed != totals.rtt_samples {
            return Err(format!(
                "the samples of {} count {counted} packets, its record {expected}: samples of another test",
                stream.source
            ));
        }
    }
    Ok(())
}

/// Whether each pair's two independent counts agree.
fn balanced(evidence: &Evidence, tuple: &Tuple) -> Result<(), String> {
    let (source, sink) = match tuple.dimension {
        Dimension::Throughput => ("send", "receive"),
        Dimension::Latency => ("client", "server"),
    };
    let parties = &evidence.parties;
    for pair in 0..tuple.pairs.get() {
        let of = |role: &str| parties.get(&format!("{role}-{pair}")).map(|party| &party.totals);
        let (Some(source), Some(sink)) = (of(source), of(sink)) else {
            return Err(format!("it counts as valid without the counts of pair {pair}"));
        };
        if check_totals(tuple.dimension, source, sink).contains(&Flag::AccountingMismatch) {
            return Err(format!("it counts as valid although the two counts of pair {pair} disagree"));
        }
    }
    Ok(())
}
