//! What is true of every plan, and what intervals are worth after the rule has stopped.

use proptest::prelude::*;

use super::*;
use crate::statistics::random::Random;

const ASKED: Asked = Asked { half_width_ratio: 0.02, half_width_floor: 0.0, set_ups_max: 100 };
const MOST: Most = Most { windows: 4, set_ups: 100, set_up_s: f64::INFINITY };

fn unit(random: &mut Random) -> f64 {
    (random.bits() >> 11) as f64 / (1u64 << 53) as f64 + f64::EPSILON / 4.0
}

fn normal(random: &mut Random) -> f64 {
    (-2.0 * unit(random).ln()).sqrt() * (std::f64::consts::TAU * unit(random)).cos()
}

#[test]
fn degenerate_samples() {
    assert!(!enough(&[], &ASKED) && !enough(&[1.0; 4], &ASKED));
    assert!(enough(&[1.0; 5], &ASKED));
    assert!(!enough(&[f64::NAN; 50], &ASKED) && enough(&[f64::NAN; 100], &ASKED));
    assert_eq!(interval(&[1.0], &ASKED), Err(SampleError::TooFew { have: 1, need: 2 }));
    assert_eq!(interval(&[1.0; 5], &ASKED), Ok((1.0, 0.02)), "never narrower than what was asked");
    assert_eq!(spread(&[]), Spread::default());
    assert!(within(&[1.0; 39], 1.0).is_err());
    assert_eq!(within(&[1.0; 100], 1.0), Ok(0.0));
    let none = Spread::default();
    let costs = Costs { set_up_s: 1.0, window_s: 0.1 };
    let least = choose(&none, &costs, 1.0, &MOST).expect("nothing varies");
    assert_eq!((least.window_s, least.windows, least.set_ups), (WINDOW_S_MIN, 1, SET_UPS_MIN));
    let wild = Spread { between_set_ups: 1e6, ..none };
    assert_eq!(choose(&wild, &costs, 1.0, &MOST), None, "a hundred set-ups are too few");
}

#[test]
fn the_variance_of_a_window_is_found_where_neighbours_are_alike() {
    // AR(1) with 0.9: the long-run variance is (1 + 0.9) / (1 - 0.9) = 19 times that of a value, of 0.01 s each.
    let (mut random, mut found) = (Random::seeded(5), 0.0);
    for _ in 0..200 {
        let mut state = normal(&mut random);
        let mut next = || {
            state = 0.9 * state + (1.0f64 - 0.81).sqrt() * normal(&mut random);
            100.0 + state
        };
        let values: Vec<f64> = (0..2_000).map(|_| next()).collect();
        found += within(&values, 20.0).expect("enough values") / 200.0;
    }
    assert!((0.16..0.25).contains(&found), "{found}, not 0.19");
}

#[test]
fn levels_are_told_apart() {
    let mut random = Random::seeded(9);
    let truth = Spread { between_set_ups: 4.0, between_windows: 1.0, within: 3.0 };
    let set_ups: Vec<Vec<Window>> = (0..2_000)
        .map(|_| {
            let own = 100.0 + truth.between_set_ups.sqrt() * normal(&mut random);
            let window = |random: &mut Random| {
                let seconds = 2.0;
                let mean = own
                    + truth.between_windows.sqrt() * normal(random)
                    + (truth.within / seconds).sqrt() * normal(random);
                Window { mean, seconds, within: Some(truth.within * (1.0 + 0.1 * normal(random))) }
            };
            (0..4).map(|_| window(&mut random)).collect()
        })
        .collect();
    let found = spread(&set_ups);
    let near = |found: f64, truth: f64| (found / truth - 1.0).abs() < 0.15;
    assert!(
        near(found.between_set_ups, 4.0) && near(found.between_windows, 1.0) && near(found.within, 3.0),
        "{found:?}"
    );
}

proptest! {
    #[test]
    fn a_plan_is_the_cheapest_and_keeps_the_floors(
        between_set_ups in 0.0..9.0f64, between_windows in 0.0..9.0f64, within in 0.0..90.0f64,
        set_up_s in 0.1..30.0f64, window_s in 0.0..5.0f64, half_width in 0.5..5.0f64, windows_max in 1u32..9,
    ) {
        let spread = Spread { between_set_ups, between_windows, within };
        let costs = Costs { set_up_s, window_s };
        let most = Most { windows: windows_max, set_ups: 1_000, set_up_s: f64::INFINITY };
        let Some(choice) = choose(&spread, &costs, half_width, &most) else { return Ok(()) };
        prop_assert!(choice.window_s >= WINDOW_S_MIN && choice.window_s <= WINDOW_S_MAX);
        prop_assert!(choice.set_ups >= SET_UPS_MIN && choice.windows >= 1 && choice.windows <= windows_max);
        // It reaches what is asked, and one set-up less would not, but for the floor.
        let of_set_up = between_set_ups + (between_windows + within / choice.window_s) / f64::from(choice.windows);
        prop_assert!(of_set_up.sqrt() * multiplier(choice.set_ups) <= half_width);
        prop_assert!(choice.set_ups == SET_UPS_MIN || of_set_up.sqrt() * multiplier(choice.set_ups - 1) > half_width);
        // What is easier is never dearer, nor is what may take longer.
        let bound = set_up_s + 2.0 * (window_s + WINDOW_S_MIN);
        if let Some(short) = choose(&spread, &costs, half_width, &Most { set_up_s: bound, ..most }) {
            prop_assert!(short.cost_s >= choice.cost_s && short.cost_s / short.set_ups as f64 <= bound + 1e-9);
        }
        let wider = choose(&spread, &costs, half_width * 1.5, &most).expect("it is easier");
        prop_assert!(wider.cost_s <= choice.cost_s);
        let quieter = Spread { within: within / 2.0, ..spread };
        prop_assert!(choose(&quieter, &costs, half_width, &most).expect("easier").cost_s <= choice.cost_s);
        let more = choose(&spread, &costs, half_width, &Most { windows: windows_max * 2, ..most }).expect("there are more plans");
        prop_assert!(more.cost_s <= choice.cost_s);
    }

    #[test]
    fn more_set_ups_of_the_same_spread_are_never_less_precise(n in SET_UPS_MIN..500usize) {
        prop_assert!(multiplier(n + 1) < multiplier(n));
    }

    #[test]
    fn the_order_of_set_ups_does_not_matter(mut values in prop::collection::vec(90.0..110.0f64, 5..30)) {
        let before = enough(&values, &ASKED);
        values.reverse();
        prop_assert_eq!(enough(&values, &ASKED), before);
    }
}

#[test]
fn intervals_after_stopping_hold_the_mean_in_93_of_100_samples() {
    const MEAN: f64 = 1000.0;
    const SAMPLES: u32 = 4_000;
    type Shape = fn(&mut Random) -> f64;
    let shapes: [(&str, Shape); 5] = [
        ("normal", normal),
        ("gamma 4", |r| (-(unit(r) * unit(r) * unit(r) * unit(r)).ln() - 4.0) / 2.0),
        ("exponential", |r| -unit(r).ln() - 1.0),
        ("two states 50:50", |r| 0.312 * normal(r) + if unit(r) < 0.5 { -0.95 } else { 0.95 }),
        ("two states 70:30", |r| (0.15 * normal(r) + if unit(r) < 0.3 { 0.7 } else { -0.3 }) / 0.482_182_538),
    ];
    let mut random = Random::seeded(2026);
    for (name, shape) in shapes {
        for asked in [0.3, 0.4, 0.5, 0.6, 0.75, 1.0, 1.5, 2.0, 3.0] {
            let precision = Asked { half_width_ratio: asked / MEAN, half_width_floor: 0.0, set_ups_max: 1_000 };
            let mut held = 0;
            for _ in 0..SAMPLES {
                let mut values = Vec::new();
                while !enough(&values, &precision) {
                    values.push(MEAN + shape(&mut random));
                }
                let (mean, half_width) = interval(&values, &precision).expect("enough values");
                held += u32::from((mean - MEAN).abs() <= half_width);
            }
            let held = f64::from(held) / f64::from(SAMPLES);
            assert!(held >= 0.93, "{name}, {asked} asked for: {held:.3}");
        }
    }
}
