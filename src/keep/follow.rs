//! A file that grows, is begun anew under its name, and loses its head: `logs` and `events`.
//!
//! A log that is kept short has its head punched out while its job runs (it reads as zeros, which
//! nobody wrote) and cut off at the end (all that follows moves to the front).

use crate::os::dir::{DirError, MonitorDir};
use crate::os::disk::BLOCK;
use crate::os::lock;
use crate::protocol::heartbeat::Inode;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Read at once, bytes.
const CHUNK: usize = 64 << 10;
/// So much of what was read last is remembered, to find the place again, bytes.
const MEMORY: usize = 256;
/// So many places are looked at for it.
const PLACES: usize = 4096;

/// What kept a file from being followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// It cannot be read.
    #[error("{}", .0.to_string().replace("--dir", "--registry"))]
    Dir(#[from] DirError),
    /// What was read cannot be passed on.
    #[error("cannot print: {0}")]
    Print(#[source] io::Error),
}

/// Where what is read goes.
pub type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> io::Result<()>;

/// A file under its name, through all files that have it in turn.
#[derive(Debug)]
pub struct Follow {
    dir: PathBuf,
    path: PathBuf,
    /// Its name after it was replaced.
    old: PathBuf,
    open: Option<Open>,
}

impl Follow {
    /// Begins with the last `lines` of what is there, which may be nothing yet; those of the file
    /// before it only with `old_too`.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn begin(
        dir: &Path,
        (path, old): (PathBuf, PathBuf),
        lines: u64,
        old_too: bool,
    ) -> Result<Self, DirError> {
        let mut this = Self { dir: dir.to_owned(), path, old, open: None };
        let Some(dir) = MonitorDir::open(&this.dir)? else { return Ok(this) };
        let mut missing = lines;
        if let Some(mut open) = Open::at(&dir, &this.path)? {
            missing -= open.go_back(lines);
            this.open = Some(open);
        }
        if old_too
            && missing > 0
            && let Some(mut open) = Open::at(&dir, &this.old)?
        {
            open.go_back(missing);
            this.open = Some(open); // and from its end to the file that took its name
        }
        Ok(this)
    }

    /// Passes on what is there and was not yet.
    ///
    /// # Errors
    /// If it cannot be read, or passed on.
    pub fn more(&mut self, sink: Sink) -> Result<(), FollowError> {
        loop {
            if let Some(open) = &mut self.open {
                open.drain(&self.path, sink)?;
            }
            let Some(dir) = MonitorDir::open(&self.dir)? else { return Ok(()) };
            let Some(new) = Open::at(&dir, &self.path)? else { return Ok(()) };
            if let Some(open) = &mut self.open {
                if open.is(&new) {
                    return Ok(());
                }
                // What was written to it until it lost its name; then what came and went since.
                open.drain(&self.path, sink)?;
                if let Some(mut between) = Open::at(&dir, &self.old)?
                    && !open.is(&between)
                    && !new.is(&between)
                {
                    between.drain(&self.old, sink)?;
                }
            }
            self.open = Some(new);
        }
    }
}

/// One file, read up to `offset`.
#[derive(Debug)]
struct Open {
    file: File,
    identity: Inode,
    offset: u64,
    /// At the last look.
    size: u64,
    /// What is before `offset`, its end.
    last: Vec<u8>,
}

impl Open {
    fn at(dir: &MonitorDir, path: &Path) -> Result<Option<Self>, DirError> {
        let seen = dir.examine(path, OpenOptions::new().read(true))?;
        Ok(seen.map(|(file, meta)| {
            let identity = lock::inode(&meta);
            Self { file, identity, offset: 0, size: meta.len(), last: Vec::new() }
        }))
    }

    fn is(&self, other: &Self) -> bool {
        self.identity == other.identity
    }

    /// Begins so many lines before the end; how many there are, at the most.
    fn go_back(&mut self, lines: u64) -> u64 {
        let floor = head_hole(&self.file, self.size);
        let mut end = self.size;
        let mut found = 0;
        self.offset = floor;
        while end > floor && lines > 0 {
            let begin = end.saturating_sub(CHUNK as u64).max(floor);
            let mut chunk = vec![0; usize::try_from(end - begin).unwrap_or(0)];
            if self.file.read_exact_at(&mut chunk, begin).is_err() {
                break; // it was truncated: what there is now, from its beginning
            }
            for (at, _) in chunk.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
                let after = begin + at as u64 + 1;
                if after == self.size {
                    continue; // ends the last line
                }
                found += 1;
                if found == lines {
                    self.seek(after);
                    return found;
                }
            }
            end = begin;
        }
        if lines == 0 {
            self.seek(self.size);
            return 0;
        }
        found + u64::from(self.size > floor)
    }

    fn seek(&mut self, offset: u64) {
        let from = offset.saturating_sub(MEMORY as u64);
        self.last = vec![0; usize::try_from(offset - from).unwrap_or(0)];
        if self.file.read_exact_at(&mut self.last, from).is_err() {
            self.last.clear();
        }
        self.offset = offset;
    }

    /// Passes on the rest of it.
    fn drain(&mut self, path: &Path, sink: Sink) -> Result<(), FollowError> {
        let fail = |source| DirError::io("read", path, source);
        let mut chunk = vec![0; CHUNK];
        loop {
            let size = self.file.metadata().map_err(fail)?.len();
            if size < self.size {
                self.find_place(size);
            }
            self.size = size;
            self.offset = self.offset.max(head_hole(&self.file, size));
            let read = self.file.read_at(&mut chunk, self.offset).map_err(fail)?;
            if read == 0 {
                return Ok(());
            }
            if head_hole(&self.file, size) > self.offset {
                continue; // the head was punched out while we read it
            }
            let news = &chunk[..read];
            sink(news).map_err(FollowError::Print)?;
            self.offset += read as u64;
            self.last.extend_from_slice(news);
            let excess = self.last.len().saturating_sub(MEMORY);
            self.last.drain(..excess);
        }
    }

    /// It is shorter than it was: cut at its head by whole blocks, or begun anew.
    fn find_place(&mut self, size: u64) {
        let least = (self.size - size).next_multiple_of(BLOCK);
        let shifts = (0..).map(|blocks| least + blocks * BLOCK).take(PLACES);
        let places = shifts.map_while(|shift| self.offset.checked_sub(shift));
        self.offset = places
            .filter(|place| *place > 0)
            .find(|place| self.was_read_before(*place))
            .unwrap_or(0);
    }

    fn was_read_before(&self, place: u64) -> bool {
        let length = usize::try_from(place).unwrap_or(usize::MAX).min(self.last.len());
        let mut there = vec![0; length];
        length > 0
            && self.file.read_exact_at(&mut there, place - length as u64).is_ok()
            && self.last.ends_with(&there)
    }
}

/// Where the first byte is that somebody wrote.
fn head_hole(file: &File, size: u64) -> u64 {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(0)) {
        Ok(first) => first.min(size),
        Err(rustix::io::Errno::NXIO) => size, // none
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::disk::{cut_head, punch_head};
    use std::io::Write;
    use std::os::unix::fs::DirBuilderExt;

    fn scene(name: &str) -> (tempfile::TempDir, PathBuf, PathBuf) {
        let root = tempfile::Builder::new().prefix(name).tempdir().unwrap();
        let dir = root.path().join("d");
        std::fs::DirBuilder::new().mode(0o700).create(&dir).unwrap();
        let path = dir.join("x.log");
        (root, dir, path)
    }

    fn follow(dir: &Path, path: &Path, lines: u64, old_too: bool) -> Follow {
        let paths = (path.to_owned(), path.with_extension("log.1"));
        Follow::begin(dir, paths, lines, old_too).unwrap()
    }

    fn more(follow: &mut Follow) -> String {
        let mut all = Vec::new();
        follow
            .more(&mut |bytes| {
                all.extend_from_slice(bytes);
                Ok(())
            })
            .unwrap();
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn the_last_lines_and_all_after_them() {
        let (_root, dir, path) = scene("lines");
        assert_eq!(more(&mut follow(&dir.join("none"), &path, 3, true)), "");
        let mut early = follow(&dir, &path, 3, false);
        assert_eq!(more(&mut early), "");
        let table = [
            ("", 3, ""),
            ("a\nb\nc\n", 2, "b\nc\n"),
            ("a\nb\nc", 2, "b\nc"),
            ("a\nb\n", 9, "a\nb\n"),
            ("a\nb\n", 0, ""),
            ("\n\n\n", 2, "\n\n"),
        ];
        for (text, lines, expected) in table {
            std::fs::write(&path, text).unwrap();
            assert_eq!(more(&mut follow(&dir, &path, lines, false)), expected, "{text:?}");
        }
        let long = "0123456789\n".repeat(50_000);
        std::fs::write(&path, &long).unwrap();
        assert_eq!(more(&mut follow(&dir, &path, 20_000, false)).len(), 220_000);
        // A file before it has the rest of the lines.
        std::fs::write(path.with_extension("log.1"), "1\n2\n3\n").unwrap();
        std::fs::write(&path, "4\n5\n").unwrap();
        assert_eq!(more(&mut follow(&dir, &path, 3, true)), "3\n4\n5\n");
        assert_eq!(more(&mut early), "4\n5\n");
    }

    #[test]
    fn files_that_take_its_name_follow_each_other() {
        let (_root, dir, path) = scene("names");
        let old = path.with_extension("log.1");
        std::fs::write(&path, "one\n").unwrap();
        let mut followed = follow(&dir, &path, 10, false);
        assert_eq!(more(&mut followed), "one\n");
        let mut first = OpenOptions::new().append(true).open(&path).unwrap();
        for text in ["two\n", "three\n"] {
            std::fs::rename(&path, &old).unwrap();
            std::fs::write(&path, text).unwrap();
        }
        first.write_all(b"last words\n").unwrap();
        assert_eq!(more(&mut followed), "last words\ntwo\nthree\n");
        assert_eq!(more(&mut followed), "");
        // Truncated in place.
        std::fs::write(&path, "4\n").unwrap();
        assert_eq!(more(&mut followed), "4\n");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(more(&mut followed), "");
    }

    #[test]
    fn a_head_that_goes_away_is_neither_printed_nor_missed() {
        let (_root, dir, path) = scene("head");
        let mut log = File::create(&path).unwrap();
        let lines = |range: std::ops::Range<u32>| -> String {
            range.map(|n| format!("{n:09}")).collect::<Vec<_>>().join("\n") + "\n"
        };
        log.write_all(lines(0..2000).as_bytes()).unwrap();
        let mut followed = follow(&dir, &path, 5, false);
        let mut behind = follow(&dir, &path, 1999, false);
        assert_eq!(more(&mut followed), lines(1995..2000));
        if punch_head(&log, 3 * BLOCK).is_err() {
            return; // no holes on this file system
        }
        log.write_all(lines(2000..2001).as_bytes()).unwrap();
        assert_eq!(more(&mut followed), lines(2000..2001));
        let tail = lines(0..2001)[3 * 4096..].to_owned();
        assert_eq!(more(&mut behind), tail);
        assert_eq!(more(&mut follow(&dir, &path, 5000, false)), tail);
        // As at the end of a run; a file system that cannot do it leaves the zeros.
        log.write_all(lines(2001..2002).as_bytes()).unwrap();
        let _ = cut_head(&log, 3 * BLOCK);
        assert_eq!(more(&mut followed), lines(2001..2002));
        assert_eq!(more(&mut followed), "");
    }
}
