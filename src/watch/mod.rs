//! `sentinel-watch`: wait on a job's sentinels, come to one verdict, and leave the disk saying the
//! same.
//!
//! ```text
//! wait ─▶ observe(job) ─▶ judge(facts, limits) ─┬─▶ report
//!   ▲                                           ├─▶ end, record ─▶ observe again
//!   └───────────────────────────────────────────┘
//! ```

pub mod config;
pub mod observe;
pub mod end;
pub mod tail;
pub mod pace;
pub mod report;
pub mod news;
pub mod changes;
mod entry;
mod look;
mod set;
mod watcher;

pub use config::{Config, Kill, Mode};
pub use news::News;
pub use report::Report;
pub use set::{Done, Watch};
pub use watcher::{list, reset_circuits, watch};

use crate::os::dir::DirError;

/// What leaves a watcher without a verdict.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// A file of the job cannot be used.
    #[error(transparent)]
    Dir(#[from] DirError),
    /// `--stale` would call a healthy job hung between two of its beats.
    #[error(
        "--stale {stale} is too short for {name}: it must exceed twice its heartbeat interval ({interval})"
    )]
    StaleTooShort {
        /// The job.
        name: String,
        /// What was given.
        stale: String,
        /// The interval of the job.
        interval: String,
    },
}
