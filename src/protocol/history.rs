//! `KEY.history`: one JSON line for each finished run, and for each reset of the circuit.

use super::outcome::Outcome;
use super::result::RunResult;
use super::time::as_rfc3339;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// So many lines are kept, the newest.
pub const KEEP: usize = 200;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// A finished run.
    Run(PastRun),
    /// The circuit was closed by hand.
    Reset {
        /// Always true; tells this line from a run.
        reset: bool,
        /// When.
        #[serde(with = "as_rfc3339")]
        at: SystemTime,
    },
}

/// A finished run, in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastRun {
    /// The run; a run is here once, however many recorded or watched it.
    pub run_id: String,
    /// The job (several may share a circuit).
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The command's exit code, if it exited.
    pub exit_code: Option<i32>,
    /// The signal it died of, by name.
    #[serde(default)]
    pub signal: Option<String>,
    /// One line.
    pub reason: String,
    /// Start of the run.
    #[serde(with = "as_rfc3339")]
    pub started_at: SystemTime,
    /// Its end.
    #[serde(with = "as_rfc3339")]
    pub ended_at: SystemTime,
    /// Seconds between.
    #[serde(default)]
    pub duration_s: f64,
}

impl From<&RunResult> for PastRun {
    fn from(result: &RunResult) -> Self {
        Self {
            run_id: result.run_id.clone(),
            name: result.name.clone(),
            outcome: result.outcome,
            exit_code: result.exit_code,
            signal: result.signal.clone(),
            reason: super::clip(&result.reason, 300),
            started_at: result.started_at,
            ended_at: result.ended_at,
            duration_s: result.duration_s,
        }
    }
}

impl Line {
    /// The line as it stands in the file, newline included.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// The run with this id, if this line is it.
    #[must_use]
    pub fn run(&self, run_id: &str) -> Option<&PastRun> {
        match self {
            Self::Run(run) if run.run_id == run_id => Some(run),
            _ => None,
        }
    }
}

/// The lines of a history, oldest first. What is no line of ours (torn, foreign) is passed over.
#[must_use]
pub fn unpack(bytes: &[u8]) -> Vec<Line> {
    bytes.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn lines_come_back_and_a_torn_one_is_passed_over() {
        let reset = Line::Reset { reset: true, at: UNIX_EPOCH };
        let run = Line::Run(PastRun {
            run_id: "a".into(),
            name: "n".into(),
            outcome: Outcome::Lost,
            exit_code: None,
            signal: None,
            reason: String::new(),
            started_at: UNIX_EPOCH,
            ended_at: UNIX_EPOCH,
            duration_s: 0.0,
        });
        let mut bytes = run.pack();
        bytes.extend(reset.pack());
        bytes.extend(br#"{"run_id":"b","na"#);
        assert_eq!(unpack(&bytes), [run.clone(), reset]);
        assert!(run.run("a").is_some() && run.run("b").is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = unpack(&bytes);
        }
    }
}
