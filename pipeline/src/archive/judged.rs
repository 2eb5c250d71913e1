//! A record judged again from what it holds itself: facts, counts, counters and trials. A record that lacks a
//! doubt which they raise, or that tells of another host than its key, was changed after it was written. Pure. It
//! must not know files or samples.

use host_setup::facts::Facts;
use host_setup::protocol::Achieved;
use results::axes::Rate;
use results::flags::Flag;
use results::tuple::Tuple;

use crate::conditions::{placed_as, sections_of_host, sides};
use crate::experiment::Times;
use crate::judge::{Run, RunHost};
use crate::manifest::{Listing, MANIFEST_VERSION};
use crate::search::trials::Search;
use crate::search::{self, Next, SEARCH_VERSION};
use crate::store::{Evidence, Record, Status};

/// Holds a record against itself and the manifest of its key.
///
/// # Errors
/// What does not agree, in words.
pub fn again(record: &Record, manifest: &Listing) -> Result<(), String> {
    if matches!(record.status, Status::Failed { .. }) {
        return Ok(());
    }
    if record.hosts().count() != sides(record.tuple.locality)
        || record.evidence_of_windows().any(|evidence| evidence.hosts().count() != record.hosts().count())
    {
        return Err("it does not tell of as many hosts as its test has".to_string());
    }
    let near = |place: usize| record.near.get(place).copied().flatten();
    let plan = |(place, (facts, _)): (usize, (&Facts, &Achieved))| placed_as(&record.tuple, facts, near(place));
    let plans = record.hosts().enumerate().map(plan).collect::<Result<Vec<_>, _>>()?;
    for (place, ((facts, _), cores)) in record.hosts().zip(&plans).enumerate() {
        if manifest.format != MANIFEST_VERSION {
            break;
        }
        for (name, section) in sections_of_host(place, facts, cores) {
            // A section without fields is absent.
            if manifest.sections.get(name.name()).cloned().unwrap_or_default() != section {
                let name = name.name();
                return Err(format!("its record tells of another host than its key: {name} differs"));
            }
        }
    }
    let (tuple, times) = evidenced(record);
    let host = |((facts, achieved), cores)| RunHost { cores, facts, achieved };
    let hosts: Vec<RunHost> = record.hosts().zip(&plans).map(host).collect();
    let doubts = |evidence: &Evidence| Run { tuple: &tuple, times: &times, hosts: &hosts, evidence }.doubts().flags;
    of_each_window(record, &doubts)?;
    let mut raised: Vec<Flag> = record.evidence_of_windows().flat_map(&doubts).collect();
    raised.extend(&record.reduction.flags);
    if let Some(search) = &record.search {
        raised.extend(search.deciding().filter_map(|place| search.trials.get(place)).flat_map(|trial| &trial.flags));
        concludes(search)?;
    }
    if let Some(missing) = raised.iter().find(|flag| !record.flags.contains(flag)) {
        return Err(format!("its record lacks the flag {}, which what it holds raises", missing.name()));
    }
    match (record.flags.iter().find(|flag| flag.suspect()), record.is_valid()) {
        (Some(flag), true) => Err(format!("it counts as valid although it has the flag {}", flag.name())),
        (None, false) => Err("it is left out as suspect without a flag that says why".to_string()),
        _ => Ok(()),
    }
}

/// Whether each of several windows has its own evidence and all doubts that it raises, and the set-up all of theirs.
fn of_each_window(record: &Record, doubts: &dyn Fn(&Evidence) -> Vec<Flag>) -> Result<(), String> {
    let windows = &record.windows;
    let own = windows.iter().enumerate().all(|(place, window)| (place == 0) == window.evidence.is_none());
    if windows.len() == 1 || !own {
        return Err("its windows are not as many as there is evidence of".to_string());
    }
    for (place, (window, evidence)) in windows.iter().zip(record.evidence_of_windows()).enumerate() {
        let raised = [doubts(evidence), window.reduction.flags.clone()].concat();
        let missing = raised.into_iter().find(|flag| !window.flags.contains(flag));
        let missing = missing.or_else(|| window.flags.iter().find(|flag| !record.flags.contains(flag)).copied());
        if let Some(flag) = missing {
            return Err(format!("window {} lacks the flag {}, which what it holds raises", place + 1, flag.name()));
        }
    }
    Ok(())
}

/// The test that a record's evidence is of: of a search, the last full trial at the rate that was found.
fn evidenced(record: &Record) -> (Tuple, Times) {
    let of_search = record.search.as_ref().and_then(|search| {
        let place = search.deciding().last().or(search.trials.len().checked_sub(1))?;
        search.trials.get(place)
    });
    match of_search {
        None => (record.tuple.clone(), record.times),
        Some(trial) => (
            Tuple { rate: Rate::Pps(trial.rate_pps), ..record.tuple.clone() },
            Times { duration_ns: trial.duration_ns, ..record.times },
        ),
    }
}

/// Whether the trials of a search lead to what it says that it found.
fn concludes(search: &Search) -> Result<(), String> {
    if search.version != SEARCH_VERSION {
        return Ok(());
    }
    let tried: Vec<search::Tried> = search.trials.iter().map(search::trials::Trial::tried).collect();
    let found = Next::Found { lower_pps: search.lower_pps, upper_pps: search.upper_pps };
    match search::next(&search.goal, &tried) == found {
        true => Ok(()),
        false => Err("its trials do not lead to the rate that it says was found".to_string()),
    }
}
