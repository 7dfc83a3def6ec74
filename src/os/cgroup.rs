//! A cgroup of the run's own, where cgroup v2 is delegated to us: `cgroup.kill` ends all of it at
//! once, however fast it forks (cgroups(7), Linux 5.14).

use std::fs;
use std::path::{Path, PathBuf};

/// The run's cgroup, removed with this value.
#[derive(Debug)]
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// Makes the cgroup `name` below our own and moves us into it, so that what we start is born
    /// there; `None` where that is not ours to do.
    ///
    /// Call [`step_out`](Self::step_out) once the command is started.
    #[must_use]
    pub fn enter(name: &str) -> Option<Self> {
        let parent = delegated()?;
        let path = parent.join(name);
        sweep(&parent);
        fs::create_dir(&path).ok()?;
        let group = Self(path);
        move_into(&group.0).then_some(group)
    }

    /// Moves us back to where we were.
    pub fn step_out(&self) {
        if let Some(parent) = self.0.parent() {
            move_into(parent);
        }
    }

    /// Kills everything in it. Not while another job lives in it: that is not ours to end.
    pub fn kill(&self) {
        let members = fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default();
        let other_job = members
            .split_ascii_whitespace()
            .filter_map(|pid| super::process::stat(pid.parse().ok()?))
            .any(|stat| super::tree::is_other_job(&stat));
        // Stepping out may have failed: then killing it would kill us.
        let us = std::process::id().to_string();
        let inside = members.split_ascii_whitespace().any(|pid| pid == us);
        if !inside && !other_job && !has_children(&self.0) {
            let _ = fs::write(self.0.join("cgroup.kill"), "1");
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.step_out();
        let _ = fs::remove_dir(&self.0); // stays while a survivor is in it
    }
}

/// Removes the cgroups of runs that are over: those that are empty, for no other can be removed.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("sentinel-") {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

fn has_children(group: &Path) -> bool {
    fs::read_dir(group).is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
    })
}

fn move_into(group: &Path) -> bool {
    fs::write(group.join("cgroup.procs"), std::process::id().to_string()).is_ok()
}

/// Our own cgroup, if it was given to us: it belongs to our user (root owns all of them, so for
/// root only the mark that systemd sets on what it delegates counts).
fn delegated() -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let text =
        fs::File::open("/proc/self/cgroup").and_then(|file| super::dir::read_all(file, u64::MAX));
    let text = String::from_utf8(text.ok()?).ok()?;
    let own = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    if own.is_empty() {
        return None; // the root of the hierarchy is nobody's to divide
    }
    let mut mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].iter().map(Path::new);
    let group = mounts.find(|mount| mount.join("cgroup.procs").exists())?.join(own);
    let me = nix::unistd::geteuid();
    let ours = fs::metadata(group.join("cgroup.procs")).is_ok_and(|meta| meta.uid() == me.as_raw());
    (ours && (!me.is_root() || is_marked(&group))).then_some(group)
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
