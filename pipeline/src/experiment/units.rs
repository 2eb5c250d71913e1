//! Numbers with units as people write them, `10s`, `1.5Mpps`, `64B`, exactly and without floating point.
//! It must not know axes or places in files.

/// A unit and how many base units it has.
pub type UnitTable = [(&'static str, u64)];

/// Rates; base unit packets per second.
pub const RATE: &UnitTable = &[
    ("", 1),
    ("pps", 1),
    ("kpps", 1_000),
    ("Mpps", 1_000_000),
    ("Gpps", 1_000_000_000),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
];

/// Sizes; base unit byte.
pub const SIZE: &UnitTable = &[("", 1), ("B", 1)];

/// Times; base unit nanosecond. A bare number is none.
pub const DURATION: &UnitTable = &[
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Counts, which have no unit.
pub const COUNT: &UnitTable = &[("", 1)];

/// Why a text is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// The text does not begin with a number.
    #[error("it is not a number")]
    NotANumber,
    /// A number stands without a unit where one is needed.
    #[error("the unit is missing")]
    UnitMissing,
    /// The unit is not one of the table.
    #[error("'{0}' is not a unit of it")]
    UnknownUnit(String),
    /// The quantity is not a whole number of base units.
    #[error("it is not a whole number")]
    NotWhole,
    /// The quantity is larger than can be counted.
    #[error("it is too large")]
    TooLarge,
}

/// `text` in base units.
pub fn parse(text: &str, units: &UnitTable) -> Result<u64, QuantityError> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let lone_dot = number.contains('.') && (whole.is_empty() || fraction.is_empty());
    if whole.is_empty() || lone_dot || fraction.contains('.') {
        return Err(QuantityError::NotANumber);
    }
    let Some(&(_, scale)) = units.iter().find(|(name, _)| *name == unit) else {
        let missing = unit.is_empty();
        return Err(if missing { QuantityError::UnitMissing } else { QuantityError::UnknownUnit(unit.into()) });
    };
    let digits = |text: &str| text.chars().filter(|c| *c != '_').collect::<String>();
    let fraction = digits(fraction);
    let fraction = fraction.trim_end_matches('0');
    let numerator: u128 = format!("{}{fraction}", digits(whole)).parse().map_err(|_| QuantityError::TooLarge)?;
    let divisor = u32::try_from(fraction.len()).ok().and_then(|places| 10u128.checked_pow(places));
    let (Some(scaled), Some(divisor)) = (numerator.checked_mul(u128::from(scale)), divisor) else {
        return Err(QuantityError::TooLarge);
    };
    if scaled % divisor != 0 {
        return Err(QuantityError::NotWhole);
    }
    u64::try_from(scaled / divisor).map_err(|_| QuantityError::TooLarge)
}

/// Names of the units of a table, for a list of what can be written.
pub fn names(units: &'static UnitTable) -> impl Iterator<Item = &'static str> {
    units.iter().map(|(name, _)| *name).filter(|name| !name.is_empty())
}

/// What [`parse`] takes, as a regular expression of the kind that a JSON Schema has.
pub fn pattern(units: &UnitTable) -> String {
    let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
    format!("^\\s*[0-9_]+(\\.[0-9_]+)?\\s*({})\\s*$", names.join("|"))
}

/// Thousands set apart by commas.
pub fn with_commas(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantities_are_exact() {
        assert_eq!(parse("1.5Mpps", RATE), Ok(1_500_000));
        assert_eq!(parse("1M", RATE), Ok(1_000_000));
        assert_eq!(parse("2_500 kpps", RATE), Ok(2_500_000));
        assert_eq!(parse("64B", SIZE), Ok(64));
        assert_eq!(parse("200ms", DURATION), Ok(200_000_000));
        assert_eq!(parse("0.1s", DURATION), Ok(100_000_000));
        assert_eq!(parse("1h", DURATION), Ok(3_600_000_000_000));
    }

    #[test]
    fn what_is_wrong_is_told_apart() {
        assert_eq!(parse("10", DURATION), Err(QuantityError::UnitMissing));
        assert_eq!(parse("5Gbps", RATE), Err(QuantityError::UnknownUnit("Gbps".into())));
        assert_eq!(parse("1.5pps", RATE), Err(QuantityError::NotWhole));
        assert_eq!(parse("fast", RATE), Err(QuantityError::NotANumber));
        for text in ["", ".", "1.", ".5", "1.2.3", "-1", "_"] {
            assert!(parse(text, RATE).is_err(), "{text}");
        }
        assert_eq!(parse(&"9".repeat(60), RATE), Err(QuantityError::TooLarge));
        assert_eq!(parse(&format!("0.{}1", "0".repeat(60)), RATE), Err(QuantityError::TooLarge));
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0, 999, 1_000, 12_000_000].map(with_commas), ["0", "999", "1,000", "12,000,000"]);
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = parse(&text, RATE);
            let _ = parse(&text, DURATION);
        }

        #[test]
        fn whole_numbers_parse_back(number: u64) {
            prop_assert_eq!(parse(&number.to_string(), COUNT), Ok(number));
        }
    }
}
