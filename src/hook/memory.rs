//! What the hooks of one project remember: which jobs its sessions started, and what was told already.
//! A file for each project, beside the registry.

use crate::keep::KeepError;
use crate::keep::home::Home;
use crate::os::dir::MonitorDir;
use crate::os::disk::Draft;
use crate::os::lock::{Locked, lock};
use crate::protocol::SCHEMA;
use crate::protocol::name::JobName;
use crate::protocol::text::checksum;
use crate::protocol::time::as_rfc3339;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// More than any memory takes, bytes.
const MOST: u64 = 1 << 20;
/// So many things that were told are remembered; more than can lie there untaken at once.
const TOLD: usize = 1000;
/// So many started jobs are remembered.
const JOBS: usize = 200;
/// Another hook of the same project has it for milliseconds.
const PATIENCE: Duration = Duration::from_millis(25);

/// A job that a session started, or was about to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Which session.
    pub session: String,
    /// Its monitor directory.
    pub dir: PathBuf,
    /// Its name.
    pub name: JobName,
    /// When.
    #[serde(with = "as_rfc3339")]
    pub at: SystemTime,
}

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// [`SCHEMA`]
    pub schema: u32,
    /// The project's directory.
    pub project: PathBuf,
    /// When it was last looked for news; the epoch: never.
    #[serde(with = "as_rfc3339")]
    pub looked_at: SystemTime,
    /// What was told, the newest last: ids of alerts and runs.
    pub told: Vec<String>,
    /// Jobs that were started, the newest last.
    pub jobs: Vec<Started>,
}

impl Memory {
    fn of(project: &Path) -> Self {
        Self {
            schema: SCHEMA,
            project: project.to_owned(),
            looked_at: SystemTime::UNIX_EPOCH,
            told: Vec::new(),
            jobs: Vec::new(),
        }
    }

    /// Whether this was told.
    #[must_use]
    pub fn has_told(&self, id: &str) -> bool {
        self.told.iter().any(|told| told == id)
    }

    /// Remembers that all of these were told.
    pub fn tell_all(&mut self, ids: &[String]) {
        for id in ids {
            self.tell(id);
        }
    }

    /// Remembers that this was told.
    pub fn tell(&mut self, id: &str) {
        if !self.has_told(id) {
            self.told.push(id.to_owned());
            let more = self.told.len().saturating_sub(TOLD);
            self.told.drain(..more);
        }
    }

    /// Remembers a job. One that the same session starts again is another run.
    pub fn start(&mut self, job: Started) {
        self.jobs.retain(|known| {
            (&known.session, &known.dir, &known.name) != (&job.session, &job.dir, &job.name)
        });
        self.jobs.push(job);
        let more = self.jobs.len().saturating_sub(JOBS);
        self.jobs.drain(..more);
    }
}

/// A memory that nobody else writes meanwhile.
#[derive(Debug)]
pub struct Open {
    dir: MonitorDir,
    path: PathBuf,
    _lock: Locked,
    /// What is remembered.
    pub memory: Memory,
}

/// The directory of all memories.
#[must_use]
pub fn place(home: &Home) -> PathBuf {
    home.beside().path().join("hook")
}

/// Opens the memory of a project. One that was damaged from outside is forgotten: to tell a thing twice
/// is better than to be silent for ever.
///
/// # Errors
/// If it cannot be opened, or another hook has it all the time.
pub fn open(home: &Home, project: &Path) -> Result<Open, KeepError> {
    let dir = MonitorDir::create(&place(home))?;
    let base = project.file_name().unwrap_or_default().to_string_lossy();
    let base: String = base.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    let sum = checksum(project.as_os_str().as_encoded_bytes());
    let path = dir.path().join(format!("{base}-{sum:08x}.json"));
    let busy = || KeepError::Busy { name: "the memory of hooks".into(), seconds: 0 };
    let lock = lock(&dir, &path.with_extension("lock"), PATIENCE)?.ok_or_else(busy)?;
    let bytes = dir.read(&path, MOST)?.unwrap_or_default();
    let memory: Option<Memory> = serde_json::from_slice(&bytes).ok();
    let memory = memory.filter(|memory| memory.project == project);
    let mut memory = memory.unwrap_or_else(|| Memory::of(project));
    let more = memory.jobs.len().saturating_sub(JOBS);
    memory.jobs.drain(..more);
    Ok(Open { dir, path, _lock: lock, memory })
}

impl Open {
    /// Writes down what is remembered now.
    ///
    /// # Errors
    /// If it cannot be written; what was there stays.
    pub fn save(self) -> Result<(), KeepError> {
        let bytes = serde_json::to_vec(&self.memory).unwrap_or_default();
        // Not synced: it is a memory, and no promise; and others wait for the lock.
        Draft::begin(&self.dir, &self.path)?.place(&bytes)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_remembers_and_does_not_grow() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::make(&dir.path().join("registry.json")).unwrap();
        let project = Path::new("/a/project");
        let mut open = super::open(&home, project).unwrap();
        for number in 0..TOLD + 5 {
            open.memory.tell(&format!("id-{number}"));
            open.memory.tell("id-7");
        }
        let job = |session: &str, name: &str| Started {
            session: session.into(),
            dir: "/jobs".into(),
            name: name.parse().unwrap(),
            at: SystemTime::UNIX_EPOCH,
        };
        for name in ["a", "b", "a"] {
            open.memory.start(job("s", name));
        }
        open.memory.start(job("t", "a"));
        assert!(super::open(&home, project).is_err(), "another has it");
        open.save().unwrap();
        let again = super::open(&home, project).unwrap().memory;
        assert_eq!(again.told.len(), TOLD);
        assert!(again.has_told(&format!("id-{}", TOLD + 4)) && !again.has_told("id-0"));
        assert_eq!(again.jobs, [job("s", "b"), job("s", "a"), job("t", "a")]);
        assert!(super::open(&home, Path::new("/other")).unwrap().memory.told.is_empty());
    }

    #[test]
    fn a_damaged_one_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::make(&dir.path().join("registry.json")).unwrap();
        let open = super::open(&home, Path::new("/p")).unwrap();
        std::fs::write(&open.path, "{\"told\": 3").unwrap();
        drop(open);
        assert_eq!(
            super::open(&home, Path::new("/p")).unwrap().memory,
            Memory::of(Path::new("/p"))
        );
    }
}
