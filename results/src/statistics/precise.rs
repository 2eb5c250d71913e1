//! As long as it must, no longer: from what set-ups of a test have shown, how long a window is to be, how many windows a
//! set-up has and how many set-ups there are, so that an interval of a given width costs least; and when there are
//! enough. It must not know what is measured, or who waits for it.
//!
//! The levels are those of Kalibera and Jones ("Rigorous benchmarking in reasonable time", ISMM 2013): a set-up is a
//! fresh switch with fresh containers, a window is what is averaged, and within it neighbours are alike. The variance of
//! the mean over `s` set-ups of `w` windows of `l` seconds is
//!
//! ```text
//! (between set-ups + (between windows + within / l) / w) / s
//! ```
//!
//! where *within* is the variance of a window's mean times its length (batch means: Law, "Simulation Modeling and
//! Analysis", 9.5.3). Intervals are made of the means of set-ups alone, which are independent whatever goes on inside
//! of them: a wrong guess of the levels costs time and no coverage.
//!
//! To stop where an interval happens to be narrow misses the mean too often ([`sequential`](super::sequential)). Three
//! things make up for it, at a smaller cost than there, since [`SET_UPS_MIN`] are made at least: intervals of
//! [`CONFIDENCE`] instead of 95 %; a delay that is long while there are few set-ups and vanishes with many, of the form
//! of Chow and Robbins; and what is shown is never narrower than what was asked. `COVERAGE.md` has the simulation.

use crate::statistics::mean::{mean, variance};
use crate::statistics::{SampleError, require, student};

/// Version of the rule; in the keys of tests that are measured by it.
pub const RULE_VERSION: u64 = 2;
/// Fewest set-ups of a test.
pub const SET_UPS_MIN: usize = 5;
/// Shortest window, seconds.
pub const WINDOW_S_MIN: f64 = 1.0;
/// Longest window, seconds.
pub const WINDOW_S_MAX: f64 = 60.0;
/// Nominal confidence of the rule's intervals; what remains after stopping is at least 93 %.
pub const CONFIDENCE: f64 = 0.97;
/// Intervals of n set-ups must be narrower than asked by 1 + DELAY / n.
const DELAY: f64 = 8.0;
/// Batches of a window by which its own variance is told.
const BATCHES: usize = 20;
/// Windows are chosen in steps of a fourth of an octave.
const STEP: f64 = 1.189_207_115_002_721;

/// What is asked of a mean over set-ups.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked {
    /// Half width asked for, as a part of the mean.
    pub half_width_ratio: f64,
    /// A half width that is narrow enough whatever the mean, in the values' unit.
    pub half_width_floor: f64,
    /// Most set-ups, precise or not.
    pub set_ups_max: usize,
}

impl Asked {
    /// The half width that is asked for, in the values' unit.
    pub fn half_width(&self, mean: f64) -> f64 {
        (self.half_width_ratio * mean.abs()).max(self.half_width_floor)
    }
}

/// Whether the means of these set-ups, in any order, are enough. Values that are not finite are never precise.
pub fn enough(set_ups: &[f64], asked: &Asked) -> bool {
    set_ups.len() >= asked.set_ups_max || is_precise(set_ups, asked)
}

/// Whether the mean of these set-ups is known as precisely as is asked.
pub fn is_precise(set_ups: &[f64], asked: &Asked) -> bool {
    let n = set_ups.len();
    let within = |spread: f64| {
        let centre = mean(set_ups).unwrap_or(f64::NAN);
        spread.sqrt() * multiplier(n) <= asked.half_width(centre)
    };
    n >= SET_UPS_MIN && variance(set_ups).is_ok_and(within)
}

/// The mean and the half width to show with it.
///
/// # Errors
///
/// Fewer than two values, or one that is not finite.
pub fn interval(set_ups: &[f64], asked: &Asked) -> Result<(f64, f64), SampleError> {
    let n = set_ups.len();
    let spread = variance(set_ups)?;
    let centre = mean(set_ups)?;
    let half_width = student::t_97(n - 1) * (spread / n as f64).sqrt();
    let least = if is_precise(set_ups, asked) { asked.half_width(centre) } else { 0.0 };
    Ok((centre, half_width.max(least)))
}

/// Of the deviation of one set-up: how much narrower than it a half width is that the rule stops at.
fn multiplier(set_ups: usize) -> f64 {
    let n = set_ups.max(2) as f64;
    student::t_97(set_ups.max(2) - 1) * (1.0 + DELAY / n) / n.sqrt()
}

/// One window of a set-up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// The window's mean.
    pub mean: f64,
    /// How long it was.
    pub seconds: f64,
    /// The variance of its mean times its length, by [`within`], where that could be told.
    pub within: Option<f64>,
}

/// Variances by level, in the square of the values' unit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// Between set-ups.
    pub between_set_ups: f64,
    /// Between windows of one set-up, beyond what their length explains.
    pub between_windows: f64,
    /// Variance of a window's mean, times the window's length in seconds.
    pub within: f64,
}

/// The variance of a window's mean times its length, of values of equal time in their order: means of 20
/// batches, with what neighbouring batches still have in common taken for that of an autoregressive process.
///
/// # Errors
///
/// Fewer than two values a batch, or one that is not finite.
pub fn within(values: &[f64], seconds: f64) -> Result<f64, SampleError> {
    require(values, 2 * BATCHES)?;
    let size = values.len() / BATCHES;
    let batches: Vec<f64> =
        values.chunks_exact(size).take(BATCHES).map(|batch| batch.iter().sum::<f64>() / size as f64).collect();
    let spread = variance(&batches)?;
    let centre = mean(&batches)?;
    let products = batches.windows(2).map(|pair| (pair[0] - centre) * (pair[1] - centre));
    let alike = if spread > 0.0 { products.sum::<f64>() / (spread * (BATCHES - 1) as f64) } else { 0.0 };
    // An estimate from so few batches that is above this says no more than "very alike".
    let alike = alike.clamp(0.0, 0.8);
    let batch_s = seconds * size as f64 / values.len() as f64;
    Ok(spread * batch_s * (1.0 + alike) / (1.0 - alike))
}

/// The variances behind these windows, by set-up. Where there is one set-up only, or one window in each, nothing is said
/// of the level that it would take more for.
pub fn spread(set_ups: &[Vec<Window>]) -> Spread {
    let all = || set_ups.iter().flatten();
    let average = |values: Vec<f64>| mean(&values).unwrap_or(0.0);
    let within = average(all().filter_map(|window| window.within).collect());
    let own = |window: &Window| within / window.seconds.max(f64::MIN_POSITIVE);
    let means = |windows: &[Window]| windows.iter().map(|window| window.mean).collect::<Vec<f64>>();
    let between_windows = average(
        set_ups
            .iter()
            .filter_map(|windows| Some(variance(&means(windows)).ok()? - average(windows.iter().map(own).collect())))
            .collect(),
    )
    .max(0.0);
    let centres: Vec<f64> = set_ups.iter().filter_map(|windows| mean(&means(windows)).ok()).collect();
    let inside = set_ups.iter().filter(|windows| !windows.is_empty()).map(|windows| {
        let count = windows.len() as f64;
        (between_windows + average(windows.iter().map(own).collect())) / count
    });
    let between_set_ups = (variance(&centres).unwrap_or(0.0) - average(inside.collect())).max(0.0);
    Spread { between_set_ups, between_windows, within }
}

/// What levels cost, in seconds besides the windows themselves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Costs {
    /// A set-up: building and taking down.
    pub set_up_s: f64,
    /// A window: starting traffic, what is left out before and after it, and collecting.
    pub window_s: f64,
}

/// What is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// Length of a window, seconds.
    pub window_s: f64,
    /// Windows a set-up.
    pub windows: u32,
    /// Set-ups.
    pub set_ups: usize,
    /// What all of it costs, seconds.
    pub cost_s: f64,
}

/// What a plan may have at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Most {
    /// Windows a set-up.
    pub windows: u32,
    /// Set-ups.
    pub set_ups: usize,
    /// What a set-up takes with all its windows, seconds; one window of [`WINDOW_S_MIN`] is allowed whatever it says.
    pub set_up_s: f64,
}

/// The cheapest plan that is expected to reach a half width with variances like these: no shorter windows than
/// [`WINDOW_S_MIN`], no longer ones than [`WINDOW_S_MAX`], no fewer set-ups than [`SET_UPS_MIN`]. Nothing where even the
/// most set-ups are too few.
pub fn choose(spread: &Spread, costs: &Costs, half_width: f64, most: &Most) -> Option<Choice> {
    let lengths = std::iter::successors(Some(WINDOW_S_MIN), |length| Some(length * STEP));
    let lengths: Vec<f64> = lengths.take_while(|length| *length <= WINDOW_S_MAX).collect();
    let doubled = || std::iter::successors(Some(1u32), |count| count.checked_mul(2));
    let counts = || doubled().take_while(|count| *count <= most.windows);
    let plans = lengths.iter().flat_map(|length| counts().map(move |windows| (*length, windows)));
    let each = |window_s: f64, windows: u32| costs.set_up_s + f64::from(windows) * (costs.window_s + window_s);
    let is_least = |window_s: f64, windows: u32| windows == 1 && window_s <= WINDOW_S_MIN;
    let plans =
        plans.filter(|(window_s, windows)| is_least(*window_s, *windows) || each(*window_s, *windows) <= most.set_up_s);
    let plans = plans.filter_map(|(window_s, windows)| {
        let inside = (spread.between_windows + spread.within / window_s) / f64::from(windows);
        let set_ups = fewest(spread.between_set_ups + inside, half_width, most.set_ups)?;
        Some(Choice { window_s, windows, set_ups, cost_s: set_ups as f64 * each(window_s, windows) })
    });
    plans.min_by(|a, b| a.cost_s.total_cmp(&b.cost_s))
}

/// Like [`choose`]; where the half width is out of reach, the plan for the narrowest one within reach.
pub fn choose_or_nearest(spread: &Spread, costs: &Costs, half_width: f64, most: &Most) -> Choice {
    // 1.5 to the 64th: wider than anything that is known at all.
    let wider = std::iter::successors(Some(half_width), |half_width| Some(half_width * 1.5)).take(64);
    let floor = Choice { window_s: WINDOW_S_MIN, windows: 1, set_ups: most.set_ups, cost_s: f64::INFINITY };
    wider.map(|half_width| choose(spread, costs, half_width, most)).find_map(|choice| choice).unwrap_or(floor)
}

/// Fewest set-ups whose means, of this variance, are expected to have a half width; none if the most are too few. By
/// bisection, since more are never less precise.
pub fn fewest(variance: f64, half_width: f64, set_ups_max: usize) -> Option<usize> {
    let precise = |set_ups: usize| variance.sqrt() * multiplier(set_ups) <= half_width;
    if !precise(set_ups_max.max(SET_UPS_MIN)) {
        return None;
    }
    let (mut low, mut high) = (SET_UPS_MIN, set_ups_max.max(SET_UPS_MIN));
    while low < high {
        let middle = low + (high - low) / 2;
        if precise(middle) { high = middle } else { low = middle + 1 }
    }
    Some(low)
}

#[cfg(test)]
mod tests;
