//! What the trials at one rate say of it: within the goal, above it, or not yet known. It must not choose rates.
//!
//! The classification of loads of MLRsearch (draft-ietf-bmwg-mlrsearch, section "Load Classification Logic" and
//! its appendix): lossy time counts against a rate, with trials shorter than asked only as far as good short
//! ones do not outweigh it; a rate is above the goal when its lossy time is more than the exceed ratio allows
//! even if all time to come were good, and within when it is not even if all time to come were lossy.

use super::{Goal, Tried};

/// Whether a rate meets the goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The load is within the goal: a lower bound.
    Within,
    /// The load is above the goal: an upper bound.
    Above,
    /// More trials are needed.
    Open,
}

/// A rate and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Packets/s a sender.
    pub rate_pps: u32,
    /// What its trials say.
    pub verdict: Verdict,
    /// Whether one of them was as long as asked.
    pub has_long: bool,
    /// Place of its latest trial.
    pub last: usize,
}

/// Every rate tried, judged by trials of `long_ns` and longer, of which `enough_ns` decide.
pub fn of(goal: &Goal, long_ns: u64, enough_ns: u64, tried: &[Tried]) -> Vec<Load> {
    let mut rates: Vec<u32> = tried.iter().map(|trial| trial.rate_pps).collect();
    rates.sort_unstable();
    rates.dedup();
    let judged = |rate_pps: u32| {
        let mut sums = Sums::default();
        let mut last = 0;
        for (place, trial) in tried.iter().enumerate().filter(|(_, trial)| trial.rate_pps == rate_pps) {
            last = place;
            let is_good = trial.loss_ratio <= goal.loss_ratio_max;
            let sum = match (trial.duration_ns >= long_ns, is_good) {
                (true, true) => &mut sums.long_good,
                (true, false) => &mut sums.long_lossy,
                (false, true) => &mut sums.short_good,
                (false, false) => &mut sums.short_lossy,
            };
            *sum += trial.duration_ns as f64;
        }
        let has_long = sums.long_good + sums.long_lossy > 0.0;
        Load { rate_pps, verdict: sums.verdict(goal.exceed_ratio, enough_ns as f64), has_long, last }
    };
    rates.into_iter().map(judged).collect()
}

/// Time of trials, ns.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    long_good: f64,
    long_lossy: f64,
    short_good: f64,
    short_lossy: f64,
}

impl Sums {
    fn verdict(&self, exceed_ratio: f64, enough_ns: f64) -> Verdict {
        let outweighed = self.short_good * exceed_ratio / (1.0 - exceed_ratio);
        let lossy = self.long_lossy + (self.short_lossy - outweighed).max(0.0);
        let whole = (self.long_good + lossy).max(enough_ns);
        let allowed = whole * exceed_ratio;
        if whole - self.long_good <= allowed {
            Verdict::Within
        } else if lossy > allowed {
            Verdict::Above
        } else {
            Verdict::Open
        }
    }
}

#[cfg(test)]
mod tests {
    use results::axes::Rate;

    use super::*;

    #[test]
    fn most_of_three_full_trials_decide_and_short_ones_do_not() {
        let goal = Goal::of(Rate::Pdr(5_000), 1000).unwrap();
        let verdict = |trials: &[(u64, f64)]| {
            let tried: Vec<Tried> = trials
                .iter()
                .map(|&(duration_ns, loss_ratio)| Tried { rate_pps: 5, duration_ns, loss_ratio })
                .collect();
            of(&goal, 1000, 3000, &tried)[0].verdict
        };
        let (good, lossy) = (0.005, 0.0051);
        assert_eq!(verdict(&[(1000, good)]), Verdict::Open);
        assert_eq!(verdict(&[(1000, good), (1000, good)]), Verdict::Within);
        assert_eq!(verdict(&[(1000, good), (1000, lossy)]), Verdict::Open);
        assert_eq!(verdict(&[(1000, good), (1000, lossy), (1000, good)]), Verdict::Within);
        assert_eq!(verdict(&[(1000, lossy), (1000, lossy)]), Verdict::Above);
        assert_eq!(verdict(&[(100, good); 50]), Verdict::Open);
        assert_eq!(verdict(&[(100, lossy); 20]), Verdict::Above, "much lossy time is lossy in any portions");
        assert_eq!(verdict(&[(100, lossy), (100, good), (1000, good), (1000, good)]), Verdict::Within);
    }
}
