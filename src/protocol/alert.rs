//! Alerts: what somebody has to know, one file each, until somebody has taken it.

use super::time::{as_rfc3339, rfc3339};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::SystemTime;

/// What an alert is about; alerts of one process and cause are hushed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// It ended with another exit code than 0.
    Exit,
    /// It died of a signal.
    Signal,
    /// It exited 0 before its time.
    Early,
    /// It was ended because nothing justified a beat any more.
    Hung,
    /// It was ended for time.
    Timeout,
    /// Its wrapper died without recording an outcome.
    Lost,
    /// Somebody ended it by a signal to its wrapper.
    Stopped,
    /// It was above its limit of memory or CPU.
    Limit,
    /// The machine was rebooted under it.
    Reboot,
    /// It could not be started.
    Start,
    /// It was adopted, and how it ended is not known.
    Adopted,
    /// It will not be started again until somebody acts.
    GivenUp,
    /// The registry, or an entry of it, cannot be understood.
    Registry,
    /// The alert command fails.
    AlertCommand,
}

impl Cause {
    /// Those that count as failures of a process.
    pub const OF_FAILURES: [Self; 11] = [
        Self::Exit,
        Self::Signal,
        Self::Early,
        Self::Hung,
        Self::Timeout,
        Self::Lost,
        Self::Stopped,
        Self::Limit,
        Self::Reboot,
        Self::Start,
        Self::Adopted,
    ];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Signal => "signal",
            Self::Early => "early",
            Self::Hung => "hung",
            Self::Timeout => "timeout",
            Self::Lost => "lost",
            Self::Stopped => "stopped",
            Self::Limit => "limit",
            Self::Reboot => "reboot",
            Self::Start => "start",
            Self::Adopted => "adopted",
            Self::GivenUp => "given-up",
            Self::Registry => "registry",
            Self::AlertCommand => "alert-command",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One alert: the content of its file, and what an alert command reads on its standard input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// [`super::SCHEMA`]
    pub schema: u32,
    /// Its own name, and that of its file: made from what it is about, so that an alert which is
    /// raised again after a crash is the same one.
    pub id: String,
    /// When it was raised.
    #[serde(with = "as_rfc3339")]
    pub at: SystemTime,
    /// The process.
    pub name: String,
    /// What it is about.
    pub cause: Cause,
    /// One line for people.
    pub message: String,
    /// The run it is about.
    pub run_id: Option<String>,
    /// What is done about it: `restart in 2s`, `given up`, …
    pub action: String,
    /// So many of the same process and cause were kept back before this one.
    pub suppressed: u64,
}

impl Alert {
    /// The bytes of its file.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads it back; `None` if it is none.
    #[must_use]
    pub fn unpack(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// For people, in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let more = match self.suppressed {
            0 => String::new(),
            n => format!(" ({n} more of this kind since the last alert)"),
        };
        let line =
            format!("{}  {}  {}; {}{more}", rfc3339(self.at), self.name, self.message, self.action);
        super::text::one_line(&line)
    }
}
