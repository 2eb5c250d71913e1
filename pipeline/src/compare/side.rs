//! What a name on the command line means as a side of a comparison: a generation, a stack, an archive, or what
//! was imported from one. It must not compare.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rayon::prelude::*;
use results::summary::Repetition;
use results::tuple::{STACK_DEFAULT, Tuple};

use crate::archive::{self, ArchiveError, Depth, Limits, Origin};
use crate::conditions::test_section;
use crate::difference::Manifests;
use crate::experiment::select;
use crate::key::{Key, ResultId};
use crate::manifest::{Manifest, Sealed};
use crate::report::repetition_of;
use crate::stood;
use crate::store::{Generation, GenerationName, Line, StoreError, Unusable};
use crate::workspace::Workspace;

/// One side: tests with what was measured of them.
#[derive(Clone, Debug)]
pub struct Side {
    /// The name that the user called it by.
    pub name: String,
    /// By the test's name; those without a valid repetition are left out.
    pub tests: BTreeMap<String, SideTest>,
    /// Versions of components, by digest, where they have any.
    pub versions: BTreeMap<String, String>,
}

/// What one side has of a test.
#[derive(Clone, Debug)]
pub struct SideTest {
    /// The test's coordinates.
    pub tuple: Tuple,
    /// Valid repetitions, in order of measurement.
    pub repetitions: Vec<(ResultId, Repetition)>,
    /// What they were measured under, as far as the store still has it; more than one where an accepted change is
    /// leaned on.
    pub manifests: Vec<Manifest>,
}

impl SideTest {
    fn ids(&self) -> BTreeSet<ResultId> {
        self.repetitions.iter().map(|(id, _)| *id).collect()
    }

    /// Whether both sides stand on the very same repetitions.
    pub fn is_same(&self, other: &SideTest) -> bool {
        self.ids() == other.ids()
    }

    /// Repetitions; where the other side has some of them and fewer altogether, only those of this side alone.
    pub fn without(&self, other: &SideTest) -> Vec<Repetition> {
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
        /// The names that it could mean.
        there: Vec<String>,
    },
    /// Nothing was imported under that name.
    #[error("nothing was imported as '{asked}'; `septet archive import` does it")]
    NoOrigin {
        /// The name.
        asked: String,
    },
    /// An archive that cannot be used.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
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

/// The side that `text` means: `stack:NAME` is what the latest generation measured with that stack, `origin:NAME`
/// what was imported under that name, the path of an archive what it holds (every digest of it checked first);
/// else a generation: `latest`, `latest~2` (two before it), or what its name or its digest begins with.
pub fn resolve(workspace: &Workspace, text: &str) -> Result<Side, SideError> {
    if let Some(stack) = text.strip_prefix("stack:") {
        return Ok(of_stack(of_generation(workspace, "latest")?, stack));
    }
    if let Some(name) = text.strip_prefix("origin:") {
        let id = Origin::name(name)?;
        let there = Origin::workspace(&workspace.store, &id)?;
        let there = there.ok_or_else(|| SideError::NoOrigin { asked: name.to_string() })?;
        let side = of_generation(&there, "latest")?;
        return Ok(Side { name: text.to_string(), ..side });
    }
    let path = Path::new(text);
    if path.is_file() {
        let opened = archive::open(path, Limits::default(), Depth::Whole)?;
        let (there, generation) = opened.sound()?;
        return Ok(read(there, text.to_string(), generation)?);
    }
    of_generation(workspace, text)
}

fn of_generation(workspace: &Workspace, text: &str) -> Result<Side, SideError> {
    let experiment = workspace.experiment.name.as_str();
    let name = pick(&workspace.store.line(experiment)?, experiment, text)?;
    let generation = workspace.store.generation(experiment, &name)?;
    let name = name.to_string();
    Ok(read(workspace, name, &generation)?)
}

/// The tests of one stack, under the names that they have without naming any.
fn of_stack(side: Side, stack: &str) -> Side {
    let own = side.tests.into_values().filter(|measured| &*measured.tuple.variant.stack == stack);
    let tests = own.map(|measured| {
        let mut tuple = measured.tuple.clone();
        tuple.variant.stack = STACK_DEFAULT.into();
        (tuple.to_string(), measured)
    });
    Side { name: format!("stack {stack} of {}", side.name), tests: tests.collect(), versions: side.versions }
}

/// The generation that is meant: `latest`, `latest~1`, or the beginning of a name or of a digest in it.
///
/// # Errors
/// None is, or several are, or the latest cannot be read.
pub fn pick(line: &Line, experiment: &str, asked: &str) -> Result<GenerationName, SideError> {
    if asked == "latest" || asked.starts_with("latest~") {
        line.latest()?;
    }
    // Counted back over one that cannot be read, another one would be meant.
    let is_meant = |unusable: &&Unusable| {
        asked.starts_with("latest~") || !asked.is_empty() && unusable.name.as_str().starts_with(asked)
    };
    if let Some(unusable) = line.unusable().iter().find(is_meant) {
        return Err(StoreError::damaged(&unusable.path, &unusable.reason).into());
    }
    pick_of(line.names(), experiment, asked)
}

/// The one of `names` (oldest first) that is meant.
fn pick_of(names: &[GenerationName], experiment: &str, asked: &str) -> Result<GenerationName, SideError> {
    let there = |names: &[GenerationName]| names.iter().map(GenerationName::to_string).collect();
    let unknown =
        || SideError::Unknown { experiment: experiment.to_string(), asked: asked.to_string(), there: there(names) };
    if let Some(rest) = asked.strip_prefix("latest") {
        let back = match rest.strip_prefix('~') {
            Some(number) => number.parse::<usize>().map_err(|_| unknown())?,
            None if rest.is_empty() => 0,
            None => return Err(unknown()),
        };
        return names.iter().rev().nth(back).cloned().ok_or_else(unknown);
    }
    let begins = |name: &&GenerationName| {
        let mut digests = name.digests();
        !asked.is_empty() && (name.as_str().starts_with(asked) || digests.any(|digest| digest.starts_with(asked)))
    };
    let found: Vec<GenerationName> = names.iter().filter(begins).cloned().collect();
    match &found[..] {
        [] => Err(unknown()),
        [name] => Ok(name.clone()),
        // Several runs may have stood on the very same: any of them is what is meant.
        [first, others @ ..] if others.iter().all(|name| name.stands_on() == first.stands_on()) => {
            Ok(others.last().unwrap_or(first).clone())
        }
        _ => Err(SideError::Ambiguous { asked: asked.to_string(), there: there(&found) }),
    }
}

/// A generation as a side of that name: reads its records.
pub(crate) fn read(workspace: &Workspace, name: String, generation: &Generation) -> Result<Side, StoreError> {
    let tests: Result<Vec<_>, StoreError> = generation
        .tests
        .par_iter()
        .map(|stands| {
            let mut records = Vec::new();
            for id in &stands.repetitions {
                let record = stood::record(&workspace.store, stands, id)?;
                if record.is_valid() {
                    let repetition = repetition_of(workspace, id, &record)?;
                    records.push((record, *id, repetition));
                }
            }
            records.sort_by(|a, b| (&a.0.started, a.1).cmp(&(&b.0.started, b.1)));
            let Some((first, ..)) = records.first() else { return Ok(None) };
            let components = records.iter().flat_map(|(record, ..)| record.components());
            let found = TestRecords {
                name: stands.name.clone(),
                // What was measured under another name of the same key has that name in its record.
                tuple: select::name(&stands.name).unwrap_or_else(|_| first.tuple.clone()),
                keys: records.iter().map(|(record, ..)| record.key).collect(),
                versions: components.filter_map(|one| Some((one.digest.clone(), one.version.clone()?))).collect(),
                repetitions: records.into_iter().map(|(_, id, repetition)| (id, repetition)).collect(),
            };
            Ok(Some(found))
        })
        .collect();
    let mut manifests = Manifests::of(&workspace.store);
    let mut side = Side { name, tests: BTreeMap::new(), versions: BTreeMap::new() };
    for TestRecords { name, tuple, repetitions, keys, versions } in tests?.into_iter().flatten() {
        let own = Sealed::new(test_section(&tuple));
        let mut under = Vec::new();
        for key in &keys {
            under.extend(manifests.get(&own, key)?);
        }
        side.versions.extend(versions);
        side.tests.insert(name, SideTest { tuple, repetitions, manifests: under });
    }
    Ok(side)
}

/// A test as its records have it.
struct TestRecords {
    name: String,
    tuple: Tuple,
    repetitions: Vec<(ResultId, Repetition)>,
    keys: BTreeSet<Key>,
    versions: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_its_tests_without_its_name() {
        let named = "throughput/local/1vs1/ovs/64B/1Mpps/b64";
        let tuple = |stack: &str| {
            let selection = crate::experiment::select::name(&format!("{named}{stack}"));
            selection.unwrap_or_else(|error| panic!("{error}"))
        };
        let tests = ["", "+stack=new"].map(|stack| {
            let tuple = tuple(stack);
            (tuple.to_string(), SideTest { tuple, repetitions: Vec::new(), manifests: Vec::new() })
        });
        let side = Side { name: "g".to_string(), tests: tests.into(), versions: BTreeMap::new() };
        let new = of_stack(side.clone(), "new");
        assert_eq!(new.tests.keys().collect::<Vec<_>>(), [named]);
        assert_eq!(&*new.tests[named].tuple.variant.stack, "new");
        assert_eq!(of_stack(side, STACK_DEFAULT).tests.len(), 1);
    }

    #[test]
    fn names_are_found_by_their_beginning_their_digest_and_their_place() {
        let names = [
            "20260101T1-aaaaaaaaaaaaaaaa",
            "20260102T1-abbbbbbbbbbbbbbb",
            "20250102T2-cccccccccccccccc-dddddddddddddddd",
            "20250103T2-eeeeeeeeeeeeeeee-0123456789abcdef",
            "20250104T2-eeeeeeeeeeeeeeee-123456789abcdef0",
        ]
        .map(|name| name.parse::<GenerationName>().expect("it is a name"));
        let picked = |asked| {
            let name = pick_of(&names, "quick", asked).map_err(|error| error.to_string())?;
            Ok::<_, String>(names.iter().position(|other| *other == name).expect("it is one of them"))
        };
        assert_eq!(picked("latest"), Ok(4));
        assert_eq!(picked("latest~2"), Ok(2));
        assert_eq!(picked("ab"), Ok(1));
        assert_eq!(picked("ddd"), Ok(2));
        assert_eq!(picked("eee"), Ok(4), "they stand on the same");
        assert_eq!(picked("20260101"), Ok(0));
        assert!(picked("2026").unwrap_err().contains("several generations"));
        for nothing in ["", "latest~5", "latest~x", "later", "zz"] {
            assert!(picked(nothing).unwrap_err().contains("there are 20260101T1-aaaa"), "{nothing}");
        }
    }
}
