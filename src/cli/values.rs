//! Durations, sizes and percentages as people type them, and where a job's files are by default.

use crate::protocol::time::{FOR_EVER, seconds};
use std::num::IntErrorKind;
use std::path::PathBuf;
use std::time::Duration;

/// `90s`, `9m`, `1h 30m`, or a bare number of seconds as `timeout(1)` takes it (`0.5`, `1.5m`).
///
/// # Errors
/// What was got, and what was expected.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "bad duration {text:?}: expected a number of seconds, or a duration such as 90s, 9m or \"1h 30m\""
        )
    };
    let text = text.trim();
    let unit = |c: char| match c {
        's' => Some(1.0),
        'm' => Some(60.0),
        'h' => Some(3600.0),
        'd' => Some(86400.0),
        _ => None,
    };
    let (number, factor) = match text.char_indices().last() {
        Some((at, last)) => unit(last).map_or((text, 1.0), |factor| (&text[..at], factor)),
        None => return Err(wrong()),
    };
    // Words such as "inf" and "nan" are numbers to the parser, and no durations.
    let plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if plain && let Ok(number) = number.parse::<f64>() {
        return seconds(number * factor).ok_or_else(wrong);
    }
    humantime::parse_duration(text).map(|got| got.min(FOR_EVER)).map_err(|_| wrong())
}

/// A duration that is more than nothing.
///
/// # Errors
/// As [`duration`].
pub fn positive_duration(text: &str) -> Result<Duration, String> {
    let got = duration(text)?;
    if got.is_zero() { Err("expected more than 0".to_owned()) } else { Ok(got) }
}

/// How many.
///
/// # Errors
/// What was expected.
pub fn whole<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let number = text.trim().parse::<u64>().map_err(|error| *error.kind());
    match number.map(T::try_from) {
        Ok(Ok(number)) => Ok(number),
        Ok(Err(_)) | Err(IntErrorKind::PosOverflow) => Err("it is too large".to_owned()),
        Err(_) => Err("expected a whole number of 0 or more".to_owned()),
    }
}

/// How many, and not none.
///
/// # Errors
/// As [`whole`].
pub fn positive(text: &str) -> Result<u32, String> {
    match whole(text)? {
        0 => Err("expected more than 0".to_owned()),
        number => Ok(number),
    }
}

/// `64M`, `1G`, `4096`: K, M and G are powers of 1024.
///
/// # Errors
/// What was got, and what was expected.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("bad size {text:?}: expected bytes, or a number with K, M or G (1024)");
    let upper = text.trim().to_ascii_uppercase();
    let number = upper.trim_end_matches("IB").trim_end_matches('B');
    let (number, factor) = match number.chars().last() {
        Some('K') => (&number[..number.len() - 1], 1_u64 << 10),
        Some('M') => (&number[..number.len() - 1], 1 << 20),
        Some('G') => (&number[..number.len() - 1], 1 << 30),
        Some('T') => (&number[..number.len() - 1], 1 << 40),
        _ => (number, 1),
    };
    let bytes = number.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

/// `150` or `150%`: 100 is one core.
///
/// # Errors
/// What was got, and what was expected.
pub fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_end_matches('%').parse::<f64>().ok();
    number.filter(|number| number.is_finite() && *number > 0.0).ok_or_else(|| {
        format!("bad percentage {text:?}: expected a number above 0; 100 is one core")
    })
}

/// An option's value, else the environment's; a variable that is set and empty is not set.
///
/// # Errors
/// If the variable's text is no such value.
pub fn or_variable<T>(
    given: Option<T>,
    name: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    let text = std::env::var(name).unwrap_or_default();
    match given {
        Some(given) => Ok(Some(given)),
        None if text.is_empty() => Ok(None),
        None => parse(&text).map(Some).map_err(|why| format!("${name}: {why}")),
    }
}

/// `--dir`, else `$SENTINEL_DIR`, else the user's state directory.
///
/// # Errors
/// If none of them is known.
pub fn monitor_dir(given: Option<PathBuf>) -> Result<PathBuf, String> {
    place(given, ("--dir", "SENTINEL_DIR"), "jobs")
}

/// `--registry`, else `$SENTINEL_REGISTRY`, else in the user's state directory.
///
/// # Errors
/// If none of them is known.
pub fn registry(given: Option<PathBuf>) -> Result<PathBuf, String> {
    place(given, ("--registry", "SENTINEL_REGISTRY"), "process-registry.json")
}

/// The registry that is used where none is named, if the user has a place for it.
#[must_use]
pub fn standard_registry() -> Option<PathBuf> {
    Some(state_directory()?.join("sentinel").join("process-registry.json"))
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn state_directory() -> Option<PathBuf> {
    let state = variable("XDG_STATE_HOME").filter(|dir| dir.is_absolute());
    state.or_else(|| variable("HOME").map(|home| home.join(".local/state")))
}

fn place(given: Option<PathBuf>, by: (&str, &str), name: &str) -> Result<PathBuf, String> {
    let (option, own) = by;
    if let Some(path) = given.or_else(|| variable(own)) {
        return if path.as_os_str().is_empty() {
            Err(format!("{option} is empty"))
        } else {
            Ok(path)
        };
    }
    state_directory()
        .map(|state| state.join("sentinel").join(name))
        .ok_or_else(|| format!("no place for {name}: give {option}, or set {own} or HOME"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        let ms = |ms| Ok(Duration::from_millis(ms));
        let table = [
            ("90s", ms(90_000)),
            ("9m", ms(540_000)),
            ("1h 30m", ms(5_400_000)),
            ("30", ms(30_000)),
            ("0.5", ms(500)),
            ("1.5m", ms(90_000)),
            ("100ms", ms(100)),
            ("0", ms(0)),
            ("1d", ms(86_400_000)),
            ("10000000000000000000s", Ok(FOR_EVER)),
        ];
        for (text, expected) in table {
            assert_eq!(duration(text), expected, "{text}");
        }
        for bad in ["", "-1", "inf", "nan", "soon", "1 parsec", "s", "."] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!((whole("0"), whole(" 12 "), positive("3")), (Ok(0_u32), Ok(12_u64), Ok(3)));
        for bad in ["", "many", "-1", "1.5"] {
            assert_eq!(whole::<u64>(bad), Err("expected a whole number of 0 or more".to_owned()));
        }
        assert_eq!(whole::<u32>("4294967296"), Err("it is too large".to_owned()));
        assert_eq!(whole::<u64>(&"9".repeat(99)), Err("it is too large".to_owned()));
        assert_eq!(positive("0"), Err("expected more than 0".to_owned()));
    }

    #[test]
    fn sizes_and_percentages() {
        assert_eq!(size("64M"), Ok(64 << 20));
        assert_eq!(size("2k"), Ok(2048));
        assert_eq!(size("1GiB"), Ok(1 << 30));
        assert_eq!(size("4096"), Ok(4096));
        for bad in ["", "M", "-1", "0", "1.5G", "99999999999G"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        assert_eq!(percent("150%"), Ok(150.0));
        assert!(percent("nan").is_err() && percent("0").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = (duration(&text), size(&text), percent(&text));
        }
    }
}
