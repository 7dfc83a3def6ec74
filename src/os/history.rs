//! `KEY.history` on disk: appended under its own lock, a run once, the newest 200 lines kept.

use super::dir::{DirError, MonitorDir, read_all};
use super::disk::{Draft, reserve_behind, sync};
use super::lock::lock;
use crate::protocol::history::{History, Line};
use std::fs::OpenOptions;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// More than 200 lines of the greatest length take.
const MOST: u64 = 1 << 18;
/// Somebody else's append takes microseconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// Room for the line of one run.
const LINE: u64 = 2048;

/// The history, or its end if it is larger than any of ours; an empty one if there is no such file.
///
/// # Errors
/// If the file is there and cannot be read, or is refused.
pub fn read(dir: &MonitorDir, path: &Path) -> Result<History, DirError> {
    let Some((mut file, meta)) = dir.examine(path, OpenOptions::new().read(true))? else {
        return Ok(History::default());
    };
    let fail = |source| DirError::io("read", path, source);
    if meta.len() > MOST {
        file.seek(SeekFrom::Start(meta.len() - MOST)).map_err(fail)?;
    }
    read_all(file, MOST).map(History).map_err(fail)
}

/// Takes room on disk for one more line.
///
/// # Errors
/// If the file cannot be opened, or is refused.
pub fn reserve(dir: &MonitorDir, path: &Path) -> Result<(), DirError> {
    reserve_behind(&dir.create_file(path)?, LINE);
    Ok(())
}

/// Appends a line, unless the run is there already; the oldest beyond 200 go.
///
/// # Errors
/// If the file cannot be locked or written; then nothing of it is lost.
pub fn append(dir: &MonitorDir, path: &Path, line: &Line) -> Result<(), DirError> {
    let fail = |source| DirError::io("write", path, source);
    let locked = lock(dir, path, PATIENCE)?
        .ok_or_else(|| DirError::io("lock", path, io::ErrorKind::TimedOut.into()))?;
    let history = read(dir, path)?;
    if let Line::Run(run) = line
        && history.run(&run.run_id).is_some()
    {
        return Ok(());
    }
    let mut more = line.pack();
    let end = locked.file.metadata().map_err(fail)?.len();
    // A file larger than any of ours is full of what is not ours: only whole lines of its end stay.
    let lines_of_end = || {
        let first = history.0.iter().position(|b| *b == b'\n').map_or(history.0.len(), |at| at + 1);
        let last = history.0.iter().rposition(|b| *b == b'\n').map_or(first, |at| at + 1);
        &history.0[first..last.max(first)]
    };
    let kept = if end > MOST { Some(lines_of_end()) } else { None };
    if let Some(kept) = history.without_oldest().or(kept) {
        // On a full disk it grows into the room taken at the start instead.
        if replace(dir, path, &[kept, &more].concat()).is_ok() {
            return Ok(());
        }
    }
    if history.0.last().is_some_and(|last| *last != b'\n') {
        more.insert(0, b'\n'); // the line before was torn
    }
    locked.file.write_all_at(&more, end).map_err(fail)
}

fn replace(dir: &MonitorDir, path: &Path, bytes: &[u8]) -> Result<(), DirError> {
    let draft = Draft::begin(dir, path)?;
    let replaced = draft.write(bytes).and_then(|()| sync(&[&draft])).and_then(|()| draft.publish());
    if replaced.is_err() {
        draft.discard();
    }
    replaced
}
