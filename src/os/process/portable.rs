//! Processes where there is no `/proc`: `proc_pidinfo` on macOS. What the platform does not tell
//! is empty here, and the callers take nothing for known.

use super::Stat;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A process by its PID. Without pidfds a tiny window stays between check and signal.
#[derive(Debug)]
pub struct Handle(i32);

impl Handle {
    /// Whoever has this PID now.
    #[must_use]
    pub fn open(pid: i32) -> Option<Self> {
        (pid > 0).then_some(Self(pid))
    }

    /// A descriptor that is readable once the process has ended; `None` where there is none.
    #[must_use]
    pub fn pollable(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        None
    }

    /// Sends a signal; false if it was not delivered.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "there is nothing better here")]
    pub fn signal(&self, signal: i32) -> bool {
        let signal = nix::sys::signal::Signal::try_from(signal).ok();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.0), signal).is_ok()
    }

    /// There is no `sigqueue` here: the value is lost, and the run is recorded as stopped.
    #[must_use]
    pub fn queue(&self, signal: i32, _value: i32) -> bool {
        self.signal(signal)
    }
}

/// Whether other processes can be seen.
#[must_use]
pub fn can_be_seen() -> bool {
    true
}

/// What the kernel says; `None` if there is no such process or it may not be seen.
#[must_use]
#[expect(unsafe_code, reason = "proc_pidinfo has no safe wrapper")]
pub fn stat(pid: i32) -> Option<Stat> {
    let mut info = std::mem::MaybeUninit::<libc::proc_bsdinfo>::zeroed();
    let size = i32::try_from(size_of::<libc::proc_bsdinfo>()).ok()?;
    // SAFETY: the buffer is as large as is said.
    let got = unsafe {
        libc::proc_pidinfo(pid, libc::PROC_PIDTBSDINFO, 0, info.as_mut_ptr().cast(), size)
    };
    if got != size {
        return None;
    }
    // SAFETY: filled by the kernel; zeroes are valid too.
    let info = unsafe { info.assume_init() };
    let name = info.pbi_comm.iter().map(|c| c.cast_unsigned()).take_while(|b| *b != 0).collect();
    Some(Stat {
        pid,
        comm: String::from_utf8(name).unwrap_or_default(),
        state: match info.pbi_status {
            2 => 'R',
            4 => 'T',
            5 => 'Z',
            _ => 'S',
        },
        ppid: info.pbi_ppid.cast_signed(),
        pgrp: info.pbi_pgid.cast_signed(),
        session: 0,
        threads: 1,
        cpu_ticks: 0,
        waited_ticks: 0,
        start: info.pbi_start_tvsec * 1_000_000 + info.pbi_start_tvusec,
    })
}

/// The children of a process.
#[must_use]
pub fn children(parent: &Stat) -> Vec<i32> {
    let is_child = |pid: &i32| stat(*pid).is_some_and(|stat| stat.ppid == parent.pid);
    all().into_iter().filter(is_child).collect()
}

/// Every PID.
#[must_use]
#[expect(unsafe_code, reason = "proc_listallpids has no safe wrapper")]
pub fn all() -> Vec<i32> {
    let mut pids = vec![0_i32; 65_536];
    let size = i32::try_from(pids.len() * size_of::<i32>()).unwrap_or(0);
    // SAFETY: the buffer is as large as is said.
    let count = unsafe { libc::proc_listallpids(pids.as_mut_ptr().cast(), size) };
    pids.truncate(usize::try_from(count).unwrap_or(0));
    pids
}

/// Unknown.
#[must_use]
pub fn uid(_pid: i32) -> Option<u32> {
    None
}

/// Unknown.
#[must_use]
pub fn command_line(_pid: i32) -> Vec<String> {
    Vec::new()
}

/// Unknown.
#[must_use]
pub fn arguments(_pid: i32) -> Vec<OsString> {
    Vec::new()
}

/// Unknown.
#[must_use]
pub fn executable(_pid: i32) -> Option<PathBuf> {
    None
}

/// The kernel has no processes here.
#[must_use]
pub fn is_kernel_thread(_pid: i32) -> bool {
    false
}

/// Unknown.
#[must_use]
pub fn variable(_pid: i32, _name: &str) -> Option<OsString> {
    None
}

/// Unknown.
#[must_use]
pub fn working_directory(_pid: i32) -> Option<PathBuf> {
    None
}

/// Unknown.
#[must_use]
pub fn has_in_environment(_pid: i32, _setting: &str) -> bool {
    false
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

/// Unknown.
#[must_use]
pub fn open_files(_pid: i32, _wanted: impl Fn(&Path) -> bool) -> Vec<OpenFile> {
    Vec::new()
}

/// What a process did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Nanoseconds on a CPU.
    pub run_ns: u64,
    /// Nanoseconds in wait for a CPU.
    pub waited_ns: u64,
    /// Context switches.
    pub switches: u64,
}

/// Unknown.
#[must_use]
pub fn work(_process: &Stat) -> Work {
    Work::default()
}

/// Unknown.
#[must_use]
pub fn memory(_pid: i32) -> u64 {
    0
}

/// Unknown.
#[must_use]
pub fn position(_file: &std::fs::File) -> Option<u64> {
    None
}

/// There is no subreaper here: orphans go to launchd.
pub fn adopt_orphans() {}

/// Nothing here looks a wrapper up by its name.
pub fn set_name(_name: &str) {}
