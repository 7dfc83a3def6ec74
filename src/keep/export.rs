//! `export systemd`: a process as a unit, for whoever has systemd itself keep it.

use super::home::Home;
use super::{launch, unit};
use crate::decide::restart::{Policy, backoff};
use crate::protocol::evidence::BeatOn;
use crate::protocol::name::JobName;
use crate::protocol::registry::{GRACE, Process};
use crate::protocol::time::human;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

/// What `sentinel-run` and systemd take beyond the times that were asked for: the machine may be busy.
const SLACK: Duration = Duration::from_secs(5);
/// As long as `--pre-restart` may take.
const PREPARED: Duration = Duration::from_mins(5);

/// The unit of a process, for a user's manager; it runs this `sentinel-run`.
///
/// # Errors
/// In words: what systemd cannot express.
pub fn systemd(
    home: &Home,
    name: &JobName,
    process: &Process,
    wrapper: &Path,
) -> Result<String, String> {
    let (settings, by_env) = variables(process);
    let command = command_line(home, (name, process), wrapper, &by_env)?;
    let sections = [
        head(home, name, process),
        format!("[Unit]\n{}", unit_section(name, process)),
        format!("[Service]\n{}", service_section(process, &settings, &command)?),
        "[Install]\nWantedBy=default.target\n".to_owned(),
    ];
    Ok(sections.join("\n"))
}

fn head(home: &Home, name: &JobName, process: &Process) -> String {
    let registry = shell_words::quote(&home.registry().to_string_lossy()).into_owned();
    let registry = crate::protocol::text::one_line(&registry);
    let mut text = format!(
        "# From now on systemd keeps {name}, and sentinel-keep does not: two keepers would fight.
#
#   mkdir -p ~/.config/systemd/user
#   sentinel-keep --registry {registry} export systemd {name} > ~/.config/systemd/user/sentinel-{name}.service
#   sentinel-keep --registry {registry} deregister {name}
#   systemctl --user daemon-reload
#   systemctl --user enable --now sentinel-{name}.service
#   loginctl enable-linger          # it starts with the machine, and outlives your logout
#
# Its files stay where they were: sentinel-watch --dir {} {name}
",
        crate::protocol::text::one_line(&home.jobs().to_string_lossy())
    );
    if process.tmux {
        text += "# It does not run in tmux: systemd gives it no terminal.\n";
    }
    text
}

fn unit_section(name: &JobName, process: &Process) -> String {
    let mut text = format!("Description={name}: {}\n", unit::prose(&process.command));
    if !process.after.is_empty() {
        let units = process.after.iter().map(|other| format!("sentinel-{other}.service"));
        let units: Vec<String> = units.collect();
        text += &format!("Wants={0}\nAfter={0}\n", units.join(" "));
    }
    // The first start counts here, too.
    text += &format!(
        "StartLimitIntervalSec=600\nStartLimitBurst={}\n",
        process.max_restarts.saturating_add(1)
    );
    text
}

fn service_section(
    process: &Process,
    settings: &[String],
    command: &str,
) -> Result<String, String> {
    let rhythm = process.rhythm()?;
    let grace = Duration::from(process.grace.unwrap_or(GRACE));
    let mut text = String::from("Type=notify\nNotifyAccess=main\n");
    if let Some(cwd) = &process.cwd {
        text += &format!("WorkingDirectory={}\n", unit::path(cwd)?);
    }
    for setting in settings {
        text += &format!("{setting}\n");
    }
    if let Some(file) = &process.env_file {
        let path = Path::new(process.cwd.as_deref().unwrap_or_default()).join(file);
        text += &format!("EnvironmentFile={}\n", unit::no_pattern(&path.to_string_lossy())?);
    }
    if let Some(command) = &process.pre_restart {
        text += "# Before the first start as well: systemd makes no difference.\n";
        text += &format!("ExecStartPre=/bin/sh -c {}\n", unit::word(command));
    }
    text += &format!("ExecStart={command}\n");
    text += &format!("TimeoutStartSec={}\n", start_limit(process));
    text += &format!(
        "# sentinel-run sends WATCHDOG=1 with each beat, and ends what has had none for {} itself, as
# hung. This is for a sentinel-run that can do nothing any more.
WatchdogSec={}\nWatchdogSignal=SIGKILL\n",
        human(rhythm.stale),
        span(rhythm.stale + rhythm.interval + SLACK)
    );
    text += &restarts(process);
    text += &format!(
        "# TERM to sentinel-run, which ends its tree within {}.\nKillMode=mixed\nTimeoutStopSec={}\n",
        human(grace),
        span(grace + SLACK + SLACK)
    );
    Ok(text)
}

/// What systemd sets, and what has to be set by env(1): what systemd cannot say, and what is to win
/// over the file, which systemd would let win.
fn variables(process: &Process) -> (Vec<String>, Vec<OsString>) {
    let mut settings = Vec::new();
    let mut by_env = Vec::new();
    let recorded = process.recorded_env.iter().map(|pair| (pair, true));
    let own = process.env.iter().map(|pair| (pair, process.env_file.is_none()));
    for ((name, value), may) in recorded.chain(own) {
        match unit::variable(name, OsStr::new(value)).filter(|_| may) {
            Some(setting) => settings.push(setting),
            None => by_env.push(format!("{name}={value}").into()),
        }
    }
    (settings, by_env)
}

fn command_line(
    home: &Home,
    (name, process): (&JobName, &Process),
    wrapper: &Path,
    by_env: &[OsString],
) -> Result<String, String> {
    let mut words = Vec::new();
    if by_env.is_empty() {
        words.push(unit::program(wrapper)?);
    } else {
        words.push("/usr/bin/env".to_owned());
        words.extend(by_env.iter().map(unit::word));
        words.push(unit::program(wrapper)?);
    }
    // systemd is in the right directory already.
    let here = Process { cwd: None, ..process.clone() };
    words.extend(launch::options(home, &here)?.iter().map(unit::word));
    words.extend(["--end-if-stale".to_owned(), unit::word(name.as_str()), "--".to_owned()]);
    words.extend(process.argv()?.iter().map(unit::word));
    Ok(words.join(" "))
}

/// A command that speaks for itself says when it is ready; else it is as soon as it was executed.
fn start_limit(process: &Process) -> String {
    let says = |list: &str| {
        list.parse::<BeatOn>().is_ok_and(|list| list.words().iter().any(|word| word == "app"))
    };
    match () {
        () if process.beat_on.as_deref().is_some_and(says) => "infinity".to_owned(),
        () if process.pre_restart.is_some() => span(PREPARED),
        () => span(Duration::from_secs(90)),
    }
}

fn restarts(process: &Process) -> String {
    if !process.auto_restart || process.max_restarts == 0 {
        return "Restart=no\n".to_owned();
    }
    let mut text = String::new();
    let when = match process.duration() {
        _ if process.completes => "on-failure",
        Some(_) => {
            text += "# systemd cannot tell an exit code 0 that came too early.\n";
            "on-failure"
        }
        None => "always",
    };
    text += &format!(
        "Restart={when}\n# A sentinel-run that somebody sent a TERM (143) was ended as it should be, but not by systemd.\nSuccessExitStatus=143\nRestartForceExitStatus=143\n"
    );
    text += &format!(
        "# Always the same: the mean of the growing ones.\nRestartSec={}\n",
        span(mean(process))
    );
    text
}

/// The mean of the times before the restarts that are allowed in a row.
fn mean(process: &Process) -> Duration {
    let policy = Policy {
        auto_restart: true,
        completes: process.completes,
        duration: process.duration(),
        max_restarts: process.max_restarts,
        cooldown: process.restart_cooldown.into(),
        backoff: process.backoff,
    };
    let many = process.max_restarts.clamp(1, 30);
    let total: Duration = (0..many).map(|row| backoff(&policy, row, 0.0)).sum();
    Duration::from_secs_f64((total / many).as_secs_f64().round().max(1.0))
}

fn span(time: Duration) -> String {
    format!("{}s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::registry::{Backoff, Seconds};

    fn export(process: &Process) -> String {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(&dir.path().join("r.json")).unwrap();
        systemd(&home, &"bot".parse().unwrap(), process, Path::new("/bin/sentinel-run")).unwrap()
    }

    #[test]
    fn when_it_is_restarted() {
        let process = || Process::new("true");
        let table = [
            (process(), "Restart=always\n"),
            (Process { completes: true, ..process() }, "Restart=on-failure\n"),
            (Process { duration_min: Seconds(5.0), ..process() }, "Restart=on-failure\n"),
            (Process { auto_restart: false, ..process() }, "Restart=no\n"),
            (Process { max_restarts: 0, ..process() }, "Restart=no\n"),
            (process(), "RestartSec=6s\n"),
            (Process { backoff: Backoff::Fixed, ..process() }, "RestartSec=30s\n"),
            (process(), "StartLimitBurst=6\n"),
            (process(), "WatchdogSec=315s\n"),
            (process(), "TimeoutStopSec=20s\n"),
            (process(), "TimeoutStartSec=90s\n"),
            (Process { beat_on: Some("app".into()), ..process() }, "TimeoutStartSec=infinity\n"),
        ];
        for (process, expected) in table {
            let text = export(&process);
            assert!(text.contains(&format!("\n{expected}")), "{expected} in {text}");
        }
    }

    #[test]
    fn its_own_variables_win_over_the_file() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let process = Process {
            recorded_env: [pair("PATH", "/bin")].into(),
            env: [pair("A", "$1"), pair("B-C", "x")].into(),
            cwd: Some("/srv/50% off".into()),
            ..Process::new("true")
        };
        let text = export(&process);
        assert!(text.contains("\nEnvironment=PATH=/bin\nEnvironment=\"A=$1\"\n"), "{text}");
        assert!(text.contains("ExecStart=/usr/bin/env B-C=x /"), "{text}");
        assert!(text.contains("\nWorkingDirectory=/srv/50%% off\n"), "{text}");
        assert!(!text.contains("--cwd"), "{text}");
        let text = export(&Process { env_file: Some("a[1].env".into()), ..process });
        assert!(text.contains("ExecStart=/usr/bin/env \"A=$$1\" B-C=x /"), "{text}");
        assert!(text.contains("\nEnvironmentFile=/srv/50%% off/a\\[1].env\n"), "{text}");
    }
}
