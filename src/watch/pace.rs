//! The pace of a running job, in words that are as short as they can be.

use crate::protocol::progress::Pace;
use crate::protocol::time::{human, seconds};
use std::time::Duration;

/// An end further away than this is not told.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// What the numbers add to a progress text: `2.1/s`, `6m left`. It has told the rest itself.
#[must_use]
pub fn words(pace: &Pace, text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let complete = pace.total.is_some_and(|total| pace.done >= total);
    match pace.per_s.filter(|_| !complete) {
        Some(per_s) if per_s > 0.0 => {
            // Of so many per cent a minute nobody knows more than by the end.
            let per_cent = pace.total == Some(100.0) && text.contains('%');
            words.extend(rate(per_s).filter(|_| !per_cent));
        }
        Some(_) => words.push("not advancing".to_owned()),
        None => {}
    }
    let left = pace.left_s.and_then(seconds);
    let left = left.filter(|left| (Duration::from_secs(1)..LONGEST).contains(left));
    words.extend(left.map(|left| format!("{} left", human(roughly(left)))));
    words
}

/// The pace as it is when the record has become so much older.
#[must_use]
pub fn later(pace: &Pace, age: Duration) -> Pace {
    let left_s = pace.left_s.map(|left| (left - age.as_secs_f64()).max(0.0).round());
    Pace { left_s, ..*pace }
}

/// A rate in the unit of time that gives a number above one: `12k/s`, `3.4/min`.
fn rate(per_s: f64) -> Option<String> {
    let units = [("s", 1.0), ("min", 60.0), ("h", 3600.0), ("d", 86400.0)];
    let in_units = units.map(|(unit, seconds)| (per_s * seconds, unit));
    let (value, unit) = in_units.into_iter().find(|(value, _)| *value >= 1.0)?;
    let scales = [(1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T")];
    let (scale, letter) = scales.into_iter().rev().find(|(scale, _)| value >= *scale)?;
    let value = value / scale;
    let number = if value < 9.95 { format!("{value:.1}") } else { format!("{value:.0}") };
    let number = number.strip_suffix(".0").unwrap_or(&number);
    (value < 1e4).then(|| format!("{number}{letter}/{unit}"))
}

/// No more digits than an estimate deserves.
fn roughly(left: Duration) -> Duration {
    let grain = match left.as_secs() {
        0..120 => 1,
        120..86400 => 60,
        _ => 3600,
    };
    Duration::from_secs((left.as_secs() + grain / 2) / grain * grain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_rate_in_words() {
        for (per_s, expected) in [
            (2.1, "2.1/s"),
            (2.04, "2/s"),
            (37.5, "38/s"),
            (12_340.0, "12k/s"),
            (1_500_000.0, "1.5M/s"),
            (0.0567, "3.4/min"),
            (0.001_667, "6/h"),
            (0.0001, "8.6/d"),
        ] {
            assert_eq!(rate(per_s).as_deref(), Some(expected), "{per_s}");
        }
        for nothing in [0.0, -1.0, 1e-9, 1e300, f64::NAN, f64::INFINITY] {
            assert_eq!(rate(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn nothing_is_said_twice() {
        let pace = |done, total, per_s, left_s| Pace { done, total, per_s, left_s };
        let half = Some(100.0);
        for (text, pace, expected) in [
            ("120/900", pace(120.0, Some(900.0), Some(2.1), Some(371.0)), "2.1/s, 6m left"),
            ("rows: 9", pace(9.0, None, Some(0.5), None), "30/min"),
            ("45%", pace(45.0, half, Some(0.5), Some(110.0)), "1m 50s left"),
            ("45/100", pace(45.0, half, Some(0.5), Some(110.0)), "30/min, 1m 50s left"),
            ("45%", pace(45.0, half, None, None), ""),
            ("45%", pace(45.0, half, Some(0.0), None), "not advancing"),
            ("100%", pace(100.0, half, Some(0.0), None), ""),
            ("9/9", pace(9.0, Some(9.0), Some(1.0), Some(0.0)), ""),
            ("8/9", pace(8.0, Some(9.0), Some(1.0), Some(0.4)), "1/s"),
            ("1/9", pace(1.0, Some(9.0), Some(1e-5), Some(9e5)), "10days 10h left"),
            ("1/9", pace(1.0, Some(9.0), Some(1e-9), Some(9e9)), ""),
            ("x", pace(-1.0, Some(-9.0), Some(-3.0), Some(f64::NAN)), ""),
        ] {
            assert_eq!(words(&pace, text).join(", "), expected, "{text} {pace:?}");
        }
    }

    #[test]
    fn what_is_left_is_counted_down() {
        let pace = Pace { left_s: Some(90.0), ..Pace::default() };
        assert_eq!(later(&pace, Duration::from_secs(30)).left_s, Some(60.0));
        assert_eq!(later(&pace, Duration::from_mins(5)).left_s, Some(0.0));
        assert_eq!(later(&Pace::default(), Duration::from_secs(3)).left_s, None);
    }

    proptest! {
        #[test]
        fn no_pace_in_a_file_panics_or_is_long(n in prop::collection::vec(any::<f64>(), 4), age: u64) {
            let pace = Pace { done: n[0], total: Some(n[1]), per_s: Some(n[2]), left_s: Some(n[3]) };
            let pace = later(&pace, Duration::from_millis(age));
            prop_assert!(words(&pace, "").join(", ").len() < 40);
        }
    }
}
