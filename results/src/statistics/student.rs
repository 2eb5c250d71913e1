//! Student's t: its distribution, quantiles, and the interval of a mean. It must not know what is sampled.
//!
//! The distribution has whole degrees of freedom here, for which it is a finite sum (Abramowitz, Stegun,
//! "Handbook of Mathematical Functions", 26.7.3 and 26.7.4). That sum needs no function of the platform's
//! mathematics library, whose last bits differ between machines.

use std::sync::LazyLock;

use crate::statistics::SampleError;
use crate::statistics::mean::{mean, variance};

/// Confidence of every interval that is shown.
pub const CONFIDENCE: f64 = 0.95;

/// The mean and the half width of its [`CONFIDENCE`] interval, t(n - 1) s / sqrt(n) (Student, "The probable
/// error of a mean", Biometrika 6, 1908).
///
/// # Errors
///
/// Fewer than two values, or one that is not finite.
pub fn interval(values: &[f64]) -> Result<(f64, f64), SampleError> {
    let n = values.len();
    let spread = variance(values)?;
    Ok((mean(values)?, t_95(n - 1) * (spread / n as f64).sqrt()))
}

/// The two-sided 95 % quantile for `freedom` degrees of freedom; 0 is taken as 1.
pub fn t_95(freedom: usize) -> f64 {
    static FEW: LazyLock<Few> = LazyLock::new(|| few(CONFIDENCE));
    from_few(&*FEW, CONFIDENCE, freedom)
}

/// The two-sided 97 % quantile for `freedom` degrees of freedom; 0 is taken as 1.
pub fn t_97(freedom: usize) -> f64 {
    // Plans are made of many guesses at up to so many set-ups.
    static FEW: LazyLock<[f64; 256]> = LazyLock::new(|| few(0.97));
    from_few(&*FEW, 0.97, freedom)
}

/// The two-sided 99 % quantile for `freedom` degrees of freedom; 0 is taken as 1.
pub fn t_99(freedom: usize) -> f64 {
    static FEW: LazyLock<Few> = LazyLock::new(|| few(0.99));
    from_few(&*FEW, 0.99, freedom)
}

/// Quantiles for 1 to 64 degrees of freedom: nearly all that are ever asked for, and a hundred thousand tests
/// ask for the same ones.
type Few = [f64; 64];

fn few<const N: usize>(confidence: f64) -> [f64; N] {
    std::array::from_fn(|place| t_quantile(confidence, place + 1))
}

fn from_few(few: &[f64], confidence: f64, freedom: usize) -> f64 {
    let freedom = freedom.max(1);
    few.get(freedom - 1).copied().unwrap_or_else(|| t_quantile(confidence, freedom))
}

/// The t that a Student variable of `freedom` degrees of freedom stays below in magnitude with probability
/// `confidence`, by bisection of [`t_within`] to the last bit.
pub fn t_quantile(confidence: f64, freedom: usize) -> f64 {
    let mut high = 1.0;
    while t_within(high, freedom) < confidence && high < 1e15 {
        high *= 2.0;
    }
    let mut low = 0.0;
    loop {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            return middle;
        }
        if t_within(middle, freedom) < confidence {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// Beyond so many degrees of freedom those of so many are used: the quantile then differs by less than one in
/// a hundred thousand.
const FREEDOM_MAX: usize = 100_000;

/// The probability that a Student variable of `freedom` degrees of freedom lies within `t` of 0, A(t | freedom).
pub fn t_within(t: f64, freedom: usize) -> f64 {
    let freedom = freedom.clamp(1, FREEDOM_MAX);
    let n = freedom as f64;
    let sine = t / (n + t * t).sqrt();
    let cosine_squared = n / (n + t * t);
    let is_odd = freedom % 2 == 1;
    let cosine = cosine_squared.sqrt();
    // Terms c^k of falling weight: c (2/3 c^3) (2/3 4/5 c^5) ... or 1 (1/2 c^2) (1/2 3/4 c^4) ...
    let mut term = if is_odd { cosine } else { 1.0 };
    let mut series = 0.0;
    let mut power = usize::from(is_odd);
    while power + 2 <= freedom {
        series += term;
        power += 2;
        term *= cosine_squared * (power - 1) as f64 / power as f64;
        if term < series * 1e-18 {
            break;
        }
    }
    if is_odd {
        let angle = arctangent(t / n.sqrt());
        (angle + sine * series) / std::f64::consts::FRAC_PI_2
    } else {
        sine * series
    }
}

/// The arctangent: atan(x) = 2 atan(x / (1 + sqrt(1 + x^2))), until its power series is short.
fn arctangent(x: f64) -> f64 {
    const HALVINGS: i32 = 4;
    let small = (0..HALVINGS).fold(x, |x, _| x / (1.0 + (1.0 + x * x).sqrt()));
    let square = small * small;
    let series = (0..16).rev().fold(0.0, |rest, k| 1.0 / f64::from(2 * k + 1) - square * rest);
    small * series * f64::from(1 << HALVINGS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn degenerate_samples() {
        assert_eq!(interval(&[]), Err(SampleError::TooFew { have: 0, need: 2 }));
        assert_eq!(interval(&[1.0]), Err(SampleError::TooFew { have: 1, need: 2 }));
        assert_eq!(interval(&[2.5; 4]), Ok((2.5, 0.0)));
        assert_eq!(interval(&[1.0, f64::NAN]), Err(SampleError::NotFinite));
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (freedom, t) in [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (29, 2.045), (120, 1.980)] {
            assert!((t_95(freedom) - t).abs() < 5e-4, "{freedom}: {}", t_95(freedom));
        }
        assert!((t_95(10_000_000) - 1.959_964).abs() < 5e-5);
    }

    proptest! {
        #[test]
        fn arctangents_agree_with_the_platform(x in -1e6..1e6f64) {
            prop_assert!((arctangent(x) - x.atan()).abs() < 1e-14);
        }

        #[test]
        fn a_quantile_is_the_inverse(confidence in 0.01..0.999f64, freedom in 1usize..200) {
            let t = t_quantile(confidence, freedom);
            prop_assert!((t_within(t, freedom) - confidence).abs() < 1e-12);
        }
    }
}
