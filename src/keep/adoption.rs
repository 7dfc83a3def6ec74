//! Adopted processes as they are kept: a stand-in runs as the job in the place of their command.

use super::attend::{self, Config};
use super::launch::{self, Launch, Refused};
use crate::os::usage::{Usage, of_tree};
use crate::os::{clock, process};
use crate::protocol::ledger::Adopted;
use crate::protocol::registry::{GRACE, Process};
use std::ffi::OsString;
use std::time::Duration;

/// Whether the adopted process still runs.
#[must_use]
pub fn lives(adopted: &Adopted) -> bool {
    adopted.boot_id == clock::boot_id() && process::find(adopted.pid, adopted.start).is_some()
}

/// What the adopted tree uses. Its CPU is that of its whole life, also from before it was adopted.
#[must_use]
pub fn usage(adopted: &Adopted) -> Option<Usage> {
    of_tree(adopted.pid, adopted.start).filter(|_| adopted.boot_id == clock::boot_id())
}

/// Starts the stand-in.
///
/// # Errors
/// If it does not run.
pub fn start(launch: &Launch<'_>, adopted: &Adopted) -> Result<(), Refused> {
    let given = launch.process;
    let stand_in = Process {
        // A stand-in is always awake. What the adopted tree deserves it says by itself, unless
        // somebody else is asked.
        beat_on: Some(
            match (
                given.progress_cmd.is_some() || given.progress_file.is_some(),
                given.has_health(),
            ) {
                (true, true) => "progress,health".to_owned(),
                (true, false) => "progress".to_owned(),
                (false, true) => "health".to_owned(),
                (false, false) => "app".to_owned(),
            },
        ),
        tmux: false,
        // The wrapper sees its stand-in alone, and would measure that.
        max_memory: None,
        max_cpu: None,
        ..given.clone()
    };
    let refused = |why: String| Refused { why, recorded: false };
    let own = launch::program("sentinel-keep");
    let config = Config {
        pid: adopted.pid,
        start: adopted.start,
        interval: given.rhythm().map_err(refused)?.interval,
        grace: grace(given),
        kill_survivors: true,
    };
    let words = config.arguments().into_iter().map(OsString::from);
    let argv: Vec<OsString> = std::iter::once(own.into()).chain(words).collect();
    Launch { process: &stand_in, ..launch.clone() }.start_as(&argv)
}

/// Ends an adopted tree whose stand-in could not.
pub fn end(adopted: &Adopted, process: &Process) {
    if adopted.boot_id == clock::boot_id() {
        let _ = attend::end(adopted.pid, adopted.start, grace(process));
    }
}

fn grace(process: &Process) -> Duration {
    process.grace.unwrap_or(GRACE).into()
}
