//! A process under its lock: whoever holds this, and nobody else, acts on it.

use super::KeepError;
use super::alerts::Settings;
use super::home::Home;
use super::ledger::{Held, hold};
use crate::decide::restart::Policy;
use crate::protocol::ledger::Ledger;
use crate::protocol::name::JobName;
use crate::protocol::registry::{GRACE, Process};
use std::time::Duration;

/// A process under its lock.
pub struct Case<'a> {
    /// Where.
    pub home: &'a Home,
    /// Which.
    pub name: &'a JobName,
    /// How it is to be kept.
    pub process: &'a Process,
    /// How alerts reach people.
    pub settings: &'a Settings,
    /// The right to act.
    pub held: Held<'a>,
    /// What is remembered.
    pub ledger: Ledger,
    /// Whether anything is: nobody said of what has no ledger that it is to be stopped.
    pub known: bool,
    /// What kept the last start from coming to anything.
    pub refused: Option<String>,
}

impl<'a> Case<'a> {
    /// Takes the lock, and reads what is remembered.
    ///
    /// # Errors
    /// If somebody else acts on it for longer than `patience`, or a file is refused.
    pub fn open(
        home: &'a Home,
        (name, process): (&'a JobName, &'a Process),
        settings: &'a Settings,
        patience: Duration,
    ) -> Result<Self, KeepError> {
        let held = hold(home, name, patience)?;
        let (known, ledger) = (held.is_known(), held.read()?);
        Ok(Self { home, name, process, settings, held, ledger, known, refused: None })
    }

    /// Writes the ledger.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self) -> Result<(), KeepError> {
        self.held.write(&self.ledger)
    }

    /// Time between TERM and KILL.
    #[must_use]
    pub fn grace(&self) -> Duration {
        self.process.grace.unwrap_or(GRACE).into()
    }

    /// How it is restarted.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            auto_restart: self.process.auto_restart,
            completes: self.process.completes,
            duration: self.process.duration(),
            max_restarts: self.process.max_restarts,
            cooldown: self.process.restart_cooldown.into(),
            backoff: self.process.backoff,
        }
    }
}
