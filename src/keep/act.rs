//! What people ask for: start, stop, restart. Each may be asked twice, or by two at once.

use super::KeepError;
use super::alerts::Settings;
use super::case::Case;
use super::check::Next;
use super::home::Home;
use super::ledger::now;
use super::{adoption, events, look, remnant};
use crate::decide::verdict::Verdict;
use crate::os::clock;
use crate::os::process::Stat;
use crate::protocol::event::{Event, What};
use crate::protocol::ledger::{Adopted, Phase};
use crate::protocol::name::JobName;
use crate::protocol::outcome::Outcome;
use crate::protocol::registry::Process;
use std::time::Duration;

/// Somebody else may be ending it, with its grace.
const PATIENCE: Duration = Duration::from_mins(2);

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Done {
    /// It runs now, with this wrapper.
    Started(Option<i32>),
    /// It was ended if it ran, and runs now.
    Restarted(Option<i32>),
    /// It ran before.
    AlreadyRunning(Option<i32>),
    /// It is started once others are there.
    Waits(String),
    /// It was ended.
    Stopped,
    /// It did not run.
    NotRunning,
}

/// Starts a process, unless it runs. What is known of its failures is forgotten: a person has acted.
///
/// # Errors
/// If it cannot be started.
pub fn start(
    home: &Home,
    process: (&JobName, &Process),
    settings: &Settings,
) -> Result<Done, KeepError> {
    let mut case = Case::open(home, process, settings, PATIENCE)?;
    let report = look::one(look::look(home, vec![process.0.clone()])?, process.0)?;
    let vanished = report.verdict == Verdict::Missing && remnant::lives(&case.ledger);
    if report.verdict == Verdict::Running || (vanished && case.ledger.phase == Phase::Up) {
        case.advance()?;
        if case.ledger.phase == Phase::Up {
            return Ok(Done::AlreadyRunning(pid(home, process.0)));
        }
    } else if !case.ledger.phase.wants_to_run() {
        // What ended before is not this start's affair.
        case.strike_out(&report);
    }
    begin_anew(&mut case);
    case.write()?;
    finish(&mut case)
}

/// Ends a process if it runs, and starts it.
///
/// # Errors
/// If it cannot be started.
pub fn restart(
    home: &Home,
    process: (&JobName, &Process),
    settings: &Settings,
) -> Result<Done, KeepError> {
    let mut case = Case::open(home, process, settings, PATIENCE)?;
    let report = look::one(look::look(home, vec![process.0.clone()])?, process.0)?;
    if report.verdict == Verdict::Running {
        // First the promise, so that a restart which is cut short is carried out by the next look.
        case.ledger.replaced.clone_from(&report.run_id);
    } else if !case.ledger.phase.wants_to_run() {
        case.strike_out(&report);
    }
    begin_anew(&mut case);
    case.ledger.by_hand = true;
    case.write()?;
    finish(&mut case).map(|done| match done {
        Done::Started(wrapper) => Done::Restarted(wrapper),
        done => done,
    })
}

fn begin_anew(case: &mut Case<'_>) {
    let now = now();
    case.ledger.down_no_more(&now);
    case.ledger.phase = Phase::Due { at: now, after_s: 0.0 };
    case.ledger.row = 0;
    case.ledger.refused = 0;
    case.ledger.recent.clear();
}

fn finish(case: &mut Case<'_>) -> Result<Done, KeepError> {
    let mut next = case.advance()?;
    if matches!(next, Next::In(_) | Next::Rest) && case.refused.is_none() {
        // A death nobody had seen was dealt with first; who asks for a start does not wait for it.
        begin_anew(case);
        case.write()?;
        next = case.advance()?;
    }
    if let Some(why) = case.refused.take() {
        return Err(KeepError::Refused { name: case.name.to_string(), why });
    }
    Ok(match next {
        Next::Blocked(why) => Done::Waits(why),
        Next::Rest | Next::Watch | Next::In(_) => Done::Started(pid(case.home, case.name)),
    })
}

fn pid(home: &Home, name: &JobName) -> Option<i32> {
    look::heartbeat(home, name).map(|record| record.pid)
}

/// Takes a running process under watch; when it has ended, its entry is what is started.
///
/// # Errors
/// If it may not be adopted, or another of this name runs.
pub fn adopt(
    home: &Home,
    process: (&JobName, &Process),
    settings: &Settings,
    stat: &Stat,
) -> Result<Done, KeepError> {
    let mut case = Case::open(home, process, settings, PATIENCE)?;
    let report = look::one(look::look(home, vec![process.0.clone()])?, process.0)?;
    if report.verdict == Verdict::Running {
        let name = process.0;
        return Err(KeepError::Usage(format!(
            "{name} runs already; to adopt pid {} in its place, stop it first: sentinel-keep stop {name}",
            stat.pid
        )));
    }
    begin_anew(&mut case);
    case.ledger.settled.clone_from(&report.run_id);
    let boot_id = clock::boot_id().to_owned();
    case.ledger.adopted = Some(Adopted { pid: stat.pid, start: stat.start, boot_id });
    case.write()?;
    events::tell(home, &Event::now(process.0.as_str(), What::Adopted, format!("pid {}", stat.pid)));
    finish(&mut case)
}

/// Ends a process, its whole tree. It stays stopped.
///
/// # Errors
/// If it cannot be ended.
pub fn stop(
    home: &Home,
    process: (&JobName, &Process),
    settings: &Settings,
) -> Result<Done, KeepError> {
    stop_case(&mut Case::open(home, process, settings, PATIENCE)?)
}

fn stop_case(case: &mut Case<'_>) -> Result<Done, KeepError> {
    let was_up = case.ledger.phase == Phase::Up;
    let changes = case.ledger.phase != Phase::Stopped || !case.known;
    // First the word, then the deed: whoever looks meanwhile starts nothing.
    case.ledger.phase = Phase::Stopped;
    case.ledger.down_no_more(&now());
    case.ledger.replaced = None;
    case.ledger.by_hand = false;
    if changes {
        case.write()?;
    }
    let report = look::one(look::peek(case.home, vec![case.name.clone()])?, case.name)?;
    let runs = report.verdict == Verdict::Running
        || look::is_held(case.home, case.name)
        || remnant::lives(&case.ledger)
        || case.ledger.adopted.as_ref().is_some_and(adoption::lives);
    // Of a run whose wrapper was killed, or whose files are gone, the command may be left.
    let unsettled = report.run_id != case.ledger.settled && report.outcome == Some(Outcome::Lost);
    if !runs && !unsettled && !was_up {
        return Ok(Done::NotRunning);
    }
    case.end_run()?;
    if !runs && !unsettled {
        return Ok(Done::NotRunning);
    }
    events::tell(case.home, &Event::now(case.name.as_str(), What::Stopped, ""));
    Ok(Done::Stopped)
}

/// Ends a process and forgets it, its entry left to the caller. What is not delivered yet of its
/// alerts is delivered first.
///
/// # Errors
/// If it cannot be ended.
pub fn forget(
    home: &Home,
    process: (&JobName, &Process),
    settings: &Settings,
) -> Result<Done, KeepError> {
    let mut case = Case::open(home, process, settings, PATIENCE)?;
    let done = stop_case(&mut case)?;
    case.deliver()?;
    case.held.remove()?;
    Ok(done)
}
