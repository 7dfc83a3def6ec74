//! What follows the end of a kept process: nothing, a restart and when, or giving it up.
//!
//! ```text
//! 1. it ended as it should                     → done
//! 2. nobody wants restarts                     → leave it
//! 3. as many restarts as allowed, in the
//!    window or in a row without a stable run   → give up
//! 4. it ran stably, or the machine was rebooted→ restart at once
//! 5. otherwise                                 → restart after the backoff
//! ```
//!
//! All restarts count, not only those of unstable runs: a process that dies every two minutes is as
//! broken as one that dies every second, and is given up as well, if later.

use crate::protocol::outcome::Outcome;
use crate::protocol::registry::Backoff;
use std::time::Duration;

/// Restarts count for so long.
pub const WINDOW: Duration = Duration::from_mins(10);
/// A run of this length was stable.
pub const STABLE: Duration = Duration::from_mins(1);
/// Backoffs begin with this, and double.
const FIRST: Duration = Duration::from_secs(1);
/// A run that reached this share of its expected time and exited 0 has ended as it should (seed 000).
const ENOUGH: f64 = 0.8;
/// A backoff is shorter by up to this share, so that what died together does not start together.
const JITTER: f64 = 0.1;

/// How a process is to be restarted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// At all?
    pub auto_restart: bool,
    /// Any exit 0 is an end as it should be.
    pub completes: bool,
    /// How long it is expected to run; `None`: for ever.
    pub duration: Option<Duration>,
    /// So many restarts in the window, or in a row.
    pub max_restarts: u32,
    /// The longest backoff.
    pub cooldown: Duration,
    /// How it grows.
    pub backoff: Backoff,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct End {
    /// The watcher's word.
    pub outcome: Outcome,
    /// The command's own.
    pub exit_code: Option<i32>,
    /// How long it ran.
    pub lasted: Duration,
    /// The machine was rebooted under it: no fault of its own.
    pub rebooted: bool,
}

/// What came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// Restarts within the [`WINDOW`].
    pub recent: usize,
    /// Restarts in a row without a stable run.
    pub row: u32,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a decision asks for an action"]
pub enum Action {
    /// It ended as it should.
    Done,
    /// It died, and is left as it is.
    Leave,
    /// Restart it so long after its death.
    Restart {
        /// So long.
        after: Duration,
    },
    /// It died too often.
    GiveUp {
        /// Why, in words.
        why: String,
    },
}

impl End {
    /// Whether the process has done what it was started for.
    #[must_use]
    pub fn is_normal(&self, policy: &Policy) -> bool {
        if self.exit_code != Some(0) {
            return false;
        }
        // Whoever was told to end has not said by its exit 0 that its work is done; whoever had
        // nearly all of its time has.
        let own = self.outcome == Outcome::Success;
        let enough = policy
            .duration
            .is_some_and(|expected| self.lasted.as_secs_f64() >= expected.as_secs_f64() * ENOUGH);
        (own && policy.completes) || (enough && (own || self.outcome == Outcome::Stopped))
    }

    /// Whether it ran long enough for what came before to be forgotten.
    #[must_use]
    pub fn is_stable(&self) -> bool {
        self.lasted >= STABLE
    }
}

/// The decision. `jitter` is a random number from 0 up to 1.
pub fn decide(end: &End, policy: &Policy, past: &Past, jitter: f64) -> Action {
    if end.is_normal(policy) {
        return Action::Done;
    }
    if !policy.auto_restart {
        return Action::Leave;
    }
    if end.rebooted {
        return Action::Restart { after: Duration::ZERO };
    }
    let most = policy.max_restarts;
    if !end.is_stable() && past.row >= most {
        return Action::GiveUp { why: format!("{most} restarts in a row without a stable run") };
    }
    if past.recent >= most as usize {
        return Action::GiveUp { why: format!("{most} restarts within 10 minutes") };
    }
    let after = if end.is_stable() { Duration::ZERO } else { backoff(policy, past.row, jitter) };
    Action::Restart { after }
}

/// The time before the restart that follows `row` others: 1 s, 2 s, 4 s, … up to the cooldown.
#[must_use]
pub fn backoff(policy: &Policy, row: u32, jitter: f64) -> Duration {
    let full = match policy.backoff {
        Backoff::Exponential => FIRST.saturating_mul(1 << row.min(30)).min(policy.cooldown),
        Backoff::Fixed => policy.cooldown,
    };
    full.mul_f64(1.0 - JITTER * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: fn(u64) -> Duration = Duration::from_secs;
    const POLICY: Policy = Policy {
        auto_restart: true,
        completes: false,
        duration: None,
        max_restarts: 5,
        cooldown: Duration::from_secs(30),
        backoff: Backoff::Exponential,
    };
    const FIRST_DEATH: Past = Past { recent: 0, row: 0 };

    fn end(outcome: Outcome, exit_code: Option<i32>, lasted: u64) -> End {
        End { outcome, exit_code, lasted: S(lasted), rebooted: false }
    }

    #[test]
    fn what_ends_as_it_should() {
        use Outcome::{Failed, Hung, Lost, Stopped, Success, Timeout};
        let forever = POLICY;
        let day = Policy { duration: Some(S(100)), ..POLICY };
        let once = Policy { completes: true, ..POLICY };
        let table = [
            // The seed's rule: 80 % of its time, and exit 0.
            (&day, end(Success, Some(0), 80), true),
            (&day, end(Success, Some(0), 79), false),
            (&day, end(Failed, Some(1), 99), false),
            (&day, end(Failed, None, 99), false),
            (&day, end(Hung, Some(0), 99), false),
            (&day, end(Timeout, Some(0), 99), false),
            (&day, end(Lost, None, 99), false),
            // Exit 0 after a TERM to the wrapper: early it is a death, late it is not.
            (&day, end(Stopped, Some(0), 3), false),
            (&day, end(Stopped, Some(0), 81), true),
            (&day, end(Stopped, Some(143), 81), false),
            // For ever: any end is a death.
            (&forever, end(Success, Some(0), 9999), false),
            // Any exit 0 of its own.
            (&once, end(Success, Some(0), 1), true),
            (&once, end(Failed, Some(2), 1), false),
            (&once, end(Stopped, Some(0), 1), false),
        ];
        for (policy, end, normal) in table {
            assert_eq!(end.is_normal(policy), normal, "{end:?} {policy:?}");
            let action = decide(&end, policy, &FIRST_DEATH, 0.0);
            assert_eq!(action == Action::Done, normal, "{end:?}");
        }
    }

    #[test]
    fn what_follows_a_death() {
        let died = end(Outcome::Failed, Some(1), 3);
        let stable = end(Outcome::Failed, Some(1), 60);
        let at = |seconds| Action::Restart { after: S(seconds) };
        let up = |why: &str| Action::GiveUp { why: format!("5 restarts {why}") };
        let row = |row, recent| Past { recent, row };
        let table = [
            (died, row(0, 0), at(1)),
            (died, row(1, 1), at(2)),
            (died, row(2, 2), at(4)),
            (died, row(3, 3), at(8)),
            (died, row(4, 4), at(16)),
            (died, row(5, 4), up("in a row without a stable run")),
            (died, row(0, 5), up("within 10 minutes")),
            (stable, row(0, 0), at(0)),
            (stable, row(5, 4), at(0)), // the row ends with a stable run
            (stable, row(0, 5), up("within 10 minutes")),
            (End { rebooted: true, ..died }, row(5, 5), at(0)),
        ];
        for (end, past, expected) in table {
            assert_eq!(decide(&end, &POLICY, &past, 0.0), expected, "{end:?} {past:?}");
        }
        let left = Policy { auto_restart: false, ..POLICY };
        assert_eq!(decide(&died, &left, &FIRST_DEATH, 0.0), Action::Leave);
        let never = Policy { max_restarts: 0, ..POLICY };
        assert!(matches!(decide(&stable, &never, &FIRST_DEATH, 0.0), Action::GiveUp { .. }));
        let fixed = Policy { backoff: Backoff::Fixed, ..POLICY };
        assert_eq!(decide(&died, &fixed, &FIRST_DEATH, 0.0), at(30));
        let short = Policy { cooldown: S(3), ..POLICY };
        assert_eq!(decide(&died, &short, &row(4, 4), 0.0), at(3));
    }

    fn policies() -> impl Strategy<Value = Policy> {
        (any::<bool>(), any::<bool>(), 0_u64..1000, 0_u32..8, 0_u64..100, any::<bool>()).prop_map(
            |(auto_restart, completes, duration, max_restarts, cooldown, fixed)| Policy {
                auto_restart,
                completes,
                duration: Some(S(duration)).filter(|d| !d.is_zero()),
                max_restarts,
                cooldown: S(cooldown),
                backoff: if fixed { Backoff::Fixed } else { Backoff::Exponential },
            },
        )
    }

    proptest! {
        #[test]
        fn a_backoff_keeps_within_its_bounds(
            policy in policies(), row in any::<u32>(), jitter in -1.0..2.0_f64,
        ) {
            let wait = backoff(&policy, row, jitter);
            prop_assert!(wait <= policy.cooldown);
            prop_assert!(wait >= backoff(&policy, row, 0.0).mul_f64(0.899));
            prop_assert!(backoff(&policy, row, 0.0) <= backoff(&policy, row.saturating_add(1), 0.0));
        }

        /// Whatever dies again and again is given up, and never restarted more often than allowed.
        #[test]
        fn a_process_that_goes_on_dying_is_given_up(policy in policies(), lasted in 0_u64..100) {
            let died = end(Outcome::Failed, Some(1), lasted);
            let (mut now, mut restarts, mut row) = (0.0, Vec::<f64>::new(), 0);
            for _ in 0..100 {
                restarts.retain(|at| now - at <= WINDOW.as_secs_f64());
                let past = Past { recent: restarts.len(), row };
                match decide(&died, &policy, &past, 0.5) {
                    Action::Restart { after } => {
                        now += after.as_secs_f64();
                        row = if died.is_stable() { 0 } else { row + 1 };
                        restarts.push(now);
                        now += died.lasted.as_secs_f64();
                        prop_assert!(restarts.len() <= policy.max_restarts as usize);
                    }
                    Action::Leave => prop_assert!(!policy.auto_restart),
                    Action::GiveUp { .. } | Action::Done => return Ok(()),
                }
            }
            // Only who restarts slowly enough goes on for ever.
            let pace = f64::from(policy.max_restarts) * (died.lasted.as_secs_f64() + policy.cooldown.as_secs_f64());
            prop_assert!(!policy.auto_restart || pace >= WINDOW.as_secs_f64());
        }
    }
}
