//! Agreement with numpy and scipy to 1e-9 (relative, and absolute below 1) on the vectors of `scipy.json`, which
//! `vectors.py` beside it makes:
//! `numpy.mean`, `numpy.std(ddof=1)`, `scipy.stats.t.ppf(.975, n - 1) * scipy.stats.sem`,
//! `numpy.percentile(method="inverted_cdf")` and its default, fences by `numpy.percentile`, and
//! `scipy.stats.median_abs_deviation`; `scipy.stats.ttest_ind` for a pair alone, `numpy.roots` for Fieller's limits,
//! `scipy.stats.sem` over stands. The version that made them is in the file.

use std::collections::BTreeMap;

use results::statistics::percentile::{Share, interpolated, of_sorted};
use results::statistics::{difference, family, mean, outliers, stands, student};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    samples: Vec<Sample>,
    quantiles: Vec<Quantiles>,
    comparisons: Vec<Compared>,
    stands: Vec<Stands>,
}

#[derive(Deserialize)]
struct Compared {
    name: String,
    before: Vec<f64>,
    after: Vec<f64>,
    p: f64,
    ratio: f64,
    interval: (f64, f64),
}

#[derive(Deserialize)]
struct Stands {
    groups: Vec<Vec<f64>>,
    half_width: f64,
}

#[derive(Deserialize)]
struct Sample {
    name: String,
    values: Vec<f64>,
    sum: f64,
    mean: f64,
    standard_deviation: f64,
    half_width_95: f64,
    nearest_rank: BTreeMap<String, f64>,
    interpolated: BTreeMap<String, f64>,
    tukey: Vec<usize>,
    median_deviation: Vec<usize>,
}

#[derive(Deserialize)]
struct Quantiles {
    freedom: usize,
    t_95: f64,
    t_99: f64,
}

fn share(name: &str) -> Share {
    match name {
        "p2_5" => Share::P2_5,
        "p25" => Share::P25,
        "p50" => Share::P50,
        "p75" => Share::P75,
        "p90" => Share::P90,
        "p97_5" => Share::P97_5,
        "p99" => Share::P99,
        "p999" => Share::P999,
        "p9999" => Share::P9999,
        other => panic!("{other}"),
    }
}

#[track_caller]
fn near(ours: f64, theirs: f64, what: &str) {
    assert!((ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0), "{what}: {ours} here, {theirs} there");
}

#[test]
fn statistics_agree_with_numpy_and_scipy() {
    let vectors: Vectors = serde_json::from_str(include_str!("scipy.json")).unwrap();
    assert!(vectors.samples.len() >= 8 && vectors.quantiles.len() >= 20);
    for sample in &vectors.samples {
        let what = |statistic: &str| format!("{statistic} of {}", sample.name);
        near(mean::sum(&sample.values), sample.sum, &what("sum"));
        near(mean::mean(&sample.values).unwrap(), sample.mean, &what("mean"));
        let spread = mean::standard_deviation(&sample.values).unwrap();
        near(spread, sample.standard_deviation, &what("standard deviation"));
        let (_, half_width) = student::interval(&sample.values).unwrap();
        near(half_width, sample.half_width_95, &what("half width"));
        let mut sorted = sample.values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        for (name, &theirs) in &sample.nearest_rank {
            near(of_sorted(&sorted, share(name)).unwrap(), theirs, &what(name));
        }
        for (name, &theirs) in &sample.interpolated {
            near(interpolated(&sorted, share(name)), theirs, &what(name));
        }
        assert_eq!(outliers::tukey(&sample.values).unwrap(), sample.tukey, "{}", sample.name);
        assert_eq!(outliers::median_deviation(&sample.values).unwrap(), sample.median_deviation, "{}", sample.name);
    }
    assert!(vectors.comparisons.len() >= 5 && vectors.stands.len() >= 2);
    for Compared { name, before, after, p, ratio, interval } in vectors.comparisons {
        let alone = family::judge(&[family::Pair { before: &before, after: &after }], 1).unwrap();
        near(alone[0].p, p, &format!("p of {name}"));
        let ours = difference::ratio(&before, &after).unwrap();
        near(ours.value, ratio, &format!("ratio of {name}"));
        near(ours.interval.unwrap().0, interval.0, &format!("lower limit of {name}"));
        near(ours.interval.unwrap().1, interval.1, &format!("upper limit of {name}"));
    }
    for Stands { groups, half_width } in vectors.stands {
        near(stands::half_width(&groups).unwrap(), half_width, "half width over stands");
    }
    for Quantiles { freedom, t_95, t_99 } in vectors.quantiles {
        near(student::t_95(freedom), t_95, &format!("t at 95 % for {freedom}"));
        near(student::t_99(freedom), t_99, &format!("t at 99 % for {freedom}"));
    }
}
