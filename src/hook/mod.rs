//! `sentinel-keep hook`: what a host of AI agents is answered when it asks, before a shell command and
//! after it, at the start of a session, at each prompt and at the end of a turn.
//!
//! ```text
//! stdin ─host─▶ Event ─┬─ before a command ─▶ gate: deny · ask · warn, with what to run instead
//!                      ├─ after it ─────────▶ memory: which jobs this session started, which ends it saw
//!                      ├─ start, prompt ────▶ news: alerts and ended jobs, each once
//!                      └─ end of a turn ────▶ news: jobs of this session that failed or still run
//!                                                   └─ Answer ─host─▶ stdout
//! ```
//!
//! Two rules stand above all: a hook takes no time that anybody would notice, and never breaks its
//! host. So the work is done behind a fence ([`crate::os::fence`]), and whatever becomes of it, the
//! command is let through unless there is a whole answer that says otherwise.

pub mod event;
pub mod host;
pub mod memory;
pub mod rules;
pub mod gate;
pub mod kept;
pub mod news;
pub mod awaited;
pub mod serve;
pub mod wait;
