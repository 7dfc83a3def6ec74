//! What the kernel tells of its OOM killer: counts, and the victims that its log names.
//!
//! Looked at twice: when the command has just been started, and when it did not end well.

use super::cgroup::{self, Cgroup};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What had been counted when the run began.
#[derive(Debug)]
pub struct Before {
    began: Instant,
    group: Option<Counter>,
    machine: Option<u64>,
}

/// The memory cgroup that counts us and the command, and perhaps others.
#[derive(Debug)]
struct Counter {
    dir: PathBuf,
    name: String,
    version: Version,
    kills: u64,
}

#[derive(Clone, Copy, Debug)]
enum Version {
    One,
    Two,
}

/// What the OOM killer did since the run began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kills {
    /// So many in the run's own cgroup.
    pub run: u64,
    /// So many in the memory cgroup that the run is in, with others; and which that is.
    pub group: Option<(u64, Group)>,
    /// So many on this machine.
    pub machine: u64,
    /// Those the kernel log names; `None` where that may not be read, or has other PIDs.
    pub victims: Option<Vec<Victim>>,
}

/// A memory cgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// As `/proc/PID/cgroup` shows it.
    pub name: String,
    /// Its own limit, bytes.
    pub limit: Option<u64>,
}

/// Whom the OOM killer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Victim {
    /// Its PID.
    pub pid: i32,
    /// Its name in the kernel.
    pub comm: String,
    /// Its memory cgroup, if the log tells (Linux 5.0).
    pub group: Option<String>,
}

impl Before {
    /// Reads the counts. With a cgroup of the run's own that counts there is nothing to read: its
    /// count began at 0.
    #[must_use]
    pub fn look(run: Option<&Cgroup>) -> Self {
        let began = Instant::now();
        if run.is_some_and(|run| run.oom_kills().is_some()) {
            return Self { began, group: None, machine: None };
        }
        Self { began, group: Counter::ours(), machine: on_this_machine() }
    }

    /// What came since.
    #[must_use]
    pub fn since(&self, run: Option<&Cgroup>) -> Kills {
        let machine = self.machine.zip(on_this_machine());
        let machine = machine.map(|(before, now)| now.saturating_sub(before));
        // The kernel counts before it kills. Where it killed nobody, its log, which may be long, has
        // nothing to tell.
        let nobody = machine == Some(0);
        Kills {
            run: run.and_then(Cgroup::oom_kills).unwrap_or(0),
            group: self.group.as_ref().and_then(Counter::grown),
            machine: machine.unwrap_or(0),
            victims: if nobody { Some(Vec::new()) } else { log::victims(self.began.elapsed()) },
        }
    }
}

impl Counter {
    fn ours() -> Option<Self> {
        let places = cgroup::text(Path::new("/proc/self/cgroup"))?;
        let (version, dir, name) = v1(&places).or_else(|| v2(&places))?;
        Some(Self { kills: version.kills(&dir)?, dir, name, version })
    }

    fn grown(&self) -> Option<(u64, Group)> {
        let kills = self.version.kills(&self.dir)?.checked_sub(self.kills).filter(|n| *n > 0)?;
        let limit = self.version.limit(&self.dir);
        Some((kills, Group { name: self.name.clone(), limit }))
    }
}

/// The v1 memory cgroup. In a container the mount is the container's own part of the hierarchy.
fn v1(places: &str) -> Option<(Version, PathBuf, String)> {
    let mount = Path::new("/sys/fs/cgroup/memory");
    let name = places.lines().find_map(|line| {
        let (controllers, place) = line.split_once(':')?.1.split_once(':')?;
        controllers.split(',').any(|name| name == "memory").then_some(place)
    })?;
    let dir = mount.join(name.trim_start_matches('/'));
    let dir = if dir.exists() { dir } else { mount.to_owned() };
    Some((Version::One, dir, name.to_owned()))
}

/// The nearest v2 cgroup that counts memory.
fn v2(places: &str) -> Option<(Version, PathBuf, String)> {
    let mount = cgroup::mount()?;
    let mut name = places.lines().find_map(|line| line.strip_prefix("0::"))?;
    loop {
        let dir = mount.join(name.trim_start_matches('/'));
        if dir.join("memory.events").exists() {
            return Some((Version::Two, dir, name.to_owned()));
        }
        name = name.rsplit_once('/')?.0;
    }
}

impl Version {
    fn kills(self, dir: &Path) -> Option<u64> {
        let file = match self {
            Self::One => "memory.oom_control",
            Self::Two => "memory.events",
        };
        cgroup::value(&dir.join(file), "oom_kill")
    }

    fn limit(self, dir: &Path) -> Option<u64> {
        let file = match self {
            Self::One => "memory.limit_in_bytes",
            Self::Two => "memory.max",
        };
        let limit = cgroup::text(&dir.join(file))?.trim().parse().ok()?;
        (limit < 1 << 60).then_some(limit) // v1 says a huge number for none
    }
}

/// The OOM kills since boot (Linux 4.13).
fn on_this_machine() -> Option<u64> {
    cgroup::value(Path::new("/proc/vmstat"), "oom_kill")
}

#[cfg(target_os = "linux")]
mod log {
    //! The kernel log, `/dev/kmsg`: one record a read, `PRIORITY,NUMBER,MICROSECONDS,…;TEXT`.

    use super::{Duration, Victim};
    use std::fs::{File, OpenOptions};
    use std::io::Read;
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

    /// More than any log buffer holds; new records may come as fast as we read.
    const MOST: usize = 200_000;
    /// The log's clock is not quite the one we have.
    const SLACK: Duration = Duration::from_secs(10);
    /// The first namespaces have these inodes (`proc_ns.h` of the kernel): the log speaks their words.
    const FIRST: [(&str, u64); 2] =
        [("/proc/self/ns/pid", 0xEFFF_FFFC), ("/proc/self/ns/cgroup", 0xEFFF_FFFB)];

    /// The victims of so long ago at the most.
    pub fn victims(ago: Duration) -> Option<Vec<Victim>> {
        let first = |(path, inode)| std::fs::metadata(path).is_ok_and(|ns| ns.ino() == inode);
        if !FIRST.into_iter().all(first) {
            return None;
        }
        let mut log = OpenOptions::new();
        let log = log.read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg").ok()?;
        let records = Records(log).take(MOST);
        let raw = nix::time::ClockId::CLOCK_MONOTONIC_RAW;
        let now = nix::time::clock_gettime(raw).map(Duration::from).ok()?;
        Some(named(records, now.saturating_sub(ago + SLACK)))
    }

    struct Records(File);

    impl Iterator for Records {
        type Item = String;

        fn next(&mut self) -> Option<String> {
            let mut record = [0; 8192];
            loop {
                match self.0.read(&mut record) {
                    Ok(length @ 1..) => {
                        return Some(String::from_utf8_lossy(&record[..length]).into_owned());
                    }
                    // Overwritten while we read: go on with the oldest there is.
                    Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
                    _ => return None,
                }
            }
        }
    }

    /// Those whom these records name, from `since` on the log's clock.
    pub(super) fn named(records: impl Iterator<Item = String>, since: Duration) -> Vec<Victim> {
        let mut victims: Vec<Victim> = Vec::new();
        for victim in records.filter_map(|record| victim(&record, since)) {
            if !victims.iter().any(|known| known.pid == victim.pid) {
                victims.push(victim);
            }
        }
        victims
    }

    fn victim(record: &str, since: Duration) -> Option<Victim> {
        let (head, text) = record.split_once(';')?;
        let text = text.lines().next()?; // the others are a dictionary
        let mut head = head.split(',');
        let priority: u64 = head.next()?.parse().ok()?;
        let at = Duration::from_micros(head.nth(1)?.parse().ok()?);
        if priority >> 3 != 0 || at < since {
            return None; // not the kernel's own words, or an older run's
        }
        chosen(text).or_else(|| killed(text))
    }

    /// `oom-kill:constraint=…,task_memcg=/x,task=python3,pid=77,uid=0`: one is chosen.
    fn chosen(text: &str) -> Option<Victim> {
        let (_, rest) = text.strip_prefix("oom-kill:")?.split_once("task_memcg=")?;
        let (rest, pid) = rest.rsplit_once(",pid=")?;
        let (group, comm) = rest.rsplit_once(",task=")?;
        let pid = pid.split(',').next()?.parse().ok()?;
        Some(Victim { pid, comm: comm.to_owned(), group: Some(group.to_owned()) })
    }

    /// `Memory cgroup out of memory: Killed process 77 (python3) total-vm:…`: all who go with it.
    fn killed(text: &str) -> Option<Victim> {
        let (_, rest) = text.split_once("Killed process ")?;
        let (pid, rest) = rest.split_once(" (")?;
        let (comm, _) = rest.rsplit_once(") total-vm:").or_else(|| rest.rsplit_once(')'))?;
        Some(Victim { pid: pid.parse().ok()?, comm: comm.to_owned(), group: None })
    }
}

#[cfg(not(target_os = "linux"))]
mod log {
    /// There is no such log here.
    pub fn victims(_ago: super::Duration) -> Option<Vec<super::Victim>> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What Linux 6.18 and 6.1 wrote; then what only looks like it.
    const RECORDED: [&str; 9] = [
        "6,2419,12119034301,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,\
            mems_allowed=0,oom_memcg=/a,task_memcg=/a/b,task=python3,pid=13548,uid=0\n",
        "3,2420,12119034331,-;Memory cgroup out of memory: Killed process 13548 (python3) \
            total-vm:78008kB, anon-rss:31872kB, file-rss:6656kB, shmem-rss:0kB, UID:0 \
            pgtables:120kB oom_score_adj:0\n",
        "3,2421,12119034400,-;Memory cgroup out of memory: Killed process 13550 (a) b (c) \
            total-vm:78008kB, anon-rss:31872kB, file-rss:6656kB, shmem-rss:0kB, UID:0\n",
        "3,2422,12119034401,-;Out of memory: Killed process 13551 (tail) total-vm:1kB\n \
            SUBSYSTEM=memory\n",
        "6,2423,12119034402,-;Memory cgroup stats for /a: Killed\n",
        "11,2424,12119034403,-;Out of memory: Killed process 1 (not the kernel) total-vm:1kB\n",
        "3,17,9000000,-;Out of memory: Killed process 2 (long ago) total-vm:1kB\n",
        "3,2425,12119034404;Out of memory: Killed process x (no) total-vm:1kB\n",
        "no record",
    ];

    #[test]
    fn the_log_names_victims() {
        let records = RECORDED.iter().map(|record| (*record).to_owned());
        let named = log::named(records, Duration::from_mins(200));
        let told: Vec<_> =
            named.iter().map(|v| (v.pid, v.comm.as_str(), v.group.as_deref())).collect();
        let expected =
            [(13548, "python3", Some("/a/b")), (13550, "a) b (c", None), (13551, "tail", None)];
        assert_eq!(told, expected);
    }

    proptest! {
        #[test]
        fn no_record_panics(text in ".*", n in 0_usize..9, at in 0_usize..200) {
            let cut: String = RECORDED[n].chars().take(at).chain(text.chars()).collect();
            let _ = log::named([text, cut].into_iter(), Duration::ZERO);
        }
    }
}
