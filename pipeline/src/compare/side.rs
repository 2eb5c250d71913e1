//! What a name on the command line means as a side of a comparison: today a generation, by its name, the
//! beginning of it, or its place from the end. It must not compare.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rayon::prelude::*;
use results::summary::Repetition;
use results::tuple::Tuple;

use crate::experiment::Test;
use crate::key::ResultId;
use crate::report::repetition_of;
use crate::store::{Generation, StoreError};
use crate::workspace::Workspace;

/// One side: tests with what was measured of them.
#[derive(Clone, Debug)]
pub struct Side {
    /// What it is called.
    pub name: String,
    /// By the test's name; those without a valid repetition are left out.
    pub tests: BTreeMap<String, Measured>,
}

/// A test on one side.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Its coordinates.
    pub tuple: Tuple,
    /// Valid repetitions, in order of measurement.
    pub repetitions: Vec<(ResultId, Repetition)>,
}

impl Measured {
    fn ids(&self) -> BTreeSet<ResultId> {
        self.repetitions.iter().map(|(id, _)| *id).collect()
    }

    /// Whether both sides stand on the very same repetitions.
    pub fn is_same(&self, other: &Measured) -> bool {
        self.ids() == other.ids()
    }

    /// Repetitions; where the other side has some of them and fewer altogether, only those of this side alone.
    pub fn without(&self, other: &Measured) -> Vec<Repetition> {
        let theirs = other.ids();
        let gives_way = self.repetitions.len() > theirs.len();
        let kept = self.repetitions.iter().filter(|(id, _)| !gives_way || !theirs.contains(id));
        kept.map(|(_, repetition)| repetition.clone()).collect()
    }
}

/// Why a name means nothing.
#[derive(Debug, thiserror::Error)]
pub enum SideError {
    /// Nothing is called so.
    #[error("no generation of {experiment} is '{asked}'; there are {}", list(there))]
    Unknown {
        /// The experiment.
        experiment: String,
        /// What was asked for.
        asked: String,
        /// What there is.
        there: Vec<String>,
    },
    /// Several are called so.
    #[error("'{asked}' is the beginning of several generations: {}; write more of it", list(there))]
    Ambiguous {
        /// What was asked for.
        asked: String,
        /// What it may mean.
        there: Vec<String>,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn list(names: &[String]) -> String {
    const SHOWN_MAX: usize = 12;
    let shown = names[names.len().saturating_sub(SHOWN_MAX)..].join(", ");
    match names.len() {
        0 => "none".to_string(),
        count if count > SHOWN_MAX => format!("..., {shown}"),
        _ => shown,
    }
}

/// The side that `text` means: `latest`, `latest~2` (two generations before it), or what a generation's name or
/// its digest begins with.
pub fn resolve(workspace: &Workspace, text: &str) -> Result<Side, SideError> {
    let experiment = workspace.experiment.name.as_str();
    let names = workspace.store.generation_names(experiment)?;
    let name = pick(&names, experiment, text)?;
    let generation = workspace.store.generation(experiment, &name)?;
    read(workspace, name, &generation)
}

/// The one of `names` (oldest first) that is meant.
fn pick(names: &[String], experiment: &str, asked: &str) -> Result<String, SideError> {
    let unknown = || SideError::Unknown {
        experiment: experiment.to_string(),
        asked: asked.to_string(),
        there: names.to_vec(),
    };
    if let Some(rest) = asked.strip_prefix("latest") {
        let back = match rest.strip_prefix('~') {
            Some(number) => number.parse::<usize>().map_err(|_| unknown())?,
            None if rest.is_empty() => 0,
            None => return Err(unknown()),
        };
        return names.iter().rev().nth(back).cloned().ok_or_else(unknown);
    }
    let begins = |name: &&String| {
        let digest = name.rsplit('-').next().unwrap_or_default();
        !asked.is_empty() && (name.starts_with(asked) || digest.starts_with(asked))
    };
    let found: Vec<String> = names.iter().filter(begins).cloned().collect();
    match &found[..] {
        [] => Err(unknown()),
        [name] => Ok(name.clone()),
        _ => Err(SideError::Ambiguous { asked: asked.to_string(), there: found }),
    }
}

/// Reads the records of a generation, of tests that the experiment still has.
fn read(workspace: &Workspace, name: String, generation: &Generation) -> Result<Side, SideError> {
    let known: HashMap<String, &Test> =
        workspace.tests().iter().map(|test| (test.tuple.to_string(), test)).collect();
    let rows: Result<Vec<_>, StoreError> = generation
        .tests
        .par_iter()
        .filter_map(|stands| Some((stands, *known.get(&stands.name)?)))
        .map(|(stands, test)| {
            let mut records = Vec::new();
            for id in &stands.repetitions {
                let record = workspace.store.record(id)?;
                if record.is_valid() {
                    let repetition = repetition_of(workspace, id, &record)?;
                    records.push((record.started, *id, repetition));
                }
            }
            records.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
            let repetitions = records.into_iter().map(|(_, id, repetition)| (id, repetition)).collect();
            Ok((stands.name.clone(), Measured { tuple: test.tuple.clone(), repetitions }))
        })
        .collect();
    let tests = rows?.into_iter().filter(|(_, measured)| !measured.repetitions.is_empty()).collect();
    Ok(Side { name, tests })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_their_beginning_their_digest_and_their_place() {
        let names = ["20260101T1-aaaa", "20260102T1-abbb", "20260102T2-cccc"].map(String::from);
        let picked = |asked| pick(&names, "quick", asked).map_err(|error| error.to_string());
        assert_eq!(picked("latest").as_deref(), Ok("20260102T2-cccc"));
        assert_eq!(picked("latest~2").as_deref(), Ok("20260101T1-aaaa"));
        assert_eq!(picked("ab").as_deref(), Ok("20260102T1-abbb"));
        assert_eq!(picked("20260101").as_deref(), Ok("20260101T1-aaaa"));
        assert!(picked("2026").unwrap_err().contains("several generations"));
        for nothing in ["", "latest~3", "latest~x", "later", "zz"] {
            assert!(picked(nothing).unwrap_err().contains("there are 20260101T1-aaaa"), "{nothing}");
        }
    }
}
