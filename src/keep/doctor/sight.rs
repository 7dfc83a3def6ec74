//! How much of other processes can be seen: their liveness, their tree, what they wait for.

use super::{Finding, LIMIT};
use crate::os::ask::plain;
use crate::os::{patience, process};
use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What decides it.
#[derive(Clone, Debug)]
struct Facts {
    /// `/proc` is there, and of this PID namespace.
    seen: bool,
    /// The first process can be seen, which is root's.
    others: bool,
    /// What a child waits for can be read, or why not; `None`: there was no child to try it with.
    waits: Option<Result<(), String>>,
    /// `kernel.yama.ptrace_scope`
    scope: Option<u8>,
}

fn decide(facts: &Facts) -> Vec<Finding> {
    if !facts.seen {
        return vec![Finding::bad(
            "proc",
            "/proc is not there, or shows another PID namespace: nothing is known of any process",
            "mount it: `mount -t proc proc /proc` in this namespace (unshare --mount-proc)",
        )];
    }
    let proc = if facts.others {
        Finding::good("proc", "other processes can be seen")
    } else {
        Finding::bad(
            "proc",
            "other users' processes are hidden (hidepid): of a process that becomes another user nothing is known",
            "mount /proc with gid= a group of yours, or without hidepid",
        )
    };
    vec![proc, waits_line(facts)]
}

fn waits_line(facts: &Facts) -> Finding {
    let check = "waits";
    let why = match &facts.waits {
        Some(Err(why)) => why,
        Some(Ok(())) => {
            let says = "what a process waits for can be read: one that is stuck is found";
            return Finding::good(check, says);
        }
        None => {
            let todo = "see whether /bin/sh works, and the line on processes";
            return Finding::unknown(check, "no child could be started to try it", todo);
        }
    };
    let says = format!(
        "what a process waits for cannot be read ({why}): only silence tells that it hangs"
    );
    match facts.scope {
        Some(scope @ 2..) => Finding::bad(
            check,
            format!("{says}; kernel.yama.ptrace_scope is {scope}"),
            "sysctl kernel.yama.ptrace_scope=1 (as root; 3 lasts until the next boot), and --progress-timeout for each process",
        ),
        _ => Finding::bad(
            check,
            says,
            "allow ptrace in this container or sandbox, and give --progress-timeout to each process",
        ),
    }
}

/// Starts a child that waits, and reads for what. `Err`: why it cannot, in words.
fn try_waits() -> Option<Result<(), String>> {
    let mut child = Command::new("/bin/sh")
        .args(["-c", "read -r line"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let path = format!("/proc/{}/syscall", child.id());
    let mut read: io::Result<String> = Ok(String::new());
    // As long as it comes up, it runs and waits for nothing.
    patience::within(LIMIT, || {
        read = std::fs::read_to_string(&path);
        read.as_ref().map_or(true, |text| !text.starts_with("running"))
    });
    drop(child.stdin.take());
    let _ = patience::wait(&mut child, Duration::from_secs(1));
    Some(read.map(drop).map_err(|error| plain(&error)))
}

/// How much can be seen?
pub fn examine() -> Vec<Finding> {
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    let seen = process::can_be_seen();
    // Where there is no /proc by nature, nothing is read from it.
    if cfg!(not(target_os = "linux")) {
        return vec![Finding::good("proc", "other processes can be seen")];
    }
    decide(&Facts {
        seen,
        others: process::stat(1).is_some(),
        waits: if seen { try_waits() } else { None },
        scope: scope.ok().and_then(|text| text.trim().parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_seen() {
        let denied = || Some(Err("Permission denied".to_owned()));
        for (seen, others, waits, scope, good, word) in [
            (true, true, Some(Ok(())), Some(1), vec![true, true], "can be read"),
            (true, true, Some(Ok(())), None, vec![true, true], "can be read"),
            (true, true, denied(), Some(2), vec![true, false], "ptrace_scope is 2"),
            (true, true, denied(), Some(1), vec![true, false], "sandbox"),
            (true, false, Some(Ok(())), Some(0), vec![false, true], "hidepid"),
            (true, true, None, None, vec![true, false], "no child"),
            (false, false, denied(), None, vec![false], "--mount-proc"),
        ] {
            let found = decide(&Facts { seen, others, waits, scope });
            assert_eq!(found.iter().map(|f| f.good == Some(true)).collect::<Vec<_>>(), good);
            let all = format!("{found:?}");
            assert!(all.contains(word), "{all}");
        }
    }
}
