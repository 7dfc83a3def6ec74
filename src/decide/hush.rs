//! Which alerts are raised now, and which are only counted: at most one of a process and cause in a
//! quarter of an hour (seed 000), so that a crash loop at night is one line in the morning, and no
//! other process's alert is lost in it.

use std::time::Duration;

/// So long after an alert the next of the same process and cause is only counted.
pub const COOLDOWN: Duration = Duration::from_mins(15);

/// What becomes of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an alert is raised or counted"]
pub enum Hush {
    /// It is raised, and tells of so many that were not.
    Raise {
        /// So many.
        suppressed: u64,
    },
    /// It is counted.
    Count,
}

/// `last`: how long ago the last one of this kind was raised, and how many were counted since.
pub fn hush(last: Option<(Duration, u64)>) -> Hush {
    match last {
        Some((since, _)) if since < COOLDOWN => Hush::Count,
        Some((_, suppressed)) => Hush::Raise { suppressed },
        None => Hush::Raise { suppressed: 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alert_of_a_kind_in_a_quarter_of_an_hour() {
        let minutes = |m| Duration::from_mins(m);
        let table = [
            (None, Hush::Raise { suppressed: 0 }),
            (Some((minutes(0), 0)), Hush::Count),
            (Some((minutes(14), 7)), Hush::Count),
            (Some((minutes(15), 7)), Hush::Raise { suppressed: 7 }),
            (Some((minutes(99), 0)), Hush::Raise { suppressed: 0 }),
        ];
        for (last, expected) in table {
            assert_eq!(hush(last), expected, "{last:?}");
        }
    }
}
