//! The look itself: `/proc/PID/task/TID/{stat,syscall,status,fd,fdinfo}`, proc(5).
//!
//! Everything is read through the thread: a process whose main thread has ended reads as a zombie
//! without descriptors while its other threads live.

use super::sockets::Sockets;
use super::{Depth, calls, holders};
use crate::decide::stuck::table::{self, Waits};
use crate::decide::stuck::{
    self, At, End, Interrupts, Member, Object, Process, Rank, Snapshot, Thing, Thread, Wake,
};
use crate::os::process::{self, Stat, line, tasks, text};
use crate::os::tree::Children;
use rustix::fs::FileType;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// After a thread that waits for the clock, so many more of its process are asked for a reason that
/// tells more.
const MORE_THREADS: usize = 16;
/// The bounds of a look at everything.
const MOST_PROCESSES: usize = 64;
const MOST_THREADS: usize = 32;
/// Epolls within epolls are followed so far.
const NESTING: usize = 4;

/// Looks at a tree, as [`crate::os::tree::descendants`] gives it: what is deepest first, for that
/// is what the others wait for.
///
/// `before`: a stuck tree whose processes are still where they were then. Nobody outside can have
/// come by an end since, for it would have to come from one of them: what was found stands.
#[must_use]
pub fn take(
    tree: &[Stat],
    terminal_passed: bool,
    depth: Depth,
    before: Option<&Snapshot>,
) -> Snapshot {
    let member = |stat: &Stat| Member { pid: stat.pid, ppid: stat.ppid, name: stat.comm.clone() };
    let mut look = Look {
        tree: Snapshot {
            members: tree.iter().map(member).collect(),
            terminal_passed,
            ..Snapshot::default()
        },
        depth,
        sockets: Sockets::default(),
        mounts: HashMap::new(),
        locks: None,
        children: Children::default(),
    };
    let most = if depth == Depth::All { MOST_PROCESSES } else { usize::MAX };
    for stat in tree.iter().rev().take(most) {
        if look.process(stat) {
            return look.tree; // a reason was found
        }
    }
    // What may break into any wait after the threads, which tell more; then, if there is still no
    // reason, the other ends, for which every process of the machine has to be asked.
    for i in 0..look.tree.processes.len() {
        look.break_ins(i, tree, before);
        if depth == Depth::OneReason && stuck::interrupt(&look.tree.processes[i]).is_some() {
            return look.tree;
        }
    }
    if let Some(before) = before.filter(|before| before.processes == look.tree.processes) {
        look.tree.holders.clone_from(&before.holders);
        return look.tree;
    }
    let wanted = look.wanted();
    let unread = if wanted.is_empty() { Some(Vec::new()) } else { look.sockets.unread() };
    look.tree.holders = Some(holders::find(&wanted, unread.as_deref(), tree));
    look.tree
}

/// A look under way.
struct Look {
    tree: Snapshot,
    depth: Depth,
    sockets: Sockets,
    /// The mounts that the threads of one process see.
    mounts: HashMap<PathBuf, String>,
    /// `/proc/locks`.
    locks: Option<String>,
    children: Children,
}

impl Look {
    /// Looks at one process; true: it has a reason, and no more was asked for.
    fn process(&mut self, stat: &Stat) -> bool {
        let mut process = Process {
            pid: stat.pid,
            name: stat.comm.clone(),
            program: String::new(),
            threads: Vec::new(),
            other_jobs: Vec::new(),
            interrupts: None,
        };
        let (mut found, mut same_calls) = (None, None);
        let most = if self.depth == Depth::All { MOST_THREADS } else { usize::MAX };
        for (i, tid) in tasks(stat).into_iter().enumerate().take(most) {
            let path = PathBuf::from(format!("/proc/{}/task/{tid}", stat.pid));
            let thread = match process::stat_at(tid, &path) {
                Ok(thread) => thread,
                Err(error) if has_ended(&error) => continue,
                Err(error) => {
                    process.threads.push(Thread {
                        tid,
                        name: stat.comm.clone(),
                        state: 'S',
                        at: At::Hidden(error.kind().to_string()),
                        on: Vec::new(),
                    });
                    found.get_or_insert(i);
                    continue;
                }
            };
            if process.program.is_empty() && thread.lives() {
                process.program = program(&path);
            }
            let mut thread = Thread {
                tid,
                name: thread.comm,
                state: thread.state,
                at: At::Running,
                on: Vec::new(),
            };
            if thread.state != 'Z' {
                thread.at = place(&path, thread.state, &mut same_calls);
                self.ask(stat, &path, &mut process, &mut thread);
            }
            let wake = stuck::wake(&self.tree, &process, &thread);
            process.threads.push(thread);
            if let Wake::Outside(reason) = wake
                && self.depth == Depth::OneReason
            {
                let since = *found.get_or_insert(i);
                if reason.rank == Rank::Named || i - since >= MORE_THREADS {
                    break;
                }
            }
        }
        // One that has ended meanwhile is not looked at: that is all that is known.
        if !process.threads.is_empty() || process::exists(stat.pid) {
            self.tree.processes.push(process);
        }
        self.depth == Depth::OneReason && found.is_some()
    }

    /// What the call of a thread waits on.
    fn ask(&mut self, stat: &Stat, path: &Path, process: &mut Process, thread: &mut Thread) {
        let At::Call { name, args } = &thread.at else { return };
        let fd = |arg: usize| {
            #[expect(clippy::cast_possible_truncation, reason = "the kernel takes an int")]
            let fd = args[arg] as u32;
            fd.cast_signed()
        };
        let args = *args;
        match table::waits(name) {
            None | Some(Waits::Clock | Waits::Signal) => {}
            Some(Waits::Suspend) => {
                let open = status(path).map(|status| status.unblocked());
                thread.on.extend(open.map(|open| Object { fd: -1, thing: Thing::Signals(open) }));
                process.other_jobs = self.other_jobs(stat);
            }
            Some(Waits::Child) => process.other_jobs = self.other_jobs(stat),
            Some(Waits::Futex) => {
                if args[1] & 128 == 0 && args[3] == 0 {
                    thread.on.push(Object { fd: -1, thing: memory(path, args[0]) });
                }
            }
            Some(Waits::Descriptors(which)) => {
                for arg in which {
                    let fd = fd(*arg);
                    let thing = self.thing(path, fd, true);
                    thread.on.push(Object { fd, thing });
                }
            }
            Some(Waits::AnyDescriptor(_)) => {
                let polls = name.ends_with("poll");
                // The set as it is now may not be the one the call began with, if there is another
                // thread to change it.
                let set = match (stat.threads, polls) {
                    (1, true) => poll_set(path, &args),
                    (1, false) => select_set(path, &args),
                    _ => None,
                };
                self.these_descriptors(path, thread, set.or_else(|| open_descriptors(path)));
            }
            Some(Waits::Epoll(_)) => self.registered(path, fd(0), thread, NESTING),
            Some(Waits::FileLock) => {
                let fd = fd(0);
                // Where others than this machine may hold a lock, that is a reason already.
                let thing = self.thing(path, fd, false);
                if thing == Thing::LocalFile {
                    let table = self.locks.get_or_insert_with(holders::locks);
                    let locks =
                        holders::in_the_way(table, stat.pid, &path.join(format!("fd/{fd}")));
                    let locks =
                        locks.into_iter().map(|lock| Object { fd, thing: Thing::Lock(lock) });
                    thread.on.extend(locks);
                } else {
                    thread.on.push(Object { fd, thing });
                }
            }
        }
    }

    /// What may break into the waits of a process, whatever they are: signals, timers, the end of
    /// another job; and whether its threads sleep where their calls say, unless they did `before` and
    /// sleep there still.
    fn break_ins(&mut self, i: usize, tree: &[Stat], before: Option<&Snapshot>) {
        let pid = self.tree.processes[i].pid;
        let stat = tree.iter().find(|stat| stat.pid == pid);
        let others = stat.map(|stat| self.other_jobs(stat));
        let process = &mut self.tree.processes[i];
        process.other_jobs = others.unwrap_or_default();
        process.interrupts = Some(interrupts(process));
        let before = before.and_then(|before| before.processes.get(i));
        if before.is_some_and(|before| before.pid == pid && before.threads == process.threads) {
            return;
        }
        for thread in process.threads.iter_mut().filter(|thread| thread.state == 'S') {
            if let Some(function) = waits_elsewhere(pid, thread.tid) {
                thread.at = At::Elsewhere(function);
            }
        }
    }

    /// Children that live and are not of the tree.
    fn other_jobs(&mut self, stat: &Stat) -> Vec<String> {
        let children = self.children.of(stat);
        let is_member = |pid: &i32| self.tree.members.iter().any(|member| member.pid == *pid);
        let others = children.into_iter().filter(|pid| !is_member(pid));
        others
            .filter_map(process::stat)
            .filter(Stat::lives)
            .map(|stat| format!("{}[{}]", stat.comm, stat.pid))
            .collect()
    }

    /// These descriptors of a thread; with a reason found, the rest is not asked.
    fn these_descriptors(&mut self, path: &Path, thread: &mut Thread, fds: Option<Vec<i32>>) {
        let Some(fds) = fds else {
            let why = "its descriptors cannot be listed".to_owned();
            return thread.on.push(Object { fd: -1, thing: Thing::Hidden(why) });
        };
        for fd in fds {
            let thing = self.thing(path, fd, false);
            if thing != Thing::LocalFile {
                // A file is always ready: a wait that goes on is not for it.
                thread.on.push(Object { fd, thing });
            }
            if self.is_enough(thread) {
                return;
            }
        }
    }

    /// The descriptors registered with an epoll, epolls among them followed.
    fn registered(&mut self, path: &Path, epoll: i32, thread: &mut Thread, nesting: usize) {
        let hidden = |why: &str| Object { fd: epoll, thing: Thing::Hidden(why.to_owned()) };
        let Ok(info) = text(path.join(format!("fdinfo/{epoll}"))) else {
            return thread.on.push(hidden("its epoll cannot be read"));
        };
        if nesting == 0 {
            return thread.on.push(hidden("epolls within epolls"));
        }
        // "tfd:       5 events:       19 data:                5  pos:0 ino:1a2b sdev:e"
        for line in info.lines().filter_map(|line| line.strip_prefix("tfd:")) {
            let mut words = line.split_ascii_whitespace();
            let fd = words.next().and_then(|fd| fd.parse::<i32>().ok());
            let inode = line.split("ino:").nth(1).and_then(|rest| rest.split(' ').next());
            let inode = inode.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
            let Some(fd) = fd else {
                thread.on.push(hidden("its epoll is not understood"));
                continue;
            };
            // A descriptor that was closed, and its number used again, is registered still.
            let info = text(path.join(format!("fdinfo/{fd}"))).unwrap_or_default();
            let now = process::field(&info, "ino:").and_then(|inode| inode.parse().ok());
            if inode.is_none() || now != inode {
                thread.on.push(hidden("what its epoll watches is no longer open"));
                continue;
            }
            if link(path, fd).as_deref() == Some("anon_inode:[eventpoll]") {
                self.registered(path, fd, thread, nesting - 1);
            } else {
                let thing = self.thing(path, fd, false);
                thread.on.push(Object { fd, thing });
            }
            if self.is_enough(thread) {
                return;
            }
        }
    }

    /// Whether the last object of this thread is reason enough.
    fn is_enough(&self, thread: &Thread) -> bool {
        let (At::Call { name, .. }, Some(last)) = (&thread.at, thread.on.last()) else {
            return false;
        };
        self.depth == Depth::OneReason && stuck::is_reason(&self.tree, last, name)
    }

    /// What a descriptor is. `direct`: the thread is blocked in a call on this very descriptor, so
    /// that a time limit of the socket's own counts.
    fn thing(&mut self, path: &Path, fd: i32, direct: bool) -> Thing {
        let Some(link) = link(path, fd) else {
            return Thing::Hidden(format!("descriptor {fd} cannot be read"));
        };
        let info = text(path.join(format!("fdinfo/{fd}"))).unwrap_or_default();
        let field = |key: &str| process::field(&info, key);
        let inode = || process::inode_in(&link);
        if link.starts_with("pipe:") {
            let (Some(inode), Some(mode)) = (inode(), process::access_mode(&info)) else {
                return Thing::Hidden(format!("pipe {fd} cannot be read"));
            };
            let (reads, writes) = (mode != libc::O_WRONLY, mode != libc::O_RDONLY);
            return Thing::Pipe { inode, reads, writes };
        }
        if link.starts_with("socket:") {
            let Some(inode) = inode() else { return Thing::Hidden(link) };
            return self.sockets.socket(path, fd, inode, direct);
        }
        if let Some(kind) = link.strip_prefix("anon_inode:") {
            return match kind.trim_matches(['[', ']']) {
                "eventfd" => match field("eventfd-id:").and_then(|id| id.parse().ok()) {
                    Some(id) => match driver(path) {
                        Some(driver) => {
                            Thing::Open(format!("waits for an event, which {driver} may cause"))
                        }
                        None => Thing::Eventfd(id),
                    },
                    None => Thing::Hidden("an eventfd without an id".to_owned()),
                },
                "pidfd" => match field("Pid:").and_then(|pid| pid.parse().ok()) {
                    Some(pid) => Thing::Pidfd(pid),
                    None => Thing::Hidden("a pidfd of nobody".to_owned()),
                },
                "inotify" | "fanotify" => {
                    Thing::Open("waits for a change of files (inotify)".to_owned())
                }
                "timerfd" => Thing::Open("waits for the clock (timerfd)".to_owned()),
                "signalfd" => Thing::Open("waits for a signal (signalfd)".to_owned()),
                other => Thing::Open(format!("waits for an event of the kernel ({other})")),
            };
        }
        if link.starts_with("/memfd:") {
            return Thing::LocalFile;
        }
        if !link.starts_with('/') {
            return Thing::Open(format!("waits for {link}"));
        }
        // The file system first: to look at a file of a server that is gone would block.
        match field("mnt_id:").and_then(|id| self.file_system(path, id)) {
            Some(kind) if table::LOCAL_FILE_SYSTEMS.contains(&kind.as_str()) => {}
            Some(kind) if kind == "devpts" => {}
            Some(kind) => return Thing::RemoteFile(kind),
            None => return Thing::RemoteFile("an unknown file system".to_owned()),
        }
        special(path, fd, &link)
    }

    /// The type of the file system with this mount id, as the process sees the mounts.
    fn file_system(&mut self, path: &Path, mount: &str) -> Option<String> {
        // Only processes have it, not threads: "36 35 98:0 / /mnt rw master:1 - ext3 /dev/root rw"
        let process = path.parent()?.parent()?;
        let mounts = self
            .mounts
            .entry(process.to_owned())
            .or_insert_with(|| text(process.join("mountinfo")).unwrap_or_default());
        let line = mounts.lines().find(|line| line.split(' ').next() == Some(mount))?;
        Some(line.split_once(" - ")?.1.split(' ').next()?.to_owned())
    }

    /// Every end that somebody outside may have.
    fn wanted(&self) -> Vec<End> {
        let mut wanted = Vec::new();
        for process in &self.tree.processes {
            for thread in &process.threads {
                if let Wake::Whoever(ends) = stuck::wake(&self.tree, process, thread) {
                    wanted.extend(ends);
                }
            }
        }
        wanted.sort();
        wanted.dedup();
        wanted
    }
}

/// `ESRCH` comes from what has ended while it was read.
fn has_ended(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

/// So many descriptors in one `poll` or `select` are read.
const MOST_POLLED: u64 = 4096;

/// The descriptors that a `poll` waits for, from the memory of the thread; `None`: it cannot be
/// read.
fn poll_set(path: &Path, args: &[u64; 6]) -> Option<Vec<i32>> {
    const ENTRY: usize = 8; // struct pollfd: int fd, short events, short revents
    let count = args[1];
    if count > MOST_POLLED {
        return None;
    }
    let set = memory_at(path, args[0], usize::try_from(count).ok()? * ENTRY)?;
    let fds = set
        .chunks_exact(ENTRY)
        .map(|entry| i32::from_ne_bytes([entry[0], entry[1], entry[2], entry[3]]));
    Some(fds.filter(|fd| *fd >= 0).collect())
}

/// The same of a `select`: three sets of bits.
fn select_set(path: &Path, args: &[u64; 6]) -> Option<Vec<i32>> {
    let count = args[0];
    if count > MOST_POLLED {
        return None;
    }
    let bytes = usize::try_from(count.div_ceil(64) * 8).ok()?;
    let mut all = vec![0; bytes];
    for address in args[1..=3].iter().filter(|address| **address != 0) {
        let set = memory_at(path, *address, bytes)?;
        all.iter_mut().zip(set).for_each(|(all, byte)| *all |= byte);
    }
    // Words of the machine's own order: on a little endian one, bytes of ascending numbers.
    let word = |fd: u64| all[usize::try_from(fd / 64 * 8).unwrap_or(0)..].first_chunk::<8>();
    let is_in =
        |fd: &u64| word(*fd).is_some_and(|word| u64::from_ne_bytes(*word) >> (fd % 64) & 1 == 1);
    Some((0..count).filter(is_in).filter_map(|fd| i32::try_from(fd).ok()).collect())
}

fn memory_at(path: &Path, address: u64, length: usize) -> Option<Vec<u8>> {
    use std::os::unix::fs::FileExt;
    let mut bytes = vec![0; length];
    fs::File::open(path.join("mem")).ok()?.read_exact_at(&mut bytes, address).ok()?;
    Some(bytes)
}

fn open_descriptors(path: &Path) -> Option<Vec<i32>> {
    let entries = fs::read_dir(path.join("fd")).ok()?.flatten();
    let mut fds: Vec<i32> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    fds.sort_unstable();
    Some(fds)
}

/// Where a thread is, by `/proc/PID/task/TID/syscall`. Whether the process has our table of system
/// calls is asked once.
fn place(path: &Path, state: char, same_calls: &mut Option<bool>) -> At {
    if matches!(state, 'T' | 'D' | 'R') {
        return At::Running; // its state says it all
    }
    if state == 't' {
        let tracer = status(path).and_then(|status| status.number("TracerPid:"));
        return At::Traced(tracer.unwrap_or(0));
    }
    let line = match line(path.join("syscall")) {
        Ok(line) => line,
        Err(error) => return At::Hidden(format!("/proc/PID/syscall: {}", error.kind())),
    };
    let mut words = line.split_ascii_whitespace();
    let number = match words.next() {
        Some("running") => return At::Running,
        Some("-1") => return At::Fault,
        number => number.and_then(|number| number.parse::<libc::c_long>().ok()),
    };
    let Some(number) = number else { return At::Hidden("/proc/PID/syscall is empty".to_owned()) };
    if !*same_calls.get_or_insert_with(|| has_our_calls(path)) {
        return At::Hidden("it has another table of system calls than this program".to_owned());
    }
    let mut args = [0; 6];
    for (arg, word) in args.iter_mut().zip(words) {
        *arg = u64::from_str_radix(word.trim_start_matches("0x"), 16).unwrap_or(0);
    }
    At::Call { name: calls::name(number), args }
}

/// Whether the numbers of a process's system calls mean what ours do: whether it is of our word size
/// and not, say, an i386 program on x86-64. By the first entry of its auxiliary vector (getauxval(3)):
/// its type is a small number in a word of ours, in words of half the size a value follows at once.
/// (What it executes is not opened for this: that may be on a file system that does not answer.)
fn has_our_calls(path: &Path) -> bool {
    use std::io::Read;
    const MOST_TYPES: usize = 4096;
    let mut word = [0; size_of::<usize>()];
    let read = fs::File::open(path.join("auxv")).and_then(|mut file| file.read_exact(&mut word));
    read.is_ok() && cfg!(target_pointer_width = "64") && usize::from_ne_bytes(word) < MOST_TYPES
}

/// Base name of what is executed, without a version's digits.
fn program(path: &Path) -> String {
    let link = fs::read_link(path.join("exe")).unwrap_or_default();
    let name = link.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let name = name.strip_suffix(" (deleted)").unwrap_or(&name);
    name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').to_owned()
}

fn link(path: &Path, fd: i32) -> Option<String> {
    let link = fs::read_link(path.join(format!("fd/{fd}"))).ok()?;
    Some(link.to_string_lossy().into_owned())
}

/// What in the kernel may count up an eventfd of this process: a device of its own (GPUs, KVM,
/// VFIO), `io_uring`, or I/O in flight (`io_submit(2)`); `None`: nothing.
fn driver(path: &Path) -> Option<String> {
    let Some(fds) = open_descriptors(path) else { return Some("what cannot be seen".to_owned()) };
    for link in fds.into_iter().filter_map(|fd| link(path, fd)) {
        let kind = link.strip_prefix("anon_inode:").map(|kind| kind.trim_matches(['[', ']']));
        let device = link.starts_with("/dev/") && !table::is_plain_device(&link);
        if device || kind.is_some_and(|kind| !table::OWN_EVENTS.contains(&kind)) {
            return Some(link);
        }
    }
    match maps(path) {
        Some(maps) if !maps.contains("/[aio]") => None,
        _ => Some("I/O in flight".to_owned()),
    }
}

/// The mappings of a process, through one of its threads.
fn maps(path: &Path) -> Option<String> {
    let process = path.parent().and_then(Path::parent).unwrap_or(path);
    text(path.join("maps")).or_else(|_| text(process.join("maps"))).ok()
}

/// What a path on a local file system leads to.
fn special(path: &Path, fd: i32, name: &str) -> Thing {
    let Some(meta) = process::status_of(&path.join(format!("fd/{fd}"))) else {
        return Thing::Hidden(format!("descriptor {fd} cannot be read"));
    };
    let kind = FileType::from_raw_mode(meta.stx_mode.into());
    if matches!(kind, FileType::RegularFile | FileType::Directory) {
        return Thing::LocalFile;
    }
    if kind == FileType::Fifo {
        return Thing::Open(format!("waits for the FIFO {name}"));
    }
    let device = (meta.stx_rdev_major, meta.stx_rdev_minor);
    match device {
        _ if kind != FileType::CharacterDevice => Thing::Open(format!("waits for {name}")),
        (1, 3) => Thing::Null,
        // devices.txt of the kernel: 136 to 143 are the sides of pseudo terminals that programs
        // read, 4 below 64 the consoles, 5/0 /dev/tty, 5/1 /dev/console.
        (136..=143, _) | (4, 0..64) | (5, 0 | 1) => {
            let prompts = fd <= 2 || device == (5, 0) || controlling_terminal(path) == Some(device);
            if prompts {
                return Thing::Terminal(name.to_owned());
            }
            // Opened by its name beside the standard streams it is a line to somebody.
            Thing::Open(format!("waits for the line {name}"))
        }
        _ => Thing::Open(format!("waits for the device {name}")),
    }
}

/// Field 7 of `/proc/PID/stat`: the device number in the form of the kernel.
fn controlling_terminal(path: &Path) -> Option<(u32, u32)> {
    let stat = line(path.join("stat")).ok()?;
    let number = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(4)?.parse::<u32>().ok()?;
    Some(((number >> 8) & 0xfff, (number & 0xff) | ((number >> 12) & 0xf_ff00)))
}

/// The mapping behind a futex that is not private, by `/proc/PID/maps`.
fn memory(path: &Path, address: u64) -> Thing {
    let task = path.parent().and_then(Path::parent).unwrap_or(path);
    let Some(maps) = maps(path) else {
        return Thing::Hidden("its memory cannot be read".to_owned());
    };
    // "7f1c2000-7f1c3000 rw-s 00000000 00:19 4711    /dev/shm/sem.a (deleted)"
    let hex = |word: &str| u64::from_str_radix(word, 16).ok();
    let found = maps.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let range = words.next()?;
        let (from, to) = range.split_once('-')?;
        let within = (hex(from)?..hex(to)?).contains(&address);
        within.then(|| (range.to_owned(), words.map(str::to_owned).collect::<Vec<_>>()))
    });
    let Some((range, words)) = found else {
        return Thing::Hidden("its memory is not mapped".to_owned());
    };
    let Some(inode) = words.get(3).and_then(|inode| inode.parse().ok()) else {
        return Thing::Hidden("its memory is not understood".to_owned());
    };
    match words.first().map(String::as_str) {
        // What was written to is a page of its own; what was only read is the file's still.
        Some(permissions) if permissions.ends_with('p') => {
            return if inode == 0 || permissions.contains('w') {
                Thing::PrivateMemory
            } else {
                Thing::Hidden("a lock in a file that is mapped to be read".to_owned())
            };
        }
        Some(_) => {}
        None => return Thing::Hidden("its memory is not understood".to_owned()),
    }
    let name = words.get(4..).unwrap_or_default().join(" ");
    let anonymous = name.starts_with("/dev/zero");
    // The C library makes a named semaphore under a temporary name, so that its mapping reads
    // "(deleted)" while the file lives on under another: its links tell. Only root may look. A
    // segment of System V has no name and is attached by its key.
    let file = process::status_of(&task.join("map_files").join(range));
    let links = file.map(|file| file.stx_nlink);
    let by_key = name.starts_with("/SYSV");
    let reachable = !anonymous && (by_key || links.is_none_or(|links| links > 0));
    Thing::SharedMemory { file: inode, anonymous, reachable }
}

/// `/proc/PID/task/TID/status`.
struct Status(String);

fn status(path: &Path) -> Option<Status> {
    text(path.join("status")).ok().map(Status)
}

impl Status {
    fn value(&self, key: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(key)).map(str::trim)
    }

    fn number(&self, key: &str) -> Option<i32> {
        self.value(key)?.parse().ok()
    }

    fn signals(&self, key: &str) -> Option<u64> {
        u64::from_str_radix(self.value(key)?, 16).ok()
    }

    /// The signals it has a handler for and does not block.
    fn unblocked(&self) -> Vec<i32> {
        let caught = self.signals("SigCgt:").unwrap_or(u64::MAX);
        let blocked = self.signals("SigBlk:").unwrap_or(0);
        numbers(caught & !blocked)
    }
}

fn numbers(set: u64) -> Vec<i32> {
    (1..=64).filter(|signal| set & (1 << (signal - 1)) != 0).collect()
}

/// The function of the kernel that a thread sleeps in, if it is one that has nothing to do with its
/// system call.
fn waits_elsewhere(pid: i32, tid: i32) -> Option<String> {
    let function = line(format!("/proc/{pid}/task/{tid}/wchan")).ok()?;
    table::ELSEWHERE.iter().any(|known| function.starts_with(known)).then_some(function)
}

fn interrupts(process: &Process) -> Interrupts {
    let Some(thread) = process.threads.iter().find(|thread| thread.state != 'Z') else {
        return Interrupts::Known { caught: Vec::new(), timers: Vec::new() };
    };
    let path = PathBuf::from(format!("/proc/{}/task/{}", process.pid, thread.tid));
    let Some(caught) = status(&path).and_then(|status| status.signals("SigCgt:")) else {
        return Interrupts::Hidden("/proc/PID/status".to_owned());
    };
    match text(format!("/proc/{}/timers", process.pid)) {
        // "signal: 60/00007fff86e452a8", one line for each timer
        Ok(timers) => {
            let signals = timers.lines().filter_map(|line| line.strip_prefix("signal:"));
            let number = |line: &str| line.trim().split('/').next()?.parse().ok();
            let timers = signals.map(|line| number(line).unwrap_or(0)).collect();
            Interrupts::Known { caught: numbers(caught), timers }
        }
        Err(error) => Interrupts::Hidden(format!("/proc/PID/timers: {}", error.kind())),
    }
}
