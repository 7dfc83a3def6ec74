//! `sentinel-run`: arguments, closing line, exit code.

use super::{explain, values, with_dashes};
use crate::os::ask::{bad_address, bad_pattern};
use crate::os::say::{print, say};
use crate::protocol::circuit::MAX_FAILURES;
use crate::protocol::evidence::{BeatOn, Kind};
use crate::protocol::heartbeat::STALE_BEATS;
use crate::protocol::name::JobName;
use crate::protocol::registry::FAILURE_THRESHOLD;
use crate::protocol::text::{cut, one_line};
use crate::protocol::time::{human, seconds};
use crate::run::config::{Config, GRACE, INTERVAL, PROBE_INTERVAL, Probe, STALE, STALE_PROGRESS};
use crate::run::{self, Ended};
use clap::Parser;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  sentinel-run build -- cargo build --release
  sentinel-run --detach --timeout 2h train -- python3 train.py
  sentinel-run --health-http http://localhost:8080/ web -- ./server
  sentinel-run --progress-file 'out/*.csv' export -- ./export.sh
  sentinel-run --tee --max-log 64M bot -- ./bot
  sentinel-run --reset-circuit build

Exit status: the command's own; 128+N if it died of signal N; 124 ended for time or for hanging;
125 sentinel-run itself failed; 126 found but not executable; 127 not found; 75 already running;
69 its circuit is open.";

/// So much of a diagnosis is in the closing line, characters.
const DIAGNOSIS: usize = 300;

#[expect(clippy::doc_markdown, reason = "these are the texts of --help")]
/// Run COMMAND as the job NAME and keep its sentinel files truthful.
#[derive(Debug, Parser)]
#[command(name = "sentinel-run", version, after_help = EXAMPLES, max_term_width = 100,
    override_usage = "sentinel-run [OPTIONS] NAME -- COMMAND [ARG]...")]
pub struct Args {
    /// Name of the job: letters, digits, '.', '_', '-'
    name: JobName,

    /// The command and its arguments, after --
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,

    /// Monitor directory [default: $SENTINEL_DIR, else ~/.local/state/sentinel/jobs]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// How often evidence is looked for [default: 10s]
    #[arg(long, value_name = "DUR", value_parser = values::positive_duration)]
    heartbeat_interval: Option<Duration>,

    /// What watchers take as stale [default: the greatest of 60s, 6 heartbeat intervals, 3 progress
    /// intervals if given, and 300s with a progress probe]
    #[arg(long, value_name = "DUR", value_parser = values::positive_duration)]
    stale: Option<Duration>,

    /// Evidence for a beat: output, activity, waiting (quiet, but not stuck), app, progress, health,
    /// alive, auto (the first four; with a probe: app and the probes)
    #[arg(long, value_name = "LIST", default_value = "auto")]
    beat_on: BeatOn,

    /// End the tree after this long
    #[arg(long, value_name = "DUR", value_parser = values::duration)]
    timeout: Option<Duration>,

    /// End the tree when it is stale, without waiting for a watcher
    #[arg(long)]
    end_if_stale: bool,

    /// Run before a hung tree is ended, with its PIDs in $SENTINEL_PIDS
    #[arg(long, value_name = "CMD")]
    on_hang: Option<String>,

    /// Run when sentinel-run is told to end by a signal, while the tree is ended; the first line it
    /// prints goes into the reason. It has the grace, 5s at most
    #[arg(long, value_name = "CMD")]
    on_stop: Option<String>,

    /// TERM, then KILL after this long [default: 10s]
    #[arg(long, value_name = "DUR", value_parser = values::duration)]
    grace: Option<Duration>,

    /// Return as soon as the command was executed, printing NAME PID DIR
    #[arg(long, conflicts_with_all = ["tee", "stdin"])]
    detach: bool,

    /// Copy the log to stdout as it grows
    #[arg(long)]
    tee: bool,

    /// Pass stdin on (default: /dev/null)
    #[arg(long)]
    stdin: bool,

    /// Working directory of the command
    #[arg(short = 'C', long, value_name = "DIR")]
    cwd: Option<PathBuf>,

    /// Keep the newest SIZE bytes of the log
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    max_log: Option<u64>,

    /// End the tree when it has more memory than this
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    max_memory: Option<u64>,

    /// End the tree when it uses more CPU than this (100: one core)
    #[arg(long, value_name = "PCT", value_parser = values::percent)]
    max_cpu: Option<f64>,

    /// Run first; if it fails, start nothing (repeatable)
    #[arg(long, value_name = "CMD")]
    preflight: Vec<String>,

    /// Count failures under KEY instead of NAME; refuse to start when the circuit is open
    #[arg(long, value_name = "KEY")]
    circuit: Option<JobName>,

    /// Failures in a row that open the circuit; 0: never [default: $SENTINEL_MAX_FAILURES, else 3]
    #[arg(long, value_name = "N", value_parser = values::whole::<u32>)]
    max_failures: Option<u32>,

    /// Allow one trial run this long after the last failure
    #[arg(long, value_name = "DUR", value_parser = values::duration)]
    circuit_cooldown: Option<Duration>,

    /// Close the circuit first (COMMAND may be left out)
    #[arg(long)]
    reset_circuit: bool,

    /// Ask for progress: evidence when what CMD prints has changed (a row count, GPU use)
    #[arg(long, value_name = "CMD")]
    progress_cmd: Option<String>,

    /// Evidence when the files that match GLOB changed: count, size or time
    #[arg(long, value_name = "GLOB")]
    progress_file: Option<String>,

    /// Ask for health: evidence while CMD succeeds, and until --failure-threshold
    #[arg(long, value_name = "CMD")]
    health_cmd: Option<String>,

    /// Evidence while URL (http) answers 2xx or 3xx, and until --failure-threshold
    #[arg(long, value_name = "URL")]
    health_http: Option<String>,

    /// So many failed health probes in a row: no evidence any more [default: 3]
    #[arg(long, value_name = "N", value_parser = values::positive)]
    failure_threshold: Option<u32>,

    /// How often probes are asked; each has as long to answer, 30s at most [default: 20s, or a third
    /// of --stale if that is less]
    #[arg(long, value_name = "DUR", value_parser = values::positive_duration)]
    progress_interval: Option<Duration>,

    /// Also end what outlives the command (default: report it in .result)
    #[arg(long)]
    kill_survivors: bool,

    /// No closing line
    #[arg(short, long)]
    quiet: bool,
}

impl Args {
    /// The job that it starts, and its monitor directory.
    pub(super) fn job(self) -> Option<(JobName, PathBuf)> {
        Some((self.name, values::monitor_dir(self.dir).ok()?))
    }

    /// What is meant by what was typed.
    fn lower(self) -> Result<Config, String> {
        if self.command.is_empty() && !self.reset_circuit {
            return Err(format!(
                "no command: put it after --, as in: sentinel-run {} -- COMMAND [ARG]...",
                self.name
            ));
        }
        let interval = self.heartbeat_interval.unwrap_or(INTERVAL);
        let probes = self.probes()?;
        let beat_on = self.beat_on.clone();
        let beat_on = beat_on
            .with_probes(is_probed(&probes, Kind::Progress), is_probed(&probes, Kind::Health))
            .map_err(|error| error.to_string())?;
        let stale = self.stale.unwrap_or_else(|| self.default_stale(interval, &probes));
        let probe_interval = self.progress_interval.unwrap_or(PROBE_INTERVAL.min(stale / 3));
        if stale <= interval.saturating_mul(2) {
            return Err(format!(
                "--stale {} is too short: it must exceed twice the heartbeat interval ({})",
                human(stale),
                human(interval)
            ));
        }
        if beat_on.rests_on_probes() && stale <= probe_interval.saturating_mul(2) {
            return Err(format!(
                "--stale {} is too short: where only probes are evidence it must exceed twice the --progress-interval ({})",
                human(stale),
                human(probe_interval)
            ));
        }
        let max_failures =
            values::or_variable(self.max_failures, "SENTINEL_MAX_FAILURES", |text| {
                let wrong = |_| format!("bad number {text:?}: expected 0 or more failures");
                text.parse().map_err(wrong)
            })?;
        Ok(Config {
            enforced: self.circuit.is_some() || max_failures.is_some(),
            circuit_named: self.circuit.is_some(),
            circuit_key: self.circuit.unwrap_or_else(|| self.name.clone()),
            max_failures: max_failures.unwrap_or(MAX_FAILURES),
            name: self.name,
            dir: values::monitor_dir(self.dir)?,
            command: self.command,
            interval,
            stale,
            beat_on,
            probes,
            probe_interval,
            failure_threshold: self.failure_threshold.unwrap_or(FAILURE_THRESHOLD),
            timeout: self.timeout.filter(|timeout| !timeout.is_zero()),
            end_if_stale: self.end_if_stale,
            on_hang: self.on_hang,
            on_stop: self.on_stop,
            grace: self.grace.unwrap_or(GRACE),
            detach: self.detach,
            tee: self.tee,
            stdin: self.stdin,
            cwd: self.cwd,
            max_log: self.max_log,
            max_memory: self.max_memory,
            max_cpu: self.max_cpu,
            preflight: self.preflight,
            circuit_cooldown: self.circuit_cooldown,
            reset_circuit: self.reset_circuit,
            kill_survivors: self.kill_survivors,
            quiet: self.quiet,
        })
    }

    fn default_stale(&self, interval: Duration, probes: &[Probe]) -> Duration {
        let given = self.progress_interval.filter(|_| !probes.is_empty());
        let progress = is_probed(probes, Kind::Progress).then_some(STALE_PROGRESS);
        STALE
            .max(interval.saturating_mul(STALE_BEATS))
            .max(given.unwrap_or_default().saturating_mul(3))
            .max(progress.unwrap_or_default())
    }

    fn probes(&self) -> Result<Vec<Probe>, String> {
        let command = |given: &Option<String>, option: &str| match given.as_deref().map(str::trim) {
            Some("") => Err(format!("{option} is empty: expected a command for sh -c")),
            _ => Ok(given.clone()),
        };
        let progress = command(&self.progress_cmd, "--progress-cmd")?;
        let health = command(&self.health_cmd, "--health-cmd")?;
        if let Some(pattern) = &self.progress_file {
            let why = if pattern.is_empty() { Some("it is empty".into()) } else { None };
            if let Some(why) = why.or_else(|| bad_pattern(pattern)) {
                return Err(format!(
                    "bad --progress-file {pattern:?}: {why}; expected a pattern such as 'out/**/*.csv'"
                ));
            }
        }
        if let Some(why) = self.health_http.as_deref().and_then(bad_address) {
            let address = self.health_http.as_deref().unwrap_or_default();
            return Err(format!("bad --health-http {address:?}: {why}"));
        }
        let probes = [
            progress.map(Probe::ProgressCommand),
            self.progress_file.clone().map(Probe::ProgressFiles),
            health.map(Probe::HealthCommand),
            self.health_http.clone().map(Probe::HealthAddress),
        ];
        Ok(probes.into_iter().flatten().collect())
    }
}

fn is_probed(probes: &[Probe], kind: Kind) -> bool {
    probes.iter().any(|probe| probe.kind() == kind)
}

/// `sentinel-run`, from its arguments to its exit code.
#[must_use]
pub fn main() -> ExitCode {
    /// What `timeout(1)` exits with when it fails itself.
    const OWN_FAILURE: u8 = 125;
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return explain(with_dashes(error, 1), OWN_FAILURE),
    };
    let config = match args.lower() {
        Ok(config) => config,
        Err(why) => {
            say(format!("sentinel-run: {why}"));
            return ExitCode::from(OWN_FAILURE);
        }
    };
    match run::run(&config) {
        Ok(ended) => report(&config, &ended),
        Err(error) => {
            say(format!("sentinel-run: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

fn report(config: &Config, ended: &Ended) -> ExitCode {
    match ended {
        Ended::Over { result, code } => {
            if !config.quiet {
                let lasted = human(seconds(result.duration_s).unwrap_or_default());
                let why = one_line(&result.reason);
                let diagnosis = result.diagnosis.as_deref().map(one_line).unwrap_or_default();
                let diagnosis = match diagnosis.as_str() {
                    "" => String::new(),
                    diagnosis => format!("; {}", cut(diagnosis, DIAGNOSIS)),
                };
                let head = format!("sentinel-run: {} {}", result.name, result.outcome);
                // Behind what is more than a phrase the time would be read as a part of it.
                if why.contains([':', ';']) {
                    say(format!("{head} after {lasted}: {why}{diagnosis}"));
                } else {
                    say(format!("{head}: {why} after {lasted}{diagnosis}"));
                }
            }
            ExitCode::from(*code)
        }
        Ended::Detached { pid, dir } => {
            print(&format!("{}\t{pid}\t{}", config.name, dir.display()));
            ExitCode::SUCCESS
        }
        Ended::NotDetached { code } => ExitCode::from(*code),
        Ended::InBackground => ExitCode::SUCCESS,
        Ended::Reset(key) => {
            if !config.quiet {
                say(format!("sentinel-run: the circuit {key} is closed"));
            }
            ExitCode::SUCCESS
        }
    }
}
