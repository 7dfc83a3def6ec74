//! Times and durations in their written form: RFC 3339 in UTC, and seconds as a number.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last second that RFC 3339 can write (9999-12-31T23:59:59Z).
const LAST: Duration = Duration::from_secs(253_402_300_799);

/// RFC 3339, UTC, milliseconds. A clock outside the years 1970 to 9999 is clamped.
#[must_use]
pub fn rfc3339(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default().min(LAST);
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

/// The inverse of [`rfc3339`]; `None` for anything else.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339_weak(text).ok()
}

/// Five hundred years. Longer durations are cut to this: nobody can tell, and no sum with a clock
/// overflows.
pub const FOR_EVER: Duration = Duration::from_hours(500 * 365 * 24);

/// A number of seconds from a file: `None` if negative or not a number.
#[must_use]
pub fn seconds(value: f64) -> Option<Duration> {
    if value.is_nan() || value < 0.0 {
        return None;
    }
    Some(Duration::try_from_secs_f64(value).unwrap_or(FOR_EVER).min(FOR_EVER))
}

/// A duration for people, whole seconds from one second up: `1m 35s`, `0.2s`.
#[must_use]
pub fn human(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        return format!("{:.1}s", duration.as_secs_f64());
    }
    humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
}

/// Serde for a [`SystemTime`] as RFC 3339; an unreadable one becomes the epoch.
pub mod as_rfc3339 {
    use super::{SystemTime, UNIX_EPOCH};
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the time.
    ///
    /// # Errors
    /// The serializer's own.
    pub fn serialize<S: Serializer>(at: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::rfc3339(*at))
    }

    /// Reads the time.
    ///
    /// # Errors
    /// If it is no text.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(from)?;
        Ok(super::parse_rfc3339(&text).unwrap_or(UNIX_EPOCH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let at = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        assert_eq!(rfc3339(at), "2023-11-14T22:13:20.123Z");
        assert_eq!(parse_rfc3339(&rfc3339(at)), Some(at));
        assert_eq!(rfc3339(UNIX_EPOCH - Duration::from_secs(5)), "1970-01-01T00:00:00.000Z");
        assert_eq!(parse_rfc3339("yesterday"), None);
        assert_eq!(seconds(-1.0), None);
        assert_eq!(seconds(f64::NAN), None);
        assert_eq!(seconds(1e300), Some(FOR_EVER));
        assert_eq!(human(Duration::from_millis(95_400)), "1m 35s");
        assert_eq!(human(Duration::from_millis(240)), "0.2s");
    }
}
