//! The stuck rule: **a tree is stuck when no thread of it can be woken from outside it.**
//!
//! So one reason is looked for why some thread may still go on, and one is enough. Only where no
//! thread gives any is the tree stuck. Whatever cannot be read or is not known is a reason: a job
//! is never called stuck for what we do not know.
//!
//! 1. Each thread is asked what it waits for: its state, its system call ([`table::CALLS`]), and
//!    what the descriptors of that call are ([`Thing`]). The answer is a [`Wake`].
//! 2. Each process is asked whether a signal handler of its own or a timer could break into it.
//! 3. Pipes, sockets between processes, shared memory and file locks are nobody's alone: whether
//!    somebody outside the tree has the other end ([`Holders`]).
//!
//! Two decisions stand against the rule, because nobody is there: a process stopped by a signal,
//! and one that reads a terminal which `--stdin` did not pass, are not taken to go on.
//!
//! The kernel's own word is all that counts here: proc(5), futex(2), unix(7), `sock_diag(7)`. A
//! snapshot is taken by [`crate::os::snapshot`]; whoever calls the tree stuck looks twice.

mod snapshot;
pub mod table;
mod waiting;

pub use snapshot::{
    At, End, Holders, Interrupts, Member, Object, Process, Snapshot, Thing, Thread,
};
pub use waiting::{AGAIN, Waiting};

use std::collections::BTreeMap;
use table::{Limit, Waits};

/// Why a thread may go on, or what it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The process: `psql[77]`.
    pub who: String,
    /// What it does: `waits for 127.0.0.1:5432 (tcp)`.
    pub what: String,
    /// It stays true for as long as the thread has not run: nobody outside can take it back.
    pub lasting: bool,
    /// How much it tells a reader.
    pub rank: Rank,
    /// It may be waiting for input on descriptor 0 or from a terminal.
    pub input: bool,
}

/// How much a reason tells: of several, the one that tells most is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// It may not be seen.
    Hidden,
    /// It is not known.
    Unknown,
    /// It may be woken, by a signal or a timer of its own.
    Interruptible,
    /// It waits for the clock, as threads in the background do.
    Clock,
    /// It waits for something with a name.
    Named,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.who, self.what)
    }
}

/// What the rule says of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It may go on, for this reason.
    Free(Reason),
    /// It can never go on.
    Stuck {
        /// What waits for what, in words.
        diagnosis: String,
        /// One of it waits for input.
        input: bool,
    },
}

/// What can wake a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Something outside the tree, or the clock.
    Outside(Reason),
    /// Only the tree itself. Empty words: there is nothing to say of it.
    Inside {
        /// What it does: `waits for its child sleep[5]`.
        what: String,
        /// It waits for input.
        input: bool,
    },
    /// Whoever holds these ends, which nobody has asked for yet.
    Whoever(Vec<End>),
}

/// The judgement over a whole tree.
#[must_use]
pub fn judge(tree: &Snapshot) -> Judgement {
    let mut reasons: Vec<Reason> = Vec::new();
    let mut unasked: Vec<Reason> = Vec::new();
    for process in &tree.processes {
        if process.threads.is_empty() {
            let hidden = unknown(process, "cannot be seen (its threads)");
            reasons.push(Reason { rank: Rank::Hidden, ..hidden });
        }
        for thread in &process.threads {
            match wake(tree, process, thread) {
                Wake::Outside(reason) => reasons.push(reason),
                Wake::Whoever(_) => {
                    unasked.push(unknown(process, "waits for somebody who was not looked for"));
                }
                Wake::Inside { .. } => {}
            }
        }
    }
    if reasons.is_empty() {
        reasons.extend(tree.processes.iter().filter_map(interrupt));
    }
    reasons.extend(unasked);
    let looked_at = |member: &&Member| tree.processes.iter().any(|p| p.pid == member.pid);
    if reasons.is_empty()
        && let Some(other) = tree.members.iter().find(|member| !looked_at(member))
    {
        reasons.push(named(&other.name, other.pid, "was not looked at"));
    }
    if reasons.is_empty() && tree.members.is_empty() {
        reasons.push(named("the job", 0, "nothing of it can be seen, or it is another job"));
    }
    if reasons.is_empty()
        && let Some(traced) = tree.holders.as_ref().and_then(|holders| holders.traced.clone())
    {
        reasons.push(named("the job", 0, &format!("traces {traced}, which is not of this job")));
    }
    // The first of the best: what is deepest in the tree is looked at first, and tells most.
    match reasons.into_iter().rev().max_by_key(|reason| reason.rank) {
        Some(reason) => Judgement::Free(reason),
        None => Judgement::Stuck { diagnosis: in_words(tree, true), input: asks_for_input(tree) },
    }
}

/// What can wake this thread, as far as `tree` knows the rest of the world.
#[must_use]
pub fn wake(tree: &Snapshot, process: &Process, thread: &Thread) -> Wake {
    let inside = |what: &str| Wake::Inside { what: what.to_owned(), input: false };
    let outside = |what: &str, lasting, rank| {
        Wake::Outside(Reason { lasting, rank, ..unknown(process, what) })
    };
    match thread.state {
        'Z' | 'X' | 'x' => return inside(""),
        'T' => return inside("is stopped by a signal"),
        // At work even a thread that only keeps house is a reason: all others wait for a collection
        // of garbage to end.
        'D' => return outside("waits for a disk or a device", false, Rank::Named),
        'R' => return outside("runs", false, Rank::Named),
        _ if keeps_house(process, thread) => return inside(""),
        _ => {}
    }
    let (call, args) = match &thread.at {
        At::Running => return outside("runs", false, Rank::Named),
        At::Fault => return outside("waits for a page of memory", false, Rank::Unknown),
        At::Hidden(why) => {
            return outside(&format!("cannot be seen ({why})"), false, Rank::Hidden);
        }
        At::Elsewhere(function) => {
            return outside(&format!("waits in {function}"), false, Rank::Unknown);
        }
        At::Traced(tracer) => {
            return match tree.members.iter().find(|member| member.pid == *tracer) {
                Some(by) => inside(&format!("is held by its tracer {}[{}]", by.name, by.pid)),
                None => outside(&format!("is traced by pid {tracer}"), false, Rank::Named),
            };
        }
        At::Call { name, args } => (name.as_str(), args),
    };
    let Some(waits) = table::waits(call) else {
        let known = table::IN_WORDS.iter().find(|(name, _)| *name == call);
        let what = known.map_or_else(|| format!("waits in {call}"), |(_, what)| (*what).to_owned());
        return outside(&what, false, Rank::Unknown);
    };
    let is_limited = |limit: Limit| match limit {
        Limit::Pointer(arg) => args[arg] != 0,
        #[expect(clippy::cast_possible_truncation, reason = "the kernel takes an int")]
        Limit::Millis(arg) => (args[arg] as u32).cast_signed() >= 0,
    };
    let clock = || outside("waits for the clock", true, Rank::Clock);
    match waits {
        Waits::Clock => clock(),
        Waits::Signal => outside("waits for a signal", true, Rank::Named),
        Waits::Suspend => suspended(tree, process, thread),
        Waits::Child => child(tree, process),
        Waits::Futex => futex(tree, process, thread, args),
        Waits::AnyDescriptor(limit) | Waits::Epoll(limit) if is_limited(limit) => {
            // A server that looks at its clock now and then waits for its clients none the less.
            let better = on_objects(tree, process, thread, call);
            match better {
                Wake::Outside(reason) if reason.rank == Rank::Named => Wake::Outside(reason),
                _ => clock(),
            }
        }
        // Without any descriptor it is the old way to write `pause`.
        Waits::AnyDescriptor(_) | Waits::Epoll(_) if thread.on.is_empty() => {
            outside("waits for a signal", true, Rank::Named)
        }
        Waits::FileLock if call == "fcntl" && ![7, 38].contains(&args[1]) => {
            // F_SETLKW and F_OFD_SETLKW are the commands that wait.
            outside("waits in fcntl", false, Rank::Unknown)
        }
        Waits::Descriptors(_) | Waits::AnyDescriptor(_) | Waits::Epoll(_) | Waits::FileLock => {
            on_objects(tree, process, thread, call)
        }
    }
}

/// Whether this thread only keeps house for its runtime, and has nothing to do just now. A runtime
/// has one of each name: a second one is the program's own.
#[must_use]
pub fn keeps_house(process: &Process, thread: &Thread) -> bool {
    let mut earlier = process.threads.iter().take_while(|other| other.tid != thread.tid);
    let rests = matches!(&thread.at, At::Call { name, .. } if name == "futex");
    rests
        && table::keeps_house(&process.name, &thread.name)
        && (table::has_many(&thread.name) || earlier.all(|other| other.name != thread.name))
}

/// Whether a signal or a timer may break into this process; `None`: nothing can.
#[must_use]
pub fn interrupt(process: &Process) -> Option<Reason> {
    if let Some(job) = process.other_jobs.first() {
        // Its end is told to the parent, whatever the parent waits in.
        let what = format!("has another job below it, {job}");
        return Some(Reason { rank: Rank::Named, ..unknown(process, &what) });
    }
    // Whom nobody continues, no handler can wake.
    if process.threads.iter().all(|thread| matches!(thread.state, 'Z' | 'X' | 'x' | 'T')) {
        return None;
    }
    let own = |table: &[(&str, &'static [i32])]| {
        table.iter().find(|(program, _)| *program == process.program).map_or(&[][..], |row| row.1)
    };
    let (caught, timers) = match &process.interrupts {
        Some(Interrupts::Known { caught, timers }) => (caught, timers),
        Some(Interrupts::Hidden(why)) => {
            let what = format!("its signals cannot be seen ({why})");
            return Some(Reason { rank: Rank::Hidden, ..unknown(process, &what) });
        }
        None => return Some(unknown(process, "was not asked for its signals")),
    };
    let reason = |what: String| {
        Some(Reason { lasting: true, rank: Rank::Interruptible, ..unknown(process, &what) })
    };
    let handlers = own(table::OWN_HANDLERS);
    let handlers =
        if handlers.iter().all(|signal| caught.contains(signal)) { handlers } else { &[] };
    let wakes = |signal: &&i32| {
        let known = table::WAKING.iter().any(|(waking, _)| waking == *signal);
        (known || **signal >= table::FIRST_REAL_TIME) && !handlers.contains(signal)
    };
    if let Some(signal) = caught.iter().find(wakes) {
        let name = table::WAKING.iter().find(|(waking, _)| waking == signal);
        let name = name.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned());
        return reason(format!("has a handler for {name}, which anybody may send"));
    }
    let timer = timers.iter().find(|signal| !own(table::OWN_TIMERS).contains(signal));
    timer.and_then(|_| reason("has a timer of its own".to_owned()))
}

fn named(name: &str, pid: i32, what: &str) -> Reason {
    let who = if pid > 0 { format!("{name}[{pid}]") } else { name.to_owned() };
    Reason { who, what: what.to_owned(), lasting: false, rank: Rank::Unknown, input: false }
}

fn unknown(process: &Process, what: &str) -> Reason {
    named(&process.name, process.pid, what)
}

/// Some shells wait for their children by suspending themselves until SIGCHLD comes.
fn suspended(tree: &Snapshot, process: &Process, thread: &Thread) -> Wake {
    let shell = table::SUSPENDING_SHELLS.contains(&process.program.as_str());
    let for_child = thread.on.iter().any(|object| match &object.thing {
        Thing::Signals(open) => {
            open.contains(&17) && open.iter().all(|signal| table::CHILD_OR_END.contains(signal))
        }
        _ => false,
    });
    if shell && for_child {
        return child(tree, process);
    }
    let reason = unknown(process, "waits for a signal");
    Wake::Outside(Reason { lasting: true, rank: Rank::Named, ..reason })
}

/// A child of the tree is asked itself. Anything else that can be waited for so (a job of its own
/// below, a process it traces) is outside.
fn child(tree: &Snapshot, process: &Process) -> Wake {
    let mut children = tree.members.iter().filter(|member| member.ppid == process.pid);
    let outside =
        |what: &str| Wake::Outside(Reason { rank: Rank::Named, ..unknown(process, what) });
    if let Some(job) = process.other_jobs.first() {
        return outside(&format!("waits for another job, {job}"));
    }
    let Some(first) = children.next() else {
        return outside("waits for a process that is no child of this job");
    };
    let more = match children.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let what = format!("waits for its child {}[{}]{more}", first.name, first.pid);
    Wake::Inside { what, input: false }
}

/// A wait for the tree itself; in a tree that is stuck, [`FOR_EVER`].
const LOCK: &str = "waits for a lock";
/// What makes it one: that no thread of the tree runs.
const FOR_EVER: &str = " no running thread can release";

/// futex(2): the fourth argument is the time limit of all operations that wait.
fn futex(tree: &Snapshot, process: &Process, thread: &Thread, args: &[u64; 6]) -> Wake {
    const PRIVATE: u64 = 128;
    /// `FUTEX_WAIT`, `_LOCK_PI`, `_WAIT_BITSET`, `_WAIT_REQUEUE_PI`, `_LOCK_PI2`.
    const WAITING: [u64; 5] = [0, 6, 9, 11, 13];
    let outside = |what: &str, lasting, rank| {
        Wake::Outside(Reason { lasting, rank, ..unknown(process, what) })
    };
    if !WAITING.contains(&(args[1] & 0x7f)) {
        return outside("waits in futex", false, Rank::Unknown);
    }
    if args[3] != 0 {
        return outside("waits for the clock", true, Rank::Clock);
    }
    if args[1] & PRIVATE != 0 {
        return Wake::Inside { what: LOCK.to_owned(), input: false };
    }
    on_objects(tree, process, thread, "futex")
}

/// What the objects of a call come to: one that can be moved from outside is enough.
fn on_objects(tree: &Snapshot, process: &Process, thread: &Thread, call: &str) -> Wake {
    if thread.on.is_empty() && matches!(table::waits(call), Some(Waits::FileLock)) {
        // Granted just now, or held where it is not shown.
        return Wake::Outside(unknown(process, "waits for a file lock of an unknown holder"));
    }
    let mut asked = Vec::new();
    let mut best: Option<Reason> = None;
    for object in &thread.on {
        match moved_by(tree, object, call) {
            Answer::Nobody(_) => {}
            Answer::Outside(what, rank, lasting) => {
                let source = matches!(object.thing, Thing::Pipe { .. } | Thing::Terminal(_));
                let input = object.fd == 0 && source;
                let reason = Reason { lasting, rank, input, ..unknown(process, &what) };
                if best.as_ref().is_none_or(|best| best.rank < reason.rank) {
                    best = Some(reason);
                }
            }
            Answer::Whoever(ends) => asked.extend(ends),
        }
    }
    if let Some(reason) = best {
        return Wake::Outside(reason);
    }
    if !asked.is_empty() {
        return Wake::Whoever(asked);
    }
    let input = thread.on.iter().any(|object| matches!(object.thing, Thing::Terminal(_)));
    let what = match thread.on.as_slice() {
        [one] => match moved_by(tree, one, call) {
            Answer::Nobody(what) => what,
            _ => String::new(),
        },
        many if many.iter().any(|object| matches!(object.thing, Thing::Terminal(_))) => {
            "waits for input from a terminal nobody was given".to_owned()
        }
        _ => "waits for events that nothing outside this job can cause".to_owned(),
    };
    Wake::Inside { what, input }
}

/// Whether this one object gives a reason that tells enough: no other has to be looked at.
#[must_use]
pub fn is_reason(tree: &Snapshot, object: &Object, call: &str) -> bool {
    matches!(moved_by(tree, object, call), Answer::Outside(_, Rank::Named, _))
}

/// Who can end a wait on one object.
enum Answer {
    /// Nobody outside; what it is in words.
    Nobody(String),
    /// Somebody outside; whether that stays so.
    Outside(String, Rank, bool),
    /// That is not asked yet.
    Whoever(Vec<End>),
}

/// The table of descriptors: what each kind of thing can be moved by.
fn moved_by(tree: &Snapshot, object: &Object, call: &str) -> Answer {
    use Answer::{Nobody, Outside};
    let direct = matches!(table::waits(call), Some(Waits::Descriptors(_)));
    match &object.thing {
        // Always ready, and never slept on: who does none the less waits for something below it.
        Thing::Null | Thing::LocalFile if direct => {
            Outside("waits for a file".to_owned(), Rank::Unknown, false)
        }
        Thing::Null | Thing::LocalFile => Nobody("waits for a local file".to_owned()),
        Thing::PrivateMemory => Nobody(LOCK.to_owned()),
        Thing::RemoteFile(of) => Outside(format!("waits for a file on {of}"), Rank::Named, false),
        Thing::Terminal(path) if tree.terminal_passed => {
            Outside(format!("waits for input from {path}"), Rank::Named, true)
        }
        Thing::Terminal(path) => {
            Nobody(format!("waits for input from {path}, a terminal nobody was given"))
        }
        Thing::Pipe { inode, reads, writes } => pipe(tree, *inode, *reads, *writes, call),
        Thing::Peer { .. } => peer(tree, &object.thing),
        Thing::Eventfd(id) => shared(
            tree,
            End::Eventfd(*id),
            tree.holders.as_ref().is_some_and(|holders| holders.passed_in.contains(id)),
            &|who| format!("waits for an event from {who}"),
            "waits for an event of this job (eventfd)",
        ),
        Thing::Pidfd(pid) => match tree.members.iter().find(|member| member.pid == *pid) {
            Some(member) => Nobody(format!("waits for {}[{pid}] to end", member.name)),
            None => Outside(format!("waits for pid {pid} to end"), Rank::Named, false),
        },
        Thing::SharedMemory { reachable: true, .. } => Outside(
            "waits for a lock in memory that other programs can reach".to_owned(),
            Rank::Named,
            false,
        ),
        Thing::SharedMemory { file, anonymous, .. } => shared(
            tree,
            End::Memory(*file),
            !anonymous,
            &|who| format!("waits for a lock in memory it shares with {who}"),
            LOCK,
        ),
        Thing::Lock(line) => file_lock(tree, line),
        Thing::Signals(_) => Outside("waits for a signal".to_owned(), Rank::Named, true),
        Thing::Open(what) => Outside(what.clone(), Rank::Named, true),
        Thing::Hidden(why) => {
            Outside(format!("waits for what cannot be seen ({why})"), Rank::Unknown, false)
        }
    }
}

/// A descriptor may be in a message that nobody has read (`SCM_RIGHTS`, unix(7)).
const SENT: &str = "the other end of which may have been sent to";

/// An anonymous pipe: it is moved by who has the other end.
fn pipe(tree: &Snapshot, inode: u64, reads: bool, writes: bool, call: &str) -> Answer {
    let reading = call.starts_with("read") || (reads && !call.starts_with("write"));
    let mut ends = Vec::new();
    if reads {
        ends.push(End::Writer(inode));
    }
    if writes {
        ends.push(End::Reader(inode));
    }
    if ends.is_empty() {
        return Answer::Outside("waits on a pipe".to_owned(), Rank::Unknown, false);
    }
    let Some(holders) = &tree.holders else { return Answer::Whoever(ends) };
    let (verb, whose) = if reading {
        ("waits to read a pipe", "writers")
    } else {
        ("waits to write to a full pipe", "readers")
    };
    if let Some(who) = ends.iter().find_map(|end| holders.outside.get(end)) {
        if !reading && matches!(table::waits(call), Some(Waits::AnyDescriptor(_))) {
            // Of what came in and stands beside what is really waited for, it is the least likely.
            return Answer::Outside(
                format!("waits for room in a pipe to {who}"),
                Rank::Unknown,
                false,
            );
        }
        let side = if reading { "from" } else { "to" };
        return Answer::Outside(format!("{verb} {side} {who}"), Rank::Named, false);
    }
    // A wait proves that somebody has the other end: who cannot be seen is outside.
    let unseen = !ends.iter().any(|end| holders.inside.contains_key(end));
    if unseen || (holders.passed_in.contains(&inode) && holders.hidden.is_some()) {
        return Answer::Outside(format!("{verb} of somebody unseen"), Rank::Unknown, false);
    }
    if let Some(who) = &holders.in_flight {
        return Answer::Outside(format!("{verb} {SENT} {who}"), Rank::Unknown, false);
    }
    Answer::Nobody(format!("{verb} whose {whose} are all in this job"))
}

/// A Unix socket with a peer: it is moved by who has that.
fn peer(tree: &Snapshot, socket: &Thing) -> Answer {
    use Answer::{Nobody, Outside};
    let Thing::Peer { name, inode, peer, gone, limited } = socket else {
        return Outside("waits on a socket".to_owned(), Rank::Unknown, false);
    };
    if *gone {
        return Nobody("waits on a socket whose other end is closed".to_owned());
    }
    if *limited {
        let what = "waits on a socket, with a time limit".to_owned();
        return Outside(what, Rank::Clock, true);
    }
    if *peer == 0 {
        let what = "waits for its connection to be accepted".to_owned();
        return Outside(what, Rank::Named, false);
    }
    let space = if name.is_empty() { "" } else { " " };
    shared(
        tree,
        End::Socket(*peer),
        tree.holders.as_ref().is_some_and(|holders| holders.passed_in.contains(inode)),
        &|who| format!("waits for {who} (unix socket{space}{name})"),
        "waits on a socket whose other end is in this job",
    )
}

/// A file lock: whoever has it, whatever process `/proc/locks` names.
fn file_lock(tree: &Snapshot, line: &str) -> Answer {
    let words = |who: &str| format!("waits for a file lock held by {who}");
    let end = End::Lock(line.to_owned());
    let Some(holders) = &tree.holders else { return Answer::Whoever(vec![end]) };
    match (holders.outside.get(&end), holders.inside.get(&end)) {
        (Some(who), _) => Answer::Outside(words(who), Rank::Named, false),
        (None, Some(who)) => Answer::Nobody(format!("{} of this job", words(who))),
        (None, None) => Answer::Outside(words("somebody unseen"), Rank::Unknown, false),
    }
}

/// What several processes may have: it is moved from outside if one outside has it, or may have it
/// unseen (`came_in`: it may have come from outside).
fn shared(
    tree: &Snapshot,
    end: End,
    came_in: bool,
    words: &dyn Fn(&str) -> String,
    inside: &str,
) -> Answer {
    let Some(holders) = &tree.holders else { return Answer::Whoever(vec![end]) };
    if let Some(who) = holders.outside.get(&end) {
        return Answer::Outside(words(who), Rank::Named, false);
    }
    let hidden = match end {
        End::Memory(_) => &holders.hidden_memory,
        _ => &holders.hidden,
    };
    if !holders.inside.contains_key(&end) || (came_in && hidden.is_some()) {
        return Answer::Outside(words("somebody unseen"), Rank::Unknown, false);
    }
    if let Some(who) = &holders.in_flight {
        return Answer::Outside(
            format!("waits on what it shares, {SENT} {who}"),
            Rank::Unknown,
            false,
        );
    }
    Answer::Nobody(inside.to_owned())
}

/// What each process of a tree waits for, in words, parents first.
#[must_use]
pub fn in_words(tree: &Snapshot, stuck: bool) -> String {
    let of = |member: &Member| {
        let process = tree.processes.iter().find(|process| process.pid == member.pid)?;
        let waits = waits_of(tree, process, stuck).join(", ");
        (!waits.is_empty()).then(|| format!("{}[{}]: {waits}", process.name, process.pid))
    };
    tree.members.iter().filter_map(of).collect::<Vec<_>>().join("; ")
}

/// The waits of one process: threads that wait for the same are counted together.
fn waits_of(tree: &Snapshot, process: &Process, stuck: bool) -> Vec<String> {
    let mut waits: BTreeMap<String, usize> = BTreeMap::new();
    for thread in &process.threads {
        let what = match wake(tree, process, thread) {
            Wake::Outside(reason) => reason.what,
            Wake::Inside { what, .. } if stuck && what == LOCK => what + FOR_EVER,
            Wake::Inside { what, .. } => what,
            Wake::Whoever(_) => "waits for another process".to_owned(),
        };
        *waits.entry(what).or_default() += 1;
    }
    let words = waits.into_iter().filter(|(what, _)| !what.is_empty());
    words.map(|(what, count)| several(&what, count)).collect()
}

fn several(what: &str, count: usize) -> String {
    if count == 1 {
        return what.to_owned();
    }
    let plural = [("waits ", "wait "), ("is ", "are "), ("runs", "run")];
    let found = plural.iter().find_map(|(one, many)| Some((*many, what.strip_prefix(one)?)));
    match found {
        Some((many, rest)) => format!("{count} threads {many}{rest}"),
        None => format!("{count} threads: {what}"),
    }
}

fn asks_for_input(tree: &Snapshot) -> bool {
    tree.processes.iter().any(|process| {
        process
            .threads
            .iter()
            .any(|thread| matches!(wake(tree, process, thread), Wake::Inside { input: true, .. }))
    })
}

#[cfg(test)]
mod tests;
