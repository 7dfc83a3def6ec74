//! `hook`: what a host of AI agents calls. Its exit status is 0 whatever happened, for a host takes 2 for
//! a "no"; 2 only wakes an agent (`--wait`).

use crate::cli::{run as wrap, values, watch};
use crate::decide::shell::Call;
use crate::hook::gate::Mode;
use crate::hook::host::Host;
use crate::hook::serve::{Hook, MOST};
use crate::hook::wait::READS_IT;
use crate::os::say::{print, say};
use crate::protocol::name::JobName;
use clap::{Parser, ValueEnum};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a host takes for "wake the agent, with what is on standard error".
const WAKE: u8 = 2;

#[expect(clippy::doc_markdown, reason = "these are the texts of --help")]
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose event is on standard input
    #[arg(long, value_enum)]
    host: HostName,

    /// What is done about a command that leaves work behind [default: $SENTINEL_HOOK_MODE, else deny]
    #[arg(long, value_enum)]
    mode: Option<ModeName>,

    /// After a command that started jobs: wait for the first end, print it on standard error and exit 2
    /// (Claude Code: asyncRewake)
    #[arg(long)]
    wait: bool,

    /// Let through what takes longer to judge; with --wait: how long the agent has to read an end itself
    #[arg(long, hide = true, value_name = "DUR", value_parser = values::positive_duration)]
    within: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HostName {
    Claude,
    Codex,
    Gemini,
    Cursor,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ModeName {
    Deny,
    Ask,
    Warn,
}

impl std::fmt::Display for ModeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Deny => "deny",
            Self::Ask => "ask",
            Self::Warn => "warn",
        })
    }
}

impl From<HostName> for Host {
    fn from(name: HostName) -> Self {
        match name {
            HostName::Claude => Self::Claude,
            HostName::Codex => Self::Codex,
            HostName::Gemini => Self::Gemini,
            HostName::Cursor => Self::Cursor,
        }
    }
}

impl Args {
    /// Answers one event; the exit code.
    pub fn run(&self, registry: Result<PathBuf, String>) -> u8 {
        let host = Host::from(self.host);
        let places = registry.and_then(|registry| Ok((registry, values::monitor_dir(None)?)));
        let (registry, jobs) = match places {
            Ok(places) => places,
            Err(why) => {
                say(format!("sentinel-keep hook: {why}"));
                let out = host.let_through();
                if !out.is_empty() {
                    print(&out);
                }
                return 0;
            }
        };
        let hook = Hook { host, mode: self.mode(), registry, jobs, about: &about };
        if self.wait {
            return if hook.wait(self.within.unwrap_or(READS_IT)) { WAKE } else { 0 };
        }
        hook.serve(self.within.unwrap_or(MOST));
        0
    }

    fn mode(&self) -> Mode {
        let variable = std::env::var("SENTINEL_HOOK_MODE").unwrap_or_default();
        let name = self.mode.or_else(|| ModeName::from_str(&variable, true).ok());
        match name {
            None if !variable.is_empty() => {
                say(format!(
                    "sentinel-keep hook: bad SENTINEL_HOOK_MODE {variable:?}: expected deny, ask or warn; deny is used"
                ));
                Mode::Deny
            }
            None | Some(ModeName::Deny) => Mode::Deny,
            Some(ModeName::Ask) => Mode::Ask,
            Some(ModeName::Warn) => Mode::Warn,
        }
    }
}

/// The jobs that a call of `sentinel-run` or `sentinel-watch` is about, by the very reading of their
/// arguments that these programs have.
fn about(call: &Call, cwd: &Path) -> Vec<(JobName, PathBuf)> {
    // What is only known when it runs is no name, and no value of an option that matters here.
    let words: Vec<String> =
        call.words.iter().map(|word| word.clone().unwrap_or_else(|| "?".to_owned())).collect();
    let found = match call.program() {
        "sentinel-run" => wrap::Args::try_parse_from(&words)
            .ok()
            .and_then(wrap::Args::job)
            .map(|(name, dir)| (vec![name], dir)),
        "sentinel-watch" => watch::Args::try_parse_from(&words).ok().and_then(watch::Args::jobs),
        _ => None,
    };
    let (names, dir) = found.unwrap_or_default();
    names.into_iter().map(|name| (name, cwd.join(&dir))).collect()
}
