//! Where a registry keeps what belongs to it: all beside the file.

use super::KeepError;
use crate::os::dir::{DirError, MonitorDir};
use crate::os::disk::Draft;
use crate::protocol::name::JobName;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// No file has this name.
const SHARED: &str = "/";

/// A registry, and the places beside it.
#[derive(Clone, Debug)]
pub struct Home {
    registry: PathBuf,
    beside: MonitorDir,
    state: MonitorDir,
}

impl Home {
    /// The home of the registry at this path, for who only reads: nothing is made.
    ///
    /// # Errors
    /// If a directory is refused as a monitor directory would be.
    pub fn open(registry: &Path) -> Result<Self, KeepError> {
        Self::with(registry, MonitorDir::open_or_absent)
    }

    /// The same for who acts; what is missing is made, but for the file itself.
    ///
    /// # Errors
    /// If a directory cannot be made, or is refused.
    pub fn make(registry: &Path) -> Result<Self, KeepError> {
        let home = Self::with(registry, MonitorDir::create)?;
        home.claim();
        Ok(home)
    }

    fn with(
        registry: &Path,
        dir: fn(&Path) -> Result<MonitorDir, DirError>,
    ) -> Result<Self, KeepError> {
        let fail = |source| DirError::io("open", registry, source);
        let registry = std::path::absolute(registry).map_err(fail)?;
        let parent = registry.parent().ok_or_else(|| fail(std::io::ErrorKind::InvalidInput.into()));
        let beside = dir(parent?)?;
        let state = dir(&beside.path().join("state"))?;
        Ok(Self { registry, beside, state })
    }

    /// Whether another registry in this directory has its processes here, too: what has no entry in
    /// this one may have one in that.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.owner().as_deref() == Some(OsStr::new(SHARED))
    }

    /// The file name of the registry that what is here belongs to, or [`SHARED`].
    fn owner(&self) -> Option<OsString> {
        let name = self.state.read(&self.owner_file(), 4096).ok()??;
        Some(OsString::from_vec(name)).filter(|name| !name.is_empty())
    }

    fn owner_file(&self) -> PathBuf {
        self.state.path().join(".owner")
    }

    /// Leaves its name, or the word that it is not the only one. A registry that was renamed is the
    /// same. Not where the disk is full: that is no reason to leave anything dead.
    fn claim(&self) {
        let Some(own) = self.registry.file_name() else { return };
        let mark = match self.owner() {
            Some(owner) if owner == own || owner == SHARED => return,
            Some(owner) if self.beside.path().join(&owner).exists() => OsStr::new(SHARED),
            _ => own,
        };
        let draft = Draft::begin(&self.state, &self.owner_file());
        let _ = draft.and_then(|draft| draft.place(mark.as_bytes()));
    }

    /// The registry's file, absolute.
    #[must_use]
    pub fn registry(&self) -> &Path {
        &self.registry
    }

    /// Where the registry is.
    #[must_use]
    pub fn beside(&self) -> &MonitorDir {
        &self.beside
    }

    /// Where ledgers and locks are.
    #[must_use]
    pub fn state(&self) -> &MonitorDir {
        &self.state
    }

    /// The monitor directory of its jobs; it may not be there yet.
    #[must_use]
    pub fn jobs(&self) -> PathBuf {
        self.beside.path().join("jobs")
    }

    /// Where alerts are, one file each; it may not be there yet.
    ///
    /// # Errors
    /// If it is refused.
    pub fn alerts(&self) -> Result<MonitorDir, KeepError> {
        Ok(MonitorDir::open_or_absent(&self.beside.path().join("alerts"))?)
    }

    /// Where alerts wait for the alert command, one file each. No process has such a name.
    ///
    /// # Errors
    /// If it cannot be made, or is refused.
    pub fn queue(&self) -> Result<MonitorDir, KeepError> {
        Ok(MonitorDir::create(&self.state.path().join(".queue"))?)
    }

    /// The ledger of a process.
    #[must_use]
    pub fn ledger(&self, name: &JobName) -> PathBuf {
        self.state.path().join(format!("{name}.json"))
    }

    /// The lock that is held during every action on a process.
    #[must_use]
    pub fn lock(&self, name: &JobName) -> PathBuf {
        self.state.path().join(format!("{name}.lock"))
    }

    /// The lock that is held while the registry is rewritten. No process has such a name.
    #[must_use]
    pub fn registry_lock(&self) -> PathBuf {
        self.state.path().join(".registry.lock")
    }

    /// The lock of the one keeper that stays, with its PID.
    #[must_use]
    pub fn keeper_lock(&self) -> PathBuf {
        let mut name = OsString::from(".keeper-");
        name.push(self.registry.file_name().unwrap_or_default());
        name.push(".lock");
        self.state.path().join(name)
    }

    /// The lock that is held while alerts are delivered, or removed.
    #[must_use]
    pub fn alerts_lock(&self) -> PathBuf {
        self.state.path().join(".alerts.lock")
    }

    /// The lock of the one who takes alerts.
    #[must_use]
    pub fn taking_lock(&self) -> PathBuf {
        self.state.path().join(".taking.lock")
    }

    /// The lock of the one who runs the alert command.
    #[must_use]
    pub fn send_lock(&self) -> PathBuf {
        self.state.path().join(".send.lock")
    }

    /// When alerts that belong to no process were raised last.
    #[must_use]
    pub fn told(&self) -> PathBuf {
        self.state.path().join(".told.json")
    }

    /// Touched by every healthcheck: so it is known whether anybody looks.
    #[must_use]
    pub fn looked(&self) -> PathBuf {
        self.state.path().join(".looked")
    }

    /// What happened, newest last.
    #[must_use]
    pub fn events(&self) -> PathBuf {
        self.beside.path().join("events.jsonl")
    }

    /// There while there are alerts nobody has taken (seed 000).
    #[must_use]
    pub fn flag(&self) -> PathBuf {
        self.beside.path().join("alert.flag")
    }

    /// These alerts, a line each (seed 000).
    #[must_use]
    pub fn flag_text(&self) -> PathBuf {
        self.beside.path().join("alert.txt")
    }
}
