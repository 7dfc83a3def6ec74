//! What happens at a host, and what it is answered: the same for all hosts.

use std::path::PathBuf;

/// What a host tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The host's own name for it.
    pub name: String,
    /// The session; empty if the host does not say.
    pub session: String,
    /// Where the agent is.
    pub cwd: PathBuf,
    /// The directory of the project.
    pub project: PathBuf,
    /// What happens.
    pub what: What,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A session begins, or is resumed.
    SessionStart,
    /// Somebody has said something to the agent.
    Prompt,
    /// A shell command is about to run.
    Before {
        /// The command line.
        command: String,
        /// The host itself is to run it in the background.
        background: bool,
    },
    /// A shell command has run, or goes on without the agent.
    After {
        /// The command line.
        command: String,
        /// What it printed.
        output: String,
    },
    /// The agent is about to end its turn.
    TurnEnd {
        /// It was already kept from it by a hook.
        again: bool,
    },
    /// Something else: of no concern here.
    Other,
}

/// What the host is to do, or to pass on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: it goes on as if nobody had been asked.
    Nothing,
    /// The command does not run; the agent reads why.
    Deny(String),
    /// The user is asked.
    Ask(String),
    /// The command runs; the agent, or where that cannot be the user, reads this.
    Warn(String),
    /// The agent reads this.
    Tell(String),
    /// The turn does not end yet; the agent reads why.
    GoOn(String),
    /// The user reads this.
    Notice(String),
}
