//! The record in `.result`: how a run ended, for every outcome.

use super::circuit::CircuitPolicy;
use super::name::JobName;
use super::outcome::Outcome;
use super::time::as_rfc3339;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// A process, as people know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its PID.
    pub pid: i32,
    /// Its name in the kernel.
    pub comm: String,
}

/// Who sent the wrapper the signal that ended the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedBy {
    /// The sender.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
    /// Its name, if it still lived when it was looked up.
    pub comm: Option<String>,
}

/// The content of `.result`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// [`super::SCHEMA`]
    pub schema: u32,
    /// The job.
    pub name: String,
    /// The run.
    pub run_id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The command's exit code, if it exited.
    pub exit_code: Option<i32>,
    /// The signal it died of, by name.
    pub signal: Option<String>,
    /// Whether it left a core.
    #[serde(default)]
    pub core_dumped: bool,
    /// One line.
    pub reason: String,
    /// Who ended it, if a signal to the wrapper did.
    #[serde(default)]
    pub ended_by: Option<EndedBy>,
    /// Start of the run.
    #[serde(with = "as_rfc3339")]
    pub started_at: SystemTime,
    /// Its end.
    #[serde(with = "as_rfc3339")]
    pub ended_at: SystemTime,
    /// Seconds between, on the monotonic clock.
    #[serde(default)]
    pub duration_s: f64,
    /// The largest resident set of any one process, bytes; null if unknown.
    #[serde(default)]
    pub max_rss_bytes: Option<u64>,
    /// CPU time of the command and all it waited for, seconds; null if unknown.
    #[serde(default)]
    pub cpu_s: Option<f64>,
    /// Bytes written to the log.
    #[serde(default)]
    pub log_bytes: u64,
    /// What outlived the run.
    #[serde(default)]
    pub survivors: Vec<Process>,
    /// What was known of a run that was ended, in words.
    #[serde(default)]
    pub diagnosis: Option<String>,
    /// The circuit the run counts in.
    pub circuit: CircuitPolicy,
    /// The JSON the command left in `.output`.
    #[serde(default)]
    pub output: Option<serde_json::Value>,
}

impl RunResult {
    /// A run whose end was seen by another than its wrapper: what only the wrapper could know is
    /// unknown.
    #[must_use]
    pub fn by_another(name: &JobName, run_id: String, outcome: Outcome, reason: String) -> Self {
        let now = SystemTime::now();
        Self {
            schema: super::SCHEMA,
            name: name.to_string(),
            run_id,
            outcome,
            exit_code: None,
            signal: None,
            core_dumped: false,
            reason,
            ended_by: None,
            started_at: now,
            ended_at: now,
            duration_s: 0.0,
            max_rss_bytes: None,
            cpu_s: None,
            log_bytes: 0,
            survivors: Vec::new(),
            diagnosis: None,
            circuit: CircuitPolicy::of(name.as_str()),
            output: None,
        }
    }

    /// The bytes of the file.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// The inverse of [`pack`](Self::pack). `None`: not ours, or torn.
    #[must_use]
    pub fn unpack(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn what_is_packed_comes_back() {
        let record = RunResult {
            schema: 1,
            name: "build".into(),
            run_id: "r".into(),
            outcome: Outcome::Hung,
            exit_code: None,
            signal: Some("SIGKILL".into()),
            core_dumped: false,
            reason: "no beat for 1m".into(),
            ended_by: Some(EndedBy { pid: 1, uid: 0, comm: None }),
            started_at: UNIX_EPOCH + Duration::from_secs(1),
            ended_at: UNIX_EPOCH + Duration::from_secs(2),
            duration_s: 1.0,
            max_rss_bytes: Some(4096),
            cpu_s: Some(0.5),
            log_bytes: 3,
            survivors: vec![Process { pid: 9, comm: "d".into() }],
            diagnosis: Some("x".into()),
            circuit: CircuitPolicy::of("build"),
            output: Some(serde_json::json!({"rows": 3})),
        };
        assert_eq!(RunResult::unpack(&record.pack()), Some(record));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = RunResult::unpack(&bytes);
        }
    }
}
