//! The ledger: what is remembered of one kept process between two looks, whoever looks.
//!
//! It is replaced whole, under the lock of the process, and holds the alerts that are not delivered
//! yet: so one write decides, remembers and promises at once, and a keeper that is killed at any
//! moment has either done nothing or left all that is needed to go on.

use super::alert::{Alert, Cause};
use super::time::{FOR_EVER, as_rfc3339, human, seconds};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// More restarts than these are not remembered one by one.
const REMEMBERED: usize = 1000;

/// A moment on the clock of a boot, and on the wall clock for everybody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// The boot.
    pub boot_id: String,
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub monotonic_ns: u64,
    /// The wall clock.
    #[serde(with = "as_rfc3339")]
    pub at: SystemTime,
}

impl Moment {
    /// Time since an earlier moment: on the monotonic clock where both are of one boot, else on the
    /// wall clock; never negative.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Duration {
        if !self.boot_id.is_empty() && self.boot_id == earlier.boot_id {
            return Duration::from_nanos(self.monotonic_ns.saturating_sub(earlier.monotonic_ns));
        }
        self.at.duration_since(earlier.at).unwrap_or_default()
    }

    /// [`since`](Self::since) for what counts while it is recent: what another boot wrote down for later
    /// than now was written by a clock that was wrong, and is older than anything.
    #[must_use]
    pub fn age(&self, of: &Self) -> Duration {
        let one_clock = !self.boot_id.is_empty() && self.boot_id == of.boot_id;
        if !one_clock && of.at > self.at { FOR_EVER } else { self.since(of) }
    }

    /// The moment so much later.
    #[must_use]
    pub fn later(&self, by: Duration) -> Self {
        let ns = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        Self {
            boot_id: self.boot_id.clone(),
            monotonic_ns: self.monotonic_ns.saturating_add(ns),
            at: self.at.checked_add(by).unwrap_or(self.at),
        }
    }

    /// The moment so much earlier.
    #[must_use]
    pub fn earlier(&self, by: Duration) -> Self {
        let ns = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        Self {
            boot_id: self.boot_id.clone(),
            monotonic_ns: self.monotonic_ns.saturating_sub(ns),
            at: self.at.checked_sub(by).unwrap_or(self.at),
        }
    }

    /// How long until this moment, as of `now`. One that was set before a reboot is due at once.
    #[must_use]
    pub fn left(&self, now: &Self) -> Duration {
        if self.boot_id == now.boot_id { self.since(now) } else { Duration::ZERO }
    }
}

/// What is to be done about a process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "kebab-case")]
pub enum Phase {
    /// Nobody wants it to run: it was never started, or stopped.
    #[default]
    Stopped,
    /// It runs, or should.
    Up,
    /// It is to be started at this moment.
    Due {
        /// Then.
        at: Moment,
        /// Seconds it was put off.
        after_s: f64,
    },
    /// It ended as it should.
    Completed,
    /// It died, and is not to be started again (`auto_restart` is off).
    Failed,
    /// It died too often, until somebody acts.
    GivenUp {
        /// Why.
        why: String,
    },
}

impl Phase {
    /// All the words for them.
    pub const WORDS: [&str; 6] = ["stopped", "up", "due", "completed", "failed", "given-up"];

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        let [stopped, up, due, completed, failed, given_up] = Self::WORDS;
        match self {
            Self::Stopped => stopped,
            Self::Up => up,
            Self::Due { .. } => due,
            Self::Completed => completed,
            Self::Failed => failed,
            Self::GivenUp { .. } => given_up,
        }
    }

    /// Whether somebody wants it to run: it was started, and neither stopped nor has it done its work.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        !matches!(self, Self::Stopped | Self::Completed)
    }

    /// Whether somebody wants it to run, and nothing has spoken against it.
    #[must_use]
    pub fn wants_to_run(&self) -> bool {
        matches!(self, Self::Up | Self::Due { .. })
    }
}

/// How a process failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// When.
    #[serde(with = "as_rfc3339")]
    pub at: SystemTime,
    /// What kind.
    pub cause: Cause,
    /// In one line.
    pub reason: String,
    /// What was known of its processes.
    #[serde(default)]
    pub diagnosis: Option<String>,
    /// The run.
    pub run_id: Option<String>,
    /// Seconds it had run.
    pub lasted_s: f64,
}

impl Failure {
    /// What happened, and how long it had run, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let took = human(seconds(self.lasted_s).unwrap_or_default());
        match self.cause {
            Cause::Start => format!("cannot be started: {}", self.reason),
            Cause::Exit | Cause::Signal | Cause::Adopted if !self.reason.contains([':', ';']) => {
                format!("{} after {took}", self.reason)
            }
            _ => format!("ended after {took}: {}", self.reason),
        }
    }
}

/// A process that was running before it was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// Its PID.
    pub pid: i32,
    /// Its start time, ticks of the machine's boot clock.
    pub start: u64,
    /// The boot.
    pub boot_id: String,
}

/// The wrapper of a run: it is found again by this even though its files are gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrapper {
    /// Its PID.
    pub pid: i32,
    /// Its start time, ticks of the machine's boot clock.
    pub start: u64,
    /// The boot.
    pub boot_id: String,
    /// Its PID namespace.
    pub pid_ns: u64,
}

/// The last alert of a kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// When.
    pub at: Moment,
    /// So many were kept back since.
    pub suppressed: u64,
}

/// What is remembered of one kept process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// [`super::SCHEMA`]
    pub schema: u32,
    /// What is to be done about it.
    #[serde(flatten)]
    pub phase: Phase,
    /// The run that was last seen to run.
    #[serde(default)]
    pub run_id: Option<String>,
    /// The wrapper of that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrapper: Option<Wrapper>,
    /// The run whose end was last dealt with.
    #[serde(default)]
    pub settled: Option<String>,
    /// A run that is to be ended before the next is started: somebody asked for a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<String>,
    /// The next start is a restart that somebody asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_hand: bool,
    /// The running process that was taken under watch, until its end is settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Adopted>,
    /// Restarts since it was registered.
    #[serde(default)]
    pub restarts: u64,
    /// When it was restarted, oldest first: those that can still count.
    #[serde(default)]
    pub recent: Vec<Moment>,
    /// Restarts in a row without a stable run.
    #[serde(default)]
    pub row: u32,
    /// Failed tries to start it in a row, for reasons that are not its own.
    #[serde(default)]
    pub refused: u32,
    /// Failures since it was registered, by cause.
    #[serde(default)]
    pub failures: BTreeMap<Cause, u64>,
    /// The last of them.
    #[serde(default)]
    pub last_failure: Option<Failure>,
    /// Since when it is down although it should run.
    #[serde(default)]
    pub down_since: Option<Moment>,
    /// Seconds it was down although it should have run, but for those since `down_since`.
    #[serde(default)]
    pub downtime_s: f64,
    /// Of these, seconds that ended because it came back.
    #[serde(default)]
    pub recovery_s: f64,
    /// How often it came back.
    #[serde(default)]
    pub recoveries: u64,
    /// Seconds it ran, over all runs that ended.
    #[serde(default)]
    pub uptime_s: f64,
    /// CPU seconds it used, over all runs that ended.
    #[serde(default)]
    pub cpu_s: f64,
    /// The last alert of each cause.
    #[serde(default)]
    pub told: BTreeMap<Cause, Told>,
    /// Alerts that are promised and not delivered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<Alert>,
}

impl Ledger {
    /// The bytes of the file.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads it back.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn unpack(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// It was started again, at this moment; what lies before `window` counts no more.
    pub fn restarted(&mut self, now: &Moment, window: Duration) {
        self.restarts = self.restarts.saturating_add(1);
        self.recent.retain(|at| now.age(at) <= window);
        self.recent.push(now.clone());
        let excess = self.recent.len().saturating_sub(REMEMBERED);
        self.recent.drain(..excess);
    }

    /// It runs again: what it was down for is counted.
    pub fn recovered(&mut self, now: &Moment) {
        if self.down_since.is_some() {
            self.recovery_s += self.down_no_more(now);
            self.recoveries = self.recoveries.saturating_add(1);
        }
    }

    /// It is not down any more, be it that nobody wants it to run: what it was down for, seconds, is
    /// counted.
    pub fn down_no_more(&mut self, now: &Moment) -> f64 {
        let lasted = self.down_since.take().map(|since| now.since(&since).as_secs_f64());
        self.downtime_s += lasted.unwrap_or_default();
        lasted.unwrap_or_default()
    }

    /// Mean time to recovery, seconds.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "no process recovers 2^52 times")]
    pub fn mean_recovery_s(&self) -> Option<f64> {
        (self.recoveries > 0).then(|| self.recovery_s / self.recoveries as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::UNIX_EPOCH;

    fn moment(boot: &str, monotonic_s: u64, wall_s: u64) -> Moment {
        Moment {
            boot_id: boot.into(),
            monotonic_ns: monotonic_s * 1_000_000_000,
            at: UNIX_EPOCH + Duration::from_secs(wall_s),
        }
    }

    #[test]
    fn a_stepped_clock_changes_nothing_within_a_boot() {
        let (early, late) = (moment("a", 10, 1000), moment("a", 15, 3));
        assert_eq!(late.since(&early), Duration::from_secs(5));
        assert_eq!(early.since(&late), Duration::ZERO);
        let due = early.later(Duration::from_secs(8));
        assert_eq!(due.left(&late), Duration::from_secs(3));
        assert_eq!(due.since(&early), Duration::from_secs(8));
        // Across a reboot there is only the wall clock, and what was due is due.
        let reborn = moment("b", 1, 1060);
        assert_eq!(reborn.since(&early), Duration::from_mins(1));
        assert_eq!(due.left(&reborn), Duration::ZERO);
        // A clock that was years ahead until the reboot makes nothing recent for years.
        let ahead = moment("a", 10, 9_000_000);
        assert_eq!(reborn.since(&ahead), Duration::ZERO);
        assert_eq!((reborn.age(&ahead), reborn.age(&early)), (FOR_EVER, Duration::from_mins(1)));
        assert_eq!(late.age(&early), Duration::from_secs(5), "a step within a boot");
        let mut ledger = Ledger { recent: vec![ahead], ..Ledger::default() };
        ledger.restarted(&reborn, Duration::from_mins(10));
        assert_eq!(ledger.recent, std::slice::from_ref(&reborn));
        assert_eq!(moment("", 5, 9).since(&moment("", 1, 8)), Duration::from_secs(1));
    }

    #[test]
    fn it_is_read_back_as_it_was_written() {
        let mut ledger = Ledger {
            phase: Phase::Due { at: moment("a", 3, 3), after_s: 1.0 },
            down_since: Some(moment("a", 1, 1)),
            ..Ledger::default()
        };
        ledger.failures.insert(Cause::GivenUp, 3);
        ledger.restarted(&moment("a", 4, 4), Duration::from_mins(1));
        ledger.recovered(&moment("a", 5, 5));
        assert_eq!(Ledger::unpack(&ledger.pack()).unwrap(), ledger);
        assert_eq!(ledger.mean_recovery_s(), Some(4.0));
        // A person stopped it while it was down: time, and no recovery.
        ledger.down_since = Some(moment("a", 6, 6));
        assert!((ledger.down_no_more(&moment("a", 16, 16)) - 10.0).abs() < 1e-9);
        assert_eq!((ledger.downtime_s, ledger.mean_recovery_s()), (14.0, Some(4.0)));
        assert_eq!(ledger.down_since, None);
        for phase in [Phase::Up, Phase::Completed, Phase::GivenUp { why: "x".into() }] {
            let ledger = Ledger { phase, ..Ledger::default() };
            assert_eq!(Ledger::unpack(&ledger.pack()).unwrap(), ledger);
            let value: serde_json::Value = serde_json::from_slice(&ledger.pack()).unwrap();
            assert_eq!(value["phase"], ledger.phase.as_str());
        }
        // The first one there is says nothing at all.
        let first = r#"{"schema":1,"phase":"stopped"}"#;
        assert_eq!(Ledger::unpack(first.as_bytes()).unwrap().phase, Phase::Stopped);
    }

    proptest! {
        #[test]
        fn only_what_counts_is_remembered(gaps in prop::collection::vec(0_u64..400, 0..50)) {
            let mut ledger = Ledger::default();
            let mut second = 0;
            for gap in &gaps {
                second += gap;
                ledger.restarted(&moment("a", second, 0), Duration::from_mins(10));
            }
            let inside = |at: &Moment| second * 1_000_000_000 - at.monotonic_ns <= 600_000_000_000;
            prop_assert!(ledger.recent.iter().all(inside));
            prop_assert_eq!(ledger.restarts, gaps.len() as u64);
        }
    }
}
