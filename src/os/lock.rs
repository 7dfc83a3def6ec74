//! `flock` on files that may be replaced while one waits for them.

use super::clock::pause;
use super::dir::{DirError, MonitorDir, mtime_ns, read_all};
use crate::protocol::heartbeat::Inode;
use std::fs::{File, Metadata, OpenOptions, TryLockError};
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

/// Which file this is.
#[must_use]
pub fn inode(meta: &Metadata) -> Inode {
    Inode { dev: meta.dev(), ino: meta.ino() }
}

/// Whether `path` still names this very file.
#[must_use]
pub fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => inode(&open) == inode(&named),
        _ => false,
    }
}

/// What the file holds, whether somebody held the exclusive lock on it before it was read, and what
/// is known of it after; `None` if there is no such file.
///
/// # Errors
/// As [`probe`], or if reading fails.
pub fn read(
    dir: &MonitorDir,
    path: &Path,
    most: u64,
) -> Result<Option<(bool, Vec<u8>, Metadata)>, DirError> {
    let Some(file) = dir.open_file(path, OpenOptions::new().read(true))? else {
        return Ok(None);
    };
    let locked = is_held(&file);
    // The lock that was tested would refuse a start as long as it is ours.
    let _ = file.unlock();
    let read = read_all(&file, most).and_then(|bytes| Ok((locked, bytes, file.metadata()?)));
    read.map(Some).map_err(|source| DirError::io("read", path, source))
}

/// Whether another open file holds the exclusive lock; takes a shared one if not.
fn is_held(file: &File) -> bool {
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// A lock file as one look finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Whether somebody holds the exclusive lock.
    pub locked: bool,
    /// When it was last written, nanoseconds since the epoch.
    pub mtime: i128,
}

/// Looks at the lock on `path`; `None` if there is no such file.
///
/// Tested shared and for a moment only, so that no test refuses a start.
///
/// # Errors
/// If the file cannot be opened or is refused.
pub fn probe(dir: &MonitorDir, path: &Path) -> Result<Option<Probe>, DirError> {
    let seen = dir.examine(path, OpenOptions::new().read(true))?;
    Ok(seen.map(|(file, meta)| Probe { locked: is_held(&file), mtime: mtime_ns(&meta) }))
}

/// Whether somebody holds the exclusive lock on `path`; no file, no lock.
///
/// # Errors
/// As [`probe`].
pub fn is_locked(dir: &MonitorDir, path: &Path) -> Result<bool, DirError> {
    Ok(probe(dir, path)?.is_some_and(|probe| probe.locked))
}
