//! A cgroup of the run's own, where cgroup v2 is delegated to us (cgroups(7)): `cgroup.kill` ends
//! all of it at once, however fast it forks; `memory.max` bounds it, `cpu.stat` counts it.
//!
//! ```text
//! BASE                       delegated to us
//! ├── sentinel-ID            the command and all below it
//! └── sentinel-ID.wrapper    we, where BASE hands a controller on: then no process may be in BASE
//! ```
//!
//! A job that is started below another one gets its cgroup beside the other's, not in it: so
//! neither the other's limit nor its end is its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Below this, bytes, the kernel's limit could hit us while we are in the cgroup to start the
/// command: arguments may take 6 MiB.
const LEAST_LIMIT: u64 = 8 << 20;

/// The run's cgroup, removed with this value.
#[derive(Debug)]
pub struct Cgroup {
    base: PathBuf,
    /// Where we are while the command is not being started.
    home: PathBuf,
    run: PathBuf,
    /// As `/proc/PID/cgroup` shows it.
    name: String,
}

impl Cgroup {
    /// Makes the cgroup `sentinel-ID` and moves us into it, so that what we start is born there,
    /// bounded by `memory` bytes if that can be had ([`limits_memory`](Self::limits_memory) tells);
    /// `None` where all this is not ours to do.
    ///
    /// Call [`step_out`](Self::step_out) once the command is started.
    #[must_use]
    pub fn enter(id: &str, memory: Option<u64>) -> Option<Self> {
        let (base, name, nested) = delegated()?;
        sweep(&base);
        let run = base.join(format!("sentinel-{id}"));
        let name = format!("{name}/sentinel-{id}");
        let mut group = Self { home: base.clone(), base, run, name };
        let memory = memory.filter(|limit| *limit >= LEAST_LIMIT);
        if nested || memory.is_some() {
            let divided = !lines(&group.base.join("cgroup.subtree_control")).is_empty();
            if divided || (memory.is_some() && group.can_divide()) {
                group.leave_base(id, !divided);
            }
        }
        fs::create_dir(&group.run).ok()?;
        if let Some(limit) = memory {
            group.limit_memory(limit);
        }
        move_into(&group.run).then_some(group)
    }

    /// Moves us out again.
    pub fn step_out(&self) {
        if !move_into(&self.home) {
            let _ = fs::write(self.run.join("memory.max"), "max"); // else it would be ours as well
        }
    }

    /// Kills everything in it. Not while another job lives in it: that is not ours to end.
    pub fn kill(&self) {
        let members = fs::read_to_string(self.run.join("cgroup.procs")).unwrap_or_default();
        let other_job = members
            .split_ascii_whitespace()
            .filter_map(|pid| super::process::stat(pid.parse().ok()?))
            .any(|stat| super::tree::is_other_job(&stat));
        // Stepping out may have failed: then killing it would kill us.
        let inside = members.split_ascii_whitespace().any(|pid| pid == us());
        if !inside && !other_job && subgroups(&self.run).is_empty() {
            let _ = fs::write(self.run.join("cgroup.kill"), "1");
        }
    }

    /// Its name, as `/proc/PID/cgroup` and the kernel log show it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this process is in it, or in a cgroup below it; one that is gone is nowhere else.
    #[must_use]
    pub fn holds(&self, pid: i32) -> bool {
        let Some(place) = unified(&format!("/proc/{pid}/cgroup")) else { return true };
        place.strip_prefix(&self.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether the kernel bounds its memory at this moment. (Who manages the base may take that
    /// back at any time.)
    #[must_use]
    pub fn limits_memory(&self) -> bool {
        lines(&self.run.join("memory.max")).iter().any(|max| max.parse::<u64>().is_ok())
    }

    /// Whether it came to its own limit and the kernel had to end something, in it or below.
    #[must_use]
    pub fn was_out_of_memory(&self) -> bool {
        // The local file counts what this limit did, not one that the command set below (Linux 5.2).
        let count = |file| value(&self.run.join(file), "oom");
        count("memory.events.local").or_else(|| count("memory.events")).is_some_and(|n| n > 0)
    }

    /// How many of its processes an OOM killer ended, for whatever limit; `None` where its memory
    /// is not counted on its own.
    #[must_use]
    pub fn oom_kills(&self) -> Option<u64> {
        value(&self.run.join("memory.events"), "oom_kill")
    }

    /// The CPU time of all that ever was in it.
    #[must_use]
    pub fn cpu(&self) -> Option<Duration> {
        value(&self.run.join("cpu.stat"), "usage_usec").map(Duration::from_micros)
    }

    /// Whether the base has memory to hand on, and nobody but us in the way.
    fn can_divide(&self) -> bool {
        // A manager under our own user, which owns all of its units' cgroups and marks none, may
        // want to put another process into a service's; into a scope's it never does.
        let granted = is_marked(&self.base)
            || self.base.extension().is_some_and(|kind| kind == "scope")
            || !self.base.parent().is_some_and(is_our_users);
        let controllers = lines(&self.base.join("cgroup.controllers"));
        granted
            && controllers.iter().any(|line| line.split(' ').any(|name| name == "memory"))
            && lines(&self.base.join("cgroup.procs")).iter().all(|pid| *pid == us())
    }

    /// Moves us to a cgroup of our own beside the run's, and has the base hand memory on.
    fn leave_base(&mut self, id: &str, divide: bool) {
        let home = self.base.join(format!("sentinel-{id}.wrapper"));
        if fs::create_dir(&home).is_ok() && move_into(&home) {
            self.home = home;
            if divide {
                let _ = fs::write(self.base.join("cgroup.subtree_control"), "+memory");
            }
        }
    }

    fn limit_memory(&self, limit: u64) {
        // All of the tree goes, not its largest process; and a tree above its limit is to end, not
        // to be swapped out and crawl.
        let set = |file, value: &str| fs::write(self.run.join(file), value);
        let _ = set("memory.oom.group", "1");
        let _ = set("memory.swap.max", "0");
        let _ = set("memory.max", &limit.to_string());
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.step_out();
        let _ = fs::remove_dir(&self.run); // stays while a survivor is in it
        if self.home == self.base {
            return;
        }
        // The last one out leaves the base as it was found: until then others live by its limits.
        sweep(&self.base);
        let others = |name: &String| is_ours(name) && !self.home.ends_with(name);
        if !subgroups(&self.base).iter().any(others) {
            let _ = fs::write(self.base.join("cgroup.subtree_control"), "-memory");
        }
        if move_into(&self.base) {
            let _ = fs::remove_dir(&self.home);
        }
    }
}

/// Removes the cgroups of runs that are over: those that are empty, for no other can be removed.
fn sweep(base: &Path) {
    for name in subgroups(base).iter().filter(|name| is_ours(name)) {
        let _ = fs::remove_dir(base.join(name));
    }
}

/// Whether this is the name of a run's cgroup, or of its wrapper's.
fn is_ours(name: &str) -> bool {
    let id = name.strip_prefix("sentinel-").map(|id| id.strip_suffix(".wrapper").unwrap_or(id));
    id.is_some_and(|id| id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn subgroups(group: &Path) -> Vec<String> {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn us() -> String {
    std::process::id().to_string()
}

fn move_into(group: &Path) -> bool {
    fs::write(group.join("cgroup.procs"), us()).is_ok()
}

/// The lines of a file of the kernel's that are not empty; none if it cannot be read.
fn lines(path: &Path) -> Vec<String> {
    let text = text(path).unwrap_or_default();
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The number after `key` in a file of the kernel's that has one such pair in each line.
pub(super) fn value(path: &Path, key: &str) -> Option<u64> {
    text(path)?.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.parse().ok())
}

/// A small file of the kernel's.
pub(super) fn text(path: &Path) -> Option<String> {
    let bytes = fs::File::open(path).and_then(|file| super::dir::read_all(file, u64::MAX));
    String::from_utf8(bytes.ok()?).ok()
}

/// The place in the v2 hierarchy that a file `cgroup` of `/proc` tells: `/a/b`, the root is empty.
fn unified(file: &str) -> Option<String> {
    let text = text(Path::new(file))?;
    let place = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    Some(place.trim_end_matches('/').to_owned())
}

/// Where systemd has put us: in the hierarchy of its own where there are several, else in v2.
/// `/user.slice/…`; `None` where there are no cgroups.
#[must_use]
pub fn systemd_place() -> Option<String> {
    let text = text(Path::new("/proc/self/cgroup"))?;
    let of = |hierarchy: &str| {
        let places =
            text.lines().filter_map(|line| line.split_once(':')?.1.strip_prefix(hierarchy));
        places.map(str::to_owned).next()
    };
    of("name=systemd:").filter(|place| place != "/").or_else(|| of(":"))
}

/// Where the v2 hierarchy is mounted.
pub(super) fn mount() -> Option<&'static Path> {
    let mut mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].iter().map(Path::new);
    mounts.find(|mount| mount.join("cgroup.procs").exists())
}

/// The cgroup around all runs of ours from here: its directory, its name, and whether we are in
/// the cgroup of another run.
///
/// `None` unless it was given to us: it belongs to our user (root owns all of them, so for root
/// only the mark that systemd sets on what it delegates counts).
fn delegated() -> Option<(PathBuf, String, bool)> {
    let own = unified("/proc/self/cgroup")?;
    let mut base = own.as_str();
    while let Some((above, _)) = base.rsplit_once('/').filter(|(_, name)| is_ours(name)) {
        base = above;
    }
    if base.is_empty() {
        return None; // the root of the hierarchy is nobody's to divide
    }
    let group = mount()?.join(base.trim_start_matches('/'));
    let given = is_our_users(&group) && (!nix::unistd::geteuid().is_root() || is_marked(&group));
    given.then(|| (group, base.to_owned(), base != own))
}

fn is_our_users(group: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let me = nix::unistd::geteuid().as_raw();
    fs::metadata(group.join("cgroup.procs")).is_ok_and(|meta| meta.uid() == me)
}

#[cfg(target_os = "linux")]
fn is_marked(group: &Path) -> bool {
    let mut value = [0_u8; 8];
    ["trusted.delegate", "user.delegate"].iter().any(|name| {
        matches!(rustix::fs::getxattr(group, *name, &mut value[..]), Ok(1) if value[0] == b'1')
    })
}

#[cfg(not(target_os = "linux"))]
fn is_marked(_group: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_ours() {
        let table = [
            ("sentinel-0557d35a4189bdc6", true),
            ("sentinel-0557d35a4189bdc6.wrapper", true),
            ("sentinel-0557d35a4189bdc6.scope", false),
            ("sentinel-0557d35a4189bdc", false),
            ("sentinel-nightly-report.x", false),
            ("0557d35a4189bdc6", false),
            ("", false),
        ];
        for (name, ours) in table {
            assert_eq!(is_ours(name), ours, "{name}");
        }
    }
}
