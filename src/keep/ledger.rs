//! The ledger on disk, and the lock without which nobody acts on its process.

use super::KeepError;
use super::home::Home;
use super::registry::replace;
use crate::os::clock;
use crate::os::dir::MonitorDir;
use crate::os::lock::{Locked, lock};
use crate::protocol::SCHEMA;
use crate::protocol::ledger::{Ledger, Moment, Phase};
use crate::protocol::name::JobName;
use std::fs::File;
use std::time::{Duration, SystemTime};

/// More than a thousand moments take, and years of alerts that cannot be delivered.
const MOST: u64 = 64 << 20;

/// The right to act on one process, as long as this lives.
#[derive(Debug)]
pub struct Held<'a> {
    home: &'a Home,
    name: &'a JobName,
    lock: Locked,
}

/// Takes the lock of a process.
///
/// # Errors
/// If somebody else held it for all of `patience`, or the file is refused.
pub fn hold<'a>(
    home: &'a Home,
    name: &'a JobName,
    patience: Duration,
) -> Result<Held<'a>, KeepError> {
    let busy = || KeepError::Busy { name: name.to_string(), seconds: patience.as_secs() };
    MonitorDir::create(home.state().path())?; // somebody may have deleted it
    let lock = lock(home.state(), &home.lock(name), patience)?.ok_or_else(busy)?;
    Ok(Held { home, name, lock })
}

/// Reads a ledger, which may change at the next moment. One that is not there says nothing; one that
/// was damaged from outside says that its process should run, which is what it is for.
///
/// # Errors
/// If it cannot be read, or is refused.
pub fn read(home: &Home, name: &JobName) -> Result<Ledger, KeepError> {
    let Some(bytes) = home.state().read(&home.ledger(name), MOST)? else {
        return Ok(Ledger { schema: SCHEMA, ..Ledger::default() });
    };
    let damaged = || Ledger { schema: SCHEMA, phase: Phase::Up, ..Ledger::default() };
    Ok(Ledger::unpack(&bytes).unwrap_or_else(|_| damaged()))
}

impl Held<'_> {
    /// Reads the ledger, which nobody else changes now.
    ///
    /// # Errors
    /// As [`read`].
    pub fn read(&self) -> Result<Ledger, KeepError> {
        read(self.home, self.name)
    }

    /// Whether there is a ledger: somebody has said what is to be done about the process.
    #[must_use]
    pub fn is_known(&self) -> bool {
        std::fs::symlink_metadata(self.home.ledger(self.name)).is_ok()
    }

    /// Replaces the ledger.
    ///
    /// # Errors
    /// If it cannot be written; the old one stays.
    pub fn write(&self, ledger: &Ledger) -> Result<(), KeepError> {
        Ok(replace(self.home.state(), &self.home.ledger(self.name), &ledger.pack())?)
    }

    /// Removes the ledger: nothing is remembered any more.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn remove(&self) -> Result<(), KeepError> {
        Ok(self.home.state().remove(&self.home.ledger(self.name))?)
    }

    /// The locked file. Whoever has a copy of its descriptor holds the lock, too: so a start that
    /// survives us goes on being the only one.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.lock.file
    }
}

/// This moment.
#[must_use]
pub fn now() -> Moment {
    Moment {
        boot_id: clock::boot_id().to_owned(),
        monotonic_ns: u64::try_from(clock::monotonic().as_nanos()).unwrap_or(u64::MAX),
        at: SystemTime::now(),
    }
}
