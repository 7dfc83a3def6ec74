//! Processes, as `/proc` tells of them, and the end of all that were begun here.
//!
//! The bench adopts orphans: whatever a tool detaches stays a descendant. So the
//! list of descendants is the list of what was begun, and nothing else is signalled.

use std::process::Child;
use std::time::{Duration, Instant};
use std::{fs, process, thread};

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal, set_child_subreaper, wait,
};

/// The clock of `/proc/PID/stat`, which is 100 a second on every Linux of today.
const TICK: Duration = Duration::from_millis(10);

pub fn adopt_orphans() {
    set_child_subreaper(Some(rustix::process::getpid())).expect("Linux 3.4 or later");
}

/// Lets time pass: the only wait here that is not for an event.
#[expect(
    clippy::disallowed_methods,
    reason = "a bench measures over time, and polls what others left"
)]
pub fn pause(time: Duration) {
    thread::sleep(time);
}

/// Waits until `done`, at most two minutes; says whether it came true.
#[must_use]
pub fn wait_until(mut done: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_mins(2);
    while !done() {
        if Instant::now() > deadline {
            return false;
        }
        pause(Duration::from_millis(50));
    }
    true
}

/// Everything below this process, zombies included.
pub fn descendants() -> Vec<u32> {
    let mut found = children(process::id());
    let mut next = 0;
    while next < found.len() {
        found.extend(children(found[next]));
        next += 1;
    }
    found
}

fn children(pid: u32) -> Vec<u32> {
    tasks(pid, "children")
        .iter()
        .flat_map(|list| list.split_whitespace().filter_map(|word| word.parse().ok()))
        .collect()
}

/// The file `name` of each thread of `pid`.
fn tasks(pid: u32, name: &str) -> Vec<String> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join(name)).ok())
        .collect()
}

/// Kills and reaps all descendants.
pub fn end_descendants() {
    let ended = wait_until(|| {
        for pid in descendants() {
            kill(pid);
        }
        reap()
    });
    assert!(ended, "processes that cannot be ended: {:?}", descendants());
}

/// Reaps what ended; says whether no child is left.
pub fn reap() -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => {}
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}

fn kill(pid: u32) {
    let parent = parent(pid);
    let Some(fd) = raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
        return;
    };
    // The descriptor pins the process; only now is it sure whose PID it is.
    if parent.is_some() && self::parent(pid) == parent {
        let _ = pidfd_send_signal(fd, Signal::KILL);
    }
}

pub fn raw(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

fn parent(pid: u32) -> Option<u32> {
    stat(pid)?.get(1)?.parse().ok()
}

/// The fields of `/proc/PID/stat` after the name: the first is the state.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text[text.rfind(')')? + 1..].split_whitespace().map(String::from).collect())
}

/// The command line in words; empty for a zombie.
pub fn command_line(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ").trim_end().to_owned()
}

/// `Pss` or `Rss` of a process, in KiB.
pub fn memory_kib(pid: u32, kind: &str) -> f64 {
    fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| {
            line.strip_prefix(kind)?
                .strip_prefix(':')?
                .split_whitespace()
                .next()?
                .parse::<f64>()
                .ok()
        })
        .sum()
}

/// What a program costs that goes on: the CPU time of its first 10 seconds, and the percentage of a
/// core that it takes over the next 30.
pub fn load(program: &mut Child) -> (Duration, f64) {
    const SETTLE: Duration = Duration::from_secs(10);
    const TIME: Duration = Duration::from_secs(30);
    pause(SETTLE);
    let (begun, before) = (Instant::now(), cpu(program.id()));
    pause(TIME);
    let used = cpu(program.id()).saturating_sub(before);
    let ended = program.try_wait().expect("a child of this process");
    assert!(ended.is_none(), "it ended: {ended:?}");
    (before, used.as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0)
}

/// CPU time of a process and of the children it has reaped.
pub fn cpu(pid: u32) -> Duration {
    let own: u64 = tasks(pid, "schedstat")
        .iter()
        .filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .sum();
    let reaped: u32 = stat(pid)
        .iter()
        .flat_map(|fields| {
            fields.iter().skip(13).take(2).filter_map(|ticks| ticks.parse::<u32>().ok())
        })
        .sum();
    Duration::from_nanos(own) + TICK * reaped
}
