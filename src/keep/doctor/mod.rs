//! Will what is started here survive, and is anything in the way: what `sentinel-keep doctor` says.
//!
//! Each check reads its facts, in as little time as it can, and has a pure function say what they
//! mean. All are asked at once, so that the slowest of them bounds the whole; none leaves anything
//! behind.

pub(super) mod systemd;
mod logout;
mod cron;
mod revival;
mod reaper;
mod place;
mod sight;
mod limits;
mod shebang;
mod script;

use crate::os::patience::ask;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// So long an answer of the system may take.
const LIMIT: Duration = Duration::from_secs(2);
/// So long a check may take: some ask twice.
const LONGEST: Duration = Duration::from_secs(4);

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, in a word.
    pub check: &'static str,
    /// Whether it is as it should be; `None`: cannot be told.
    pub good: Option<bool>,
    /// What was found, in words.
    pub says: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub todo: Option<String>,
}

impl Finding {
    fn good(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, good: Some(true), says: says.into(), todo: None }
    }

    fn bad(check: &'static str, says: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { check, good: Some(false), says: says.into(), todo: Some(todo.into()) }
    }

    fn unknown(check: &'static str, says: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { check, good: None, says: says.into(), todo: Some(todo.into()) }
    }
}

/// Looks at everything that decides whether processes kept by the registry in the directory `at`
/// (which may not exist yet) live on, and at the scripts that are to be run. Takes some seconds at
/// most.
#[must_use]
pub fn examine(at: &Path, scripts: &[PathBuf]) -> Vec<Finding> {
    // Nothing here may block; and the threads below would count.
    let limits = limits::examine();
    let begun = Instant::now();
    let directory = at.to_owned();
    let mut asked = vec![
        ("logout", String::new(), ask(logout::examine)),
        ("reboot", String::new(), ask(revival::examine)),
        ("reaper", String::new(), ask(reaper::examine)),
        ("directory", format!("{}: ", at.display()), ask(move || place::examine(&directory))),
        ("proc", String::new(), ask(sight::examine)),
    ];
    for path in scripts {
        let (about, path) = (format!("{}: ", path.display()), path.clone());
        asked.push(("script", about, ask(move || script::examine(&path))));
    }
    let answers = asked.into_iter().flat_map(|(check, about, pending)| {
        let limit = if check == "reaper" { reaper::ROUND + LIMIT } else { LONGEST };
        let (why, todo) = if pending.is_asked() {
            let seconds = limit.as_secs();
            (format!("no answer within {seconds} s"), "see what hangs: a dead mount, a server")
        } else {
            ("no room for one more thread".to_owned(), "see the line on processes")
        };
        let unanswered = || vec![Finding::unknown(check, format!("{about}{why}"), todo)];
        pending.by(begun + limit).unwrap_or_else(unanswered)
    });
    answers.chain(limits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_healthy_directory_has_nothing_to_complain_about_and_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (before, begun) = (std::fs::read_dir(dir.path()).unwrap().count(), Instant::now());
        let findings = examine(&dir.path().join("not/yet"), &["/bin/sh".into()]);
        assert!(begun.elapsed() < Duration::from_secs(20));
        for check in ["logout", "reaper", "directory", "locks", "rename", "sync", "script"] {
            let found: Vec<&Finding> = findings.iter().filter(|f| f.check == check).collect();
            assert_eq!(found.len(), 1, "{check}: {findings:#?}");
        }
        for check in ["directory", "locks", "rename", "sync", "script"] {
            assert!(
                findings.iter().all(|f| f.check != check || f.good == Some(true)),
                "{findings:#?}"
            );
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), before);
    }

    #[test]
    fn what_is_wrong_says_what_to_do() {
        let bad = Finding::bad("space", "full", "make room");
        let text = serde_json::to_string(&bad).unwrap();
        assert_eq!(text, r#"{"check":"space","good":false,"says":"full","todo":"make room"}"#);
        let good = serde_json::to_string(&Finding::good("space", "plenty")).unwrap();
        assert_eq!(good, r#"{"check":"space","good":true,"says":"plenty"}"#);
    }
}
