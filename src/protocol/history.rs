//! `KEY.history`: one JSON line for each finished run, and for each reset of the circuit.

use super::outcome::Outcome;
use super::result::RunResult;
use super::time::as_rfc3339;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// So many lines are kept, the newest.
pub const KEEP: usize = 200;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Line {
    /// A finished run.
    Run(PastRun),
    /// The circuit was closed by hand.
    Reset(Reset),
}

/// The circuit was closed by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reset {
    /// Always true; tells this line from a run.
    pub reset: bool,
    /// When.
    #[serde(with = "as_rfc3339")]
    pub at: SystemTime,
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

    /// The circuit is closed by hand, now.
    #[must_use]
    pub fn reset_now() -> Self {
        Self::Reset(Reset { reset: true, at: SystemTime::now() })
    }

    fn unpack(bytes: &[u8]) -> Option<Self> {
        let run = serde_json::from_slice(bytes).map(Self::Run);
        run.or_else(|_| serde_json::from_slice(bytes).map(Self::Reset)).ok()
    }
}

/// A history as it was read: parsed no further than somebody asks, for it is asked at each start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History(pub Vec<u8>);

impl History {
    /// The lines, newest first. What is no line of ours (torn, foreign) is passed over.
    pub fn newest_first(&self) -> impl Iterator<Item = Line> {
        self.0.rsplit(|b| *b == b'\n').filter_map(Line::unpack)
    }

    /// The run with this id.
    #[must_use]
    pub fn run(&self, run_id: &str) -> Option<PastRun> {
        // The text is looked for before anything is parsed.
        let id = run_id.as_bytes();
        let holds = |line: &&[u8]| !id.is_empty() && line.windows(id.len()).any(|part| part == id);
        self.0.rsplit(|b| *b == b'\n').filter(holds).find_map(|line| match Line::unpack(line) {
            Some(Line::Run(run)) if run.run_id == run_id => Some(run),
            _ => None,
        })
    }

    /// What is to be kept of the file beside one line more, if that is not all of it.
    #[must_use]
    pub fn without_oldest(&self) -> Option<&[u8]> {
        let ends = self.0.iter().enumerate().rev().filter(|(_, b)| **b == b'\n');
        // The end of the line before the oldest one kept.
        let (at, _) = { ends }.nth(KEEP - 1)?;
        Some(&self.0[at + 1..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::UNIX_EPOCH;

    fn run(id: &str) -> Line {
        Line::Run(PastRun {
            run_id: id.into(),
            name: "n".into(),
            outcome: Outcome::Lost,
            exit_code: None,
            signal: None,
            reason: String::new(),
            started_at: UNIX_EPOCH,
            ended_at: UNIX_EPOCH,
            duration_s: 0.0,
        })
    }

    #[test]
    fn lines_come_back_and_a_torn_one_is_passed_over() {
        let reset = Line::Reset(Reset { reset: true, at: UNIX_EPOCH });
        let mut bytes = run("a").pack();
        bytes.extend(reset.pack());
        bytes.extend(br#"{"run_id":"b","na"#);
        let history = History(bytes);
        assert_eq!(history.newest_first().collect::<Vec<_>>(), [reset, run("a")]);
        assert!(history.run("a").is_some() && history.run("b").is_none());
        assert!(history.run("").is_none());
    }

    #[test]
    fn the_newest_are_kept() {
        let of =
            |count: usize| History((0..count).flat_map(|i| run(&i.to_string()).pack()).collect());
        assert_eq!(of(KEEP - 1).without_oldest(), None);
        let full = of(KEEP + 5);
        let kept = History(full.without_oldest().unwrap().to_vec());
        assert_eq!(kept.newest_first().count(), KEEP - 1);
        assert!(kept.run("204").is_some() && kept.run("5").is_none() && kept.run("6").is_some());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let history = History(bytes);
            let _ = (history.newest_first().count(), history.run("x"), history.without_oldest());
        }
    }
}
