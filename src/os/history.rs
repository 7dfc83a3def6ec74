//! `KEY.history` on disk: appended under its own lock, a run once, the newest 200 lines kept.

use super::dir::{DirError, MonitorDir};
use super::disk::{Draft, reserve_behind};
use super::lock::lock;
use crate::protocol::history::{KEEP, Line, unpack};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// More than [`KEEP`] lines of the greatest length take.
const MOST: u64 = 1 << 20;
/// Somebody else's append takes microseconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// Room for the line of one run.
const LINE: u64 = 2048;

/// The lines, oldest first; none if there is no such file.
///
/// # Errors
/// If the file is there and cannot be read, or is refused.
pub fn read(dir: &MonitorDir, path: &Path) -> Result<Vec<Line>, DirError> {
    Ok(unpack(&dir.read(path, MOST)?.unwrap_or_default()))
}

/// Takes room on disk for one more line.
///
/// # Errors
/// If the file cannot be opened, or is refused.
pub fn reserve(dir: &MonitorDir, path: &Path) -> Result<(), DirError> {
    reserve_behind(&dir.create_file(path)?, LINE);
    Ok(())
}

/// Appends a line, unless the run is there already; old lines beyond [`KEEP`] go.
///
/// # Errors
/// If the file cannot be locked or written; then nothing of it is lost.
pub fn append(dir: &MonitorDir, path: &Path, line: &Line) -> Result<(), DirError> {
    let fail = |source| DirError::io("write", path, source);
    let locked = lock(dir, path, PATIENCE)?
        .ok_or_else(|| DirError::io("lock", path, io::ErrorKind::TimedOut.into()))?;
    let mut bytes = dir.read(path, MOST)?.unwrap_or_default();
    let lines = unpack(&bytes);
    if let Line::Run(run) = line
        && lines.iter().any(|known| known.run(&run.run_id).is_some())
    {
        return Ok(());
    }
    if lines.len() < KEEP {
        let end = bytes.len() as u64;
        let torn = bytes.last().is_some_and(|last| *last != b'\n');
        let mut more = if torn { vec![b'\n'] } else { Vec::new() };
        more.extend(line.pack());
        return locked.file.write_all_at(&more, end).map_err(fail);
    }
    bytes = lines[lines.len() + 1 - KEEP..].iter().flat_map(Line::pack).collect();
    bytes.extend(line.pack());
    let draft = Draft::reserve(dir, path, bytes.len() as u64)?;
    draft.publish(&bytes)
}
