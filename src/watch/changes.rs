//! Wake-ups when a heartbeat changes. Only an accelerator: every look happens by polling as well.
//!
//! The heartbeat *file* is watched, never its directory: a watch over the directory sees every
//! write to every log, and was measured to slow the writers two to three times. The last beat comes
//! after `.status`, so the end is seen at once.

use super::observe::Subject;
use crate::os::bell::Ringer;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What ends a wait.
#[derive(Debug)]
pub enum Wake {
    /// Something happened to the job with this number.
    Changed(u64),
    /// The ending of the job with this number is over.
    Concluded(u64, Result<super::end::Note, super::WatchError>),
}

/// The watch over the heartbeats.
#[derive(Debug)]
pub struct Changes {
    watcher: Option<RecommendedWatcher>,
    followed: Followed,
}

/// The heartbeats that are watched, by their paths. The watcher's thread reads it.
#[derive(Clone, Debug, Default)]
struct Followed(Arc<Mutex<HashMap<PathBuf, Follow>>>);

#[derive(Debug)]
struct Follow {
    job: u64,
    inode: u64,
    status: PathBuf,
}

impl Followed {
    /// Never kept over a call of the watcher, whose thread may be waiting for it.
    fn get(&self) -> MutexGuard<'_, HashMap<PathBuf, Follow>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Changes {
    /// Opens the watch. Where there is none to be had (128 instances are allowed to a user), polling
    /// does it alone.
    ///
    /// `every`: wake on each beat, not only when the outcome is there.
    #[must_use]
    pub fn open(every: bool, wake: &Ringer<Wake>) -> Self {
        let followed = Followed::default();
        let (known, wake) = (followed.clone(), wake.clone());
        let handler = move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            if matches!(event.kind, EventKind::Access(_)) {
                return; // somebody reads, we for one
            }
            let known = known.get();
            for follow in event.paths.iter().filter_map(|path| known.get(path)) {
                // A beat that comes with no outcome is nothing to wake the loop for.
                if every || std::fs::symlink_metadata(&follow.status).is_ok() {
                    wake.ring(Wake::Changed(follow.job));
                }
            }
        };
        // It panics where its thread cannot be had (8.2): see first whether there is room for one.
        let room = std::thread::Builder::new().spawn(|| {}).ok();
        let watcher = room.and_then(|_| notify::recommended_watcher(handler).ok());
        Self { watcher, followed }
    }

    /// Watches the heartbeat of a job, once it is there; again if it was replaced. True: from now
    /// on, so that what happened before has to be looked for once more.
    pub fn follow(&mut self, job: u64, subject: &Subject) -> bool {
        use std::os::unix::fs::MetadataExt;
        let path = subject.files.heartbeat();
        let inode = std::fs::symlink_metadata(&path).ok().map(|meta| meta.ino());
        if self.followed.get().get(&path).map(|follow| follow.inode) == inode {
            return false;
        }
        self.forget(subject);
        let (Some(inode), Some(watcher)) = (inode, &mut self.watcher) else { return false };
        let follow = Follow { job, inode, status: subject.files.status() };
        self.followed.get().insert(path.clone(), follow);
        let follows = watcher.watch(&path, RecursiveMode::NonRecursive).is_ok();
        if !follows {
            self.followed.get().remove(&path);
        }
        follows
    }

    /// The job is over.
    pub fn forget(&mut self, subject: &Subject) {
        let path = subject.files.heartbeat();
        let followed = self.followed.get().remove(&path).is_some();
        if let Some(watcher) = self.watcher.as_mut().filter(|_| followed) {
            let _ = watcher.unwatch(&path);
        }
    }

    /// How many heartbeats are watched.
    #[cfg(test)]
    pub(super) fn followed(&self) -> usize {
        self.followed.get().len()
    }
}
