//! Ending a run: ask, wait, kill, and look again until nothing is left.

use super::record;
use crate::os::cgroup::Cgroup;
use crate::os::diagnosis;
use crate::os::helper;
use crate::os::process::{self, Stat};
use crate::os::say::say;
use crate::os::tree;
use crate::protocol::outcome::Outcome;
use crate::protocol::result::{EndedBy, Process};
use std::time::{Duration, Instant};

/// Time between two looks at a tree that is ending.
pub const LOOK: Duration = Duration::from_millis(20);
/// So long after KILL, what is left cannot be ended. Shorter than the 2 s a watcher allows.
const UNKILLABLE: Duration = Duration::from_millis(1500);

/// Why a run is being ended.
#[derive(Clone, Debug)]
pub struct Cause {
    /// What will be recorded.
    pub outcome: Outcome,
    /// In one line.
    pub reason: String,
    /// Who asked.
    pub ended_by: Option<EndedBy>,
}

/// How far it has come.
#[derive(Debug)]
enum Phase {
    /// `--on-hang` looks at the tree while it is still there.
    Examining { helper: i32, until: Option<Instant> },
    /// TERM was sent; KILL comes at this time, or never.
    Asked { kill_at: Option<Instant> },
    /// KILL is sent until nothing is left, or this time.
    Killing { give_up: Instant },
}

/// A run that is being ended.
#[derive(Debug)]
pub struct Ending {
    /// `None`: the command has ended by itself, and only what outlived it is swept up.
    pub cause: Option<Cause>,
    /// What was known of the tree before it was ended.
    pub diagnosis: Option<String>,
    grace: Duration,
    phase: Phase,
    /// Looks in a row that found nothing.
    empty_looks: u32,
}

/// The tree as the ending sees it.
pub struct Scene<'a> {
    /// This process.
    pub root: i32,
    /// Who is below this process and not of the tree, with all below them.
    pub spare: Vec<i32>,
    /// The run's cgroup, where there is one.
    pub cgroup: Option<&'a Cgroup>,
    /// The command, until it is reaped: the leader of a process group, except on a terminal.
    pub command: Option<i32>,
    /// The command was reaped.
    pub command_ended: bool,
    /// The kernel says that this process has no child at all, not even a dead one (`ECHILD`).
    pub childless: bool,
}

/// What the looks at the run have found so far.
pub struct Known<'a> {
    /// Why the tree can never go on.
    pub stuck: Option<&'a str>,
    /// The command was given the caller's terminal.
    pub terminal_passed: bool,
    /// The end of its output, safe to print.
    pub last_output: String,
}

impl Scene<'_> {
    fn tree(&self, helper: Option<i32>) -> Vec<Stat> {
        let spare: Vec<i32> = self.spare.iter().copied().chain(helper).collect();
        tree::descendants(self.root, &spare)
    }

    /// Where some process cannot be seen, the command and its group are all that can be reached:
    /// until the command is reaped, both numbers are its own.
    fn signal_unseen(&self, members: &[Stat], signals: &[i32]) {
        let hidden = !process::can_be_seen() || members.iter().any(|stat| stat.start == 0);
        let Some(pid) = self.command.filter(|_| hidden) else { return };
        for signal in signals {
            if let Some(handle) = process::Handle::open(pid) {
                let _ = handle.signal(*signal);
            }
            if nix::unistd::getpgid(Some(nix::unistd::Pid::from_raw(pid)))
                .is_ok_and(|group| group.as_raw() == pid)
            {
                let signal = nix::sys::signal::Signal::try_from(*signal).ok();
                let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(pid), signal);
            }
        }
    }
}

impl Ending {
    /// Begins: with `--on-hang` if there is one, else with TERM.
    #[must_use]
    pub fn begin(
        cause: Option<Cause>,
        on_hang: Option<&str>,
        grace: Duration,
        known: &Known<'_>,
        scene: &Scene<'_>,
        now: Instant,
    ) -> Self {
        let members = scene.tree(None);
        let diagnosis = cause
            .as_ref()
            .filter(|cause| matches!(cause.outcome, Outcome::Hung | Outcome::Timeout))
            .map(|_| {
                diagnosis::of(&members, known.terminal_passed, known.stuck, &known.last_output)
            })
            .filter(|diagnosis| !diagnosis.is_empty());
        let hung = cause.as_ref().is_some_and(|cause| cause.outcome == Outcome::Hung);
        let helper = on_hang.filter(|_| hung).and_then(|command| examine(command, &members));
        let until = now.checked_add(grace);
        let phase = match helper {
            Some(helper) => Phase::Examining { helper, until },
            None => ask(scene, &members, grace, now),
        };
        Self { cause, diagnosis, grace, phase, empty_looks: 0 }
    }

    /// The PID of the `--on-hang` command, which is not of the tree.
    #[must_use]
    pub fn helper(&self) -> Option<i32> {
        match &self.phase {
            Phase::Examining { helper, .. } => Some(*helper),
            _ => None,
        }
    }

    /// The `--on-hang` command has ended (it is reaped with everybody else).
    pub fn examined(&mut self, scene: &Scene<'_>, now: Instant) {
        self.phase = ask(scene, &scene.tree(None), self.grace, now);
    }

    /// Kill at once: the second INT.
    pub fn hurry(&mut self, now: Instant) {
        self.end_helper();
        if !matches!(self.phase, Phase::Killing { .. }) {
            self.phase = Phase::Killing { give_up: now + UNKILLABLE };
        }
    }

    fn end_helper(&self) {
        self.helper().into_iter().for_each(helper::kill);
    }

    /// One step; what could not be ended once the ending is over, `None` while it goes on.
    pub fn step(&mut self, scene: &Scene<'_>, now: Instant) -> Option<Vec<Process>> {
        match &self.phase {
            Phase::Examining { .. } if scene.command_ended => {
                // It finished first, before it was asked to: its own outcome stands.
                self.end_helper();
                self.cause = None;
                self.diagnosis = None;
                Some(scene.tree(self.helper()).iter().map(Process::from).collect())
            }
            Phase::Examining { until, .. } => {
                if until.is_some_and(|until| now >= until) {
                    self.end_helper();
                    self.examined(scene, now);
                }
                None
            }
            Phase::Asked { kill_at } => {
                if kill_at.is_some_and(|at| now >= at) {
                    self.hurry(now);
                    return self.step(scene, now);
                }
                self.is_empty(scene, &scene.tree(None)).then(Vec::new)
            }
            Phase::Killing { give_up } => {
                if let Some(cgroup) = scene.cgroup {
                    cgroup.kill();
                }
                let give_up = *give_up;
                tree::kill_pass(&mut || scene.tree(None));
                let left = scene.tree(None);
                scene.signal_unseen(&left, &[libc::SIGKILL]);
                let over = self.is_empty(scene, &left) || now >= give_up;
                over.then(|| left.iter().map(Process::from).collect())
            }
        }
    }

    /// Whether nothing of the tree is left. One look that finds nothing proves nothing: what is
    /// just being forked, or handed to us by its dying parent, can hide from it. That we have no
    /// child at all is the proof, for all of the tree is below us; where a job of its own lives
    /// on below us, two looks in a row have to do.
    fn is_empty(&mut self, scene: &Scene<'_>, left: &[Stat]) -> bool {
        self.empty_looks = if left.is_empty() { self.empty_looks + 1 } else { 0 };
        scene.command_ended && (scene.childless || self.empty_looks > 1)
    }
}

fn ask(scene: &Scene<'_>, members: &[Stat], grace: Duration, now: Instant) -> Phase {
    tree::terminate(members);
    scene.signal_unseen(members, &[libc::SIGTERM, libc::SIGCONT]);
    Phase::Asked { kill_at: now.checked_add(grace) }
}

/// Starts `--on-hang`, whose output is ours. No signal is blocked in it, as they are in us: what it
/// starts can be ended.
fn examine(command: &str, members: &[Stat]) -> Option<i32> {
    let mut environment: Vec<_> = record::inherited().collect();
    environment.push(format!("SENTINEL_PIDS={}", tree::pids(members)).into());
    helper::start(command, environment, [None, None], None)
        .inspect_err(|error| say(format!("sentinel-run: cannot run --on-hang: {error}")))
        .ok()
}

/// Who sent a signal, as far as can still be told.
#[must_use]
pub fn sender(pid: i32, uid: u32) -> EndedBy {
    EndedBy { pid, uid, comm: process::stat(pid).map(|stat| stat.comm) }
}
