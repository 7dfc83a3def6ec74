//! The tables of the stuck rule: system calls, signals, file systems and threads, as data.
//!
//! What is not in a table is unknown, and unknown is a reason to believe that a thread will go on.

/// What ends a wait in a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// The clock.
    Clock,
    /// Anybody's signal.
    Signal,
    /// As [`Signal`](Self::Signal); but some shells wait for their children so.
    Suspend,
    /// A child's end.
    Child,
    /// A wake-up of the same address space or the same shared page, or the time limit.
    Futex,
    /// What the descriptors in these arguments are.
    Descriptors(&'static [usize]),
    /// What any descriptor of the process is, for the set is in its memory; or the time limit.
    AnyDescriptor(Limit),
    /// The descriptors registered with the one in the first argument; or the time limit.
    Epoll(Limit),
    /// Whoever has the file lock in the way; with `fcntl`, if the command asks for a lock.
    FileLock,
}

/// Where a call has its time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A pointer in this argument; null: none.
    Pointer(usize),
    /// Milliseconds in this argument, 32 bits; negative: none.
    Millis(usize),
}

/// The system calls in which a thread may wait for its own tree.
pub const CALLS: &[(&str, Waits)] = &[
    ("nanosleep", Waits::Clock),
    ("clock_nanosleep", Waits::Clock),
    ("restart_syscall", Waits::Clock), // a wait after a stop; mostly one with a limit, which is not shown
    ("pause", Waits::Signal),
    ("rt_sigtimedwait", Waits::Signal),
    ("rt_sigsuspend", Waits::Suspend),
    ("wait4", Waits::Child),
    ("waitid", Waits::Child),
    ("futex", Waits::Futex),
    ("read", Waits::Descriptors(&[0])),
    ("readv", Waits::Descriptors(&[0])),
    ("write", Waits::Descriptors(&[0])),
    ("writev", Waits::Descriptors(&[0])),
    ("recvfrom", Waits::Descriptors(&[0])),
    ("recvmsg", Waits::Descriptors(&[0])),
    ("sendto", Waits::Descriptors(&[0])),
    ("sendmsg", Waits::Descriptors(&[0])),
    ("accept", Waits::Descriptors(&[0])),
    ("accept4", Waits::Descriptors(&[0])),
    ("connect", Waits::Descriptors(&[0])),
    ("sendfile", Waits::Descriptors(&[0, 1])),
    ("splice", Waits::Descriptors(&[0, 2])),
    ("poll", Waits::AnyDescriptor(Limit::Millis(2))),
    ("ppoll", Waits::AnyDescriptor(Limit::Pointer(2))),
    ("select", Waits::AnyDescriptor(Limit::Pointer(4))),
    ("pselect6", Waits::AnyDescriptor(Limit::Pointer(4))),
    ("epoll_wait", Waits::Epoll(Limit::Millis(3))),
    ("epoll_pwait", Waits::Epoll(Limit::Millis(3))),
    ("epoll_pwait2", Waits::Epoll(Limit::Pointer(3))),
    ("flock", Waits::FileLock),
    ("fcntl", Waits::FileLock),
];

/// Calls that anybody may end, in words.
pub const IN_WORDS: &[(&str, &str)] = &[
    ("open", "waits to open a FIFO or a device"),
    ("openat", "waits to open a FIFO or a device"),
    ("msgrcv", "waits for a message (System V)"),
    ("msgsnd", "waits for room for a message (System V)"),
    ("semop", "waits for a semaphore (System V)"),
    ("semtimedop", "waits for a semaphore (System V)"),
    ("mq_timedreceive", "waits for a message (POSIX queue)"),
    ("mq_timedsend", "waits for room for a message (POSIX queue)"),
    ("fsync", "waits for a disk"),
    ("fdatasync", "waits for a disk"),
];

/// How a call waits; `None`: unknown.
#[must_use]
pub fn waits(call: &str) -> Option<Waits> {
    CALLS.iter().find(|(name, _)| *name == call).map(|(_, waits)| *waits)
}

/// Signals whose handlers may make a thread go on, for anybody may send them and `alarm` and
/// `setitimer` appear nowhere; and all from [`FIRST_REAL_TIME`] on. Those not listed end a process,
/// tell of its children and faults, or are the terminal's; signal(7) has the numbers.
pub const WAKING: &[(i32, &str)] = &[
    (10, "USR1"),
    (12, "USR2"),
    (14, "ALRM"),
    (16, "STKFLT"),
    (18, "CONT"),
    (26, "VTALRM"),
    (27, "PROF"),
    (29, "IO"),
    (30, "PWR"),
];

/// 32 to 34 are the C library's own.
pub const FIRST_REAL_TIME: i32 = 35;

/// Handlers that a program always has, by the base name of what is executed: they prove nothing. One
/// that has not all of them is another program of that name.
/// (Go and Open MPI catch nearly everything and are not listed: they are never proved stuck.)
pub const OWN_HANDLERS: &[(&str, &[i32])] = &[
    ("ruby", &[14, 10, 12, 26]),
    ("node", &[10]),
    ("java", &[12, 62]),
    ("php", &[10, 12, 27]),
    ("make", &[10]),
    ("xargs", &[10, 12]),
    ("xz", &[10, 14]),
    ("sort", &[14, 26, 27, 29]),
    ("strace", &[14]),
    ("psql", &[14]),
];

/// POSIX timers that a program always has, by the signal they send.
pub const OWN_TIMERS: &[(&str, &[i32])] = &[("ruby", &[26])];

/// Shells that wait for their children in `rt_sigsuspend`.
pub const SUSPENDING_SHELLS: &[&str] = &["dash", "zsh"];

/// Signals that a shell may be waiting for a child with: a child's end, and what ends a process
/// (HUP, INT, QUIT, PIPE, TERM, CHLD, WINCH).
pub const CHILD_OR_END: &[i32] = &[1, 2, 3, 13, 15, 17, 28];

/// File systems on a disk of this machine or in its memory. Whatever else (FUSE, a network, the
/// kernel's own) may be changed by others.
pub const LOCAL_FILE_SYSTEMS: &[&str] = &[
    "ext2",
    "ext3",
    "ext4",
    "xfs",
    "btrfs",
    "f2fs",
    "bcachefs",
    "zfs",
    "jfs",
    "reiserfs",
    "vfat",
    "exfat",
    "ntfs3",
    "iso9660",
    "udf",
    "squashfs",
    "erofs",
    "overlay",
    "tmpfs",
    "ramfs",
    "devtmpfs",
    "rootfs",
    "hugetlbfs",
];

/// Anonymous inodes that cause no event in another one.
pub const OWN_EVENTS: &[&str] =
    &["eventfd", "eventpoll", "inotify", "fanotify", "timerfd", "signalfd", "pidfd"];

/// Devices that cause no events: memory and terminals.
#[must_use]
pub fn is_plain_device(path: &str) -> bool {
    let plain = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];
    plain.contains(&path) || ["/dev/pts/", "/dev/shm/"].iter().any(|dir| path.starts_with(dir))
}

/// Functions of the kernel (`/proc/PID/wchan`) in which a thread sleeps whatever its system call is:
/// frozen with its cgroup, asked for by a supervisor of its calls (seccomp), for a page that another
/// program fills, for a FUSE server.
pub const ELSEWHERE: &[&str] = &[
    "do_freezer_trap",
    "get_signal",
    "seccomp_do_user_notification",
    "handle_userfault",
    "request_wait_answer",
    "fuse_",
];

/// Threads by which a language runtime keeps house, work or no work, by the name of the main
/// thread: what they do, or wait for, proves nothing. The kernel cuts names to 15 bytes.
pub const HOUSEKEEPING: &[(&str, &[&str])] = &[(
    "java",
    &[
        "VM Periodic Tas",
        "VM Thread",
        "G1 Main Marker",
        "G1 Conc#",
        "G1 Refine#",
        "G1 Service",
        "GC Thread#",
        "C1 CompilerThre",
        "C2 CompilerThre",
        "JVMCI-native Co",
        "Sweeper thread",
        "Common-Cleaner",
        "Signal Dispatch",
        "Finalizer",
        "Reference Handl",
        "Monitor Deflati",
        "Service Thread",
        "Notification Th",
        "Attach Listener",
        "StringDedupThre",
    ],
)];

/// Whether threads of a process with this name may keep house.
#[must_use]
pub fn knows(process: &str) -> bool {
    HOUSEKEEPING.iter().any(|(program, _)| *program == process)
}

/// Whether a thread of this name only keeps house in a process of that name.
#[must_use]
pub fn keeps_house(process: &str, thread: &str) -> bool {
    let of = HOUSEKEEPING.iter().filter(|(program, _)| *program == process);
    of.flat_map(|(_, names)| *names).any(|name| thread.starts_with(name))
}

/// Whether a runtime has several threads of this name.
#[must_use]
pub fn has_many(thread: &str) -> bool {
    ["C1 ", "C2 ", "JVMCI"].iter().any(|many| thread.starts_with(many))
}
