//! `sentinel-run`: one command, wrapped, with truthful sentinels.
//!
//! ```text
//! start ──▶ wait ─▶ reap ─▶ hear ─▶ enforce ─▶ look, beat ─┐──▶ record
//!             ▲                                            │
//!             └────────────────────────────────────────────┘
//! ```
//!
//! One thread; signals, the notify socket and standard output come in through one `poll`.

pub mod config;
pub mod command;
pub mod record;
pub mod start;
pub mod log;
pub mod evidence;
pub mod limits;
pub mod oom;
pub mod ending;
mod job;

pub use config::Config;
pub use job::{Ended, run};
pub use start::RunError;
