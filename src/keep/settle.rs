//! Ends: what a run that is over was, and what follows from it.

use super::case::Case;
use super::ledger::now;
use super::{KeepError, adoption, events, look, remnant};
use crate::decide::restart::{self, Action, End, Past, WINDOW};
use crate::decide::verdict::Verdict;
use crate::os::dir::MonitorDir;
use crate::os::{claim, clock};
use crate::protocol::alert::Cause;
use crate::protocol::clip;
use crate::protocol::event::{Event, What};
use crate::protocol::ledger::{Failure, Moment, Phase};
use crate::protocol::outcome::Outcome;
use crate::protocol::result::RunResult;
use crate::protocol::time::{human, seconds};
use crate::watch::Report;
use std::time::{Duration, Instant, SystemTime};

/// A wrapper that has recorded holds its lock for so long at most.
const LETTING_GO: Duration = Duration::from_secs(2);
/// Nothing was down longer than this as far as it is counted: a clock that was set says anything.
const DOWN: Duration = Duration::from_hours(24 * 366);

impl Case<'_> {
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
    ///
    /// # Errors
    /// If the ledger cannot be written.
    pub fn settle(&mut self, report: &Report) -> Result<(), KeepError> {
        let record = look::heartbeat(self.home, self.name)
            .filter(|record| Some(&record.run_id) == report.run_id.as_ref());
        let executed = record.as_ref().is_none_or(|record| record.child_pid.is_some());
        let unseen = self.ledger.run_id != report.run_id && self.ledger.down_since.is_some();
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
        // Whatever it ended with while nobody looked, down to the TERM of a shutdown.
        let rebooted = record.is_some_and(|record| claim::was_rebooted(&record));
        let outcome = report.outcome.unwrap_or(Outcome::Failed);
        let end = End { outcome, exit_code: report.exit_code, lasted, rebooted };
        let ended_at = result.as_ref().map_or_else(SystemTime::now, |result| result.ended_at);
        let now = now();
        let died = now.earlier(now.at.duration_since(ended_at).unwrap_or_default().min(DOWN));
        if unseen {
            // It was started again and died while nobody looked: that restart counts, too.
            let since = died.earlier(lasted);
            self.ledger.restarted(&since, WINDOW);
            if executed {
                self.ledger.recovered(&since);
            }
        }
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

    /// Its files are gone: somebody deleted them, and with them what could tell how it ended. False:
    /// its wrapper lives, and will make them anew.
    ///
    /// # Errors
    /// If its processes do not end, or the ledger cannot be written.
    pub fn vanished(&mut self) -> Result<bool, KeepError> {
        if remnant::lives(&self.ledger) && MonitorDir::create(&self.home.jobs()).is_ok() {
            return Ok(false);
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
        Ok(true)
    }

    /// Decides what follows a death at this moment, and writes it down, alerts included.
    ///
    /// # Errors
    /// If the ledger cannot be written.
    pub fn decide(&mut self, end: &End, failure: Failure, died: &Moment) -> Result<(), KeepError> {
        let now = now();
        let recent = self.ledger.recent.iter().filter(|at| now.age(at) <= WINDOW).count();
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
        let count = self.ledger.failures.entry(failure.cause).or_default();
        *count = count.saturating_add(1);
        let message = failure.words();
        let run_id = failure.run_id.clone();
        let mut tell = vec![Event::now(&name, What::Died, message.clone())];
        match action {
            Action::Restart { after } => {
                self.ledger.row =
                    if end.is_stable() { 0 } else { self.ledger.row.saturating_add(1) };
                self.ledger.down_since.get_or_insert_with(|| died.clone());
                let after_s = after.as_secs_f64();
                self.ledger.phase = Phase::Due { at: died.later(after), after_s };
                let action = match after {
                    Duration::ZERO => "restart at once".to_owned(),
                    after => format!("restart after {}", human(after)),
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
                None => "exit code 0, but it is to run for ever: it may have gone into the background; if a signal to the command itself ended it, nobody can know whose".to_owned(),
            },
            Cause::Stopped => match result.and_then(|result| result.exit_code) {
                Some(code) => format!("{told} (exit code {code})"),
                None => told,
            },
            _ => told,
        };
        (cause, clip(&reason, 1000))
    }
}

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
