//! One job under watch: where it stands, and when it is to be looked at.

use super::WatchError;
use super::end::Note;
use super::observe::Subject;
use crate::os::process::Handle;
use crate::protocol::name::JobName;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// Whose turn it is.
#[derive(Debug)]
enum Turn {
    /// Ours: it is to be looked at then.
    Look(Instant),
    /// That of the thread which is ending it.
    Ending,
}

/// What is kept of a job from look to look.
#[derive(Debug)]
pub struct Entry {
    /// Its number, which no other job of this watch has had.
    pub id: u64,
    /// The job, and the run of it that is watched.
    pub subject: Subject,
    turn: Turn,
    /// Since when it is watched.
    pub began: Instant,
    /// It was seen running, and nothing has been heard since.
    pub observed: bool,
    /// It was seen running.
    pub seen: bool,
    /// When its files were found deleted.
    pub vanished: Option<Instant>,
    /// When to look at all there is.
    pub next_thorough: Instant,
    /// Its wrapper, whose end is the end of the wait.
    pub wrapper: Option<Handle>,
    /// By when a run is stale.
    pub stale: Duration,
    /// When it will have run for too long.
    pub overdue: Option<Instant>,
    /// The last state that was told.
    pub told: Option<&'static str>,
    /// Why an ending that was tried did not come to its end.
    pub tried: Option<Note>,
}

impl Entry {
    /// A job to be looked at at once.
    #[must_use]
    pub fn new(id: u64, dir: &Path, name: &JobName) -> Self {
        let now = Instant::now();
        Self {
            id,
            subject: Subject::new(dir, name),
            turn: Turn::Look(now),
            began: now,
            observed: false,
            seen: false,
            vanished: None,
            next_thorough: now,
            wrapper: None,
            stale: Duration::MAX,
            overdue: None,
            told: None,
            tried: None,
        }
    }

    /// When to look next; `None` while it is being ended.
    #[must_use]
    pub fn next_look(&self) -> Option<Instant> {
        match self.turn {
            Turn::Look(at) => Some(at),
            Turn::Ending => None,
        }
    }

    /// Its turn comes then.
    pub fn look_at(&mut self, at: Instant) {
        self.turn = Turn::Look(at);
    }

    /// Something happened to it: observe it at once.
    pub fn is_heard(&mut self) {
        self.observed = false;
        if let Turn::Look(at) = &mut self.turn {
            *at = Instant::now();
        }
    }

    /// Readable once its wrapper has ended; `None` while none is held.
    #[must_use]
    pub fn pollable(&self) -> Option<BorrowedFd<'_>> {
        self.wrapper.as_ref().and_then(Handle::pollable)
    }

    /// Its wrapper has ended.
    pub fn is_left(&mut self) {
        self.wrapper = None;
        self.is_heard();
    }

    /// It is being ended: nothing to look at until that is over.
    pub fn is_ending(&mut self) {
        self.turn = Turn::Ending;
    }

    /// An ending is over: look again, and if there is no outcome then, say why.
    pub fn conclude(&mut self, how: Result<Note, WatchError>) {
        if matches!(self.turn, Turn::Ending) {
            self.look_at(Instant::now());
            self.tried = match how {
                Ok(note) => Some(note).filter(|note| note.0.is_some()),
                Err(error) => Some(Note(Some(format!("not recorded: {error}")))),
            };
        }
    }
}
