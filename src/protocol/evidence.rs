//! What a beat may be justified with.

use super::time::as_rfc3339;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

/// One kind of evidence, or what stands for several (`auto`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The log grew, shrank or was truncated.
    Output,
    /// The tree used CPU, switched context, did I/O, or a process came or went.
    Activity,
    /// Something outside the tree, or the clock, can still wake it.
    Waiting,
    /// The command touched its heartbeat or sent `WATCHDOG=1`.
    App,
    /// The command exists.
    Alive,
}

/// Every kind with the word that stands for it.
pub const KINDS: [(Kind, &str); 5] = [
    (Kind::Output, "output"),
    (Kind::Activity, "activity"),
    (Kind::Waiting, "waiting"),
    (Kind::App, "app"),
    (Kind::Alive, "alive"),
];

/// What `auto` stands for while no probe is given.
const AUTO: [Kind; 4] = [Kind::Output, Kind::Activity, Kind::Waiting, Kind::App];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = KINDS.iter().find(|(kind, _)| kind == self).map_or("", |(_, word)| word);
        f.write_str(word)
    }
}

/// `--beat-on`: the kinds that count for this run, and how they were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeatOn {
    words: Vec<String>,
    kinds: Vec<Kind>,
}

impl Default for BeatOn {
    fn default() -> Self {
        Self { words: vec!["auto".into()], kinds: AUTO.to_vec() }
    }
}

impl BeatOn {
    /// Whether this kind justifies a beat.
    #[must_use]
    pub fn counts(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    /// Whether the command was promised a notify socket: `app` was named, not implied.
    #[must_use]
    pub fn names_app(&self) -> bool {
        self.words.iter().any(|word| word == "app")
    }

    /// As typed.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }
}

/// `--beat-on` named something that is no evidence.
#[derive(Debug, thiserror::Error)]
#[error(
    "unknown evidence {0:?}: expected a comma-separated list of output, activity, waiting, app, alive or auto"
)]
pub struct BadKind(String);

impl FromStr for BeatOn {
    type Err = BadKind;

    fn from_str(text: &str) -> Result<Self, BadKind> {
        let mut on = Self { words: Vec::new(), kinds: Vec::new() };
        for word in text.split(',').map(str::trim) {
            match KINDS.iter().find(|(_, known)| *known == word) {
                Some((kind, _)) => on.kinds.push(*kind),
                None if word == "auto" => on.kinds.extend(AUTO),
                None => return Err(BadKind(word.to_owned())),
            }
            on.words.push(word.to_owned());
        }
        Ok(on)
    }
}

/// How the detail of activity begins when the tree uses the CPU without any output.
pub const BUSY: &str = "busy";

/// What justified the last beat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// One of [`KINDS`], or `started` and `ending` for the beats that need no other reason.
    pub kind: String,
    /// What was seen, in words.
    pub detail: String,
    /// When it was seen.
    #[serde(with = "as_rfc3339")]
    pub at: SystemTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let auto: BeatOn = "auto".parse().unwrap();
        assert_eq!(auto, BeatOn::default());
        assert!(auto.counts(Kind::App) && !auto.names_app() && !auto.counts(Kind::Alive));
        let two: BeatOn = "output, app".parse().unwrap();
        assert!(two.counts(Kind::Output) && two.names_app() && !two.counts(Kind::Activity));
        assert!("".parse::<BeatOn>().is_err());
        assert!("sleep".parse::<BeatOn>().is_err());
    }
}
