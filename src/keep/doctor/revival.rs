//! Who starts again what has ended, the keeper and the whole machine included: cron, or the user's
//! systemd.

use super::{Finding, cron, systemd};
use std::path::Path;

/// What decides it.
#[derive(Clone, Debug)]
struct Facts {
    /// A cron daemon runs.
    runs: Option<bool>,
    /// `crontab` is there.
    crontab: bool,
    /// The user may have one.
    allowed: Option<bool>,
    /// The user's manager answers, or why not.
    manager: Result<(), String>,
    /// The user's manager starts with the machine.
    lingers: Option<bool>,
    user: String,
    /// Our search path.
    path: String,
    /// Where the manager's socket is, if that is not what `XDG_RUNTIME_DIR` says.
    runtime: Option<String>,
}

impl Facts {
    /// Cron would run our lines.
    fn cron(&self) -> Option<bool> {
        match (self.runs, self.allowed) {
            _ if !self.crontab => Some(false),
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }
    }

    fn timer(&self) -> Option<bool> {
        if self.manager.is_ok() { self.lingers } else { Some(false) }
    }
}

fn decide(facts: &Facts) -> Vec<Finding> {
    let mut found = vec![cron_line(facts), manager_line(facts), reboot_line(facts)];
    let beyond = cron::beyond(&facts.path);
    if facts.cron() == Some(true) && !beyond.is_empty() {
        found.push(Finding::good(
            "path",
            format!(
                "cron searches {}; here also {}: what is registered here is run with the PATH of here",
                cron::PATH,
                beyond.join(":")
            ),
        ));
    }
    found
}

fn cron_line(facts: &Facts) -> Finding {
    let check = "cron";
    let (says, todo) = match (facts.runs, facts.crontab, facts.allowed) {
        (_, false, _) => {
            ("there is no crontab program here".to_owned(), "install cron and start it")
        }
        (Some(false), ..) => (
            "no cron daemon runs here".to_owned(),
            "start it: `systemctl enable --now cron` (or crond), `service cron start`",
        ),
        (_, _, Some(false)) => (
            format!("{} may have no crontab", facts.user),
            "have root name you in /etc/cron.allow, or no longer in /etc/cron.deny",
        ),
        (None, ..) => (
            "whether cron runs cannot be told: processes are hidden".to_owned(),
            "ask for the service named cron or crond",
        ),
        (_, _, None) => (
            format!("cron runs; whether {} may have a crontab cannot be told", facts.user),
            "see whether `crontab -l` is refused",
        ),
        _ => {
            return Finding::good(
                check,
                format!("cron runs, and {} may have a crontab", facts.user),
            );
        }
    };
    match facts.cron() {
        _ if facts.timer() == Some(true) => {
            Finding::good(check, format!("{says}; none is needed beside the user's systemd"))
        }
        None => Finding::unknown(check, says, todo),
        _ => Finding::bad(check, says, todo),
    }
}

fn manager_line(facts: &Facts) -> Finding {
    let check = "systemd-user";
    match &facts.manager {
        Ok(()) => Finding::good(check, "systemctl --user is answered"),
        Err(why) if facts.cron() == Some(true) => {
            Finding::good(check, format!("{why}; none is needed beside cron"))
        }
        Err(why) => {
            let todo = match &facts.runtime {
                Some(place) => format!("export XDG_RUNTIME_DIR={place}"),
                None => "log in in a way that starts it (not su or sudo), or use cron".to_owned(),
            };
            Finding::bad(check, why.clone(), todo)
        }
    }
}

fn reboot_line(facts: &Facts) -> Finding {
    let check = "reboot";
    match (facts.timer(), facts.cron()) {
        (Some(true), _) => Finding::good(
            check,
            "the user's systemd starts with the machine: `install --systemd` is enough",
        ),
        (_, Some(true)) => {
            Finding::good(check, "cron starts with the machine: `install --cron` is enough")
        }
        (Some(false), Some(false)) => Finding::bad(
            check,
            "nothing here would start anything again after a reboot, or after the keeper's death",
            if facts.manager.is_ok() || facts.runtime.is_some() {
                format!("loginctl enable-linger {}; or install cron", facts.user)
            } else {
                "install cron; or have what starts this machine or container run `sentinel-keep healthcheck --every 1m`".to_owned()
            },
        ),
        _ => Finding::unknown(
            check,
            "whether anything starts after a reboot cannot be told",
            format!("loginctl enable-linger {}", facts.user),
        ),
    }
}

/// Will somebody start again what has ended?
pub fn examine() -> Vec<Finding> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/bin".into()]);
    let user = systemd::user().unwrap_or_else(|| nix::unistd::geteuid().to_string());
    let runtime = format!("/run/user/{}", nix::unistd::geteuid());
    let set = std::env::var("XDG_RUNTIME_DIR").unwrap_or_default();
    let elsewhere = set != runtime && Path::new(&runtime).join("systemd").exists();
    decide(&Facts {
        runs: cron::runs(),
        crontab: places.into_iter().any(|dir| dir.join("crontab").is_file()),
        allowed: cron::allows(&user, Path::new("/etc")),
        manager: systemd::user_manager(),
        lingers: systemd::lingers(),
        user,
        path: path.to_string_lossy().into_owned(),
        runtime: elsewhere.then_some(runtime),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_starts_it_again() {
        let (yes, no) = (Some(true), Some(false));
        // cron runs, crontab, allowed, manager answers, lingers: cron, systemd-user, reboot
        for (runs, crontab, allowed, manager, lingers, expected) in [
            (yes, true, yes, true, yes, [yes, yes, yes]),
            (yes, true, yes, true, no, [yes, yes, yes]),
            (yes, true, yes, false, no, [yes, yes, yes]),
            (no, true, yes, true, yes, [yes, yes, yes]),
            (no, false, yes, true, no, [no, yes, no]),
            (no, false, yes, true, None, [no, yes, None]),
            (no, false, yes, false, yes, [no, no, no]),
            (yes, true, no, false, no, [no, no, no]),
            (yes, true, None, false, no, [None, no, None]),
            (None, true, yes, false, no, [None, no, None]),
            (None, true, yes, true, yes, [yes, yes, yes]),
        ] {
            let facts = Facts {
                runs,
                crontab,
                allowed,
                manager: if manager { Ok(()) } else { Err("Failed to connect to bus".into()) },
                lingers,
                user: "ann".into(),
                path: "/home/ann/bin:/usr/bin:/bin".into(),
                runtime: None,
            };
            let found = decide(&facts);
            let good: Vec<Option<bool>> = found.iter().take(3).map(|f| f.good).collect();
            assert_eq!(good, expected, "{facts:?}\n{found:#?}");
            assert!(found.iter().all(|f| f.todo.is_none() == (f.good == yes)), "{found:#?}");
            let told = found.iter().any(|f| f.check == "path" && f.says.contains("/home/ann/bin"));
            assert_eq!(told, facts.cron() == yes, "{found:#?}");
        }
    }
}
