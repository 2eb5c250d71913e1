//! An old stack beside the new one: yesterday's numbers may come from another state of the machine, so a run that
//! measures what an upgrade touched can measure the old components afresh in the same blocks. Pure. It must not
//! measure.

use results::tuple::STACK_DEFAULT;

use crate::conditions::{KnownSurroundings, Prospect};
use crate::experiment::Test;
use crate::key::Key;
use crate::plan::Status;
use crate::planned::Planned;

/// A test as it is with another stack.
#[derive(Clone, Debug, PartialEq)]
pub struct Twin {
    /// The test.
    pub test: Test,
    /// The twin's key.
    pub key: Key,
}

/// Twins in `stack` of the tests that `takes` takes and that are to be measured with the system's components; of those
/// only that run through something else there.
///
/// # Errors
/// When there is something to measure and nothing of it can be measured so, in words.
pub fn twins(planned: &Planned, stack: &str, takes: &dyn Fn(&Test) -> bool) -> Result<Vec<Twin>, String> {
    let (mut shared, mut twins, mut problem) = (KnownSurroundings::default(), Vec::new(), None);
    for (test, decision) in planned.tests() {
        if decision.status != Status::ToMeasure || *test.tuple.variant.stack != *STACK_DEFAULT || !takes(test) {
            continue;
        }
        let mut test = test.clone();
        test.tuple.variant.stack = stack.into();
        match planned.conditions.judge(&test, &mut shared) {
            Prospect::Ready(ready) if Some(ready.manifest.key()) == decision.key => {
                problem.get_or_insert_with(|| format!("nothing of it comes from stack '{stack}'"));
            }
            Prospect::Ready(ready) => twins.push(Twin { key: ready.manifest.key(), test }),
            Prospect::Skipped(reason) => problem = Some(reason),
        }
    }
    match problem {
        Some(problem) if twins.is_empty() => Err(problem),
        _ => Ok(twins),
    }
}
