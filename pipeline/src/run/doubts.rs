//! What of an experiment is in doubt while a run goes on: reads the valid results of its tests once each, as they come
//! in, and says how urgent each test is. It must not decide what is needed, or who measures what.

use std::collections::HashMap;

use rayon::prelude::*;
use reports::model::{State, TestView};
use reports::topology::Route;
use results::summary;

use crate::acceptance::{Acceptances, Leaning};
use crate::conditions::{Conditions, KnownSurroundings};
use crate::dispatch::Urgency;
use crate::doubt::{Needs, Standing};
use crate::key::{Key, ResultId};
use crate::plan::StoredResults;
use crate::report;
use crate::store::{Index, Standing as Counts, StoreError};
use crate::workspace::Workspace;

/// The doubts of a run.
pub(super) struct Doubts<'t> {
    workspace: &'t Workspace,
    needs: Needs,
    tests: Vec<Known>,
    places: HashMap<Key, usize>,
}

/// What is known of a test of the matrix.
struct Known {
    view: TestView,
    /// Keys of its results, its own and older ones that count.
    keys: Vec<Key>,
    repetitions: HashMap<ResultId, summary::Repetition>,
}

impl<'t> Doubts<'t> {
    /// Those of an experiment as it is measured under these conditions, with what is stored.
    ///
    /// # Errors
    /// When a result cannot be read.
    pub(super) fn new(
        workspace: &'t Workspace,
        conditions: &Conditions,
        accepted: &Acceptances,
        index: &Index,
    ) -> Result<Doubts<'t>, StoreError> {
        let mut shared = KnownSurroundings::default();
        let mut leaning = Leaning::new(accepted);
        let (mut tests, mut places) = (Vec::new(), HashMap::new());
        for test in workspace.tests() {
            let (keys, state) = match conditions.keyed(test, &mut shared) {
                Err(reason) => (Vec::new(), State::Skipped(reason)),
                Ok(now) => {
                    let of = StoredResults::of(now, &workspace.experiment.protocol.repetitions, index, &mut leaning);
                    let keys = std::iter::once(now.key).chain(of.leans.iter().map(|lean| lean.key));
                    (keys.collect(), State::NotMeasured)
                }
            };
            if let Some(key) = keys.first() {
                places.insert(*key, tests.len());
            }
            let groups = test.groups.iter().filter_map(|group| workspace.experiment.groups.get(usize::from(*group)));
            let view = TestView {
                tuple: test.tuple.clone(),
                name: test.tuple.to_string(),
                key: None,
                // Nothing is drawn.
                route: Route::Virtio,
                groups: groups.map(|group| group.id.clone()).collect(),
                state,
                summary: None,
                accepted: Vec::new(),
            };
            tests.push(Known { view, keys, repetitions: HashMap::new() });
        }
        let mut doubts = Doubts { workspace, needs: Needs::of(&workspace.experiment), tests, places };
        doubts.read(index)?;
        Ok(doubts)
    }

    /// Reads what has come in since.
    ///
    /// # Errors
    /// When a result cannot be read.
    pub(super) fn read(&mut self, index: &Index) -> Result<(), StoreError> {
        let workspace = self.workspace;
        let matrix = workspace.tests();
        self.tests.par_iter_mut().zip(matrix).try_for_each(|(known, test)| {
            let valid = known.keys.iter().flat_map(|key| index.of_key(key));
            let new: Vec<ResultId> = valid
                .filter(|entry| entry.standing == Counts::Valid && !known.repetitions.contains_key(&entry.id))
                .map(|entry| entry.id)
                .collect();
            if new.is_empty() {
                return Ok(());
            }
            for id in new {
                let record = workspace.store.record(&id)?;
                known.repetitions.insert(id, report::repetition_of(workspace, &id, &record)?);
            }
            let repetitions: Vec<summary::Repetition> = known.repetitions.values().cloned().collect();
            let summary = report::summarised(&repetitions, test, &workspace.experiment.protocol.repetitions);
            if summary.valid > 0 {
                (known.view.summary, known.view.state) = (Some(summary), State::Measured);
            }
            Ok(())
        })
    }

    /// How urgent the test with a key is, of those that are asked for; a test that is not of the matrix is measured
    /// beside one that is, and nothing is known of what it is for.
    pub(super) fn urgencies<'k>(&self, keys: impl Iterator<Item = &'k Key>) -> Vec<Urgency> {
        let views: Vec<TestView> = self.tests.iter().map(|known| known.view.clone()).collect();
        let Standing { urgencies, .. } = self.needs.standing(&views);
        let of = |key: &Key| self.places.get(key).and_then(|place| urgencies.get(*place)).copied();
        keys.map(|key| of(key).unwrap_or(Urgency::UNKNOWN)).collect()
    }
}
