//! What searches cost on simulated systems under test: the half of `benches/search.sh` that is Septet's. A line
//! a system: name, searches, mean simulated seconds of windows, mean trials, part that landed within the width.

// A benchmark prints what it measured.
#![allow(clippy::print_stdout)]

use pipeline::search::{Goal, Next, Tried, next};
use results::axes::Rate;
use results::statistics::random::Random;

const SEARCHES: u32 = 200;
const CAPACITY_PPS: f64 = 1.234e6;
const FULL_NS: u64 = 10_000_000_000;

fn unit(random: &mut Random) -> f64 {
    (random.bits() >> 11) as f64 / (1u64 << 53) as f64
}

/// Sum of twelve: mean 0, deviation 1.
fn noise(random: &mut Random) -> f64 {
    (0..12).map(|_| unit(random)).sum::<f64>() - 6.0
}

fn step(capacity_pps: f64, rate_pps: f64) -> f64 {
    (1.0 - capacity_pps / rate_pps).max(0.0)
}

fn main() {
    type System = fn(&mut Random, f64, f64) -> f64;
    let clean: System = |_, rate, _| step(CAPACITY_PPS, rate);
    let noisy: System = |random, rate, duration_s| {
        step(CAPACITY_PPS * (1.0 + 0.003 * (10.0 / duration_s).sqrt() * noise(random)), rate)
    };
    let floor: System = |random, rate, _| step(CAPACITY_PPS, rate).max(0.001 * (1.0 + 0.2 * noise(random)));
    let bistable: System = |random, rate, _| step(CAPACITY_PPS * if random.below(6) == 0 { 0.7 } else { 1.0 }, rate);
    let partial = Rate::Pdr(5_000);
    for (name, rate, system) in [
        ("clean ndr", Rate::Ndr, clean),
        ("clean pdr", partial, clean),
        ("noisy ndr", Rate::Ndr, noisy),
        ("noisy pdr", partial, noisy),
        ("floor pdr", partial, floor),
        ("bistable ndr", Rate::Ndr, bistable),
    ] {
        let Some(goal) = Goal::of(rate, FULL_NS) else { continue };
        let (mut seconds, mut trials, mut landed) = (0.0, 0, 0);
        for seed in 0..SEARCHES {
            let mut random = Random::seeded(u64::from(seed));
            let mut tried = Vec::new();
            let end = loop {
                match next(&goal, &tried) {
                    Next::Trial { rate_pps, duration_ns } => {
                        let loss_ratio = system(&mut random, f64::from(rate_pps), duration_ns as f64 / 1e9);
                        seconds += duration_ns as f64 / 1e9;
                        tried.push(Tried { rate_pps, duration_ns, loss_ratio });
                    }
                    end => break end,
                }
            };
            trials += tried.len();
            if let Next::Found { lower_pps, upper_pps: Some(upper_pps) } = end {
                let truth = CAPACITY_PPS / (1.0 - goal.loss_ratio_max);
                let slack = goal.width * truth;
                landed += u32::from(f64::from(lower_pps) - slack <= truth && truth <= f64::from(upper_pps) + slack);
            }
        }
        let searches = f64::from(SEARCHES);
        println!(
            "{name:<14} {SEARCHES} searches  {:7.1} s  {:5.1} trials  {:.3} landed",
            seconds / searches,
            trials as f64 / searches,
            f64::from(landed) / searches
        );
    }
}
