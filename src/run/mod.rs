//! `sentinel-run`: one command, wrapped, with truthful sentinels.
//!
//! ```text
//! start ──▶ wait ─▶ reap ─▶ hear ─▶ enforce ─▶ look, beat ─┐──▶ record
//!             ▲                                            │
//!             └────────────────────────────────────────────┘
//! ```
//!
//! One thread; signals, the notify socket, what probes answer and standard output come in through one
//! `poll`. Only what may block a thread, a probe of files or of an address, has one of its own.

pub mod config;
pub mod command;
pub mod record;
pub mod start;
pub mod log;
pub mod evidence;
pub mod probes;
pub mod limits;
pub mod oom;
pub mod ending;
pub mod inquiry;
mod job;

pub use config::Config;
pub use job::{Ended, run};
pub use start::RunError;
