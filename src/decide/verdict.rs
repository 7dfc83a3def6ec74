//! The decision tree of a watcher, and the one verdict it comes to.
//!
//! ```text
//! 1. an outcome is recorded            → that outcome
//! 2. the wrapper is gone               → lost
//! 3. no beat for the stale threshold   → hung
//! 4. older than the timeout            → timeout
//! 5. otherwise                         → running
//! ```
//!
//! Order is the point: outcome before liveness, so that a run that ended well while nobody looked
//! is never called dead; death before staleness, so that the reason given is the true one.

use crate::protocol::outcome::Outcome;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// What one look at a job found out.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Whether any sentinel of the job exists.
    pub exists: bool,
    /// The recorded outcome.
    pub outcome: Option<Outcome>,
    /// The wrapper.
    pub wrapper: Wrapper,
    /// Time since the last beat; `None` if not known yet.
    pub silence: Option<Duration>,
    /// Time since the run began; `None` if not known.
    pub age: Option<Duration>,
}

/// What is known of the process that writes the sentinels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrapper {
    /// It holds its lock, or the process with its PID and start time lives.
    Alive,
    /// It cannot come back, and why that is known.
    Gone(String),
    /// Another host or PID namespace, named: nothing here can tell, only its beats.
    Elsewhere(String),
}

/// When a run is stale, and when it is too old.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// So long without a beat is too long.
    pub stale: Duration,
    /// A run may last so long; `None`: for ever.
    pub timeout: Option<Duration>,
}

/// What a look comes to.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a judgement asks for an action"]
pub enum Judgement {
    /// No sentinel of such a job.
    Missing,
    /// It ended, and this is recorded.
    Ended(Outcome),
    /// Its wrapper died without recording an outcome.
    Lost(String),
    /// No beat for so long.
    Hung(Duration),
    /// Running for so long.
    Overdue(Duration),
    /// Look again later.
    Running,
}

/// The decision tree.
pub fn judge(facts: &Facts, limits: &Limits) -> Judgement {
    if !facts.exists {
        return Judgement::Missing;
    }
    if let Some(outcome) = facts.outcome {
        return Judgement::Ended(outcome);
    }
    if let Wrapper::Gone(why) = &facts.wrapper {
        return Judgement::Lost(why.clone());
    }
    match (facts.silence, facts.age, limits.timeout) {
        (Some(silence), _, _) if silence > limits.stale => Judgement::Hung(silence),
        (_, Some(age), Some(timeout)) if age > timeout => Judgement::Overdue(age),
        _ => Judgement::Running,
    }
}

/// What a watcher says of a job. The exit code is the verdict's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The command exited 0.
    Success,
    /// It failed, was lost, or was stopped.
    Failed,
    /// It was ended because nothing justified a beat.
    Hung,
    /// It was ended because it ran too long.
    Timeout,
    /// It runs.
    Running,
    /// There is no such job.
    Missing,
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success => Self::Success,
            Outcome::Failed | Outcome::Lost | Outcome::Stopped => Self::Failed,
            Outcome::Hung => Self::Hung,
            Outcome::Timeout => Self::Timeout,
        }
    }
}

impl Verdict {
    /// The exit code; `circuit_open` turns every end but success into "stop retrying".
    #[must_use]
    pub fn exit(self, circuit_open: bool) -> u8 {
        match self {
            Self::Success => 0,
            Self::Running => 5,
            Self::Missing => 6,
            Self::Failed | Self::Hung | Self::Timeout if circuit_open => 7,
            Self::Failed => 1,
            Self::Hung => 3,
            Self::Timeout => 4,
        }
    }

    /// As it is printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Hung => "hung",
            Self::Timeout => "timeout",
            Self::Running => "running",
            Self::Missing => "missing",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The exit code over several jobs: 2, else 5 while one still runs, else the worst.
#[must_use]
pub fn overall(exits: &[u8]) -> u8 {
    const WORST_FIRST: [u8; 8] = [2, 5, 7, 6, 3, 4, 1, 0];
    WORST_FIRST.into_iter().find(|code| exits.contains(code)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: fn(u64) -> Duration = Duration::from_secs;
    const LIMITS: Limits =
        Limits { stale: Duration::from_mins(1), timeout: Some(Duration::from_secs(100)) };

    fn healthy() -> Facts {
        Facts {
            exists: true,
            outcome: None,
            wrapper: Wrapper::Alive,
            silence: Some(S(1)),
            age: Some(S(1)),
        }
    }

    #[test]
    fn the_tree_row_by_row() {
        let gone = Wrapper::Gone("killed".into());
        let away = Wrapper::Elsewhere("node7".into());
        let lost = || Judgement::Lost("killed".into());
        let table = [
            (Facts { exists: false, ..healthy() }, Judgement::Missing),
            (healthy(), Judgement::Running),
            (
                Facts { outcome: Some(Outcome::Success), ..healthy() },
                Judgement::Ended(Outcome::Success),
            ),
            // Outcome before liveness: ended well, and everything else looks dead.
            (
                Facts {
                    outcome: Some(Outcome::Success),
                    wrapper: gone.clone(),
                    silence: Some(S(900)),
                    age: Some(S(900)),
                    ..healthy()
                },
                Judgement::Ended(Outcome::Success),
            ),
            (Facts { wrapper: gone.clone(), ..healthy() }, lost()),
            (Facts { wrapper: gone, silence: Some(S(900)), ..healthy() }, lost()),
            (Facts { silence: Some(S(60)), ..healthy() }, Judgement::Running),
            (Facts { silence: Some(S(61)), ..healthy() }, Judgement::Hung(S(61))),
            (Facts { silence: None, ..healthy() }, Judgement::Running),
            (
                Facts { silence: Some(S(61)), age: Some(S(101)), ..healthy() },
                Judgement::Hung(S(61)),
            ),
            (Facts { age: Some(S(100)), ..healthy() }, Judgement::Running),
            (Facts { age: Some(S(101)), ..healthy() }, Judgement::Overdue(S(101))),
            (Facts { wrapper: away.clone(), ..healthy() }, Judgement::Running),
            (Facts { wrapper: away, silence: Some(S(61)), ..healthy() }, Judgement::Hung(S(61))),
        ];
        for (facts, expected) in table {
            assert_eq!(judge(&facts, &LIMITS), expected, "{facts:?}");
        }
        let patient = Limits { timeout: None, ..LIMITS };
        assert_eq!(judge(&Facts { age: Some(S(9999)), ..healthy() }, &patient), Judgement::Running);
    }

    #[test]
    fn exit_codes() {
        let table = [
            (Verdict::Success, 0, 0),
            (Verdict::Failed, 1, 7),
            (Verdict::Hung, 3, 7),
            (Verdict::Timeout, 4, 7),
            (Verdict::Running, 5, 5),
            (Verdict::Missing, 6, 6),
        ];
        for (verdict, closed, open) in table {
            assert_eq!((verdict.exit(false), verdict.exit(true)), (closed, open), "{verdict}");
        }
        assert_eq!(overall(&[0, 1, 4]), 4);
        assert_eq!(overall(&[7, 6, 3]), 7);
        assert_eq!(overall(&[0, 5, 7]), 5);
        assert_eq!(overall(&[5, 2]), 2);
        assert_eq!(overall(&[]), 0);
    }

    proptest! {
        #[test]
        fn a_recorded_outcome_always_stands(
            gone in any::<bool>(), silence in 0_u64..10_000, age in 0_u64..10_000,
        ) {
            let wrapper = if gone { Wrapper::Gone(String::new()) } else { Wrapper::Alive };
            let facts = Facts {
                exists: true,
                outcome: Some(Outcome::Failed),
                wrapper,
                silence: Some(S(silence)),
                age: Some(S(age)),
            };
            prop_assert_eq!(judge(&facts, &LIMITS), Judgement::Ended(Outcome::Failed));
        }
    }
}
