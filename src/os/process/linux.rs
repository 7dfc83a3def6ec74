//! Processes by `/proc` and pidfds: proc(5), `pidfd_open(2)`.

use super::{Stat, by_parent};
use crate::decide::stuck::table;
use crate::os::clock::machine_ticks;
use crate::os::dir::read_all;
use rustix::process::{Pid, PidfdFlags};
use std::ffi::OsString;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// A process pinned by a descriptor: as long as this lives, the PID cannot come to mean another.
#[derive(Debug)]
pub struct Handle(OwnedFd);

impl Handle {
    /// Pins whoever has this PID now; `None` if nobody has.
    #[must_use]
    pub fn open(pid: i32) -> Option<Self> {
        if pid <= 0 {
            return None;
        }
        let pid = Pid::from_raw(pid)?;
        rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok().map(Self)
    }

    /// A descriptor that is readable once the process has ended; `None` where there is none.
    #[must_use]
    pub fn pollable(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }

    /// Sends a signal; false if it was not delivered.
    #[must_use]
    pub fn signal(&self, signal: i32) -> bool {
        self.send(signal, None)
    }

    /// Sends a signal with a value, as `sigqueue(3)` does.
    #[must_use]
    pub fn queue(&self, signal: i32, value: i32) -> bool {
        self.send(signal, Some(value))
    }

    #[expect(unsafe_code, reason = "no crate has pidfd_send_signal with a siginfo")]
    fn send(&self, signal: i32, value: Option<i32>) -> bool {
        /// The head of the kernel's `siginfo_t` for `SI_QUEUE`, as sigaction(2) tells it.
        #[repr(C, align(8))]
        struct Queued {
            signo: i32,
            errno: i32,
            code: i32,
            pad: i32,
            pid: i32,
            uid: u32,
            value: u64,
            rest: [u8; 96],
        }
        let info = value.map(|value| Queued {
            signo: signal,
            errno: 0,
            code: libc::SI_QUEUE,
            pad: 0,
            pid: std::process::id().cast_signed(),
            uid: nix::unistd::getuid().as_raw(),
            value: u64::from(value.cast_unsigned()),
            rest: [0; 96],
        });
        let info = info.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: the descriptor is open, `info` is null or points at 128 readable bytes.
        let sent = unsafe {
            libc::syscall(libc::SYS_pidfd_send_signal, self.0.as_raw_fd(), signal, info, 0)
        };
        sent == 0
    }
}

/// A file of /proc. Most fit the first read.
fn bytes(path: impl AsRef<Path>) -> std::io::Result<Vec<u8>> {
    read_all(fs::File::open(path)?, u64::MAX)
}

/// The first kilobyte of a file of /proc, in one read: of those with one line, all.
///
/// # Errors
/// As opening and reading it.
pub fn line(path: impl AsRef<Path>) -> std::io::Result<String> {
    use std::io::Read;
    let mut bytes = [0; 1024];
    let read = fs::File::open(path)?.read(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes[..read]).into_owned())
}

/// A file of /proc as text.
///
/// # Errors
/// As opening and reading it.
pub fn text(path: impl AsRef<Path>) -> std::io::Result<String> {
    bytes(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether `/proc` is there, and of this PID namespace. Elsewhere its numbers name strangers
/// (`unshare --pid` without `--mount-proc`).
#[must_use]
pub fn can_be_seen() -> bool {
    static SEEN: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *SEEN.get_or_init(|| {
        let me = fs::read_link("/proc/self").unwrap_or_default();
        me == Path::new(&std::process::id().to_string())
    })
}

/// Whether every process of the machine can be seen here: this is the first PID namespace, which has
/// the same inode on every machine (`PROC_PID_INIT_INO` of the kernel), and `/proc` hides nobody.
#[must_use]
pub fn sees_everybody() -> bool {
    fs::read_link("/proc/self/ns/pid").is_ok_and(|link| link == Path::new("pid:[4026531836]"))
        && stat(1).is_some()
}

/// What `/proc/PID/stat` says; `None` if there is no such process, or it cannot be seen.
#[must_use]
pub fn stat(pid: i32) -> Option<Stat> {
    if !can_be_seen() {
        return None;
    }
    parse(pid, line(format!("/proc/{pid}/stat")).ok()?.as_bytes())
}

/// The same of a thread, at `/proc/PID/task/TID`.
///
/// # Errors
/// If it has ended, or cannot be seen.
pub fn stat_at(tid: i32, path: &Path) -> std::io::Result<Stat> {
    let line = line(path.join("stat"))?;
    parse(tid, line.as_bytes()).ok_or_else(|| std::io::ErrorKind::InvalidData.into())
}

/// What is at a path, as far as it is known without asking a server for it (`statx(2)`).
#[must_use]
pub fn status_of(path: &Path) -> Option<rustix::fs::Statx> {
    use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
    statx(
        CWD,
        path,
        AtFlags::STATX_DONT_SYNC,
        StatxFlags::TYPE | StatxFlags::INO | StatxFlags::NLINK,
    )
    .ok()
}

/// The threads of a process, the main one first.
#[must_use]
pub fn tasks(process: &Stat) -> Vec<i32> {
    if process.threads == 1 {
        return vec![process.pid];
    }
    let entries = fs::read_dir(format!("/proc/{}/task", process.pid));
    let entries = entries.into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The name may hold spaces and parentheses: what follows its *last* parenthesis counts.
fn parse(pid: i32, bytes: &[u8]) -> Option<Stat> {
    let open = bytes.iter().position(|b| *b == b'(')?;
    let close = bytes.iter().rposition(|b| *b == b')')?;
    let comm = String::from_utf8_lossy(bytes.get(open + 1..close)?);
    // A name that moves a cursor or begins a line would speak for us.
    let comm = comm.replace(crate::protocol::text::is_unsafe, "?");
    let rest = std::str::from_utf8(&bytes[close + 1..]).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Field 3 of proc(5) is the first here.
    let number = |field: usize| fields.get(field - 3)?.parse::<i64>().ok();
    let ticks = |field| number(field).and_then(|n| u64::try_from(n).ok());
    let waited_ticks = ticks(16)? + ticks(17)?;
    Some(Stat {
        pid,
        comm,
        state: fields.first()?.chars().next()?,
        ppid: i32::try_from(number(4)?).ok()?,
        pgrp: i32::try_from(number(5)?).ok()?,
        session: i32::try_from(number(6)?).ok()?,
        threads: number(20)?,
        cpu_ticks: ticks(14)? + ticks(15)? + waited_ticks,
        waited_ticks,
        start: machine_ticks(ticks(22)?),
    })
}

/// The children of a process, as the kernel lists them; may miss one that comes or goes just now.
#[must_use]
pub fn children(parent: &Stat) -> Vec<i32> {
    let pid = parent.pid;
    let of_task = |task: &Path| {
        let text = text(task.join("children"))?;
        Ok::<Vec<i32>, std::io::Error>(text.split_ascii_whitespace().flat_map(str::parse).collect())
    };
    let main = PathBuf::from(format!("/proc/{pid}/task/{pid}"));
    let mut children = match of_task(&main) {
        Ok(children) => children,
        Err(_) if main.exists() => return children_by_parent(pid), // no CONFIG_PROC_CHILDREN
        Err(_) => Vec::new(),
    };
    // Each thread has its own. The main one may have ended before the others: then they count on.
    if parent.threads != 1 {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let others = tasks.map(|task| task.path()).filter(|task| *task != main);
        children.extend(others.filter_map(|task| of_task(&task).ok()).flatten());
    }
    children
}

fn children_by_parent(parent: i32) -> Vec<i32> {
    by_parent().remove(&parent).unwrap_or_default()
}

/// Every PID this namespace shows.
#[must_use]
pub fn all() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Whether a thread has a table of descriptors of its own, apart from the rest of its process
/// (`kcmp(2)`); false where that cannot be told.
#[must_use]
#[expect(unsafe_code, reason = "no crate has kcmp")]
pub fn has_own_descriptors(pid: i32, tid: i32) -> bool {
    /// linux/kcmp.h
    const KCMP_FILES: libc::c_int = 2;
    // SAFETY: takes numbers only.
    unsafe { libc::syscall(libc::SYS_kcmp, pid, tid, KCMP_FILES, 0, 0) > 0 }
}

/// The user a process runs as.
#[must_use]
pub fn uid(pid: i32) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    // The owner of /proc/PID is root for what cannot be dumped; the status file tells the truth.
    let text = text(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Uid:"));
    match line.and_then(|line| line.split_ascii_whitespace().nth(1)?.parse().ok()) {
        Some(uid) => Some(uid),
        None => fs::metadata(format!("/proc/{pid}")).ok().map(|meta| meta.uid()),
    }
}

/// The command line.
#[must_use]
pub fn command_line(pid: i32) -> Vec<String> {
    let bytes = bytes(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    bytes
        .split(|b| *b == 0)
        .filter(|arg| !arg.is_empty())
        .map(|arg| String::from_utf8_lossy(arg).into_owned())
        .collect()
}

/// The command line, byte for byte.
#[must_use]
pub fn arguments(pid: i32) -> Vec<OsString> {
    let bytes = bytes(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    match bytes.strip_suffix(b"\0").unwrap_or(&bytes) {
        [] => Vec::new(),
        all => all.split(|b| *b == 0).map(|arg| OsString::from_vec(arg.to_vec())).collect(),
    }
}

/// What it executes.
#[must_use]
pub fn executable(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// Whether it is a part of the kernel that only looks like a process.
#[must_use]
pub fn is_kernel_thread(pid: i32) -> bool {
    /// linux/sched.h
    const PF_KTHREAD: u32 = 0x0020_0000;
    let line = line(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = line.rsplit_once(')').map_or("", |(_, rest)| rest);
    let flags = rest.split_ascii_whitespace().nth(9 - 3); // field 3 of proc(5) is the first here
    flags.and_then(|flags| flags.parse::<u32>().ok()).is_some_and(|flags| flags & PF_KTHREAD != 0)
}

/// Where it is.
#[must_use]
pub fn working_directory(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

/// Whether the environment it was executed with holds exactly this `NAME=value`.
#[must_use]
pub fn has_in_environment(pid: i32, setting: &str) -> bool {
    let bytes = bytes(format!("/proc/{pid}/environ")).unwrap_or_default();
    bytes.split(|b| *b == 0).any(|entry| entry == setting.as_bytes())
}

/// A variable of the environment it was executed with.
#[must_use]
pub fn variable(pid: i32, name: &str) -> Option<OsString> {
    let bytes = bytes(format!("/proc/{pid}/environ")).unwrap_or_default();
    let value =
        |entry: &[u8]| Some(entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?.to_vec());
    bytes.split(|b| *b == 0).find_map(value).map(OsString::from_vec)
}

/// A field of a file in `/proc/PID/fdinfo`, as `flags:`.
#[must_use]
pub fn field<'a>(info: &'a str, key: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(key)).map(str::trim)
}

/// How a file is open, by its `fdinfo`: of the `O_ACCMODE` of open(2).
#[must_use]
pub fn access_mode(info: &str) -> Option<i32> {
    let flags = field(info, "flags:").and_then(|flags| i32::from_str_radix(flags, 8).ok());
    flags.map(|flags| flags & libc::O_ACCMODE)
}

/// The inode in the link of a descriptor that has no path: `pipe:[4711]`, `socket:[4712]`.
#[must_use]
pub fn inode_in(link: &str) -> Option<u64> {
    link.split_once(":[")?.1.strip_suffix(']')?.parse().ok()
}

/// Where an open file is held, and how.
#[derive(Clone, Debug)]
pub struct OpenFile {
    /// The path the kernel gives.
    pub path: PathBuf,
    /// Whether it is open for writing.
    pub writes: bool,
    /// Whether an exclusive `flock` is held through it.
    pub locks: bool,
}

/// The open files of a process for which `wanted` is true of the path.
#[must_use]
pub fn open_files(pid: i32, wanted: impl Fn(&Path) -> bool) -> Vec<OpenFile> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries.flatten() {
        let Ok(path) = fs::read_link(entry.path()) else { continue };
        if !wanted(&path) {
            continue;
        }
        let fd = entry.file_name();
        let info = text(format!("/proc/{pid}/fdinfo/{}", fd.to_string_lossy()));
        let info = info.unwrap_or_default();
        let mode = access_mode(&info).unwrap_or(libc::O_RDONLY);
        let locks = info.lines().any(|line| line.contains("FLOCK") && line.contains("WRITE"));
        files.push(OpenFile { path, writes: mode != libc::O_RDONLY, locks });
    }
    files
}

/// What a process did so far, summed over its threads but those that keep house.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Nanoseconds on a CPU. Whatever a thread does, I/O among it, takes some.
    pub run_ns: u64,
    /// Nanoseconds in wait for a CPU.
    pub waited_ns: u64,
    /// How often it was given a CPU.
    pub switches: u64,
}

/// Sums the work of all threads but the housekeeping ones. What cannot be read counts as nothing.
#[must_use]
pub fn work(process: &Stat) -> Work {
    let mut work = Work::default();
    let mut keepers: Vec<String> = Vec::new();
    for tid in tasks(process) {
        let task = PathBuf::from(format!("/proc/{}/task/{tid}", process.pid));
        if process.threads != 1 && table::knows(&process.comm) {
            let name = line(task.join("comm")).unwrap_or_default();
            let second = keepers.contains(&name) && !table::has_many(&name);
            if table::keeps_house(&process.comm, &name) && !second {
                keepers.push(name);
                continue;
            }
        }
        // "time on the CPU, time waiting for one, times it was given one" (sched-stats of the
        // kernel's documentation).
        let schedstat = line(task.join("schedstat")).unwrap_or_default();
        let mut numbers = schedstat.split_ascii_whitespace().map(|n| n.parse().unwrap_or(0));
        let run_ns = numbers.next().unwrap_or(0);
        work.run_ns += run_ns;
        work.waited_ns += numbers.next().unwrap_or(0);
        work.switches += numbers.next().unwrap_or(0);
        if run_ns == 0 {
            // A kernel that does not keep them (no CONFIG_SCHED_INFO) has its coarser counts.
            let status = text(task.join("status")).unwrap_or_default();
            let counts = status.lines().filter(|line| line.contains("ctxt_switches:"));
            let count = |line: &str| line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok();
            work.switches += counts.filter_map(count).sum::<u64>();
        }
    }
    work
}

/// Bytes of memory that are its own: PSS, which counts a shared page once over all who share it;
/// RSS where PSS may not be read.
#[must_use]
pub fn memory(pid: i32) -> u64 {
    let kib = |path: String, key: &str| {
        let text = text(path).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    kib(format!("/proc/{pid}/smaps_rollup"), "Pss:")
        .or_else(|| kib(format!("/proc/{pid}/status"), "VmRSS:"))
        .unwrap_or(0)
        * 1024
}

/// Where the shared file description behind one of our own descriptors stands.
#[must_use]
pub fn position(file: &fs::File) -> Option<u64> {
    let info = text(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).ok()?;
    info.lines().find_map(|line| line.strip_prefix("pos:"))?.trim().parse().ok()
}

/// Makes orphans of this process's tree its children instead of init's, so that nothing of the
/// tree can leave it (`PR_SET_CHILD_SUBREAPER`, Linux 3.4).
pub fn adopt_orphans() {
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

/// Sets the name that [`stat`] shows.
pub fn set_name(name: &str) {
    if let Ok(name) = std::ffi::CString::new(OsString::from(name).into_vec()) {
        let _ = nix::sys::prctl::set_name(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_full_of_traps() {
        let line = b"7 (a) S (b)) R 1 2 3 0 -1 4 0 0 0 0 10 20 1 2 20 0 1 0 99 0 0";
        let stat = parse(7, line).unwrap();
        assert_eq!((stat.comm.as_str(), stat.state, stat.ppid), ("a) S (b)", 'R', 1));
        assert_eq!((stat.cpu_ticks, stat.waited_ticks), (33, 3));
        assert_eq!(stat.start, machine_ticks(99));
    }

    #[test]
    fn oneself() {
        let me = std::process::id().cast_signed();
        let stat = stat(me).unwrap();
        assert!(stat.lives() && super::super::find(me, stat.start).is_some());
        assert!(super::super::find(me, stat.start + 1).is_none());
        assert!(super::super::own_line().contains(&stat.ppid));
        assert!(Handle::open(0).is_none() && Handle::open(-1).is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(1, &bytes);
        }
    }
}
