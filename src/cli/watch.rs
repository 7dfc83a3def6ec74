//! `sentinel-watch`: arguments, output, exit code.

use super::{bar, explain, values};
use crate::decide::verdict::{Verdict, overall};
use crate::os::say::{paint, print, say};
use crate::protocol::name::JobName;
use crate::protocol::progress::Pace;
use crate::protocol::text::{json, one_line};
use crate::protocol::time::rfc3339;
use crate::watch::config::{Config, Kill, Mode, POLL, START_WAIT, TAIL};
use crate::watch::{self, News, Report};
use clap::{ArgGroup, Parser};
use std::collections::HashSet;
use std::io::{BufWriter, IsTerminal, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

const EXAMPLES: &str = "\
Examples:
  sentinel-watch build                       wait for the verdict
  sentinel-watch --max-wait 9m build         the same, in pieces: exit 5 means call again
  sentinel-watch --once build                one look; ends and records what is dead or stale
  sentinel-watch --any a b c                 the first verdict of several
  sentinel-watch --list                      every job of the directory
  sentinel-watch --stop build                end it

Exit status: 0 success; 1 failed (also lost and stopped); 2 usage, or no verdict; 3 hung; 4 timeout;
5 running; 6 missing; 7 any end but success, and the circuit is now open: stop retrying.
With several names: 2, else 5 while one still runs, else the worst of 7, 6, 3, 4, 1, 0.";

#[expect(clippy::doc_markdown, reason = "these are the texts of --help")]
/// Wait for jobs and give one verdict each: success, failed, hung or timeout.
#[derive(Debug, Parser)]
#[command(name = "sentinel-watch", version, after_help = EXAMPLES, max_term_width = 100,
    override_usage = "sentinel-watch [OPTIONS] NAME...\n       sentinel-watch [OPTIONS] --list")]
#[command(group = ArgGroup::new("mode").args(["once", "probe", "list", "stop", "reset_circuit", "any"]))]
pub struct Args {
    /// Names of the jobs
    names: Vec<JobName>,

    /// Monitor directory [default: $SENTINEL_DIR, else ~/.local/state/sentinel/jobs]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Time between two thorough looks [default: 15s]
    #[arg(long, value_name = "DUR", value_parser = values::positive_duration)]
    poll_interval: Option<Duration>,

    /// So long without a beat is hung [default: the run's own; 60s for other writers]
    #[arg(long, value_name = "DUR", value_parser = values::positive_duration)]
    stale: Option<Duration>,

    /// So long a run may last; 0: for ever [default: the run's own; 30m for other writers]
    #[arg(long, value_name = "DUR", value_parser = values::duration)]
    timeout: Option<Duration>,

    /// Return running (5) after this long [default: $SENTINEL_MAX_WAIT, else none]
    #[arg(long, value_name = "DUR", value_parser = values::duration)]
    max_wait: Option<Duration>,

    /// How long a job may take to appear [default: 10s; 0 with --once, --probe, --stop]
    #[arg(long, value_name = "DUR", value_parser = values::duration)]
    start_wait: Option<Duration>,

    /// TERM, then KILL after this long [default: the run's own]
    #[arg(long, value_name = "DUR", value_parser = values::duration)]
    grace: Option<Duration>,

    /// Only report: end nothing, record nothing
    #[arg(long, conflicts_with_all = ["kill_cmd", "stop"])]
    no_kill: bool,

    /// End jobs by this command, with the heartbeat's fields as $SENTINEL_*
    #[arg(long, value_name = "CMD")]
    kill_cmd: Option<String>,

    /// One look, no waiting
    #[arg(long)]
    once: bool,

    /// One look for a liveness probe: ends nothing; 0 running or success, 1 anything else
    #[arg(long)]
    probe: bool,

    /// With several names: return at the first verdict
    #[arg(long)]
    any: bool,

    /// Every job of the directory, a line each
    #[arg(long, conflicts_with = "names")]
    list: bool,

    /// End the jobs
    #[arg(long)]
    stop: bool,

    /// Close the circuit of the jobs
    #[arg(long)]
    reset_circuit: bool,

    /// One JSON object per job, a line each
    #[arg(long)]
    json: bool,

    /// Log lines shown for a verdict other than success, 2 KiB at most [default: 20]
    #[arg(long, value_name = "N", value_parser = values::whole::<usize>)]
    tail: Option<usize>,

    /// A line per change of state as it happens
    #[arg(long)]
    events: bool,

    /// A line on stderr at this rate while waiting
    #[arg(long, value_name = "DUR", value_parser = values::positive_duration)]
    tick: Option<Duration>,

    /// Exit 0 whatever the verdict
    #[arg(long)]
    exit_zero: bool,
}

/// What is to be done, besides watching.
enum Task {
    Watch,
    List,
    ResetCircuit,
}

impl Args {
    /// The jobs that it is about, and their monitor directory.
    pub(super) fn jobs(self) -> Option<(Vec<JobName>, PathBuf)> {
        Some((self.names, values::monitor_dir(self.dir).ok()?))
    }

    fn task(&self) -> Task {
        match self {
            Self { list: true, .. } => Task::List,
            Self { reset_circuit: true, .. } => Task::ResetCircuit,
            _ => Task::Watch,
        }
    }

    /// What is meant by what was typed.
    fn lower(self) -> Result<Config, String> {
        if self.names.is_empty() && !self.list {
            return Err("no job named: give at least one NAME, or --list for all".to_owned());
        }
        let mode = match &self {
            Self { once: true, .. } => Mode::Once,
            Self { probe: true, .. } | Self { list: true, .. } => Mode::Probe,
            Self { stop: true, .. } => Mode::Stop,
            Self { any, .. } => Mode::Wait { any: *any },
        };
        let mut seen = HashSet::new();
        let names = self.names.into_iter().filter(|name| seen.insert(name.clone())).collect();
        let start_wait =
            if matches!(mode, Mode::Wait { .. }) { START_WAIT } else { Duration::ZERO };
        Ok(Config {
            names,
            dir: values::monitor_dir(self.dir)?,
            mode,
            poll_interval: self.poll_interval.unwrap_or(POLL),
            stale: self.stale,
            timeout: self.timeout,
            max_wait: values::or_variable(self.max_wait, "SENTINEL_MAX_WAIT", values::duration)?,
            start_wait: self.start_wait.unwrap_or(start_wait),
            grace: self.grace,
            kill: match self.kill_cmd {
                _ if self.no_kill => Kill::Never,
                Some(command) if command.trim().is_empty() => {
                    return Err("--kill-cmd is empty: expected a command for sh -c".to_owned());
                }
                Some(command) => Kill::Command(command),
                None => Kill::Signals,
            },
            log: self.json || !self.list,
            whole: self.json || !self.list,
            tail: if self.list { 0 } else { self.tail.unwrap_or(TAIL) },
            tail_running: self.tail.is_some(),
            events: self.events,
            tick: self.tick,
        })
    }
}

/// `sentinel-watch`, from its arguments to its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return explain(error, 2),
    };
    let (task, json, exit_zero, ticks) =
        (args.task(), args.json, args.exit_zero, args.tick.is_some());
    let mut config = match args.lower() {
        Ok(config) => config,
        Err(why) => return refuse(&why),
    };
    match task {
        Task::List => list(&config, json),
        Task::ResetCircuit => reset(&config),
        Task::Watch => {
            let live = std::io::stderr().is_terminal() && !ticks;
            if live {
                config.tick = Some(Duration::from_secs(1));
            }
            let form = if config.events { Form::Events } else { Form::Full };
            let mut show = Show { json, form, live, painted: false };
            let exits = watch::watch(&config, &mut |news| show.news(news));
            let code = match config.mode {
                // An engine's probe knows good and bad, and nothing else.
                Mode::Probe => u8::from(!exits.iter().all(|code| matches!(code, 0 | 5))),
                _ => overall(&exits),
            };
            ExitCode::from(if exit_zero && code != 2 { 0 } else { code })
        }
    }
}

fn refuse(why: &dyn std::fmt::Display) -> ExitCode {
    complain(why);
    ExitCode::from(2)
}

fn complain(why: &dyn std::fmt::Display) {
    say(format!("sentinel-watch: {why}"));
}

fn list(config: &Config, json: bool) -> ExitCode {
    let (mut listed_any, mut failed) = (false, false);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let listed = watch::list(config, &mut |news| match news {
        News::Verdict(report) => {
            listed_any = true;
            let line = if json { self::json(report) } else { report.headline() };
            let _ = writeln!(out, "{line}");
        }
        News::Failed(error) => {
            failed = true;
            complain(error);
        }
        News::Event { .. } | News::Waiting(..) => {} // nobody waits
    });
    let _ = out.flush();
    match listed {
        Ok(()) => {
            // A directory that was mistyped is as empty as one in which nothing was started.
            if !(listed_any || failed || json) {
                complain(&format!("no jobs in {}", config.dir.display()));
            }
            ExitCode::from(if failed { 2 } else { 0 })
        }
        Err(error) => refuse(&error),
    }
}

fn reset(config: &Config) -> ExitCode {
    match watch::reset_circuits(config) {
        Ok(closed) => {
            let mut exits = Vec::new();
            for (key, failures) in closed {
                match failures {
                    Some(failures) => print(&format!("closed  {key}  after {failures} failures")),
                    None => print(&format!(
                        "{}  {key}  no such job in {}",
                        Verdict::Missing,
                        config.dir.display()
                    )),
                }
                exits.push(if failures.is_some() { 0 } else { Verdict::Missing.exit(false) });
            }
            ExitCode::from(overall(&exits))
        }
        Err(error) => refuse(&error),
    }
}

/// How much of a report is shown.
enum Form {
    /// All of it.
    Full,
    /// Its first line, as the last event of a job.
    Events,
}

/// Where the news go, and in which form.
struct Show {
    json: bool,
    form: Form,
    /// A line on the terminal that is painted over while waiting.
    live: bool,
    painted: bool,
}

impl Show {
    fn news(&mut self, news: News<'_>) {
        if !matches!(news, News::Waiting(..)) && std::mem::take(&mut self.painted) {
            paint("");
        }
        match news {
            News::Verdict(report) if self.json => {
                print(&json(report));
            }
            News::Verdict(report) => match self.form {
                Form::Full => print(&report.text()),
                Form::Events => event(&report.name, report.verdict.as_str(), &report.detail()),
            },
            News::Failed(error) => complain(error),
            News::Event { name, state, detail } if self.json => print(&json(&serde_json::json!({
                "time": rfc3339(SystemTime::now()),
                "name": name.as_str(),
                "state": state,
                "detail": detail,
            }))),
            News::Event { name, state, detail } => event(name.as_str(), state, &detail),
            News::Waiting(jobs, first) => self.waiting(jobs, first),
        }
    }

    fn waiting(&mut self, jobs: usize, first: &Report) {
        let text = match (jobs, first.verdict) {
            (1, Verdict::Missing) => format!("waiting for {} to start", first.name),
            (1, _) => first.headline(),
            _ => format!("{jobs} jobs to go; {}", first.headline()),
        };
        if self.live {
            self.painted = true;
            let share = first.pace.as_ref().and_then(Pace::share);
            paint(&bar::line(&text, share, columns() - 1));
        } else {
            say(text);
        }
    }
}

fn event(name: &str, state: &str, detail: &str) {
    let detail = one_line(detail);
    print(format!("{} {name} {state} {detail}", rfc3339(SystemTime::now())).trim_end());
}

/// Columns of the terminal; one that does not say has 80.
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    size.map(|size| usize::from(size.ws_col)).ok().filter(|columns| *columns > 0).unwrap_or(80)
}
