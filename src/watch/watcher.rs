//! The loop of a watcher: wait, observe, judge, act, over any number of jobs.

use super::WatchError;
use super::changes::{Changes, Wake};
use super::config::{Config, Kill, Mode};
use super::end::{self, Note, Sentence, count_other};
use super::observe::{Observation, Subject, Writer};
use super::report::Report;
use crate::decide::circuit::failures;
use crate::decide::verdict::{Judgement, Verdict, judge};
use crate::os::bell::{Bell, Ringer, bell};
use crate::os::dir::{DirError, MonitorDir};
use crate::os::process::Handle;
use crate::os::{claim, history};
use crate::protocol::files::JobFiles;
use crate::protocol::heartbeat::STALE_BEATS;
use crate::protocol::history::Line;
use crate::protocol::name::JobName;
use crate::protocol::time::{human, seconds};
use nix::poll::{PollFd, PollFlags, PollTimeout};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// At least this often the outcome is looked for.
const TICK: Duration = Duration::from_secs(1);
/// While a job has not appeared, or is ending, it is looked at this often.
const SOON: Duration = Duration::from_millis(20);
/// With more jobs than this, their wrappers are not each held by a descriptor.
const MOST_HANDLES: usize = 64;
/// A wait that took so much longer than planned means that this process was stopped or starved.
const STARVED: Duration = Duration::from_millis(500);

/// What a watcher has to tell while it goes on.
#[derive(Debug)]
pub enum News<'a> {
    /// The verdict of a job.
    Verdict(&'a Report),
    /// A job could not be judged.
    Failed(&'a WatchError),
    /// A change of state on the way (`--events`).
    Event {
        /// The job.
        name: &'a JobName,
        /// `started`, `quiet`, `stuck` or `resumed`.
        state: &'static str,
        /// In words.
        detail: String,
    },
    /// Time to show that the wait goes on: for so many jobs, of which this is the first.
    Waiting(usize, &'a Report),
}

/// Where the news go.
pub type Tell<'a> = dyn FnMut(News<'_>) + 'a;

enum State {
    /// To be looked at.
    Watched,
    /// A thread is ending it.
    Ending,
    /// Reported, with this exit code.
    Done(u8),
}

struct Entry {
    subject: Subject,
    state: State,
    next_look: Instant,
    /// It was seen running, and nothing has been heard since.
    observed: bool,
    /// It was seen running.
    seen: bool,
    /// When its files were found deleted.
    vanished: Option<Instant>,
    /// When to look at all there is.
    next_thorough: Instant,
    /// Its wrapper, whose end is the end of the wait.
    wrapper: Option<Handle>,
    stale: Duration,
    /// When it will have run for too long.
    overdue: Option<Instant>,
    /// The last state that was told.
    told: Option<&'static str>,
    /// Why an ending that was tried did not come to its end.
    tried: Option<Note>,
}

/// Watches until every job (or, with `any`, one of them) has its verdict. The exit codes, in the
/// order of the jobs that were reported.
pub fn watch(config: &Config, tell: &mut Tell<'_>) -> Vec<u8> {
    let dir = match open(&config.dir) {
        Ok(dir) => dir,
        Err(error) => {
            tell(News::Failed(&error));
            return vec![2];
        }
    };
    match bell() {
        Ok((bell, ringer)) => Watcher::new(config, dir, bell, ringer).run(tell),
        Err(source) => {
            tell(News::Failed(&DirError::io("wait for", &config.dir, source).into()));
            vec![2]
        }
    }
}

/// The directory; one that is not there yet is looked for again later.
fn open(path: &Path) -> Result<Option<MonitorDir>, WatchError> {
    Ok(MonitorDir::open(path)?)
}

impl Entry {
    /// Something happened to it: observe it at once.
    fn is_heard(&mut self) {
        self.observed = false;
        self.next_look = Instant::now();
    }

    fn pollable(&self) -> Option<BorrowedFd<'_>> {
        self.wrapper.as_ref().and_then(Handle::pollable)
    }
}

struct Watcher<'a> {
    config: &'a Config,
    dir: Option<MonitorDir>,
    jobs: Vec<Entry>,
    changes: Option<Changes>,
    bell: Bell<Wake>,
    ringer: Ringer<Wake>,
    began: Instant,
    /// When this round of looks began.
    now: Instant,
    looked: Instant,
    next_tick: Option<Instant>,
}

impl<'a> Watcher<'a> {
    fn new(
        config: &'a Config,
        dir: Option<MonitorDir>,
        bell: Bell<Wake>,
        ringer: Ringer<Wake>,
    ) -> Self {
        let now = Instant::now();
        let path = dir.as_ref().map_or(config.dir.as_path(), MonitorDir::path);
        let job = |name| Entry {
            subject: Subject::new(path, name),
            state: State::Watched,
            next_look: now,
            observed: false,
            seen: false,
            vanished: None,
            next_thorough: now,
            wrapper: None,
            stale: Duration::MAX,
            overdue: None,
            told: None,
            tried: None,
        };
        Self {
            config,
            jobs: config.names.iter().map(job).collect(),
            dir,
            changes: None,
            bell,
            ringer,
            began: now,
            now,
            looked: now,
            next_tick: config.tick.map(|tick| now + tick),
        }
    }

    fn run(&mut self, tell: &mut Tell<'_>) -> Vec<u8> {
        let any = self.config.mode == Mode::Wait { any: true };
        loop {
            self.now = Instant::now();
            for i in 0..self.jobs.len() {
                self.look(i, tell);
                if any && let State::Done(code) = self.jobs[i].state {
                    return vec![code];
                }
            }
            let open: Vec<usize> = (0..self.jobs.len()).filter(|i| !self.is_done(*i)).collect();
            if open.is_empty() {
                break;
            }
            let deadline = self.config.max_wait.and_then(|wait| self.began.checked_add(wait));
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                for i in open {
                    self.give_running(i, tell);
                }
                break;
            }
            self.tick(tell);
            self.wait(deadline);
        }
        self.jobs
            .iter()
            .filter_map(|job| if let State::Done(code) = job.state { Some(code) } else { None })
            .collect()
    }

    fn is_done(&self, i: usize) -> bool {
        matches!(self.jobs[i].state, State::Done(_))
    }

    /// Sleeps until a job changes or the next look is due.
    fn wait(&mut self, deadline: Option<Instant>) {
        let now = Instant::now();
        let watched = self.jobs.iter().filter(|job| matches!(job.state, State::Watched));
        let due = watched.map(|job| job.next_look).chain(deadline).chain(self.next_tick).min();
        let rest = due.map_or(TICK, |due| due.saturating_duration_since(now)).min(TICK);
        let wrappers: Vec<usize> =
            (0..self.jobs.len()).filter(|i| self.jobs[*i].pollable().is_some()).collect();
        let mut polled = vec![PollFd::new(self.bell.as_fd(), PollFlags::POLLIN)];
        let fds = wrappers.iter().filter_map(|i| self.jobs[*i].pollable());
        polled.extend(fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        // Rounded up: waking a moment early would be a round for nothing.
        let timeout = PollTimeout::try_from(rest + Duration::from_micros(999));
        let _ = nix::poll::poll(&mut polled, timeout.unwrap_or(PollTimeout::MAX));
        let ended = polled[1..].iter().map(|fd| fd.any() == Some(true)).collect::<Vec<_>>();
        for (i, _) in wrappers.into_iter().zip(ended).filter(|(_, ended)| *ended) {
            self.jobs[i].wrapper = None;
            self.jobs[i].is_heard();
        }
        for wake in self.bell.answer().collect::<Vec<_>>() {
            match wake {
                Wake::Changed(i) => self.jobs[i].is_heard(),
                Wake::Concluded(i, how) => self.conclude(i, how),
            }
        }
        // Looks are never further apart than planned, unless somebody stopped or starved us.
        let gap = self.looked.elapsed();
        if gap > rest + TICK.min(rest) + STARVED {
            for job in &mut self.jobs {
                job.subject.credit(gap.saturating_sub(rest));
            }
        }
        self.looked = Instant::now();
    }

    /// An ending is over: look again, and if there is no outcome then, say why.
    fn conclude(&mut self, i: usize, how: Result<Note, WatchError>) {
        let job = &mut self.jobs[i];
        if matches!(job.state, State::Ending) {
            job.state = State::Watched;
            job.next_look = Instant::now();
            job.tried = match how {
                Ok(note) => Some(note).filter(|note| note.0.is_some()),
                Err(error) => Some(Note(Some(format!("not recorded: {error}")))),
            };
        }
    }

    fn look(&mut self, i: usize, tell: &mut Tell<'_>) {
        if !matches!(self.jobs[i].state, State::Watched) || self.now < self.jobs[i].next_look {
            return;
        }
        if self.dir.is_none() {
            match open(&self.config.dir) {
                Ok(dir) => self.dir = dir,
                Err(error) => return self.fail(i, &error, tell),
            }
        }
        let Some(dir) = self.dir.clone() else { return self.look_missing(i, tell) };
        if self.may_skip(i, &dir) {
            self.plan(i);
            return;
        }
        match self.jobs[i].subject.observe(&dir, self.config) {
            Ok(seen) => self.judge(i, &dir, &seen, tell),
            Err(error) => self.fail(i, &error, tell),
        }
    }

    /// Nothing has happened since the last thorough look.
    fn may_skip(&mut self, i: usize, dir: &MonitorDir) -> bool {
        let job = &mut self.jobs[i];
        let thorough = self.now >= job.next_thorough;
        if thorough {
            job.next_thorough = self.now + self.config.poll_interval;
        }
        let held = job.pollable().is_some();
        job.observed
            && !self.config.events
            && job.overdue.is_none_or(|overdue| self.now < overdue)
            && !job.subject.has_news(dir, job.stale, held, thorough)
    }

    /// When to look again, if nothing wakes us: at the next tick, the same for all jobs, so that a
    /// thousand of them wake us once a second; earlier, if the job would be stale or overdue then.
    fn plan(&mut self, i: usize) {
        let tick = TICK.min(self.config.poll_interval);
        let since = self.now.saturating_duration_since(self.began);
        let passed = since.as_nanos() % tick.as_nanos().max(1);
        let rest = tick.saturating_sub(Duration::from_nanos(u64::try_from(passed).unwrap_or(0)));
        let job = &mut self.jobs[i];
        let stale_in = job.subject.stale_in(job.stale) + Duration::from_millis(1);
        let next = self.now + rest.min(stale_in.max(SOON));
        job.next_look = job.overdue.map_or(next, |overdue| overdue.max(self.now).min(next));
    }

    fn judge(&mut self, i: usize, dir: &MonitorDir, seen: &Observation, tell: &mut Tell<'_>) {
        let judgement = judge(&seen.facts, &seen.limits);
        let stopping = self.config.mode == Mode::Stop;
        match &judgement {
            Judgement::Missing => self.look_missing(i, tell),
            Judgement::Ended(_) if seen.result_may_come && !self.is_one_look() => {
                self.jobs[i].next_look = Instant::now() + SOON;
            }
            Judgement::Ended(_) => {
                if !self.is_read_only() {
                    count_other(dir, &self.jobs[i].subject, seen);
                }
                self.give(i, dir, seen, &judgement, Note::default(), tell);
            }
            Judgement::Running if !stopping => self.running(i, dir, seen, tell),
            Judgement::Lost(_) if !self.confirm(i, dir) => {
                self.jobs[i].next_look = Instant::now();
            }
            _ if self.is_read_only() || self.jobs[i].tried.is_some() => {
                let note = self.jobs[i].tried.take().unwrap_or_default();
                self.give(i, dir, seen, &judgement, note, tell);
            }
            _ => {
                let lost = matches!(judgement, Judgement::Lost(_));
                let own = Sentence::of(&judgement).filter(|_| lost || !stopping);
                self.end(i, dir, seen, own.unwrap_or_else(Sentence::stop));
            }
        }
    }

    fn is_read_only(&self) -> bool {
        self.config.mode == Mode::Probe || self.config.kill == Kill::Never
    }

    fn is_one_look(&self) -> bool {
        matches!(self.config.mode, Mode::Once | Mode::Probe)
    }

    /// A death is believed only if, after it was seen, there is still no outcome: the wrapper may
    /// have recorded and ended between our two reads.
    fn confirm(&mut self, i: usize, dir: &MonitorDir) -> bool {
        let again = self.jobs[i].subject.observe(dir, self.config);
        again.is_ok_and(|seen| matches!(judge(&seen.facts, &seen.limits), Judgement::Lost(_)))
    }

    fn running(&mut self, i: usize, dir: &MonitorDir, seen: &Observation, tell: &mut Tell<'_>) {
        if self.is_one_look() {
            return self.give(i, dir, seen, &Judgement::Running, Note::default(), tell);
        }
        if self.config.events {
            self.tell_event(i, dir, seen, tell);
        }
        self.jobs[i].stale = seen.limits.stale;
        let left = |timeout: Duration| timeout.saturating_sub(seen.facts.age.unwrap_or_default());
        self.jobs[i].overdue = seen.limits.timeout.and_then(|timeout| {
            Instant::now().checked_add(left(timeout) + Duration::from_millis(1))
        });
        self.jobs[i].observed = true;
        self.jobs[i].seen = true;
        self.jobs[i].vanished = None;
        if self.subscribe(i, seen) {
            // Subscribe, then read: what happened before is seen by one more look.
            self.jobs[i].is_heard();
        } else {
            self.plan(i);
        }
    }

    /// Makes sure that a change of the job wakes us; true if from now on only.
    ///
    /// A wrapper on this machine wakes by its own end, which costs nothing while it runs, and
    /// nothing when we end (closing an inotify instance was seen to take up to 20 ms). Where that
    /// cannot be had, or every beat is to be told, its heartbeat file wakes us.
    fn subscribe(&mut self, i: usize, seen: &Observation) -> bool {
        if let Writer::Ours(record) = &seen.writer
            && !self.config.events
            && self.jobs.len() <= MOST_HANDLES
        {
            if self.jobs[i].pollable().is_some() {
                return false;
            }
            self.jobs[i].wrapper = claim::hold_wrapper(record);
            if self.jobs[i].pollable().is_some() {
                return true;
            }
        }
        let subjects = || self.jobs.iter().map(|job| job.subject.clone()).collect::<Vec<_>>();
        if self.changes.is_none() {
            self.changes = Some(Changes::open(&subjects(), self.config.events, &self.ringer));
        }
        let subject = &self.jobs[i].subject;
        self.changes.as_mut().is_some_and(|changes| changes.follow(i, subject))
    }

    fn tell_event(&mut self, i: usize, dir: &MonitorDir, seen: &Observation, tell: &mut Tell<'_>) {
        let Writer::Ours(record) = &seen.writer else {
            // Of another writer's job no more is known than that it runs.
            if self.jobs[i].told.replace("started").is_none() {
                let (name, detail) = (&self.jobs[i].subject.name, String::new());
                tell(News::Event { name, state: "started", detail });
            }
            return;
        };
        let report = self.report(i, dir, seen, &Judgement::Running);
        let interval = seconds(record.interval_s).unwrap_or(TICK);
        let quiet = report.quiet_s.and_then(seconds).unwrap_or_default();
        let state = if record.stuck.is_some() {
            "stuck"
        } else if quiet > interval.saturating_mul(STALE_BEATS) {
            "quiet"
        } else {
            "moving"
        };
        let job = &mut self.jobs[i];
        let told = match (job.told, state) {
            (None, _) => "started",
            (Some("quiet" | "stuck"), "moving") => "resumed",
            (Some(told), state) if told == state || state == "moving" => return,
            (Some(_), state) => state,
        };
        job.told = Some(told);
        let detail = match told {
            "started" => format!("run {} pid {}", record.run_id, record.pid),
            "stuck" => record.stuck.clone().unwrap_or_default(),
            "quiet" => report.awaits.clone().unwrap_or_else(|| format!("for {}", human(quiet))),
            _ => record.evidence.as_ref().map(|e| e.detail.clone()).unwrap_or_default(),
        };
        tell(News::Event { name: &job.subject.name, state: told, detail });
    }

    /// There is no sentinel: not yet, or not any more.
    fn look_missing(&mut self, i: usize, tell: &mut Tell<'_>) {
        if self.is_one_look() {
            return self.give_missing(i, tell);
        }
        let entry = &mut self.jobs[i];
        // A wrapper that lives makes what was deleted anew at its next beat.
        let waits = entry.pollable().is_some() || {
            let gone =
                if entry.seen { *entry.vanished.get_or_insert(self.now) } else { self.began };
            self.now.saturating_duration_since(gone) < self.config.start_wait
        };
        if waits {
            entry.next_look = Instant::now() + SOON;
            return;
        }
        self.give_missing(i, tell);
    }

    fn give_missing(&mut self, i: usize, tell: &mut Tell<'_>) {
        let report = Report::missing(&self.jobs[i].subject);
        self.give_report(i, &report, tell);
    }

    /// Ends the job in a thread of its own, for others may need us meanwhile.
    fn end(&mut self, i: usize, dir: &MonitorDir, seen: &Observation, sentence: Sentence) {
        let (dir, config, ringer) = (dir.clone(), self.config.clone(), self.ringer.clone());
        let (subject, seen) = (self.jobs[i].subject.clone(), seen.clone());
        self.jobs[i].state = State::Ending;
        std::thread::spawn(move || {
            let how = end::end(&dir, &subject, &seen, &sentence, &config);
            ringer.ring(Wake::Concluded(i, how));
        });
    }

    fn give_running(&mut self, i: usize, tell: &mut Tell<'_>) {
        let Some(dir) = self.dir.clone() else { return self.give_missing(i, tell) };
        match self.jobs[i].subject.observe(&dir, self.config) {
            Ok(seen) => {
                let judgement = match judge(&seen.facts, &seen.limits) {
                    ended @ (Judgement::Ended(_) | Judgement::Missing) => ended,
                    _ => Judgement::Running, // it is being ended, which is not over yet
                };
                self.give(i, &dir, &seen, &judgement, Note::default(), tell);
            }
            Err(error) => self.fail(i, &error, tell),
        }
    }

    fn give(
        &mut self,
        i: usize,
        dir: &MonitorDir,
        seen: &Observation,
        judgement: &Judgement,
        note: Note,
        tell: &mut Tell<'_>,
    ) {
        let report = Report::of(dir, &self.jobs[i].subject, seen, judgement, note, self.config);
        self.give_report(i, &report, tell);
    }

    fn give_report(&mut self, i: usize, report: &Report, tell: &mut Tell<'_>) {
        tell(News::Verdict(report));
        self.jobs[i].state = State::Done(report.exit);
        let others = self.jobs.iter().any(|job| !matches!(job.state, State::Done(_)));
        if let Some(changes) = self.changes.as_mut().filter(|_| others) {
            changes.forget(i, &self.jobs[i].subject);
        }
    }

    fn fail(&mut self, i: usize, error: &WatchError, tell: &mut Tell<'_>) {
        tell(News::Failed(error));
        self.jobs[i].state = State::Done(2);
    }

    fn tick(&mut self, tell: &mut Tell<'_>) {
        let (Some(tick), Some(next)) = (self.config.tick, self.next_tick) else { return };
        let now = Instant::now();
        if now < next {
            return;
        }
        self.next_tick = Some(now + tick);
        let open = self.jobs.iter().filter(|job| !matches!(job.state, State::Done(_))).count();
        let first = self.jobs.iter().position(|job| !matches!(job.state, State::Done(_)));
        if let (Some(first), Some(dir)) = (first, self.dir.clone())
            && let Ok(seen) = self.jobs[first].subject.observe(&dir, self.config)
        {
            let judgement = judge(&seen.facts, &seen.limits);
            let report = self.report(first, &dir, &seen, &judgement);
            tell(News::Waiting(open, &report));
        }
    }

    fn report(
        &self,
        i: usize,
        dir: &MonitorDir,
        seen: &Observation,
        judgement: &Judgement,
    ) -> Report {
        let subject = &self.jobs[i].subject;
        Report::of(dir, subject, seen, judgement, Note::default(), self.config)
    }
}

/// Every job of the directory, by name, as one look finds it.
///
/// # Errors
/// If the directory cannot be read.
pub fn list(config: &Config, tell: &mut Tell<'_>) -> Result<(), WatchError> {
    let Some(dir) = open(&config.dir)? else { return Ok(()) };
    let entries =
        std::fs::read_dir(dir.path()).map_err(|source| DirError::io("list", dir.path(), source))?;
    let mut names: Vec<JobName> = entries
        .flatten()
        .filter_map(|entry| JobFiles::job_of(entry.file_name().to_str()?))
        .collect();
    names.sort();
    names.dedup();
    for name in names {
        let mut subject = Subject::new(dir.path(), &name);
        match subject.observe(&dir, config) {
            Ok(seen) => {
                let judgement = judge(&seen.facts, &seen.limits);
                let report = Report::of(&dir, &subject, &seen, &judgement, Note::default(), config);
                if report.verdict != Verdict::Missing {
                    tell(News::Verdict(&report));
                }
            }
            Err(error) => tell(News::Failed(&error)),
        }
    }
    Ok(())
}

/// A circuit's key, and how many failures in a row were forgotten.
pub type Closed = (JobName, Option<usize>);

/// Closes the circuit of each job: its key and how many failures it had, `None` for a job there
/// never was.
///
/// # Errors
/// If a history cannot be written.
pub fn reset_circuits(config: &Config) -> Result<Vec<Closed>, WatchError> {
    let mut closed = Vec::new();
    let dir = open(&config.dir)?;
    for name in &config.names {
        let Some(dir) = &dir else {
            closed.push((name.clone(), None));
            continue;
        };
        let files = JobFiles::new(dir.path(), name);
        let record = claim::read_heartbeat(dir, &files)?;
        let known = record.is_some();
        let key = record.and_then(|record| record.circuit).map(|circuit| circuit.key);
        let key = claim::key_of(key.as_deref().unwrap_or(name.as_str()), &files);
        let path = files.history(&key);
        let history = history::read(dir, &path)?;
        if !known && history.0.is_empty() {
            closed.push((name.clone(), None));
            continue;
        }
        history::append(dir, &path, &Line::reset_now())?;
        closed.push((key, Some(failures(history.newest_first()).len())));
    }
    Ok(closed)
}
