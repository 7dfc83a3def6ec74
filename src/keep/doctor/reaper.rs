//! Whether somebody takes in what outlives its parent, and buries it when it has ended.

use super::{Finding, LIMIT};
use crate::os::orphan::Orphan;
use std::time::Duration;

/// Some first processes reap in rounds: every two seconds was seen.
pub const ROUND: Duration = Duration::from_secs(4);

/// What was seen of an orphan.
#[derive(Clone, Debug)]
struct Facts {
    /// Who took it in: PID and name.
    parent: Option<(i32, String)>,
    /// Our own PID.
    me: i32,
    /// It was gone soon after its end.
    gone: bool,
}

fn decide(facts: &Facts) -> Finding {
    let check = "reaper";
    let who = match &facts.parent {
        Some((pid, name)) => format!("PID {pid} ({name})"),
        None => "somebody who cannot be seen".to_owned(),
    };
    match &facts.parent {
        _ if facts.gone => Finding::good(check, format!("{who} takes orphans in, and reaps them")),
        Some((pid, _)) if *pid == facts.me => Finding::unknown(
            check,
            "orphans come to this very program: what runs in its place has to reap them",
            "start the container with an init (`--init`, tini), or with sentinel-run as its first process",
        ),
        _ => Finding::bad(
            check,
            format!("{who} takes orphans in and does not reap them: the dead stay as zombies"),
            "start the container with an init (`--init`, tini), or with sentinel-run as its first process",
        ),
    }
}

/// Will the dead be buried? Tried with an orphan.
pub fn examine() -> Vec<Finding> {
    let me = std::process::id().cast_signed();
    let finding = match Orphan::make(LIMIT) {
        Err(error) => Finding::unknown(
            "reaper",
            format!("no orphan could be made to try it: {error}"),
            "see whether /bin/sh works, and whether there is room for another process",
        ),
        Ok(orphan) => {
            let (pid, parent) = (orphan.pid, orphan.parent().map(|stat| (stat.pid, stat.comm)));
            let gone = orphan.end(ROUND);
            if parent.as_ref().is_some_and(|(pid, _)| *pid == me) {
                bury(pid);
            }
            decide(&Facts { parent, me, gone })
        }
    };
    vec![finding]
}

/// Reaps what has come to us.
fn bury(pid: i32) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::NOHANG);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_orphan_tells() {
        let parent = |pid: i32| Some((pid, "init".to_owned()));
        for (parent, gone, good) in [
            (parent(1), true, Some(true)),
            (None, true, Some(true)),
            (parent(1), false, Some(false)),
            (None, false, Some(false)),
            (parent(7), false, None),
        ] {
            let facts = Facts { parent, me: 7, gone };
            assert_eq!(decide(&facts).good, good, "{facts:?}");
        }
    }
}
