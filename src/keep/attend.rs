//! The stand-in for an adopted process: a wrapper can only run a child of its own, so it runs this,
//! which lives as long as the adopted process, is stopped as it is, and ends as it does.
//!
//! ```text
//! sentinel-run NAME ─▶ attend PID START ┄┄ pinned, looked at, signalled ┄┄▶ the adopted tree
//!        ▲                  │ WATCHDOG=1, STATUS=
//!        └──────────────────┘
//! ```
//!
//! The adopted tree deserves the beats, not the stand-in: it reports one only where the tree did
//! something, or something outside can still wake it. The wrapper is run with `--beat-on app`.

use super::adopt::{self, ATTEND, AdoptError};
use crate::decide::stuck::{AGAIN, Rank, Waiting};
use crate::os::activity::Activity;
use crate::os::notify_socket::Manager;
use crate::os::process::{self, Handle, Stat};
use crate::os::say::{print, say};
use crate::os::signals::{self, Signals};
use crate::os::snapshot::{self, Depth};
use crate::os::{clock, orphans, status, tree};
use crate::protocol::clip;
use crate::protocol::result::Process;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// What is attended, and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// The adopted process.
    pub pid: i32,
    /// Its start, as in [`Stat::start`].
    pub start: u64,
    /// Time between two looks at its tree.
    pub interval: Duration,
    /// The grace of the wrapper: what is being stopped has to have ended before that is over.
    pub grace: Duration,
    /// End who of its tree outlives it.
    pub kill_survivors: bool,
}

impl Config {
    /// The command that the wrapper runs, but for the program, which is `sentinel-keep`.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let duration = |duration: Duration| format!("{}s", duration.as_secs_f64());
        let mut all: Vec<String> =
            vec![ATTEND.into(), self.pid.to_string(), self.start.to_string()];
        all.extend(["--interval".into(), duration(self.interval)]);
        all.extend(["--grace".into(), duration(self.grace)]);
        all.extend(self.kill_survivors.then(|| "--kill-survivors".into()));
        all
    }
}

/// How an adopted process ended, as it is left in `$SENTINEL_RESULT` and found in the run's result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptedEnd {
    /// Its PID.
    pub adopted: i32,
    /// Its exit code, if it is known to have exited.
    pub exit_code: Option<i32>,
    /// The signal it is known to have died of, by name.
    pub signal: Option<String>,
    /// Whether the kernel told how it ended.
    pub known: bool,
    /// Who of its tree outlived it.
    #[serde(default)]
    pub left_behind: Vec<Process>,
}

/// How the stand-in has to end itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With this exit code.
    Code(u8),
    /// By this signal ([`signals::die_of`]).
    Signal(i32),
}

/// The exit code where it is not known how the adopted process ended: not known to be a success.
const UNKNOWN: u8 = 1;

/// What keeps it from attending.
#[derive(Debug, thiserror::Error)]
pub enum AttendError {
    /// The process may not be adopted.
    #[error(transparent)]
    Adopt(#[from] AdoptError),
    /// The system refused something.
    #[error("cannot catch signals: {0}")]
    Signals(io::Error),
}

/// Attends an adopted process to its end.
///
/// # Errors
/// What kept it from that. That the process has ended meanwhile is an end of it, and no error.
pub fn attend(config: &Config) -> Result<Ended, AttendError> {
    signals::put_right();
    let signals = Signals::catch().map_err(AttendError::Signals)?;
    let pinned = adopt::pin(config.pid).and_then(|(handle, root)| {
        let same = root.start == config.start;
        same.then_some((handle, root)).ok_or(AdoptError::Replaced(config.pid))
    });
    let (handle, root) = match pinned {
        Ok(pinned) => pinned,
        Err(
            gone @ (AdoptError::NoProcess(_) | AdoptError::Replaced(_) | AdoptError::Ended { .. }),
        ) => {
            print(&format!("adopted, exit status unknown: {gone}"));
            leave(&AdoptedEnd::of(config.pid, None, Vec::new()));
            return Ok(Ended::Code(UNKNOWN));
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Attendant::new(config, signals, handle, root).until_over())
}

/// The adopted process with its descendants. Whoever loses its parent goes to init, and not to us:
/// so each that was seen once is remembered.
#[derive(Debug)]
struct Tree {
    root: Stat,
    seen: Vec<Stat>,
}

impl Tree {
    /// The living, the adopted process first if it is one of them.
    fn look(&mut self) -> Vec<Stat> {
        let mut members: Vec<Stat> = Vec::new();
        if let Some(root) = process::find(self.root.pid, self.root.start) {
            self.root = root.clone();
            members.push(root);
        }
        members.extend(tree::below(&self.root, &[]));
        for known in std::mem::take(&mut self.seen) {
            if members.iter().any(|member| member.is(&known)) {
                continue;
            }
            let known = process::find(known.pid, known.start);
            let Some(known) = known.filter(|stat| !tree::is_other_job(stat)) else { continue };
            let below = tree::below(&known, &[]);
            members.push(known);
            for stat in below {
                if !members.iter().any(|member| member.is(&stat)) {
                    members.push(stat);
                }
            }
        }
        self.seen.clone_from(&members);
        members
    }
}

/// The stand-in at work.
struct Attendant<'a> {
    config: &'a Config,
    signals: Signals,
    handle: Handle,
    tree: Tree,
    wrapper: Option<Manager>,
    activity: Activity,
    waiting: Waiting,
    next_look: Instant,
    /// It was said that this tree cannot be seen.
    hidden_said: bool,
}

impl<'a> Attendant<'a> {
    fn new(config: &'a Config, signals: Signals, handle: Handle, root: Stat) -> Self {
        let now = Instant::now();
        Self {
            config,
            signals,
            handle,
            tree: Tree { root, seen: Vec::new() },
            wrapper: Manager::from_environment(),
            activity: Activity::begin(now),
            waiting: Waiting::default(),
            next_look: now,
            hidden_said: false,
        }
    }

    /// The loop. An end that came by itself counts before a stop that came at the same time.
    fn until_over(mut self) -> Ended {
        loop {
            let has_ended = self.wait();
            if has_ended {
                return self.ended(None, Vec::new());
            }
            if let Some(signal) = self.hear() {
                let left = self.stop();
                return self.ended(Some(signal), left);
            }
            let now = Instant::now();
            if now >= self.next_look {
                self.look(now);
            }
        }
    }

    /// Sleeps until something happens or is due; whether the process has ended.
    fn wait(&self) -> bool {
        /// Where no descriptor tells of an end.
        const OFTEN: Duration = Duration::from_millis(200);
        let process = self.handle.pollable();
        let rest = self.next_look.saturating_duration_since(Instant::now());
        let rest = if process.is_some() { rest } else { rest.min(OFTEN) };
        let rest = PollTimeout::try_from(rest + Duration::from_micros(999));
        let mut polled = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        polled.extend(process.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        let _ = nix::poll::poll(&mut polled, rest.unwrap_or(PollTimeout::MAX));
        match polled.get(1) {
            Some(process) => process.any() == Some(true),
            None => process::find(self.tree.root.pid, self.tree.root.start).is_none(),
        }
    }

    /// Passes on what is for the adopted process; a signal that asks for its end.
    fn hear(&mut self) -> Option<i32> {
        let mut end = None;
        for caught in self.signals.drain() {
            match caught.signal {
                libc::SIGUSR1 | libc::SIGUSR2 => {
                    let _ = self.handle.signal(caught.signal);
                }
                libc::SIGCHLD => {}
                signal => end = end.or(Some(signal)),
            }
        }
        end
    }

    /// Looks at the adopted tree, and reports what deserves a beat.
    fn look(&mut self, now: Instant) {
        self.next_look = now + self.config.interval;
        let tree = self.tree.look();
        if let Some(words) = self.activity.look(&tree, now, now) {
            self.waiting = Waiting::default();
            return self.beat(&words);
        }
        if self.waiting.lasting().is_none() {
            self.ask(&tree, now);
        }
        if let Some(reason) = self.waiting.reason() {
            let words = reason.to_string();
            if reason.rank == Rank::Hidden && !std::mem::replace(&mut self.hidden_said, true) {
                say(format!("{}: warning: {words}; so it is never called hung", self.who()));
            }
            self.beat(&words);
        }
        if self.waiting.is_open() {
            self.next_look = now + AGAIN.min(self.config.interval);
        }
    }

    /// Asks what a tree waits for in which nothing moved.
    fn ask(&mut self, tree: &[Stat], now: Instant) {
        // Whether somebody sits at a terminal it reads is not known, so somebody may.
        let terminal_passed = true;
        let was_stuck = self.waiting.stuck().is_some();
        let before = self.waiting.before(now);
        let asked = before.is_none();
        let look = snapshot::take(tree, terminal_passed, Depth::OneReason, before);
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting = waiting.seen(look, asked, || None, now); // its output is not ours
        if let Some(diagnosis) = self.waiting.stuck().filter(|_| !was_stuck) {
            say(format!("{} is stuck: {diagnosis}", self.who()));
            self.tell(&format!("STATUS=stuck: {}", one_line(diagnosis)));
        }
    }

    fn beat(&self, words: &str) {
        self.tell(&format!("WATCHDOG=1\nSTATUS={}", one_line(words)));
    }

    fn tell(&self, message: &str) {
        if let Some(wrapper) = &self.wrapper {
            wrapper.tell(message);
        }
    }

    fn who(&self) -> String {
        format!("adopted process {} ({})", self.tree.root.pid, self.tree.root.comm)
    }

    /// Ends the whole tree before the wrapper's KILL ends us; what could not be ended.
    fn stop(&mut self) -> Vec<Process> {
        orphans::end(&mut || self.tree.look(), self.config.grace.mul_f64(0.8))
    }

    /// Tells how it ended. `asked`: after this signal to us, which left these.
    fn ended(mut self, asked: Option<i32>, mut left: Vec<Process>) -> Ended {
        let status = self.status();
        if asked.is_none() {
            left = self.outliving();
        }
        let how = match status {
            Some(status) => format!("{} ended: {}", self.who(), words(status)),
            None => format!("adopted, exit status unknown: {}", self.who()),
        };
        let names: Vec<String> = left.iter().map(|p| format!("{}[{}]", p.comm, p.pid)).collect();
        let names = names.join(", ");
        print(&if left.is_empty() { how } else { format!("{how}; left behind: {names}") });
        leave(&AdoptedEnd::of(self.tree.root.pid, status, left));
        let signal = status.and_then(|status| status.signal());
        match (status.and_then(|status| status.code()), signal, asked) {
            // That it was asked to end, and how, is all that an exit code 0 or none says here.
            (None | Some(0), None, Some(asked)) => Ended::Signal(asked),
            (Some(code), ..) => Ended::Code(u8::try_from(code).unwrap_or(UNKNOWN)),
            (None, Some(signal), _) => Ended::Signal(signal),
            (None, None, None) => Ended::Code(UNKNOWN),
        }
    }

    /// Who of the tree is still there a moment after the end, and is to stay or cannot be ended.
    fn outliving(&mut self) -> Vec<Process> {
        const SETTLE: Duration = Duration::from_millis(50);
        if self.tree.look().is_empty() {
            return Vec::new();
        }
        clock::pause(SETTLE);
        if self.config.kill_survivors {
            return self.stop();
        }
        self.tree.look().iter().map(Process::from).collect()
    }

    /// How it ended. Where only what was reaped is told of, its parent gets a while for that.
    fn status(&self) -> Option<ExitStatus> {
        const REAPED: Duration = Duration::from_secs(1);
        const LOOK: Duration = Duration::from_millis(5);
        let root = &self.tree.root;
        let until = Instant::now() + REAPED;
        loop {
            let is_there = process::stat(root.pid).is_some_and(|stat| stat.is(root));
            let status = status::of(&self.handle, root);
            if status.is_some() || !is_there || Instant::now() >= until {
                return status.map(ExitStatus::from_raw);
            }
            clock::pause(LOOK);
        }
    }
}

/// Ends an adopted tree whose stand-in is gone without having done that: nobody else finds it, for
/// the run has left no mark on it. What could not be ended; nothing if it has ended already.
#[must_use]
pub fn end(pid: i32, start: u64, grace: Duration) -> Vec<Process> {
    let Some(root) = process::find(pid, start) else { return Vec::new() };
    let mut tree = Tree { root, seen: Vec::new() };
    orphans::end(&mut || tree.look(), grace)
}

impl AdoptedEnd {
    fn of(pid: i32, status: Option<ExitStatus>, left_behind: Vec<Process>) -> Self {
        Self {
            adopted: pid,
            exit_code: status.and_then(|status| status.code()),
            signal: status.and_then(|status| status.signal()).map(signals::name),
            known: status.is_some(),
            left_behind,
        }
    }
}

fn words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by {}", signals::name(signal)),
        (None, None) => format!("{status}"),
    }
}

/// A text that fits into one line of a datagram.
fn one_line(text: &str) -> String {
    clip(&crate::protocol::text::one_line(text), 1000)
}

/// Leaves the end for the run's result. Where there is no wrapper that offers it, nobody reads it.
fn leave(end: &AdoptedEnd) {
    let Some(path) = std::env::var_os("SENTINEL_RESULT") else { return };
    let text = serde_json::to_vec(end).unwrap_or_default();
    if let Err(error) = std::fs::write(&path, text) {
        say(format!("cannot write {}: {error}", path.display()));
    }
}
