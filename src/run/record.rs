//! What the wrapper says of itself and of the run: to readers by its heartbeat, to the command by
//! its environment.

use super::config::Config;
use crate::os::notify_socket::NotifySocket;
use crate::os::{clock, process};
use crate::protocol::SCHEMA;
use crate::protocol::circuit::CircuitPolicy;
use crate::protocol::files::JobFiles;
use crate::protocol::heartbeat::{Beat, Heartbeat};
use std::ffi::{OsStr, OsString};
use std::time::{Duration, SystemTime};

/// Seconds with milliseconds.
#[must_use]
pub fn rounded(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

/// Now, on both clocks.
#[must_use]
pub fn beat_now() -> Beat {
    let nanos = u64::try_from(clock::monotonic().as_nanos()).unwrap_or(u64::MAX);
    Beat { monotonic_ns: nanos, realtime_ns: clock::realtime_ns() }
}

/// The record as it stands before the command was executed.
#[must_use]
pub fn first_record(config: &Config, circuit: &CircuitPolicy) -> Heartbeat {
    let me = std::process::id().cast_signed();
    let beat = beat_now();
    let text = |word: &OsString| word.to_string_lossy().into_owned();
    Heartbeat {
        schema: SCHEMA,
        name: config.name.to_string(),
        run_id: new_run_id(),
        pid: me,
        pid_start: process::stat(me).map_or(0, |stat| stat.start),
        child_pid: None,
        child_start: None,
        host: clock::host(),
        boot_id: clock::boot_id().to_owned(),
        pid_ns: clock::pid_namespace(),
        lock: None,
        started_at: SystemTime::now(),
        started_monotonic_ns: Some(beat.monotonic_ns),
        command: config.command.iter().map(text).collect(),
        cwd: std::env::current_dir().map(|dir| dir.display().to_string()).unwrap_or_default(),
        interval_s: config.interval.as_secs_f64(),
        stale_s: config.stale.as_secs_f64(),
        timeout_s: config.timeout.map(|timeout| timeout.as_secs_f64()),
        grace_s: config.grace.as_secs_f64(),
        on_hang: config.on_hang.is_some(),
        beat_on: config.beat_on.words().to_vec(),
        beat,
        evidence: None,
        quiet_s: 0.0,
        log_bytes: 0,
        progress: None,
        pace: None,
        stuck: None,
        trouble: None,
        circuit: Some(circuit.clone()),
    }
}

/// 64 random bits, in hexadecimal.
fn new_run_id() -> String {
    use std::hash::{BuildHasher, Hasher};
    // Each RandomState has its own keys from the system's random numbers.
    let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
    hasher.write_u128(clock::monotonic().as_nanos());
    hasher.write_u32(std::process::id());
    format!("{:016x}", hasher.finish())
}

/// Names that mean something to one process only, and are not inherited.
const NOT_INHERITED: [&str; 11] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "SENTINEL_NAME",
    "SENTINEL_RUN_ID",
    "SENTINEL_HEARTBEAT",
    "SENTINEL_RESULT",
    "SENTINEL_ATTEMPT",
    "SENTINEL_LAST_OUTCOME",
    "SENTINEL_PIDS",
    "SENTINEL_PROBE",
];

/// What the runs before tell the command, so that it can go on from a checkpoint.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// One more than the failures in a row before this run.
    pub attempt: usize,
    /// How the last run of the job ended.
    pub last_outcome: Option<&'static str>,
}

/// The whole environment of the command, `NAME=value`.
#[must_use]
pub fn environment(
    config: &Config,
    files: &JobFiles,
    record: &Heartbeat,
    socket: Option<&NotifySocket>,
    past: Past,
) -> Vec<OsString> {
    let mut own: Vec<(&str, OsString)> = vec![
        ("SENTINEL_NAME", config.name.as_str().into()),
        ("SENTINEL_RUN_ID", record.run_id.clone().into()),
        ("SENTINEL_HEARTBEAT", files.heartbeat().into()),
        ("SENTINEL_RESULT", files.output().into()),
        ("SENTINEL_ATTEMPT", past.attempt.to_string().into()),
    ];
    own.extend(past.last_outcome.map(|outcome| ("SENTINEL_LAST_OUTCOME", outcome.into())));
    if let Some(socket) = socket {
        own.push(("NOTIFY_SOCKET", socket.path().into()));
        own.push(("WATCHDOG_USEC", config.stale.as_micros().to_string().into()));
    }
    inherited().chain(own.iter().map(|(name, value)| setting(name.as_ref(), value))).collect()
}

/// The environment of what is run beside the command: of whom it is to tell.
#[must_use]
pub fn surroundings(record: &Heartbeat) -> Vec<OsString> {
    let own = [("SENTINEL_NAME", &record.name), ("SENTINEL_RUN_ID", &record.run_id)];
    inherited().chain(own.map(|(name, value)| setting(name.as_ref(), value.as_ref()))).collect()
}

/// The caller's, without what is not for anybody else.
pub fn inherited() -> impl Iterator<Item = OsString> {
    std::env::vars_os()
        .filter(|(name, _)| !NOT_INHERITED.iter().any(|own| name == own))
        .map(|(name, value)| setting(&name, &value))
}

fn setting(name: &OsStr, value: &OsStr) -> OsString {
    let mut setting = name.to_owned();
    setting.push("=");
    setting.push(value);
    setting
}
