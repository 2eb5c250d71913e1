//! Many comparisons of two means at once: which differences are real. It must not know what is compared.
//!
//! A few repetitions say little of a test's own noise, but the tests of an experiment say much together. Each
//! test's variance, as a part of its mean's square, is drawn towards what tests usually have, as far as they are
//! alike (Smyth, "Linear models and empirical Bayes methods for assessing differential expression in microarray
//! experiments", Statistical Applications in Genetics and Molecular Biology 3, 2004, sections 3 and 6.2). Three
//! things keep that honest where tests are not alike: how alike they are is judged with a standard error to the
//! safe side, what they say together counts no more than a test's own values do, and no error is believed to be
//! below the lower quartile of all (as the constant in the denominator of Tusher, Tibshirani, Chu, "Significance
//! analysis of microarrays applied to the ionizing radiation response", PNAS 98, 2001): of many tests of three
//! repetitions some look free of noise by chance, above all where a system has two states.

use crate::statistics::SampleError;
use crate::statistics::difference::holm;
use crate::statistics::mean::{mean, variance};
use crate::statistics::percentile::{Share, interpolated};
use crate::statistics::special::{digamma, exp, ln, trigamma, trigamma_inverse};
use crate::statistics::student::{t_quantile, t_within};

/// Part of families of comparisons in which nothing moved that may name something all the same: the promise.
pub const FAMILY_ERROR_MAX: f64 = 0.05;
/// The level that keeps it in simulations with tests of unlike noise and with two states, whose shared variance
/// is an estimate too.
pub const LEVEL: f64 = 0.03;
/// Fewest tests that say something together.
const TESTS_MIN: usize = 4;

/// Two samples of one test.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// The earlier values.
    pub before: &'a [f64],
    /// The later values.
    pub after: &'a [f64],
}

/// What a family says of one of its tests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// Probability of such a difference where there is none, of this test alone.
    pub p: f64,
    /// The p-value corrected for all tests together.
    pub p_adjusted: f64,
    /// Least change, as a part of the earlier mean, that is detected with 50 % power; absent where the
    /// earlier mean is 0.
    pub detectable: Option<f64>,
}

impl Judged {
    /// Whether the difference is real.
    pub fn moved(&self) -> bool {
        self.p_adjusted <= FAMILY_ERROR_MAX
    }
}

/// One test's figures, as parts of its earlier mean.
struct Test {
    difference: f64,
    /// The variance of one value.
    variance: f64,
    freedom: f64,
    /// 1 / n + 1 / m: the error's square is this times the variance.
    weight: f64,
}

impl Test {
    fn of(pair: &Pair) -> Result<Test, SampleError> {
        let (n, m) = (pair.before.len() as f64, pair.after.len() as f64);
        let (a, b) = (variance(pair.before)?, variance(pair.after)?);
        let before = mean(pair.before)?;
        let freedom = n + m - 2.0;
        let pooled = (a * (n - 1.0) + b * (m - 1.0)) / freedom;
        Ok(Test {
            difference: (mean(pair.after)? - before) / before,
            variance: pooled / (before * before),
            freedom,
            weight: 1.0 / n + 1.0 / m,
        })
    }

    /// Whether it can be compared as a part of its mean at all.
    fn is_finite(&self) -> bool {
        self.difference.is_finite() && self.variance.is_finite()
    }
}

/// What the tests of a family say together of the variance of each.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Prior {
    variance: f64,
    /// How many values' worth it is; 0 where tests say nothing together.
    freedom: f64,
}

impl Prior {
    fn of(tests: &[Test]) -> Prior {
        let noisy: Vec<&Test> = tests.iter().filter(|test| test.is_finite() && test.variance.is_normal()).collect();
        let count = noisy.len() as f64;
        if noisy.len() < TESTS_MIN {
            return Prior { variance: 0.0, freedom: 0.0 };
        }
        let level = |test: &&Test| {
            let half = test.freedom / 2.0;
            ln(test.variance) - digamma(half) + ln(half)
        };
        let levels: Vec<f64> = noisy.iter().map(level).collect();
        let own: f64 = noisy.iter().map(|test| trigamma(test.freedom / 2.0)).sum::<f64>() / count;
        let own_freedom = noisy.iter().map(|test| test.freedom).sum::<f64>() / count;
        let centre = levels.iter().sum::<f64>() / count;
        let spread = levels.iter().map(|level| (level - centre) * (level - centre)).sum::<f64>() / (count - 1.0);
        // One standard error more than was seen.
        let between = spread * (1.0 + (2.0 / (count - 1.0)).sqrt()) - own;
        let alike = if between > 1e-9 { 2.0 * trigamma_inverse(between) } else { f64::INFINITY };
        let freedom = alike.min(own_freedom);
        Prior { variance: exp(centre + digamma(freedom / 2.0) - ln(freedom / 2.0)), freedom }
    }

    /// The test's error, and its degrees of freedom.
    fn error(&self, test: &Test) -> (f64, usize) {
        let freedom = self.freedom + test.freedom;
        let variance = (self.freedom * self.variance + test.freedom * test.variance) / freedom;
        ((variance * test.weight).sqrt(), (freedom.floor() as usize).max(1))
    }
}

/// Judges a family of comparisons of one quantity, in their order; `family` is how many are asked together, of
/// other quantities too.
///
/// # Errors
///
/// A pair with fewer than two values on a side, or one that is not finite.
pub fn judge(pairs: &[Pair], family: usize) -> Result<Vec<Judged>, SampleError> {
    let tests: Vec<Test> = pairs.iter().map(Test::of).collect::<Result<_, _>>()?;
    let prior = Prior::of(&tests);
    let mut own: Vec<f64> =
        tests.iter().filter(|test| test.is_finite()).map(|test| test.variance * test.weight).collect();
    own.sort_unstable_by(f64::total_cmp);
    let least = if own.len() < TESTS_MIN { 0.0 } else { interpolated(&own, Share::P25).sqrt() };
    let judged = tests.iter().map(|test| {
        if !test.is_finite() {
            return Judged { p: 1.0, p_adjusted: 1.0, detectable: None };
        }
        let (error, freedom) = prior.error(test);
        let error = error.max(least);
        let p = match error > 0.0 {
            true => (1.0 - t_within(test.difference.abs() / error, freedom)).clamp(0.0, 1.0),
            false if test.difference == 0.0 => 1.0,
            false => 0.0,
        };
        let t = t_quantile(1.0 - LEVEL / family.max(1) as f64, freedom);
        Judged { p, p_adjusted: p, detectable: Some(t * error) }
    });
    Ok(judged.collect())
}

/// Corrects the probabilities of a whole family, of all its quantities, by [`holm`], so that [`LEVEL`] becomes
/// [`FAMILY_ERROR_MAX`].
pub fn correct<'a>(judged: impl IntoIterator<Item = &'a mut Judged>) {
    let judged: Vec<&mut Judged> = judged.into_iter().collect();
    let adjusted = holm(&judged.iter().map(|judged| judged.p).collect::<Vec<_>>());
    judged
        .into_iter()
        .zip(adjusted)
        .for_each(|(judged, adjusted)| judged.p_adjusted = (adjusted * FAMILY_ERROR_MAX / LEVEL).min(1.0));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(pairs: &[(Vec<f64>, Vec<f64>)]) -> Vec<Judged> {
        let pairs: Vec<Pair> = pairs.iter().map(|(before, after)| Pair { before, after }).collect();
        let mut judged = judge(&pairs, pairs.len()).unwrap();
        correct(&mut judged);
        judged
    }

    #[test]
    fn degenerate_families() {
        assert_eq!(judged(&[]), []);
        let one = judged(&[(vec![1.0, 1.0], vec![1.0, 1.0])]);
        assert_eq!((one[0].p, one[0].detectable), (1.0, Some(0.0)));
        assert!(judged(&[(vec![1.0, 1.0], vec![2.0, 2.0])])[0].moved());
        let zero = judged(&[(vec![0.0, 0.0], vec![2.0, 2.0])]);
        assert_eq!((zero[0].p_adjusted, zero[0].detectable), (1.0, None));
        assert!(judge(&[Pair { before: &[1.0], after: &[1.0, 2.0] }], 1).is_err());
    }

    #[test]
    fn tests_learn_the_noise_from_each_other() {
        let noisy = |shift: f64| (vec![99.0, 100.0, 101.0], vec![99.0 + shift, 100.0 + shift, 101.0 + shift]);
        let alone = judged(&[noisy(5.0)])[0].p;
        let family: Vec<_> = std::iter::once(noisy(5.0)).chain((0..10).map(|_| noisy(0.0))).collect();
        let together = judged(&family);
        assert!(together[0].p < alone / 5.0, "{} alone, {} together", alone, together[0].p);
        assert!(together[0].moved() && !together[1].moved());
    }

    #[test]
    fn a_test_that_looks_free_of_noise_is_no_proof() {
        let mut family: Vec<_> = (0..10).map(|_| (vec![99.0, 100.0, 101.0], vec![99.0, 101.0, 100.0])).collect();
        family.push((vec![100.0, 100.01, 100.0], vec![101.0, 101.01, 101.0]));
        assert!(!judged(&family)[10].moved());
        assert!(judged(&family[10..])[0].moved());
    }

    #[test]
    fn what_can_be_detected_is_what_would_be_called_real() {
        let before = vec![99.0, 100.0, 101.0, 100.5, 99.5];
        let moved =
            |part: f64| vec![(before.clone(), before.iter().map(|value| value + 100.0 * part).collect::<Vec<_>>())];
        let least = judged(&moved(0.0))[0].detectable.unwrap();
        assert!(judged(&moved(least * 1.01))[0].moved() && !judged(&moved(least * 0.99))[0].moved());
    }
}
