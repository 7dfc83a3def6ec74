//! `register`: what was typed, as an entry of the registry.

use super::Context;
use crate::cli::values;
use crate::keep::{KeepError, events, registry};
use crate::os::ask::{bad_address, bad_pattern};
use crate::os::say::say;
use crate::protocol::event::{Event, What};
use crate::protocol::evidence::BeatOn;
use crate::protocol::name::JobName;
use crate::protocol::registry::{Backoff, Process, Registry, Seconds};
use clap::{Args, ValueEnum};
use std::collections::BTreeMap;
use std::env::VarError;
use std::time::Duration;

pub const USAGE: &str = "sentinel-keep register [OPTIONS] NAME COMMAND [DURATION_MIN]
       sentinel-keep register [OPTIONS] NAME -- COMMAND [ARG]...";

/// What of the caller's environment a process is given wherever it is started from.
const RECORDED: [&str; 4] = ["PATH", "HOME", "LANG", "VIRTUAL_ENV"];

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Growth {
    Exponential,
    Fixed,
}

#[derive(Debug, Args)]
pub struct Register {
    /// Name of the process: letters, digits, '.', '_', '-'
    name: JobName,

    /// The command, for sh -c
    #[arg(value_name = "COMMAND")]
    text: Option<String>,

    /// How long it is expected to run, minutes; 0: for ever
    #[arg(value_name = "DURATION_MIN", conflicts_with = "duration", value_parser = minutes)]
    duration_min: Option<f64>,

    /// A command and its arguments, executed without a shell
    #[arg(last = true, value_name = "ARG", conflicts_with_all = ["text", "duration_min"])]
    argv: Vec<String>,

    /// How long it is expected to run: exit 0 after 80 % of it is normal [default: for ever]
    #[arg(long, value_name = "DUR", value_parser = values::duration)]
    duration: Option<Duration>,

    /// Any exit 0 is normal
    #[arg(long)]
    completes: bool,

    /// Do not start it again after a death
    #[arg(long)]
    no_auto_restart: bool,

    /// Give up after N restarts within 10 minutes, or in a row without a run of 60s [default: 5]
    #[arg(long, value_name = "N", value_parser = values::whole::<u32>)]
    max_restarts: Option<u32>,

    /// The longest time before a restart [default: 30s]
    #[arg(long, value_name = "DUR", value_parser = values::duration)]
    restart_cooldown: Option<Duration>,

    /// How the time before a restart grows: 1s, 2s, 4s, ... up to the cooldown, or always the cooldown
    /// [default: exponential]
    #[arg(long, value_enum)]
    backoff: Option<Growth>,

    /// So many failed health probes in a row: unhealthy, and no evidence any more [default: 3]
    #[arg(long, value_name = "N", value_parser = values::positive)]
    failure_threshold: Option<u32>,

    /// TERM, then KILL after this long [default: 10s]
    #[arg(long, value_name = "DUR", value_parser = values::duration)]
    grace: Option<Duration>,

    /// How often progress and health are asked for [default: 60s, or a third of --progress-timeout if
    /// that is less]
    #[arg(long, value_name = "DUR", value_parser = values::positive_duration)]
    check_interval: Option<Duration>,

    /// So long without any evidence is hung: ended and restarted [default: 300s, or three times a given
    /// --check-interval if that is more]
    #[arg(long, alias = "stale", value_name = "DUR", value_parser = values::positive_duration)]
    progress_timeout: Option<Duration>,

    /// End and restart it when it has more memory than this
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    max_memory: Option<u64>,

    /// End and restart it when it uses more CPU than this (100: one core)
    #[arg(long, value_name = "PCT", value_parser = values::percent)]
    max_cpu: Option<f64>,

    /// Keep the newest SIZE bytes of the log [default: 64M]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    max_log: Option<u64>,

    /// Working directory [default: the present one]
    #[arg(short = 'C', long, value_name = "DIR")]
    cwd: Option<std::path::PathBuf>,

    /// A variable of its environment (repeatable)
    #[arg(long, value_name = "K=V")]
    env: Vec<String>,

    /// A file of variables, read at each start
    #[arg(long, value_name = "FILE")]
    env_file: Option<String>,

    /// Start it once NAME runs, and is healthy if it has a probe (repeatable)
    #[arg(long, value_name = "NAME")]
    after: Vec<JobName>,

    /// Run before each restart; if it fails, so does the restart
    #[arg(long, value_name = "CMD")]
    pre_restart: Option<String>,

    /// Run it in a tmux session of its name
    #[arg(long)]
    tmux: bool,

    /// What is evidence that it lives, as for sentinel-run [default: auto]
    #[arg(long, value_name = "LIST")]
    beat_on: Option<BeatOn>,

    /// Ask for progress: evidence when what CMD prints has changed
    #[arg(long, value_name = "CMD")]
    progress_cmd: Option<String>,

    /// Evidence when the files that match GLOB changed
    #[arg(long, value_name = "GLOB")]
    progress_file: Option<String>,

    /// Ask for health: evidence while CMD succeeds
    #[arg(long, value_name = "CMD")]
    health_cmd: Option<String>,

    /// Evidence while URL (http) answers 2xx or 3xx
    #[arg(long, value_name = "URL")]
    health_http: Option<String>,

    /// How often probes are asked [default: --check-interval]
    #[arg(long, value_name = "DUR", value_parser = values::positive_duration)]
    progress_interval: Option<Duration>,
}

impl Register {
    pub fn run(self, context: &Context) -> Result<u8, KeepError> {
        let name = self.name.clone();
        let process = self.lower().map_err(KeepError::Usage)?;
        let mut did = "registered";
        registry::edit(&context.home, &name, |registry| {
            match registry.get(&name) {
                Ok(Some(old)) if *old == process => did = "unchanged",
                Ok(Some(_)) => did = "changed",
                _ => {}
            }
            registry.set(&name, process.clone());
            examine(registry, &name)
        })?;
        if did != "unchanged" {
            let event = Event::now(name.as_str(), What::Registered, &*process.command);
            events::tell(&context.home, &event);
        }
        let detail = match did {
            "changed" => "from its next start on".to_owned(),
            "registered" => format!("start it with: sentinel-keep start {name}"),
            _ => String::new(),
        };
        context.tell(name.as_str(), did, &detail);
        Ok(0)
    }

    fn lower(self) -> Result<Process, String> {
        let (command, exec) = match (self.text, self.argv.is_empty()) {
            (Some(text), true) => (text, false),
            (None, false) => (shell_words::join(&self.argv), true),
            _ => return Err(format!("no command for {}; usage: {USAGE}", self.name)),
        };
        let duration_min = match (self.duration, self.duration_min) {
            (Some(duration), _) => Seconds(duration.as_secs_f64() / 60.0),
            (None, minutes) => Seconds(minutes.unwrap_or(0.0)),
        };
        if let Some(why) = self.progress_file.as_deref().and_then(bad_pattern) {
            return Err(format!(
                "bad --progress-file: {why}; expected a pattern such as 'out/**/*.csv'"
            ));
        }
        if let Some(url) = &self.health_http
            && let Some(why) = bad_address(url)
        {
            return Err(format!("bad --health-http {url:?}: {why}"));
        }
        let cwd = self.cwd.unwrap_or_else(|| ".".into());
        let there = cwd.canonicalize().map_err(|error| {
            format!("bad --cwd {}: {error}; expected a directory that exists", cwd.display())
        })?;
        let there = there.into_os_string().into_string().map_err(|there| {
            let there = there.display();
            format!(
                "bad --cwd {there}: a registry is text; expected a directory whose name is UTF-8"
            )
        })?;
        let seconds = |duration: Option<Duration>| duration.map(Seconds::from);
        let defaults = Process::new(command);
        let process = Process {
            duration_min,
            auto_restart: !self.no_auto_restart,
            max_restarts: self.max_restarts.unwrap_or(defaults.max_restarts),
            restart_cooldown: seconds(self.restart_cooldown).unwrap_or(defaults.restart_cooldown),
            exec,
            completes: self.completes,
            backoff: match self.backoff {
                Some(Growth::Fixed) => Backoff::Fixed,
                Some(Growth::Exponential) | None => Backoff::Exponential,
            },
            failure_threshold: self.failure_threshold,
            grace: seconds(self.grace),
            check_interval: seconds(self.check_interval),
            progress_timeout: seconds(self.progress_timeout),
            max_memory: self.max_memory,
            max_cpu: self.max_cpu,
            max_log: self.max_log,
            beat_on: self.beat_on.map(|list| list.words().join(",")),
            progress_cmd: self.progress_cmd,
            progress_file: self.progress_file,
            health_cmd: self.health_cmd,
            health_http: self.health_http,
            progress_interval: seconds(self.progress_interval),
            after: self.after,
            pre_restart: self.pre_restart,
            tmux: self.tmux,
            cwd: Some(there),
            recorded_env: recorded(self.tmux),
            env_file: self.env_file,
            env: variables(&self.env)?,
            ..defaults
        };
        process.argv()?;
        Ok(process)
    }
}

/// What stands after a command: its time, unless somebody has left out the quotes around the command.
fn minutes(text: &str) -> Result<f64, String> {
    let number = text.trim().parse::<f64>().ok();
    number.filter(|number| number.is_finite() && *number >= 0.0).ok_or_else(|| {
        "expected a number of minutes, 0 for ever; a command of several words stands in quotes, or after --"
            .to_owned()
    })
}

/// With tmux also where its server is: cron would find another one.
fn recorded(tmux: bool) -> BTreeMap<String, String> {
    let pair = |name: &str| match std::env::var(name) {
        Ok(value) => Some((name.to_owned(), value)),
        Err(VarError::NotPresent) => None,
        Err(VarError::NotUnicode(_)) => {
            say(format!(
                "sentinel-keep: warning: {name} is not recorded, for it is no UTF-8: each start takes its caller's"
            ));
            None
        }
    };
    RECORDED.into_iter().chain(tmux.then_some("TMUX_TMPDIR")).filter_map(pair).collect()
}

fn variables(given: &[String]) -> Result<BTreeMap<String, String>, String> {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("bad --env {text:?}: expected NAME=VALUE")),
    };
    given.iter().map(pair).collect()
}

/// What makes no sense among the others: written, it would be an error for every reader.
fn examine(registry: &Registry, name: &JobName) -> Result<(), KeepError> {
    let again = Registry::unpack(&registry.pack())
        .map_err(|why| KeepError::Usage(format!("{name}: {why}")))?;
    if let Some(bad) = again.bad().find(|bad| bad.name == name.as_str()) {
        return Err(KeepError::Usage(format!("{name}: {}", bad.why)));
    }
    if let Some(line) = circle(&again, name) {
        return Err(KeepError::Usage(format!("--after goes round in a circle: {line}")));
    }
    Ok(())
}

/// The way from a process back to itself, if there is one.
fn circle(registry: &Registry, name: &JobName) -> Option<String> {
    let mut ways: Vec<Vec<JobName>> = vec![vec![name.clone()]];
    let mut seen = Vec::new();
    while let Some(way) = ways.pop() {
        let last = way.last()?;
        let Ok(Some(process)) = registry.get(last) else { continue };
        for next in &process.after {
            let mut way = way.clone();
            way.push(next.clone());
            if next == name {
                let names: Vec<&str> = way.iter().map(JobName::as_str).collect();
                return Some(names.join(" after "));
            }
            if !seen.contains(next) {
                seen.push(next.clone());
                ways.push(way);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::decide::shell::REGISTER_WITH_VALUE;
    use clap::CommandFactory;
    use std::collections::BTreeSet;

    /// Who reads a command line of ours without running it has to know what is a value.
    #[test]
    fn options_with_a_value_are_known_to_the_hook() {
        let command = super::super::Args::command();
        let register = command.find_subcommand("register").unwrap();
        let with_value = |arg: &&clap::Arg| {
            arg.get_action().takes_values() && !arg.is_require_equals_set() && !arg.is_positional()
        };
        let global = command.get_arguments().filter(|arg| arg.is_global_set());
        let mut there = BTreeSet::new();
        for arg in register.get_arguments().chain(global).filter(with_value) {
            let longs = arg.get_long().into_iter().chain(arg.get_all_aliases().unwrap_or_default());
            there.extend(longs.map(|long| format!("--{long}")));
            there.extend(arg.get_short().map(|short| format!("-{short}")));
        }
        let known: BTreeSet<String> = REGISTER_WITH_VALUE.iter().map(ToString::to_string).collect();
        assert_eq!(there, known);
    }
}
