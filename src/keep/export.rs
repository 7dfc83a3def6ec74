//! `export systemd`: a process as a unit, for whoever has systemd itself keep it.

use super::home::Home;
use super::{launch, unit};
use crate::decide::restart::{Policy, backoff};
use crate::protocol::evidence::BeatOn;
use crate::protocol::name::JobName;
use crate::protocol::registry::{GRACE, Process};
use crate::protocol::text::one_line;
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
    let mut lines = head(home, name, process);
    lines.extend(["", "[Unit]"].map(str::to_owned));
    lines.extend(unit_section(name, process));
    lines.extend(["", "[Service]", "Type=notify", "NotifyAccess=main"].map(str::to_owned));
    lines.extend(place(process)?);
    lines.extend(settings);
    lines.extend(commands(process, &command));
    lines.extend(times(process)?);
    lines.extend(restarts(process));
    lines.extend(["", "[Install]", "WantedBy=default.target", ""].map(str::to_owned));
    Ok(lines.join("\n"))
}

fn head(home: &Home, name: &JobName, process: &Process) -> Vec<String> {
    let shown = |path: &Path| one_line(&shell_words::quote(&path.to_string_lossy()));
    let keep = format!("sentinel-keep --registry {}", shown(home.registry()));
    let unit = format!("sentinel-{name}.service");
    let mut lines = vec![
        format!("# From now on systemd keeps {name}, and sentinel-keep does not: two keepers would fight."),
        "#".to_owned(),
        "#   mkdir -p ~/.config/systemd/user".to_owned(),
        format!("#   {keep} export systemd {name} > ~/.config/systemd/user/{unit}"),
        format!("#   {keep} deregister {name}"),
        "#   systemctl --user daemon-reload".to_owned(),
        format!("#   systemctl --user enable --now {unit}"),
        "#   loginctl enable-linger          # it starts with the machine, and outlives your logout".to_owned(),
        "#".to_owned(),
        format!("# Its files stay where they were: sentinel-watch --dir {} {name}", shown(&home.jobs())),
    ];
    if process.tmux {
        lines.push("# It does not run in tmux: systemd gives it no terminal.".to_owned());
    }
    lines
}

fn unit_section(name: &JobName, process: &Process) -> Vec<String> {
    let mut lines = vec![format!("Description={name}: {}", unit::prose(&process.command))];
    let after = process.after.iter().map(|other| format!("After=sentinel-{other}.service"));
    lines.extend(after);
    // The first start counts here, too.
    let starts = process.max_restarts.saturating_add(1);
    lines.extend(["StartLimitIntervalSec=600".to_owned(), format!("StartLimitBurst={starts}")]);
    lines
}

fn place(process: &Process) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    if let Some(cwd) = &process.cwd {
        lines.push(format!("WorkingDirectory={}", unit::path(cwd)?));
    }
    if let Some(file) = &process.env_file {
        let path = Path::new(process.cwd.as_deref().unwrap_or_default()).join(file);
        lines.push(format!("EnvironmentFile={}", unit::no_pattern(&path.to_string_lossy())?));
    }
    Ok(lines)
}

fn commands(process: &Process, command: &str) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(before) = &process.pre_restart {
        lines.push("# Before the first start as well: systemd makes no difference.".to_owned());
        lines.push(format!("ExecStartPre=/bin/sh -c {}", unit::word(before)));
    }
    lines.push(format!("ExecStart={command}"));
    lines
}

fn times(process: &Process) -> Result<Vec<String>, String> {
    let rhythm = process.rhythm()?;
    let grace = Duration::from(process.grace.unwrap_or(GRACE));
    Ok(vec![
        format!("TimeoutStartSec={}", start_limit(process)),
        format!(
            "# sentinel-run sends WATCHDOG=1 with each beat, and ends what has had none for {} itself,",
            human(rhythm.stale)
        ),
        "# as hung. This is for a sentinel-run that can do nothing any more.".to_owned(),
        format!("WatchdogSec={}", span(rhythm.stale + rhythm.interval + SLACK)),
        "WatchdogSignal=SIGKILL".to_owned(),
        format!("# TERM to sentinel-run, which ends its tree within {}.", human(grace)),
        "KillMode=mixed".to_owned(),
        format!("TimeoutStopSec={}", span(grace + SLACK + SLACK)),
        "SuccessExitStatus=143".to_owned(),
    ])
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
        words.extend(["/usr/bin/env", "--"].map(str::to_owned));
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

fn restarts(process: &Process) -> Vec<String> {
    if !process.auto_restart || process.max_restarts == 0 {
        return vec!["Restart=no".to_owned()];
    }
    let mut lines = Vec::new();
    if process.duration().is_some() && !process.completes {
        lines.push("# systemd cannot tell an exit code 0 that came too early.".to_owned());
    }
    let ends = process.completes || process.duration().is_some();
    lines.extend([
        format!("Restart={}", if ends { "on-failure" } else { "always" }),
        "# A TERM that was not systemd's is a death like any other.".to_owned(),
        "RestartForceExitStatus=143".to_owned(),
        "# Always the same: the mean of the growing ones.".to_owned(),
        format!("RestartSec={}", span(mean(process))),
    ]);
    lines
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
        let home = Home::make(&dir.path().join("r.json")).unwrap();
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
        assert!(text.contains("ExecStart=/usr/bin/env -- B-C=x /"), "{text}");
        assert!(text.contains("\nWorkingDirectory=/srv/50%% off\n"), "{text}");
        assert!(!text.contains("--cwd"), "{text}");
        let text = export(&Process { env_file: Some("a[1].env".into()), ..process });
        assert!(text.contains("ExecStart=/usr/bin/env -- \"A=$$1\" B-C=x /"), "{text}");
        assert!(text.contains("\nEnvironmentFile=/srv/50%% off/a\\[1].env\n"), "{text}");
    }
}
