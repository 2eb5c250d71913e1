//! Numbers as text, and logarithms, the same on every machine: a fixed number of digits, no platform libm,
//! no locale. It must not know what the numbers measure.

use results::statistics::positive;

use results::statistics::special;

/// Significant digits of numbers that programs read: CSV, coordinates of LaTeX plots, JSON.
const DIGITS_MACHINE: i32 = 9;

/// Binary logarithm; 0 for what has none, so that a drawing stays finite.
pub fn log2(value: f64) -> f64 {
    let log = special::log2(value);
    if log.is_finite() { log } else { 0.0 }
}

/// Decimal logarithm; see [`log2`].
pub fn log10(value: f64) -> f64 {
    log2(value) / std::f64::consts::LOG2_10
}

/// The decimal exponent of a number as scientific notation writes it: 3 for 1,000 and for 9,999; 0 for 0.
pub fn exponent10(value: f64) -> i32 {
    if !value.is_finite() || value == 0.0 {
        return 0;
    }
    let text = format!("{:e}", value.abs());
    text.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0)
}

/// Ten to a power, correctly rounded.
pub fn power10(exponent: i32) -> f64 {
    format!("1e{exponent}").parse().unwrap_or(f64::MAX)
}

/// A coordinate of a drawing: 2 decimals, no trailing zeros, never `-0`.
pub fn pixel(value: f64) -> String {
    trimmed(format!("{value:.2}"))
}

/// A number that a program reads: 9 significant digits in plain notation, no trailing zeros.
pub fn machine(value: f64) -> String {
    if !value.is_finite() {
        return String::new();
    }
    let decimals = (DIGITS_MACHINE - 1 - exponent10(value)).clamp(0, 20);
    trimmed(format!("{value:.*}", decimals as usize))
}

/// Decimals with which numbers up to `largest` are shown to people: four significant digits for it.
pub fn decimals_for(largest: f64) -> usize {
    (3 - exponent10(largest)).clamp(0, 6) as usize
}

/// A number for people with that many decimals.
pub fn shown(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if text.trim_start_matches('-').bytes().all(|byte| byte == b'0' || byte == b'.') {
        text.trim_start_matches('-').to_string()
    } else {
        text
    }
}

/// What is said of a value's 95 % interval: `± 4.1`, or `(0.4 to 7.3)` where it is not symmetric. Half the width of the
/// symmetric one is given, in the value's unit.
pub fn doubt(value: f64, half_width: f64, decimals: usize) -> String {
    let (low, high) = positive::ends(value, half_width);
    match high == value + half_width.abs() {
        true => format!("± {}", shown(half_width, decimals)),
        false => format!("({} to {})", shown(low, decimals), shown(high, decimals)),
    }
}

/// A tick's number: as many decimals as the step between ticks needs.
pub fn tick(value: f64, step: f64) -> String {
    trimmed(format!("{value:.*}", (-exponent10(step)).clamp(0, 9) as usize))
}

/// A count with thin groups of thousands: `1,096`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn trimmed(text: String) -> String {
    if !text.contains('.') {
        return if text == "-0" { "0".to_string() } else { text };
    }
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0".to_string() } else { short.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn log2_agrees_with_the_platform(value in 1e-300f64..1e300) {
            let expected = value.log2();
            prop_assert!((log2(value) - expected).abs() <= 4e-16 * expected.abs().max(1.0));
        }

        #[test]
        fn machine_numbers_parse_back(value in -1e12f64..1e12) {
            let parsed: f64 = machine(value).parse().unwrap();
            prop_assert!((parsed - value).abs() <= 1e-8 * value.abs() + 1e-19);
        }
    }

    #[test]
    fn an_interval_that_is_not_symmetric_is_told_by_its_ends() {
        assert_eq!(doubt(100.0, 20.0, 1), "± 20.0");
        assert_eq!(doubt(100.0, 30.0, 1), "(70.0 to 135.0)");
        assert_eq!(doubt(1.0, 2.0, 2), "(0.14 to 7.39)");
        assert_eq!(doubt(-1.0, 2.0, 2), "± 2.00");
    }

    #[test]
    fn numbers_are_written_as_expected() {
        assert_eq!([pixel(1.5), pixel(-0.001), pixel(12.0), pixel(3.1428)], ["1.5", "0", "12", "3.14"]);
        assert_eq!(
            [machine(0.1), machine(1e9), machine(123456.7891), machine(0.0)],
            ["0.1", "1000000000", "123456.789", "0"]
        );
        assert_eq!([count(7), count(1096), count(1234567)], ["7", "1,096", "1,234,567"]);
        assert_eq!((decimals_for(440.0), decimals_for(12.3), decimals_for(1e6), decimals_for(0.01)), (1, 2, 0, 5));
        assert_eq!((shown(-0.0001, 2), shown(-1.5, 1)), ("0.00".to_string(), "-1.5".to_string()));
        assert_eq!((log2(8.0), log2(0.0), log2(f64::NAN)), (3.0, 0.0, 0.0));
        assert_eq!((tick(0.5, 0.25), tick(20.0, 5.0)), ("0.5".to_string(), "20".to_string()));
    }
}
