//! A look at one job: observe, judge, act, and say when to look again.

use super::WatchError;
use super::changes::{Changes, Wake};
use super::config::{Config, Kill, Mode};
use super::end::{self, Note, Sentence, count_other};
use super::entry::Entry;
use super::news::{News, Tell, change};
use super::observe::{Observation, Writer};
use super::report::Report;
use crate::decide::verdict::{Judgement, judge};
use crate::os::bell::Ringer;
use crate::os::claim;
use crate::os::dir::MonitorDir;
use std::path::Path;
use std::time::{Duration, Instant};

/// At least this often the outcome is looked for.
pub const TICK: Duration = Duration::from_secs(1);
/// What took so much longer than planned means that this process was stopped or starved.
pub const STARVED: Duration = Duration::from_millis(500);
/// While a job has not appeared, or is ending, it is looked at this often.
const SOON: Duration = Duration::from_millis(20);

/// Where all jobs of a watch are looked at from.
#[derive(Debug)]
pub struct Lookout {
    /// What was asked for.
    pub config: Config,
    /// The directory; one that is not there yet is looked for again later.
    dir: Option<MonitorDir>,
    changes: Option<Changes>,
    ringer: Ringer<Wake>,
    began: Instant,
    /// When this round of looks began.
    pub now: Instant,
    /// So many wrappers more may be held by a descriptor.
    pub handles: usize,
}

impl Lookout {
    /// Looks at a directory.
    ///
    /// # Errors
    /// If the directory is refused.
    pub fn open(config: Config, ringer: Ringer<Wake>) -> Result<Self, WatchError> {
        let (dir, now) = (MonitorDir::open(&config.dir)?, Instant::now());
        Ok(Self { config, dir, changes: None, ringer, began: now, now, handles: 0 })
    }

    /// Where the jobs are.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.as_ref().map_or(self.config.dir.as_path(), MonitorDir::path)
    }

    /// Looks at a job: its exit code, once there is nothing more to watch.
    pub fn look(&mut self, job: &mut Entry, tell: &mut Tell<'_>) -> Option<u8> {
        match self.dir() {
            Ok(Some(dir)) => Look { job, from: self, dir: &dir, tell }.take(),
            Ok(None) => self.missing(job, tell),
            Err(error) => Some(failed(&error, tell)),
        }
    }

    /// Looks at a job for the last time, and tells of it as it is: nobody waits any longer.
    pub fn last_look(&mut self, job: &mut Entry, tell: &mut Tell<'_>) -> u8 {
        match self.dir() {
            Ok(Some(dir)) => Look { job, from: self, dir: &dir, tell }.take_last(),
            Ok(None) => give_missing(job, tell),
            Err(error) => failed(&error, tell),
        }
    }

    /// A job as it is, for nothing but to be shown.
    pub fn glance(&self, job: &mut Entry) -> Option<Report> {
        let dir = self.dir.as_ref()?;
        Report::now(dir, &mut job.subject, &self.config).ok()
    }

    /// The job is no longer watched.
    pub fn forget(&mut self, job: &Entry) {
        if let Some(changes) = &mut self.changes {
            changes.forget(&job.subject);
        }
    }

    /// How many heartbeats are followed.
    #[cfg(test)]
    pub(super) fn followed(&self) -> usize {
        self.changes.as_ref().map_or(0, Changes::followed)
    }

    fn dir(&mut self) -> Result<Option<MonitorDir>, WatchError> {
        if self.dir.is_none() {
            self.dir = MonitorDir::open(&self.config.dir)?;
        }
        Ok(self.dir.clone())
    }

    fn is_read_only(&self) -> bool {
        self.config.mode == Mode::Probe || self.config.kill == Kill::Never
    }

    fn is_one_look(&self) -> bool {
        matches!(self.config.mode, Mode::Once | Mode::Probe)
    }

    /// There is no sentinel: not yet, or not any more.
    fn missing(&self, job: &mut Entry, tell: &mut Tell<'_>) -> Option<u8> {
        // A wrapper that lives makes what was deleted anew at its next beat.
        let waits = !self.is_one_look()
            && (job.pollable().is_some() || {
                let gone = if job.seen { *job.vanished.get_or_insert(self.now) } else { job.began };
                self.now.saturating_duration_since(gone) < self.config.start_wait
            });
        if waits {
            job.look_at(Instant::now() + SOON);
            return None;
        }
        Some(give_missing(job, tell))
    }
}

fn give_missing(job: &Entry, tell: &mut Tell<'_>) -> u8 {
    let report = Report::missing(&job.subject);
    tell(News::Verdict(&report));
    report.exit
}

fn failed(error: &WatchError, tell: &mut Tell<'_>) -> u8 {
    tell(News::Failed(error));
    2
}

/// One look at one job, whose directory is there.
struct Look<'a, 't> {
    job: &'a mut Entry,
    from: &'a mut Lookout,
    dir: &'a MonitorDir,
    tell: &'a mut Tell<'t>,
}

impl Look<'_, '_> {
    fn take(mut self) -> Option<u8> {
        if self.may_skip() {
            self.plan();
            return None;
        }
        match self.observe() {
            Ok(seen) => self.judge(&seen),
            Err(error) => Some(failed(&error, self.tell)),
        }
    }

    fn take_last(mut self) -> u8 {
        match self.observe() {
            Ok(seen) => match judge(&seen.facts, &seen.limits) {
                ended @ (Judgement::Ended(_) | Judgement::Missing) => {
                    self.give(&seen, &ended, Note::default())
                }
                // What is being ended is not over yet.
                _ => self.give(&seen, &Judgement::Running, Note::default()),
            },
            Err(error) => failed(&error, self.tell),
        }
    }

    fn observe(&mut self) -> Result<Observation, WatchError> {
        self.job.subject.observe(self.dir, &self.from.config)
    }

    /// Nothing has happened since the last thorough look.
    fn may_skip(&mut self) -> bool {
        let (job, now) = (&mut *self.job, self.from.now);
        let thorough = now >= job.next_thorough;
        if thorough {
            job.next_thorough = now + self.from.config.poll_interval;
        }
        let held = job.pollable().is_some();
        job.observed
            && !self.from.config.events
            && job.overdue.is_none_or(|overdue| now < overdue)
            && !job.subject.has_news(self.dir, job.stale, held, thorough)
    }

    /// When to look again, if nothing wakes us: at the next tick, the same for all jobs, so that a
    /// thousand of them wake us once a second; earlier, if the job would be stale or overdue then.
    fn plan(&mut self) {
        let now = self.from.now;
        let tick = TICK.min(self.from.config.poll_interval);
        let since = now.saturating_duration_since(self.from.began);
        let passed = since.as_nanos() % tick.as_nanos().max(1);
        let rest = tick.saturating_sub(Duration::from_nanos(u64::try_from(passed).unwrap_or(0)));
        let stale_in = self.job.subject.stale_in(self.job.stale) + Duration::from_millis(1);
        let next = now + rest.min(stale_in.max(SOON));
        self.job.look_at(self.job.overdue.map_or(next, |overdue| overdue.max(now).min(next)));
    }

    fn judge(&mut self, seen: &Observation) -> Option<u8> {
        let judgement = judge(&seen.facts, &seen.limits);
        let stopping = self.from.config.mode == Mode::Stop;
        match &judgement {
            Judgement::Missing => return self.from.missing(self.job, self.tell),
            Judgement::Ended(_) if seen.result_may_come && !self.from.is_one_look() => {
                self.job.look_at(Instant::now() + SOON);
            }
            Judgement::Ended(_) => {
                if !self.from.is_read_only() {
                    count_other(self.dir, &self.job.subject, seen);
                }
                return Some(self.give(seen, &judgement, Note::default()));
            }
            Judgement::Running if !stopping => return self.running(seen),
            Judgement::Lost(_) if !self.confirm() => self.job.look_at(Instant::now()),
            Judgement::Hung(_) if self.was_held_up() => self.job.look_at(Instant::now()),
            _ if self.from.is_read_only() || self.job.tried.is_some() => {
                let note = self.job.tried.take().unwrap_or_default();
                return Some(self.give(seen, &judgement, note));
            }
            _ => {
                let lost = matches!(judgement, Judgement::Lost(_));
                let own = Sentence::of(&judgement).filter(|_| lost || !stopping);
                self.end(seen, &own.unwrap_or_else(Sentence::stop));
            }
        }
        None
    }

    /// A death is believed only if, after it was seen, there is still no outcome: the wrapper may
    /// have recorded and ended between our two reads.
    fn confirm(&mut self) -> bool {
        let again = self.observe();
        again.is_ok_and(|seen| matches!(judge(&seen.facts, &seen.limits), Judgement::Lost(_)))
    }

    /// Whether this process was stopped or starved since the round began: what it has read may be as
    /// old as that. The job does not pay for it.
    fn was_held_up(&mut self) -> bool {
        let held_up = self.from.now.elapsed();
        if held_up > STARVED {
            self.job.subject.credit(held_up);
        }
        held_up > STARVED
    }

    fn running(&mut self, seen: &Observation) -> Option<u8> {
        if self.from.is_one_look() {
            return Some(self.give(seen, &Judgement::Running, Note::default()));
        }
        if self.from.config.events {
            self.tell_event(seen);
        }
        let left = |timeout: Duration| timeout.saturating_sub(seen.facts.age.unwrap_or_default());
        self.job.stale = seen.limits.stale;
        self.job.overdue = seen.limits.timeout.and_then(|timeout| {
            Instant::now().checked_add(left(timeout) + Duration::from_millis(1))
        });
        self.job.observed = true;
        self.job.seen = true;
        self.job.vanished = None;
        if self.subscribe(seen) {
            // Subscribe, then read: what happened before is seen by one more look.
            self.job.is_heard();
        } else {
            self.plan();
        }
        None
    }

    /// Makes sure that a change of the job wakes us; true if from now on only.
    ///
    /// A wrapper on this machine wakes by its own end, which costs nothing while it runs, and
    /// nothing when we end (closing an inotify instance was seen to take up to 20 ms). Where that
    /// cannot be had, or every beat is to be told, its heartbeat file wakes us.
    fn subscribe(&mut self, seen: &Observation) -> bool {
        let (job, from) = (&mut *self.job, &mut *self.from);
        if let Writer::Ours(record) = &seen.writer
            && !from.config.events
        {
            if job.pollable().is_some() {
                return false;
            }
            if from.handles > 0 {
                job.wrapper = claim::hold_wrapper(record);
            }
            if job.pollable().is_some() {
                from.handles -= 1;
                return true;
            }
        }
        let (every, ringer) = (from.config.events, &from.ringer);
        let changes = from.changes.get_or_insert_with(|| Changes::open(every, ringer));
        changes.follow(job.id, &job.subject)
    }

    fn tell_event(&mut self, seen: &Observation) {
        let told = self.job.told;
        let news = match &seen.writer {
            Writer::Ours(record) => {
                change(told, record, &self.report(seen, &Judgement::Running, Note::default()))
            }
            // Of another writer's job no more is known than that it runs.
            Writer::Other(_) => told.is_none().then(|| ("started", String::new())),
        };
        if let Some((state, detail)) = news {
            self.job.told = Some(state);
            (self.tell)(News::Event { name: &self.job.subject.name, state, detail });
        }
    }

    /// Ends the job in a thread of its own, for others may need us meanwhile; where none is to be
    /// had, they wait.
    fn end(&mut self, seen: &Observation, sentence: &Sentence) {
        let (id, dir, config) = (self.job.id, self.dir.clone(), self.from.config.clone());
        let (subject, observed) = (self.job.subject.clone(), seen.clone());
        let (sentenced, ringer) = (sentence.clone(), self.from.ringer.clone());
        let thread = std::thread::Builder::new().spawn(move || {
            let how = end::end(&dir, &subject, &observed, &sentenced, &config);
            ringer.ring(Wake::Concluded(id, how));
        });
        self.job.is_ending();
        if thread.is_err() {
            let how = end::end(self.dir, &self.job.subject, seen, sentence, &self.from.config);
            self.job.conclude(how);
        }
    }

    fn give(&mut self, seen: &Observation, judgement: &Judgement, note: Note) -> u8 {
        let report = self.report(seen, judgement, note);
        (self.tell)(News::Verdict(&report));
        report.exit
    }

    fn report(&self, seen: &Observation, judgement: &Judgement, note: Note) -> Report {
        Report::of(self.dir, &self.job.subject, seen, judgement, note, &self.from.config)
    }
}
