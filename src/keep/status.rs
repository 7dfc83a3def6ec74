//! What is known of each process at this moment: the same for people and for programs.

use super::home::Home;
use super::ledger::now;
use super::{KeepError, adoption, ledger, look, order, remnant, strays};
use crate::decide::verdict::Verdict;
use crate::os::{clock, usage};
use crate::protocol::heartbeat::Heartbeat;
use crate::protocol::ledger::{Failure, Ledger, Phase};
use crate::protocol::name::JobName;
use crate::protocol::outcome::Outcome;
use crate::protocol::progress::Pace;
use crate::protocol::registry::{Process, Registry};
use crate::protocol::time::{human, seconds};
use crate::watch::Report;
use serde::Serialize;
use std::collections::HashMap;
use std::time::Duration;

/// In one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It runs.
    Running,
    /// It runs, and its health probe fails.
    Unhealthy,
    /// It runs, and nothing can ever wake it: it will be called hung.
    Stuck,
    /// Nothing has justified a beat for too long, and no healthcheck has ended it yet.
    Hung,
    /// It ended, and no healthcheck has seen it yet.
    Dead,
    /// It will be started, for the first time since somebody asked for it.
    Starting,
    /// It is dead, and will be started again.
    Restarting,
    /// It will be started once others are there.
    Waiting,
    /// Nobody wants it to run.
    Stopped,
    /// It ended as it should.
    Completed,
    /// It died, and is not restarted.
    Failed,
    /// It died too often, until somebody acts.
    GivenUp,
    /// Its entry, or what is remembered of it, cannot be understood.
    Invalid,
}

impl State {
    /// Whether it runs.
    #[must_use]
    pub fn runs(self) -> bool {
        matches!(self, Self::Running | Self::Unhealthy | Self::Stuck)
    }

    /// Whether it should run and does not.
    #[must_use]
    pub fn is_missed(self) -> bool {
        !self.runs() && !matches!(self, Self::Stopped | Self::Completed)
    }

    /// As it is printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Unhealthy => "unhealthy",
            Self::Stuck => "stuck",
            Self::Hung => "hung",
            Self::Dead => "dead",
            Self::Starting => "starting",
            Self::Restarting => "restarting",
            Self::Waiting => "waiting",
            Self::Stopped => "stopped",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::GivenUp => "given-up",
            Self::Invalid => "invalid",
        }
    }
}

/// One process; what is unknown, or does not apply, is null. The JSON of `status --json` is this.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Which.
    pub name: String,
    /// In one word.
    pub state: State,
    /// What more is to be said of it: why it waits, was given up, or cannot be understood.
    pub detail: Option<String>,
    /// The watcher's verdict on its last run.
    pub verdict: Option<Verdict>,
    /// The run.
    pub run_id: Option<String>,
    /// The wrapper, while it runs.
    pub pid: Option<i32>,
    /// The command, while it runs.
    pub child_pid: Option<i32>,
    /// It was adopted: so its exit status may never be known.
    pub adopted: bool,
    /// Seconds the present run has lasted.
    pub uptime_s: Option<f64>,
    /// Restarts since it was registered.
    pub restarts: u64,
    /// How often it failed, by cause.
    pub failures: std::collections::BTreeMap<crate::protocol::alert::Cause, u64>,
    /// How it failed last.
    pub last_failure: Option<Failure>,
    /// Seconds until it is started again.
    pub restart_in_s: Option<f64>,
    /// Seconds it has been down although it should run.
    pub down_s: Option<f64>,
    /// What it says of its progress.
    pub progress: Option<String>,
    /// How fast that goes.
    pub pace: Option<Pace>,
    /// What it waits for.
    pub awaits: Option<String>,
    /// Seconds since its last sign of life.
    pub quiet_s: Option<f64>,
    /// What its probes fail with.
    pub trouble: Option<String>,
    /// Memory of its whole tree, bytes (PSS).
    pub memory_bytes: Option<u64>,
    /// CPU time of the run, seconds.
    pub cpu_s: Option<f64>,
    /// CPU over the whole run; 100 is one core.
    pub cpu_percent: Option<f64>,
    /// What is executed.
    pub command: String,
    /// Its log.
    pub log: String,
    /// The tmux session it is in.
    pub tmux: Option<String>,
}

/// All of them; some, where some are named.
///
/// # Errors
/// If the jobs cannot be looked at.
pub fn all(home: &Home, registry: &Registry, only: &[JobName]) -> Result<Vec<Status>, KeepError> {
    let chosen: Vec<(&JobName, &Process)> =
        registry.processes().filter(|(name, _)| only.is_empty() || only.contains(name)).collect();
    let names: Vec<JobName> = chosen.iter().map(|(name, _)| (*name).clone()).collect();
    let reports = if names.is_empty() { Vec::new() } else { look::peek(home, names)? };
    let reports: HashMap<String, Report> =
        reports.into_iter().map(|report| (report.name.clone(), report)).collect();
    let mut found = Vec::new();
    for (name, process) in chosen {
        let report = reports.get(name.as_str());
        // What one ledger keeps to itself is no reason to say nothing of the others.
        let status = one(home, registry, (name, process), report)
            .unwrap_or_else(|error| Status::invalid(name.as_str(), &error.to_string()));
        found.push(status);
    }
    if only.is_empty() {
        found.extend(registry.bad().map(|bad| Status::invalid(&bad.name, &bad.why)));
        found.extend(
            strays::find(home, registry)
                .iter()
                .map(|name| Status::invalid(name.as_str(), &strays::message(home))),
        );
    }
    Ok(found)
}

fn one(
    home: &Home,
    registry: &Registry,
    (name, process): (&JobName, &Process),
    report: Option<&Report>,
) -> Result<Status, KeepError> {
    let ledger = ledger::read(home, name)?;
    let report = report.filter(|report| report.verdict != Verdict::Missing);
    let running = report.is_some_and(|report| report.verdict == Verdict::Running);
    let record = look::heartbeat(home, name).filter(|_| running);
    let (state, detail) = match &record {
        Some(record) => health(process, record),
        None if running => (State::Running, None),
        None => match (&ledger.phase, report) {
            (Phase::Up, Some(report)) => (unseen(report), report.reason.clone()),
            (Phase::Completed, Some(report)) => {
                let took = report.elapsed_s.and_then(seconds);
                (State::Completed, took.map(|took| format!("after {}", human(took))))
            }
            _ => resting(&ledger, order::waits_for(home, registry, process)?),
        },
    };
    let used = record.as_ref().and_then(|record| match &ledger.adopted {
        Some(adopted) => adoption::usage(adopted),
        None => usage::usage(record),
    });
    let uptime_s = report.filter(|_| running).and_then(|report| report.elapsed_s);
    let cpu_s = used.as_ref().map(|used| used.cpu_s);
    let now = now();
    Ok(Status {
        name: name.to_string(),
        state,
        detail,
        // What somebody had ended did not fail, whatever a watcher has to call it.
        verdict: report
            .filter(|report| {
                ledger.phase != Phase::Stopped || report.outcome != Some(Outcome::Stopped)
            })
            .map(|report| report.verdict),
        run_id: report.and_then(|report| report.run_id.clone()),
        pid: record.as_ref().map(|record| record.pid),
        child_pid: match (&ledger.adopted, &record) {
            // Not its stand-in.
            (Some(adopted), Some(_)) => Some(adopted.pid),
            (_, record) => record.as_ref().and_then(|record| record.child_pid),
        },
        adopted: ledger.adopted.is_some(),
        uptime_s,
        restarts: ledger.restarts,
        restart_in_s: match &ledger.phase {
            Phase::Due { at, .. } if !running => Some(at.left(&now).as_secs_f64()),
            _ => None,
        },
        down_s: ledger.down_since.as_ref().filter(|_| !running).map(|s| now.since(s).as_secs_f64()),
        failures: ledger.failures,
        last_failure: ledger.last_failure,
        progress: report.and_then(|report| report.progress.clone()),
        pace: report.and_then(|report| report.pace),
        awaits: report.and_then(|report| report.awaits.clone()),
        quiet_s: report.and_then(|report| report.quiet_s),
        trouble: record.as_ref().and_then(|record| record.trouble.clone()),
        memory_bytes: used.as_ref().map(|used| used.memory),
        cpu_s,
        cpu_percent: cpu_s
            .filter(|_| ledger.adopted.is_none())
            .zip(uptime_s)
            .map(|(cpu, up)| cpu / up.max(0.01) * 100.0),
        command: process.command.clone(),
        log: home.jobs().join(format!("{name}.log")).display().to_string(),
        tmux: process.tmux.then(|| super::tmux::session(name)),
    })
}

/// The state of one that runs.
fn health(process: &Process, record: &Heartbeat) -> (State, Option<String>) {
    if let Some(stuck) = &record.stuck {
        return (State::Stuck, Some(stuck.clone()));
    }
    let Some(trouble) = record.trouble.as_ref().filter(|trouble| trouble.contains("health:"))
    else {
        return (State::Running, None);
    };
    // Up to the threshold its failures still beat; so who has not beaten since has passed it.
    let beat = Duration::from_nanos(record.beat.monotonic_ns);
    let silence = clock::monotonic().saturating_sub(beat);
    let probes = process.rhythm().map(|rhythm| rhythm.probes).unwrap_or_default();
    let state = if silence > probes.mul_f64(1.5) { State::Unhealthy } else { State::Running };
    (state, Some(trouble.clone()))
}

/// The state of one that should run and does not, before anybody has acted on it.
fn unseen(report: &Report) -> State {
    match report.verdict {
        Verdict::Hung | Verdict::Timeout if report.outcome.is_none() => State::Hung,
        _ => State::Dead,
    }
}

/// The state of one that does not run.
fn resting(ledger: &Ledger, waits: Option<String>) -> (State, Option<String>) {
    match &ledger.phase {
        Phase::Stopped => (State::Stopped, None),
        Phase::Completed => (State::Completed, None),
        Phase::Failed => (State::Failed, None),
        Phase::GivenUp { why } => (State::GivenUp, Some(why.clone())),
        Phase::Up if remnant::lives(ledger) => {
            (State::Running, Some("its files were deleted; it makes them anew".to_owned()))
        }
        Phase::Up => (State::Dead, Some("its files are gone".to_owned())),
        Phase::Due { .. } if waits.is_some() => (State::Waiting, waits),
        Phase::Due { .. } if ledger.down_since.is_none() => (State::Starting, None),
        Phase::Due { .. } => (State::Restarting, None),
    }
}

impl Status {
    fn invalid(name: &str, why: &str) -> Self {
        Self {
            name: name.to_owned(),
            state: State::Invalid,
            detail: Some(why.to_owned()),
            verdict: None,
            run_id: None,
            pid: None,
            child_pid: None,
            adopted: false,
            uptime_s: None,
            restarts: 0,
            failures: std::collections::BTreeMap::new(),
            last_failure: None,
            restart_in_s: None,
            down_s: None,
            progress: None,
            pace: None,
            awaits: None,
            quiet_s: None,
            trouble: None,
            memory_bytes: None,
            cpu_s: None,
            cpu_percent: None,
            command: String::new(),
            log: String::new(),
            tmux: None,
        }
    }
}
