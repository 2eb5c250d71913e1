//! Generations in a shared store: of each experiment the latest that somebody pushed, so that its report can be
//! made where nothing of it was measured. It must not know how reports are made.
//!
//! `generations/EXPERIMENT/latest` holds the name of the latest, since not every store can be listed.

use reports::spec::Id;

use super::{Op, Remote, RemoteError, told};
use crate::beneath::Folder;
use crate::key::ResultId;
use crate::store::{Generation, GenerationName, Store, format_bytes};

/// Most bytes of a generation's file.
const BYTES_MAX: u64 = 1 << 29;
/// Most bytes of a generation's name: a time, two digests.
const NAME_BYTES_MAX: u64 = 100;

/// Most experiments of one shared store.
const EXPERIMENTS_MAX: usize = 10_000;

fn pointer(experiment: &str) -> String {
    format!("generations/{experiment}/latest")
}

fn object(experiment: &str, name: &GenerationName) -> String {
    format!("generations/{experiment}/{name}.json.zst")
}

/// Copies each experiment's latest generation whose results are all there, unless theirs is a later one, or it leans
/// on accepted changes. What else is to be known of it, in words.
pub fn push(
    store: &Store,
    remote: &mut Remote,
    folder: &Folder,
    is_there: &dyn Fn(&ResultId) -> bool,
) -> Result<Vec<String>, RemoteError> {
    let mut notes = Vec::new();
    for experiment in store.experiments()? {
        let Some((name, generation)) = store.latest_generation(&experiment)? else { continue };
        let whole = generation.tests.iter().flat_map(|test| &test.repetitions).all(is_there);
        // What one has accepted is one's own view: others get the results, and accept for themselves.
        let leans = !generation.statements().is_empty();
        if !whole || leans {
            continue;
        }
        if let Some(theirs) = latest_name(remote, folder, &experiment)? {
            let (is_later, note) = held_against(store, remote, folder, (&name, &generation), &theirs)?;
            notes.extend(note);
            if !is_later {
                continue;
            }
        }
        let (_, bytes) = generation.file()?;
        let named = name.to_string().into_bytes();
        for (object, bytes) in
            [("format".to_string(), format_bytes()), (object(&experiment, &name), bytes), (pointer(&experiment), named)]
        {
            let file = folder.name(["generation-here"])?;
            folder.replace_if_different(&file, &bytes)?;
            remote.copy(vec![Op::Put { name: object, from: told(&folder.path_of(&file)) }])?;
        }
    }
    Ok(notes)
}

/// Whether one's own latest generation is later than theirs, by what each follows; and where neither follows the
/// other, how that was decided.
fn held_against(
    store: &Store,
    remote: &mut Remote,
    folder: &Folder,
    (name, own): (&GenerationName, &Generation),
    theirs: &GenerationName,
) -> Result<(bool, Option<String>), RemoteError> {
    if theirs == name {
        return Ok((false, None));
    }
    // Older formats know no predecessors: among them the names decide, and they are before all others.
    if theirs.is_older() || name.is_older() {
        return Ok((theirs.is_older() && (!name.is_older() || theirs < name), None));
    }
    if store.follows(&own.experiment, name, theirs) {
        return Ok((true, None));
    }
    let there = match fetched(remote, folder, &own.experiment, theirs) {
        Ok(there) => there,
        // One that cannot be used must not keep a sound one out.
        Err(error @ RemoteError::Refused { .. }) => return Ok((true, Some(format!("{error}; it is replaced")))),
        Err(error) => return Err(error),
    };
    let is_later = own.rank() > there.rank();
    if there.follows.contains(name) {
        return Ok((false, None));
    }
    let (latest, other) = if is_later { (name, theirs) } else { (theirs, name) };
    let note = format!(
        "of {}, neither {name} here nor {theirs} there follows the other; {latest} is taken for the latest there, not {other}",
        own.experiment
    );
    Ok((is_later, Some(note)))
}

/// The latest generation of an experiment, if anybody pushed one. Its results are not looked at.
pub fn latest(remote: &mut Remote, folder: &Folder, experiment: &str) -> Result<Option<Generation>, RemoteError> {
    let Some(name) = latest_name(remote, folder, experiment)? else { return Ok(None) };
    fetched(remote, folder, experiment, &name).map(Some)
}

/// The experiments of which a shared store has generations; none, if it is a plain web server, which cannot be listed.
/// What has no name of an experiment there is not ours.
pub fn experiments(remote: &mut Remote) -> Result<Option<Vec<Id>>, RemoteError> {
    if remote.address().in_full().starts_with("http") {
        return Ok(None);
    }
    let names = remote.list("generations")?;
    let experiment = |name: &String| Id::new(name.strip_prefix("generations/")?.strip_suffix("/latest")?);
    let mut experiments: Vec<Id> = names.iter().filter_map(experiment).collect();
    if experiments.len() > EXPERIMENTS_MAX {
        return Err(remote.refused(format!("list its experiments: there are more than {EXPERIMENTS_MAX}")));
    }
    experiments.sort_unstable();
    Ok(Some(experiments))
}

/// A generation by its name, which it must have.
fn fetched(
    remote: &mut Remote,
    folder: &Folder,
    experiment: &str,
    name: &GenerationName,
) -> Result<Generation, RemoteError> {
    let file = folder.name(["generation-there"])?;
    let to = told(&folder.path_of(&file));
    let get = Op::Get { name: object(experiment, name), to, bytes_max: BYTES_MAX };
    let outcome = remote.copy(vec![get])?.remove(0);
    let is_there = remote.came(&object(experiment, name), &outcome)?;
    let refused = |reason: &str| remote.refused(format!("use its generation {name} of {experiment}: {reason}"));
    if !is_there {
        return Err(refused("it is not there"));
    }
    Generation::read(folder, &file, experiment, name).map_err(|error| refused(&error.to_string()))
}

fn latest_name(remote: &mut Remote, folder: &Folder, experiment: &str) -> Result<Option<GenerationName>, RemoteError> {
    let file = folder.name([&format!("latest-{experiment}")])?;
    let get = Op::Get { name: pointer(experiment), to: told(&folder.path_of(&file)), bytes_max: NAME_BYTES_MAX };
    let outcome = remote.copy(vec![get])?.remove(0);
    if !remote.came(&pointer(experiment), &outcome)? {
        return Ok(None);
    }
    let name = String::from_utf8_lossy(&folder.read(&file, NAME_BYTES_MAX)?).into_owned();
    match name.parse() {
        Ok(name) => Ok(Some(name)),
        Err(_) => Err(remote.refused(format!("use its generations of {experiment}: the latest has no plain name"))),
    }
}
