//! Who has the other end: of pipes, sockets, eventfds, shared memory and file locks.
//!
//! For this every process of the machine is asked for its descriptors, so it comes last.

use super::sockets::Unread;
use crate::decide::stuck::{End, Holders};
use crate::os::process::{self, Stat, text};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What is looked for in each process.
struct Wanted {
    ends: BTreeSet<End>,
    locks: bool,
    memory: bool,
}

/// What one process has of it.
#[derive(Default)]
struct Held {
    ends: BTreeSet<End>,
    /// It has an `io_uring`, whose operations the kernel goes on with: they may write to a pipe.
    io_uring: bool,
}

/// Looks for the holders of these ends in the tree, and in every other process but this one, which
/// has nothing to say to its job. `unread`: the sockets with unread messages, in which descriptors
/// may lie; `None`: that is not known.
pub fn find(ends: &[End], unread: Option<&[Unread]>, tree: &[Stat]) -> Holders {
    let sockets = unread.unwrap_or_default().iter().flat_map(|unread| [unread.inode, unread.peer]);
    let wanted = Wanted {
        ends: ends.iter().cloned().chain(sockets.map(End::Socket)).collect(),
        locks: ends.iter().any(|end| matches!(end, End::Lock(_))),
        memory: ends.iter().any(|end| matches!(end, End::Memory(_))),
    };
    let mut holders = Holders::default();
    let mut driven = None;
    for stat in tree.iter().filter(|_| !ends.is_empty()) {
        let mut found = Held::default();
        let _ = held(stat, &wanted, &mut found);
        if found.io_uring {
            driven = Some(format!("the io_uring of {}", name(stat)));
        }
        for end in found.ends {
            holders.inside.entry(end).or_insert_with(|| name(stat));
        }
    }
    look_outside(ends, &wanted, tree, &mut holders);
    if !ends.is_empty() {
        holders.passed_in = passed_in();
    }
    let sent = || {
        let unread = unread?.iter();
        unread
            .filter(|unread| holders.inside.contains_key(&End::Socket(unread.peer)))
            .find_map(|unread| holders.outside.get(&End::Socket(unread.inode)).cloned())
    };
    holders.in_flight = match unread {
        None => Some("somebody unseen".to_owned()),
        Some(_) => driven.or_else(sent),
    };
    holders
}

/// Asks everybody who is not of the tree.
fn look_outside(ends: &[End], wanted: &Wanted, tree: &[Stat], holders: &mut Holders) {
    let me = std::process::id().cast_signed();
    let is_inside = |pid: i32| tree.iter().any(|stat| stat.pid == pid);
    let mut hidden = |who: String, is_init: bool| {
        if !is_init {
            holders.hidden_memory.get_or_insert_with(|| who.clone());
        }
        holders.hidden.get_or_insert(who);
    };
    // Where others live behind a namespace, or a `/proc` that shows a user its own processes only
    // (`hidepid`), whoever came before us may have what we were given.
    if !process::sees_everybody() {
        hidden("somebody behind a namespace".to_owned(), false);
    }
    for pid in process::all().into_iter().filter(|pid| *pid != me && !is_inside(*pid)) {
        let Some(stat) = process::stat(pid) else {
            if process::exists(pid) {
                hidden(format!("pid {pid}"), pid == 1);
            }
            continue;
        };
        if !stat.lives() {
            continue;
        }
        if is_traced_by(pid, tree) {
            holders.traced.get_or_insert_with(|| name(&stat));
        }
        if ends.is_empty() {
            continue;
        }
        let mut found = Held::default();
        // Whose memory is just being changed for long, to look at it would take as long.
        let busy = wanted.memory && stat.state == 'D';
        if busy || (held(&stat, wanted, &mut found).is_err() && process::exists(pid)) {
            hidden(name(&stat), pid == 1);
        }
        for end in found.ends {
            holders.outside.entry(end).or_insert_with(|| name(&stat));
        }
    }
}

fn name(stat: &Stat) -> String {
    format!("{}[{}]", stat.comm, stat.pid)
}

/// Whether one of the tree is the tracer of this process.
fn is_traced_by(pid: i32, tree: &[Stat]) -> bool {
    // For most processes nobody is: the first kilobyte has the line.
    let status = process::line(format!("/proc/{pid}/status")).unwrap_or_default();
    let tracer = process::field(&status, "TracerPid:").and_then(|tracer| tracer.parse().ok());
    let tracer: i32 = tracer.unwrap_or(0);
    tracer != 0 && tree.iter().any(|stat| stat.pid == tracer)
}

/// Inodes of the pipes and sockets, and ids of the eventfds, among our own descriptors: what we have,
/// our caller may have.
fn passed_in() -> BTreeSet<u64> {
    let entries = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let link = fs::read_link(entry.path()).ok()?;
            let link = link.to_str()?;
            if link.starts_with("anon_inode:") {
                let info = Path::new("/proc/self/fdinfo").join(entry.file_name());
                let info = text(info).ok()?;
                return process::field(&info, "eventfd-id:")?.parse().ok();
            }
            let shared = ["pipe:", "socket:"].iter().any(|kind| link.starts_with(kind));
            process::inode_in(link).filter(|_| shared)
        })
        .collect()
}

/// Which of the wanted ends a process has.
fn held(stat: &Stat, wanted: &Wanted, found: &mut Held) -> std::io::Result<()> {
    let pid = stat.pid;
    if wanted.memory {
        mapped(&Path::new("/proc").join(pid.to_string()).join("maps"), wanted, &mut found.ends)?;
    }
    // The main thread of a process may have ended before the others; then they have the table.
    let main = Path::new("/proc").join(pid.to_string());
    let of = |tid: i32| main.join("task").join(tid.to_string());
    let mut tables = vec![main.clone()];
    if matches!(stat.state, 'Z' | 'X') {
        // What has ended has no table, and may not even be asked for it.
        let lives =
            |task: &PathBuf| process::stat_at(pid, task).is_ok_and(|task| task.state != 'Z');
        tables = process::tasks(stat).into_iter().map(of).filter(lives).collect();
    } else if stat.threads > 1 {
        let own =
            process::tasks(stat).into_iter().filter(|tid| process::has_own_descriptors(pid, *tid));
        tables.extend(own.map(of));
    }
    for table in tables {
        for entry in fs::read_dir(table.join("fd"))? {
            let Ok(entry) = entry else { continue };
            let link = match fs::read_link(entry.path()) {
                Ok(link) => link,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue, // closed
                Err(error) => return Err(error),
            };
            let fd = entry.file_name();
            let info = || text(table.join("fdinfo").join(&fd)).unwrap_or_default();
            let link = link.to_string_lossy();
            descriptor(&link, info, wanted, found);
            if wanted.memory && link.ends_with(" (deleted)") {
                // Whoever has a file open that has no name may map it.
                // (Its inode from here, for to look at the file itself may wait for a server.)
                let inode = process::field(&info(), "ino:").and_then(|inode| inode.parse().ok());
                found
                    .ends
                    .extend(inode.and_then(|inode| wanted.ends.get(&End::Memory(inode))).cloned());
            }
        }
    }
    Ok(())
}

fn descriptor(link: &str, info: impl Fn() -> String, wanted: &Wanted, found: &mut Held) {
    let mut has = |end: End| {
        if wanted.ends.contains(&end) {
            found.ends.insert(end);
        }
    };
    found.io_uring |= link.ends_with("[io_uring]");
    let inode = || process::inode_in(link);
    if link.starts_with("pipe:") {
        let Some(inode) = inode() else { return };
        let (reader, writer) = (End::Reader(inode), End::Writer(inode));
        if !wanted.ends.contains(&reader) && !wanted.ends.contains(&writer) {
            return;
        }
        // Which end it is that cannot be seen may be either.
        let mode = process::access_mode(&info()).unwrap_or(libc::O_RDWR);
        if mode != libc::O_WRONLY {
            has(reader);
        }
        if mode != libc::O_RDONLY {
            has(writer);
        }
    } else if link.starts_with("socket:") {
        if let Some(inode) = inode() {
            has(End::Socket(inode));
        }
    } else if link.starts_with("anon_inode:") {
        if link.contains("eventfd")
            && let Some(id) = process::field(&info(), "eventfd-id:").and_then(|id| id.parse().ok())
        {
            has(End::Eventfd(id));
        }
    } else if wanted.locks {
        for line in info().lines().filter_map(|line| line.strip_prefix("lock:")) {
            if let Some(lock) = lock(line) {
                has(End::Lock(lock));
            }
        }
    }
}

fn mapped(maps: &Path, wanted: &Wanted, found: &mut BTreeSet<End>) -> std::io::Result<()> {
    for line in text(maps)?.lines() {
        let mut words = line.split_ascii_whitespace().skip(1);
        let (Some(permissions), Some(_)) = (words.next(), words.next()) else { continue };
        let Some(inode) = words.nth(1).and_then(|inode| inode.parse().ok()) else { continue };
        let end = End::Memory(inode);
        if permissions.ends_with('s') && wanted.ends.contains(&end) {
            found.insert(end);
        }
    }
    Ok(())
}

/// A lock as `/proc/locks` and `lock:` in fdinfo have it, without its number:
/// `FLOCK ADVISORY WRITE 77 08:01:4711 0 EOF`.
fn lock(line: &str) -> Option<String> {
    let (_, rest) = line.trim().split_once(':')?;
    Some(rest.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
}

/// All file locks of this machine, and who waits for them.
pub fn locks() -> String {
    text("/proc/locks").unwrap_or_default()
}

/// The locks that are in the way of this process at this file: each waits in `/proc/locks` below
/// the lock it waits for, with an arrow (proc(5)). Locks of open file descriptions name nobody.
pub fn in_the_way(locks: &str, pid: i32, file: &Path) -> Vec<String> {
    let Some(meta) = process::status_of(file) else { return Vec::new() };
    let pid = pid.to_string();
    let place = format!("{:02x}:{:02x}:{}", meta.stx_dev_major, meta.stx_dev_minor, meta.stx_ino);
    blockers(locks, &pid, &place)
}

fn blockers(locks: &str, pid: &str, place: &str) -> Vec<String> {
    let mut blocker = None;
    let mut found = BTreeSet::new();
    for line in locks.lines() {
        let Some(lock) = lock(line) else { continue };
        match lock.strip_prefix("-> ") {
            None => blocker = Some(lock),
            Some(waiting) => {
                let words: Vec<&str> = waiting.split(' ').collect();
                let ours = words.get(3).is_some_and(|who| *who == pid || *who == "-1");
                if ours && words.get(4) == Some(&place) {
                    found.extend(blocker.clone());
                }
            }
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_above_the_arrow_is_in_the_way() {
        let locks = "1: FLOCK  ADVISORY  WRITE 77 08:01:4711 0 EOF\n\
                     1: -> FLOCK  ADVISORY  WRITE 88 08:01:4711 0 EOF\n\
                     2: POSIX  ADVISORY  READ 99 08:01:12 0 EOF\n\
                     2: -> POSIX  ADVISORY  WRITE 88 08:01:12 0 9\n\
                     3: OFDLCK ADVISORY  WRITE -1 08:01:13 0 EOF\n\
                     3: -> OFDLCK ADVISORY  WRITE -1 08:01:13 0 EOF\n";
        let at = |pid: &str, place: &str| blockers(locks, pid, place);
        assert_eq!(at("88", "08:01:4711"), ["FLOCK ADVISORY WRITE 77 08:01:4711 0 EOF"]);
        assert_eq!(at("88", "08:01:12"), ["POSIX ADVISORY READ 99 08:01:12 0 EOF"]);
        assert_eq!(at("5", "08:01:13"), ["OFDLCK ADVISORY WRITE -1 08:01:13 0 EOF"]);
        assert!(at("77", "08:01:4711").is_empty() && at("88", "08:01:1").is_empty());
        assert!(blockers("", "1", "").is_empty() && blockers("->\n:\n", "1", "").is_empty());
    }
}
