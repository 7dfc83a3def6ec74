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
        let up = ledger::read(home, name)?.phase == Phase::Up && look::is_held(home, name);
        let record = look::heartbeat(home, name).filter(|_| up);
        let Some(record) = record.filter(|record| record.child_pid.is_some()) else {
            return Ok(Some(format!("waits for {name} to run")));
        };
        // With a probe the first evidence is that it answered.
        if other.has_health() && (record.evidence.is_none() || record.trouble.is_some()) {
            return Ok(Some(format!("waits for {name} to be healthy")));
        }
    }
    Ok(None)
}
