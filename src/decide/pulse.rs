//! How long a job has been silent, on the watcher's own monotonic clock.
//!
//! The wall clock is never compared with the file's: a beat is any change of the mtime that was
//! seen, in either direction, so neither a clock step nor a suspend makes a job stale, and a
//! heartbeat from the future is not fresh for ever. (The same choice as Jenkins' durable-task,
//! after years of false alarms.)

use std::time::Duration;

/// One job's beats, as one watcher saw them. Times are `CLOCK_MONOTONIC` since any fixed point.
#[derive(Clone, Debug, PartialEq)]
pub struct Pulse {
    /// Nanoseconds; as it stands in the file.
    mtime: i128,
    /// Monotonic nanoseconds of the last beat; negative if it lies before the clock's zero.
    last_beat: i128,
}

fn nanos(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX / 4)
}

impl Pulse {
    /// The first look: all that can be known is how old the mtime seems to be.
    #[must_use]
    pub fn first(mtime: i128, age: Duration, now: Duration) -> Self {
        Self { mtime, last_beat: nanos(now) - nanos(age) }
    }

    /// Another look. A changed mtime is a beat.
    pub fn look(&mut self, mtime: i128, now: Duration) {
        if mtime != self.mtime {
            *self = Self { mtime, last_beat: nanos(now) };
        }
    }

    /// The watcher itself was stopped or starved for so long: the job is not to pay for it.
    pub fn credit(&mut self, lost: Duration, now: Duration) {
        self.last_beat = (self.last_beat + nanos(lost)).min(nanos(now));
    }

    /// Time since the last beat.
    #[must_use]
    pub fn silence(&self, now: Duration) -> Duration {
        let silence = (nanos(now) - self.last_beat).max(0);
        u64::try_from(silence).map_or(Duration::MAX, Duration::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn silence_counts_from_the_last_change_seen() {
        let mut pulse = Pulse::first(100, S(5), S(1000));
        assert_eq!(pulse.silence(S(1000)), S(5));
        pulse.look(100, S(1010));
        assert_eq!(pulse.silence(S(1010)), S(15));
        pulse.look(101, S(1020));
        assert_eq!(pulse.silence(S(1021)), S(1));
        pulse.look(50, S(1030)); // the clock was stepped back: still a beat
        assert_eq!(pulse.silence(S(1030)), S(0));
        pulse.credit(S(20), S(1060)); // this watcher was stopped for 20 of these 30 s
        assert_eq!(pulse.silence(S(1060)), S(10));
    }

    #[test]
    fn an_age_from_before_this_boot_of_the_clock() {
        assert_eq!(Pulse::first(1, S(500), S(3)).silence(S(4)), S(501));
    }

    proptest! {
        #[test]
        fn credit_never_reaches_into_the_future(lost in 0_u64..10_000, gap in 0_u64..10_000) {
            let mut pulse = Pulse::first(1, S(0), S(0));
            pulse.credit(S(lost), S(gap));
            prop_assert!(pulse.silence(S(gap)) <= S(gap));
            prop_assert_eq!(pulse.silence(S(gap) + S(7)), pulse.silence(S(gap)) + S(7));
        }
    }
}
