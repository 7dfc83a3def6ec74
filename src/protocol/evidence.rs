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
    /// A progress probe found a change.
    Progress,
    /// A health probe found the job well, or not yet ill for long.
    Health,
    /// The command exists.
    Alive,
}

/// Every kind with the word that stands for it.
pub const KINDS: [(Kind, &str); 7] = [
    (Kind::Output, "output"),
    (Kind::Activity, "activity"),
    (Kind::Waiting, "waiting"),
    (Kind::App, "app"),
    (Kind::Progress, "progress"),
    (Kind::Health, "health"),
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

    /// What this stands for in a run that has such probes: with one of them, `auto` is what they
    /// find and what the command says itself, for whoever gives a probe says what work is.
    ///
    /// # Errors
    /// If a kind is named whose probe is not there.
    pub fn with_probes(self, progress: bool, health: bool) -> Result<Self, NoProbe> {
        let named = |word: &str| self.words.iter().any(|known| known == word);
        if named("progress") && !progress {
            return Err(NoProbe::Progress);
        }
        if named("health") && !health {
            return Err(NoProbe::Health);
        }
        let mut auto = AUTO.to_vec();
        if progress || health {
            auto = vec![Kind::App];
            auto.extend(progress.then_some(Kind::Progress));
            auto.extend(health.then_some(Kind::Health));
        }
        let kinds = self.words.iter().flat_map(|word| stands_for(word, &auto)).collect();
        Ok(Self { kinds, ..self })
    }

    /// Whether nothing but probes can be counted on for a beat: what the command may say of itself
    /// is a promise only where `app` is named.
    #[must_use]
    pub fn rests_on_probes(&self) -> bool {
        let of_probes = |kind: &Kind| matches!(kind, Kind::Progress | Kind::Health | Kind::App);
        self.kinds.iter().all(of_probes) && self.kinds != [Kind::App] && !self.names_app()
    }

    /// As typed.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }
}

/// The kinds that a word stands for; none if it is unknown.
fn stands_for(word: &str, auto: &[Kind]) -> Vec<Kind> {
    match KINDS.iter().find(|(_, known)| *known == word) {
        Some((kind, _)) => vec![*kind],
        None if word == "auto" => auto.to_vec(),
        None => Vec::new(),
    }
}

/// `--beat-on` named something that is no evidence.
#[derive(Debug, thiserror::Error)]
#[error(
    "unknown evidence {0:?}: expected a comma-separated list of output, activity, waiting, app, progress, health, alive or auto"
)]
pub struct BadKind(String);

/// `--beat-on` named what nobody looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoProbe {
    /// No progress probe is given.
    #[error("--beat-on progress needs a probe: give --progress-cmd or --progress-file")]
    Progress,
    /// No health probe is given.
    #[error("--beat-on health needs a probe: give --health-cmd or --health-http")]
    Health,
}

impl FromStr for BeatOn {
    type Err = BadKind;

    fn from_str(text: &str) -> Result<Self, BadKind> {
        let mut on = Self { words: Vec::new(), kinds: Vec::new() };
        for word in text.split(',').map(str::trim) {
            match stands_for(word, &AUTO) {
                kinds if kinds.is_empty() => return Err(BadKind(word.to_owned())),
                kinds => on.kinds.extend(kinds),
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

    #[test]
    fn what_probes_make_of_a_list() {
        use Kind::{Activity, Alive, App, Health, Output, Progress, Waiting};
        type Row<'a> = (&'a str, bool, bool, Result<&'a [Kind], NoProbe>, bool);
        let table: [Row<'_>; 11] = [
            ("auto", false, false, Ok(&[Output, Activity, Waiting, App]), false),
            ("auto", true, false, Ok(&[App, Progress]), true),
            ("auto", false, true, Ok(&[App, Health]), true),
            ("auto", true, true, Ok(&[App, Progress, Health]), true),
            ("auto,output", true, false, Ok(&[App, Progress, Output]), false),
            ("progress", true, true, Ok(&[Progress]), true),
            ("health,app", false, true, Ok(&[Health, App]), false),
            ("health,alive", false, true, Ok(&[Health, Alive]), false),
            ("output", true, true, Ok(&[Output]), false),
            ("progress", false, true, Err(NoProbe::Progress), false),
            ("auto,health", true, false, Err(NoProbe::Health), false),
        ];
        for (text, progress, health, kinds, rests) in table {
            let on = text.parse::<BeatOn>().unwrap().with_probes(progress, health);
            assert_eq!(
                on.as_ref().map(|on| on.kinds.as_slice()),
                kinds.as_ref().copied(),
                "{text}"
            );
            assert_eq!(on.is_ok_and(|on| on.rests_on_probes()), rests, "{text}");
        }
        let app: BeatOn = "app".parse().unwrap();
        assert!(!app.rests_on_probes());
    }
}
