//! The command and all its descendants, and how every one of them is signalled.

use super::dir::read_all;
use super::process::{self, Stat};
use std::collections::{HashMap, HashSet};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The name under which a wrapper shows itself, so that one inside another's tree is found.
pub const WRAPPER: &str = "sentinel-run";

/// All live descendants of `root`, itself excluded, parents before children.
///
/// Left out with all below them: those in `spare`, the process groups they lead (what one of them
/// leaves behind is ours to end), and other jobs, which are wrappers that hold
/// their own lock. As a child subreaper the wrapper inherits every orphan, so processes that left
/// the group, the session or their parent are still found below it.
#[must_use]
pub fn descendants(root: i32, spare: &[i32]) -> Vec<Stat> {
    process::stat(root).map(|root| below(&root, spare)).unwrap_or_default()
}

/// So many threads are asked for their children.
const MANY_THREADS: i64 = 64;

/// The children of one process after the other. They are listed by thread; from some number of
/// threads on it is cheaper to ask everybody once for its parent.
#[derive(Debug, Default)]
pub struct Children {
    asked: i64,
    everybody: Option<HashMap<i32, Vec<i32>>>,
}

impl Children {
    /// Those of this process.
    pub fn of(&mut self, parent: &Stat) -> Vec<i32> {
        self.asked += parent.threads;
        if self.asked <= MANY_THREADS {
            return process::children(parent);
        }
        let everybody = self.everybody.get_or_insert_with(process::by_parent);
        everybody.get(&parent.pid).cloned().unwrap_or_default()
    }
}

/// [`descendants`] of a process that was seen before; none if it is not that one any more.
#[must_use]
pub fn below(root: &Stat, spare: &[i32]) -> Vec<Stat> {
    let mut found = with_the_dead(root, spare);
    found.retain(Stat::lives);
    found
}

/// The same with those that have ended, and that nobody has waited for yet.
#[must_use]
pub fn with_the_dead(root: &Stat, spare: &[i32]) -> Vec<Stat> {
    let mut found: Vec<Stat> = Vec::new();
    let mut known: HashSet<i32> = spare.iter().copied().collect();
    let root = process::stat(root.pid).filter(|stat| stat.is(root));
    let mut parents: Vec<Stat> = root.into_iter().collect();
    let mut children = Children::default();
    while let Some(parent) = parents.pop() {
        for pid in children.of(&parent) {
            if !known.insert(pid) {
                continue;
            }
            let child = process::stat(pid).or_else(|| unseen(pid, &parent));
            // The PID was read a moment ago: it counts only while its parent is who we think.
            let child = child.filter(|stat| stat.ppid == parent.pid);
            let child = child.filter(|stat| !spare.contains(&stat.pgrp) && !is_other_job(stat));
            let Some(stat) = child else { continue };
            found.push(stat.clone());
            parents.push(stat);
        }
    }
    found
}

/// A child that is there and may not be seen (`hidepid`, and another user's): nobody can signal it by
/// mistake, for no identity is known of it.
fn unseen(pid: i32, parent: &Stat) -> Option<Stat> {
    process::exists(pid).then(|| Stat {
        pid,
        comm: "?".to_owned(),
        state: '?',
        ppid: parent.pid,
        pgrp: 0,
        session: 0,
        threads: 1,
        cpu_ticks: 0,
        waited_ticks: 0,
        start: 0,
    })
}

/// Whether this is a wrapper that holds the lock of a job of its own.
#[must_use]
pub fn is_other_job(stat: &Stat) -> bool {
    lock_of(stat).is_some()
}

/// The `.pid` file of the job whose wrapper this is.
///
/// The name alone proves nothing: the lock must be held through a `.pid` file that names it.
#[must_use]
pub fn lock_of(stat: &Stat) -> Option<PathBuf> {
    if stat.comm != WRAPPER {
        return None;
    }
    let names_it = |text: &[u8]| {
        // Empty while it starts.
        text.is_empty() || text.trim_ascii() == stat.pid.to_string().as_bytes()
    };
    process::open_files(stat.pid, |path| path.extension().is_some_and(|e| e == "pid"))
        .into_iter()
        .filter(|file| file.locks)
        .find(|file| read_plain(&file.path).is_some_and(|text| names_it(&text)))
        .map(|file| file.path)
}

/// The head of a regular file at a path that somebody else chose; opening anything else must not
/// hang.
fn read_plain(path: &Path) -> Option<Vec<u8>> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let plain = file.metadata().is_ok_and(|meta| meta.is_file());
    plain.then(|| read_all(file, 64).ok())?
}

/// Their PIDs, separated by blanks. The first ten thousand: a text that is longer than the kernel
/// allows would keep whoever is given it from being executed.
#[must_use]
pub fn pids(members: &[Stat]) -> String {
    let pids: Vec<String> = members.iter().take(10_000).map(|stat| stat.pid.to_string()).collect();
    pids.join(" ")
}

/// Signals every one of them that is still there.
pub fn signal_all(members: &[Stat], signal: i32) {
    for member in members {
        process::signal(member, signal);
    }
}

/// Asks them to end: TERM, then CONT, so that a stopped one can.
pub fn terminate(members: &[Stat]) {
    signal_all(members, libc::SIGTERM);
    signal_all(members, libc::SIGCONT);
}

/// Passes of a kill before what grows faster than it dies is stopped first.
const PATIENCE: usize = 3;

/// Kills what `find` finds, and looks again at once while it finds somebody new.
///
/// A chain that forks and exits is outrun by looking again at once. What multiplies is stopped
/// until a look finds nobody new (the stopped do not fork), and killed then.
pub fn kill_pass(find: &mut dyn FnMut() -> Vec<Stat>) {
    let mut seen: HashSet<(i32, u64)> = HashSet::new();
    for pass in 0..1000 {
        let members = find();
        let news = members.iter().filter(|m| seen.insert((m.pid, m.start))).count();
        let grows = news > 0 && pass >= PATIENCE && pass % 8 != 0;
        signal_all(&members, if grows { libc::SIGSTOP } else { libc::SIGKILL });
        if news == 0 {
            return;
        }
    }
}
