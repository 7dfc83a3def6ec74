//! What one look at a tree found: plain data, as the kernel told it.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One look at a tree.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Every live process of the tree, parents before children.
    pub members: Vec<Member>,
    /// Those that were looked at so far. While one is missing nothing is proved.
    pub processes: Vec<Process>,
    /// Who holds the other ends, once that was asked.
    pub holders: Option<Holders>,
    /// The command was given the caller's terminal: somebody may sit there.
    pub terminal_passed: bool,
}

/// A process of the tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Its PID.
    pub pid: i32,
    /// Its parent.
    pub ppid: i32,
    /// Its name in the kernel.
    pub name: String,
}

/// A process that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Its PID.
    pub pid: i32,
    /// Its name in the kernel.
    pub name: String,
    /// Base name of what it executes, without the digits of a version: `python`.
    pub program: String,
    /// Its threads.
    pub threads: Vec<Thread>,
    /// Children of its own that are not of the tree: jobs of their own.
    pub other_jobs: Vec<String>,
    /// What may break into any of its waits, once that was asked.
    pub interrupts: Option<Interrupts>,
}

/// What may break into a wait.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Interrupts {
    /// As `/proc/PID/status` and `/proc/PID/timers` tell.
    Known {
        /// Signals it has a handler for.
        caught: Vec<i32>,
        /// The signals that its POSIX timers send, armed or not; 0: none is sent.
        timers: Vec<i32>,
    },
    /// They cannot be read.
    Hidden(String),
}

/// A thread as it was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thread {
    /// Its TID.
    pub tid: i32,
    /// Its name in the kernel.
    pub name: String,
    /// `S`, `D`, `T`, … as in `ps`.
    pub state: char,
    /// Where it is.
    pub at: At,
    /// What its call waits on.
    pub on: Vec<Object>,
}

/// Where a thread is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum At {
    /// On a CPU, or about to be.
    Running,
    /// Blocked outside a system call, as in a page fault.
    Fault,
    /// In a system call.
    Call {
        /// Its name, or its number where we have no name for it.
        name: String,
        /// Its arguments.
        args: [u64; 6],
    },
    /// In this function of the kernel, which has nothing to do with its system call.
    Elsewhere(String),
    /// Stopped by this tracer; 0: not known which.
    Traced(i32),
    /// It cannot be seen, and why.
    Hidden(String),
}

/// One thing a call waits on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// The descriptor; −1: none.
    pub fd: i32,
    /// What it is.
    pub thing: Thing,
}

/// What a descriptor, an address or a lock turned out to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Thing {
    /// `/dev/null`.
    Null,
    /// A file whose reads end by themselves: on a local disk or in memory.
    LocalFile,
    /// A file of a server, a FUSE daemon or the kernel, and of which file system.
    RemoteFile(String),
    /// A terminal.
    Terminal(String),
    /// An anonymous pipe; `writes`: this is its writing end (both for `O_RDWR`).
    Pipe {
        /// Its inode.
        inode: u64,
        /// Open for reading.
        reads: bool,
        /// Open for writing.
        writes: bool,
    },
    /// A Unix socket with a peer.
    Peer {
        /// The name that one of the two is bound to; empty: none.
        name: String,
        /// Its own inode.
        inode: u64,
        /// The peer's; 0: not accepted yet.
        peer: u64,
        /// Shut down in both directions: the peer is gone.
        gone: bool,
        /// It has a time limit of its own (`SO_RCVTIMEO`), or it cannot be seen whether it has.
        limited: bool,
    },
    /// A counter for events.
    Eventfd(u64),
    /// Another process's end.
    Pidfd(i32),
    /// The memory behind a shared lock.
    SharedMemory {
        /// Its inode.
        file: u64,
        /// Anonymous: only forks of whoever mapped it have it.
        anonymous: bool,
        /// The file still has a name, or that cannot be seen.
        reachable: bool,
    },
    /// Memory of one address space.
    PrivateMemory,
    /// The file lock that is in the way, as `/proc/locks` has it.
    Lock(String),
    /// The signals that are neither blocked nor without a handler in a wait for signals.
    Signals(Vec<i32>),
    /// Something that anybody may write to, or the kernel, and how it is waited for: a socket of the
    /// network, a FIFO, inotify, a timer.
    Open(String),
    /// It cannot be seen, and why.
    Hidden(String),
}

/// One end of something that is shared between processes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum End {
    /// Who reads the pipe with this inode.
    Reader(u64),
    /// Who writes to it.
    Writer(u64),
    /// Who has the socket with this inode.
    Socket(u64),
    /// Who has the eventfd with this id.
    Eventfd(u64),
    /// Who maps the file with this inode, or has it open without a name.
    Memory(u64),
    /// Who has the file lock that stands so in `/proc/locks`.
    Lock(String),
}

/// Who holds the ends that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Holders {
    /// Held outside the tree, and by whom: `bash[7]`.
    #[serde(with = "pairs")]
    pub outside: BTreeMap<End, String>,
    /// Held inside the tree, and by whom.
    #[serde(with = "pairs")]
    pub inside: BTreeMap<End, String>,
    /// Inodes of the pipes and sockets, and ids of the eventfds, that the wrapper itself was given: its
    /// caller has them too.
    pub passed_in: BTreeSet<u64>,
    /// A process whose descriptors cannot be seen: it may hold what came in from outside.
    pub hidden: Option<String>,
    /// A process whose memory cannot be seen, the machine's init excepted: it shares none with jobs.
    pub hidden_memory: Option<String>,
    /// Whoever outside has an unread message from the tree, in which descriptors may lie; or what in the
    /// kernel may act on them.
    pub in_flight: Option<String>,
    /// A process outside the tree that one of the tree traces.
    pub traced: Option<String>,
}

/// A map whose keys are no text, as a list of pairs.
mod pairs {
    use super::End;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::BTreeMap;

    pub fn serialize<S: Serializer>(map: &BTreeMap<End, String>, to: S) -> Result<S::Ok, S::Error> {
        map.iter().collect::<Vec<_>>().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<End, String>, D::Error> {
        Ok(Vec::<(End, String)>::deserialize(from)?.into_iter().collect())
    }
}
