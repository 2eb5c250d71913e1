//! What reports may see of measurements: one repetition reduced, and a test summarised over repetitions.
//! Values are in base units (packets/s, bits/s, ratio, ns). It must not know samples or files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::flags::Flag;
use crate::metric::Quantity;
use crate::statistics::mean::{mean, sum};
use crate::statistics::outliers::median_deviation;
use crate::statistics::sequential::{self, Precision};
use crate::statistics::{SampleError, positive, precise, stands, student};

/// Version of the reduction. Summaries of another version are recomputed from the raw samples.
pub const REDUCTION_VERSION: u32 = 2;

/// One repetition, reduced over its window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reduction {
    /// Values by quantity; those that the test does not have are absent.
    pub values: BTreeMap<Quantity, f64>,
    /// Ends of the 95 % interval of a percentile by this repetition's bursts alone, which are its independent
    /// parts: what differs from repetition to repetition is not in it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub within: BTreeMap<Quantity, (f64, f64)>,
    /// Percentiles that were refused, with the number of independent bursts, which was too small for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<Quantity, u64>,
    /// Number of round trips in the window; 0 for throughput tests.
    pub rtt_count: u64,
    /// Flags that the samples themselves raise; the run adds those of the host.
    pub flags: Vec<Flag>,
}

/// A mean over repetitions and its doubt, in base units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Valid repetitions that it is made of.
    pub n: u32,
    /// Mean over them.
    pub mean: f64,
    /// Half width of the 95 % interval (Student's t; wider where the number of repetitions was not fixed
    /// beforehand, see [`summarise_adaptive`], where repetitions come from several stands, or where a
    /// percentile's bursts alone leave more doubt); absent with fewer than two repetitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half_width: Option<f64>,
}

impl Estimate {
    /// Lower and upper end of the interval, which is not below zero ([`positive::ends`]); the mean twice where there is
    /// none.
    pub fn interval(&self) -> (f64, f64) {
        positive::ends(self.mean, self.half_width.unwrap_or(0.0))
    }
}

/// One repetition as a summary sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Repetition {
    /// What its samples say.
    pub reduction: Reduction,
    /// What the run adds: flags of the host, and of the totals.
    pub flags: Vec<Flag>,
    /// What names the stand that measured it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stand: String,
}

impl Repetition {
    /// Every flag once, in order of harm.
    pub fn all_flags(&self) -> Vec<Flag> {
        let mut flags = [self.reduction.flags.as_slice(), self.flags.as_slice()].concat();
        flags.sort_unstable();
        flags.dedup();
        flags
    }

    /// Whether it is kept but left out of averages.
    pub fn is_suspect(&self) -> bool {
        self.all_flags().into_iter().any(Flag::suspect)
    }
}

/// How far results may be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// The host was what the paper asks for.
    PaperGrade,
    /// Something could not be provisioned; the flags say what.
    Indicative,
}

/// A test over its repetitions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Repetitions that count.
    pub valid: u32,
    /// Repetitions kept but left out.
    pub suspect: u32,
    /// Estimates by quantity.
    pub values: BTreeMap<Quantity, Estimate>,
    /// The values behind the estimates, in the order of the repetitions given: for what has to choose among
    /// tests without being fooled by luck.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub samples: BTreeMap<Quantity, Vec<f64>>,
    /// Values of what the test is judged by that lie far from the others, ascending: told, and averaged all the
    /// same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outliers: Vec<f64>,
    /// Percentiles that no repetition has, with the most independent bursts of one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<Quantity, u64>,
    /// Round trips of all valid repetitions together.
    pub rtt_count: u64,
    /// Every flag of every repetition, sorted, with the number of repetitions that have it.
    pub flags: Vec<(Flag, u32)>,
    /// Grade of the whole.
    pub grade: Grade,
}

impl Summary {
    /// What a test is judged by: the mean round-trip time where it has one, else the received rate.
    pub fn judged_by(&self) -> Quantity {
        if self.values.contains_key(&Quantity::RttMean) { Quantity::RttMean } else { Quantity::RxPps }
    }

    /// The estimate of a quantity, if the test has it.
    pub fn get(&self, quantity: Quantity) -> Option<&Estimate> {
        self.values.get(&quantity)
    }
}

/// A test's summary over its repetitions: means with Student's t intervals over those that are not suspect.
/// The order of the repetitions does not matter, not even to the last bit (but to `samples`, which keep it). A
/// quantity that some repetitions lack (a percentile with too few samples) is averaged over the others, as its `n`
/// says; values that are not finite count as lacking. With no valid repetition there is no value, and the grade is
/// indicative.
pub fn summarise(repetitions: &[Repetition]) -> Summary {
    summarise_with(repetitions, |_, sample| student::interval(sample))
}

/// Like [`summarise`], for repetitions that were added until `judged` was known to `precision`
/// ([`sequential::enough`]): intervals are widened so that they still hold the mean often enough.
pub fn summarise_adaptive(repetitions: &[Repetition], judged: Quantity, precision: &Precision) -> Summary {
    let unasked = Precision { half_width_ratio: 0.0, half_width_floor: 0.0, ..*precision };
    summarise_with(repetitions, |quantity, sample| {
        sequential::interval(sample, if quantity == judged { precision } else { &unasked })
    })
}

/// Like [`summarise`], for set-ups that were added until `judged` was known as precisely as was `asked`
/// ([`precise::enough`]).
pub fn summarise_precise(repetitions: &[Repetition], judged: Quantity, asked: &precise::Asked) -> Summary {
    let unasked = precise::Asked { half_width_ratio: 0.0, half_width_floor: 0.0, ..*asked };
    summarise_with(repetitions, |quantity, sample| {
        precise::interval(sample, if quantity == judged { asked } else { &unasked })
    })
}

fn summarise_with(
    repetitions: &[Repetition],
    interval: impl Fn(Quantity, &[f64]) -> Result<(f64, f64), SampleError>,
) -> Summary {
    let (suspect, valid): (Vec<&Repetition>, Vec<&Repetition>) =
        repetitions.iter().partition(|repetition| repetition.is_suspect());

    let mut samples: BTreeMap<Quantity, Vec<Sampled>> = BTreeMap::new();
    for repetition in &valid {
        for (&quantity, &value) in repetition.reduction.values.iter().filter(|(_, value)| value.is_finite()) {
            let within = repetition.reduction.within.get(&quantity).copied();
            samples.entry(quantity).or_default().push(Sampled { value, within, stand: &repetition.stand });
        }
    }
    let mut refused: BTreeMap<Quantity, u64> = BTreeMap::new();
    for (&quantity, &bursts) in valid.iter().flat_map(|repetition| &repetition.reduction.refused) {
        if !samples.contains_key(&quantity) {
            let most = refused.entry(quantity).or_default();
            *most = bursts.max(*most);
        }
    }
    let mut flags: BTreeMap<Flag, u32> = BTreeMap::new();
    for flag in repetitions.iter().flat_map(Repetition::all_flags) {
        *flags.entry(flag).or_default() += 1;
    }
    let is_indicative = |repetition: &&Repetition| repetition.all_flags().into_iter().any(Flag::indicative);
    let grade = if valid.is_empty() || valid.iter().any(is_indicative) { Grade::Indicative } else { Grade::PaperGrade };
    let estimates = samples.iter().filter_map(|(&quantity, sample)| {
        Some((quantity, estimate(sample.clone(), |sample| interval(quantity, sample))?))
    });
    let mut summary = Summary {
        valid: count(valid.len()),
        suspect: count(suspect.len()),
        values: estimates.collect(),
        samples: BTreeMap::new(),
        outliers: Vec::new(),
        refused,
        rtt_count: valid.iter().fold(0, |sum, repetition| repetition.reduction.rtt_count.saturating_add(sum)),
        flags: flags.into_iter().collect(),
        grade,
    };
    let values = |sample: &[Sampled]| sample.iter().map(|sampled| sampled.value).collect::<Vec<f64>>();
    if let Some(judged) = samples.get(&summary.judged_by()) {
        summary.outliers = far(&values(judged));
    }
    summary.samples = samples.iter().map(|(&quantity, sample)| (quantity, values(sample))).collect();
    summary
}

/// A value of one repetition.
#[derive(Clone, Copy)]
struct Sampled<'a> {
    value: f64,
    /// The quantity's interval within the repetition, where it has one.
    within: Option<(f64, f64)>,
    stand: &'a str,
}

/// Values that lie far from the others, ascending. Fewer than five have no far ones.
fn far(values: &[f64]) -> Vec<f64> {
    const FEWEST: usize = 5;
    let places = if values.len() < FEWEST { Vec::new() } else { median_deviation(values).unwrap_or_default() };
    let mut far: Vec<f64> = places.into_iter().map(|place| values[place]).collect();
    far.sort_unstable_by(f64::total_cmp);
    far
}

/// The mean of a sample with its interval; none of an empty one. The interval is never narrower than what the
/// stands differ by, or than what each repetition's bursts leave open.
fn estimate(
    mut sample: Vec<Sampled>,
    interval: impl Fn(&[f64]) -> Result<(f64, f64), SampleError>,
) -> Option<Estimate> {
    sample.sort_unstable_by(|a, b| a.value.total_cmp(&b.value).then_with(|| a.stand.cmp(b.stand)));
    let values: Vec<f64> = sample.iter().map(|sampled| sampled.value).collect();
    let mut stands: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    sample.iter().for_each(|sampled| stands.entry(sampled.stand).or_default().push(sampled.value));
    let stands: Vec<Vec<f64>> = stands.into_values().collect();
    let between = stands::half_width(&stands).ok();
    let reach = |sampled: &Sampled| sampled.within.map(|(low, high)| (high - sampled.value).max(sampled.value - low));
    let within = sample.iter().map(reach).collect::<Option<Vec<f64>>>().map(|mut reaches| {
        reaches.sort_unstable_by(f64::total_cmp);
        let squares: Vec<f64> = reaches.iter().map(|reach| reach * reach).collect();
        sum(&squares).sqrt() / reaches.len() as f64
    });
    let half_width = interval(&values).ok().map(|(_, half_width)| {
        [between, within].into_iter().flatten().filter(|half| half.is_finite()).fold(half_width, f64::max)
    });
    Some(Estimate { n: count(values.len()), mean: mean(&values).ok()?, half_width })
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
