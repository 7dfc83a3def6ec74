//! A run whose wrapper is gone: its tree is ended as far as it can be found, and its end told by
//! whoever holds the claim now. The next start and every watcher do this in the same way.

use super::dir::{DirError, MonitorDir};
use super::orphans::{self, Marks};
use super::process::Stat;
use super::{claim, notify_socket, process};
use crate::protocol::circuit::CircuitPolicy;
use crate::protocol::files::JobFiles;
use crate::protocol::heartbeat::Heartbeat;
use crate::protocol::outcome::Outcome;
use crate::protocol::result::RunResult;
use std::time::{Duration, SystemTime};

/// More than any result of ours.
const MAX_RESULT: u64 = 1 << 20;

/// What the run came to. The claim must be held, and the wrapper be known to be gone.
///
/// `outcome` and `reason` are what to say if the wrapper itself has said nothing; `known` are
/// processes that were seen below it.
///
/// # Errors
/// If a file of the job is refused.
pub fn settle(
    dir: &MonitorDir,
    files: &JobFiles,
    record: &Heartbeat,
    (outcome, reason): (Outcome, &str),
    known: Vec<Stat>,
    grace: Duration,
) -> Result<RunResult, DirError> {
    // It died between `.result` and `.status`: its own word stands.
    let bytes = dir.read(&files.result(), MAX_RESULT)?.unwrap_or_default();
    if let Some(own) = RunResult::unpack(&bytes).filter(|own| own.run_id == record.run_id) {
        return Ok(own);
    }
    let circuit = record.circuit.clone();
    let circuit = circuit.unwrap_or_else(|| CircuitPolicy::of(files.name().as_str()));
    let now = SystemTime::now();
    let told = RunResult {
        started_at: record.started_at,
        duration_s: now.duration_since(record.started_at).unwrap_or_default().as_secs_f64(),
        log_bytes: record.log_bytes,
        circuit,
        ..RunResult::by_another(files.name(), record.run_id.clone(), outcome, reason.to_owned())
    };
    // Numbers of processes mean something on this boot and in this namespace only.
    if !claim::is_here(record) {
        let reason = format!("{reason}; what is left of its tree, if anything, is there");
        return Ok(RunResult { reason, ..told });
    }
    notify_socket::remove_left(&record.run_id);
    let log = std::fs::canonicalize(files.log()).unwrap_or_else(|_| files.log());
    let marks = Marks {
        run_id: Some(&record.run_id),
        session: session(record),
        log: &log,
        users: dir.users(),
        not_before: record.pid_start,
        must_name: None,
    };
    let (diagnosis, survivors) = orphans::end_all(known, || orphans::find(&marks), grace);
    let reason = format!(
        "{reason}; its tree was searched for by run id, session and log: no proof that nothing is left"
    );
    Ok(RunResult { reason, survivors, diagnosis, ..told })
}

/// The command's session, unless its number has come to mean another process.
fn session(record: &Heartbeat) -> Option<i32> {
    let child = record.child_pid?;
    let start = record.child_start?;
    process::stat(child).is_none_or(|stat| stat.start == start).then_some(child)
}
