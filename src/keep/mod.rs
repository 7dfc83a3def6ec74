//! `sentinel-keep`: registered processes, kept alive.
//!
//! ```text
//! registry ─▶ what should run         jobs/ ─watch─▶ Report: what runs, and how it ended
//!                     └──────────┬──────────┘
//!        state/NAME.json ─▶ check(process) ─▶ start · wait · end · give up
//!                                └─▶ state/NAME.json, alerts/, events.jsonl
//! ```
//!
//! There is no daemon that must live. Whoever acts on a process, a person, cron, or the keeper that
//! stays (`healthcheck --every`), takes its lock, looks, decides, and writes down what was decided
//! before it acts; so any of them may be killed at any moment, and the next one goes on.
//!
//! It starts the program `sentinel-run`, and asks the watcher for the verdict: one decision tree,
//! not two.

pub mod home;
pub mod registry;
pub mod ledger;
pub mod events;
pub mod flags;
pub mod queue;
pub mod alerts;
pub mod tmux;
pub mod launch;
pub mod send;
pub mod adopt;
pub mod attend;
pub mod adoption;
pub mod look;
pub mod remnant;
pub mod strays;
pub mod order;
pub mod case;
pub mod promise;
pub mod settle;
pub mod check;
pub mod act;
pub mod pass;
pub mod keeper;
pub mod status;
pub mod metrics;
pub mod doctor;
pub mod unit;
pub mod install;
pub mod export;
pub mod follow;

use crate::os::dir::DirError;
use crate::protocol::registry::{BadEntry, BadRegistry};
use crate::watch::WatchError;
use std::path::PathBuf;

/// Variables by which a service manager, or a job we are part of, speaks to us alone: a kept process
/// that had them would speak for us.
const OURS_ALONE: [&str; 13] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_FDS",
    "LISTEN_PID",
    "SENTINEL_MAX_FAILURES",
    "SENTINEL_DIR",
    "SENTINEL_NAME",
    "SENTINEL_RUN_ID",
    "SENTINEL_HEARTBEAT",
    "SENTINEL_RESULT",
    "SENTINEL_ATTEMPT",
    "SENTINEL_LAST_OUTCOME",
];
/// What keeps `sentinel-keep` from doing what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// A file cannot be used.
    #[error("{}", .0.to_string().replace("--dir", "--registry"))]
    Dir(#[from] DirError),
    /// The registry cannot be understood.
    #[error("{}: {why}", path.display())]
    Registry {
        /// The file.
        path: PathBuf,
        /// Why.
        why: BadRegistry,
    },
    /// An entry cannot be understood.
    #[error("{}: {why}; mend it, or take it out with: sentinel-keep deregister {}", path.display(), shell_words::quote(&why.name))]
    Entry {
        /// The file.
        path: PathBuf,
        /// Which, and why.
        why: BadEntry,
    },
    /// There is no such process.
    #[error("{0} is not registered; register it with: sentinel-keep register {0} COMMAND")]
    Unknown(String),
    /// Somebody else has been acting on it all the time.
    #[error(
        "{name} is being acted on by another sentinel-keep for more than {seconds} s; try again"
    )]
    Busy {
        /// The process.
        name: String,
        /// So long.
        seconds: u64,
    },
    /// A job cannot be judged.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// It could not be started.
    #[error("{name} cannot be started: {why}")]
    Refused {
        /// The process.
        name: String,
        /// What `sentinel-run`, or what came before it, said.
        why: String,
    },
    /// A running process is not taken under watch.
    #[error(transparent)]
    Adopt(#[from] adopt::AdoptError),
    /// It could not be done.
    #[error("cannot {what}: {why}")]
    Undone {
        /// What.
        what: String,
        /// What somebody else's program said, or why it would make no sense.
        why: String,
    },
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A keeper stays already.
    #[error(
        "a keeper is already at work on {registry}{by}; there is nothing left to do for a second one"
    )]
    AlreadyKept {
        /// Which registry.
        registry: String,
        /// By whom, if known.
        by: String,
    },
    /// The system refused something.
    #[error("cannot {what}: {source}")]
    System {
        /// What.
        what: String,
        /// Why.
        source: std::io::Error,
    },
}

impl KeepError {
    /// The exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unknown(_) => 4,
            Self::AlreadyKept { .. } | Self::Busy { .. } => 75,
            Self::Refused { .. } | Self::Adopt(_) | Self::Undone { .. } => 1,
            _ => 2,
        }
    }
}
