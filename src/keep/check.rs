//! One process: what is, what should be, and what brings the two together.
//!
//! Order is what makes it safe to be killed between any two steps:
//!
//! 1. Take the lock. Whoever else acts on the process has finished, or died and left the ledger.
//! 2. Look. What is dead or hung is ended and recorded by the watcher before anything is decided.
//! 3. Decide, and write the ledger: the decision, the count and the alert in one.
//! 4. Act: start. A start that was cut short is seen as a run at the next look, by whoever looks.
//! 5. Write that it is done. Deliver the alerts, then strike them out.

use super::alerts::Settings;
use super::home::Home;
use super::launch::{self, Launch, Refused};
use super::ledger::{Held, hold, now};
use super::{KeepError, adoption, alerts, events, look, order, registry, remnant};
use crate::decide::hush::{Hush, hush};
use crate::decide::restart::{self, Action, End, Past, Policy, WINDOW};
use crate::decide::verdict::Verdict;
use crate::os::clock;
use crate::os::dir::MonitorDir;
use crate::os::disk::Draft;
use crate::os::say::say;
use crate::protocol::alert::{Alert, Cause};
use crate::protocol::event::{Event, What};
use crate::protocol::ledger::{Failure, Ledger, Moment, Phase, Told};
use crate::protocol::name::JobName;
use crate::protocol::outcome::Outcome;
use crate::protocol::registry::{GRACE, Process};
use crate::protocol::result::RunResult;
use crate::protocol::time::{human, seconds};
use crate::protocol::{SCHEMA, clip};
use crate::watch::Report;
use std::time::{Duration, Instant, SystemTime};

/// Others act for as long as a start or an ending takes.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// A process that cannot be started for want of room is tried again after this at the latest.
const NO_ROOM: Duration = Duration::from_secs(30);
/// A wrapper whose files were deleted makes them anew at its next look; it is looked for this often.
const ANEW: Duration = Duration::from_secs(1);
/// A wrapper that has recorded holds its lock for so long at most.
const LETTING_GO: Duration = Duration::from_secs(2);

/// What is left to do about a process.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Nothing until somebody acts.
    Rest,
    /// It runs: wait for its end.
    Watch,
    /// Look again after this.
    In(Duration),
    /// It waits for others, and is to be looked at when they have changed.
    Blocked(String),
}

/// A process under its lock.
pub struct Case<'a> {
    /// Where.
    pub home: &'a Home,
    /// Which.
    pub name: &'a JobName,
    /// How it is to be kept.
    pub process: &'a Process,
    /// How alerts reach people.
    pub settings: &'a Settings,
    /// The right to act.
    pub held: Held<'a>,
    /// What is remembered.
    pub ledger: Ledger,
    /// Whether anything is: nobody said of what has no ledger that it is to be stopped.
    pub known: bool,
    /// What kept the last start from coming to anything.
    pub refused: Option<String>,
}

impl<'a> Case<'a> {
    /// Takes the lock, and reads what is remembered.
    ///
    /// # Errors
    /// If somebody else acts on it for longer than `patience`, or a file is refused.
    pub fn open(
        home: &'a Home,
        (name, process): (&'a JobName, &'a Process),
        settings: &'a Settings,
        patience: Duration,
    ) -> Result<Self, KeepError> {
        let held = hold(home, name, patience)?;
        let (known, ledger) = (held.is_known(), held.read()?);
        Ok(Self { home, name, process, settings, held, ledger, known, refused: None })
    }

    /// Brings together what is and what should be, as far as that can be done now.
    ///
    /// # Errors
    /// If a file cannot be used: then nothing was decided, and it is to be tried again.
    pub fn advance(&mut self) -> Result<Next, KeepError> {
        // An end is settled and its restart may be due at once, and that run may have ended again:
        // each round is one of these, and a bound keeps a process that dies at once from keeping us.
        for _ in 0..4 {
            let report = look::one(look::look(self.home, vec![self.name.clone()])?, self.name)?;
            if let Some(next) = self.step(&report)? {
                self.try_to_deliver();
                return Ok(next);
            }
        }
        self.try_to_deliver();
        Ok(Next::In(Duration::from_millis(100)))
    }

    /// One round; `None`: look again.
    fn step(&mut self, report: &Report) -> Result<Option<Next>, KeepError> {
        let ended = report.run_id.is_some() && report.run_id != self.ledger.settled;
        match (self.ledger.phase.clone(), report.verdict) {
            (Phase::Stopped, Verdict::Running) if self.known => {
                // A start that outlived its starter, after somebody had stopped it.
                self.end_run()?;
                Ok(Some(Next::Rest))
            }
            (
                Phase::Stopped | Phase::Completed | Phase::Failed | Phase::GivenUp { .. },
                verdict,
            ) if verdict != Verdict::Running => Ok(Some(Next::Rest)),
            (Phase::Due { .. }, _)
                if self.ledger.replaced.is_some() && self.ledger.replaced == report.run_id =>
            {
                // Be it running, or ended by whoever was cut short: nobody has to hear of it.
                self.end_run()?;
                Ok(None)
            }
            (_, Verdict::Running) => {
                self.came_up(report.run_id.clone())?;
                Ok(Some(Next::Watch))
            }
            (Phase::Up | Phase::Due { .. }, Verdict::Missing) if self.ledger.phase == Phase::Up => {
                self.vanished()
            }
            (Phase::Up, _) if !ended => {
                // It was written down as running, and its end as settled: start it.
                self.ledger.phase = Phase::Due { at: now(), after_s: 0.0 };
                Ok(None)
            }
            (_, verdict) if ended && verdict != Verdict::Missing => {
                self.settle(report)?;
                Ok(None)
            }
            _ => self.start_if_due(),
        }
    }

    // ---- starting ----------------------------------------------------------------------------

    fn start_if_due(&mut self) -> Result<Option<Next>, KeepError> {
        let Phase::Due { at, .. } = &self.ledger.phase else { return Ok(Some(Next::Rest)) };
        let left = at.left(&now());
        if !left.is_zero() {
            return Ok(Some(Next::In(left)));
        }
        let adopted = self.ledger.adopted.as_ref().filter(|adopted| adoption::lives(adopted));
        if adopted.is_none()
            && !self.process.after.is_empty()
            && let Some(why) =
                order::waits_for(self.home, &registry::load(self.home)?, self.process)?
        {
            return Ok(Some(Next::Blocked(why)));
        }
        if remnant::stays(&self.ledger)
            && !remnant::end(self.home, self.name, &self.ledger, self.grace())
        {
            // Nobody starts beside what could not be ended.
            let why = "its last run cannot be ended".to_owned();
            self.refuse(&Refused { why, recorded: false })?;
            return Ok(None);
        }
        let again = self.ledger.down_since.is_some();
        let launch = Launch {
            home: self.home,
            name: self.name,
            process: self.process,
            lock: self.held.file(),
        };
        let started = match adopted {
            // It runs, and only its stand-in is gone: a start would be a second one.
            Some(adopted) => adoption::start(&launch, adopted),
            None if again => launch::prepare(self.process).and_then(|()| launch.start()),
            None => launch.start(),
        };
        match started {
            Ok(()) => {
                let run_id = look::heartbeat(self.home, self.name).map(|record| record.run_id);
                if run_id.is_some() && run_id == self.ledger.settled {
                    let why = "its last run still holds its lock".to_owned();
                    self.refuse(&Refused { why, recorded: false })?;
                    return Ok(None);
                }
                self.came_up(run_id)?;
                Ok(Some(Next::Watch))
            }
            Err(mut refused) => {
                // What says so may be a wrapper that cannot be executed itself.
                let run_id = look::heartbeat(self.home, self.name).map(|record| record.run_id);
                refused.recorded &= run_id.is_some() && run_id != self.ledger.settled;
                self.refuse(&refused)?;
                Ok(None)
            }
        }
    }

    /// A run is there that was not known: ours, or one that somebody else started.
    fn came_up(&mut self, run_id: Option<String>) -> Result<(), KeepError> {
        if self.ledger.phase == Phase::Up && self.ledger.run_id == run_id {
            return Ok(());
        }
        let now = now();
        let what = if self.ledger.down_since.is_some() {
            self.ledger.restarted(&now, WINDOW);
            self.ledger.recovered(&now);
            What::Restarted
        } else {
            What::Started
        };
        self.ledger.phase = Phase::Up;
        let record = look::heartbeat(self.home, self.name)
            .filter(|record| Some(&record.run_id) == run_id.as_ref());
        self.ledger.wrapper = record.as_ref().map(remnant::of);
        self.ledger.run_id.clone_from(&run_id);
        self.ledger.replaced = None;
        self.ledger.refused = 0;
        self.refused = None;
        self.write()?;
        let detail = format!("run {}", run_id.unwrap_or_default());
        events::tell(self.home, &Event::now(self.name.as_str(), what, detail));
        Ok(())
    }

    /// A start came to nothing.
    fn refuse(&mut self, refused: &Refused) -> Result<(), KeepError> {
        self.refused = Some(refused.why.clone());
        if refused.recorded {
            return Ok(()); // the next look finds it ended
        }
        events::tell(self.home, &Event::now(self.name.as_str(), What::Refused, &*refused.why));
        let now = now();
        if !self.has_room() {
            // Not its own failure, and nothing that trying less would mend: go on, and say so.
            self.ledger.refused = self.ledger.refused.saturating_add(1);
            let wait = restart::backoff(&self.policy(), self.ledger.refused, 0.0).min(NO_ROOM);
            self.ledger.down_since.get_or_insert_with(|| now.clone());
            self.ledger.phase = Phase::Due { at: now.later(wait), after_s: wait.as_secs_f64() };
            let action = format!("it is tried again in {}", human(wait));
            self.raise(Cause::Start, &format!("cannot be started: {}", refused.why), &action, None);
            return self.write();
        }
        let end = End {
            outcome: Outcome::Failed,
            exit_code: None,
            lasted: Duration::ZERO,
            rebooted: false,
        };
        let failure = Failure {
            at: now.at,
            cause: Cause::Start,
            reason: refused.why.clone(),
            diagnosis: None,
            run_id: None,
            lasted_s: 0.0,
        };
        // A start that was refused takes a place in the row like one that died at once.
        if self.ledger.down_since.is_some() {
            self.ledger.restarted(&now, WINDOW);
        }
        self.decide(&end, failure, &now)
    }

    /// Whether there is room on disk for what a run writes.
    fn has_room(&self) -> bool {
        let probe = self.home.state().path().join(format!("{}.room", self.name));
        Draft::begin(self.home.state(), &probe).map(|draft| draft.discard()).is_ok()
    }

    // ---- ends --------------------------------------------------------------------------------

    /// Ends the run on behalf of a person, and strikes it out.
    ///
    /// # Errors
    /// If it cannot be judged, or the ledger cannot be written.
    pub fn end_run(&mut self) -> Result<Report, KeepError> {
        let report = look::end(self.home, self.name)?;
        let until = Instant::now() + LETTING_GO;
        while look::is_held(self.home, self.name) && Instant::now() < until {
            clock::pause(Duration::from_millis(2));
        }
        if look::is_held(self.home, self.name) {
            let why = report.reason.unwrap_or_else(|| "its wrapper does not end".to_owned());
            return Err(KeepError::Undone { what: format!("end {}", self.name), why });
        }
        let vanished = report.verdict == Verdict::Missing && self.ledger.run_id.is_some();
        if (vanished || remnant::stays(&self.ledger))
            && !remnant::end(self.home, self.name, &self.ledger, self.grace())
        {
            let why = "its files are gone, and its processes do not end".to_owned();
            return Err(KeepError::Undone { what: format!("end {}", self.name), why });
        }
        self.strike_out(&report);
        if let Some(adopted) = self.ledger.adopted.take() {
            adoption::end(&adopted, self.process);
        }
        self.ledger.replaced = None;
        self.write()?;
        Ok(report)
    }

    /// Counts a run that is over, once; nothing more is to be done about it.
    pub fn strike_out(&mut self, report: &Report) {
        if report.verdict != Verdict::Missing && report.run_id != self.ledger.settled {
            let result = self.result(report);
            self.account(report, result.as_ref());
            self.ledger.settled.clone_from(&report.run_id);
        }
    }

    fn result(&self, report: &Report) -> Option<RunResult> {
        look::result(self.home, self.name, report.run_id.as_deref()?)
    }

    fn account(&mut self, report: &Report, result: Option<&RunResult>) {
        self.ledger.uptime_s += report.elapsed_s.unwrap_or_default();
        self.ledger.cpu_s += result.and_then(|result| result.cpu_s).unwrap_or_default();
    }

    /// A run ended, and nobody has dealt with it.
    fn settle(&mut self, report: &Report) -> Result<(), KeepError> {
        let record = look::heartbeat(self.home, self.name)
            .filter(|record| Some(&record.run_id) == report.run_id.as_ref());
        let executed = record.as_ref().is_none_or(|record| record.child_pid.is_some());
        if self.ledger.run_id != report.run_id && self.ledger.down_since.is_some() {
            // It was started again and died while nobody looked: that restart counts, too.
            let now = now();
            self.ledger.restarted(&now, WINDOW);
            if executed {
                self.ledger.recovered(&now);
            }
        }
        let result = self.result(report);
        self.account(report, result.as_ref());
        self.ledger.run_id.clone_from(&report.run_id);
        self.ledger.settled.clone_from(&report.run_id);
        if let Some(adopted) = self.ledger.adopted.clone().filter(adoption::lives) {
            if report.output.is_none()
                && !matches!(report.verdict, Verdict::Hung | Verdict::Timeout)
            {
                // Only its stand-in was killed: no death, and nothing to restart.
                self.ledger.phase = Phase::Due { at: now(), after_s: 0.0 };
                return self.write();
            }
            adoption::end(&adopted, self.process);
        }
        let lasted = report.elapsed_s.and_then(seconds).unwrap_or_default();
        let rebooted = report.outcome == Some(Outcome::Lost)
            && record.is_some_and(|record| {
                record.boot_id != clock::boot_id() && record.host == clock::host()
            });
        let outcome = report.outcome.unwrap_or(Outcome::Failed);
        let end = End { outcome, exit_code: report.exit_code, lasted, rebooted };
        let ended_at = result.as_ref().map_or_else(SystemTime::now, |result| result.ended_at);
        let now = now();
        let died = now.earlier(now.at.duration_since(ended_at).unwrap_or_default().min(DOWN));
        let (cause, reason) = match self.cause(&end, report, result.as_ref()) {
            // Whoever started it may have been killed before it could say so: the record tells.
            (Cause::Exit, reason) if !executed => (Cause::Start, reason),
            known => known,
        };
        let failure = Failure {
            at: ended_at,
            cause,
            reason,
            diagnosis: report.diagnosis.clone(),
            run_id: report.run_id.clone(),
            lasted_s: lasted.as_secs_f64(),
        };
        self.ledger.adopted = None;
        self.decide(&end, failure, &died)
    }

    /// Its files are gone: somebody deleted them, and with them what could tell how it ended.
    fn vanished(&mut self) -> Result<Option<Next>, KeepError> {
        if remnant::lives(&self.ledger) && MonitorDir::create(&self.home.jobs()).is_ok() {
            return Ok(Some(Next::In(ANEW)));
        }
        if !remnant::end(self.home, self.name, &self.ledger, self.grace()) {
            let why = "its files are gone, and its processes do not end".to_owned();
            return Err(KeepError::Undone { what: format!("end {}", self.name), why });
        }
        let now = now();
        let end = End {
            outcome: Outcome::Lost,
            exit_code: None,
            lasted: Duration::ZERO,
            rebooted: false,
        };
        let failure = Failure {
            at: now.at,
            cause: Cause::Lost,
            reason: "its files are gone, and nothing tells how it ended".to_owned(),
            diagnosis: None,
            run_id: self.ledger.run_id.take(),
            lasted_s: 0.0,
        };
        self.decide(&end, failure, &now)?;
        Ok(None)
    }

    fn grace(&self) -> Duration {
        self.process.grace.unwrap_or(GRACE).into()
    }

    fn policy(&self) -> Policy {
        Policy {
            auto_restart: self.process.auto_restart,
            completes: self.process.completes,
            duration: self.process.duration(),
            max_restarts: self.process.max_restarts,
            cooldown: self.process.restart_cooldown.into(),
            backoff: self.process.backoff,
        }
    }

    /// Decides what follows a death at this moment, and writes it down, alerts included.
    fn decide(&mut self, end: &End, failure: Failure, died: &Moment) -> Result<(), KeepError> {
        let now = now();
        let recent = self.ledger.recent.iter().filter(|at| now.since(at) <= WINDOW).count();
        let past = Past { recent, row: self.ledger.row };
        let action = restart::decide(end, &self.policy(), &past, jitter());
        let name = self.name.to_string();
        let took = human(seconds(failure.lasted_s).unwrap_or_default());
        if action == Action::Done {
            self.ledger.phase = Phase::Completed;
            self.ledger.down_no_more(&now);
            self.write()?;
            events::tell(self.home, &Event::now(&name, What::Completed, format!("after {took}")));
            return Ok(());
        }
        *self.ledger.failures.entry(failure.cause).or_default() += 1;
        let message = failure.words();
        let run_id = failure.run_id.clone();
        let mut tell = vec![Event::now(&name, What::Died, message.clone())];
        match action {
            Action::Restart { after } => {
                self.ledger.row = if end.is_stable() { 0 } else { self.ledger.row + 1 };
                self.ledger.down_since.get_or_insert_with(|| died.clone());
                let after_s = after.as_secs_f64();
                self.ledger.phase = Phase::Due { at: died.later(after), after_s };
                let action = match after {
                    Duration::ZERO => "restarted at once".to_owned(),
                    after => format!("restarted after {}", human(after)),
                };
                self.raise(failure.cause, &message, &action, run_id);
            }
            Action::GiveUp { why } => {
                self.ledger.down_since.get_or_insert_with(|| died.clone());
                self.ledger.phase = Phase::GivenUp { why: why.clone() };
                let action = format!("given up after {why}, until: sentinel-keep start {name}");
                self.raise(Cause::GivenUp, &message, &action, run_id);
                tell.push(Event::now(&name, What::GivenUp, why));
            }
            Action::Leave | Action::Done => {
                self.ledger.down_since.get_or_insert_with(|| died.clone());
                self.ledger.phase = Phase::Failed;
                self.raise(failure.cause, &message, "not restarted (auto_restart is off)", run_id);
            }
        }
        self.ledger.last_failure = Some(failure);
        self.write()?;
        for event in &tell {
            events::tell(self.home, event);
        }
        Ok(())
    }

    /// What kind of failure an end was, and why, in words.
    fn cause(&self, end: &End, report: &Report, result: Option<&RunResult>) -> (Cause, String) {
        let told = report.reason.clone().unwrap_or_else(|| end.outcome.to_string());
        if self.ledger.adopted.is_some()
            && end.outcome == Outcome::Failed
            && report.output.as_ref().is_none_or(|output| output["known"] == false)
        {
            return (Cause::Adopted, "adopted, exit status unknown".to_owned());
        }
        let cause = match end.outcome {
            _ if end.rebooted => Cause::Reboot,
            _ if told.starts_with("--max-") => Cause::Limit,
            Outcome::Success => Cause::Early,
            Outcome::Failed if end.exit_code.is_some() => Cause::Exit,
            Outcome::Failed => Cause::Signal,
            Outcome::Hung => Cause::Hung,
            Outcome::Timeout => Cause::Timeout,
            Outcome::Lost => Cause::Lost,
            Outcome::Stopped => Cause::Stopped,
        };
        let reason = match cause {
            Cause::Early => match self.process.duration() {
                Some(expected) => format!(
                    "exit code 0 before its time ({}): if a signal to the command itself ended it, nobody can know whose",
                    human(expected)
                ),
                None => "exit code 0, but it is to run for ever: if a signal to the command itself ended it, nobody can know whose".to_owned(),
            },
            Cause::Stopped => match result.and_then(|result| result.exit_code) {
                Some(code) => format!("{told} (exit code {code})"),
                None => told,
            },
            _ => told,
        };
        (cause, clip(&reason, 1000))
    }

    // ---- alerts ------------------------------------------------------------------------------

    /// Promises an alert, or counts it where there was one of its kind just now. Giving up is always
    /// told: it needs somebody.
    fn raise(&mut self, cause: Cause, message: &str, action: &str, run_id: Option<String>) {
        let now = now();
        let last = self.ledger.told.get(&cause).map(|told| (now.since(&told.at), told.suppressed));
        let suppressed = match hush(last.filter(|_| cause != Cause::GivenUp)) {
            Hush::Raise { suppressed } => suppressed,
            Hush::Count => {
                if let Some(told) = self.ledger.told.get_mut(&cause) {
                    told.suppressed += 1;
                }
                return;
            }
        };
        let at = now.at;
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.ledger.told.insert(cause, Told { at: now, suppressed: 0 });
        self.ledger.outbox.push(Alert {
            schema: SCHEMA,
            id: format!("{:013}-{}-{cause}", since.as_millis(), self.name),
            at,
            name: self.name.to_string(),
            cause,
            message: clip(message, 2000),
            run_id,
            action: action.to_owned(),
            suppressed,
        });
    }

    /// What cannot be delivered stays promised, is tried again at the next healthcheck, and keeps
    /// nobody from being restarted.
    fn try_to_deliver(&mut self) {
        if let Err(error) = self.deliver() {
            say(format!("sentinel-keep: an alert of {} cannot be delivered: {error}", self.name));
        }
    }

    /// Delivers what was promised, and strikes it out.
    ///
    /// # Errors
    /// If an alert or the ledger cannot be written.
    pub fn deliver(&mut self) -> Result<(), KeepError> {
        if self.ledger.outbox.is_empty() {
            return Ok(());
        }
        for alert in &self.ledger.outbox {
            alerts::deliver(self.home, self.settings, alert)?;
        }
        self.ledger.outbox.clear();
        self.write()
    }

    /// Writes the ledger.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self) -> Result<(), KeepError> {
        self.held.write(&self.ledger)
    }
}

/// Nothing was down longer than this as far as it is counted: a clock that was set says anything.
const DOWN: Duration = Duration::from_hours(24 * 366);

/// A random number from 0 up to 1.
fn jitter() -> f64 {
    let mut bytes = [0_u8; 4];
    let read = std::fs::File::open("/dev/urandom")
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut bytes));
    if read.is_err() {
        bytes = std::process::id().to_ne_bytes();
    }
    f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX)
}

/// Takes the lock and brings one process to where it should be.
///
/// # Errors
/// As [`Case::open`] and [`Case::advance`].
pub fn check(
    home: &Home,
    process: (&JobName, &Process),
    settings: &Settings,
) -> Result<Next, KeepError> {
    Case::open(home, process, settings, PATIENCE)?.advance()
}
