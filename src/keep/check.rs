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
use super::case::Case;
use super::home::Home;
use super::launch::{self, Launch, Refused};
use super::ledger::now;
use super::{KeepError, adoption, events, look, order, registry, remnant};
use crate::decide::restart::{self, End, WINDOW};
use crate::decide::verdict::Verdict;
use crate::os::disk::Draft;
use crate::protocol::alert::Cause;
use crate::protocol::event::{Event, What};
use crate::protocol::ledger::{Failure, Phase};
use crate::protocol::name::JobName;
use crate::protocol::outcome::Outcome;
use crate::protocol::registry::Process;
use crate::protocol::time::{human, seconds};
use crate::watch::Report;
use std::time::Duration;

/// Others act for as long as a start or an ending takes.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// A process that cannot be started for want of room is tried again after this at the latest.
const NO_ROOM: Duration = Duration::from_secs(30);
/// A wrapper whose files were deleted makes them anew at its next look; it is looked for this often.
const ANEW: Duration = Duration::from_secs(1);

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

/// What keeps a process from being looked after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// In words.
    pub why: String,
    /// Somebody else is at it, and looks after it.
    pub passes: bool,
}

impl From<KeepError> for Trouble {
    fn from(error: KeepError) -> Self {
        Self { why: error.to_string(), passes: matches!(error, KeepError::Busy { .. }) }
    }
}

impl Case<'_> {
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
                let lasts = report.elapsed_s.and_then(seconds).unwrap_or_default();
                self.came_up(report.run_id.clone(), lasts)?;
                Ok(Some(Next::Watch))
            }
            (Phase::Up | Phase::Due { .. }, Verdict::Missing) if self.ledger.phase == Phase::Up => {
                Ok(if self.vanished()? { None } else { Some(Next::In(ANEW)) })
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

    fn start_if_due(&mut self) -> Result<Option<Next>, KeepError> {
        let Phase::Due { at, .. } = &self.ledger.phase else { return Ok(Some(Next::Rest)) };
        let left = at.left(&now());
        if !left.is_zero() {
            return Ok(Some(Next::In(left)));
        }
        let adopted = self.ledger.adopted.as_ref().filter(|adopted| adoption::lives(adopted));
        // While the registry cannot be understood, nobody waits: better out of order than not at all.
        if adopted.is_none()
            && !self.process.after.is_empty()
            && let Ok(registry) = registry::load(self.home)
            && let Some(why) = order::waits_for(self.home, &registry, self.process)?
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
        let again = self.ledger.by_hand || self.ledger.down_since.is_some();
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
                self.came_up(run_id, Duration::ZERO)?;
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

    /// A run is there that was not known: ours, or one that somebody else started. It has lasted for
    /// so long already.
    fn came_up(&mut self, run_id: Option<String>, lasts: Duration) -> Result<(), KeepError> {
        if self.ledger.phase == Phase::Up && self.ledger.run_id == run_id {
            return Ok(());
        }
        let since = now().earlier(lasts);
        let what = if self.ledger.down_since.is_some() {
            self.ledger.restarted(&since, WINDOW);
            self.ledger.recovered(&since);
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
        self.ledger.by_hand = false;
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
