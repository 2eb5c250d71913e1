//! What `run --for` gains by measuring what is in doubt first: simulated runs of `experiments/paper.toml` on one stand,
//! in the order of a run without `--for` and in that of one with it, and after each tenth of the time that all of it
//! takes, the part of the claims that are settled and of the figures and tables that are complete.

// A benchmark prints what it measured.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::time::Duration;

use pipeline::dispatch::{Dispatcher, Event, Limits, Number, Order, Sequence, StandAtStart, StandState, Task, Urgency};
use pipeline::doubt::Needs;
use pipeline::experiment::{self, Experiment, Test};
use pipeline::key::Key;
use pipeline::plan;
use reports::model::{State, TestView};
use reports::topology::Route;
use results::axes::{Dimension, Locality};
use results::metric::Quantity;
use results::statistics::random::Random;
use results::statistics::sequential::{self, Precision};
use results::summary::{Reduction, Repetition, summarise_adaptive};

/// Simulated runs.
const RUNS: u64 = 3;
/// What a repetition takes beyond its traffic.
const BEYOND: Duration = Duration::from_millis(500);
const TENTHS: usize = 10;

fn unit(random: &mut Random) -> f64 {
    (random.bits() >> 11) as f64 / (1u64 << 53) as f64 + f64::EPSILON / 4.0
}

fn normal(random: &mut Random) -> f64 {
    (-2.0 * unit(random).ln()).sqrt() * (std::f64::consts::TAU * unit(random)).cos()
}

/// What a test would show if nothing varied: packets/s, or ns, of a model in which most of the paper's claims hold.
fn truth(test: &Test) -> f64 {
    let tuple = &test.tuple;
    let (packet, burst) = (f64::from(tuple.packet.get()), f64::from(tuple.burst.get()));
    let remote = tuple.locality == Locality::Remote;
    let (mpps, us) = match tuple.vswitch.name() {
        "sriov" => (13.0, 4.0),
        "basicfwd" => (11.0, 3.5),
        "vpp" => (10.5, 5.0),
        "ovs" => (8.0, 6.0),
        "snabb" => (6.5, 9.0),
        _ => (0.38, 30.0),
    };
    match tuple.dimension {
        Dimension::Throughput => {
            let pairs = f64::from(tuple.pairs.get());
            let offered = tuple.rate.fixed_pps().unwrap_or(0) as f64 * pairs;
            let line = if remote { 10e9 / ((packet + 24.0) * 8.0) } else { f64::INFINITY };
            // Software copies: what differs at 64 B is bound by memory at 1500 B.
            let copying = 1.0 / (1.0 / (mpps * 1e6) + (packet - 64.0) / 5.5e9);
            offered.min(copying).min(line)
        }
        Dimension::Latency => (us + if remote { 9.0 } else { 0.0 } + 0.05 * burst + packet / 900.0) * 1e3,
    }
}

struct Simulated {
    truth: f64,
    /// The spread of a repetition, as a part of the truth: most vary little, some a lot.
    spread: f64,
}

impl Simulated {
    fn of(test: &Test, random: &mut Random) -> Simulated {
        Simulated { truth: truth(test), spread: 0.002 * (30.0f64).powf(unit(random).powi(2)) }
    }

    fn repetition(&self, test: &Test, random: &mut Random) -> (f64, Repetition) {
        let value = self.truth * (1.0 + self.spread * normal(random)).max(0.01);
        let tuple = &test.tuple;
        let mut values = std::collections::BTreeMap::new();
        match tuple.dimension {
            Dimension::Throughput => {
                let offered = tuple.rate.fixed_pps().unwrap_or(0) as f64 * f64::from(tuple.pairs.get());
                values.insert(Quantity::RxPps, value);
                values.insert(Quantity::RxBps, value * f64::from(tuple.packet.get()) * 8.0);
                values.insert(Quantity::RxBpsL1, value * (f64::from(tuple.packet.get()) + 24.0) * 8.0);
                values.insert(Quantity::OfferedPps, offered);
                values.insert(Quantity::TxPps, offered);
                values.insert(Quantity::LossRatio, (1.0 - value / offered).max(0.0));
            }
            Dimension::Latency => {
                values.insert(Quantity::RttMean, value);
                values.insert(Quantity::RttP50, value * 0.95);
                values.insert(Quantity::RttP99, value * 1.6);
            }
        }
        (value, Repetition { reduction: Reduction { values, ..Reduction::default() }, ..Repetition::default() })
    }
}

struct Run<'e> {
    experiment: &'e Experiment,
    needs: &'e Needs,
    precision: Precision,
    systems: Vec<Simulated>,
    views: Vec<TestView>,
    values: Vec<Vec<f64>>,
    repetitions: Vec<Vec<Repetition>>,
    /// One a test: what its repetitions show does not depend on the order in which tests are measured.
    randoms: Vec<Random>,
}

impl<'e> Run<'e> {
    fn new(experiment: &'e Experiment, needs: &'e Needs, precision: Precision, seed: u64) -> Run<'e> {
        let mut random = Random::seeded(seed);
        let tests = &experiment.matrix.tests;
        let view = |test: &Test| TestView {
            tuple: test.tuple.clone(),
            name: test.tuple.to_string(),
            key: None,
            route: Route::Virtio,
            groups: test.groups.iter().map(|group| experiment.groups[usize::from(*group)].id.clone()).collect(),
            state: State::NotMeasured,
            summary: None,
            accepted: Vec::new(),
        };
        Run {
            experiment,
            needs,
            precision,
            systems: tests.iter().map(|test| Simulated::of(test, &mut random)).collect(),
            views: tests.iter().map(view).collect(),
            values: vec![Vec::new(); tests.len()],
            repetitions: vec![Vec::new(); tests.len()],
            randoms: tests.iter().map(|_| Random::seeded(random.bits())).collect(),
        }
    }

    /// Measures a test once; what the next repetition takes, if it wants one.
    fn measure(&mut self, place: usize) -> Option<Duration> {
        let test = &self.experiment.matrix.tests[place];
        let (value, repetition) = self.systems[place].repetition(test, &mut self.randoms[place]);
        self.values[place].push(value);
        self.repetitions[place].push(repetition);
        let judged = match test.tuple.dimension {
            Dimension::Throughput => Quantity::RxPps,
            Dimension::Latency => Quantity::RttMean,
        };
        self.views[place].summary = Some(summarise_adaptive(&self.repetitions[place], judged, &self.precision));
        self.views[place].state = State::Measured;
        (!sequential::enough(&self.values[place], &self.precision)).then(|| cost(test))
    }

    /// All of it: when how much was settled and complete, as (seconds, claims, figures).
    fn all(&mut self, in_doubt_first: bool) -> Vec<(f64, usize, usize)> {
        let tests = &self.experiment.matrix.tests;
        let task = |(place, test): (usize, &Test)| Task {
            key: Key(*blake3::hash(&place.to_le_bytes()).as_bytes()),
            cost: cost(test),
            urgency: Urgency::UNKNOWN,
        };
        let tasks = tests.iter().enumerate().map(task).collect();
        let stand = StandAtStart { quiet: true, state: StandState::Free };
        let sequence = Sequence::Random("0123456789abcdef".to_string());
        let mut dispatcher =
            Dispatcher::new(tasks, vec![stand], sequence, Limits { keep_going: true, time: None, ahead: false });
        let (mut now, mut seen) = (Duration::ZERO, Vec::new());
        let mut orders = dispatcher.orders(now).expect("it begins");
        while let Some(order) = orders.pop() {
            orders = match order {
                Order::Measure { test, stand } => {
                    now += cost(&self.experiment.matrix.tests[test.0]);
                    let more = self.measure(test.0);
                    // Looked at as often as is needed to know how it was after each tenth.
                    if seen.len().is_multiple_of(100) {
                        let standing = self.needs.standing(&self.views);
                        seen.push((now.as_secs_f64(), standing.claims_settled, standing.drawn_complete));
                    } else if let Some((_, claims, drawn)) = seen.last().copied() {
                        seen.push((now.as_secs_f64(), claims, drawn));
                    }
                    let mut orders =
                        dispatcher.handle(Event::Measured { stand, failed: false }, now).expect("it was measured");
                    orders.extend(dispatcher.handle(Event::Stored { test, more }, now).expect("it is stored"));
                    orders
                }
                Order::Review(_) => {
                    if in_doubt_first {
                        let urgencies = self.needs.standing(&self.views).urgencies;
                        let urgencies = urgencies.into_iter().enumerate();
                        let urgencies = urgencies.map(|(test, urgency)| (Number(test), urgency)).collect();
                        dispatcher.handle(Event::Urgent(urgencies), now).expect("tests are known");
                    }
                    dispatcher.handle(Event::Reviewed(Vec::new()), now).expect("it was asked for")
                }
                Order::GiveUp(test) | Order::Begun { test, .. } => panic!("{test:?} can be measured, by a quiet stand"),
            };
        }
        let standing = self.needs.standing(&self.views);
        seen.push((now.as_secs_f64(), standing.claims_settled, standing.drawn_complete));
        seen
    }
}

fn cost(test: &Test) -> Duration {
    let times = test.times;
    Duration::from_nanos(times.warmup_ns + times.duration_ns + times.cooldown_ns) + BEYOND
}

fn main() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../experiments/paper.toml");
    let experiment = experiment::load(&file).unwrap_or_else(|error| panic!("{error}"));
    let needs = Needs::of(&experiment);
    let precision = plan::precision(&experiment.protocol.repetitions).expect("the paper's number is not fixed");
    let (claims, drawn) = needs.counts();
    println!(
        "paper.toml, {} tests, {claims} claims, {drawn} figures and tables, {RUNS} simulated runs; after each tenth of the \
         time: claims settled / figures and tables complete",
        experiment.matrix.tests.len()
    );
    let mut rows = [[(0.0, 0.0); TENTHS]; 2];
    let mut hours = [0.0; 2];
    for seed in 0..RUNS {
        let seen = [false, true].map(|first| Run::new(&experiment, &needs, precision, seed).all(first));
        let total = seen[0].last().map_or(0.0, |last| last.0);
        for ((row, seen), hours) in rows.iter_mut().zip(&seen).zip(&mut hours) {
            *hours += seen.last().map_or(0.0, |last| last.0) / 3600.0 / RUNS as f64;
            for (tenth, cell) in row.iter_mut().enumerate() {
                let at = total * (tenth + 1) as f64 / TENTHS as f64;
                let known = seen.iter().rev().find(|(time, ..)| *time <= at + 1.0);
                let (_, settled, complete) = known.copied().unwrap_or_default();
                cell.0 += settled as f64 / claims as f64 / RUNS as f64;
                cell.1 += complete as f64 / drawn as f64 / RUNS as f64;
            }
        }
    }
    for ((name, row), hours) in ["in blocks", "in doubt first"].iter().zip(&rows).zip(&hours) {
        let cells: Vec<String> = row.iter().map(|(claims, drawn)| format!("{claims:.2}/{drawn:.2}")).collect();
        println!("{name:<15} {hours:5.1} h  {}", cells.join("  "));
    }
}
