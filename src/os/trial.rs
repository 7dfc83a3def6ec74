//! A directory for trials: ours alone, and gone with this value.

use super::clock;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How the directories of all trials begin.
const PREFIX: &str = ".sentinel-trial-";
/// No trial takes longer.
const LONGEST: Duration = Duration::from_hours(1);

/// The directory.
#[derive(Debug)]
pub struct Trial(PathBuf);

impl Trial {
    /// Makes it below `dir`, and removes what one that was killed has left there long ago.
    ///
    /// # Errors
    /// If that cannot be done.
    pub fn begin(dir: &Path) -> io::Result<Self> {
        sweep(dir);
        let name = format!("{PREFIX}{}-{}", std::process::id(), clock::realtime_ns());
        let path = dir.join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        fs::write(&path, text)?;
        Ok(path)
    }

    /// Writes a little.
    ///
    /// # Errors
    /// If that cannot be done.
    pub fn has_room(&self) -> io::Result<()> {
        self.write("room", "x").map(drop)
    }

    /// Whether a lock keeps a second one out, and only as long as it is held.
    ///
    /// # Errors
    /// If nothing can be locked.
    pub fn locks_exclude(&self) -> io::Result<bool> {
        let path = self.write("lock", "")?;
        let (first, second) = (File::open(&path)?, File::open(&path)?);
        first.try_lock()?;
        let kept_out = match second.try_lock() {
            Ok(()) => false,
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(error)) => return Err(error),
        };
        first.unlock()?;
        Ok(kept_out && second.try_lock().is_ok())
    }

    /// Whether a file that is renamed takes the place of another.
    ///
    /// # Errors
    /// If it cannot be renamed.
    pub fn rename_replaces(&self) -> io::Result<bool> {
        let (old, new) = (self.write("old", "old")?, self.write("new", "new")?);
        fs::rename(&new, &old)?;
        Ok(fs::read(&old)? == b"new" && !new.try_exists()?)
    }

    /// Sends a file and the directory to the disk.
    ///
    /// # Errors
    /// If the disk does not take them.
    pub fn syncs(&self) -> io::Result<()> {
        let path = self.write("synced", "x")?;
        File::open(path)?.sync_data()?;
        File::open(&self.0)?.sync_all()
    }

    /// Whether a change of a file is told within so long.
    ///
    /// # Errors
    /// If nobody may be told of changes.
    pub fn change_is_told(&self, limit: Duration) -> io::Result<bool> {
        let path = self.write("watched", "x")?;
        told(&path, limit)
    }
}

/// Without a thread: notify's watcher panics where it has no room for its own.
#[cfg(target_os = "linux")]
fn told(path: &Path, limit: Duration) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
    let changes = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    add_watch(&changes, path, WatchFlags::MODIFY)?;
    fs::write(path, "y")?;
    let limit = Timespec::try_from(limit).ok();
    Ok(poll(&mut [PollFd::new(&changes, PollFlags::IN)], limit.as_ref())? > 0)
}

#[cfg(not(target_os = "linux"))]
fn told(path: &Path, limit: Duration) -> io::Result<bool> {
    use notify::{RecursiveMode, Watcher};
    let (tell, told) = std::sync::mpsc::channel();
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let _ = tell.send(event);
    });
    let mut watcher = watcher.map_err(io::Error::other)?;
    watcher.watch(path, RecursiveMode::NonRecursive).map_err(io::Error::other)?;
    fs::write(path, "y")?;
    Ok(told.recv_timeout(limit).is_ok_and(|event| event.is_ok()))
}

fn sweep(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes());
        let age = |meta: fs::Metadata| meta.modified().ok()?.elapsed().ok();
        if is_ours && entry.metadata().ok().and_then(age).is_some_and(|age| age > LONGEST) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn nothing_is_left_behind_not_even_by_one_that_was_killed() {
        let dir = tempfile::tempdir().unwrap();
        for (name, age) in
            [(".sentinel-trial-1-1", 7200), (".sentinel-trial-2-2", 60), ("kept", 7200)]
        {
            let path = dir.path().join(name);
            fs::create_dir(&path).unwrap();
            let then = SystemTime::now() - Duration::from_secs(age);
            filetime::set_file_mtime(&path, filetime::FileTime::from_system_time(then)).unwrap();
        }
        let trial = Trial::begin(dir.path()).unwrap();
        assert!(trial.locks_exclude().unwrap() && trial.rename_replaces().unwrap());
        assert!(trial.change_is_told(Duration::from_secs(20)).unwrap());
        drop(trial);
        let left = fs::read_dir(dir.path()).unwrap().flatten().map(|entry| entry.file_name());
        let mut left: Vec<_> = left.collect();
        left.sort();
        assert_eq!(left, [".sentinel-trial-2-2", "kept"]);
    }
}
