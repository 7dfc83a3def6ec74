//! Cron: whether one runs, whether it takes our lines, and what it would run them with.

use crate::os::process;
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// What a line of a user's gets as `PATH`, unless it is set in the crontab.
pub const PATH: &str = "/usr/bin:/bin";

/// What daemons are called that run users' lines. Not anacron, which runs the system's only.
const NAMES: [&str; 4] = ["cron", "crond", "fcron", "busybox-crond"];
/// What they hold a lock on while they live.
const PID_FILES: [&str; 3] = ["/run/crond.pid", "/var/run/crond.pid", "/run/cron.pid"];

/// Whether a daemon runs; `None`: cannot be told, because processes are hidden.
pub fn runs() -> Option<bool> {
    if PID_FILES.iter().any(|path| is_locked(Path::new(path))) {
        return Some(true);
    }
    let is_daemon = |stat: &process::Stat| {
        stat.lives() && NAMES.contains(&stat.comm.as_str()) && process::uid(stat.pid) == Some(0)
    };
    let found = process::all().into_iter().filter_map(process::stat).any(|stat| is_daemon(&stat));
    if found || process::stat(1).is_some() { Some(found) } else { None }
}

fn is_locked(path: &Path) -> bool {
    let is_file = std::fs::metadata(path).is_ok_and(|meta| meta.is_file());
    let Some(file) = is_file.then(|| File::open(path).ok()).flatten() else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Whether this user may have a crontab; `None`: cannot be told.
pub fn allows(user: &str, etc: &Path) -> Option<bool> {
    let list = |name: &str| match std::fs::read_to_string(etc.join(name)) {
        Ok(text) => Some(Some(text.lines().any(|line| line.trim() == user))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(None),
        Err(_) => None,
    };
    if user == "root" {
        return Some(true);
    }
    match list("cron.allow")? {
        Some(named) => Some(named),
        // Without either file it is up to how cron was built: Debian's lets everybody.
        None => Some(list("cron.deny")?.is_none_or(|named| !named)),
    }
}

/// The directories of a search path that cron's does not have.
pub fn beyond(path: &str) -> Vec<&str> {
    let theirs: Vec<&str> = PATH.split(':').collect();
    let mut more: Vec<&str> = path.split(':').filter(|dir| !dir.is_empty()).collect();
    more.retain(|dir| !theirs.contains(dir));
    more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        let may = |user| allows(user, dir.path());
        assert_eq!(may("ann"), Some(true));
        write("cron.deny", "bob\n");
        assert_eq!((may("ann"), may("bob")), (Some(true), Some(false)));
        write("cron.allow", "bob\n");
        assert_eq!((may("ann"), may("bob"), may("root")), (Some(false), Some(true), Some(true)));
        std::fs::remove_file(dir.path().join("cron.allow")).unwrap();
        std::fs::create_dir(dir.path().join("cron.allow")).unwrap();
        assert_eq!(may("ann"), None, "what cannot be read tells nothing");
    }

    #[test]
    fn a_lock_tells_that_the_daemon_lives() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("crond.pid");
        assert!(!is_locked(&path) && !is_locked(dir.path()));
        let file = File::create(&path).unwrap();
        assert!(!is_locked(&path));
        file.lock().unwrap();
        assert!(is_locked(&path));
    }

    #[test]
    fn directories_that_cron_does_not_search() {
        assert_eq!(beyond("/home/ann/bin:/usr/bin::/bin:/sbin"), ["/home/ann/bin", "/sbin"]);
        assert!(beyond("/bin:/usr/bin").is_empty());
    }
}
