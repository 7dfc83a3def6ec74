//! `flock` on files that may be replaced while one waits for them.

use super::clock::pause;
use super::dir::{DirError, MonitorDir};
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Time between two tries.
const RETRY: Duration = Duration::from_millis(5);

/// A file, exclusively locked as long as this lives (the kernel frees it at any death).
#[derive(Debug)]
pub struct Locked {
    /// The locked file, open for reading and writing.
    pub file: File,
    /// Whether it was made by this lock.
    pub fresh: bool,
}

/// Locks `path`, made if need be; `None` if somebody else held it for all of `patience`.
///
/// # Errors
/// If the file cannot be opened or is refused, or the file system has no locks.
pub fn lock(dir: &MonitorDir, path: &Path, patience: Duration) -> Result<Option<Locked>, DirError> {
    let deadline = Instant::now() + patience;
    loop {
        let existing = dir.open_file(path, OpenOptions::new().read(true).write(true))?;
        let fresh = existing.is_none();
        let file = existing.map_or_else(|| dir.create_file(path), Ok)?;
        match file.try_lock() {
            // Only a lock on the file that has the name *now* means anything: it may have been
            // replaced between the open and the lock.
            Ok(()) if is_at(&file, path) => return Ok(Some(Locked { file, fresh })),
            Ok(()) => continue,
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(DirError::io("lock", path, source)),
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        pause(RETRY);
    }
}

/// Whether `path` still names this very file.
#[must_use]
pub fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => open.ino() == named.ino() && open.dev() == named.dev(),
        _ => false,
    }
}

/// Whether somebody holds the exclusive lock on `path`; no file, no lock.
///
/// Tested shared and for a moment only, so that no test refuses a start.
///
/// # Errors
/// If the file cannot be opened or is refused.
pub fn is_locked(dir: &MonitorDir, path: &Path) -> Result<bool, DirError> {
    let Some(file) = dir.open_file(path, OpenOptions::new().read(true))? else {
        return Ok(false);
    };
    Ok(matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}
