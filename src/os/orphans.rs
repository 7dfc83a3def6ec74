//! What a dead wrapper left behind: searched for, never proved complete.
//!
//! While the wrapper lives, its tree is below it. After its death the tree is scattered, and three
//! marks are left: the run id in the environment, the session of the command, and a descriptor
//! that writes to the log.

use super::clock::pause;
use super::diagnosis;
use super::process::{self, Stat};
use super::tree;
use crate::protocol::name::JobName;
use crate::protocol::result::Process;
use std::path::Path;
use std::time::{Duration, Instant};

/// What is known of a run whose wrapper is gone.
#[derive(Debug)]
pub struct Marks<'a> {
    /// `SENTINEL_RUN_ID` of the command, if the writer set one.
    pub run_id: Option<&'a str>,
    /// The command: leader of its session, whose number is not given away while a member lives.
    pub session: Option<i32>,
    /// The log, which the tree holds open for writing.
    pub log: &'a Path,
    /// The users it may belong to.
    pub users: [u32; 2],
    /// Nothing older than this can be of the run, ticks of the machine's boot clock.
    pub not_before: u64,
    /// The session's number comes from a file that anybody's program wrote: it counts only for who
    /// also names this job in its command line.
    pub must_name: Option<&'a JobName>,
}

/// Whether a command line names the job: as a whole word of some argument.
#[must_use]
pub fn names_job(pid: i32, name: &JobName) -> bool {
    let part = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    let named = |word: &str| {
        word.strip_prefix(name.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    process::command_line(pid).iter().any(|arg| arg.split(part).any(named))
}

/// Whether an argument of a command line is this directory, as seen from where the process is.
fn names_directory(pid: i32, dir: &Path) -> bool {
    let Some(from) = process::working_directory(pid) else { return false };
    let is_it = |arg: &String| std::fs::canonicalize(from.join(arg)).is_ok_and(|path| path == dir);
    process::command_line(pid).iter().any(is_it)
}

/// All live processes with one of the marks, and their descendants.
///
/// Never PID 1, ourselves or an ancestor of ours, another user's process, one older than the run,
/// or another job and what is below it.
#[must_use]
pub fn find(marks: &Marks<'_>) -> Vec<Stat> {
    let own = process::own_line();
    let setting = marks.run_id.map(|id| format!("SENTINEL_RUN_ID={id}"));
    let is_candidate = |stat: &Stat| {
        stat.pid != 1
            && !own.contains(&stat.pid)
            && stat.lives()
            && stat.start >= marks.not_before
            && process::uid(stat.pid).is_some_and(|uid| marks.users.contains(&uid))
            && !tree::is_other_job(stat)
    };
    let candidates: Vec<Stat> =
        process::all().into_iter().filter_map(process::stat).filter(is_candidate).collect();
    let is_marked = |stat: &&Stat| {
        let pid = stat.pid;
        setting.as_ref().is_some_and(|setting| process::has_in_environment(pid, setting))
            || marks.session.is_some_and(|session| {
                (stat.session == session || stat.pgrp == session)
                    && marks.must_name.is_none_or(|name| names_job(pid, name))
            })
            || process::open_files(pid, |path| path == marks.log).iter().any(|file| file.writes)
    };
    let mut found: Vec<Stat> = candidates.iter().filter(is_marked).cloned().collect();
    if let Some(name) = marks.must_name {
        // The touch loop of seed 002's template: an orphan in the group of the work, with the
        // wrapper's own command line, which names the job and this very directory.
        let groups: Vec<i32> = found.iter().map(|stat| stat.pgrp).collect();
        let beside = |stat: &&Stat| {
            groups.contains(&stat.pgrp)
                && process::stat(stat.ppid).is_none_or(|parent| parent.pgrp != stat.pgrp)
                && names_job(stat.pid, name)
                && marks.log.parent().is_some_and(|dir| names_directory(stat.pid, dir))
        };
        let more = candidates.iter().filter(beside).filter(|c| !found.iter().any(|f| f.is(c)));
        let more: Vec<Stat> = more.cloned().collect();
        found.extend(more);
    }
    let below: Vec<Stat> = found.iter().flat_map(|stat| tree::below(stat, &own)).collect();
    for stat in below {
        if !found.iter().any(|known| known.is(&stat)) {
            found.push(stat);
        }
    }
    found
}

/// Time between two looks while an ending goes on.
const LOOK: Duration = Duration::from_millis(20);
/// Two looks this far apart must find nothing, for a fork may hide from one.
const APART: Duration = Duration::from_millis(50);
/// So long after KILL, what is left cannot be ended: another user's, or in a device's hands.
const UNKILLABLE: Duration = Duration::from_millis(1500);

/// Ends what `find` finds: TERM and CONT, KILL after the grace, then look again until nothing is
/// left. Returns what could not be ended.
pub fn end(find: &mut dyn FnMut() -> Vec<Stat>, grace: Duration) -> Vec<Process> {
    let until = Instant::now().checked_add(grace);
    tree::terminate(&find());
    while until.is_none_or(|until| Instant::now() < until) && !find().is_empty() {
        pause(LOOK);
    }
    let give_up = Instant::now() + UNKILLABLE;
    loop {
        tree::kill_pass(find);
        let left = find();
        if left.is_empty() {
            pause(APART);
            if find().is_empty() {
                return Vec::new();
            }
        } else if Instant::now() >= give_up {
            return left.iter().map(Process::from).collect();
        } else {
            pause(LOOK);
        }
    }
}

/// Ends what is known and what is found; what they were doing, and what could not be ended.
pub fn end_all(
    mut known: Vec<Stat>,
    found: impl Fn() -> Vec<Stat>,
    grace: Duration,
) -> (Option<String>, Vec<Process>) {
    let mut look = || {
        // Those that ended go first: what is below a PID is the tree's only while the PID is.
        known.retain(|stat| process::find(stat.pid, stat.start).is_some());
        known.extend(found());
        let below: Vec<Stat> = known.iter().flat_map(|stat| tree::below(stat, &[])).collect();
        known.extend(below);
        known.sort_by_key(|stat| (stat.pid, stat.start));
        known.dedup_by(|a, b| a.is(b));
        known.clone()
    };
    let members = look();
    if members.is_empty() {
        return (None, Vec::new());
    }
    (Some(diagnosis::of(&members, false, None, "")), end(&mut look, grace))
}
