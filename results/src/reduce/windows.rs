//! The windows of one set-up to the set-up's values. It must not know samples.

use std::collections::BTreeMap;

use crate::metric::Quantity;
use crate::statistics::mean::mean;
use crate::summary::Reduction;

/// What several windows of one set-up say together: of each quantity that all of them have the mean, so that every window
/// counts alike. An interval within a window has its ends averaged, which is wider than what all together leave in doubt.
/// A percentile that one window refuses is refused, with the fewest bursts. A doubt about one is a doubt about the set-up.
pub fn average(windows: &[Reduction]) -> Reduction {
    let all = |of: &dyn Fn(&Reduction) -> Option<f64>| -> Option<f64> {
        let values: Option<Vec<f64>> = windows.iter().map(of).collect();
        mean(&values?).ok()
    };
    let quantities = windows.first().map(|window| &window.values).into_iter().flat_map(BTreeMap::keys).copied();
    let mut average = Reduction::default();
    for quantity in quantities {
        let Some(value) = all(&|window| window.values.get(&quantity).copied()) else { continue };
        average.values.insert(quantity, value);
        let end = |of: fn(&(f64, f64)) -> f64| all(&|window| window.within.get(&quantity).map(of));
        if let (Some(low), Some(high)) = (end(|ends| ends.0), end(|ends| ends.1)) {
            average.within.insert(quantity, (low, high));
        }
    }
    let refused: Vec<(Quantity, u64)> =
        windows.iter().flat_map(|window| &window.refused).map(|(quantity, bursts)| (*quantity, *bursts)).collect();
    for (quantity, bursts) in refused {
        let fewest = average.refused.entry(quantity).or_insert(bursts);
        *fewest = bursts.min(*fewest);
    }
    average.rtt_count = windows.iter().map(|window| window.rtt_count).sum();
    average.flags = windows.iter().flat_map(|window| window.flags.iter().copied()).collect();
    average.flags.sort_unstable();
    average.flags.dedup();
    average
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::flags::Flag;

    fn window(rate: f64, high: Option<f64>, flags: &[Flag]) -> Reduction {
        let mut window = Reduction { rtt_count: 10, flags: flags.to_vec(), ..Reduction::default() };
        window.values.insert(Quantity::RxPps, rate);
        match high {
            Some(high) => {
                window.values.insert(Quantity::RttP99, high);
                window.within.insert(Quantity::RttP99, (high - 1.0, high + 1.0));
            }
            None => drop(window.refused.insert(Quantity::RttP99, rate as u64)),
        }
        window
    }

    #[test]
    fn what_one_window_lacks_the_set_up_lacks_and_a_doubt_about_one_is_about_all() {
        let clean = window(10.0, Some(4.0), &[]);
        let odd = window(20.0, None, &[Flag::NotSteady]);
        let both = average(&[clean.clone(), odd.clone()]);
        assert_eq!(both.values, BTreeMap::from([(Quantity::RxPps, 15.0)]));
        assert_eq!((both.refused, both.within.len()), (BTreeMap::from([(Quantity::RttP99, 20)]), 0));
        assert_eq!((both.rtt_count, both.flags), (20, vec![Flag::NotSteady]));
        let same = average(&[clean.clone(), window(12.0, Some(6.0), &[])]);
        assert_eq!(same.within, BTreeMap::from([(Quantity::RttP99, (4.0, 6.0))]));
        assert_eq!(average(&[]), Reduction::default());
    }

    proptest! {
        #[test]
        fn the_order_of_windows_does_not_matter_and_one_is_itself(
            rates in prop::collection::vec((1.0..1e7f64, prop::option::of(1.0..1e6f64), any::<bool>()), 1..9)
        ) {
            let made = |(rate, high, doubt): &(f64, Option<f64>, bool)| {
                window(*rate, *high, if *doubt { &[Flag::NotSteady] } else { &[] })
            };
            let mut windows: Vec<Reduction> = rates.iter().map(made).collect();
            prop_assert_eq!(&average(&windows[..1]), &windows[0]);
            let before = average(&windows);
            let (least, most) = rates.iter().fold((f64::MAX, 0f64), |(l, m), (rate, ..)| (l.min(*rate), m.max(*rate)));
            let slack = most * 1e-12;
            prop_assert!(before.values[&Quantity::RxPps] >= least - slack && before.values[&Quantity::RxPps] <= most + slack);
            windows.reverse();
            prop_assert_eq!(average(&windows), before);
        }
    }
}
