//! What an agent has not heard yet: alerts, and jobs that ended while it was away; at the end of a turn
//! the jobs of its own that failed, or still run. Each is told once.

use super::memory::{Memory, Started};
use crate::decide::verdict::Verdict;
use crate::keep::home::Home;
use crate::keep::{alerts, registry};
use crate::os::claim;
use crate::os::dir::{MonitorDir, mtime_of};
use crate::protocol::alert::Alert;
use crate::protocol::files::JobFiles;
use crate::protocol::heartbeat::Heartbeat;
use crate::protocol::name::JobName;
use crate::protocol::text::{cut, one_line};
use crate::watch::{Config, Kill, Mode, News as Heard, Report, watch};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// So many of a kind are told, the newest; the others are counted.
const SHOWN: usize = 5;
/// So many jobs are read, those that ended last: a build farm has thousands, and a host waits.
const READ: usize = 200;
/// At the end of a turn so many of a session's jobs are looked at, the newest.
const LOOKED_AT: usize = 50;
/// A line is cut here, characters.
const LINE: usize = 240;
/// A project that was never looked at is told of what ended so long ago at most.
const FIRST: Duration = Duration::from_hours(24);
/// Clocks of file systems are coarse, and a look takes time: what ended so long before the last look is
/// looked at again, and known by its id.
const SLACK: Duration = Duration::from_secs(5);
/// A command is read before it runs: a job began at the earliest so long before.
const BEFORE: Duration = Duration::from_secs(2);

/// What there is to tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// In words; empty: nothing.
    pub text: String,
    /// The ids of what it tells.
    pub ids: Vec<String>,
}

/// Where jobs of a project may be: the usual directory, and those its sessions used.
fn places(jobs: &Path, memory: &Memory) -> BTreeSet<PathBuf> {
    memory.jobs.iter().map(|job| job.dir.clone()).chain([jobs.to_owned()]).collect()
}

/// Alerts that nobody has taken, and jobs of this project that ended since the last look.
#[must_use]
pub fn since_last_look(home: &Home, jobs: &Path, memory: &Memory, now: SystemTime) -> Told {
    let mut told = Told::default();
    let mut lines = Vec::new();
    let alerts = alerts::list(home).map(|found| found.alerts).unwrap_or_default();
    let alerts: Vec<Alert> =
        alerts.into_iter().filter(|alert| !memory.has_told(&alert.id)).collect();
    let of_alert =
        |alert: &Alert| format!("alert {}: {}; {}", alert.name, alert.message, alert.action);
    list(&mut lines, &alerts, of_alert, "sentinel-keep alerts");
    told.ids.extend(alerts.iter().map(|alert| alert.id.clone()));
    let since = memory.looked_at.checked_sub(SLACK).unwrap_or(SystemTime::UNIX_EPOCH);
    let since = since.max(now.checked_sub(FIRST).unwrap_or(SystemTime::UNIX_EPOCH));
    let mut recent: Vec<Recent> =
        places(jobs, memory).iter().flat_map(|dir| ended_in(dir, since)).collect();
    // Of what is kept the alerts tell.
    let registry = registry::load(home).unwrap_or_default();
    let kept =
        |job: &Recent| job.dir == home.jobs() && !matches!(registry.get(&job.name), Ok(None));
    recent.retain(|job| !kept(job));
    recent.sort_by_key(|job| std::cmp::Reverse(job.at));
    let at_least = if recent.len() > READ { "at least " } else { "" };
    recent.truncate(READ);
    let mut ended: Vec<Ended> =
        recent.into_iter().filter_map(|job| job.read_as_news(memory)).collect();
    ended.sort_by_key(|job| job.record.started_at);
    // Only what is shown is looked at closely: there is little time.
    let mut shown = Vec::new();
    while shown.len() < SHOWN
        && let Some(job) = ended.pop()
    {
        if let Some(report) = job.report() {
            shown.push(format!("job {}", words(&report, &job.dir, jobs)));
            told.ids.push(job.record.run_id);
        }
    }
    shown.reverse();
    let rest = rest_of(at_least, ended.len());
    write(&mut lines, &shown, &rest, "sentinel-watch --list");
    told.ids.extend(ended.into_iter().map(|job| job.record.run_id));
    if !lines.is_empty() {
        if !alerts.is_empty() {
            lines.push("Alerts stay until they are taken: sentinel-keep alerts --take".to_owned());
        }
        told.text = format!("Sentinel, since the last look here:\n{}", lines.join("\n"));
    }
    told
}

/// A line for each of the newest, and how many more there are.
fn list<T>(lines: &mut Vec<String>, all: &[T], words: impl Fn(&T) -> String, where_all: &str) {
    let more = all.len().saturating_sub(SHOWN);
    let shown: Vec<String> = all[more..].iter().map(words).collect();
    write(lines, &shown, &rest_of("", more), where_all);
}

fn rest_of(at_least: &str, more: usize) -> String {
    if more > 0 { format!("{at_least}{more} more") } else { String::new() }
}

fn write(lines: &mut Vec<String>, shown: &[String], rest: &str, where_all: &str) {
    lines.extend(shown.iter().map(|one| format!("- {}", cut(&one_line(one), LINE))));
    if !rest.is_empty() {
        lines.push(format!("- and {rest}: {where_all}"));
    }
}

/// A job that ended at this time, nanoseconds since the epoch.
struct Recent {
    dir: PathBuf,
    name: JobName,
    at: i128,
}

/// Jobs that ended since then, of whatever project.
fn ended_in(place: &Path, since: SystemTime) -> Vec<Recent> {
    let since_ns = since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let new = |path: &Path| mtime_of(path).filter(|at| *at >= since_ns.cast_signed());
    // A job that ends is renamed into the directory.
    if !MonitorDir::open(place).is_ok_and(|dir| dir.is_some()) || new(place).is_none() {
        return Vec::new();
    }
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    let recent = entries.filter_map(|entry| {
        let name: JobName = entry.file_name().to_str()?.strip_suffix(".status")?.parse().ok()?;
        Some(Recent { dir: place.to_owned(), name, at: new(&entry.path())? })
    });
    recent.collect()
}

impl Recent {
    /// With its record, if it is of this project and was not told.
    fn read_as_news(self, memory: &Memory) -> Option<Ended> {
        let Self { dir, name, .. } = self;
        let record = record(&dir, &name)?;
        let started = memory.jobs.iter().any(|job| job.dir == dir && job.name == name);
        let of_project = started || Path::new(&record.cwd).starts_with(&memory.project);
        (of_project && !memory.has_told(&record.run_id)).then_some(Ended { dir, name, record })
    }
}

/// A job of the project that has ended, and was not told.
struct Ended {
    dir: PathBuf,
    name: JobName,
    record: Heartbeat,
}

impl Ended {
    /// What a watcher says of it; `None`: it has begun again.
    fn report(&self) -> Option<Report> {
        let report = peek(&self.dir, &self.name)?;
        let over = !matches!(report.verdict, Verdict::Running | Verdict::Missing);
        (over && report.run_id.as_ref() == Some(&self.record.run_id)).then_some(report)
    }
}

fn record(dir: &Path, name: &JobName) -> Option<Heartbeat> {
    let dir = MonitorDir::open(dir).ok()??;
    claim::read_heartbeat(&dir, &JobFiles::new(dir.path(), name)).ok()?
}

/// What a watcher says of a job now, without doing anything about it.
fn peek(dir: &Path, name: &JobName) -> Option<Report> {
    let config = Config {
        mode: Mode::Probe,
        kill: Kill::Never,
        start_wait: Duration::ZERO,
        log: false,
        ..Config::new(dir, [name.clone()])
    };
    let mut found = None;
    watch(&config, &mut |news| {
        if let Heard::Verdict(report) = news {
            found = Some(report.clone());
        }
    });
    found
}

/// `build: failed, exit code 101 after 1m 35s; more: sentinel-watch build`
fn words(report: &Report, dir: &Path, usual: &Path) -> String {
    let detail = report.detail();
    let comma = if detail.is_empty() || detail.starts_with("after") { " " } else { ", " };
    let reason = match (&report.reason, report.verdict) {
        (Some(reason), Verdict::Hung | Verdict::Timeout) => format!(": {reason}"),
        _ => String::new(),
    };
    let open = report.circuit.as_ref().is_some_and(|circuit| circuit.open);
    let circuit = if open { "; its circuit is open: stop retrying" } else { "" };
    let more = if report.verdict == Verdict::Success {
        String::new()
    } else {
        format!("; more: {}", watch_command(&report.name, dir, usual))
    };
    format!("{}: {}{comma}{detail}{reason}{circuit}{more}", report.name, report.verdict)
}

fn watch_command(name: &str, dir: &Path, usual: &Path) -> String {
    if dir == usual {
        return format!("sentinel-watch {name}");
    }
    format!("sentinel-watch --dir {} {name}", shell_words::quote(&dir.to_string_lossy()))
}

/// At the end of a turn: what the agent should not leave without having heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TurnEnd {
    /// Jobs that this session started and that failed.
    pub failed: Told,
    /// Those that still run, and of which nobody will tell it.
    pub running: Told,
    /// Those that still run, and of which a waiting hook will tell.
    pub awaited: Vec<String>,
}

/// Looks at the jobs that a session started.
#[must_use]
pub fn at_turn_end(
    jobs: &Path,
    memory: &Memory,
    session: &str,
    is_awaited: &dyn Fn(&str) -> bool,
) -> TurnEnd {
    let mut end = TurnEnd::default();
    let (mut failed, mut running) = (Vec::new(), Vec::new());
    let own = memory.jobs.iter().rev().filter(|job| job.session == session);
    for job in own.take(LOOKED_AT) {
        let Some((record, report)) = run_of(job) else { continue };
        let run = record.run_id;
        match report.verdict {
            Verdict::Success | Verdict::Missing => {}
            Verdict::Running if is_awaited(&run) => end.awaited.push(report.name.clone()),
            Verdict::Running => {
                let id = format!("running:{run}");
                if !memory.has_told(&id) {
                    let wait = watch_command(job.name.as_str(), &job.dir, jobs);
                    let wait = wait.replacen("sentinel-watch", "sentinel-watch --max-wait 100s", 1);
                    running.push(format!(
                        "{}: running {}; wait for it: {wait}",
                        report.name,
                        report.detail()
                    ));
                    end.running.ids.push(id);
                }
            }
            _ if memory.has_told(&run) => {}
            _ => {
                failed.push(words(&report, &job.dir, jobs));
                end.failed.ids.push(run);
            }
        }
    }
    let text = |head: &str, all: &[String]| {
        let mut lines = Vec::new();
        list(&mut lines, all, Clone::clone, "sentinel-watch --list");
        if lines.is_empty() { String::new() } else { format!("{head}\n{}", lines.join("\n")) }
    };
    end.failed.text = text("Sentinel: jobs that this session started have failed:", &failed);
    end.running.text = text(
        "Sentinel: jobs that this session started still run. Wait for them, or tell the user that they go on:",
        &running,
    );
    end
}

/// Whether a job that a session started runs.
#[must_use]
pub fn runs(job: &Started) -> bool {
    run_of(job).is_some_and(|(_, report)| report.verdict == Verdict::Running)
}

/// The run that a session started, as it is now.
fn run_of(job: &Started) -> Option<(Heartbeat, Report)> {
    let record = record(&job.dir, &job.name)?;
    let after = job.at.checked_sub(BEFORE).unwrap_or(SystemTime::UNIX_EPOCH);
    let report = peek(&job.dir, &job.name)?;
    (record.started_at >= after && report.run_id.as_deref() == Some(&record.run_id))
        .then_some((record, report))
}
