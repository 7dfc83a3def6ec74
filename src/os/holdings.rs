//! What a user's processes hold of what the system gives each user.

use super::process;

/// What is held, as far as it can be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Threads, those of zombies included.
    pub threads: u64,
    /// inotify instances.
    pub instances: u64,
    /// inotify watches.
    pub watches: u64,
}

/// What the processes of this user hold.
#[must_use]
pub fn of(user: u32) -> Holdings {
    let mut held = Holdings::default();
    for stat in process::all().into_iter().filter_map(process::stat) {
        if process::uid(stat.pid) == Some(user) {
            held.threads += u64::try_from(stat.threads).unwrap_or(0).max(1);
            #[cfg(target_os = "linux")]
            add_watches(stat.pid, &mut held);
        }
    }
    held
}

#[cfg(target_os = "linux")]
fn add_watches(pid: i32, held: &mut Holdings) {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    for entry in entries {
        let link = std::fs::read_link(entry.path()).unwrap_or_default();
        if link != std::path::Path::new("anon_inode:inotify") {
            continue;
        }
        let fd = entry.file_name();
        let info = process::text(format!("/proc/{pid}/fdinfo/{}", fd.to_string_lossy()));
        let watches =
            info.unwrap_or_default().lines().filter(|l| l.starts_with("inotify ")).count();
        held.instances += 1;
        held.watches += watches as u64;
    }
}

/// Whether one more inotify instance can be had. True where there is no inotify.
#[must_use]
pub fn has_another_instance() -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::inotify::{CreateFlags, init};
        init(CreateFlags::CLOEXEC).is_ok()
    }
    #[cfg(not(target_os = "linux"))]
    true
}
