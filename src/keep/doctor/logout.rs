//! Whether a logout, or the end of what we were started by, ends what is started from here.

use super::{Finding, systemd};
use crate::os::cgroup;
use std::path::Path;

/// What decides it.
#[derive(Clone, Debug, Default)]
struct Facts {
    /// systemd runs this machine.
    systemd: bool,
    /// This is a container.
    container: bool,
    /// Our cgroup, as systemd knows it.
    place: String,
    /// Who we are.
    user: String,
    /// logind ends what a session of ours leaves behind.
    ends: Option<bool>,
    /// Our manager outlives logouts.
    lingers: Option<bool>,
    /// What the stop of the service that we are in ends.
    kill_mode: Option<String>,
}

/// Where systemd has put a process.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place<'a> {
    /// The scope of a login.
    Session(&'a str),
    /// A service, the user's own or the system's.
    Service { unit: &'a str, of_user: bool },
    /// A scope or slice of the user's own manager.
    Manager,
    /// A container.
    Container,
    /// Where nothing is ended by itself.
    Elsewhere,
}

/// What containers' cgroups are called.
const CONTAINERS: [&str; 11] = [
    "docker",
    "libpod",
    "kubepods",
    "lxc",
    "crio-",
    "cri-containerd",
    "containerd",
    "machine.slice",
    "buildkit",
    "garden",
    "podman-",
];

fn place(path: &str) -> Place<'_> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    // The services that run containers are none themselves.
    let is_container = |part: &&str| {
        !part.ends_with(".service") && CONTAINERS.iter().any(|name| part.starts_with(name))
    };
    if parts.iter().any(is_container) {
        return Place::Container;
    }
    let manager = parts.iter().position(|part| is_manager(part));
    let below = manager.map_or(&parts[..], |at| &parts[at + 1..]);
    // The innermost unit: what we run in may have divided its cgroup further.
    let unit = below.iter().rfind(|part| {
        let kind = part.rsplit_once('.').map(|(_, kind)| kind);
        matches!(kind, Some("service" | "scope"))
    });
    let of_user = manager.is_some();
    match unit {
        Some(unit) if unit.ends_with(".service") => Place::Service { unit, of_user },
        Some(unit) if unit.starts_with("session-") && !of_user => Place::Session(unit),
        _ if of_user => Place::Manager,
        _ => Place::Elsewhere,
    }
}

/// `user@1000.service`
fn is_manager(part: &str) -> bool {
    part.starts_with("user@") && part.ends_with(".service")
}

fn decide(facts: &Facts) -> Finding {
    const CHECK: &str = "logout";
    let good = |says: &str| Finding::good(CHECK, says);
    if !facts.systemd {
        return good(match (facts.container, place(&facts.place)) {
            (true, _) | (_, Place::Container) => {
                "this is a container: nothing ends at a logout, everything with the container"
            }
            _ => "no systemd here: nothing ends processes at a logout",
        });
    }
    let user = &facts.user;
    let linger = format!("loginctl enable-linger {user}");
    match place(&facts.place) {
        Place::Container => {
            good("in a container's cgroup: no logout, but the container's end ends it")
        }
        Place::Elsewhere => good("in no session and no service: a logout ends nothing here"),
        Place::Session(unit) => match facts.ends {
            Some(false) => {
                good(&format!("in {unit}, and logind leaves alone what {user} leaves behind"))
            }
            Some(true) => Finding::bad(
                CHECK,
                format!("in {unit}: logind ends it at the logout (KillUserProcesses)"),
                format!(
                    "{linger}, and start from `systemd-run --user --scope`; or set KillUserProcesses=no in /etc/systemd/logind.conf"
                ),
            ),
            None => Finding::unknown(
                CHECK,
                format!(
                    "in {unit}: logind was built to end it at the logout, or not to (KillUserProcesses is not set)"
                ),
                "set KillUserProcesses=no in /etc/systemd/logind.conf",
            ),
        },
        Place::Service { unit, of_user } => service(facts, unit, of_user, &linger),
        Place::Manager => manager(facts, &linger),
    }
}

fn service(facts: &Facts, unit: &str, of_user: bool, linger: &str) -> Finding {
    let apart = "start from a login or from cron, or `systemd-run --user --scope`";
    match facts.kill_mode.as_deref() {
        Some("process" | "none") if of_user => manager(facts, linger),
        Some("process" | "none") => {
            Finding::good("logout", format!("in {unit}, whose stop leaves alone what it started"))
        }
        Some(mode) => Finding::bad(
            "logout",
            format!(
                "in {unit}: its stop or restart ends all that was started in it (KillMode={mode})"
            ),
            format!("{apart}; or set KillMode=process in {unit}"),
        ),
        None => Finding::unknown(
            "logout",
            format!(
                "in {unit}: its stop may end all that was started in it (KillMode is not told)"
            ),
            apart,
        ),
    }
}

fn manager(facts: &Facts, linger: &str) -> Finding {
    match facts.lingers {
        Some(true) => Finding::good(
            "logout",
            format!("below the manager of {}, which lingers: it outlives every logout", facts.user),
        ),
        Some(false) => Finding::bad(
            "logout",
            format!("below the manager of {}, which ends with the last logout", facts.user),
            linger,
        ),
        None => Finding::unknown(
            "logout",
            format!(
                "below the manager of {}, which ends with the last logout unless it lingers",
                facts.user
            ),
            linger,
        ),
    }
}

/// Will a logout end what is started here?
pub fn examine() -> Vec<Finding> {
    let exists = |path: &str| Path::new(path).exists();
    let path = cgroup::systemd_place().unwrap_or_default();
    let user = systemd::user();
    let kill_mode = match place(&path) {
        Place::Service { unit, of_user } => systemd::kill_mode(unit, of_user),
        _ => None,
    };
    let facts = Facts {
        systemd: systemd::is_there(),
        container: ["/.dockerenv", "/run/.containerenv", "/run/systemd/container"]
            .into_iter()
            .any(exists),
        ends: user.as_deref().and_then(|user| systemd::logind().ends(user)),
        user: user.unwrap_or_else(|| nix::unistd::geteuid().to_string()),
        lingers: systemd::lingers(),
        kill_mode,
        place: path,
    };
    vec![decide(&facts)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let service = |unit, of_user| Place::Service { unit, of_user };
        let above = "/user.slice/user-1000.slice";
        let own = format!("{above}/user@1000.service");
        let at = |rest: &str| format!("{own}{rest}");
        for (path, expected) in [
            (format!("{above}/session-3.scope"), Place::Session("session-3.scope")),
            (format!("{above}/session-c1.scope/sentinel-1"), Place::Session("session-c1.scope")),
            (at("/init.scope"), Place::Manager),
            (at(""), Place::Manager),
            (at("/app.slice/run-r1.scope"), Place::Manager),
            (at("/app.slice/bot.service"), service("bot.service", true)),
            (at("/app.slice/bot.service/sub"), service("bot.service", true)),
            ("/system.slice/cron.service".into(), service("cron.service", false)),
            ("/system.slice/ssh.service".into(), service("ssh.service", false)),
            ("/system.slice/docker.service".into(), service("docker.service", false)),
            ("/system.slice/docker-0a1b.scope".into(), Place::Container),
            ("/docker/0a1b".into(), Place::Container),
            ("/kubepods.slice/kubepods-pod1.slice/cri-containerd-2.scope".into(), Place::Container),
            ("/lxc.payload.web/system.slice/ssh.service".into(), Place::Container),
            ("/system.slice/run-r2.scope".into(), Place::Elsewhere),
            ("/init.scope".into(), Place::Elsewhere),
            ("/".into(), Place::Elsewhere),
            (String::new(), Place::Elsewhere),
        ] {
            assert_eq!(place(&path), expected, "{path}");
        }
    }

    #[test]
    fn what_a_logout_does() {
        let session = "/user.slice/user-1000.slice/session-3.scope";
        let own = "/user.slice/user-1000.slice/user@1000.service/app.slice";
        let (scope, bot) = (format!("{own}/run-1.scope"), format!("{own}/bot.service"));
        let cron = "/system.slice/cron.service";
        let (yes, no) = (Some(true), Some(false));
        // place, logind ends it, lingers, KillMode, good, a word of what is said or to be done
        for (place, ends, lingers, mode, good, word) in [
            (session, yes, no, None, no, "enable-linger ann"),
            (session, yes, yes, None, no, "systemd-run --user --scope"),
            (session, no, no, None, yes, "leaves alone"),
            (session, None, no, None, None, "KillUserProcesses=no"),
            (&scope, yes, yes, None, yes, "outlives every logout"),
            (&scope, no, no, None, no, "enable-linger ann"),
            (&scope, no, None, None, None, "enable-linger ann"),
            (&bot, no, yes, Some("control-group"), no, "KillMode=process in bot.service"),
            (&bot, no, yes, Some("process"), yes, "outlives every logout"),
            (&bot, no, no, Some("process"), no, "enable-linger ann"),
            (cron, yes, no, Some("process"), yes, "cron.service"),
            (cron, yes, no, Some("mixed"), no, "KillMode=mixed"),
            (cron, yes, no, None, None, "not told"),
            ("/docker/1", yes, no, None, yes, "container"),
            ("/", yes, no, None, yes, "no session"),
        ] {
            let facts = Facts {
                systemd: true,
                place: place.to_owned(),
                user: "ann".into(),
                ends,
                lingers,
                kill_mode: mode.map(str::to_owned),
                ..Facts::default()
            };
            let found = decide(&facts);
            let all = format!("{} {}", found.says, found.todo.clone().unwrap_or_default());
            assert_eq!(found.good, good, "{facts:?}: {all}");
            assert!(all.contains(word), "{facts:?}: {all}");
            assert_eq!(found.todo.is_some(), good != yes, "{found:?}");
        }
        let nobody = Facts { ends: yes, place: session.into(), ..Facts::default() };
        assert_eq!(decide(&nobody).good, yes, "without systemd nobody acts on it");
    }
}
