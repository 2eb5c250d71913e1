//! Simulated systems under test: what their set-ups and windows show, and what it takes to know their mean by a fixed
//! protocol and by a precision.

#![allow(dead_code, reason = "each benchmark uses a part")]

use results::statistics::precise::{self, Asked, Costs, Most, Window};
use results::statistics::random::Random;
use results::statistics::sequential::{self, Precision};

/// The true mean of every system.
pub const MEAN: f64 = 1000.0;
/// Samples a second of a window, as many as there are accounting intervals.
const PER_SECOND: f64 = 100.0;
/// What a set-up takes beyond its traffic, seconds.
const BEYOND_S: f64 = 0.4;
/// Most set-ups, and the longest window.
const MOST: Most = Most { windows: 1, set_ups: 200, window_s: precise::WINDOW_S_MAX };

/// A system under test.
pub struct System {
    /// What it is like.
    pub name: &'static str,
    /// A set-up's own mean, in parts of the mean, around 0.
    set_up: fn(&mut Draw) -> f64,
    /// How its windows go.
    inside: Inside,
}

/// How samples of a window follow one another, in parts of the mean.
enum Inside {
    /// Each for itself, with this deviation.
    Independent(f64),
    /// Each kept to that part like the one before, with this deviation, skewed.
    Alike(f64, f64),
    /// From up to this much above to as much below, or the other way round, from the beginning of a minute to its end.
    Drifting(f64),
}

/// All systems.
pub const SYSTEMS: [System; 8] = [
    System { name: "quiet", set_up: |draw| 0.002 * draw.normal(), inside: Inside::Independent(0.02) },
    System { name: "noisy windows", set_up: |draw| 0.002 * draw.normal(), inside: Inside::Independent(0.5) },
    System { name: "alike neighbours", set_up: |draw| 0.003 * draw.normal(), inside: Inside::Alike(0.95, 0.2) },
    System { name: "drifting windows", set_up: |draw| 0.005 * draw.normal(), inside: Inside::Drifting(0.05) },
    System { name: "normal set-ups", set_up: |draw| 0.02 * draw.normal(), inside: Inside::Independent(0.05) },
    System { name: "skewed set-ups", set_up: |draw| 0.02 * draw.skewed(), inside: Inside::Independent(0.05) },
    System { name: "two states 50:50", set_up: |draw| 0.02 * draw.states(0.5), inside: Inside::Independent(0.05) },
    System { name: "two states 70:30", set_up: |draw| 0.02 * draw.states(0.3), inside: Inside::Independent(0.05) },
];

/// Random numbers of the shapes that are needed.
pub struct Draw(pub Random);

impl Draw {
    fn uniform(&mut self) -> f64 {
        (self.0.bits() >> 11) as f64 / (1u64 << 53) as f64 + f64::EPSILON / 4.0
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Gamma of shape 4: mean 0, deviation 1, skewness 1.
    fn skewed(&mut self) -> f64 {
        (-(self.uniform() * self.uniform() * self.uniform() * self.uniform()).ln() - 4.0) / 2.0
    }

    /// Two tight modes, the upper one with that probability: mean 0, deviation 1.
    fn states(&mut self, upper: f64) -> f64 {
        let apart = 1.0 / (upper * (1.0 - upper)).sqrt();
        let centre = if self.uniform() < upper { (1.0 - upper) * apart } else { -upper * apart };
        0.95 * centre + (1.0f64 - 0.95 * 0.95).sqrt() * self.normal()
    }
}

impl System {
    /// The samples of one set-up's window.
    fn window(&self, draw: &mut Draw, seconds: f64) -> Vec<f64> {
        let own = (self.set_up)(draw);
        let count = (seconds * PER_SECOND).round() as usize;
        let mut state = draw.normal();
        let slope = 2.0 * draw.uniform() - 1.0;
        let sample = |place: usize| {
            let inside = match self.inside {
                Inside::Independent(deviation) => deviation * draw.normal(),
                Inside::Alike(kept, deviation) => {
                    state = kept * state + (1.0 - kept * kept).sqrt() * draw.normal();
                    (deviation * state - deviation * deviation / 2.0).exp() - 1.0
                }
                Inside::Drifting(most) => {
                    let along = place as f64 / PER_SECOND / precise::WINDOW_S_MAX;
                    most * slope * (2.0 * along - 1.0) + 0.02 * draw.normal()
                }
            };
            MEAN * (1.0 + own + inside)
        };
        (0..count).map(sample).collect()
    }
}

/// What became of one test.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// What it took of the testbed.
    pub seconds: f64,
    /// Set-ups.
    pub set_ups: usize,
    /// Whether the interval holds the true mean.
    pub holds: bool,
    /// Half of its width, as a part of the mean.
    pub half_width: f64,
}

fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// By windows of one length, three set-ups at least and ten at most (`paper.toml`).
pub fn fixed(system: &System, draw: &mut Draw, ratio: f64, window_s: f64, trims_s: f64) -> Measured {
    let precision = Precision { min: 3, max: 10, half_width_ratio: ratio, half_width_floor: 0.0 };
    let mut means = Vec::new();
    while !sequential::enough(&means, &precision) {
        means.push(average(&system.window(draw, window_s)));
    }
    let (mean, half) = sequential::interval(&means, &precision).expect("there are three");
    measured(mean, half, means.len(), means.len() as f64 * (window_s + trims_s + BEYOND_S))
}

/// Measures to a precision: each window as long as what is known by then asks for.
pub fn precise(system: &System, draw: &mut Draw, ratio: f64, trims_s: f64) -> Measured {
    let asked = Asked { half_width_ratio: ratio, half_width_floor: 0.0, set_ups_max: MOST.set_ups };
    let costs = Costs { set_up_s: trims_s + BEYOND_S, window_s: 0.0 };
    let (mut set_ups, mut means, mut seconds) = (Vec::new(), Vec::new(), 0.0);
    while !precise::enough(&means, &asked) {
        let window_s = match means.is_empty() {
            true => precise::WINDOW_S_MIN,
            false => {
                let half_width = asked.half_width(average(&means));
                precise::choose_or_nearest(&precise::spread(&set_ups), &costs, half_width, &MOST).window_s
            }
        };
        let samples = system.window(draw, window_s);
        let mean = average(&samples);
        set_ups.push(vec![Window { mean, seconds: window_s, within: precise::within(&samples, window_s).ok() }]);
        means.push(mean);
        seconds += costs.set_up_s + window_s;
    }
    let (mean, half) = precise::interval(&means, &asked).expect("there are five");
    measured(mean, half, means.len(), seconds)
}

fn measured(mean: f64, half: f64, set_ups: usize, seconds: f64) -> Measured {
    Measured { seconds, set_ups, holds: (mean - MEAN).abs() <= half, half_width: half / mean }
}
