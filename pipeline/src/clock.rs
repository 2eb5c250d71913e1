//! The wall clock, for what is recorded beside results. Nothing that decides anything may read it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds from 1970 to the end of 9999: times beyond have no RFC 3339.
const SECONDS_MAX: u64 = 253_402_300_799;

/// The clock of the host says a time that no record can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read the clock: it says a time before 1970 or after 9999; set it, then run again")]
pub struct ClockError;

/// Now, UTC, RFC 3339 with milliseconds.
///
/// # Errors
/// Where the clock is set to a time that cannot be written so.
pub fn now_rfc3339() -> Result<String, ClockError> {
    written(SystemTime::now())
}

fn written(at: SystemTime) -> Result<String, ClockError> {
    match at.duration_since(UNIX_EPOCH) {
        Ok(since) if since.as_secs() <= SECONDS_MAX => Ok(humantime::format_rfc3339_millis(at).to_string()),
        _ => Err(ClockError),
    }
}

/// Now, ns since 1970, whichever side of it: to be compared with another host's clock.
pub fn wall_ns() -> i128 {
    let now = SystemTime::now();
    let ns = |duration: Duration| i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
    now.duration_since(UNIX_EPOCH).map_or_else(|error| -ns(error.duration()), ns)
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
        let now = now_rfc3339().expect("this host's clock is set");
        assert!(parse_rfc3339_ms(&now).is_some_and(|ms| ms > 1_700_000_000_000));
        assert_eq!(parse_rfc3339_ms("yesterday"), None);
    }

    #[test]
    fn a_time_that_cannot_be_written_is_an_error() {
        let at = |seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).expect("this host's times are wide");
        assert_eq!(written(at(SECONDS_MAX)).as_deref(), Ok("9999-12-31T23:59:59.000Z"));
        assert_eq!(written(at(SECONDS_MAX + 1)), Err(ClockError));
        let before = UNIX_EPOCH.checked_sub(Duration::from_secs(1)).expect("this host's times are wide");
        assert_eq!(written(before), Err(ClockError));
    }

    #[test]
    fn durations_are_short() {
        let texts = [5, 1_500, 45_000, 125_000, 3_900_000].map(|ms| shown(Duration::from_millis(ms)));
        assert_eq!(texts, ["5 ms", "1.5 s", "45 s", "2 min 5 s", "1 h 5 min"]);
    }
}
