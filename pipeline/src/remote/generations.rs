//! Generations in a shared store: of each experiment the latest that somebody pushed, so that its report can be
//! made where nothing of it was measured. It must not know how reports are made.
//!
//! `generations/EXPERIMENT/latest` holds the name of the latest, since not every store can be listed.

use super::{Op, Remote, RemoteError, told};
use crate::beneath::Folder;
use crate::key::ResultId;
use crate::store::{Generation, Store};

/// Most bytes of a generation's file.
const BYTES_MAX: u64 = 1 << 29;
/// Most bytes of a generation's name: a time, a digest.
const NAME_BYTES_MAX: u64 = 100;

fn pointer(experiment: &str) -> String {
    format!("generations/{experiment}/latest")
}

fn object(experiment: &str, name: &str) -> String {
    format!("generations/{experiment}/{name}.json.zst")
}

/// Copies each experiment's latest generation whose results are all there, unless a later one is there, or it leans
/// on accepted changes.
pub fn push(
    store: &Store,
    remote: &mut Remote,
    folder: &Folder,
    is_there: &dyn Fn(&ResultId) -> bool,
) -> Result<(), RemoteError> {
    for experiment in store.experiments()? {
        let Some((name, generation)) = store.latest_generation(&experiment)? else { continue };
        let whole = generation.tests.iter().flat_map(|test| &test.repetitions).all(is_there);
        // What one has accepted is one's own view: others get the results, and accept for themselves.
        let leans = !generation.statements().is_empty();
        if !whole || leans || latest_name(remote, folder, &experiment)?.is_some_and(|theirs| theirs >= name) {
            continue;
        }
        let (_, bytes) = generation.file()?;
        for (object, bytes) in [(object(&experiment, &name), bytes), (pointer(&experiment), name.into_bytes())] {
            let file = folder.name(["generation-here"])?;
            folder.replace_if_different(&file, &bytes)?;
            remote.copy(vec![Op::Put { name: object, from: told(&folder.path_of(&file)) }])?;
        }
    }
    Ok(())
}

/// The latest generation of an experiment, if anybody pushed one. Its results are not looked at.
pub fn latest(remote: &mut Remote, folder: &Folder, experiment: &str) -> Result<Option<Generation>, RemoteError> {
    let Some(name) = latest_name(remote, folder, experiment)? else { return Ok(None) };
    let file = folder.name(["generation-there"])?;
    let to = told(&folder.path_of(&file));
    let get = Op::Get { name: object(experiment, &name), to, bytes_max: BYTES_MAX };
    let outcome = remote.copy(vec![get])?.remove(0);
    let is_there = remote.came(&object(experiment, &name), &outcome)?;
    let refused = |reason: &str| remote.refused(format!("use its generation {name} of {experiment}: {reason}"));
    if !is_there {
        return Err(refused("it is not there"));
    }
    let generation = Generation::read(folder, &file).map_err(|error| refused(&error.to_string()))?;
    match generation.experiment == experiment && generation.name() == name {
        true => Ok(Some(generation)),
        false => Err(refused("its content is not what its name says")),
    }
}

fn latest_name(remote: &mut Remote, folder: &Folder, experiment: &str) -> Result<Option<String>, RemoteError> {
    let file = folder.name([&format!("latest-{experiment}")])?;
    let get = Op::Get { name: pointer(experiment), to: told(&folder.path_of(&file)), bytes_max: NAME_BYTES_MAX };
    let outcome = remote.copy(vec![get])?.remove(0);
    if !remote.came(&pointer(experiment), &outcome)? {
        return Ok(None);
    }
    let name = String::from_utf8_lossy(&folder.read(&file, NAME_BYTES_MAX)?).into_owned();
    match name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        true => Ok(Some(name)),
        false => Err(remote.refused(format!("use its generations of {experiment}: the latest has no plain name"))),
    }
}
