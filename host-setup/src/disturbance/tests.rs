//! Invented series of looks: what was worst, where and when, is kept, however many looks there are.

use proptest::prelude::*;

use super::*;

const STEP_NS: u64 = 250_000_000;

/// Looks at a quiet host, a step apart, the first when the window begins at 1 s.
fn quiet(count: u64) -> Vec<Snapshot> {
    let thread = |thread| ThreadCounters {
        cpus: None,
        thread,
        name: format!("gen-{thread}"),
        migrations: Some(1),
        minor_faults: 100,
        major_faults: 2,
    };
    let look = |place: u64| Snapshot {
        mono_ns: 1_000_000_000 + place * STEP_NS,
        steal_ns: (0..4).map(|cpu| (cpu, 70_000_000)).collect(),
        interrupts: (0..4).map(|cpu| (cpu, 10)).collect(),
        frequency_khz: (0..4).map(|cpu| (cpu, 2_200_000)).collect(),
        throttled: (0..4).map(|cpu| (cpu, 5)).collect(),
        pressure_us: vec![("cpu".into(), 1000), ("memory".into(), 0)],
        threads: vec![thread(7), thread(8)],
        settings: vec![("governor".into(), "performance".into()), ("turbo".into(), "off".into())],
        ..Snapshot::default()
    };
    (0..count).map(look).collect()
}

fn watched(looks: &[Snapshot]) -> Watched {
    let mut series = Series::new(vec![2, 3], 1_000_000_000);
    looks.iter().for_each(|look| series.add(look.clone(), 100));
    series.seen().clone()
}

/// Peaks as `(disturbance, of, amount, number of the look)`.
fn peaks(looks: &[Snapshot]) -> Vec<(Disturbance, String, u64, u64)> {
    let peaks = watched(looks).peaks.into_iter();
    peaks.map(|peak| (peak.disturbance, peak.of, peak.amount, peak.at_ns / STEP_NS)).collect()
}

#[test]
fn a_quiet_window_has_no_peaks_and_its_looks_are_counted() {
    let seen = watched(&quiet(9));
    assert_eq!(seen, Watched { looks: 9, cpu_ns: 900, ..Watched::default() });
    assert_eq!(watched(&[]), Watched::default());
    assert_eq!(watched(&quiet(1)).looks, 1);
}

#[test]
fn each_disturbance_is_found_where_and_when_it_was() {
    let found = |change: &dyn Fn(&mut Snapshot)| {
        let mut looks = quiet(9);
        // Counters never go back.
        looks[5..].iter_mut().for_each(change);
        peaks(&looks)
    };
    let at = |disturbance, of: &str, amount| vec![(disturbance, of.to_owned(), amount, 5)];
    assert_eq!(found(&|look| look.throttled[2].1 += 3), at(Disturbance::Throttled, "2", 3));
    assert_eq!(found(&|look| look.steal_ns[3].1 += 9), at(Disturbance::Steal, "3", 9));
    assert_eq!(found(&|look| look.interrupts[3].1 += 420), at(Disturbance::Interrupts, "3", 420));
    assert_eq!(found(&|look| look.interrupts[0].1 += 420), [], "a CPU that does not measure");
    assert_eq!(found(&|look| look.threads[1].migrations = Some(4)), at(Disturbance::Migrations, "gen-8", 3));
    assert_eq!(found(&|look| look.threads[0].minor_faults += 50), at(Disturbance::MinorFaults, "gen-7", 50));
    assert_eq!(found(&|look| look.threads[0].major_faults += 1), at(Disturbance::MajorFaults, "gen-7", 1));
    assert_eq!(found(&|look| look.pressure_us[1].1 += 77), at(Disturbance::Pressure, "memory", 77));
    assert_eq!(found(&|look| look.threads[0].thread = 9), [], "a thread that was not there before");
}

#[test]
fn a_dip_that_is_over_again_is_seen() {
    let mut looks = quiet(9);
    looks[3].frequency_khz[2].1 = 1_100_000;
    looks[6].frequency_khz[3].1 = 2_310_000;
    let low = (Disturbance::FrequencyLow, "2".to_owned(), 500_000, 3);
    let high = (Disturbance::FrequencyHigh, "3".to_owned(), 1_050_000, 6);
    assert_eq!(peaks(&looks), [low, high]);
    assert_eq!(worst(&looks[0], &looks[0], &looks[8], &[2, 3]), [], "before and after say nothing of it");
}

#[test]
fn cycles_are_believed_before_looks_and_may_wrap_around() {
    let mut looks = quiet(3);
    for (place, look) in looks.iter_mut().enumerate() {
        look.frequency_khz[2].1 -= 1000 * place as u64;
        let turns = place as u64 * 1000;
        look.cycles = vec![(2, (u64::MAX - 500).wrapping_add(turns), turns)];
    }
    assert_eq!(peaks(&looks), [], "each thousand took a thousand");
    looks[2].cycles[0].1 = looks[2].cycles[0].1.wrapping_sub(100);
    assert_eq!(peaks(&looks), [(Disturbance::FrequencyLow, "2".to_owned(), 900_000, 2)]);
    looks[2].cycles[0].2 = looks[1].cycles[0].2;
    let looked = (Disturbance::FrequencyLow, "2".to_owned(), 999_090, 2);
    assert_eq!(peaks(&looks), [looked], "a CPU whose counters stood still is looked at");
}

#[test]
fn a_setting_that_changed_and_was_changed_back_is_named_twice() {
    let mut looks = quiet(9);
    looks[4].settings[0].1 = "powersave".into();
    looks[8].settings.remove(1);
    let change = |name: &str, was: &str, became: Option<&str>, place: u64| SettingChange {
        name: name.into(),
        was: Some(was.into()),
        became: became.map(str::to_owned),
        at_ns: place * STEP_NS,
    };
    let expected = [
        change("governor", "performance", Some("powersave"), 4),
        change("governor", "powersave", Some("performance"), 5),
        change("turbo", "off", None, 8),
    ];
    assert_eq!(watched(&looks).changes, expected);
}

#[test]
fn a_setting_that_flaps_fills_no_record() {
    let mut looks = quiet(500);
    for (place, look) in looks.iter_mut().enumerate() {
        look.settings[0].1 = place.to_string();
    }
    assert_eq!(watched(&looks).changes.len(), CHANGES_MAX);
}

proptest! {
    #[test]
    fn the_worst_rate_is_kept(steps in prop::collection::vec((1u64..1000, 1u64..1_000_000), 1..40)) {
        let mut looks = vec![quiet(1).remove(0)];
        for (interrupts, span_ns) in &steps {
            let mut look = looks[looks.len() - 1].clone();
            look.mono_ns += span_ns;
            look.interrupts[2].1 += interrupts;
            looks.push(look);
        }
        let seen = watched(&looks);
        prop_assert_eq!(seen.looks, looks.len() as u64);
        prop_assert_eq!(seen.peaks.len(), 1);
        let rate = |amount: u64, span_ns: u64| amount as f64 / span_ns as f64;
        let most = steps.iter().map(|(interrupts, span_ns)| rate(*interrupts, *span_ns)).fold(0.0, f64::max);
        prop_assert_eq!(rate(seen.peaks[0].amount, seen.peaks[0].span_ns), most);
    }
}
