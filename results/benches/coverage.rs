//! What the intervals that Septet prints are worth: how often they hold the truth, by simulation, with the true
//! value known. Prints `results/COVERAGE.md`; the seeds are fixed, so that everybody gets the same bytes.
//!
//!   cargo bench --workspace --bench coverage > results/COVERAGE.md

// A benchmark prints what it measured.
#![allow(clippy::print_stdout)]

mod systems;
mod table;

use results::statistics::bootstrap::{InBurst, percentile_of_many, percentiles_by_bursts};
use results::statistics::percentile::{Share, of_sorted};
use results::statistics::random::Random;
use results::statistics::sequential::{self, Precision, enough};
use results::statistics::{best, difference, family, mean, positive, precise, stands, student};

use table::{head, part, row};

const SAMPLES: u32 = 10_000;
const MEAN: f64 = 1000.0;
/// Shapes of one repetition's value; mean 0 and standard deviation 1 each.
const SHAPES: [&str; 5] =
    ["normal", "gamma 4 (skewness 1)", "exponential (skewness 2)", "two states 50:50", "two states 70:30"];

fn main() {
    println!("# What the intervals are worth\n");
    println!("Made by `cargo bench --workspace --bench coverage`; seeds are fixed. Each number is the part of");
    println!("simulated samples whose 95 % interval holds the true value, of {SAMPLES} samples unless said otherwise.");
    println!("Two states means two tight modes: a repetition is wholly in one of them.\n");
    student_table();
    positive_table();
    windows_table();
    dependent_table();
    adaptive_table();
    precise_table();
    windows_and_set_ups_table();
    bursts_table();
    best_table();
    stands_table();
    ratio_table();
    families_table();
    power_table();
}

struct Draw(Random);

impl Draw {
    fn uniform(&mut self) -> f64 {
        (self.0.bits() >> 11) as f64 / (1u64 << 53) as f64 + f64::EPSILON / 4.0
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    fn shaped(&mut self, shape: usize) -> f64 {
        match shape {
            0 => self.normal(),
            1 => (-(self.uniform() * self.uniform() * self.uniform() * self.uniform()).ln() - 4.0) / 2.0,
            2 => -self.uniform().ln() - 1.0,
            3 => 0.312 * self.normal() + if self.uniform() < 0.5 { -0.95 } else { 0.95 },
            _ => (0.15 * self.normal() + if self.uniform() < 0.3 { 0.7 } else { -0.3 }) / 0.482_182_538,
        }
    }

    /// `n` values around [`MEAN`] with a spread of `part` of it.
    fn values(&mut self, shape: usize, n: usize, part: f64) -> Vec<f64> {
        (0..n).map(|_| MEAN * (1.0 + part * self.shaped(shape))).collect()
    }
}

fn student_table() {
    let text = "A fixed number of repetitions (`repetitions = 3`): Student's t.";
    head("Mean over repetitions", text, &["shape", "n = 3", "n = 5", "n = 10", "n = 30"]);
    let mut draw = Draw(Random::seeded(1));
    for (shape, name) in SHAPES.iter().enumerate() {
        let mut cells = vec![name.to_string()];
        for n in [3, 5, 10, 30] {
            cells.push(part(SAMPLES, || {
                let (mean, half) = student::interval(&draw.values(shape, n, 0.01)).expect("enough values");
                (mean - MEAN).abs() <= half
            }));
        }
        row(&cells);
    }
    println!("\nTwo states and few repetitions: three that all met one state know nothing of the other one.\n");
}

/// Positive values whose spread is as large as their mean, or half of it: what is there cannot be told well, but is not
/// below zero.
fn positive_table() {
    let text = "Values that cannot be negative and spread widely. An interval that is wider than a fifth of the mean has its \
                upper end on a logarithmic scale, mean · exp(half width / mean), and, where Student's t would begin below \
                zero, its lower end as well; all others are Student's t: coverage of Student's t alone, coverage here, and \
                the part of the intervals that t alone would have begun below zero. Goal: 0.93, but for the last two \
                shapes, of which few repetitions cannot know the tail.";
    head("Means that cannot be negative", text, &["shape", "n", "Student's t", "here", "below zero"]);
    let mut draw = Draw(Random::seeded(9));
    let exponential = |draw: &mut Draw| -draw.uniform().ln();
    let gamma = |draw: &mut Draw| 1.0 + 0.5 * draw.shaped(1);
    let little = |draw: &mut Draw| (0.5 * draw.normal() - 0.125).exp();
    let normal = |draw: &mut Draw| 1.0 + 0.3 * draw.normal();
    let log_normal = |draw: &mut Draw| (draw.normal() - 0.5).exp();
    let rare = |draw: &mut Draw| if draw.uniform() < 0.2 { -5.0 * draw.uniform().ln() } else { 0.001 };
    type Shape<'s> = (&'s str, f64, &'s dyn Fn(&mut Draw) -> f64);
    let shapes: [Shape; 6] = [
        ("normal, spread 0.3 of the mean", 1.0, &normal),
        ("gamma 4", 1.0, &gamma),
        ("log-normal, sigma 0.5", 1.0, &little),
        ("exponential", 1.0, &exponential),
        ("log-normal, sigma 1", 1.0, &log_normal),
        ("nearly nothing four times of five", 1.0008, &rare),
    ];
    for (name, truth, shape) in shapes {
        for n in [3, 5, 10, 30] {
            let (mut plain, mut ours, mut below) = (0, 0, 0);
            for _ in 0..SAMPLES {
                let values: Vec<f64> = (0..n).map(|_| shape(&mut draw)).collect();
                let (mean, half) = student::interval(&values).expect("enough values");
                let (low, high) = positive::ends(mean, half);
                plain += u32::from((mean - truth).abs() <= half);
                ours += u32::from(low <= truth && truth <= high);
                below += u32::from(half > mean);
            }
            let shown = |count: u32| format!("{:.3}", f64::from(count) / f64::from(SAMPLES));
            row(&[name.to_string(), n.to_string(), shown(plain), shown(ours), shown(below)]);
        }
    }
    println!();
}

/// What a window of 400 samples looks like, and its mean. Means of samples are 1 for every shape.
fn window(draw: &mut Draw, shape: usize) -> f64 {
    const SAMPLES: usize = 400;
    let (mut state, mut sum) = (draw.normal(), 0.0);
    // Twice as much at its beginning as at its end, or the other way round, by a factor that is the window's own.
    let slope = 0.6 * (2.0 * draw.uniform() - 1.0);
    for place in 0..SAMPLES {
        sum += match shape {
            0 => 1.0 + 0.3 * draw.normal(),
            1 => -draw.uniform().ln(),
            2 => (draw.normal() - 0.5).exp(),
            // In one of two states for 20 samples in the mean.
            3 => {
                if draw.uniform() < 0.05 {
                    state = if draw.uniform() < 0.3 { 1.0 } else { -1.0 };
                }
                if state > 0.0 { 1.7 } else { 0.7 }
            }
            4 => 1.0 + slope * (2.0 * place as f64 / (SAMPLES - 1) as f64 - 1.0) + 0.1 * draw.normal(),
            _ => {
                state = 0.95 * state + (1.0f64 - 0.95 * 0.95).sqrt() * draw.normal();
                (0.5 * state - 0.125).exp()
            }
        };
    }
    sum / SAMPLES as f64
}

fn windows_table() {
    let text = "Each repetition is the mean of a window of 400 samples that are skewed, in one of two states, drifting, \
                or like their neighbours. Septet takes no two samples of a window for independent: the interval is of \
                the repetitions' means. 2,000 simulated tests. Goal: 0.93.";
    head("Windows of samples that are not normal", text, &["samples", "n = 3", "n = 5", "n = 10"]);
    let names = [
        "normal",
        "exponential (skewness 2)",
        "log-normal, sigma 1 (skewness 6)",
        "two states for 20 samples each, 70:30",
        "drift over the window, up to +/- 60 %",
        "each like the one before (0.95), log-normal",
    ];
    let mut draw = Draw(Random::seeded(10));
    for (shape, name) in names.iter().enumerate() {
        let mut cells = vec![name.to_string()];
        for n in [3, 5, 10] {
            cells.push(part(2_000, || {
                let values: Vec<f64> = (0..n).map(|_| window(&mut draw, shape)).collect();
                let (mean, half) = student::interval(&values).expect("enough values");
                let (low, high) = positive::ends(mean, half);
                low <= 1.0 && 1.0 <= high
            }));
        }
        row(&cells);
    }
    println!();
}

fn dependent_table() {
    let text = "What no interval of a mean repairs: repetitions that are alike because they are neighbours in time (each \
                keeps that part of the deviation of the one before), and a host that drifts while a test is repeated (from \
                the first repetition to the last, in spreads of one; the truth is the mean over the drift). A run repeats \
                in blocks: all other tests lie between two repetitions of a test, and each has fresh containers and a \
                fresh switch, so that what is left between them is small.";
    head("Repetitions that are not independent", text, &["repetitions", "n = 3", "n = 5", "n = 10"]);
    let mut draw = Draw(Random::seeded(11));
    for kept in [0.1f64, 0.2, 0.5] {
        let mut cells = vec![format!("alike by {kept}")];
        for n in [3, 5, 10] {
            cells.push(part(SAMPLES, || {
                let mut state = draw.normal();
                let mut next = || {
                    let value = state;
                    state = kept * state + (1.0 - kept * kept).sqrt() * draw.normal();
                    MEAN + value
                };
                let values: Vec<f64> = (0..n).map(|_| next()).collect();
                let (mean, half) = student::interval(&values).expect("enough values");
                (mean - MEAN).abs() <= half
            }));
        }
        row(&cells);
    }
    for drift in [1.0, 3.0] {
        let mut cells = vec![format!("drift of {drift} spreads")];
        for n in [3usize, 5, 10] {
            cells.push(part(SAMPLES, || {
                let along = |place: usize| drift * (place as f64 / (n - 1) as f64 - 0.5);
                let values: Vec<f64> = (0..n).map(|place| MEAN + along(place) + draw.normal()).collect();
                let (mean, half) = student::interval(&values).expect("enough values");
                (mean - MEAN).abs() <= half
            }));
        }
        row(&cells);
    }
    println!();
}

fn adaptive_table() {
    let text = "Repetitions until the interval is narrow enough (`{ min, max, ci }`), asked for as a multiple of the \
                spread of one repetition. Goal: 0.93 everywhere.";
    head(
        "Mean over a number of repetitions that was not fixed",
        text,
        &["shape", "min, max", "0.4", "0.6", "1.0", "2.0"],
    );
    let mut draw = Draw(Random::seeded(2));
    for (shape, name) in SHAPES.iter().enumerate() {
        for (min, max) in [(3, 10), (5, 10), (5, 30)] {
            let mut cells = vec![name.to_string(), format!("{min}, {max}")];
            for asked in [0.4, 0.6, 1.0, 2.0] {
                let precision = Precision { min, max, half_width_ratio: asked / MEAN, half_width_floor: 0.0 };
                cells.push(part(SAMPLES, || {
                    let mut values = Vec::new();
                    while !enough(&values, &precision) {
                        values.push(MEAN + draw.shaped(shape));
                    }
                    let (mean, half) = sequential::interval(&values, &precision).expect("enough values");
                    (mean - MEAN).abs() <= half
                }));
            }
            row(&cells);
        }
    }
    println!();
}

fn precise_table() {
    let text = "Set-ups until the interval is narrow enough, by the rule of `precision` (at least five), asked for as a \
                multiple of the spread of one set-up. Goal: 0.93 everywhere. In brackets how many it takes.";
    head("Mean over set-ups to a precision", text, &["shape", "0.3", "0.5", "0.75", "1.0", "1.5", "2.0", "3.0"]);
    let mut draw = Draw(Random::seeded(12));
    for (shape, name) in SHAPES.iter().enumerate() {
        let mut cells = vec![name.to_string()];
        for asked in [0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0] {
            let precision = precise::Asked { half_width_ratio: asked / MEAN, half_width_floor: 0.0, set_ups_max: 1000 };
            let mut set_ups = 0;
            let held = part(SAMPLES, || {
                let mut values = Vec::new();
                while !precise::enough(&values, &precision) {
                    values.push(MEAN + draw.shaped(shape));
                }
                set_ups += values.len();
                let (mean, half) = precise::interval(&values, &precision).expect("enough values");
                (mean - MEAN).abs() <= half
            });
            cells.push(format!("{held} ({:.0})", set_ups as f64 / f64::from(SAMPLES)));
        }
        row(&cells);
    }
    println!();
}

fn windows_and_set_ups_table() {
    const FEW: u32 = 1_000;
    let text = format!(
        "`precision`: windows as long, and windows and set-ups as many, as what is known by then asks for, over simulated \
         systems whose windows are noisy, like their neighbours, drifting or unlike each other, and whose set-ups are \
         normal, skewed or in one of two states ({FEW} simulated tests). Goal: 0.93 everywhere. In brackets set-ups, \
         windows and seconds of testbed, of which 0.3 s a set-up and 1.2 s a window are not measured."
    );
    head("Windows and set-ups to a precision", &text, &["system", "±5 %", "±2 %", "±1 %"]);
    for system in &systems::SYSTEMS {
        let mut cells = vec![system.name.to_string()];
        for ratio in [0.05, 0.02, 0.01] {
            let mut draw = systems::Draw(Random::seeded(13));
            let (mut set_ups, mut windows, mut seconds) = (0, 0, 0.0);
            let held = part(FEW, || {
                let measured = systems::precise(system, &mut draw, ratio, 1.1);
                set_ups += measured.set_ups;
                windows += measured.windows;
                seconds += measured.seconds;
                measured.holds
            });
            let count = f64::from(FEW);
            let [set_ups, windows] = [set_ups, windows].map(|many| many as f64 / count);
            cells.push(format!("{held} ({set_ups:.1}, {windows:.1}, {:.1} s)", seconds / count));
        }
        row(&cells);
    }
    println!();
}

/// Round trips in bursts of 8: a part that the burst shares, a place in it, a long tail.
fn round_trips(draw: &mut Draw, bursts: u64) -> Vec<InBurst> {
    let mut values = Vec::new();
    for burst in 0..bursts {
        let shared = 2_000.0 * draw.normal().abs() - 1_500.0 * draw.uniform().ln();
        for place in 0..8 {
            let own = -300.0 * draw.uniform().ln();
            values.push(InBurst { value: (10_000.0 + shared + own + 100.0 * f64::from(place)) as u32, burst });
        }
    }
    values
}

fn bursts_table() {
    const FEW: u32 = 1_000;
    let text = format!(
        "Percentiles of round trips in bursts of 8 that share most of their time, within one repetition ({FEW} \
         samples). Bursts are resampled up to 100,000 round trips; beyond, the large-sample form is used; packets \
         taken for independent are what Septet does not do. `-`: refused, fewer than 10 bursts are expected beyond."
    );
    head(
        "Percentiles by bursts",
        &text,
        &["bursts", "percentile", "resampled", "large-sample", "packets as independent"],
    );
    let mut draw = Draw(Random::seeded(3));
    let mut truth: Vec<u32> = round_trips(&mut draw, 1_000_000).iter().map(|value| value.value).collect();
    truth.sort_unstable();
    for bursts in [120u64, 1_200] {
        for (share, name) in [(Share::P50, "p50"), (Share::P90, "p90"), (Share::P99, "p99")] {
            let truth = of_sorted(&truth, share).expect("there are values");
            if share.exceedances_expected(bursts) < 10 {
                row(&[bursts.to_string(), name.to_string(), "-".into(), "-".into(), "-".into()]);
                continue;
            }
            let (mut resampled, mut many, mut naive) = (0, 0, 0);
            for seed in 0..u64::from(FEW) {
                let values = round_trips(&mut draw, bursts);
                let mut sorted: Vec<u32> = values.iter().map(|value| value.value).collect();
                sorted.sort_unstable();
                let percentile = of_sorted(&sorted, share).expect("there are values");
                let below = |chunk: &[InBurst]| chunk.iter().filter(|value| value.value <= percentile).count() as u32;
                let clusters: Vec<(u32, u32)> = values.chunks(8).map(|chunk| (below(chunk), 8)).collect();
                let singles: Vec<(u32, u32)> = values.chunks(1).map(|chunk| (below(chunk), 1)).collect();
                let interval = percentile_of_many(&sorted, &clusters, share).expect("enough bursts");
                many += u32::from((interval.low..=interval.high).contains(&truth));
                let interval = percentile_of_many(&sorted, &singles, share).expect("enough values");
                naive += u32::from((interval.low..=interval.high).contains(&truth));
                let interval = percentiles_by_bursts(values, &[share], seed)[0].expect("enough bursts");
                resampled += u32::from((interval.low..=interval.high).contains(&truth));
            }
            let shown = |count: u32| format!("{:.3}", f64::from(count) / f64::from(FEW));
            row(&[bursts.to_string(), name.to_string(), shown(resampled), shown(many), shown(naive)]);
        }
    }
    println!();
}

fn best_table() {
    let text = "`over = { R = \"max\" }`: nine rates, the best one shown. The bias is that of the value shown against \
                the best true mean, in spreads of one repetition; the coverage is of the best true mean.";
    head("The best of nine", text, &["means", "n", "bias of the largest mean", "bias here", "coverage"]);
    let mut draw = Draw(Random::seeded(4));
    for (name, step) in [("all equal", 0.0), ("0.3 spreads apart", 0.3), ("5 spreads apart", 5.0)] {
        for n in [3usize, 5, 10] {
            let truth = MEAN + 8.0 * step;
            let (mut naive, mut ours, mut held) = (0.0, 0.0, 0);
            for _ in 0..SAMPLES {
                let candidates: Vec<Vec<f64>> = (0..9)
                    .map(|place| (0..n).map(|_| MEAN + f64::from(place) * step + draw.normal()).collect())
                    .collect();
                let means = candidates.iter().map(|values| mean::mean(values).expect("values"));
                naive += means.fold(f64::MIN, f64::max) - truth;
                let best = best::best_of(&candidates).expect("enough values");
                ours += best.mean - truth;
                held += u32::from((best.mean - truth).abs() <= best.half_width);
            }
            let mean = |sum: f64| format!("{:+.3}", sum / f64::from(SAMPLES));
            let coverage = format!("{:.3}", f64::from(held) / f64::from(SAMPLES));
            row(&[name.to_string(), n.to_string(), mean(naive), mean(ours), coverage]);
        }
    }
    println!();
}

fn stands_table() {
    let text = "Repetitions on several stands that differ by as much as repetitions on one do: the mean over all \
                stands there could be. Without the part between stands, and with it as Septet does.";
    head("Several stands", text, &["stands", "repetitions each", "without", "with"]);
    let mut draw = Draw(Random::seeded(5));
    for count in [2usize, 3, 5] {
        for each in [3usize, 10] {
            let (mut without, mut with) = (0, 0);
            for _ in 0..SAMPLES {
                let groups: Vec<Vec<f64>> = (0..count)
                    .map(|_| {
                        let stand = MEAN + draw.normal();
                        (0..each).map(|_| stand + draw.normal()).collect()
                    })
                    .collect();
                let (mean, half) = student::interval(&groups.concat()).expect("enough values");
                let between = stands::half_width(&groups).expect("enough stands");
                without += u32::from((mean - MEAN).abs() <= half);
                with += u32::from((mean - MEAN).abs() <= half.max(between));
            }
            let shown = |count: u32| format!("{:.3}", f64::from(count) / f64::from(SAMPLES));
            row(&[count.to_string(), each.to_string(), shown(without), shown(with)]);
        }
    }
    println!();
}

fn ratio_table() {
    let text = "`septet compare`: the ratio of two means (Fieller's interval with Welch's degrees of freedom), the \
                true ratio being 1.03, a repetition's spread 2 %.";
    head("Ratio of two means", text, &["shape", "n = 3", "n = 5", "n = 10"]);
    let mut draw = Draw(Random::seeded(6));
    for (shape, name) in SHAPES.iter().enumerate() {
        let mut cells = vec![name.to_string()];
        for n in [3, 5, 10] {
            cells.push(part(SAMPLES, || {
                let before = draw.values(shape, n, 0.02);
                let after: Vec<f64> = draw.values(shape, n, 0.02).iter().map(|value| value * 1.03).collect();
                let ratio = difference::ratio(&before, &after).expect("enough values");
                ratio.interval.is_none_or(|(low, high)| low <= 1.03 && 1.03 <= high)
            }));
        }
        row(&cells);
    }
    println!();
}

/// A comparison of 20 tests, of which the first `moved` are 3 % faster: which are called moved.
fn compared(draw: &mut Draw, shape: usize, n: usize, spreads: &dyn Fn(usize) -> f64, moved: usize) -> Vec<bool> {
    let tests: Vec<(Vec<f64>, Vec<f64>)> = (0..20)
        .map(|test| {
            let before = draw.values(shape, n, spreads(test));
            let factor = if test < moved { 1.03 } else { 1.0 };
            (before, draw.values(shape, n, spreads(test)).iter().map(|value| value * factor).collect())
        })
        .collect();
    let pairs: Vec<family::Pair> = tests.iter().map(|(before, after)| family::Pair { before, after }).collect();
    let mut judged = family::judge(&pairs, pairs.len()).expect("enough values");
    family::correct(&mut judged);
    judged.iter().map(family::Judged::moved).collect()
}

fn families_table() {
    let text = "`septet compare` of an experiment with itself, 20 tests, 1,000 experiments: the part in which any \
                test is called moved. Goal: at most 0.05.";
    head("Nothing moved", text, &["shape", "n = 3", "n = 5", "n = 10"]);
    let mut draw = Draw(Random::seeded(7));
    for (shape, name) in SHAPES.iter().enumerate() {
        let mut cells = vec![name.to_string()];
        for n in [3, 5, 10] {
            cells.push(part(1_000, || compared(&mut draw, shape, n, &|_| 0.01, 0).contains(&true)));
        }
        row(&cells);
    }
    for (name, other) in [("normal, half of the tests twice as noisy", 2.0), ("normal, half of them six times", 6.0)] {
        let mut cells = vec![name.to_string()];
        for n in [3, 5, 10] {
            let spreads = |test: usize| if test.is_multiple_of(2) { 0.005 } else { 0.005 * other };
            cells.push(part(1_000, || compared(&mut draw, 0, n, &spreads, 0).contains(&true)));
        }
        row(&cells);
    }
    println!();
}

fn power_table() {
    let text = "One test of 20 became 3 % faster, normal noise, 1,000 experiments: the part in which it is called \
                moved. `quick.toml` ships 3 repetitions, `paper.toml` 3 to 10; few repetitions see little, which \
                `septet compare` says of each comparison.";
    head("A change of 3 %", text, &["spread of a repetition", "n = 3", "n = 5", "n = 7", "n = 10"]);
    let mut draw = Draw(Random::seeded(8));
    for spread in [0.0025, 0.005, 0.01, 0.02] {
        let mut cells = vec![format!("{:.2} %", spread * 100.0)];
        for n in [3, 5, 7, 10] {
            cells.push(part(1_000, || compared(&mut draw, 0, n, &|_| spread, 1)[0]));
        }
        row(&cells);
    }
}
