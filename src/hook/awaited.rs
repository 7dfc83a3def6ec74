//! Which runs a hook waits for: a lock for each.

use super::memory;
use crate::keep::home::Home;
use crate::os::dir::{DirError, MonitorDir};
use crate::os::lock::{Locked, is_locked, lock};
use crate::protocol::text::checksum;
use std::path::PathBuf;
use std::time::Duration;

/// The lock of a run.
#[must_use]
pub fn wait_path(home: &Home, run: &str) -> PathBuf {
    memory::place(home).join(format!("wait-{:08x}.lock", checksum(run.as_bytes())))
}

/// The right to wait for a run; `None`: another hook does.
///
/// # Errors
/// If there can be no such lock.
pub fn wait_lock(home: &Home, run: &str) -> Result<Option<Locked>, DirError> {
    let dir = MonitorDir::create(&memory::place(home))?;
    lock(&dir, &wait_path(home, run), Duration::ZERO)
}

/// Whether a hook waits for a run.
#[must_use]
pub fn is_awaited(home: &Home, run: &str) -> bool {
    let dir = MonitorDir::open(&memory::place(home)).ok().flatten();
    dir.is_some_and(|dir| is_locked(&dir, &wait_path(home, run)).unwrap_or(false))
}
