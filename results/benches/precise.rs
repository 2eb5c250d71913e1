//! Testbed time to a precision: the fixed protocol of `experiments/paper.toml` (windows of 50 s, 5 s left out before and
//! after them, at least three) beside `precision`, over simulated systems. A line a system: seconds of testbed a test,
//! and the part of the intervals that hold the truth; then what the paper's 1,096 tests take, a system being as frequent
//! as any other.

// A benchmark prints what it measured.
#![allow(clippy::print_stdout)]

mod systems;

use results::statistics::random::Random;

use self::systems::{Draw, Measured, SYSTEMS, System, fixed, precise};

const SAMPLES: u32 = 200;
const PAPER_TESTS: f64 = 1096.0;

fn over(system: &System, measure: impl Fn(&System, &mut Draw) -> Measured) -> (f64, f64, f64) {
    let mut draw = Draw(Random::seeded(21));
    let all: Vec<Measured> = (0..SAMPLES).map(|_| measure(system, &mut draw)).collect();
    let part = |of: &dyn Fn(&Measured) -> f64| all.iter().map(of).sum::<f64>() / f64::from(SAMPLES);
    (part(&|one| one.seconds), part(&|one| f64::from(u8::from(one.holds))), part(&|one| one.half_width))
}

fn main() {
    for ratio in [0.05, 0.02] {
        println!("to ±{:.0} %, {SAMPLES} simulated tests each: seconds, coverage (mean half width)", ratio * 100.0);
        println!(
            "{:<18} {:>24} {:>26} {:>26}",
            "system", "50+10 s, 3 to 10", "precision, trims of 10 s", "precision, trims of 1.1 s"
        );
        let mut hours = [0.0; 3];
        for system in &SYSTEMS {
            let columns = [
                over(system, |system, draw| fixed(system, draw, ratio, 50.0, 10.0)),
                over(system, |system, draw| precise(system, draw, ratio, 10.0)),
                over(system, |system, draw| precise(system, draw, ratio, 1.1)),
            ];
            let shown =
                columns.map(|(seconds, held, half)| format!("{seconds:.1} s {held:.3} (±{:.1} %)", half * 100.0));
            println!("{:<18} {:>24} {:>26} {:>26}", system.name, shown[0], shown[1], shown[2]);
            for (hours, (seconds, ..)) in hours.iter_mut().zip(columns) {
                *hours += seconds * PAPER_TESTS / SYSTEMS.len() as f64 / 3600.0;
            }
        }
        println!(
            "the paper's 1,096 tests: {:.1} h fixed, {:.1} h to a precision with its trims, {:.1} h with trims of 1.1 s\n",
            hours[0], hours[1], hours[2]
        );
    }
}
