//! Other processes: who they are, what they did, and a handle that cannot go astray.
//!
//! A PID alone is an address that may have a new tenant. An identity is PID and start time; a
//! signal goes through a [`Handle`] opened first and checked afterwards, so that it reaches the
//! process that was checked or nobody.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod portable;

#[cfg(target_os = "linux")]
pub use linux::*;
#[cfg(not(target_os = "linux"))]
pub use portable::*;

use crate::protocol::result::Process;
use std::collections::HashMap;

/// A process as it was at one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its PID.
    pub pid: i32,
    /// Its name in the kernel, at most 15 bytes.
    pub comm: String,
    /// `R`, `S`, `D`, `T`, `Z`, … as in `ps`.
    pub state: char,
    /// Its parent.
    pub ppid: i32,
    /// Its process group.
    pub pgrp: i32,
    /// Its session.
    pub session: i32,
    /// How many threads it has.
    pub threads: i64,
    /// CPU time of its own and of the children it waited for, ticks.
    pub cpu_ticks: u64,
    /// Of these, of the children it waited for.
    pub waited_ticks: u64,
    /// Start time, ticks of the machine's boot clock.
    pub start: u64,
}

impl Stat {
    /// Whether it still runs: a zombie is dead, unless only its main thread has ended.
    #[must_use]
    pub fn lives(&self) -> bool {
        !matches!(self.state, 'Z' | 'X' | 'x') || self.threads > 1
    }

    /// Whether `other` is the same process, not another one under the same PID.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.pid == other.pid && self.start == other.start
    }
}

impl From<&Stat> for Process {
    fn from(stat: &Stat) -> Self {
        Self { pid: stat.pid, comm: stat.comm.clone() }
    }
}

/// Sends `signal` to exactly this process. Gone already, or not ours to signal: nothing happens.
pub fn signal(target: &Stat, signal: i32) {
    // 1. Pin whoever has the PID now.  2. See that it is the one meant.  3. Signal the pinned one.
    // Between 1 and 3 it may die, never change.
    let Some(handle) = Handle::open(target.pid) else { return };
    if stat(target.pid).is_some_and(|now| now.is(target) && now.lives()) {
        let _ = handle.signal(signal);
    }
}

/// Whether anybody has this PID, be it a zombie.
#[must_use]
pub fn exists(pid: i32) -> bool {
    let pid = rustix::process::Pid::from_raw(pid.max(0));
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// The live process with this PID and start time.
#[must_use]
pub fn find(pid: i32, start: u64) -> Option<Stat> {
    stat(pid).filter(|stat| stat.start == start && stat.lives())
}

/// The children of everybody, by parent.
#[must_use]
pub fn by_parent() -> HashMap<i32, Vec<i32>> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for stat in all().into_iter().filter_map(stat) {
        children.entry(stat.ppid).or_default().push(stat.pid);
    }
    children
}

/// This process and all its ancestors, which nothing here may ever signal.
#[must_use]
pub fn own_line() -> Vec<i32> {
    let mut line = vec![std::process::id().cast_signed()];
    while let Some(parent) = line.last().and_then(|pid| stat(*pid)).map(|stat| stat.ppid) {
        if parent <= 0 || line.contains(&parent) {
            break;
        }
        line.push(parent);
    }
    line
}
