//! `septet store gc`: says what would be deleted and what it would cost, and deletes only what it has said.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{GcArgs, GcScope, place, say, say_json};
use crate::beneath;
use crate::clock;
use crate::exit::{Exit, Trouble};
use crate::experiment::{self, LoadError};
use crate::planned::plural;
use crate::store::{Condemned, Scope, Store, TestId, Wish};

impl From<GcScope> for Scope {
    fn from(scope: GcScope) -> Scope {
        match scope {
            GcScope::Failed => Scope::Failed,
            GcScope::Suspect => Scope::Suspect,
            GcScope::Superseded => Scope::Superseded,
            GcScope::Unreferenced => Scope::Unreferenced,
        }
    }
}

#[derive(Serialize)]
struct GcJson {
    deleted: bool,
    list: String,
    results: usize,
    generations: Vec<String>,
    bytes: u64,
    cost_s: f64,
    scopes: BTreeMap<&'static str, usize>,
}

/// Names of the scopes, and what they are.
fn told(scope: Scope) -> (&'static str, &'static str) {
    match scope {
        Scope::Failed => ("failed", "attempts that failed"),
        Scope::Suspect => ("suspect", "suspect repetitions, which no average contains"),
        Scope::Superseded => ("superseded", "measured again since, under another key"),
        Scope::Unreferenced => ("unreferenced", "of tests that no experiment has"),
    }
}

/// Shows, or deletes.
pub(super) fn gc(args: &GcArgs) -> Result<Exit, Trouble> {
    let store = place::open(&args.place)?;
    let scopes: BTreeSet<Scope> = args.scope.iter().map(|scope| Scope::from(*scope)).collect();
    if scopes.is_empty() && args.keep_generations.is_none() {
        return Err(Trouble::input(
            "say what may be deleted: --scope failed,suspect,superseded,unreferenced, or --keep-generations N",
        ));
    }
    let tests = match scopes.contains(&Scope::Unreferenced) {
        true => roots(&store, &args.experiments)?,
        false => HashSet::new(),
    };
    let wish = Wish { scopes, tests, generations: args.keep_generations };
    let (condemned, deleted) = match &args.delete {
        Some(seen) => (store.collect(&wish, seen)?, true),
        None => (store.condemn(&wish)?, false),
    };
    let mut by_scope: BTreeMap<Scope, usize> = BTreeMap::new();
    for (_, scope) in &condemned.results {
        *by_scope.entry(*scope).or_default() += 1;
    }
    if args.json {
        return say_json(&GcJson {
            deleted,
            list: condemned.digest(),
            results: condemned.results.len(),
            generations: condemned
                .generations
                .iter()
                .map(|(experiment, name)| format!("{experiment}/{name}"))
                .collect(),
            bytes: condemned.bytes,
            cost_s: condemned.cost_ms() as f64 / 1e3,
            scopes: by_scope.into_iter().map(|(scope, count)| (told(scope).0, count)).collect(),
        });
    }
    say(&text(&condemned, &by_scope, deleted))
}

fn text(condemned: &Condemned, by_scope: &BTreeMap<Scope, usize>, deleted: bool) -> String {
    if condemned.results.is_empty() && condemned.generations.is_empty() {
        return "nothing to delete".to_string();
    }
    let cost = clock::shown(std::time::Duration::from_millis(condemned.cost_ms()));
    let mut out = format!(
        "{}: {} and {}, {:.1} MiB; measuring them took {cost}\n",
        if deleted { "deleted" } else { "would delete" },
        plural(condemned.results.len(), "result"),
        plural(condemned.generations.len(), "generation"),
        condemned.bytes as f64 / f64::from(1u32 << 20)
    );
    for (scope, count) in by_scope {
        let (name, what) = told(*scope);
        out.push_str(&format!("  {count:>7} {name:<13} {what}\n"));
    }
    for (experiment, name) in &condemned.generations {
        out.push_str(&format!("  generation {name} of {experiment}\n"));
    }
    if !deleted {
        out.push_str(&format!(
            "nothing is deleted yet; to delete exactly this, add: --delete {}\n",
            condemned.digest()
        ));
    }
    out
}

/// Whether a file is meant to be an experiment.
///
/// # Errors
/// Where it cannot be read: if it is one, its results are not nobody's.
fn reads_as_experiment(path: &Path) -> Result<bool, Trouble> {
    let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    match beneath::plain_file(path, experiment::FILE_BYTES_MAX) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).contains("[experiment]")),
        // A folder, a pipe, or more than any experiment.
        Err(error) if beneath::Odd::in_error(&error.source).is_some() => Ok(false),
        // Editors leave links to nothing beside a file that is open.
        Err(error) if error.is_absent() && is_hidden => Ok(false),
        Err(error) => Err(Trouble::host(format!("{error}; if it is an experiment, its results are not nobody's"))),
    }
}

/// The tests of the experiments that were named and that lie beside the store.
fn roots(store: &Store, named: &[PathBuf]) -> Result<HashSet<TestId>, Trouble> {
    let absolute = std::path::absolute(store.root()).unwrap_or_else(|_| store.root().to_path_buf());
    let beside = absolute.parent().unwrap_or(Path::new("."));
    let mut files: Vec<PathBuf> = named.to_vec();
    let listing = |error: io::Error| Trouble::host(format!("failed to list {}: {error}", beside.display()));
    for entry in fs::read_dir(beside).map_err(listing)? {
        let path = entry.map_err(listing)?.path();
        let is_toml = path.extension().is_some_and(|extension| extension == "toml");
        // What is meant to be an experiment and is none, for an error in it, must not cost its results.
        if is_toml && reads_as_experiment(&path)? {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Trouble::input(format!(
            "no experiment lies in {}: name those whose results must stay by --experiment FILE",
            beside.display()
        )));
    }
    let mut tests = HashSet::new();
    for file in files {
        let experiment = experiment::load(&file).map_err(|error| match error {
            LoadError::Invalid(diagnostics) => Trouble::placed(diagnostics),
            other => Trouble::input(other.to_string()),
        })?;
        tests.extend(experiment.matrix.tests.iter().map(|test| TestId::of(&test.tuple.to_string())));
    }
    Ok(tests)
}
