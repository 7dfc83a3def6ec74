//! How a run ended, and the one word of `.status`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How a run ended. Recorded once, in `.result` and in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The command exited 0.
    Success,
    /// The command exited otherwise, died of a signal, could not be run, or broke a limit.
    Failed,
    /// Ended because nothing justified a beat for the stale threshold.
    Hung,
    /// Ended because it ran longer than its timeout.
    Timeout,
    /// The wrapper died without recording an outcome.
    Lost,
    /// A person or a program ended it by signalling the wrapper.
    Stopped,
}

impl Outcome {
    /// The word that goes into `.status`.
    #[must_use]
    pub fn word(self) -> Word {
        if self == Self::Success { Word::Success } else { Word::Failed }
    }

    /// Whether the circuit breaker counts it as a failure (`stopped` is neither failure nor success).
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Hung | Self::Timeout | Self::Lost)
    }

    /// As it stands in the records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Hung => "hung",
            Self::Timeout => "timeout",
            Self::Lost => "lost",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What `.status` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// `SUCCESS`
    Success,
    /// `FAILED`
    Failed,
    /// Any other word, by some other writer: failed, and quoted.
    Other(String),
}

impl Word {
    /// Reads `.status`. `None`: not yet (empty, or no newline at its end: a write that was cut).
    ///
    /// Only the first line counts.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.last() != Some(&b'\n') {
            return None;
        }
        let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
        match line.trim_ascii() {
            b"SUCCESS" => Some(Self::Success),
            b"FAILED" => Some(Self::Failed),
            other => Some(Self::Other(super::clip(&String::from_utf8_lossy(other), 60))),
        }
    }

    /// The bytes of `.status`.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Success => b"SUCCESS\n",
            Self::Failed | Self::Other(_) => b"FAILED\n",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let table: [(&[u8], Option<Word>); 8] = [
            (b"", None),
            (b"SUCCESS", None),
            (b"SUCC", None),
            (b"SUCCESS\n", Some(Word::Success)),
            (b"FAILED\n", Some(Word::Failed)),
            (b"SUCCESS\r\n", Some(Word::Success)),
            (b"OK\n", Some(Word::Other("OK".into()))),
            (b"\n", Some(Word::Other(String::new()))),
        ];
        for (bytes, word) in table {
            assert_eq!(Word::parse(bytes), word, "{bytes:?}");
        }
        for word in [Word::Success, Word::Failed] {
            assert_eq!(Word::parse(word.bytes()), Some(word));
        }
    }
}
