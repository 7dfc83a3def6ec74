//! The right to write a job's sentinels, held by at most one process.

use super::dir::{DirError, MonitorDir};
use super::disk::{self, Draft};
use super::lock::{self, Locked, lock};
use super::{clock, history, process};
use crate::protocol::clip;
use crate::protocol::files::JobFiles;
use crate::protocol::heartbeat::{self, Heartbeat, Inode};
use crate::protocol::history::{Line, PastRun};
use crate::protocol::name::JobName;
use crate::protocol::outcome::Word;
use crate::protocol::result::RunResult;
use crate::protocol::sentence::Announced;
use crate::protocol::time::seconds;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The claim: the exclusive lock on `.pid`.
#[derive(Debug)]
pub struct Claim {
    dir: MonitorDir,
    files: JobFiles,
    lock: Locked,
}

/// Room for the record of a run's end, taken while there is some.
#[derive(Debug)]
pub struct Room {
    result: Draft,
    status: Draft,
}

/// Where the wrapper writes `.heartbeat`: one inode for the whole run.
#[derive(Debug)]
pub struct HeartbeatFile {
    file: File,
}

impl Claim {
    /// Takes the claim; `None` if another holds it for all of `patience`. Changes no content.
    ///
    /// # Errors
    /// If `.pid` cannot be opened or locked, or is refused.
    pub fn take(
        dir: &MonitorDir,
        files: &JobFiles,
        patience: Duration,
    ) -> Result<Option<Self>, DirError> {
        let claim = |lock| Self { dir: dir.clone(), files: files.clone(), lock };
        Ok(lock(dir, &files.pid(), patience)?.map(claim))
    }

    /// Gives the claim back as if it had never been taken.
    pub fn withdraw(self) {
        if self.lock.fresh {
            let _ = self.dir.remove(&self.files.pid());
        }
    }

    /// Takes disk space for all that the end of a run will have to write.
    ///
    /// # Errors
    /// If there is none left, or a file cannot be made.
    pub fn take_room(&self, key: &JobName) -> Result<Room, DirError> {
        let result = Draft::begin(&self.dir, &self.files.result())?;
        let status = match Draft::begin(&self.dir, &self.files.status()) {
            Ok(status) => status,
            Err(error) => {
                result.discard();
                return Err(error);
            }
        };
        let room = Room { result, status };
        if let Err(error) = history::reserve(&self.dir, &self.files.history(key)) {
            room.give_back();
            return Err(error);
        }
        Ok(room)
    }

    /// Empties `.pid`: from here on the last run's files are no longer this job's state.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn empty_pid(&self) -> Result<(), DirError> {
        self.lock.file.set_len(0).map_err(|e| DirError::io("empty", &self.files.pid(), e))?;
        disk::reserve_behind(&self.lock.file, 16); // emptying gave its block back
        Ok(())
    }

    /// Writes our PID: from here on a reader of `.pid` reaches us.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_pid(&self) -> Result<(), DirError> {
        let line = pid_line();
        self.lock
            .file
            .write_all_at(line.as_bytes(), 0)
            .map_err(|e| DirError::io("write", &self.files.pid(), e))
    }

    /// Puts `.pid` back if somebody deleted, replaced or overwrote it. The new file is locked before it has
    /// the name, so there is no moment at which the name stands for an unlocked file.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn keep_pid(&mut self) -> Result<(), DirError> {
        let path = self.files.pid();
        let fail = |source| DirError::io("write", &path, source);
        if self.is_lost() {
            return Ok(()); // deleted, and another run has begun since
        }
        if lock::is_at(&self.lock.file, &path) {
            let mut text = [0; 16];
            let read = self.lock.file.read_at(&mut text, 0).map_err(fail)?;
            if text[..read] == *pid_line().as_bytes() {
                return Ok(());
            }
            self.lock.file.set_len(0).map_err(fail)?;
            return self.write_pid();
        }
        let draft = JobFiles::draft(&path);
        self.dir.remove(&draft)?;
        let file = self.dir.create_file(&draft)?;
        file.try_lock().map_err(|_| fail(io::ErrorKind::WouldBlock.into()))?;
        file.write_all_at(pid_line().as_bytes(), 0).map_err(fail)?;
        std::fs::rename(&draft, &path).map_err(fail)?;
        self.lock = Locked { file, fresh: false };
        Ok(())
    }

    /// The locked file.
    #[must_use]
    pub fn lock(&self) -> Option<Inode> {
        self.lock.file.metadata().ok().map(|meta| lock::inode(&meta))
    }

    /// Whether another run holds the lock on a new `.pid`: ours was deleted, and the name taken.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        let path = self.files.pid();
        !lock::is_at(&self.lock.file, &path)
            && lock::is_locked(&self.dir, &path).unwrap_or_default()
    }

    /// Records how the run ended, and gives the claim up. The order is the protocol:
    ///
    /// 1. `.result`, so that whoever sees `.status` finds the whole story;
    /// 2. the history, so that whoever sees `.status` counts right;
    /// 3. `.status`, the one word everybody waits for;
    /// 4. the directory to disk, so that a power cut takes back nothing that was told;
    /// 5. the heartbeat, which wakes the watchers.
    ///
    /// What went wrong without changing the outcome (a history that cannot be written, a directory
    /// that cannot be synced) is returned.
    ///
    /// # Errors
    /// If `.result` or `.status` could not be written.
    pub fn record(self, result: &RunResult, room: &Room) -> Result<Vec<DirError>, DirError> {
        if self.is_lost() {
            room.give_back();
            let why = "was deleted, and another run has the name now";
            return Err(DirError::Refused { path: self.files.pid(), why });
        }
        if let Err(error) = room.result.write(&result.pack()) {
            // On a full disk there is the room taken at start, for what matters most.
            room.result.write(&without_extras(result, &error).pack())?;
        }
        room.status.write(result.outcome.word().bytes())?;
        disk::sync(&[&room.result, &room.status])?;
        room.result.publish()?;
        let counted = self.append_history(result);
        room.status.publish()?;
        let synced = disk::sync_dir(&self.dir);
        let cleared = self.dir.remove(&self.files.sentence());
        let mut how = OpenOptions::new();
        let heartbeat = self.dir.open_file(&self.files.heartbeat(), how.read(true).write(true));
        let beaten = heartbeat.map(|file| {
            let _ = file.map(|file| file.set_modified(SystemTime::now()));
        });
        Ok([counted, synced, cleared, beaten].into_iter().filter_map(Result::err).collect())
    }

    /// What a watcher has announced about this run.
    #[must_use]
    pub fn announced(&self, run_id: &str) -> Option<Announced> {
        let bytes = self.dir.read(&self.files.sentence(), 4096).ok()??;
        Announced::unpack(&bytes, run_id)
    }

    /// Counts a run in its circuit without writing any other file.
    ///
    /// # Errors
    /// If the history cannot be written.
    pub fn append_history(&self, result: &RunResult) -> Result<(), DirError> {
        let key = key_of(&result.circuit.key, &self.files);
        history::append(&self.dir, &self.files.history(&key), &Line::Run(PastRun::from(result)))
    }
}

/// The record without what may be large.
fn without_extras(result: &RunResult, error: &DirError) -> RunResult {
    let reason = format!("{}; output and diagnosis not recorded: {error}", result.reason);
    RunResult {
        output: None,
        diagnosis: None,
        reason: clip(&reason, 1000),
        survivors: result.survivors.iter().take(10).cloned().collect(),
        ..result.clone()
    }
}

fn pid_line() -> String {
    format!("{}\n", std::process::id())
}

/// A circuit's key from a record; one that is no name is not followed out of the directory.
#[must_use]
pub fn key_of(key: &str, files: &JobFiles) -> JobName {
    key.parse().unwrap_or_else(|_| files.name().clone())
}

impl Room {
    /// Gives the space back, because nothing will be recorded.
    pub fn give_back(&self) {
        self.result.discard();
        self.status.discard();
    }
}

impl HeartbeatFile {
    /// Takes the room for heartbeats. What there is stays as it is until the first
    /// [`write`](Self::write), unless it is no heartbeat of ours and has to be replaced then.
    ///
    /// # Errors
    /// If there is no room, or the file cannot be made.
    pub fn take_room(dir: &MonitorDir, path: &Path) -> Result<NewHeartbeatFile, DirError> {
        let existing = dir.open_file(path, OpenOptions::new().read(true).write(true))?;
        let fits = |file: &File| file.metadata().is_ok_and(|m| m.len() == heartbeat::SIZE as u64);
        Ok(match existing.filter(fits) {
            Some(file) => NewHeartbeatFile::InPlace(Self { file }),
            None => NewHeartbeatFile::Draft(Draft::begin(dir, path)?),
        })
    }

    /// Writes the record and touches the file: a beat. The mtime is exactly the record's wall
    /// clock, so that a later touch by the command can be told from it.
    ///
    /// A deleted or replaced file is made anew.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(
        &mut self,
        dir: &MonitorDir,
        path: &Path,
        record: &Heartbeat,
    ) -> Result<(), DirError> {
        let fail = |source| DirError::io("write", path, source);
        if !lock::is_at(&self.file, path) {
            let there = dir.read(path, heartbeat::SIZE as u64)?;
            let there = there.as_deref().and_then(Heartbeat::unpack);
            if there.is_some_and(|there| there.run_id != record.run_id) {
                return Ok(()); // another run has the name now
            }
            *self = Self::anew(dir, path, record)?;
        }
        self.file.write_all_at(&record.pack(), 0).map_err(fail)?;
        if self.file.metadata().map_err(fail)?.len() != heartbeat::SIZE as u64 {
            // Somebody beat by appending to it.
            self.file.set_len(heartbeat::SIZE as u64).map_err(fail)?;
        }
        let at = SystemTime::UNIX_EPOCH + Duration::from_nanos(record.beat.realtime_ns);
        self.file.set_modified(at).map_err(fail)
    }

    fn anew(dir: &MonitorDir, path: &Path, record: &Heartbeat) -> Result<Self, DirError> {
        let draft = JobFiles::draft(path);
        dir.remove(&draft)?;
        let file = dir.create_file(&draft)?;
        let fail = |source| DirError::io("write", path, source);
        file.write_all_at(&record.pack(), 0).map_err(fail)?;
        std::fs::rename(&draft, path).map_err(fail)?;
        Ok(Self { file })
    }

    /// The mtime now, nanoseconds since the epoch.
    #[must_use]
    pub fn mtime_ns(&self) -> Option<i128> {
        self.file.metadata().ok().map(|meta| super::dir::mtime_ns(&meta))
    }
}

/// A heartbeat file whose room is taken and whose first record is not yet written.
#[derive(Debug)]
pub enum NewHeartbeatFile {
    /// The last run's, rewritten in place.
    InPlace(HeartbeatFile),
    /// A new one.
    Draft(Draft),
}

impl NewHeartbeatFile {
    /// Gives the room back.
    pub fn give_back(self) {
        if let Self::Draft(draft) = self {
            draft.discard();
        }
    }

    /// Writes the first record.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn begin(
        self,
        dir: &MonitorDir,
        path: &Path,
        record: &Heartbeat,
    ) -> Result<HeartbeatFile, DirError> {
        let mut file = match self {
            Self::InPlace(file) => file,
            Self::Draft(draft) => HeartbeatFile { file: draft.place(&record.pack())? },
        };
        file.write(dir, path, record)?;
        Ok(file)
    }
}

/// Whether the run is of this boot and PID namespace: elsewhere its numbers name nobody we see.
#[must_use]
pub fn is_here(record: &Heartbeat) -> bool {
    record.boot_id == clock::boot_id() && record.pid_ns == clock::pid_namespace()
}

/// The process that the record says is the wrapper, if it is [here](is_here) and lives: same PID,
/// same start time.
#[must_use]
pub fn live_wrapper(record: &Heartbeat) -> Option<process::Stat> {
    if is_here(record) { process::find(record.pid, record.pid_start) } else { None }
}

/// Whether the wrapper is known to be gone, now that this `.pid` is not locked.
///
/// One that is [here](is_here) is asked for itself: not every file system shows its lock. One of
/// another PID namespace is gone if its lock is seen from here for certain: the kernel is the same,
/// and so is the file. Of the same directory seen through another mount (FUSE, the layers of an
/// overlay) that cannot be said, nor from another host, whose locks a shared file system may forward
/// or not.
#[must_use]
pub fn is_gone(record: &Heartbeat, pid: Option<&Metadata>) -> bool {
    if is_here(record) {
        return live_wrapper(record).is_none();
    }
    let locked = record.lock.filter(|_| record.boot_id == clock::boot_id());
    locked.is_some() && locked == pid.map(lock::inode)
}

/// Whether its host has been started anew since.
#[must_use]
pub fn was_rebooted(record: &Heartbeat) -> bool {
    record.boot_id != clock::boot_id() && record.host == clock::host()
}

/// The time in which a wrapper that lives shows itself by a beat, wherever it is.
#[must_use]
pub fn two_beats(record: &Heartbeat) -> Duration {
    seconds(record.interval_s).unwrap_or_default().saturating_mul(2)
}

/// Why a run is lost whose wrapper is known to be gone.
#[must_use]
pub fn lost_reason(record: &Heartbeat) -> String {
    let pid = record.pid;
    if was_rebooted(record) {
        format!("the host was rebooted while the wrapper (pid {pid}) ran")
    } else if is_here(record) {
        format!("the wrapper (pid {pid}) died without recording an outcome")
    } else {
        format!("the wrapper ({}) died without recording an outcome", elsewhere(record))
    }
}

/// Where a run of another host or PID namespace is, in words.
#[must_use]
pub fn elsewhere(record: &Heartbeat) -> String {
    if record.boot_id == clock::boot_id() {
        format!("pid {} in another PID namespace of this host", record.pid)
    } else {
        format!("pid {} on host {}", record.pid, record.host)
    }
}

/// A handle on that process: pinned first, then examined, so that it is the one examined.
#[must_use]
pub fn hold_wrapper(record: &Heartbeat) -> Option<process::Handle> {
    let handle = process::Handle::open(record.pid)?;
    live_wrapper(record).map(|_| handle)
}

/// The word in `.status`; `None`: not yet, be it missing or cut short.
///
/// # Errors
/// If the file cannot be read or is refused.
pub fn read_word(dir: &MonitorDir, files: &JobFiles) -> Result<Option<Word>, DirError> {
    /// More than any word that would be quoted.
    const MOST: u64 = 4096;
    Ok(dir.read(&files.status(), MOST)?.as_deref().and_then(Word::parse))
}

/// The record in `.heartbeat`; read again if a write tore it.
///
/// # Errors
/// If the file cannot be read or is refused.
pub fn read_heartbeat(dir: &MonitorDir, files: &JobFiles) -> Result<Option<Heartbeat>, DirError> {
    Ok(read_heartbeat_with(dir, &files.heartbeat())?.and_then(|(record, _)| record))
}

/// [`read_heartbeat`], and what is known of the file then; `None` if there is no such file.
///
/// # Errors
/// As there.
pub fn read_heartbeat_with(
    dir: &MonitorDir,
    path: &Path,
) -> Result<Option<(Option<Heartbeat>, Metadata)>, DirError> {
    let mut tries = 3;
    loop {
        // What was appended by somebody is no part of it.
        let Some((bytes, meta)) = dir.read_with(path, heartbeat::SIZE as u64)? else {
            return Ok(None);
        };
        let record = Heartbeat::unpack(&bytes);
        tries -= 1;
        if record.is_some() || bytes.is_empty() || tries == 0 {
            return Ok(Some((record, meta)));
        }
    }
}
