//! Numbers about kept processes, for programs and for Prometheus.
//!
//! What only grows is the sum of what the ledger remembers of runs that are over, and of the run that
//! it has not dealt with yet: so nothing is counted twice, and nothing falls back when a run ends.

use super::home::Home;
use super::{KeepError, adoption, ledger, look, queue};
use crate::decide::verdict::Verdict;
use crate::os::usage::usage;
use crate::protocol::alert::{Alert, Cause};
use crate::protocol::exposition::{Exposition, Kind, Metric};
use crate::protocol::ledger::Phase;
use crate::protocol::name::JobName;
use crate::protocol::registry::{Process, Registry};
use crate::protocol::time::as_rfc3339;
use crate::watch::Report;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::time::{SystemTime, UNIX_EPOCH};

/// One process.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Numbers {
    /// Its name.
    pub name: String,
    /// What is being done about it, as in its ledger: `up`, `due`, `given-up`, …
    pub state: &'static str,
    /// It runs.
    pub up: bool,
    /// It was started, and neither stopped nor finished.
    pub should_run: bool,
    /// So often it was started again after a death.
    pub restarts: u64,
    /// Seconds it was down although it should have run, up to now.
    pub downtime_s: f64,
    /// How often it came back without anybody's help.
    pub recoveries: u64,
    /// Seconds that took in the mean.
    pub mean_time_to_recovery_s: Option<f64>,
    /// How often it failed, by cause.
    pub failures: BTreeMap<Cause, u64>,
    /// When it last did.
    #[serde(serialize_with = "time_or_null")]
    pub last_failure_at: Option<SystemTime>,
    /// Seconds since its start, if it runs.
    pub uptime_s: Option<f64>,
    /// Seconds it ran, over all runs.
    pub uptime_total_s: f64,
    /// What its tree has in memory (PSS), if that can be seen.
    pub memory_bytes: Option<u64>,
    /// CPU seconds it used, over all runs but those it was adopted for.
    pub cpu_total_s: f64,
    /// Alerts nobody has taken.
    pub alerts: usize,
}

/// All of them together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// How many are registered.
    pub processes: usize,
    /// Entries of the registry that cannot be understood.
    pub bad_entries: usize,
    /// How many run.
    pub up: usize,
    /// How many should.
    pub should_run: usize,
    /// As of one process.
    pub restarts: u64,
    /// As of one process.
    pub downtime_s: f64,
    /// As of one process.
    pub recoveries: u64,
    /// As of one process.
    pub failures: BTreeMap<Cause, u64>,
    /// As of one process.
    pub uptime_total_s: f64,
    /// As of one process.
    pub memory_bytes: u64,
    /// As of one process.
    pub cpu_total_s: f64,
    /// Alerts nobody has taken, also of what is not registered any more.
    pub alerts: usize,
}

/// What there is to know, at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Metrics {
    /// This moment.
    #[serde(with = "as_rfc3339")]
    pub at: SystemTime,
    /// One after the other, as they are registered.
    pub processes: Vec<Numbers>,
    /// All together.
    pub totals: Totals,
}

#[expect(clippy::ref_option, reason = "serde hands it over so")]
fn time_or_null<S: serde::Serializer>(at: &Option<SystemTime>, to: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => as_rfc3339::serialize(at, to),
        None => to.serialize_none(),
    }
}

/// Looks at all of them, and changes nothing.
///
/// # Errors
/// If the jobs cannot be looked at, or a ledger cannot be read.
pub fn gather(home: &Home, registry: &Registry) -> Result<Metrics, KeepError> {
    let names: Vec<JobName> = registry.processes().map(|(name, _)| name.clone()).collect();
    let reports = if names.is_empty() { Vec::new() } else { look::peek(home, names)? };
    let reports: HashMap<&str, &Report> = reports.iter().map(|r| (r.name.as_str(), r)).collect();
    let alerts = alerts(home)?;
    let mut processes = Vec::new();
    for (name, process) in registry.processes() {
        let report = reports.get(name.as_str()).copied();
        // One ledger that is refused keeps nobody from the numbers of the others.
        let Ok(mut numbers) = of(home, (name, process), report) else { continue };
        numbers.alerts = alerts.get(name.as_str()).copied().unwrap_or_default();
        processes.push(numbers);
    }
    let mut totals = sum(&processes);
    totals.bad_entries = registry.bad().count();
    totals.alerts = alerts.values().sum();
    Ok(Metrics { at: SystemTime::now(), processes, totals })
}

fn of(
    home: &Home,
    (name, process): (&JobName, &Process),
    report: Option<&Report>,
) -> Result<Numbers, KeepError> {
    // After the report: what has been settled since is in the ledger, and not counted again.
    let ledger = ledger::read(home, name)?;
    let up = report.is_some_and(|report| report.verdict == Verdict::Running);
    let open = report.filter(|report| {
        report.verdict != Verdict::Missing
            && report.run_id.is_some()
            && report.run_id != ledger.settled
    });
    let record = look::heartbeat(home, name).filter(|_| open.is_some());
    let record =
        record.filter(|record| open.is_some_and(|o| o.run_id.as_ref() == Some(&record.run_id)));
    let usage = record.as_ref().and_then(usage);
    let run_s = open.and_then(|report| report.elapsed_s);
    let cpu_s = match (&usage, open.and_then(|report| report.run_id.as_deref())) {
        // The wrapper waits for the commands of probes, too, and they are none of the process's.
        (Some(usage), _) if process.asks_by_command() => usage.cpu_s,
        (Some(usage), _) => usage.cpu_s + usage.dead_cpu_s,
        (None, Some(run_id)) => {
            look::result(home, name, run_id).and_then(|r| r.cpu_s).unwrap_or(0.0)
        }
        (None, None) => 0.0,
    };
    let memory = match &ledger.adopted {
        Some(adopted) => usage.and_then(|_| adoption::usage(adopted)),
        None => usage,
    };
    let down = ledger.down_since.as_ref().map(|since| ledger::now().since(since).as_secs_f64());
    Ok(Numbers {
        name: name.to_string(),
        state: ledger.phase.as_str(),
        up,
        should_run: ledger.phase.is_wanted(),
        restarts: ledger.restarts,
        downtime_s: ledger.downtime_s + down.unwrap_or_default(),
        recoveries: ledger.recoveries,
        mean_time_to_recovery_s: ledger.mean_recovery_s(),
        last_failure_at: ledger.last_failure.as_ref().map(|failure| failure.at),
        uptime_s: run_s.filter(|_| up),
        uptime_total_s: ledger.uptime_s + run_s.unwrap_or_default(),
        memory_bytes: memory.map(|usage| usage.memory),
        cpu_total_s: ledger.cpu_s + cpu_s,
        failures: ledger.failures,
        alerts: 0,
    })
}

fn sum(processes: &[Numbers]) -> Totals {
    let mut sum = Totals { processes: processes.len(), ..Totals::default() };
    for one in processes {
        sum.up += usize::from(one.up);
        sum.should_run += usize::from(one.should_run);
        sum.restarts = sum.restarts.saturating_add(one.restarts);
        sum.downtime_s += one.downtime_s;
        sum.recoveries = sum.recoveries.saturating_add(one.recoveries);
        sum.uptime_total_s += one.uptime_total_s;
        sum.memory_bytes += one.memory_bytes.unwrap_or_default();
        sum.cpu_total_s += one.cpu_total_s;
        for (cause, count) in &one.failures {
            let known = sum.failures.entry(*cause).or_default();
            *known = known.saturating_add(*count);
        }
    }
    sum
}

/// How many alerts lie there, by process.
fn alerts(home: &Home) -> Result<HashMap<String, usize>, KeepError> {
    let dir = home.alerts()?;
    let mut count = HashMap::new();
    for path in queue::files(&dir)? {
        // Taken meanwhile, or none of ours: it is not for us to complain.
        let bytes = dir.read(&path, queue::MOST).ok().flatten();
        if let Some(alert) = bytes.as_deref().and_then(Alert::unpack) {
            *count.entry(alert.name).or_default() += 1;
        }
    }
    Ok(count)
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, help }
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, help }
}

impl Metrics {
    /// For Prometheus.
    #[must_use]
    pub fn exposition(&self) -> String {
        let mut all = Exposition::default();
        for (metric, value) in SINGLE {
            let sample = |one| Some((label(one), value(one)?));
            all.add(metric, self.processes.iter().filter_map(sample));
        }
        let states = self.processes.iter().flat_map(|one| {
            let is = |state| f64::from(u8::from(one.state == state));
            Phase::WORDS.map(|state| (with(one, ("state", state)), is(state)))
        });
        all.add(&STATE, states);
        let failures = self.processes.iter().flat_map(|one| {
            // All of them from the beginning: a rate needs a zero to begin from.
            let count = |cause| one.failures.get(&cause).copied().unwrap_or_default();
            Cause::OF_FAILURES.map(|c| (with(one, ("cause", c.as_str())), number(count(c))))
        });
        all.add(&FAILURES, failures);
        #[expect(clippy::cast_precision_loss, reason = "no registry has 2^52 entries")]
        all.add(&BAD_ENTRIES, [(Vec::new(), self.totals.bad_entries as f64)]);
        all.text()
    }
}

const STATE: Metric = gauge("sentinel_keep_state", "1 for what is being done about the process.");
const FAILURES: Metric = counter("sentinel_keep_failures_total", "Failures, by cause.");
const BAD_ENTRIES: Metric = gauge(
    "sentinel_keep_registry_bad_entries",
    "Entries of the registry that cannot be understood, whose processes nobody keeps.",
);

type Value = fn(&Numbers) -> Option<f64>;

/// What has one number for each process.
const SINGLE: &[(Metric, Value)] = &[
    (gauge("sentinel_keep_up", "Whether the process runs."), |one| truth(one.up)),
    (
        gauge(
            "sentinel_keep_should_run",
            "Whether it was started, and neither stopped nor finished.",
        ),
        |one| truth(one.should_run),
    ),
    (
        counter("sentinel_keep_restarts_total", "How often it was started again after a death."),
        |one| Some(number(one.restarts)),
    ),
    (
        counter(
            "sentinel_keep_downtime_seconds_total",
            "Seconds it was down although it should have run, the present ones included.",
        ),
        |one| Some(one.downtime_s),
    ),
    (
        counter("sentinel_keep_recoveries_total", "How often it came back without anybody's help."),
        |one| Some(number(one.recoveries)),
    ),
    (
        gauge(
            "sentinel_keep_mean_time_to_recovery_seconds",
            "Seconds from its death to its successor, the mean of all recoveries.",
        ),
        |one| one.mean_time_to_recovery_s,
    ),
    (
        gauge("sentinel_keep_last_failure_timestamp_seconds", "When it last failed, Unix time."),
        |one| Some(one.last_failure_at?.duration_since(UNIX_EPOCH).ok()?.as_secs_f64()),
    ),
    (
        gauge("sentinel_keep_run_uptime_seconds", "Seconds since its last start, if it runs."),
        |one| one.uptime_s,
    ),
    (counter("sentinel_keep_uptime_seconds_total", "Seconds it ran, over all runs."), |one| {
        Some(one.uptime_total_s)
    }),
    (gauge("sentinel_keep_memory_bytes", "Memory of all its processes, PSS, if it runs."), |one| {
        one.memory_bytes.map(number)
    }),
    (
        counter(
            "sentinel_keep_cpu_seconds_total",
            "CPU seconds of all its processes, over all runs. Not known of a run whose wrapper was killed, or that was adopted.",
        ),
        |one| Some(one.cpu_total_s),
    ),
    (gauge("sentinel_keep_alerts_untaken", "Alerts about it that nobody has taken."), |one| {
        Some(f64::from(u32::try_from(one.alerts).unwrap_or(u32::MAX)))
    }),
];

#[expect(clippy::unnecessary_wraps, reason = "it is a value as any other")]
fn truth(is: bool) -> Option<f64> {
    Some(f64::from(u8::from(is)))
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, and then nobody can tell")]
fn number(count: u64) -> f64 {
    count as f64
}

fn label(one: &Numbers) -> Vec<(&'static str, &str)> {
    vec![("name", &one.name)]
}

fn with<'a>(one: &'a Numbers, more: (&'static str, &'a str)) -> Vec<(&'static str, &'a str)> {
    vec![("name", &one.name), more]
}
