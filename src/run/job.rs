//! The run itself: one loop over what can happen to it.

use super::command::Command;
use super::config::Config;
use super::ending::{self, Cause, Ending, Known, Scene, sender};
use super::evidence::Looks;
use super::inquiry::Inquiry;
use super::limits::{self, TreeLimits, Used};
use super::log::{self, Log, Tee};
use super::oom;
use super::probes::Probes;
use super::record::{beat_now, environment, first_record, rounded};
use super::start::{self, Prepared, RunError, Started};
use crate::decide::pace::Course;
use crate::decide::stuck::AGAIN;
use crate::os::cgroup::Cgroup;
use crate::os::claim::{Claim, HeartbeatFile, Room};
use crate::os::detach::{Reporter, Side, detach};
use crate::os::lock::Locked;
use crate::os::notify_socket::{Manager, NotifySocket};
use crate::os::oom::Before;
use crate::os::reap::{Reaped, reap};
use crate::os::say::say;
use crate::os::signals::{self, Caught, Signals};
use crate::os::spawn::{self, Place, Spawn};
use crate::os::{clock, process, tree};
use crate::protocol::SCHEMA;
use crate::protocol::evidence::{Evidence, Kind};
use crate::protocol::heartbeat::Heartbeat;
use crate::protocol::name::JobName;
use crate::protocol::outcome::Outcome;
use crate::protocol::result::{Process, RunResult};
use crate::protocol::sentence::Announced;
use crate::protocol::text;
use crate::protocol::time::human;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::stat::{Mode, umask};
use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant, SystemTime};

/// How long what outlives the command may take to be gone after all, before it is called a survivor.
const SETTLE: Duration = Duration::from_millis(50);

/// Who ends a whole group or cgroup signals its processes one after the other: so long after the
/// command the same signal may reach us.
const TOGETHER: Duration = Duration::from_millis(200);

/// What became of a call of `sentinel-run`.
#[derive(Debug)]
pub enum Ended {
    /// The run is over, with this exit code.
    Over {
        /// As recorded.
        result: Box<RunResult>,
        /// The exit code of `sentinel-run`.
        code: u8,
    },
    /// It goes on in the background, under the wrapper with this PID.
    Detached {
        /// The wrapper.
        pid: u32,
        /// The monitor directory.
        dir: std::path::PathBuf,
    },
    /// The background could not start it; it has said why on standard error.
    NotDetached {
        /// The exit code of `sentinel-run`.
        code: u8,
    },
    /// This is the background's end: nobody waits for its exit code.
    InBackground,
    /// This circuit was closed, and nothing else was asked for.
    Reset(JobName),
}

/// Runs the command to its recorded end, or into the background.
///
/// # Errors
/// What kept the run from starting or its outcome from being recorded; a failing command is no
/// error.
pub fn run(config: &Config) -> Result<Ended, RunError> {
    signals::put_right();
    if config.command.is_empty() {
        return Ok(Ended::Reset(start::reset_last(config)?));
    }
    let prepared = start::prepare(config)?;
    let reporter = if config.detach {
        match detach().map_err(|source| RunError::System { what: "detach", source })? {
            Side::Launcher(report) => {
                return Ok(match report.wait() {
                    Some((0, pid)) => Ended::Detached { pid, dir: prepared.dir.path().to_owned() },
                    Some((code, _)) => Ended::NotDetached { code },
                    None => Ended::NotDetached { code: 125 },
                });
            }
            Side::Background(reporter) => Some(reporter),
        }
    } else {
        None
    };
    match (Job::start(config, &prepared), reporter) {
        (Ok(job), reporter) => job.attend(reporter),
        (Err(error), None) => Err(error),
        (Err(error), Some(reporter)) => {
            say(format!("sentinel-run: {error}"));
            let _ = reporter.report(error.exit_code());
            Ok(Ended::InBackground)
        }
    }
}

impl RunError {
    /// The exit code of `sentinel-run`.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::AlreadyRunning { .. } => 75,
            Self::CircuitOpen(_) => 69,
            _ => 125,
        }
    }
}

/// A run in progress.
struct Job<'a> {
    config: &'a Config,
    prepared: &'a Prepared,
    /// Until the end is recorded.
    claim: Option<Claim>,
    room: Option<Room>,
    heartbeat: HeartbeatFile,
    _trial: Option<Locked>,
    record: Heartbeat,
    signals: Signals,
    hangup_ends: bool,
    interrupts: u32,
    socket: Option<NotifySocket>,
    manager: Option<Manager>,
    cgroup: Option<Cgroup>,
    oom: Before,
    /// The command is in our process group: what a terminal's keys send reaches it as well.
    shares_terminal: bool,
    command: Command,
    /// At the last reaping there was no child at all.
    childless: bool,
    log: Log,
    tee: Option<Tee>,
    looks: Looks,
    course: Course,
    probes: Probes,
    /// By the dead of the tree.
    used: Used,
    limits: Option<TreeLimits>,
    ending: Option<Ending>,
    inquiry: Inquiry,
    began: Instant,
    /// When the command ended, if it was waited for a signal to us after that.
    ended: Option<(Instant, SystemTime)>,
    last_beat: Instant,
    /// mtime of the heartbeat as we left it, to tell a touch by somebody else.
    touched: Option<i128>,
    next_look: Instant,
    next_limits: Instant,
    next_trim: Instant,
}

impl<'a> Job<'a> {
    /// Claims the job and executes the command. The order of the steps that readers see:
    ///
    /// 1. the lock: from here on there is exactly one writer;
    /// 2. room for the end, so that a disk filling up later cannot change the outcome;
    /// 3. `.pid` emptied, `.status` and `.result` removed, in this order: no reader can take the
    ///    last run's outcome for this one's, nor a result without its status for anything;
    /// 4. the new log in place, before anybody could look into the old one for this run;
    /// 5. `.heartbeat`, before `.pid` leads a reader to it;
    /// 6. `.pid`, before the command could look for it;
    /// 7. the command.
    fn start(config: &'a Config, prepared: &'a Prepared) -> Result<Self, RunError> {
        let system = |what| move |source| RunError::System { what, source };
        let caller_umask = umask(Mode::from_bits_truncate(0o077));
        let hangup_ends = !config.detach && !signals::is_ignored(libc::SIGHUP);
        let signals = Signals::catch().map_err(system("catch signals"))?;
        process::adopt_orphans();
        process::set_name(tree::WRAPPER);
        if let Some(cwd) = &config.cwd {
            std::env::set_current_dir(cwd)
                .map_err(|source| RunError::Cwd { dir: cwd.display().to_string(), source })?;
        }

        // All that may fail by itself comes before the last run's files are touched.
        let Prepared { dir, files, .. } = prepared;
        let mut record = first_record(config, &prepared.circuit);
        let socket = config.beat_on.names_app().then(|| NotifySocket::bind(&record.run_id));
        let socket = socket.transpose().map_err(system("open a notify socket"))?;
        let null = File::open("/dev/null").map_err(system("open /dev/null"))?;
        let probes =
            Probes::new(config, &record, caller_umask).map_err(system("prepare probes"))?;
        let Started { claim, room, heartbeat, log, output, trial, past } =
            start::take(config, prepared)?;
        record.lock = claim.lock();
        claim.empty_pid()?;
        dir.remove(&files.status())?;
        dir.remove(&files.result())?;
        rotate(prepared, &output)?;
        let heartbeat = heartbeat.begin(dir, &files.heartbeat(), &record)?;
        claim.write_pid()?;

        let log = Log::new(log, config.max_log);
        if !log.can_trim() {
            say(format!(
                "sentinel-run: warning: --max-log has no effect: the file system of {} can neither punch nor collapse a file",
                dir.path().display()
            ));
        }
        if !process::can_be_seen() {
            say(
                "sentinel-run: warning: /proc is not that of this PID namespace: what leaves the command's process group cannot be found, and the job is never called stuck",
            );
        }
        let environment = environment(config, files, &record, socket.as_ref(), past);
        let cgroup = Cgroup::enter(&record.run_id, config.max_memory);
        let shares_terminal = config.stdin && std::io::stdin().is_terminal();
        let spawned = spawn::spawn(&Spawn {
            command: &config.command,
            environment,
            stdin: (!config.stdin).then_some(&null),
            stdout: Some(log.file().as_fd()),
            stderr: Some(log.file().as_fd()),
            place: if shares_terminal { Place::Ours } else { Place::Session },
            umask: Some(caller_umask),
        });
        if let Some(cgroup) = &cgroup {
            cgroup.step_out();
        }
        let command = Command::from(spawned);
        let oom = Before::look(cgroup.as_ref()); // not on the way to the command
        record.child_pid = command.pid();
        record.child_start = command.pid().and_then(process::stat).map(|stat| stat.start);

        let now = Instant::now();
        let mut job = Self {
            config,
            prepared,
            claim: Some(claim),
            room: Some(room),
            heartbeat,
            _trial: trial,
            record,
            signals,
            hangup_ends,
            interrupts: 0,
            socket,
            manager: Manager::from_environment(),
            cgroup,
            oom,
            shares_terminal,
            command,
            childless: false,
            log,
            tee: config.tee.then(Tee::new),
            looks: Looks::begin(&config.beat_on, shares_terminal, now),
            course: Course::default(),
            probes,
            used: Used::default(),
            limits: TreeLimits::new(config.max_memory, config.max_cpu),
            ending: None,
            inquiry: Inquiry::new(caller_umask),
            began: now,
            ended: None,
            last_beat: now,
            touched: None,
            next_look: now + config.interval,
            next_limits: now,
            next_trim: now,
        };
        let started = Evidence {
            kind: "started".into(),
            detail: "the run began".into(),
            at: SystemTime::now(),
        };
        job.beat(started, now);
        Ok(job)
    }

    /// Attends the run to its end and records it.
    fn attend(mut self, reporter: Option<Reporter>) -> Result<Ended, RunError> {
        let background = reporter.is_some();
        if self.command.pid().is_none() {
            if background || self.config.quiet {
                say(format!("sentinel-run: {}", self.command.words())); // else the closing line does
            }
            let result = self.result(Vec::new());
            let code = self.command.own_exit_code(result.outcome);
            self.record(&result)?;
            if let Some(reporter) = reporter {
                let _ = reporter.report(code);
                return Ok(Ended::InBackground);
            }
            return Ok(Ended::Over { result: Box::new(result), code });
        }
        if let Some(manager) = self.manager.as_ref().filter(|_| self.socket.is_none()) {
            manager.tell("READY=1"); // with a socket of its own the command says so itself
        }
        if let Some(reporter) = reporter {
            reporter.report(0).map_err(|source| RunError::System { what: "detach", source })?;
        }
        let survivors = self.until_over();
        self.log.look();
        let result = self.result(survivors);
        let code = self.command.own_exit_code(result.outcome);
        if self.tee.is_none() {
            self.log.finish(); // else the copy needs the offsets as they are
        }
        self.record(&result)?;
        if let Some(mut tee) = self.tee.take() {
            tee.follow(self.log.bytes());
            drain(&mut tee, &self.log);
            self.log.finish();
        }
        if background {
            return Ok(Ended::InBackground);
        }
        Ok(Ended::Over { result: Box::new(result), code })
    }

    /// The loop. What comes first in a round wins:
    ///
    /// 1. reap, so that a command that ended by itself keeps its own outcome whatever else came in
    ///    at the same time, but for [a signal to all](Self::hear_of_a_common_end);
    /// 2. hear signals and messages;
    /// 3. enforce deadlines and limits, on a clock read after the wait;
    /// 4. look for evidence and beat.
    fn until_over(&mut self) -> Vec<Process> {
        loop {
            self.wait();
            let now = Instant::now();
            self.reap(now);
            if let Some(cause) = self.ended_by_the_kernel() {
                self.end(Some(cause), now);
            }
            self.hear_of_a_common_end();
            if self.command.has_ended() && self.ending.is_none() {
                self.probes.stop();
                let left = self.outliving();
                if left.is_empty() || !self.config.kill_survivors {
                    return left;
                }
                self.end(None, now);
            }
            self.hear(now);
            self.enforce(now);
            if let Some(survivors) = self.step_ending(now).filter(|_| !self.inquiry.is_open()) {
                return survivors;
            }
            self.look(now);
            self.probe(now);
        }
    }

    /// Who is below us and none of the tree.
    fn spare(&self) -> Vec<i32> {
        let helper = self.ending.as_ref().and_then(Ending::helper);
        self.probes.pids().into_iter().chain(self.inquiry.pids()).chain(helper).collect()
    }

    fn scene(&self) -> Scene<'_> {
        let command_ended = self.command.has_ended();
        let childless = self.childless;
        let (spare, cgroup) = (self.spare(), self.cgroup.as_ref());
        let command = self.command.pid();
        Scene { root: me(), spare, cgroup, command, command_ended, childless }
    }

    /// Sleeps until something happens or is due.
    fn wait(&mut self) {
        let now = Instant::now();
        let timeout = self.config.timeout.filter(|_| self.ending.is_none());
        let due = [
            Some(self.next_look),
            timeout.and_then(|timeout| self.began.checked_add(timeout)),
            self.limits.as_ref().map(|_| self.next_limits),
            self.probes.next(),
            self.log.trim_interval().map(|_| self.next_trim),
            self.ending.as_ref().and_then(|_| now.checked_add(ending::LOOK)),
            self.tee.as_ref().and_then(|_| now.checked_add(log::TEE_INTERVAL)),
        ];
        let due = due.into_iter().flatten().min().unwrap_or(now);
        // Rounded up: waking a moment early would be a round for nothing.
        let rest = due.saturating_duration_since(now) + Duration::from_micros(999);
        let rest = PollTimeout::try_from(rest).unwrap_or(PollTimeout::MAX);

        if let Some(tee) = &mut self.tee {
            tee.follow(self.log.end());
        }
        let stdout = self.tee.as_ref().and_then(Tee::wants);
        let mut polled = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        if let Some(socket) = &self.socket {
            polled.push(PollFd::new(socket.as_fd(), PollFlags::POLLIN));
        }
        let helpers = self.probes.descriptors().into_iter().chain(self.inquiry.descriptors());
        polled.extend(helpers.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        if let Some(stdout) = stdout {
            polled.push(PollFd::new(stdout, PollFlags::POLLOUT));
        }
        let _ = nix::poll::poll(&mut polled, rest);
        let has_room = stdout.is_some() && polled.last().and_then(PollFd::any) == Some(true);
        if let Some(tee) = self.tee.as_mut().filter(|_| has_room) {
            tee.copy(&self.log);
        }
    }

    /// Takes the status of whatever ended: the command, a helper, orphans of the tree.
    fn reap(&mut self, now: Instant) {
        let mut next = reap();
        while let Ok(Some(reaped)) = next {
            let Reaped { pid, status, .. } = reaped;
            if let Some(mut ending) = self.ending.take_if(|e| e.helper() == Some(pid)) {
                ending.examined(&self.scene(), now);
                self.ending = Some(ending);
            } else if !self.inquiry.reaped(pid) && !self.probes.reaped(pid, status, now) {
                self.used.add(&reaped);
                if self.command.pid() == Some(pid) {
                    self.command = Command::Ended(ExitStatus::from_raw(status));
                }
            }
            next = reap();
        }
        self.childless = next.is_err_and(|error| error.raw_os_error() == Some(libc::ECHILD));
        if self.childless && self.command.pid().is_some() {
            self.command = Command::Vanished; // somebody else took its status
        }
    }

    /// Who ends a whole group, or all of a cgroup, signals the command and us alike, in whatever
    /// order. A command that died of such a signal may only have been the first to get it, and where
    /// an engine is expected to end the run (`--on-stop`), one that catches it and fails, too: it was
    /// stopped, if we are told to end as well. One that ended well has finished first.
    ///
    /// The wait is no part of the run.
    fn hear_of_a_common_end(&mut self) {
        let ends = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT];
        let died_of_one = self.command.died_of().is_some_and(|signal| ends.contains(&signal));
        let failed = self.command.has_ended() && self.command.outcome() != Outcome::Success;
        if self.ending.is_some() || !failed || !(died_of_one || self.config.on_stop.is_some()) {
            return;
        }
        let ended = (Instant::now(), SystemTime::now());
        self.ended = Some(ended);
        let until = ended.0 + TOGETHER;
        loop {
            let now = Instant::now();
            for caught in self.signals.drain() {
                // What a watcher has decided it tells us alone; it came too late.
                let claim = self.claim.as_ref();
                let announced = claim.and_then(|claim| claim.announced(&self.record.run_id));
                if caught.value.is_none_or(|value| value == 0) && announced.is_none() {
                    self.obey(caught, now);
                }
            }
            if self.ending.is_some() {
                self.ended = None;
                return;
            }
            let rest = until.saturating_duration_since(now);
            if rest.is_zero() {
                return;
            }
            let rest = PollTimeout::try_from(rest + Duration::from_micros(999));
            let mut polled = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            let _ = nix::poll::poll(&mut polled, rest.unwrap_or(PollTimeout::ZERO));
        }
    }

    /// What is left of the tree a moment after the command's end.
    fn outliving(&mut self) -> Vec<Process> {
        let until = Instant::now() + SETTLE;
        while !self.childless && Instant::now() < until {
            clock::pause(Duration::from_millis(5));
            self.reap(Instant::now());
        }
        if self.childless {
            return Vec::new();
        }
        tree::descendants(me(), &self.spare()).iter().map(Process::from).collect()
    }

    fn hear(&mut self, now: Instant) {
        self.probes.hear(now);
        self.inquiry.hear(now);
        for found in self.probes.found() {
            if found.kind == Kind::Progress {
                self.progress(found.detail.clone(), now);
            }
            self.looks.probed(found.kind, found.detail);
        }
        for caught in self.signals.drain() {
            self.obey(caught, now);
        }
        let messages = self.socket.as_ref().map(|socket| socket.drain(me())).unwrap_or_default();
        for message in messages {
            if message.watchdog {
                self.looks.app("WATCHDOG=1");
            }
            let mut passed_on = Vec::new();
            if let Some(status) = message.status {
                passed_on.push(format!("STATUS={status}"));
                self.progress(status, now);
            }
            passed_on.extend(message.ready.then(|| "READY=1".to_owned()));
            passed_on.extend(message.stopping.then(|| "STOPPING=1".to_owned()));
            if let Some(manager) = self.manager.as_ref().filter(|_| !passed_on.is_empty()) {
                manager.tell(&passed_on.join("\n"));
            }
        }
    }

    /// Takes a progress text. Whoever it comes from, it goes through here.
    fn progress(&mut self, text: String, now: Instant) {
        self.course.hear(&text, now.saturating_duration_since(self.began));
        self.record.progress = Some(text);
    }

    fn obey(&mut self, caught: Caught, now: Instant) {
        let by = || (caught.pid > 0).then(|| sender(caught.pid, caught.uid));
        let stop = |what: &str| {
            let claim = self.claim.as_ref();
            if let Some(announced) = claim.and_then(|c| c.announced(&self.record.run_id)) {
                let Announced { outcome, reason, .. } = announced;
                return Cause { outcome, reason, ended_by: by() };
            }
            let who = by().map(|by| {
                let comm = by.comm.as_deref().unwrap_or("gone");
                format!(" from pid {} ({comm}, uid {})", by.pid, by.uid)
            });
            let reason = format!("stopped by {what}{}", who.unwrap_or_default());
            Cause { outcome: Outcome::Stopped, reason, ended_by: by() }
        };
        match (caught.signal, caught.value) {
            (libc::SIGTERM, Some(1)) => {
                let silence = human(self.last_beat.elapsed());
                let reason = format!("no beat for {silence}{}", self.probes.silence(now));
                let cause = Cause { outcome: Outcome::Hung, reason, ended_by: by() };
                self.end(Some(cause), now);
            }
            (libc::SIGTERM, Some(2)) => {
                let reason = format!("ended after {}", human(self.began.elapsed()));
                let cause = Cause { outcome: Outcome::Timeout, reason, ended_by: by() };
                self.end(Some(cause), now);
            }
            (libc::SIGHUP, _) if !self.hangup_ends => {}
            // Ctrl-C and Ctrl-\ are for the command, which got them too; what it makes of them is
            // its own outcome.
            (libc::SIGINT | libc::SIGQUIT, _) if self.shares_terminal && caught.pid == 0 => {}
            (libc::SIGTERM | libc::SIGINT | libc::SIGHUP | libc::SIGQUIT, _) => {
                self.end(Some(stop(&signals::name(caught.signal))), now);
                if caught.signal == libc::SIGINT
                    && self.interrupts == 0
                    && std::io::stderr().is_terminal()
                {
                    let grace = human(self.config.grace);
                    say(format!(
                        "sentinel-run: ending {}; KILL in {grace}, or at the next Ctrl-C",
                        self.config.name
                    ));
                }
                self.interrupts += u32::from(caught.signal == libc::SIGINT);
                if let Some(ending) = self.ending.as_mut().filter(|_| self.interrupts >= 2) {
                    ending.hurry(now);
                    self.inquiry.end();
                }
            }
            (libc::SIGUSR1 | libc::SIGUSR2, _) => {
                if let Some(pid) = self.command.pid()
                    && let Some(handle) = process::Handle::open(pid)
                {
                    // Our own child, not yet reaped: the PID is its.
                    let _ = handle.signal(caught.signal);
                }
            }
            _ => {}
        }
    }

    /// Begins to end the run; the first cause stands.
    fn end(&mut self, cause: Option<Cause>, now: Instant) {
        if self.ending.is_some() {
            return;
        }
        if let Some(manager) = &self.manager {
            manager.tell("STOPPING=1");
        }
        self.probes.stop();
        let on_hang = self.config.on_hang.as_deref();
        let known = Known {
            stuck: self.looks.stuck(),
            terminal_passed: self.shares_terminal,
            last_output: text::one_line(&String::from_utf8_lossy(&self.log.tail())),
        };
        let stopped = cause.as_ref().is_some_and(|cause| cause.outcome == Outcome::Stopped);
        let grace = self.config.grace;
        self.ending = Some(Ending::begin(cause, on_hang, grace, &known, &self.scene(), now));
        // After the TERM, which it must not delay.
        if let Some(command) = self.config.on_stop.as_deref().filter(|_| stopped) {
            self.inquiry.begin(command, &self.record, grace, now);
        }
    }

    fn step_ending(&mut self, now: Instant) -> Option<Vec<Process>> {
        let mut ending = self.ending.take()?;
        let survivors = ending.step(&self.scene(), now);
        self.ending = Some(ending);
        survivors
    }

    fn enforce(&mut self, now: Instant) {
        if let Some(interval) = self.log.trim_interval().filter(|_| now >= self.next_trim) {
            let _ = self.log.trim();
            self.next_trim = now + self.log.trim_interval().unwrap_or(interval);
        }
        if self.ending.is_some() {
            return;
        }
        let lasted = now.saturating_duration_since(self.began);
        if let Some(timeout) = self.config.timeout.filter(|timeout| lasted >= *timeout) {
            let reason = format!("ran longer than {}", human(timeout));
            self.end(Some(Cause { outcome: Outcome::Timeout, reason, ended_by: None }), now);
        }
        let spare = self.spare();
        if let Some(limits) = self.limits.as_mut().filter(|_| now >= self.next_limits) {
            self.next_limits = now + limits::LOOK;
            let tree = tree::descendants(me(), &spare);
            if let Some(reason) = limits.look(&tree, self.cgroup.as_ref(), &self.used, now) {
                self.end(Some(Cause { outcome: Outcome::Failed, reason, ended_by: None }), now);
            }
        }
    }

    /// The cause, if the command is one of those that the kernel ended at the run's own limit.
    fn ended_by_the_kernel(&self) -> Option<Cause> {
        if self.ending.is_some() || !self.command.was_killed() {
            return None;
        }
        let reason = self.limits.as_ref()?.ended_by_the_kernel(self.cgroup.as_ref())?;
        Some(Cause { outcome: Outcome::Failed, reason, ended_by: None })
    }

    /// What the kernel's OOM killer had to do with the command's end, if that was a bad one.
    fn oom_words(&self) -> String {
        let end = match (self.record.child_pid, self.command.exit_code()) {
            (None, _) | (_, Some(0)) => return String::new(),
            (Some(pid), _) if self.command.was_killed() => oom::End::Killed(pid),
            (_, Some(137)) => oom::End::LikeKilled,
            _ => oom::End::Other,
        };
        let cgroup = self.cgroup.as_ref();
        oom::words(end, cgroup.map(Cgroup::name), &self.oom.since(cgroup))
    }

    /// Looks for evidence once an interval. Here, and only here, a beat is withheld.
    fn look(&mut self, now: Instant) {
        if now < self.next_look {
            return;
        }
        // We were starved or stopped ourselves: the job does not pay for the looks that were missed.
        let late = now.saturating_duration_since(self.next_look);
        if late > self.config.interval {
            self.last_beat = (self.last_beat + late).min(now);
        }
        self.next_look = now + self.config.interval;
        if let Some(claim) = &mut self.claim {
            let _ = claim.keep_pid();
            self.record.lock = claim.lock();
        }
        if self.touched.is_some() && self.heartbeat.mtime_ns() != self.touched {
            self.looks.app("the command touched its heartbeat");
        }
        let spare = self.spare();
        let tree = || tree::descendants(me(), &spare);
        let silence = now.saturating_duration_since(self.last_beat);
        let decisive = self.config.end_if_stale && silence > self.config.stale;
        let found = self.looks.look(&mut self.log, tree, decisive, now);
        if found.again {
            self.next_look = now + AGAIN.min(self.config.interval);
        }
        let (stuck, trouble) = (self.looks.stuck().map(str::to_owned), self.probes.trouble());
        // Rewritten without a beat as seldom as can be: for a moment the file has another time.
        let turned =
            stuck != self.record.stuck || trouble.is_some() != self.record.trouble.is_some();
        self.record.stuck = stuck;
        self.record.trouble = trouble;
        let evidence = found.evidence.map(|mut evidence| {
            evidence.detail += &self.probes.troubles(&evidence.kind);
            evidence
        });
        let ending = self.ending.as_ref().map(|_| Evidence {
            kind: "ending".into(),
            detail: "the run is being ended".into(),
            at: SystemTime::now(),
        });
        if let Some(evidence) = ending.or(evidence) {
            return self.beat(evidence, now);
        }
        if turned {
            self.record.quiet_s = rounded(self.looks.quiet(now));
            self.write_heartbeat();
        }
        if self.config.end_if_stale && !found.again {
            self.end_if_stale(now);
        }
    }

    /// Ends a run that has been without a beat for too long. Only a look that found nothing comes to
    /// this, so that one more is due at the very moment.
    fn end_if_stale(&mut self, now: Instant) {
        let silence = now.saturating_duration_since(self.last_beat);
        if silence <= self.config.stale {
            let rest = self.config.stale.saturating_sub(silence) + Duration::from_millis(1);
            self.next_look = self.next_look.min(now.checked_add(rest).unwrap_or(self.next_look));
            return;
        }
        let why = self.probes.silence(now);
        let reason = format!("no evidence of life for {}{why}", human(silence));
        self.end(Some(Cause { outcome: Outcome::Hung, reason, ended_by: None }), now);
    }

    /// Asks the probes, which is what the evidence of the next look may come from.
    fn probe(&mut self, now: Instant) {
        let spare = self.spare();
        self.probes.step(|| tree::descendants(me(), &spare), now);
    }

    fn beat(&mut self, evidence: Evidence, now: Instant) {
        self.last_beat = now;
        self.record.beat = beat_now();
        self.record.evidence = Some(evidence);
        self.record.quiet_s = rounded(self.looks.quiet(now));
        self.record.log_bytes = self.log.bytes();
        self.record.pace = self.course.pace(now.saturating_duration_since(self.began));
        self.write_heartbeat();
        if let Some(manager) = &self.manager {
            manager.tell("WATCHDOG=1");
        }
    }

    /// Writes the record with the time of the last beat: only [`beat`](Self::beat) makes it a new one.
    fn write_heartbeat(&mut self) {
        let path = self.prepared.files.heartbeat();
        // A beat needs no disk space; a directory that was taken away is no reason to end a run.
        let _ = self.heartbeat.write(&self.prepared.dir, &path, &self.record);
        self.touched = self.heartbeat.mtime_ns();
    }

    /// The record of the end: by the cause that ended it, else as the command itself ended.
    fn result(&mut self, survivors: Vec<Process>) -> RunResult {
        let ending = self.ending.take();
        let diagnosis = ending.as_ref().and_then(|ending| ending.diagnosis.clone());
        let (outcome, mut reason, ended_by) = match ending.and_then(|ending| ending.cause) {
            Some(cause) => (cause.outcome, cause.reason + &self.inquiry.words(), cause.ended_by),
            None => (self.command.outcome(), self.command.words() + &self.oom_words(), None),
        };
        if self.log.was_truncated() {
            reason += "; the log was truncated by name: write to >&2, not to /dev/stderr";
        }
        if !survivors.is_empty() {
            reason = format!("{reason}; left behind: {}", names(&survivors));
        }
        let output = left_output(self.prepared).unwrap_or_else(|why| {
            reason = format!("{reason}; output not recorded: {why}");
            None
        });
        let (ended, ended_at) = self.ended.unwrap_or_else(|| (Instant::now(), SystemTime::now()));
        RunResult {
            schema: SCHEMA,
            name: self.config.name.to_string(),
            run_id: self.record.run_id.clone(),
            outcome,
            exit_code: self.command.exit_code(),
            signal: self.command.signal(),
            core_dumped: self.command.dumped_core(),
            reason,
            ended_by,
            started_at: self.record.started_at,
            ended_at,
            duration_s: rounded(ended.saturating_duration_since(self.began)),
            max_rss_bytes: Some(self.used.max_rss),
            cpu_s: Some(self.used.cpu.as_secs_f64()),
            log_bytes: self.log.bytes(),
            survivors,
            diagnosis,
            circuit: self.prepared.circuit.clone(),
            output,
        }
    }

    /// Records the end, and gives the claim up.
    fn record(&mut self, result: &RunResult) -> Result<(), RunError> {
        let (Some(claim), Some(room)) = (self.claim.take(), self.room.take()) else {
            return Ok(());
        };
        let recorded = claim.record(result, &room).map_err(|source| RunError::NotRecorded {
            name: result.name.clone(),
            outcome: result.outcome.as_str(),
            reason: result.reason.clone(),
            source,
        })?;
        for trouble in recorded {
            say(format!("sentinel-run: warning: {trouble}"));
        }
        Ok(())
    }
}

/// Copies what is left, however slow the reader is: the outcome is on disk, nobody else waits. An
/// ending signal ends the copy.
fn drain(tee: &mut Tee, log: &Log) {
    let _ = nix::sys::signal::sigprocmask(
        nix::sys::signal::SigmaskHow::SIG_SETMASK,
        Some(&nix::sys::signal::SigSet::empty()),
        None,
    );
    while let Some(stdout) = tee.wants() {
        let mut polled = [PollFd::new(stdout, PollFlags::POLLOUT)];
        if nix::poll::poll(&mut polled, PollTimeout::NONE).is_ok() {
            tee.copy(log);
        }
    }
}

fn me() -> i32 {
    std::process::id().cast_signed()
}

/// Processes in words, the first few of them.
fn names(processes: &[Process]) -> String {
    const SHOWN: usize = 5;
    let shown = processes.iter().take(SHOWN).map(|p| format!("{}[{}]", p.comm, p.pid));
    let more = processes.len().saturating_sub(SHOWN);
    let more = (more > 0).then(|| format!("{more} more"));
    shown.chain(more).collect::<Vec<_>>().join(", ")
}

/// The largest JSON that is taken over from `.output`.
const MAX_OUTPUT: u64 = 64 * 1024;

/// The JSON the command left, or why there is none although it left something.
fn left_output(prepared: &Prepared) -> Result<Option<serde_json::Value>, String> {
    let path = prepared.files.output();
    let bytes = prepared.dir.read(&path, MAX_OUTPUT + 1).map_err(|e| e.to_string())?;
    let bytes = bytes.unwrap_or_default();
    if bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    if bytes.len() as u64 > MAX_OUTPUT {
        return Err(format!("more than {} KiB", MAX_OUTPUT / 1024));
    }
    // Inside the record it lies deeper: what no reader could read back is not taken.
    let deeper = [b"[[", bytes.as_slice(), b"]]"].concat();
    serde_json::from_slice::<serde_json::Value>(&deeper)
        .and_then(|_| serde_json::from_slice(&bytes))
        .map(Some)
        .map_err(|error| format!("not JSON: {error}"))
}

/// Puts the new log in place, the last run's beside it, and an empty `.output`.
fn rotate(prepared: &Prepared, output: &File) -> Result<(), RunError> {
    use crate::os::dir::DirError;
    use crate::protocol::files::JobFiles;
    let files = &prepared.files;
    let rename = |from: &Path, to: &Path| match std::fs::rename(from, to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(DirError::io("rename", from, error))
        }
        _ => Ok(()),
    };
    rename(&files.log(), &files.previous_log())?;
    rename(&JobFiles::draft(&files.log()), &files.log())?;
    let empty = |output: &File| match output.metadata()?.len() {
        0 => Ok(()), // emptying costs a write to the journal even then
        _ => output.set_len(0),
    };
    empty(output).map_err(|error| DirError::io("empty", &files.output(), error))?;
    Ok(())
}
