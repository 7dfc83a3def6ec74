//! What the watcher says of kept processes.

use super::KeepError;
use super::home::Home;
use crate::os::claim;
use crate::os::dir::MonitorDir;
use crate::os::lock::is_locked;
use crate::protocol::files::JobFiles;
use crate::protocol::heartbeat::Heartbeat;
use crate::protocol::name::JobName;
use crate::protocol::result::RunResult;
use crate::watch::{Config, Kill, Mode, News, Report, watch};
use std::time::Duration;

/// More than any result of ours.
const MAX_RESULT: u64 = 256 << 10;

/// A watch of these processes that tells no more than is needed to decide.
#[must_use]
pub fn config(home: &Home, names: impl IntoIterator<Item = JobName>, mode: Mode) -> Config {
    Config {
        mode,
        start_wait: Duration::ZERO,
        timeout: Some(Duration::ZERO),
        log: false,
        ..Config::new(home.jobs(), names)
    }
}

/// One look at each: what is dead or stale is ended and recorded first.
///
/// # Errors
/// The last job that could not be judged.
pub fn look(home: &Home, names: Vec<JobName>) -> Result<Vec<Report>, KeepError> {
    ask(&config(home, names, Mode::Once))
}

/// One look that changes nothing.
///
/// # Errors
/// As [`look`].
pub fn peek(home: &Home, names: Vec<JobName>) -> Result<Vec<Report>, KeepError> {
    ask(&Config { kill: Kill::Never, ..config(home, names, Mode::Probe) })
}

/// Ends a process, its whole tree; the last word on its run.
///
/// # Errors
/// As [`look`].
pub fn end(home: &Home, name: &JobName) -> Result<Report, KeepError> {
    let reports = ask(&config(home, [name.clone()], Mode::Stop))?;
    one(reports, name)
}

/// The one report there must be.
///
/// # Errors
/// If there is none.
pub fn one(reports: Vec<Report>, name: &JobName) -> Result<Report, KeepError> {
    let missing = || KeepError::Usage(format!("nothing is known of {name}"));
    reports.into_iter().next().ok_or_else(missing)
}

fn ask(config: &Config) -> Result<Vec<Report>, KeepError> {
    let mut reports = Vec::new();
    let mut failed = Vec::new();
    let exits = watch(config, &mut |news| match news {
        News::Verdict(report) => reports.push(report.clone()),
        News::Failed(error) => failed.push(error.to_string()),
        News::Event { .. } | News::Waiting(..) => {}
    });
    match failed.pop() {
        Some(why) if exits.contains(&2) && reports.is_empty() => Err(KeepError::Usage(why)),
        _ => Ok(reports),
    }
}

/// The record of a run's end.
#[must_use]
pub fn result(home: &Home, name: &JobName, run_id: &str) -> Option<RunResult> {
    let dir = MonitorDir::open(&home.jobs()).ok()??;
    let path = JobFiles::new(dir.path(), name).result();
    let bytes = dir.read(&path, MAX_RESULT).ok()??;
    RunResult::unpack(&bytes).filter(|result| result.run_id == run_id)
}

/// The record of the run that runs, or ran last.
#[must_use]
pub fn heartbeat(home: &Home, name: &JobName) -> Option<Heartbeat> {
    let dir = MonitorDir::open(&home.jobs()).ok()??;
    claim::read_heartbeat(&dir, &JobFiles::new(dir.path(), name)).ok()?
}

/// Whether somebody holds the job's lock: it runs, or is about to.
#[must_use]
pub fn is_held(home: &Home, name: &JobName) -> bool {
    let dir = MonitorDir::open(&home.jobs()).ok().flatten();
    dir.is_some_and(|dir| is_locked(&dir, &JobFiles::new(dir.path(), name).pid()).unwrap_or(false))
}
