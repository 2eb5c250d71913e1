//! The plan: for each test, stored, to be measured, or skipped, and why. Pure: the same tests, conditions
//! and index give the same plan. It must not measure, and reads nothing but what it is given.

mod estimate;

use rayon::prelude::*;
use results::statistics::mean::{mean, variance};
use results::statistics::precise::{self, Asked};
use results::statistics::sequential::{self, Precision};
use results::tuple::{STACK_DEFAULT, Tuple};
use serde::Serialize;

use crate::acceptance::{Acceptances, Lean, Leaning};
use crate::conditions::{Conditions, KnownSurroundings};
use crate::cost::{self, Costs, Estimate, Often};
use crate::experiment::{Protocol, Repetitions, Test};
use crate::key::Key;
use crate::manifest::{Keyed, OwnDigest};
use crate::store::{Entry, Index, Standing, TestId};

/// Attempts a wanted repetition, suspect and failed ones counted, after which a test is given up.
const ATTEMPTS_EACH: u32 = 3;
/// A half width that is narrow enough whatever the mean: 50 packets/s, or 50 ns.
pub const HALF_WIDTH_FLOOR: f64 = 50.0;
/// Tests judged by one worker with one set of shared parts.
const CHUNK: usize = 2048;

/// What becomes of one test.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The decision.
    pub status: Status,
    /// The test's key; absent for a skipped test.
    pub key: Option<Key>,
    /// What of the key is the test's own, by which what changed is told.
    pub own: OwnDigest,
    /// Why, in words; empty for a stored test.
    pub why: Vec<Why>,
    /// Older keys whose results count, since somebody has accepted what changed since; only where those of its own
    /// key do not suffice.
    pub leans: Vec<Lean>,
    /// Repetitions there are and wanted.
    pub repetitions: Have,
    /// How many repetitions are missing, as far as is known.
    missing: Often,
    /// What measuring them will cost.
    pub eta: Estimate,
}

/// Stored, to be measured, or skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The test's valid repetitions suffice.
    Stored,
    /// More are wanted.
    ToMeasure,
    /// The test cannot be measured here.
    Skipped,
}

/// Repetitions there are and wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Have {
    /// Valid ones.
    pub have: u32,
    /// At least wanted.
    pub min: u32,
    /// At most wanted.
    pub max: u32,
}

/// A reason.
#[derive(Clone, Debug, PartialEq)]
pub enum Why {
    /// The test cannot be measured here, for this reason.
    Skipped(String),
    /// Nothing of this test is stored.
    New,
    /// The test is stored under another key; what changed is in the two manifests.
    Changed(Key),
    /// Some repetitions are there, more are wanted.
    TooFew,
    /// The interval over repetitions is wider than asked.
    TooWide,
    /// The user forces it.
    Forced,
    /// Too many attempts gave nothing valid.
    GivenUp(u32),
    /// The asked precision was not reached in the time that a test may take at most, or in the most set-ups.
    Imprecise(Imprecise),
}

/// A precision that was not reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Imprecise {
    /// The half width asked for, as a part of the mean.
    pub asked: f64,
    /// The half width that was reached, likewise.
    pub reached: f64,
    /// Set-ups that would be needed by the spread of those that there are; none where the most are too few.
    pub set_ups: Option<usize>,
    /// What a test may take at most, nanoseconds.
    pub cap_ns: u64,
}

/// A plan for all tests of a matrix, in its order.
#[derive(Debug)]
pub struct Plan {
    /// A decision for each test, in the order of the matrix.
    pub decisions: Vec<Decision>,
}

/// Numbers of a plan, each test once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All tests.
    pub total: usize,
    /// Stored.
    pub stored: usize,
    /// Stored ones that lean on an accepted change.
    pub leaning: usize,
    /// Tests to be measured.
    pub to_measure: usize,
    /// Skipped.
    pub skipped: usize,
    /// Estimated time to measure what is to be measured.
    pub eta: Estimate,
}

impl Plan {
    /// The numbers.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts { total: self.decisions.len(), ..Counts::default() };
        for decision in &self.decisions {
            match decision.status {
                Status::Stored => {
                    counts.stored += 1;
                    counts.leaning += usize::from(!decision.leans.is_empty());
                }
                Status::ToMeasure => {
                    counts.to_measure += 1;
                    counts.eta = [counts.eta, decision.eta].into_iter().sum();
                }
                Status::Skipped => counts.skipped += 1,
            }
        }
        let run = (counts.to_measure > 0).then_some(cost::RUN);
        counts.eta = run.into_iter().chain([counts.eta]).sum();
        counts
    }
}

/// Plans all tests. `forced` says which are measured again whatever is stored, `accepted` which changes make no
/// difference.
pub fn plan(
    tests: &[Test],
    protocol: &Protocol,
    conditions: &Conditions,
    index: &Index,
    accepted: &Acceptances,
    forced: &(dyn Fn(&Test) -> bool + Sync),
) -> Plan {
    let known = || (KnownSurroundings::default(), Leaning::new(accepted), String::new());
    let decided = tests.par_iter().with_min_len(CHUNK).map_init(known, |(shared, leaning, name), test| {
        let keyed = match conditions.keyed(test, shared) {
            Ok(keyed) => keyed,
            Err(reason) => return skipped(protocol, Why::Skipped(reason)),
        };
        let stored = StoredResults::of(keyed, &protocol.repetitions, index, leaning);
        decide(test, keyed, stored, protocol, index, forced(test), name)
    });
    let mut decisions: Vec<Decision> = decided.collect();
    estimate::estimate(tests, &mut decisions, &protocol.repetitions, conditions, index);
    Plan { decisions }
}

fn skipped(protocol: &Protocol, why: Why) -> Decision {
    let Repetitions { min, max, .. } = protocol.repetitions;
    let repetitions = Have { have: 0, min, max };
    Decision {
        status: Status::Skipped,
        key: None,
        own: None,
        why: vec![why],
        leans: Vec::new(),
        repetitions,
        missing: Often::exactly(0),
        eta: Estimate::default(),
    }
}

fn decide(
    test: &Test,
    now: Keyed,
    stored: StoredResults,
    protocol: &Protocol,
    index: &Index,
    forced: bool,
    name: &mut String,
) -> Decision {
    let Repetitions { min, max, .. } = protocol.repetitions;
    let StoredResults { own, leans, standing } = stored;
    let have = Have { have: standing.valid, min, max };
    let decision = |status, why| {
        let (missing, eta) = match status {
            // Of what has nothing stored like tests say it, later.
            Status::ToMeasure if own.is_empty() && !forced => (Often::exactly(0), Estimate::default()),
            Status::ToMeasure => {
                let missing = match forced {
                    true => Often::exactly(min),
                    false => missing(&protocol.repetitions, own, standing.valid, &|_| None),
                };
                (missing, Costs::default().of(test, own).times(missing))
            }
            Status::Stored | Status::Skipped => (Often::exactly(0), Estimate::default()),
        };
        Decision { status, key: Some(now.key), own: now.own, why, leans, repetitions: have, missing, eta }
    };
    match (forced, standing.next) {
        (true, _) => decision(Status::ToMeasure, vec![Why::Forced]),
        (false, Next::Enough) => decision(Status::Stored, imprecise(&protocol.repetitions, own)),
        (false, Next::GiveUp) => decision(Status::Skipped, vec![Why::GivenUp(standing.attempts)]),
        (false, Next::More(Why::New)) => {
            let why = match newest_of(index, &test.tuple, name) {
                Some(older) if older.key != now.key => Why::Changed(older.key),
                _ => Why::New,
            };
            decision(Status::ToMeasure, vec![why])
        }
        (false, Next::More(why)) => decision(Status::ToMeasure, vec![why]),
    }
}

/// Repetitions that a test still wants: by how its own vary, or as long as it has too few, by how those of like tests do,
/// of which `like` says what variance a part of them is below, as a part of the square of the mean.
pub fn missing(wanted: &Repetitions, own: &[Entry], valid: u32, like: &dyn Fn(f64) -> Option<f64>) -> Often {
    let needed = |variance: f64, mean: f64, floor: f64| {
        let count = match (asked(wanted), precision(wanted)) {
            (Some(asked), _) => {
                let asked = Asked { half_width_floor: floor, ..asked };
                precise::fewest(variance, asked.half_width(mean), asked.set_ups_max).unwrap_or(asked.set_ups_max)
            }
            (None, Some(precision)) => {
                sequential::expected(variance, mean, &Precision { half_width_floor: floor, ..precision })
            }
            (None, None) => wanted.min as usize,
        };
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    let values = values(own);
    let all = match (mean(&values), variance(&values)) {
        // What so few say of a variance may be half of it, or twice as much.
        (Ok(mean), Ok(variance)) if values.len() >= cost::VALUES_MIN => {
            let [expected, low, high] = [1.0, 0.5, 2.0].map(|by| needed(variance * by, mean, HALF_WIDTH_FLOOR));
            Often { expected, low, high }
        }
        _ => match (like(0.1), like(0.5), like(0.9)) {
            (Some(low), Some(middle), Some(high)) => {
                let [low, middle, high] = [low, middle, high].map(|variance| needed(variance, 1.0, 0.0));
                // Of many tests the mean counts, which the middle may be far from where a rule has a least and a most.
                let mean = 0.3 * f64::from(low) + 0.4 * f64::from(middle) + 0.3 * f64::from(high);
                Often { expected: mean.round() as u32, low, high }
            }
            // Nothing is known. Of a few to some, what is off by the least factor whatever it will be; of what is
            // measured to a precision the least, since most tests vary little.
            _ => {
                let least = needed(0.0, 1.0, 0.0);
                let high = wanted.max.min(least.saturating_mul(3));
                let middle = (f64::from(least) * f64::from(high)).sqrt().round() as u32;
                let expected = if wanted.cap_ns.is_some() { least } else { middle };
                Often { expected, low: least, high }
            }
        },
    };
    all.beyond(valid)
}

/// Why a stored test is not as precise as was asked, if it is not.
fn imprecise(wanted: &Repetitions, own: &[Entry]) -> Vec<Why> {
    let (Some(asked), Some(cap_ns)) = (asked(wanted), wanted.cap_ns) else { return Vec::new() };
    let values = values(own);
    let short = (!precise::is_precise(&values, &asked)).then(|| {
        let (centre, half_width) = precise::interval(&values, &asked).ok()?;
        let set_ups = precise::fewest(variance(&values).ok()?, asked.half_width(centre), asked.set_ups_max);
        let reached = half_width / centre.abs().max(f64::MIN_POSITIVE);
        Some(Why::Imprecise(Imprecise { asked: asked.half_width_ratio, reached, set_ups, cap_ns }))
    });
    short.flatten().into_iter().collect()
}

fn values(entries: &[Entry]) -> Vec<f64> {
    entries.iter().filter(|entry| entry.standing == Standing::Valid).map(|entry| entry.value).collect()
}

/// The newest repetition of a test, whatever its key; of one that was never measured with its stack, of the same test
/// with the system's own components.
pub fn newest<'i>(index: &'i Index, tuple: &Tuple) -> Option<&'i Entry> {
    newest_of(index, tuple, &mut String::new())
}

fn newest_of<'i>(index: &'i Index, tuple: &Tuple, name: &mut String) -> Option<&'i Entry> {
    let mut of = |tuple: &Tuple| index.newest_of(TestId::of_tuple(tuple, name));
    of(tuple).or_else(|| {
        let mut of_system = tuple.clone();
        of_system.variant.stack = STACK_DEFAULT.into();
        (*tuple.variant.stack != *STACK_DEFAULT).then(|| of(&of_system))?
    })
}

/// What is to be done about a key's repetitions.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// The repetitions suffice.
    Enough,
    /// One more, for this reason.
    More(Why),
    /// Nothing: attempts do not lead to anything.
    GiveUp,
}

/// How a key stands.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyStanding {
    /// Valid repetitions.
    pub valid: u32,
    /// All attempts.
    pub attempts: u32,
    /// What is to be done.
    pub next: Next,
}

/// What is stored of a test, and how it stands.
#[derive(Debug)]
pub struct StoredResults<'i> {
    /// Everything under its own key.
    pub own: &'i [Entry],
    /// Older keys whose valid repetitions count with them; none where its own suffice.
    pub leans: Vec<Lean>,
    /// How all of it stands.
    pub standing: KeyStanding,
}

impl<'i> StoredResults<'i> {
    /// What there is for a key, and for older ones that count as it where its own does not suffice.
    pub fn of(now: Keyed, wanted: &Repetitions, index: &'i Index, leaning: &mut Leaning) -> StoredResults<'i> {
        let own = index.of_key(&now.key);
        let alone = StoredResults { own, leans: Vec::new(), standing: standing(own, &[], wanted) };
        if alone.standing.next == Next::Enough {
            return alone;
        }
        let valid = |key: &Key| index.of_key(key).iter().filter(|entry| entry.standing == Standing::Valid);
        let leans: Vec<Lean> = leaning.keys(now).into_iter().filter(|lean| valid(&lean.key).next().is_some()).collect();
        if leans.is_empty() {
            return alone;
        }
        let older: Vec<Entry> = leans.iter().flat_map(|lean| valid(&lean.key)).copied().collect();
        StoredResults { own, standing: standing(own, &older, wanted), leans }
    }
}

/// How a key with these repetitions stands against what is wanted, with valid ones of older keys that count.
fn standing(own: &[Entry], older: &[Entry], wanted: &Repetitions) -> KeyStanding {
    let all = || own.iter().chain(older);
    let valid: Vec<f64> = all().filter(|entry| entry.standing == Standing::Valid).map(|entry| entry.value).collect();
    let count = u32::try_from(valid.len()).unwrap_or(u32::MAX);
    let attempts = u32::try_from(all().count()).unwrap_or(u32::MAX);
    // Of what is measured to a precision the most set-ups are a bound, and no number that anybody asked for.
    let of = if wanted.cap_ns.is_some() { wanted.min } else { wanted.max };
    let spent_ns = || own.iter().map(|entry| u64::from(entry.cost_ms) * 1_000_000).sum::<u64>();
    let is_spent = count >= wanted.min && wanted.cap_ns.is_some_and(|cap_ns| spent_ns() >= cap_ns);
    let next = if is_spent || enough(&valid, wanted) {
        Next::Enough
    } else if attempts.saturating_sub(count) >= of.saturating_mul(ATTEMPTS_EACH - 1) {
        Next::GiveUp
    } else if attempts == 0 {
        Next::More(Why::New)
    } else if count < wanted.min {
        Next::More(Why::TooFew)
    } else {
        Next::More(Why::TooWide)
    };
    KeyStanding { valid: count, attempts, next }
}

fn enough(valid: &[f64], wanted: &Repetitions) -> bool {
    if let Some(asked) = asked(wanted) {
        return precise::enough(valid, &asked);
    }
    match precision(wanted) {
        None => valid.len() >= wanted.min as usize,
        Some(precision) => valid.len() >= precision.min && sequential::enough(valid, &precision),
    }
}

/// What is asked of the mean, where windows and set-ups are chosen.
pub fn asked(wanted: &Repetitions) -> Option<Asked> {
    wanted.cap_ns?;
    Some(Asked { half_width_ratio: wanted.ci?, half_width_floor: HALF_WIDTH_FLOOR, set_ups_max: wanted.max as usize })
}

/// What is asked of the mean, where the number of repetitions is not fixed beforehand.
pub fn precision(wanted: &Repetitions) -> Option<Precision> {
    wanted.ci.filter(|_| wanted.min < wanted.max && wanted.cap_ns.is_none()).map(|ci| Precision {
        min: wanted.min as usize,
        max: wanted.max as usize,
        half_width_ratio: ci,
        half_width_floor: HALF_WIDTH_FLOOR,
    })
}

impl Why {
    /// The reason in words, or the key that the test's newest results have: what changed since is in the two
    /// manifests.
    pub fn words(&self) -> Result<Vec<String>, Key> {
        Ok(match self {
            Why::Skipped(reason) => vec![reason.clone()],
            Why::New => vec!["new".to_string()],
            Why::TooFew => vec!["fewer repetitions than wanted".to_string()],
            Why::TooWide => vec!["its interval is wider than wanted".to_string()],
            Why::Forced => vec!["forced".to_string()],
            Why::GivenUp(attempts) => {
                vec![format!("given up after {attempts} attempts; `septet run --force` tries again")]
            }
            Why::Imprecise(imprecise) => vec![imprecise.words()],
            Why::Changed(before) => return Err(*before),
        })
    }
}

impl Imprecise {
    /// What was asked, what was reached, and what it would take.
    pub fn words(&self) -> String {
        // Two figures of what is asked for, which may be far below a hundredth.
        let percent = |part: f64| format!("±{:.1$} %", part * 100.0, if part < 0.001 { 3 } else { 1 });
        let cap = crate::clock::shown(std::time::Duration::from_nanos(self.cap_ns));
        let needed = match self.set_ups {
            Some(set_ups) => format!("about {set_ups} set-ups would be needed: give a longer cap"),
            None => format!("more than {} set-ups would be needed", crate::experiment::SET_UPS_MAX),
        };
        format!("{} cannot be had in {cap}: {} was reached, and {needed}", percent(self.asked), percent(self.reached))
    }
}
