//! The circuit breaker: so many failures in a row, and the next start is the wrong thing to do.

use crate::protocol::circuit::CircuitPolicy;
use crate::protocol::history::{Line, PastRun};
use crate::protocol::outcome::Outcome;
use crate::protocol::time::seconds;
use std::time::SystemTime;

/// The consecutive failures at the end of a history, newest first, as the history is given.
///
/// A success or a reset ends the count; `stopped` is neither, and is passed over.
#[must_use]
pub fn failures(newest_first: impl Iterator<Item = Line>) -> Vec<PastRun> {
    newest_first
        .map_while(|line| match line {
            Line::Run(run) if run.outcome == Outcome::Success => None,
            Line::Run(run) => Some(run),
            Line::Reset(_) => None,
        })
        .filter(|run| run.outcome.is_failure())
        .collect()
}

/// Whether a run may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an open circuit refuses"]
pub enum Gate {
    /// Yes.
    Closed,
    /// One trial run may: the cooldown is over.
    HalfOpen,
    /// No.
    Open,
}

/// The circuit's state at `now`, after these [`failures`]. A clock that went backwards keeps it
/// open.
pub fn gate(failures: &[PastRun], policy: &CircuitPolicy, now: SystemTime) -> Gate {
    if policy.max_failures == 0 || failures.len() < policy.max_failures as usize {
        return Gate::Closed;
    }
    let cooldown = policy.cooldown_s.and_then(seconds);
    let since = failures.first().and_then(|last| now.duration_since(last.ended_at).ok());
    match (cooldown, since) {
        (Some(cooldown), Some(since)) if since >= cooldown => Gate::HalfOpen,
        _ => Gate::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::history::Reset;
    use proptest::prelude::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    /// `f`ailed `h`ung `t`imeout `l`ost `s`uccess `k` stopped `r`eset, one a second.
    fn failures_of(word: &str) -> Vec<PastRun> {
        let line = |(i, c): (usize, char)| {
            let outcome = match c {
                'f' => Outcome::Failed,
                'h' => Outcome::Hung,
                't' => Outcome::Timeout,
                'l' => Outcome::Lost,
                's' => Outcome::Success,
                'k' => Outcome::Stopped,
                _ => return Line::Reset(Reset { reset: true, at: at(i as u64) }),
            };
            Line::Run(PastRun {
                run_id: i.to_string(),
                name: "n".into(),
                outcome,
                exit_code: None,
                signal: None,
                reason: String::new(),
                started_at: at(i as u64),
                ended_at: at(i as u64),
                duration_s: 0.0,
            })
        };
        let lines: Vec<Line> = word.chars().enumerate().map(line).collect();
        failures(lines.into_iter().rev())
    }

    #[test]
    fn failures_in_a_row() {
        let table = [
            ("", 0),
            ("f", 1),
            ("fff", 3),
            ("fhtl", 4),
            ("ffs", 0),
            ("sff", 2),
            ("fkf", 2),
            ("kkk", 0),
            ("fffr", 0),
            ("fffrf", 1),
        ];
        assert_eq!(failures_of("fh")[0].outcome, Outcome::Hung);
        for (word, count) in table {
            assert_eq!(failures_of(word).len(), count, "{word}");
        }
    }

    #[test]
    fn the_gate() {
        let policy = CircuitPolicy::of("n");
        let cooling = CircuitPolicy { cooldown_s: Some(10.0), ..policy.clone() };
        let off = CircuitPolicy { max_failures: 0, ..policy.clone() };
        let table = [
            ("ff", &policy, 99, Gate::Closed),
            ("fff", &policy, 99, Gate::Open),
            ("fff", &off, 99, Gate::Closed),
            ("fff", &cooling, 11, Gate::Open), // the last failure ended at 2
            ("fff", &cooling, 12, Gate::HalfOpen),
            ("fff", &cooling, 0, Gate::Open),
            ("fffs", &cooling, 5, Gate::Closed),
        ];
        for (word, policy, now, expected) in table {
            assert_eq!(gate(&failures_of(word), policy, at(now)), expected, "{word} {now}");
        }
    }

    proptest! {
        #[test]
        fn a_success_or_a_reset_always_closes(word in "[fhtlskr]{0,20}[sr]k{0,3}") {
            prop_assert_eq!(gate(&failures_of(&word), &CircuitPolicy::of("n"), at(99)), Gate::Closed);
        }
    }
}
