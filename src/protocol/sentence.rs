//! `.NAME.sentence`: what a watcher has decided before it has a job ended by somebody else's command.
//!
//! A wrapper that is asked with a plain TERM cannot know why. With this beside it, the outcome it
//! records is the one that was decided, on whatever host it runs.

use super::outcome::Outcome;
use serde::{Deserialize, Serialize};

/// The content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// The run it is about.
    pub run_id: String,
    /// To be recorded.
    pub outcome: Outcome,
    /// In one line.
    pub reason: String,
}

impl Announced {
    /// The bytes of the file.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The sentence on this run; `None` for any other content.
    #[must_use]
    pub fn unpack(bytes: &[u8], run_id: &str) -> Option<Self> {
        let announced: Self = serde_json::from_slice(bytes).ok()?;
        (announced.run_id == run_id).then_some(announced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_for_its_run_only() {
        let announced =
            Announced { run_id: "a".into(), outcome: Outcome::Hung, reason: "no beat".into() };
        assert_eq!(Announced::unpack(&announced.pack(), "a"), Some(announced.clone()));
        assert_eq!(Announced::unpack(&announced.pack(), "b"), None);
        assert_eq!(Announced::unpack(b"{", "a"), None);
    }
}
