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

/// What ends a wait.
#[derive(Debug)]
pub enum Wake {
    /// Something happened to the job with this number.
    Changed(usize),
    /// The ending of the job with this number is over.
    Concluded(usize, Result<super::end::Note, super::WatchError>),
}

/// The watch over the heartbeats.
#[derive(Debug)]
pub struct Changes {
    watcher: Option<RecommendedWatcher>,
    watched: Vec<Option<u64>>,
}

impl Changes {
    /// Opens the watch. Where there is none to be had (128 instances are allowed to a user), polling
    /// does it alone.
    ///
    /// `every`: wake on each beat, not only when the outcome is there.
    #[must_use]
    pub fn open(subjects: &[Subject], every: bool, wake: &Ringer<Wake>) -> Self {
        let paths: HashMap<PathBuf, (usize, PathBuf)> = subjects
            .iter()
            .enumerate()
            .map(|(i, subject)| (subject.files.heartbeat(), (i, subject.files.status())))
            .collect();
        let wake = wake.clone();
        let handler = move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            if matches!(event.kind, EventKind::Access(_)) {
                return; // somebody reads, we for one
            }
            for (i, status) in event.paths.iter().filter_map(|path| paths.get(path)) {
                // A beat that comes with no outcome is nothing to wake the loop for.
                if every || std::fs::symlink_metadata(status).is_ok() {
                    wake.ring(Wake::Changed(*i));
                }
            }
        };
        let watcher = notify::recommended_watcher(handler).ok();
        Self { watcher, watched: vec![None; subjects.len()] }
    }

    /// Watches the heartbeat of a job, once it is there; again if it was replaced. True: from now
    /// on, so that what happened before has to be looked for once more.
    pub fn follow(&mut self, i: usize, subject: &Subject) -> bool {
        use std::os::unix::fs::MetadataExt;
        let path = subject.files.heartbeat();
        let inode = std::fs::symlink_metadata(&path).ok().map(|meta| meta.ino());
        if self.watched[i] == inode {
            return false;
        }
        let Some(watcher) = &mut self.watcher else { return false };
        if self.watched[i].take().is_some() {
            let _ = watcher.unwatch(&path);
        }
        self.watched[i] =
            inode.filter(|_| watcher.watch(&path, RecursiveMode::NonRecursive).is_ok());
        self.watched[i].is_some()
    }

    /// The job is over.
    pub fn forget(&mut self, i: usize, subject: &Subject) {
        if let Some(watcher) = self.watcher.as_mut().filter(|_| self.watched[i].is_some()) {
            let _ = watcher.unwatch(&subject.files.heartbeat());
            self.watched[i] = None;
        }
    }
}
