//! Events: what happened to kept processes, a JSON line each, for who reads along.

use super::time::as_rfc3339;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Its entry was written.
    Registered,
    /// Its entry was taken out.
    Deregistered,
    /// It was started because somebody asked for it.
    Started,
    /// It was started again after a death.
    Restarted,
    /// A running process was taken under watch.
    Adopted,
    /// Somebody had it ended.
    Stopped,
    /// It ended as it should.
    Completed,
    /// It died, hung or was ended for a limit.
    Died,
    /// It could not be started.
    Refused,
    /// It will not be started again until somebody acts.
    GivenUp,
    /// A `healthcheck --every` began.
    KeeperStarted,
}

/// One line of the events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    #[serde(with = "as_rfc3339")]
    pub time: SystemTime,
    /// The process; empty where it is about none.
    pub name: String,
    /// What happened.
    pub event: What,
    /// In words.
    pub detail: String,
}

impl Event {
    /// What happened just now.
    #[must_use]
    pub fn now(name: &str, event: What, detail: impl Into<String>) -> Self {
        Self { time: SystemTime::now(), name: name.to_owned(), event, detail: detail.into() }
    }

    /// Its line, newline included.
    #[must_use]
    pub fn line(&self) -> String {
        super::text::json(self) + "\n"
    }
}
