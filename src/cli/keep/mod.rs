//! `sentinel-keep`: arguments, output, exit code.

mod attend;
mod register;
mod act;
mod status;
mod healthcheck;
mod metrics;
mod doctor;
mod install;
mod export;
mod completions;
mod alerts;
mod follow;
mod hook;
mod skill;

use super::{explain, values, with_dashes};
use crate::keep::alerts::Settings;
use crate::keep::home::Home;
use crate::keep::{KeepError, send, tmux};
use crate::os::say::{print, say};
use crate::protocol::name::JobName;
use crate::protocol::text::json;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Parser, Subcommand};
use std::env::VarError;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  sentinel-keep register bot \"python3 /path/to/bot.py\" 480
  sentinel-keep start bot
  sentinel-keep status
  sentinel-keep healthcheck --every 1m       stay, and restart at once what dies
  sentinel-keep install                      have cron or a systemd timer look every 5 minutes
  sentinel-keep logs -f bot
  sentinel-keep alerts --take

Exit status: 0 done; 1 it could not be done; 2 usage, or a file that cannot be used; 3 not running;
4 not registered; 75 somebody else is at it.";

/// In `--help`, what goes with every command.
const EVERYWHERE: &str = "Of every command";

#[expect(clippy::doc_markdown, reason = "these are the texts of --help")]
/// Keep registered processes alive, with restarts and alerts.
#[derive(Debug, Parser)]
#[command(name = "sentinel-keep", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Args {
    /// The registry [default: $SENTINEL_REGISTRY, else ~/.local/state/sentinel/process-registry.json]
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "FILE")]
    registry: Option<PathBuf>,

    /// Print JSON, an object a line
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,

    /// Run CMD with each alert as JSON on its standard input [default: $SENTINEL_ALERT_CMD]
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "CMD")]
    alert_cmd: Option<String>,

    /// Also write process_monitor_alert.flag and .txt in /tmp, or in DIR
    #[arg(
        long, global = true, help_heading = EVERYWHERE, value_name = "DIR", num_args = 0..=1,
        require_equals = true, default_missing_value = "/tmp"
    )]
    seed_flags: Option<PathBuf>,

    #[command(subcommand)]
    command: Called,
}

#[derive(Debug, Subcommand)]
enum Called {
    /// Stand in for an adopted process
    #[command(hide = true)]
    Attend(attend::Attend),
    #[command(flatten)]
    Command(Command),
    /// Will what is started here survive, and is anything in the way? Exit status: 0 no, 1 yes
    Doctor {
        /// Scripts and programs that are to be kept
        #[arg(value_name = "SCRIPT")]
        scripts: Vec<PathBuf>,
    },
    /// Answer a hook event of an AI agent's host, on standard input
    Hook(hook::Args),
    /// Print what a shell needs to complete sentinel-keep, sentinel-run and sentinel-watch
    Completions {
        /// bash, zsh or fish
        #[arg(hide_possible_values = true)]
        shell: completions::Shell,
    },
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Define a process: COMMAND for sh -c, or a command and its arguments after --
    #[command(override_usage = register::USAGE)]
    Register(Box<register::Register>),
    /// End processes, and forget them
    Deregister(Entries),
    /// Start processes, unless they run
    Start(Names),
    /// End processes, their whole trees; they stay stopped
    Stop(Names),
    /// End processes if they run, and start them
    Restart(Names),
    /// Take a running process under watch; it is registered as it runs, if it is not registered
    Adopt {
        /// Name of the process
        name: JobName,
        /// Its PID
        #[arg(value_parser = values::whole::<i32>)]
        pid: i32,
    },
    /// What runs, what does not, and why. Exit status: 0 running, 3 not, 4 not registered
    Status {
        /// These alone, each in full
        names: Vec<JobName>,
    },
    /// Look at all processes: restart what died, end and restart what hangs, alert
    Healthcheck {
        /// Stay, react at once, and look at everything this often
        #[arg(long, value_name = "DUR", value_parser = values::positive_duration)]
        every: Option<Duration>,
    },
    /// Numbers: restarts, downtime, failures by cause, uptime, memory, CPU
    Metrics(metrics::Metrics),
    /// Have cron or a systemd timer run a healthcheck every few minutes, also after a reboot
    Install(install::Install),
    /// Undo what install did
    Uninstall,
    /// Print a process in the form of another keeper
    #[command(subcommand)]
    Export(export::Export),
    /// The skill, the subagent and the hooks for AI agents' hosts
    #[command(subcommand)]
    Skill(skill::Skill),
    /// Alerts that nobody has taken, the oldest first
    Alerts {
        /// Take them: printed, they are removed, alert.flag and alert.txt, too
        #[arg(long)]
        take: bool,
    },
    /// What happened to the processes, a JSON object a line [-n default: all that is kept]
    Events {
        #[command(flatten)]
        extent: follow::Extent,
    },
    /// The log of a process, as it wrote it [-n default: 20]
    Logs {
        /// Its name
        name: JobName,
        #[command(flatten)]
        extent: follow::Extent,
    },
    /// What a tmux session is started with
    #[command(hide = true)]
    InTmux { name: JobName, starter: u32 },
}

impl Command {
    /// Whether it may change anything: who only reads makes no directory.
    fn acts(&self) -> bool {
        match self {
            Self::Status { .. } | Self::Logs { .. } | Self::Events { .. } | Self::Metrics(_) => {
                false
            }
            Self::Alerts { take } => *take,
            Self::Skill(skill) => skill.acts(),
            _ => true,
        }
    }

    /// How long alerts that it raised are sent after it; `None`: it raises none, or sends them
    /// itself.
    fn sends_for(&self) -> Option<Duration> {
        match self {
            // One try: somebody is waiting.
            Self::Start(_)
            | Self::Stop(_)
            | Self::Restart(_)
            | Self::Deregister(_)
            | Self::Adopt { .. } => Some(Duration::ZERO),
            _ => None,
        }
    }
}

/// Processes by name, or all of them.
#[derive(Debug, clap::Args)]
struct Names {
    /// Names of processes
    #[arg(value_name = "NAME", required_unless_present = "all", conflicts_with = "all")]
    names: Vec<JobName>,

    /// All that are registered
    #[arg(long)]
    all: bool,
}

/// Entries by name, be they understood or not, or all of them.
#[derive(Debug, clap::Args)]
struct Entries {
    /// Names of entries
    #[arg(value_name = "NAME", required_unless_present = "all", conflicts_with = "all")]
    names: Vec<String>,

    /// All that there are
    #[arg(long)]
    all: bool,
}

/// What every command needs.
struct Context {
    home: Home,
    settings: Settings,
    json: bool,
}

impl Context {
    /// Says what was done about a process: a line for people, an object for programs.
    fn tell(&self, name: &str, did: &str, detail: &str) {
        if self.json {
            print(&json(&serde_json::json!({"name": name, "did": did, "detail": detail})));
        } else {
            print(format!("{did}  {name}  {detail}").trim_end());
        }
    }

    /// Says that there is no process to speak of, to people.
    fn say_empty(&self) {
        if !self.json {
            say(format!(
                "sentinel-keep: nothing is registered in {}; register a process with: sentinel-keep register NAME COMMAND",
                self.home.registry().display()
            ));
        }
    }

    /// Says what could not be done; its exit code.
    fn fail(&self, name: &str, error: &KeepError) -> u8 {
        say(format!("sentinel-keep: {error}"));
        if self.json {
            let error = error.to_string();
            print(&json(&serde_json::json!({"name": name, "did": null, "error": error})));
        }
        error.exit_code()
    }
}

/// `sentinel-keep`, from its arguments to its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return explain(meant(error), usage()),
    };
    let registry = values::registry(args.registry).map_err(KeepError::Usage);
    // These make nothing, and need nothing to be there.
    let command = match args.command {
        Called::Attend(attend) => return attend.run(),
        Called::Hook(hook) => {
            return ExitCode::from(hook.run(registry.map_err(|error| error.to_string())));
        }
        Called::Completions { shell } => return ExitCode::from(completions::run(shell)),
        Called::Doctor { scripts } => {
            return ExitCode::from(match registry {
                Ok(registry) => doctor::run(&registry, &scripts, args.json),
                Err(error) => refuse(&error),
            });
        }
        Called::Command(command) => command,
    };
    let open = if command.acts() { Home::make } else { Home::open };
    let home = match registry.and_then(|registry| open(&registry)) {
        Ok(home) => home,
        Err(error) => return ExitCode::from(refuse(&error)),
    };
    let alert_command =
        args.alert_cmd.or_else(alert_variable).filter(|command| !command.trim().is_empty());
    let seed_flags = args.seed_flags.map(|dir| std::path::absolute(&dir).unwrap_or(dir));
    let settings = Settings { command: alert_command, seed_flags };
    let context = Context { home, settings, json: args.json };
    let sends = command.sends_for();
    let code = match command {
        Command::Register(register) => register.run(&context),
        Command::Deregister(names) => act::deregister(&context, &names),
        Command::Start(names) => act::start(&context, &names),
        Command::Stop(names) => act::stop(&context, &names),
        Command::Restart(names) => act::restart(&context, &names),
        Command::Adopt { name, pid } => act::adopt(&context, &name, pid),
        Command::Status { names } => status::run(&context, &names),
        Command::Healthcheck { every } => healthcheck::run(&context, every),
        Command::Metrics(metrics) => metrics.run(&context),
        Command::Install(install) => install.run(&context),
        Command::Uninstall => Ok(install::uninstall(&context)),
        Command::Export(what) => export::run(&context, &what),
        Command::InTmux { name, starter } => match tmux::carry_out(&context.home, &name, starter) {
            Ok(never) => match never {},
            Err(error) => Err(error),
        },
        Command::Skill(skill) => skill.run(&context),
        Command::Alerts { take } => alerts::run(&context, take),
        Command::Events { extent } => follow::events(&context.home, extent),
        Command::Logs { name, extent } => follow::logs(&context, &name, extent),
    };
    if let Some(most) = sends {
        send::send_all(&context.home, &context.settings, most);
    }
    ExitCode::from(code.unwrap_or_else(|error| context.fail("", &error)))
}

/// What other process managers call a command, where no likeness of spelling leads to it.
const CALLED_ELSEWHERE: [(&str, &[&str]); 9] = [
    ("register", &["add", "create", "new"]),
    ("deregister", &["delete", "del", "remove", "rm", "unregister"]),
    ("start", &["up", "run"]),
    ("stop", &["down", "kill", "terminate"]),
    ("restart", &["reload"]),
    ("status", &["list", "ls", "ps", "show", "info", "describe", "inspect", "top", "monit"]),
    ("logs", &["log", "tail", "follow"]),
    ("install", &["enable", "startup"]),
    ("uninstall", &["disable", "unstartup"]),
];

/// A wrong command's error names the one that is meant.
fn meant(mut error: clap::Error) -> clap::Error {
    let word = called();
    if word.as_ref().is_some_and(|word| word == "register") {
        return with_dashes(error, 2);
    }
    let known = CALLED_ELSEWHERE
        .iter()
        .find(|(_, words)| words.iter().any(|it| word.as_ref().is_some_and(|word| word == it)));
    if let Some((command, _)) = known
        && error.kind() == ErrorKind::InvalidSubcommand
    {
        let command = ContextValue::Strings(vec![(*command).to_owned()]);
        error.insert(ContextKind::SuggestedSubcommand, command);
    }
    error
}

/// The exit code of wrong usage. To a hook's host 2 means "no", to each and every command: there it is 1.
fn usage() -> u8 {
    if called().is_some_and(|command| command == "hook") { 1 } else { 2 }
}

/// The word that stands where a command is to stand.
fn called() -> Option<OsString> {
    let mut words = std::env::args_os().skip(1);
    loop {
        match words.next() {
            Some(word) if word == "--registry" || word == "--alert-cmd" => drop(words.next()),
            Some(word) if word.as_encoded_bytes().starts_with(b"-") => {}
            word => return word,
        }
    }
}

fn alert_variable() -> Option<String> {
    match std::env::var("SENTINEL_ALERT_CMD") {
        Ok(command) => Some(command),
        Err(VarError::NotPresent) => None,
        Err(VarError::NotUnicode(_)) => {
            say(
                "sentinel-keep: SENTINEL_ALERT_CMD is no UTF-8, and not used: no alert is sent; expected a command",
            );
            None
        }
    }
}

fn refuse(error: &KeepError) -> u8 {
    say(format!("sentinel-keep: {error}"));
    error.exit_code()
}
