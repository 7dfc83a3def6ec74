//! What was installed, and what was there before: so that an undo restores it.

use crate::keep::KeepError;
use crate::keep::home::Home;
use crate::keep::registry::replace;
use crate::os::dir::MonitorDir;
use crate::os::lock::{Locked, lock};
use crate::protocol::SCHEMA;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// More than any record takes, bytes.
const MOST: u64 = 64 << 20;
/// Somebody else is at it for a moment.
const PATIENCE: Duration = Duration::from_secs(5);

/// A file as it was left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// What was there before; null: nothing.
    pub before: Option<String>,
    /// What is there since, or was about to be when somebody was killed: the last is the newest.
    pub after: Vec<String>,
}

impl Written {
    /// Whether a text is of our making.
    #[must_use]
    pub fn is_ours(&self, text: &str) -> bool {
        self.after.iter().any(|after| after == text)
    }
}

/// The content of the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA`]
    pub schema: u32,
    /// The files, by path.
    pub files: BTreeMap<PathBuf, Written>,
    /// Directories that were made for them.
    pub made: Vec<PathBuf>,
}

/// A record that nobody else writes meanwhile.
#[derive(Debug)]
pub struct Open {
    dir: MonitorDir,
    path: PathBuf,
    _lock: Locked,
    /// Its content.
    pub record: Record,
}

impl Record {
    fn read(dir: &MonitorDir, path: &Path) -> Result<Self, KeepError> {
        let Some(bytes) = dir.read(path, MOST)? else {
            return Ok(Self { schema: SCHEMA, files: BTreeMap::new(), made: Vec::new() });
        };
        serde_json::from_slice(&bytes).map_err(|error| {
            KeepError::Usage(format!(
                "{} is damaged: {error}; mend it, or remove it: then nothing is known of what was installed",
                path.display()
            ))
        })
    }
}

fn place(home: &Home) -> PathBuf {
    home.beside().path().join("skill")
}

const NAME: &str = "installed.json";

/// Reads the record beside the registry; nothing is made.
///
/// # Errors
/// If it cannot be read.
pub fn peek(home: &Home) -> Result<Record, KeepError> {
    let dir = MonitorDir::open_or_absent(&place(home))?;
    Record::read(&dir, &dir.path().join(NAME))
}

/// Opens the record beside the registry.
///
/// # Errors
/// If it cannot be read, or somebody else has it; it is not overwritten then, for an undo needs it.
pub fn open(home: &Home) -> Result<Open, KeepError> {
    let dir = MonitorDir::create(&place(home))?;
    let busy = || KeepError::Busy { name: "skill".into(), seconds: PATIENCE.as_secs() };
    let lock = lock(&dir, &dir.path().join("installed.lock"), PATIENCE)?.ok_or_else(busy)?;
    let path = dir.path().join(NAME);
    let record = Record::read(&dir, &path)?;
    Ok(Open { dir, path, _lock: lock, record })
}

impl Open {
    /// Writes it down, before or after what it tells of.
    ///
    /// # Errors
    /// If it cannot be written; what was there stays.
    pub fn save(&self) -> Result<(), KeepError> {
        let bytes = serde_json::to_vec_pretty(&self.record).unwrap_or_default();
        Ok(replace(&self.dir, &self.path, &bytes)?)
    }
}
