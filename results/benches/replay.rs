//! Testbed time to a precision of 5 % and 2 % by replaying a record of a real system: the fixed protocol of
//! `experiments/paper.toml` (windows of 50 s, 5 s left out before and after them, at least three) beside `precision`.
//!
//!   cargo bench --workspace --bench replay -- NAME SET_UP_S START_S TRIMS_S SAMPLES... [-- NAME ...]
//!
//! Each file of samples is a set-up of the record: what building and taking down took, what starting and collecting took
//! beyond the traffic, and what precision leaves out before and after a window, are told before them. A replay draws
//! set-ups at random, and windows as stretches of the set-up's samples in their order, from a random place on and around
//! the end: also of a fixed window that is longer than the record's, which then varies as the record's does. What starting
//! generators again changes is not in it. The truth is the mean of the whole record.

// A benchmark prints what it measured.
#![allow(clippy::print_stdout)]

mod systems;

use std::error::Error;
use std::fs;

use results::dataset::read_parquet;
use results::statistics::precise::Costs;
use results::statistics::random::Random;
use wire::Role;

use self::systems::{Draw, Measured, Source, fixed, precise};

const REPLAYS: u32 = 500;
const PAPER_TESTS: f64 = 1096.0;
const FIXED: (f64, f64) = (50.0, 10.0);
/// Length of an accounting interval, seconds.
const INTERVAL_S: f64 = 0.01;

/// A record of a system: received packets/s of each interval, by set-up.
struct Recorded {
    name: String,
    set_ups: Vec<Vec<f64>>,
    set_up_s: f64,
    start_s: f64,
    trims_s: f64,
}

impl Recorded {
    fn of(words: &[String]) -> Result<Recorded, Box<dyn Error>> {
        let [name, set_up_s, start_s, trims_s, files @ ..] = words else {
            return Err("NAME SET_UP_S START_S TRIMS_S SAMPLES... are asked for".into());
        };
        let set_ups: Result<Vec<_>, _> = files.iter().map(|file| rates(file)).collect();
        let [set_up_s, start_s, trims_s] = [set_up_s.parse()?, start_s.parse()?, trims_s.parse()?];
        Ok(Recorded { name: name.clone(), set_ups: set_ups?, set_up_s, start_s, trims_s })
    }
}

/// The whole intervals in the middle of a file's traffic: what is a tenth from its ends belongs to the trims.
fn rates(file: &str) -> Result<Vec<f64>, Box<dyn Error>> {
    let streams = read_parquet(&fs::read(file)?)?;
    let sinks = || streams.iter().filter(|stream| stream.role == Role::Receive);
    let count = sinks().map(|stream| stream.intervals.len()).max().unwrap_or(0);
    let mut rates = vec![0.0; count];
    for record in sinks().flat_map(|stream| &stream.intervals) {
        if let Some(slot) = rates.get_mut(record.index.saturating_sub(1) as usize) {
            *slot += f64::from(record.packets) / INTERVAL_S;
        }
    }
    let inside = rates.get(count / 10..count - count / 10).unwrap_or_default().to_vec();
    if inside.is_empty() { Err(format!("{file} holds no intervals of a receiver").into()) } else { Ok(inside) }
}

impl Source for Recorded {
    fn mean(&self) -> f64 {
        let means = self.set_ups.iter().map(|rates| rates.iter().sum::<f64>() / rates.len() as f64);
        means.sum::<f64>() / self.set_ups.len() as f64
    }

    fn costs(&self, trims_s: f64) -> Costs {
        Costs { set_up_s: self.set_up_s, window_s: trims_s + self.start_s }
    }

    fn set_up(&self, draw: &mut Draw) -> f64 {
        (draw.uniform() * self.set_ups.len() as f64).floor()
    }

    fn window(&self, draw: &mut Draw, set_up: f64, seconds: f64) -> Vec<f64> {
        let rates = &self.set_ups[set_up as usize % self.set_ups.len()];
        let from = (draw.uniform() * rates.len() as f64) as usize;
        rates.iter().cycle().skip(from).take((seconds / INTERVAL_S).round() as usize).copied().collect()
    }
}

struct Mean {
    seconds: f64,
    half_width: f64,
    held: f64,
    reached: f64,
    set_ups: f64,
    windows: f64,
}

fn over(ratio: f64, measure: impl Fn(&mut Draw) -> Measured) -> Mean {
    let mut draw = Draw(Random::seeded(21));
    let all: Vec<Measured> = (0..REPLAYS).map(|_| measure(&mut draw)).collect();
    let part = |of: &dyn Fn(&Measured) -> f64| all.iter().map(of).sum::<f64>() / f64::from(REPLAYS);
    Mean {
        seconds: part(&|one| one.seconds),
        half_width: part(&|one| one.half_width),
        held: part(&|one| f64::from(u8::from(one.holds))),
        reached: part(&|one| f64::from(u8::from(one.half_width <= ratio * 1.000_001))),
        set_ups: part(&|one| one.set_ups as f64),
        windows: part(&|one| one.windows as f64),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo adds a word of its own.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let systems: Result<Vec<_>, _> = words.split(|word| word == "--").map(Recorded::of).collect();
    let systems = systems?;
    println!("replays of records of real systems, {REPLAYS} each; the truth is the mean of the record");
    for ratio in [0.05, 0.02] {
        println!(
            "to ±{:.0} %\n{:<20} {:<24} {:<44} precision",
            ratio * 100.0,
            "system",
            "record",
            "fixed: 50+10 s, 3 to 10",
        );
        let (mut hours, count) = ([0.0; 2], systems.len().max(1) as f64);
        for system in &systems {
            let both = [
                over(ratio, |draw| fixed(system, draw, ratio, FIXED.0, FIXED.1)),
                over(ratio, |draw| precise(system, draw, ratio, system.trims_s)),
            ];
            let shown = both.each_ref().map(|mean| {
                let Mean { seconds, half_width, held, reached, .. } = mean;
                let half = half_width * 100.0;
                format!("{seconds:7.1} s ±{half:.1} % reached {reached:.2} held {held:.3}")
            });
            let [_, precise] = &both;
            let seconds = system.set_ups.iter().map(|rates| rates.len() as f64 * INTERVAL_S).sum::<f64>();
            println!(
                "{:<20} {:<24} {:<44} {} ({:.1} set-ups, {:.1} windows)",
                system.name,
                format!("{} set-ups, {seconds:.0} s", system.set_ups.len()),
                shown[0],
                shown[1],
                precise.set_ups,
                precise.windows
            );
            for (hours, mean) in hours.iter_mut().zip(&both) {
                *hours += mean.seconds * PAPER_TESTS / count / 3600.0;
            }
        }
        println!(
            "the paper's 1,096 tests, if they were like these: {:.1} h fixed, {:.1} h to a precision\n",
            hours[0], hours[1]
        );
    }
    Ok(())
}
