//! Logarithms, exponential, digamma and trigamma, by arithmetic that every machine does alike: no function of the
//! platform's mathematics library, whose last bits differ. They must not know what they are used for.

/// The natural logarithm of a positive, normal number; not a number for others. Relative error below 1e-14.
pub fn ln(value: f64) -> f64 {
    let (exponent, rest) = split(value);
    exponent * std::f64::consts::LN_2 + rest
}

/// The binary logarithm likewise: exact for powers of two. Error below 1e-15 relative to 1.
pub fn log2(value: f64) -> f64 {
    let (exponent, rest) = split(value);
    exponent + rest / std::f64::consts::LN_2
}

/// The binary exponent, and the natural logarithm of what it leaves (between the root of a half and of two), by the
/// series of the inverse hyperbolic tangent: additions and divisions only, which IEEE 754 fixes to the bit.
fn split(value: f64) -> (f64, f64) {
    if !value.is_normal() || value < 0.0 {
        return (f64::NAN, f64::NAN);
    }
    let bits = value.to_bits();
    let mut exponent = ((bits >> 52) as i32) - 1023;
    let mut mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    let series = (0..14).rev().fold(0.0, |sum, term| sum * square + 1.0 / f64::from(2 * term + 1));
    (f64::from(exponent), 2.0 * ratio * series)
}

/// The exponential, by its series after halving; 0 and infinity beyond what a double holds.
pub fn exp(value: f64) -> f64 {
    if value < -700.0 {
        return 0.0;
    }
    if value > 700.0 {
        return f64::INFINITY;
    }
    let halvings = 12;
    let small = value / f64::from(1 << halvings);
    let series = (1..=10).rev().fold(1.0, |rest, term| 1.0 + rest * small / f64::from(term));
    (0..halvings).fold(series, |power, _| power * power)
}

/// From here on the asymptotic series are exact to the last bits.
const ASYMPTOTIC: f64 = 12.0;

/// The digamma function of a positive number: recurrence, then the asymptotic series (Abramowitz, Stegun,
/// "Handbook of Mathematical Functions", 6.3.5 and 6.3.18).
pub fn digamma(value: f64) -> f64 {
    let (mut x, mut sum) = (value, 0.0);
    while x < ASYMPTOTIC {
        sum -= 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = square * (1.0 / 12.0 - square * (1.0 / 120.0 - square * (1.0 / 252.0 - square * (1.0 / 240.0))));
    sum + ln(x) - 0.5 / x - series
}

/// The trigamma function of a positive number (Abramowitz, Stegun, 6.4.6 and 6.4.12).
pub fn trigamma(value: f64) -> f64 {
    let (mut x, mut sum) = (value, 0.0);
    while x < ASYMPTOTIC {
        sum += 1.0 / (x * x);
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = square * (1.0 / 6.0 - square * (1.0 / 30.0 - square * (1.0 / 42.0 - square * (1.0 / 30.0))));
    sum + (1.0 + 0.5 / x + series) / x
}

/// The positive number, 1e-3 to 1e6, whose trigamma is `value`, by bisection: trigamma falls.
pub fn trigamma_inverse(value: f64) -> f64 {
    let (mut low, mut high) = (1e-3f64, 1e6f64);
    for _ in 0..80 {
        // The geometric middle, since both ends matter alike.
        let middle = (low * high).sqrt();
        if trigamma(middle) > value {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low * high).sqrt()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_values() {
        assert!((digamma(1.0) + 0.577_215_664_901_532_9).abs() < 1e-12);
        assert!((digamma(0.5) + 1.963_510_026_021_423_5).abs() < 1e-12);
        assert!((trigamma(1.0) - 1.644_934_066_848_226_4).abs() < 1e-12);
        assert!((trigamma(2.0) - 0.644_934_066_848_226_4).abs() < 1e-12);
        assert!(ln(0.0).is_nan() && ln(-1.0).is_nan());
        assert_eq!((exp(-1e9), exp(1e9)), (0.0, f64::INFINITY));
    }

    proptest! {
        #[test]
        fn they_agree_with_the_platform_and_with_each_other(x in 1e-6..1e6f64, y in -50.0..50.0f64) {
            prop_assert!((ln(x) - x.ln()).abs() <= 1e-13 * x.ln().abs().max(1.0));
            prop_assert!((exp(y) / y.exp() - 1.0).abs() < 1e-11);
            prop_assert!((digamma(x + 1.0) - digamma(x) - 1.0 / x).abs() <= 1e-9 * (1.0 + 1.0 / x));
            let z = x.clamp(0.01, 1e4);
            prop_assert!((trigamma_inverse(trigamma(z)) / z - 1.0).abs() < 1e-6);
        }
    }
}
