//! What is left of a run whose files tell nothing any more: somebody deleted them, or its wrapper
//! has recorded the end and does not go.

use super::home::Home;
use crate::os::clock::{self, pause};
use crate::os::orphans::{self, Marks};
use crate::os::process::{self, Handle};
use crate::protocol::files::JobFiles;
use crate::protocol::heartbeat::Heartbeat;
use crate::protocol::ledger::{Ledger, Wrapper};
use crate::protocol::name::JobName;
use std::time::{Duration, Instant};

/// Time between two looks at a wrapper that is to go.
const LOOK: Duration = Duration::from_millis(2);
/// A wrapper that has just recorded needs this to be gone.
const GOING: Duration = Duration::from_millis(250);
/// What it needs after its grace to kill, to record and to go.
const RECORDING: Duration = Duration::from_secs(3);

/// By what the wrapper of this run is found again.
#[must_use]
pub fn of(record: &Heartbeat) -> Wrapper {
    Wrapper {
        pid: record.pid,
        start: record.pid_start,
        boot_id: record.boot_id.clone(),
        pid_ns: record.pid_ns,
    }
}

/// Whether the wrapper of the run that was last seen still lives.
#[must_use]
pub fn lives(ledger: &Ledger) -> bool {
    ledger.wrapper.as_ref().is_some_and(|wrapper| {
        is_here(wrapper) && process::find(wrapper.pid, wrapper.start).is_some()
    })
}

/// Whether the wrapper of the run that was last seen is there to stay: one that has just recorded
/// needs a moment to be gone.
#[must_use]
pub fn stays(ledger: &Ledger) -> bool {
    lives(ledger) && ledger.wrapper.as_ref().is_some_and(|wrapper| !is_gone_within(wrapper, GOING))
}

fn is_here(wrapper: &Wrapper) -> bool {
    wrapper.boot_id == clock::boot_id() && wrapper.pid_ns == clock::pid_namespace()
}

/// Ends the wrapper that was last seen, with its tree, and what lives on of its run without it;
/// whether nothing is left.
#[must_use]
pub fn end(home: &Home, name: &JobName, ledger: &Ledger, grace: Duration) -> bool {
    let Some(wrapper) = ledger.wrapper.as_ref().filter(|wrapper| is_here(wrapper)) else {
        return true; // nobody of it can be seen from here
    };
    // Pinned first, then examined, so that it is the one examined.
    let handle = Handle::open(wrapper.pid);
    let gone = |patience| is_gone_within(wrapper, patience);
    if let Some(handle) = handle.filter(|_| !gone(Duration::ZERO)) {
        let _ = handle.signal(libc::SIGTERM);
        let _ = handle.signal(libc::SIGCONT);
        if !gone(grace.saturating_add(RECORDING)) {
            let _ = handle.signal(libc::SIGKILL);
            let _ = gone(RECORDING);
        }
    }
    let jobs = home.jobs();
    let log = JobFiles::new(&jobs, name).log();
    let log = std::fs::canonicalize(&log).unwrap_or(log);
    let marks = Marks {
        run_id: ledger.run_id.as_deref(),
        session: None,
        log: &log,
        users: home.beside().users(),
        not_before: wrapper.start,
        must_name: None,
    };
    let left = orphans::end(&mut || orphans::find(&marks), grace);
    left.is_empty() && gone(Duration::ZERO)
}

fn is_gone_within(wrapper: &Wrapper, patience: Duration) -> bool {
    let until = Instant::now().checked_add(patience);
    while process::find(wrapper.pid, wrapper.start).is_some() {
        if until.is_some_and(|until| Instant::now() >= until) {
            return false;
        }
        pause(LOOK);
    }
    true
}
