//! Systems under test, simulated ones above all: what their set-ups and windows show, and what it takes to know their mean
//! by a fixed protocol and by a precision.

#![allow(dead_code, reason = "each benchmark uses a part")]

use results::statistics::precise::{self, Asked, Costs, Most, Window};
use results::statistics::random::Random;
use results::statistics::sequential::{self, Precision};

/// The true mean of every system.
pub const MEAN: f64 = 1000.0;
/// Samples a second of a window, as many as there are accounting intervals.
const PER_SECOND: f64 = 100.0;
/// What building and taking down a set-up takes, and starting traffic in it, seconds.
const SET_UP_S: f64 = 0.3;
const START_S: f64 = 0.1;
/// Most set-ups and windows of one.
const MOST: Most = Most { windows: 16, set_ups: 200, set_up_s: f64::INFINITY };
/// Windows of the first set-ups, which tell how windows differ, and how many set-ups these are.
const PILOT: (u32, usize) = (2, 3);

/// What is measured: a simulated system, or a record of a real one.
pub trait Source {
    /// The true mean.
    fn mean(&self) -> f64;
    /// What set-ups and windows cost beyond the windows themselves, with so much left out before and after one.
    fn costs(&self, trims_s: f64) -> Costs;
    /// A fresh set-up, by the number that its windows are asked with.
    fn set_up(&self, draw: &mut Draw) -> f64;
    /// The samples of one window of it, of equal time.
    fn window(&self, draw: &mut Draw, set_up: f64, seconds: f64) -> Vec<f64>;
}

/// A simulated system under test.
pub struct System {
    /// What it is like.
    pub name: &'static str,
    /// A set-up's own mean, in parts of the mean, around 0.
    own: fn(&mut Draw) -> f64,
    /// What starting traffic again changes, as a deviation in parts of the mean.
    start: f64,
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
pub const SYSTEMS: [System; 9] = [
    System { name: "quiet", own: |draw| 0.002 * draw.normal(), start: 0.0, inside: Inside::Independent(0.02) },
    System { name: "noisy windows", own: |draw| 0.002 * draw.normal(), start: 0.0, inside: Inside::Independent(0.5) },
    System {
        name: "alike neighbours",
        own: |draw| 0.003 * draw.normal(),
        start: 0.0,
        inside: Inside::Alike(0.95, 0.2),
    },
    System { name: "drifting windows", own: |draw| 0.005 * draw.normal(), start: 0.0, inside: Inside::Drifting(0.05) },
    System {
        name: "unlike windows",
        own: |draw| 0.004 * draw.normal(),
        start: 0.03,
        inside: Inside::Independent(0.05),
    },
    System { name: "normal set-ups", own: |draw| 0.02 * draw.normal(), start: 0.0, inside: Inside::Independent(0.05) },
    System { name: "skewed set-ups", own: |draw| 0.02 * draw.skewed(), start: 0.0, inside: Inside::Independent(0.05) },
    System {
        name: "two states 50:50",
        own: |draw| 0.02 * draw.states(0.5),
        start: 0.0,
        inside: Inside::Independent(0.05),
    },
    System {
        name: "two states 70:30",
        own: |draw| 0.02 * draw.states(0.3),
        start: 0.0,
        inside: Inside::Independent(0.05),
    },
];

/// Random numbers of the shapes that are needed.
pub struct Draw(pub Random);

impl Draw {
    /// Evenly from 0 to 1, without the ends.
    pub fn uniform(&mut self) -> f64 {
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

impl Source for System {
    fn mean(&self) -> f64 {
        MEAN
    }

    fn costs(&self, trims_s: f64) -> Costs {
        Costs { set_up_s: SET_UP_S, window_s: trims_s + START_S }
    }

    fn set_up(&self, draw: &mut Draw) -> f64 {
        (self.own)(draw)
    }

    fn window(&self, draw: &mut Draw, set_up: f64, seconds: f64) -> Vec<f64> {
        let own = set_up + self.start * draw.normal();
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
    /// Windows of all of them.
    pub windows: usize,
    /// Whether the interval holds the true mean.
    pub holds: bool,
    /// Half of its width, as a part of the mean.
    pub half_width: f64,
}

fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// By windows of one length, three set-ups at least and ten at most (`paper.toml`).
pub fn fixed(system: &impl Source, draw: &mut Draw, ratio: f64, window_s: f64, trims_s: f64) -> Measured {
    let precision = Precision { min: 3, max: 10, half_width_ratio: ratio, half_width_floor: 0.0 };
    let mut means = Vec::new();
    while !sequential::enough(&means, &precision) {
        let set_up = system.set_up(draw);
        means.push(average(&system.window(draw, set_up, window_s)));
    }
    let (mean, half) = sequential::interval(&means, &precision).expect("there are three");
    let Costs { set_up_s, window_s: beyond_s } = system.costs(trims_s);
    measured(system, mean, half, [means.len(); 2], means.len() as f64 * (window_s + beyond_s + set_up_s))
}

/// Measures to a precision: windows as long and as many as what is known by then asks for.
pub fn precise(system: &impl Source, draw: &mut Draw, ratio: f64, trims_s: f64) -> Measured {
    let asked = Asked { half_width_ratio: ratio, half_width_floor: 0.0, set_ups_max: MOST.set_ups };
    let costs = system.costs(trims_s);
    let (mut set_ups, mut means, mut seconds) = (Vec::new(), Vec::new(), 0.0);
    while !precise::enough(&means, &asked) {
        let (window_s, chosen) = match means.is_empty() {
            true => (precise::WINDOW_S_MIN, 1),
            false => {
                let half_width = asked.half_width(average(&means));
                let choice = precise::choose_or_nearest(&precise::spread(&set_ups), &costs, half_width, &MOST);
                (choice.window_s, choice.windows)
            }
        };
        let count = if set_ups.len() < PILOT.1 { chosen.max(PILOT.0) } else { chosen };
        let set_up = system.set_up(draw);
        let windows: Vec<Window> = (0..count)
            .map(|_| {
                let samples = system.window(draw, set_up, window_s);
                let within = precise::within(&samples, window_s).ok();
                Window { mean: average(&samples), seconds: window_s, within }
            })
            .collect();
        means.push(average(&windows.iter().map(|window| window.mean).collect::<Vec<f64>>()));
        seconds += costs.set_up_s + f64::from(count) * (costs.window_s + window_s);
        set_ups.push(windows);
    }
    let (mean, half) = precise::interval(&means, &asked).expect("there are five");
    let windows = set_ups.iter().map(Vec::len).sum();
    measured(system, mean, half, [means.len(), windows], seconds)
}

fn measured(system: &impl Source, mean: f64, half: f64, [set_ups, windows]: [usize; 2], seconds: f64) -> Measured {
    Measured { seconds, set_ups, windows, holds: (mean - system.mean()).abs() <= half, half_width: half / mean }
}
