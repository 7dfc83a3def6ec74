//! The record in `.heartbeat`: who runs, since when, and what was last seen of it.

use super::circuit::CircuitPolicy;
use super::clip;
use super::evidence::Evidence;
use super::progress::Pace;
use super::time::as_rfc3339;
use serde::{Deserialize, Deserializer, Serialize};
use std::time::{SystemTime, UNIX_EPOCH};

/// Every heartbeat has this one size, so rewriting it in place needs no disk space.
pub const SIZE: usize = 4096;

/// So many missed beats are stale (seed 002: six, "generous slack").
pub const STALE_BEATS: u32 = 6;

/// The moment of a beat on two clocks, so that a reader on the same boot can tell its age without
/// trusting the wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub monotonic_ns: u64,
    /// `CLOCK_REALTIME`, nanoseconds since the epoch.
    pub realtime_ns: u64,
}

/// A file, as everybody on the same boot names it who sees the same file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inode {
    /// Device of the file system.
    pub dev: u64,
    /// Number on it.
    pub ino: u64,
}

/// The content of `.heartbeat`. Only `run_id` and `pid` must be there to be read back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// [`super::SCHEMA`]
    #[serde(default)]
    pub schema: u32,
    /// The job.
    #[serde(default)]
    pub name: String,
    /// The run.
    pub run_id: String,
    /// The wrapper.
    pub pid: i32,
    /// The wrapper's start time, clock ticks since boot (field 22 of `/proc/PID/stat`).
    #[serde(default)]
    pub pid_start: u64,
    /// The command; null until it was executed.
    #[serde(default)]
    pub child_pid: Option<i32>,
    /// The command's start time, as `pid_start`: its session's number alone may come to mean another.
    #[serde(default)]
    pub child_start: Option<u64>,
    /// Name of the host the wrapper runs on.
    #[serde(default)]
    pub host: String,
    /// That host's boot.
    #[serde(default)]
    pub boot_id: String,
    /// Inode of the wrapper's PID namespace.
    #[serde(default, deserialize_with = "number_in")]
    pub pid_ns: u64,
    /// The `.pid` that the wrapper holds locked: who sees this very file on this boot sees the lock.
    #[serde(default)]
    pub lock: Option<Inode>,
    /// Start of the run.
    #[serde(default = "epoch", with = "as_rfc3339")]
    pub started_at: SystemTime,
    /// The same on `CLOCK_MONOTONIC`, nanoseconds: a run's age needs no wall clock.
    #[serde(default)]
    pub started_monotonic_ns: Option<u64>,
    /// The command line, cut to fit.
    #[serde(default)]
    pub command: Vec<String>,
    /// Its working directory.
    #[serde(default)]
    pub cwd: String,
    /// Seconds between two looks for evidence.
    #[serde(default)]
    pub interval_s: f64,
    /// Seconds without a beat after which a watcher calls the run hung.
    #[serde(default)]
    pub stale_s: f64,
    /// Seconds the run may last; null: for ever.
    #[serde(default)]
    pub timeout_s: Option<f64>,
    /// Seconds between TERM and KILL.
    #[serde(default)]
    pub grace_s: f64,
    /// A command looks at a hung tree before it is asked to end, and has as much time as that.
    #[serde(default)]
    pub on_hang: bool,
    /// What counts as evidence, as typed.
    #[serde(default)]
    pub beat_on: Vec<String>,
    /// When the last beat was made.
    #[serde(default)]
    pub beat: Beat,
    /// What justified it.
    #[serde(default)]
    pub evidence: Option<Evidence>,
    /// Seconds since the last output or activity.
    #[serde(default)]
    pub quiet_s: f64,
    /// Bytes the command has written to its log.
    #[serde(default)]
    pub log_bytes: u64,
    /// The last progress or `STATUS=` text.
    #[serde(default)]
    pub progress: Option<String>,
    /// The pace by the numbers in those texts; null while there are none.
    #[serde(default)]
    pub pace: Option<Pace>,
    /// Null, or why the tree can never go on.
    #[serde(default)]
    pub stuck: Option<String>,
    /// Null, or what its probes fail with: as it was when that began, or at the last beat since.
    #[serde(default)]
    pub trouble: Option<String>,
    /// The circuit the run counts in.
    #[serde(default)]
    pub circuit: Option<CircuitPolicy>,
}

impl Heartbeat {
    /// The bytes of the file: one JSON object, padded with spaces to [`SIZE`].
    ///
    /// Texts are clipped; what room they leave is the command line's.
    #[must_use]
    pub fn pack(&self) -> [u8; SIZE] {
        let mut cut = self.clone();
        cut.cwd = clip(&self.cwd, 900);
        cut.host = clip(&self.host, 255);
        cut.progress = self.progress.as_deref().map(|text| clip(text, 300));
        cut.stuck = self.stuck.as_deref().map(|text| clip(text, 700));
        cut.trouble = self.trouble.as_deref().map(|text| clip(text, 300));
        if let Some(evidence) = &mut cut.evidence {
            evidence.detail = clip(&evidence.detail, 300);
        }
        cut.command.clear();
        let mut room = SIZE.saturating_sub(cut.json_len() + 1);
        for arg in &self.command {
            let arg = clip(arg, room.saturating_sub(3));
            let taken = super::json_len(&arg) + 3;
            if taken > room || arg == "…" {
                break;
            }
            room -= taken;
            cut.command.push(arg);
        }
        let mut bytes = [b' '; SIZE];
        bytes[SIZE - 1] = b'\n';
        // What is clipped as above always fits.
        let _ = serde_json::to_writer(&mut bytes[..SIZE - 1], &cut);
        bytes
    }

    fn json_len(&self) -> usize {
        struct Count(usize);
        impl std::io::Write for Count {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0 += bytes.len();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut count = Count(0);
        let _ = serde_json::to_writer(&mut count, self);
        count.0
    }

    /// The inverse of [`pack`](Self::pack). `None`: not ours, or torn by a write (read again).
    #[must_use]
    pub fn unpack(bytes: &[u8]) -> Option<Self> {
        let record: Self = serde_json::from_slice(bytes).ok()?;
        (record.pid > 0 && !record.run_id.is_empty()).then_some(record)
    }
}

fn epoch() -> SystemTime {
    UNIX_EPOCH
}

/// A number, or the number inside a text such as `pid:[4026531836]`.
fn number_in<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(String),
    }
    Ok(match Either::deserialize(from)? {
        Either::Number(number) => number,
        Either::Text(text) => {
            text.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
        }
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn sample() -> Heartbeat {
        Heartbeat {
            schema: 1,
            name: "build".into(),
            run_id: "00ff00ff00ff00ff".into(),
            pid: 41,
            pid_start: 7,
            child_pid: Some(42),
            child_start: Some(8),
            host: "here".into(),
            boot_id: "b".into(),
            pid_ns: 4_026_531_836,
            lock: Some(Inode { dev: 3, ino: 4 }),
            started_at: UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000),
            started_monotonic_ns: Some(5),
            command: vec!["cargo".into(), "build".into()],
            cwd: "/src".into(),
            interval_s: 10.0,
            stale_s: 60.0,
            timeout_s: None,
            grace_s: 10.0,
            on_hang: false,
            beat_on: vec!["auto".into()],
            beat: Beat { monotonic_ns: 1, realtime_ns: 2 },
            evidence: None,
            quiet_s: 0.0,
            log_bytes: 0,
            progress: None,
            pace: None,
            stuck: None,
            trouble: None,
            circuit: Some(CircuitPolicy::of("build")),
        }
    }

    #[test]
    fn what_is_packed_comes_back() {
        let packed = sample().pack();
        assert_eq!(packed.len(), SIZE);
        assert_eq!(Heartbeat::unpack(&packed), Some(sample()));
    }

    #[test]
    fn the_least_that_is_a_record() {
        assert!(
            Heartbeat::unpack(br#"{"run_id":"x","pid":5,"pid_ns":"pid:[12]","new":[]}"#)
                .is_some_and(|record| record.pid_ns == 12)
        );
        for other in [&b""[..], b"{}", b"null", br#"{"run_id":"x","pid":-1}"#] {
            assert_eq!(Heartbeat::unpack(other), None);
        }
    }

    proptest! {
        #[test]
        fn any_record_fits_its_size(
            command in prop::collection::vec(".{0,600}", 0..20),
            cwd in ".{0,3000}",
            progress in prop::option::of(".{0,3000}"),
            pace in prop::option::of(prop::collection::vec(-1e300..1e300, 4)),
        ) {
            let pace = pace.map(|n| Pace {
                done: n[0],
                total: Some(n[1]),
                per_s: Some(n[2]),
                left_s: Some(n[3]),
            });
            let record = Heartbeat {
                command, cwd, progress: progress.clone(), pace, stuck: progress, ..sample()
            };
            let packed = record.pack();
            prop_assert_eq!(packed.len(), SIZE);
            prop_assert!(Heartbeat::unpack(&packed).is_some());
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Heartbeat::unpack(&bytes);
        }
    }
}
