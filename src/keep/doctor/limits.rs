//! Whether the system still gives what a keeper and its processes ask of it.

use super::Finding;
use crate::os::holdings::{self, Holdings};
use rustix::process::{Resource, getrlimit};

/// A keeper watches a file of each process, and its programs a few of their own.
const WATCHES: u64 = 256;
/// As many programs that watch something may be started from here.
const INSTANCES: u64 = 8;
/// A keeper holds some descriptors for each process.
const DESCRIPTORS: u64 = 256;

/// A start takes some threads for a moment, and so does the doctor.
const THREADS: u64 = 16;

/// What decides it.
#[derive(Clone, Copy, Debug)]
struct Facts {
    used: Holdings,
    /// One more inotify instance was to be had.
    another: bool,
    /// `fs.inotify.max_user_instances`
    instances: Option<u64>,
    /// `fs.inotify.max_user_watches`
    watches: Option<u64>,
    /// `RLIMIT_NOFILE`; `None`: without end.
    descriptors: Option<u64>,
    /// `RLIMIT_NPROC`, threads of the user; `None`: without end, and for root.
    threads: Option<u64>,
}

fn decide(facts: &Facts) -> Vec<Finding> {
    let mut found = vec![];
    if let (Some(instances), Some(watches)) = (facts.instances, facts.watches) {
        found.push(inotify_line(facts, instances, watches));
    }
    found.push(match facts.descriptors {
        Some(most) if most < DESCRIPTORS => Finding::bad(
            "descriptors",
            format!("a program may open only {most} files (RLIMIT_NOFILE)"),
            format!("ulimit -n {}, or raise nofile in /etc/security/limits.conf", DESCRIPTORS * 4),
        ),
        Some(most) => Finding::good("descriptors", format!("a program may open {most} files")),
        None => Finding::good("descriptors", "a program may open any number of files"),
    });
    found.push(match facts.threads {
        Some(most) if facts.used.threads + (most / 10).max(THREADS) >= most => Finding::bad(
            "processes",
            format!(
                "{} of {most} processes and threads are in use (RLIMIT_NPROC)",
                facts.used.threads
            ),
            "end what is not needed, ulimit -u, or raise nproc in /etc/security/limits.conf",
        ),
        Some(most) => Finding::good(
            "processes",
            format!("{} of {most} processes and threads are in use", facts.used.threads),
        ),
        None => Finding::good("processes", "there may be any number of them"),
    });
    found
}

fn inotify_line(facts: &Facts, instances: u64, watches: u64) -> Finding {
    let used = facts.used;
    let says = format!(
        "{} of {instances} instances and {} of {watches} watches are in use",
        used.instances, used.watches
    );
    let raise = |key: &str, to: u64| {
        format!("sysctl fs.inotify.{key}={to} (as root, and in /etc/sysctl.d)")
    };
    if !facts.another || used.instances + INSTANCES > instances {
        Finding::bad("inotify", says, raise("max_user_instances", instances.max(512) * 2))
    } else if used.watches + WATCHES > watches {
        Finding::bad("inotify", says, raise("max_user_watches", watches.max(32_768) * 2))
    } else {
        Finding::good("inotify", says)
    }
}

/// Is there enough left?
pub fn examine() -> Vec<Finding> {
    let setting = |key: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/fs/inotify/{key}")).ok()?;
        text.trim().parse().ok()
    };
    let user = nix::unistd::geteuid();
    decide(&Facts {
        used: holdings::of(user.as_raw()),
        another: holdings::has_another_instance(),
        instances: setting("max_user_instances"),
        watches: setting("max_user_watches"),
        descriptors: getrlimit(Resource::Nofile).current,
        threads: getrlimit(Resource::Nproc).current.filter(|_| !user.is_root()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left() {
        let facts = |threads, instances, watches, another| Facts {
            used: Holdings { threads, instances, watches },
            another,
            instances: Some(128),
            watches: Some(10_000),
            descriptors: Some(1024),
            threads: Some(1000),
        };
        let plenty = facts(10, 3, 5, true);
        for (seen, inotify, descriptors, processes) in [
            (plenty, true, true, true),
            (facts(899, 120, 9744, true), true, true, true),
            (facts(900, 120, 9744, true), true, true, false),
            (facts(10, 121, 5, true), false, true, true),
            (facts(10, 3, 9745, true), false, true, true),
            (facts(10, 3, 5, false), false, true, true),
            (Facts { descriptors: Some(255), ..plenty }, true, false, true),
            (Facts { threads: Some(26), ..plenty }, true, true, false),
            (Facts { threads: Some(27), ..plenty }, true, true, true),
            (Facts { descriptors: None, threads: None, ..plenty }, true, true, true),
        ] {
            let good: Vec<bool> = decide(&seen).iter().map(|f| f.good == Some(true)).collect();
            assert_eq!(good, [inotify, descriptors, processes], "{seen:?}");
        }
        assert_eq!(decide(&Facts { instances: None, ..plenty }).len(), 2, "no inotify, no line");
    }
}
