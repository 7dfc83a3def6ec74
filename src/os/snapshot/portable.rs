//! Where there is no `/proc`, nobody tells what a thread waits for.

use super::Depth;
use crate::decide::stuck::{At, Member, Process, Snapshot, Thread};
use crate::os::process::Stat;

/// The tree, of which each process is hidden: never stuck.
#[must_use]
pub fn take(
    tree: &[Stat],
    terminal_passed: bool,
    _depth: Depth,
    _before: Option<&Snapshot>,
) -> Snapshot {
    let member = |stat: &Stat| Member { pid: stat.pid, ppid: stat.ppid, name: stat.comm.clone() };
    let process = |stat: &Stat| Process {
        pid: stat.pid,
        name: stat.comm.clone(),
        program: String::new(),
        threads: vec![Thread {
            tid: stat.pid,
            name: stat.comm.clone(),
            state: stat.state,
            at: At::Hidden("this system does not tell what it waits for".to_owned()),
            on: Vec::new(),
        }],
        other_jobs: Vec::new(),
        interrupts: None,
    };
    Snapshot {
        members: tree.iter().map(member).collect(),
        processes: tree.iter().take(1).map(process).collect(),
        holders: None,
        terminal_passed,
    }
}

/// Unknown.
#[must_use]
pub fn peers(_pid: i32) -> Vec<String> {
    Vec::new()
}
