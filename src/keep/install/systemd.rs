//! A service and a timer of the user's systemd.

use super::{LIMIT, Order, short_name};
use crate::keep::registry::replace;
use crate::keep::unit;
use crate::keep::{KeepError, doctor};
use crate::os::bounded;
use crate::os::dir::MonitorDir;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A healthcheck takes milliseconds, but more often is the keeper's affair.
const LEAST: Duration = Duration::from_secs(1);

/// What the two units of a registry are called, without their suffixes.
#[must_use]
pub fn name(registry: &Path, standard: bool) -> String {
    if standard {
        "sentinel-keep".to_owned()
    } else {
        format!("sentinel-keep-{}", short_name(registry))
    }
}

/// The line by which a unit is known for ours.
fn mark(registry: &Path) -> String {
    format!("# sentinel-keep: {}\n", unit::word(registry))
}

/// The text of the service.
///
/// # Errors
/// If systemd cannot run such a command.
pub fn service(order: &Order) -> Result<String, String> {
    let environment =
        order.environment.iter().filter_map(|(name, value)| unit::variable(name, value));
    let arguments = order.arguments();
    let words = arguments.iter().map(unit::word);
    let words: Vec<String> = [unit::program(&order.program)?].into_iter().chain(words).collect();
    Ok(format!(
        "{mark}# Written by `sentinel-keep install`, removed by `sentinel-keep uninstall`.

[Unit]
Description=Look after the processes of {title}
# Any interval may be asked for.
StartLimitIntervalSec=0

[Service]
Type=oneshot
{environment}
ExecStart={command}
# What it starts is to live on when this service ends; with any other mode systemd would end it too.
KillMode=process
# One of them that runs out of memory is no reason to end the one who restarts it.
OOMPolicy=continue
# Restarts are waited for as long as their cooldowns, and a hung process has its grace.
TimeoutStartSec=infinity
# What it did is in the events of the registry; what is wrong goes to the journal.
StandardOutput=null
",
        mark = mark(&order.registry),
        title = title(order),
        environment = environment.collect::<Vec<String>>().join("\n"),
        command = words.join(" "),
    ))
}

/// The text of the timer.
///
/// # Errors
/// If the interval is too short.
pub fn timer(order: &Order) -> Result<String, String> {
    if order.every < LEAST {
        return Err(format!(
            "--every {}ms is too short for a timer: expected 1s or more; for less there is sentinel-keep healthcheck --every",
            order.every.as_millis()
        ));
    }
    let accuracy = if order.every < Duration::from_mins(1) { "100ms" } else { "1s" };
    Ok(format!(
        "{}# Written by `sentinel-keep install`, removed by `sentinel-keep uninstall`.

[Unit]
Description=Look after the processes of {}, again and again

[Timer]
# At once where the machine is up for longer than that.
OnBootSec=10s
OnUnitActiveSec={}ms
AccuracySec={accuracy}

[Install]
WantedBy=timers.target
",
        mark(&order.registry),
        title(order),
        order.every.as_millis(),
    ))
}

fn title(order: &Order) -> String {
    unit::prose(&order.registry.to_string_lossy())
}

// ---- the user's manager ----------------------------------------------------------------------

/// Whether the user's manager starts with the machine and outlives every logout.
#[must_use]
pub fn lingers() -> bool {
    doctor::systemd::lingers() == Some(true)
}

/// Whether the user's manager answers.
///
/// # Errors
/// In words: why not.
pub fn answers() -> Result<(), String> {
    systemctl(&["show", "--property=Version"])
}

fn systemctl(arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new("systemctl");
    command.arg("--user").args(arguments).env("SYSTEMD_PAGER", "").env("LC_ALL", "C");
    // A shell that `su` or a container gave lacks the one variable by which the manager is found.
    let runtime = PathBuf::from(format!("/run/user/{}", nix::unistd::geteuid()));
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() && runtime.is_dir() {
        command.env("XDG_RUNTIME_DIR", runtime);
    }
    let answer = bounded::run(command, b"", LIMIT)?;
    let line = || format!("systemctl --user {}: {}", arguments.join(" "), answer.words());
    if answer.status.success() { Ok(()) } else { Err(line()) }
}

/// Where the user's own units are.
fn directory() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let config = variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")))?;
    let path = config.join("systemd/user");
    Some(path.canonicalize().unwrap_or(path)) // people keep it elsewhere, by a link
}

/// A unit file, if it is ours and this registry's.
fn is_ours(path: &Path, registry: &Path) -> bool {
    fs::read(path).is_ok_and(|bytes| bytes.starts_with(mark(registry).as_bytes()))
}

/// Writes both units and starts the timer. Returns their paths.
///
/// # Errors
/// If a file of somebody else's is in the way, or the manager refuses.
pub fn install(order: &Order) -> Result<[PathBuf; 2], KeepError> {
    let fail = |why: String| KeepError::Undone { what: "install the timer".into(), why };
    let texts =
        [("service", service(order).map_err(fail)?), ("timer", timer(order).map_err(fail)?)];
    let home = "set HOME or XDG_CONFIG_HOME: there is no place for units";
    let dir = MonitorDir::create(&directory().ok_or_else(|| fail(home.to_owned()))?)?;
    let name = name(&order.registry, order.standard);
    answers().map_err(|why| {
        fail(format!("{why}; start it with loginctl enable-linger, or use --cron"))
    })?;
    let path = |suffix: &str| dir.path().join(format!("{name}.{suffix}"));
    let units = texts.map(|(suffix, text)| (path(suffix), text));
    let strange = |(path, _): &&(PathBuf, String)| path.exists() && !is_ours(path, &order.registry);
    if let Some((path, _)) = units.iter().find(strange) {
        return Err(fail(format!("{} is not ours: move it out of the way", path.display())));
    }
    for (path, text) in &units {
        replace(&dir, path, text.as_bytes())?;
    }
    let timer = format!("{name}.timer");
    systemctl(&["daemon-reload"]).map_err(fail)?;
    systemctl(&["enable", &timer]).map_err(fail)?;
    // A timer that runs already has its old interval until it is started anew.
    systemctl(&["restart", &timer]).map_err(fail)?;
    Ok(units.map(|(path, _)| path))
}

/// Stops the timer and removes both units. Returns whether there were any.
///
/// # Errors
/// If they cannot be removed.
pub fn uninstall(registry: &Path, standard: bool) -> Result<bool, KeepError> {
    let Some(dir) = directory() else { return Ok(false) };
    let name = name(registry, standard);
    let timer = format!("{name}.timer");
    let paths = [dir.join(&timer), dir.join(format!("{name}.service"))];
    let ours: Vec<&PathBuf> = paths.iter().filter(|path| is_ours(path, registry)).collect();
    if ours.is_empty() {
        return Ok(false);
    }
    // A manager that does not run has no timer, and only the link is left to be removed.
    let _ = systemctl(&["disable", "--now", &timer]);
    let link = dir.join("timers.target.wants").join(&timer);
    for path in ours.into_iter().chain([&link]) {
        match fs::remove_file(path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(KeepError::System {
                    what: format!("remove {}", path.display()),
                    source,
                });
            }
            _ => {}
        }
    }
    if answers().is_ok() {
        let fail = |why| KeepError::Undone { what: "uninstall the timer".into(), why };
        systemctl(&["daemon-reload"]).map_err(fail)?;
        if systemctl(&["is-active", &timer]).is_ok() {
            return Err(fail(format!("it runs still; stop it: systemctl --user stop {timer}")));
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        Order {
            program: "/opt/s k/sentinel-keep".into(),
            registry: "/home/me/50% $x/r.json".into(),
            standard: false,
            alert_cmd: Some("mail -s \"$SUBJECT\" me".into()),
            seed_flags: None,
            every: Duration::from_mins(5),
            environment: vec![("PATH".to_owned(), "/a b:/bin".into())],
        }
    }

    #[test]
    fn the_units() {
        let text = service(&order()).unwrap();
        let expected = r#"ExecStart="/opt/s k/sentinel-keep" --registry "/home/me/50%% $$x/r.json" --alert-cmd "mail -s \"$$SUBJECT\" me" healthcheck"#;
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("\nEnvironment=\"PATH=/a b:/bin\"\n"), "{text}");
        assert!(text.contains("\nKillMode=process\n"), "{text}");
        let text = timer(&order()).unwrap();
        assert!(text.contains("\nOnUnitActiveSec=300000ms\nAccuracySec=1s\n"), "{text}");
        let soon = Order { every: Duration::from_millis(500), ..order() };
        assert!(timer(&soon).unwrap_err().contains("500ms"));
    }

    #[test]
    fn each_registry_has_units_of_its_own() {
        let path = Path::new("/srv/bots/r.json");
        assert_eq!(name(path, true), "sentinel-keep");
        assert!(name(path, false).starts_with("sentinel-keep-bots-"));
    }
}
