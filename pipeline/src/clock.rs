//! The wall clock, for what is recorded beside results. Nothing that decides anything may read it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Now, UTC, RFC 3339 with milliseconds.
pub fn now_rfc3339() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

/// Milliseconds since 1970 of an RFC 3339 time; absent if it is none.
pub fn parse_rfc3339_ms(text: &str) -> Option<u64> {
    let at = humantime::parse_rfc3339(text).ok()?;
    u64::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

/// A duration for people: `1 h 5 min`, `2 min 3 s`, `4.2 s`, `120 ms`.
pub fn shown(duration: Duration) -> String {
    let ms = duration.as_millis();
    let s = duration.as_secs();
    match s {
        0 if ms < 1000 => format!("{ms} ms"),
        0..10 => format!("{}.{} s", s, (ms % 1000) / 100),
        10..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        _ => format!("{} h {} min", s / 3600, s % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_their_text() {
        assert_eq!(parse_rfc3339_ms("1970-01-02T00:00:00.250Z"), Some(86_400_250));
        assert!(parse_rfc3339_ms(&now_rfc3339()).is_some_and(|ms| ms > 1_700_000_000_000));
        assert_eq!(parse_rfc3339_ms("yesterday"), None);
    }

    #[test]
    fn durations_are_short() {
        let texts = [5, 1_500, 45_000, 125_000, 3_900_000].map(|ms| shown(Duration::from_millis(ms)));
        assert_eq!(texts, ["5 ms", "1.5 s", "45 s", "2 min 5 s", "1 h 5 min"]);
    }
}
