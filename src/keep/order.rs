//! What comes after what: `--after`.

use super::home::Home;
use super::{KeepError, ledger, look};
use crate::protocol::ledger::Phase;
use crate::protocol::registry::{Process, Registry};

/// Which of those that a process comes after is not there yet, in words: it has to run, and to be
/// healthy if it has a probe.
///
/// # Errors
/// If a ledger cannot be read.
pub fn waits_for(
    home: &Home,
    registry: &Registry,
    process: &Process,
) -> Result<Option<String>, KeepError> {
    for name in &process.after {
        let Ok(Some(other)) = registry.get(name) else {
            return Ok(Some(format!("waits for {name}, which is not registered")));
        };
        let phase = ledger::read(home, name)?.phase;
        let up = phase == Phase::Up && look::is_held(home, name);
        let record = look::heartbeat(home, name).filter(|_| up);
        let Some(record) = record.filter(|record| record.child_pid.is_some()) else {
            return Ok(Some(format!("waits for {name} to run{}", but(&phase))));
        };
        // What a run begins with is no answer of a probe.
        let asked = record.evidence.is_some_and(|evidence| evidence.kind != "started");
        if other.has_health() && (!asked || record.trouble.is_some()) {
            return Ok(Some(format!("waits for {name} to be healthy")));
        }
    }
    Ok(None)
}

/// Why nothing brings it up.
fn but(phase: &Phase) -> &'static str {
    match phase {
        Phase::Up | Phase::Due { .. } => "",
        Phase::Stopped => ", which is stopped",
        Phase::Completed => ", which has completed",
        Phase::Failed => ", which has failed",
        Phase::GivenUp { .. } => ", which was given up",
    }
}

/// Whether all that a process comes after is meant to run: else it is useless to wait for it.
#[must_use]
pub fn is_promised(home: &Home, process: &Process) -> bool {
    let wanted = |name| ledger::read(home, name).is_ok_and(|ledger| ledger.phase.wants_to_run());
    process.after.iter().all(wanted)
}
