//! The log, which the command writes itself: how far it has grown, how much of it is kept, and its
//! copy on standard output.

use crate::os::disk::BLOCK;
use crate::os::{disk, process};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// So many of the first bytes are remembered, to notice that the file was begun anew.
const HEAD: usize = 64;
/// A write of this size to a pipe that polls as writable does not block (pipe(7)).
const CHUNK: usize = 4096;
/// How often a log that grows is looked at for too much of it; one that outgrows its limit faster
/// than that; and one that is quiet, in the end.
const GROWING: Duration = Duration::from_millis(250);
const FLOODED: Duration = Duration::from_millis(5);
const QUIET: Duration = Duration::from_secs(2);
/// How often the copy looks for more.
pub const TEE_INTERVAL: Duration = Duration::from_millis(50);

/// The log of the run, through the same file description the command has.
#[derive(Debug)]
pub struct Log {
    file: File,
    size: u64,
    head: Vec<u8>,
    truncated: bool,
    keep: Option<u64>,
    dropped: u64,
    /// Its size when it was trimmed last, and when to do so again.
    trimmed: u64,
    rest: Duration,
}

impl Log {
    /// A new log of which the newest `keep` bytes stay on disk.
    #[must_use]
    pub fn new(file: File, keep: Option<u64>) -> Self {
        Self {
            file,
            size: 0,
            head: Vec::new(),
            truncated: false,
            keep,
            dropped: 0,
            trimmed: 0,
            rest: GROWING,
        }
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Its size at the last look, what was dropped included.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.size
    }

    /// Its size now.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.file.metadata().map_or(self.size, |meta| meta.len())
    }

    /// Whether somebody opened it by name and truncated it (`> /dev/stderr`).
    #[must_use]
    pub fn was_truncated(&self) -> bool {
        self.truncated
    }

    /// Its end, as far as prompts and last words go.
    #[must_use]
    pub fn tail(&self) -> Vec<u8> {
        const TAIL: u64 = 1024;
        let mut tail = vec![0; 1024];
        let from = self.end().saturating_sub(TAIL);
        let read = self.file.read_at(&mut tail, from).unwrap_or(0);
        tail.truncate(read);
        tail
    }

    /// What happened to it since the last look, in words; `None`: nothing.
    pub fn look(&mut self) -> Option<String> {
        // The position first: what is written meanwhile moves both, and never it alone.
        let position = process::position(&self.file).unwrap_or(0);
        let size = self.end();
        let before = std::mem::replace(&mut self.size, size);
        let restarted = self.restarted(before, position);
        self.truncated |= restarted;
        if size > before && !restarted {
            Some(format!("{} bytes of output", size - before))
        } else if size != before || restarted {
            Some("the log was truncated".to_owned())
        } else {
            None
        }
    }

    /// It shrank, or the description we share with the command stands behind the end, or the first
    /// bytes are others. (Truncated and grown past all three between two looks goes unnoticed.)
    fn restarted(&mut self, before: u64, position: u64) -> bool {
        let mut head = vec![0; if self.dropped > 0 { 0 } else { HEAD }];
        let read = self.file.read_at(&mut head, 0).unwrap_or(0);
        head.truncate(read);
        let same = head.len() >= self.head.len() && head.starts_with(&self.head);
        let changed = self.dropped == 0 && !same;
        self.head = head;
        self.size < before || changed || position > self.size
    }

    /// When to look whether there is too much of it.
    #[must_use]
    pub fn trim_interval(&self) -> Option<Duration> {
        self.keep.map(|_| self.rest)
    }

    /// Gives back the disk space of all but the newest bytes, by whole blocks. The size stays, so
    /// that offsets stay true while the command writes.
    ///
    /// # Errors
    /// If the file system cannot.
    pub fn trim(&mut self) -> io::Result<()> {
        let Some(keep) = self.keep else { return Ok(()) };
        let size = self.file.metadata()?.len();
        let upto = size.saturating_sub(keep) / BLOCK * BLOCK;
        // The more has come, the sooner; who writes nothing for long is looked at seldom.
        self.rest = if upto > self.dropped + keep / 4 {
            FLOODED
        } else if size != self.trimmed {
            GROWING
        } else {
            (self.rest * 2).clamp(GROWING, QUIET)
        };
        self.trimmed = size;
        if upto > self.dropped {
            disk::punch_head(&self.file, upto)?;
            self.dropped = upto;
        }
        Ok(())
    }

    /// At the end: trims once more, then closes the hole at the head, where the file system can.
    pub fn finish(&mut self) {
        if self.trim().is_ok() && self.dropped > 0 {
            let _ = disk::cut_head(&self.file, self.dropped);
        }
    }

    /// Whether holes can be made here: tried on the empty file.
    #[must_use]
    pub fn can_trim(&self) -> bool {
        self.keep.is_none() || disk::punch_head(&self.file, BLOCK).is_ok()
    }
}

/// The copy of the log on standard output, by pieces that never block.
#[derive(Debug)]
pub struct Tee {
    offset: u64,
    end: u64,
    out: Option<io::Stdout>,
}

impl Tee {
    /// A copy from the log's beginning.
    #[must_use]
    pub fn new() -> Self {
        Self { offset: 0, end: 0, out: Some(io::stdout()) }
    }

    /// The log reaches so far now. One that is shorter than what was copied began anew.
    pub fn follow(&mut self, end: u64) {
        self.end = end;
        if end < self.offset {
            self.offset = 0;
        }
    }

    /// The descriptor to be polled for room, while there is something to copy.
    #[must_use]
    pub fn wants(&self) -> Option<BorrowedFd<'_>> {
        self.out.as_ref().filter(|_| self.end > self.offset).map(AsFd::as_fd)
    }

    /// Copies one piece. To be called when standard output has room.
    pub fn copy(&mut self, log: &Log) {
        let Some(out) = &self.out else { return };
        self.offset = self.offset.max(log.dropped);
        let mut piece = [0_u8; CHUNK];
        let left = usize::try_from(self.end.saturating_sub(self.offset)).unwrap_or(CHUNK);
        let read = log.file.read_at(&mut piece[..left.min(CHUNK)], self.offset).unwrap_or(0);
        if read == 0 {
            self.offset = self.end; // it was cut meanwhile
            return;
        }
        match rustix::io::write(out, &piece[..read]) {
            Ok(written) => self.offset += written as u64,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(_) => self.out = None, // nobody reads any more
        }
    }
}

impl Default for Tee {
    fn default() -> Self {
        Self::new()
    }
}
