//! The loop of a watcher: wait, observe, judge, act, over any number of jobs.

use super::WatchError;
use super::changes::{Changes, Wake};
use super::config::{Config, Kill, Mode};
use super::end::{self, Note, Sentence, count_other};
use super::observe::{Observation, Subject, Writer};
use super::report::Report;
use crate::decide::verdict::{Judgement, Verdict, judge};
use crate::os::dir::MonitorDir;
use crate::os::{claim, history};
use crate::protocol::files::JobFiles;
use crate::protocol::heartbeat::STALE_BEATS;
use crate::protocol::history::Line;
use crate::protocol::name::JobName;
use crate::protocol::time::{human, seconds};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant, SystemTime};

/// At least this often the outcome is looked for.
const TICK: Duration = Duration::from_secs(1);
/// While a job has not appeared, or is ending, it is looked at this often.
const SOON: Duration = Duration::from_millis(20);
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
    /// Time to show that the wait goes on: the reports of all that run, in words.
    Waiting(&'a [Report]),
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

struct Job {
    subject: Subject,
    state: State,
    next_look: Instant,
    /// The last thorough look at the running job, and what it found.
    last: Option<(Instant, Report)>,
    stale: Duration,
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
    let (wake, woken) = mpsc::channel();
    let mut watcher = Watcher::new(config, dir, wake);
    watcher.run(&woken, tell)
}

/// The directory; one that is not there yet is looked for again later.
fn open(path: &Path) -> Result<Option<MonitorDir>, WatchError> {
    Ok(MonitorDir::open(path)?)
}

struct Watcher<'a> {
    config: &'a Config,
    dir: Option<MonitorDir>,
    jobs: Vec<Job>,
    changes: Option<Changes>,
    wake: Sender<Wake>,
    began: Instant,
    looked: Instant,
    next_tick: Option<Instant>,
}

impl<'a> Watcher<'a> {
    fn new(config: &'a Config, dir: Option<MonitorDir>, wake: Sender<Wake>) -> Self {
        let now = Instant::now();
        let path = dir.as_ref().map_or(config.dir.as_path(), MonitorDir::path);
        let job = |name| Job {
            subject: Subject::new(path, name),
            state: State::Watched,
            next_look: now,
            last: None,
            stale: Duration::MAX,
            told: None,
            tried: None,
        };
        Self {
            config,
            jobs: config.names.iter().map(job).collect(),
            dir,
            changes: None,
            wake,
            began: now,
            looked: now,
            next_tick: config.tick.map(|tick| now + tick),
        }
    }

    fn run(&mut self, woken: &Receiver<Wake>, tell: &mut Tell<'_>) -> Vec<u8> {
        let any = self.config.mode == Mode::Wait { any: true };
        loop {
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
            self.wait(woken, deadline);
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
    fn wait(&mut self, woken: &Receiver<Wake>, deadline: Option<Instant>) {
        let now = Instant::now();
        let watched = self.jobs.iter().filter(|job| matches!(job.state, State::Watched));
        let due = watched.map(|job| job.next_look).chain(deadline).chain(self.next_tick).min();
        let rest = due.map_or(TICK, |due| due.saturating_duration_since(now)).min(TICK);
        let mut next = woken.recv_timeout(rest).ok();
        while let Some(wake) = next {
            match wake {
                Wake::Changed(i) => self.jobs[i].next_look = Instant::now(),
                Wake::Concluded(i, how) => self.conclude(i, how),
            }
            next = woken.try_recv().ok();
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
        let now = Instant::now();
        if !matches!(self.jobs[i].state, State::Watched) || now < self.jobs[i].next_look {
            return;
        }
        if self.dir.is_none() {
            match open(&self.config.dir) {
                Ok(dir) => self.dir = dir,
                Err(error) => return self.fail(i, &error, tell),
            }
        }
        let Some(dir) = self.dir.clone() else { return self.look_missing(i, tell) };
        if self.changes.is_some() && self.may_skip(i, &dir) {
            self.plan(i, TICK);
            return;
        }
        match self.jobs[i].subject.observe(&dir, self.config) {
            Ok(seen) => self.judge(i, &dir, &seen, tell),
            Err(error) => self.fail(i, &error, tell),
        }
    }

    /// Nothing has happened since the last thorough look, which is not long ago.
    fn may_skip(&mut self, i: usize, dir: &MonitorDir) -> bool {
        let job = &mut self.jobs[i];
        let recent = |(at, _): &(Instant, Report)| at.elapsed() < self.config.poll_interval;
        !self.config.events
            && job.last.as_ref().is_some_and(recent)
            && !job.subject.has_news(dir, job.stale)
    }

    fn plan(&mut self, i: usize, rest: Duration) {
        let job = &mut self.jobs[i];
        let stale_in = job.subject.stale_in(job.stale) + Duration::from_millis(1);
        let rest = rest.min(self.config.poll_interval).min(stale_in.max(SOON));
        job.next_look = Instant::now() + rest;
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
        self.jobs[i].stale = seen.limits.stale;
        let report = Report::of(
            dir,
            &self.jobs[i].subject,
            seen,
            &Judgement::Running,
            Note::default(),
            self.config,
        );
        if self.is_one_look() {
            return self.give_report(i, &report, tell);
        }
        if self.config.events {
            self.tell_event(i, seen, &report, tell);
        }
        self.jobs[i].last = Some((Instant::now(), report));
        // Subscribe, then read: what happened before the subscription is seen by this next look.
        if self.changes.is_none() {
            let subjects: Vec<Subject> = self.jobs.iter().map(|job| job.subject.clone()).collect();
            self.changes = Some(Changes::open(&subjects, self.config.events, &self.wake));
        }
        let fresh =
            self.changes.as_mut().is_some_and(|changes| changes.follow(i, &self.jobs[i].subject));
        if fresh {
            self.jobs[i].next_look = Instant::now();
        } else {
            self.plan(i, TICK);
        }
    }

    fn tell_event(&mut self, i: usize, seen: &Observation, report: &Report, tell: &mut Tell<'_>) {
        let Writer::Ours(record) = &seen.writer else { return };
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

    fn look_missing(&mut self, i: usize, tell: &mut Tell<'_>) {
        if self.is_one_look() || self.began.elapsed() >= self.config.start_wait {
            return self.give_missing(i, tell);
        }
        self.jobs[i].next_look = Instant::now() + SOON;
    }

    fn give_missing(&mut self, i: usize, tell: &mut Tell<'_>) {
        let report = Report::missing(&self.jobs[i].subject);
        self.give_report(i, &report, tell);
    }

    /// Ends the job in a thread of its own, for others may need us meanwhile.
    fn end(&mut self, i: usize, dir: &MonitorDir, seen: &Observation, sentence: Sentence) {
        let (dir, config, wake) = (dir.clone(), self.config.clone(), self.wake.clone());
        let (subject, seen) = (self.jobs[i].subject.clone(), seen.clone());
        self.jobs[i].state = State::Ending;
        std::thread::spawn(move || {
            let how = end::end(&dir, &subject, &seen, &sentence, &config);
            let _ = wake.send(Wake::Concluded(i, how));
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
        let running: Vec<Report> = self
            .jobs
            .iter()
            .filter(|job| !matches!(job.state, State::Done(_)))
            .map(|job| {
                let last = job.last.as_ref().map(|(_, report)| report.clone());
                last.unwrap_or_else(|| Report::missing(&job.subject))
            })
            .collect();
        tell(News::Waiting(&running));
    }
}

/// Every job of the directory, by name, as one look finds it.
///
/// # Errors
/// If the directory cannot be read.
pub fn list(config: &Config, tell: &mut Tell<'_>) -> Result<(), WatchError> {
    let Some(dir) = open(&config.dir)? else { return Ok(()) };
    let entries = std::fs::read_dir(dir.path())
        .map_err(|source| crate::os::dir::DirError::io("list", dir.path(), source))?;
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

/// Closes the circuit of each job; how many failures each had.
///
/// # Errors
/// If a history cannot be written.
pub fn reset_circuits(config: &Config) -> Result<Vec<(JobName, usize)>, WatchError> {
    let mut closed = Vec::new();
    let Some(dir) = open(&config.dir)? else { return Ok(closed) };
    for name in &config.names {
        let files = JobFiles::new(dir.path(), name);
        let record = claim::read_heartbeat(&dir, &files)?;
        let key = record.and_then(|record| record.circuit).map(|circuit| circuit.key);
        let key = claim::key_of(key.as_deref().unwrap_or(name.as_str()), &files);
        let path = files.history(&key);
        let failures = crate::decide::circuit::failures(&history::read(&dir, &path)?).len();
        history::append(&dir, &path, &Line::Reset { reset: true, at: SystemTime::now() })?;
        closed.push((key, failures));
    }
    Ok(closed)
}
