//! The rule as a table, over looks that were recorded from real programs, and as properties.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

const PRIVATE_WAIT: u64 = 128; // FUTEX_WAIT | FUTEX_PRIVATE_FLAG
const FOR_EVER: u64 = u64::MAX; // -1 as poll(2) takes it

fn call(name: &str, args: [u64; 6]) -> At {
    At::Call { name: name.to_owned(), args }
}

fn thread(tid: i32, state: char, at: At, things: Vec<(i32, Thing)>) -> Thread {
    let on = things.into_iter().map(|(fd, thing)| Object { fd, thing }).collect();
    Thread { tid, name: "program".to_owned(), state, at, on }
}

fn locked(tid: i32) -> Thread {
    thread(tid, 'S', call("futex", [0, PRIVATE_WAIT, 0, 0, 0, 0]), vec![])
}

/// One process, number 7, with nobody else in the world.
fn alone(threads: Vec<Thread>) -> Snapshot {
    tree(vec![(7, 1, threads)])
}

/// Processes by PID, parent and threads.
fn tree(processes: Vec<(i32, i32, Vec<Thread>)>) -> Snapshot {
    let name = "program".to_owned();
    let interrupts = || Some(Interrupts::Known { caught: vec![2, 17], timers: vec![] });
    Snapshot {
        members: processes
            .iter()
            .map(|(pid, ppid, _)| Member { pid: *pid, ppid: *ppid, name: name.clone() })
            .collect(),
        processes: processes
            .into_iter()
            .map(|(pid, _, threads)| Process {
                pid,
                name: name.clone(),
                program: name.clone(),
                threads,
                other_jobs: vec![],
                interrupts: interrupts(),
            })
            .collect(),
        holders: Some(Holders::default()),
        terminal_passed: false,
    }
}

fn held(mut tree: Snapshot, inside: &[End], outside: &[End]) -> Snapshot {
    let by = |ends: &[End], who: &str| {
        ends.iter().map(|end| (end.clone(), who.to_owned())).collect::<BTreeMap<_, _>>()
    };
    let holders = tree.holders.get_or_insert_default();
    holders.inside = by(inside, "program[7]");
    holders.outside = by(outside, "bash[9]");
    tree
}

fn pipe(reads: bool) -> Thing {
    Thing::Pipe { inode: 5, reads, writes: !reads }
}

fn peer(peer: u64, gone: bool, limited: bool) -> Thing {
    Thing::Peer { name: String::new(), inode: 5, peer, gone, limited }
}

/// In words: why it may go on, or what it is stuck in.
fn told(tree: &Snapshot) -> String {
    match judge(tree) {
        Judgement::Free(reason) => format!("free: {reason}"),
        Judgement::Stuck { diagnosis, .. } => format!("stuck: {diagnosis}"),
    }
}

#[test]
fn what_each_wait_comes_to() {
    let no = [0; 6];
    let read = |things| thread(7, 'S', call("read", [3, 0, 0, 0, 0, 0]), things);
    let poll = |limit, things| thread(7, 'S', call("poll", [0, 1, limit, 0, 0, 0]), things);
    let epoll = |limit, things| thread(7, 'S', call("epoll_wait", [3, 0, 0, limit, 0, 0]), things);
    let table: Vec<(Thread, &str)> = vec![
        (thread(7, 'R', At::Running, vec![]), "free: program[7]: runs"),
        (thread(7, 'S', At::Fault, vec![]), "free: program[7]: waits for a page of memory"),
        (
            thread(7, 'S', At::Hidden("denied".into()), vec![]),
            "free: program[7]: cannot be seen (denied)",
        ),
        (thread(7, 'T', At::Running, vec![]), "stuck: program[7]: is stopped by a signal"),
        (thread(7, 't', At::Traced(9), vec![]), "free: program[7]: is traced by pid 9"),
        (thread(7, 'D', At::Running, vec![]), "free: program[7]: waits for a disk or a device"),
        (
            thread(7, 'S', call("clock_nanosleep", no), vec![]),
            "free: program[7]: waits for the clock",
        ),
        (
            thread(7, 'S', call("futex", [0, PRIVATE_WAIT, 0, 1, 0, 0]), vec![]),
            "free: program[7]: waits for the clock",
        ),
        (locked(7), "stuck: program[7]: waits for a lock no running thread can release"),
        (
            thread(7, 'S', call("wait4", no), vec![]),
            "free: program[7]: waits for a process that is no child of this job",
        ),
        (thread(7, 'S', call("pause", no), vec![]), "free: program[7]: waits for a signal"),
        (
            thread(7, 'S', call("rt_sigsuspend", no), vec![(-1, Thing::Signals(vec![17]))]),
            "free: program[7]: waits for a signal",
        ),
        (
            thread(7, 'S', call("io_uring_enter", no), vec![]),
            "free: program[7]: waits in io_uring_enter",
        ),
        (read(vec![(3, Thing::Null)]), "free: program[7]: waits for a file"),
        (
            read(vec![(3, Thing::RemoteFile("fuse".into()))]),
            "free: program[7]: waits for a file on fuse",
        ),
        (
            read(vec![(0, Thing::Terminal("/dev/pts/3".into()))]),
            "stuck: program[7]: waits for input from /dev/pts/3, a terminal nobody was given",
        ),
        (
            read(vec![(3, peer(0, true, false))]),
            "stuck: program[7]: waits on a socket whose other end is closed",
        ),
        (
            read(vec![(3, peer(0, false, false))]),
            "free: program[7]: waits for its connection to be accepted",
        ),
        (
            read(vec![(3, peer(6, false, true))]),
            "free: program[7]: waits on a socket, with a time limit",
        ),
        (
            read(vec![(3, Thing::Open("waits for 1.2.3.4:5 (tcp)".into()))]),
            "free: program[7]: waits for 1.2.3.4:5 (tcp)",
        ),
        (poll(1000, vec![(3, pipe(true))]), "free: program[7]: waits for the clock"),
        // A server that also looks at the clock waits for its clients none the less.
        (
            epoll(1000, vec![(3, Thing::Open("waits for a connection on [::]:80 (tcp)".into()))]),
            "free: program[7]: waits for a connection on [::]:80 (tcp)",
        ),
        (
            epoll(
                FOR_EVER,
                vec![(4, Thing::Terminal("/dev/tty".into())), (5, peer(0, true, false))],
            ),
            "stuck: program[7]: waits for input from a terminal nobody was given",
        ),
        (epoll(FOR_EVER, vec![(4, Thing::Pidfd(99))]), "free: program[7]: waits for pid 99 to end"),
        (
            thread(7, 'S', call("fcntl", [3, 1, 0, 0, 0, 0]), vec![]),
            "free: program[7]: waits in fcntl",
        ),
        (
            thread(7, 'S', call("flock", [3, 0, 0, 0, 0, 0]), vec![]),
            "free: program[7]: waits for a file lock of an unknown holder",
        ),
    ];
    for (thread, expected) in table {
        assert_eq!(told(&alone(vec![thread.clone()])), expected, "{thread:?}");
    }
}

#[test]
fn whoever_has_the_other_end_decides() {
    let read =
        |thing| alone(vec![thread(7, 'S', call("read", [3, 0, 0, 0, 0, 0]), vec![(3, thing)])]);
    let writer = End::Writer(5);
    let reader = read(pipe(true));
    assert_eq!(
        told(&held(reader.clone(), std::slice::from_ref(&writer), &[])),
        "stuck: program[7]: waits to read a pipe whose writers are all in this job"
    );
    assert_eq!(
        told(&held(reader.clone(), &[], std::slice::from_ref(&writer))),
        "free: program[7]: waits to read a pipe from bash[9]"
    );
    // A blocked read proves that there is a writer: one that nobody sees is outside.
    assert_eq!(
        told(&held(reader.clone(), &[], &[])),
        "free: program[7]: waits to read a pipe of somebody unseen"
    );
    let mut came_in = held(reader.clone(), std::slice::from_ref(&writer), &[]);
    let holders = came_in.holders.as_mut().unwrap();
    holders.passed_in = BTreeSet::from([5]);
    assert!(told(&came_in).starts_with("stuck"), "everybody who could have it was seen");
    came_in.holders.as_mut().unwrap().hidden = Some("init[1]".into());
    assert!(told(&came_in).starts_with("free"), "somebody who could not be seen may have it");
    let mut sent = held(reader.clone(), std::slice::from_ref(&writer), &[]);
    sent.holders.as_mut().unwrap().in_flight = Some("bash[9]".into());
    assert!(told(&sent).starts_with("free"), "it may be in a message");
    let not_asked = Snapshot { holders: None, ..reader };
    assert!(told(&not_asked).starts_with("free"), "nobody was asked");

    let lock = End::Lock("FLOCK ADVISORY WRITE 7 08:01:5 0 EOF".into());
    let End::Lock(line) = lock.clone() else { unreachable!() };
    let waiter = alone(vec![thread(
        7,
        'S',
        call("flock", [3, 2, 0, 0, 0, 0]),
        vec![(3, Thing::Lock(line))],
    )]);
    assert_eq!(
        told(&held(waiter.clone(), std::slice::from_ref(&lock), &[])),
        "stuck: program[7]: waits for a file lock held by program[7] of this job"
    );
    assert_eq!(
        told(&held(waiter, &[], &[lock])),
        "free: program[7]: waits for a file lock held by bash[9]"
    );

    let memory = |reachable| Thing::SharedMemory { file: 5, anonymous: false, reachable };
    let shared = |reachable| {
        let futex = call("futex", [0, 0, 0, 0, 0, 0]);
        held(
            alone(vec![thread(7, 'S', futex, vec![(-1, memory(reachable))])]),
            &[End::Memory(5)],
            &[],
        )
    };
    assert!(told(&shared(false)).starts_with("stuck"));
    assert!(told(&shared(true)).starts_with("free"));
}

#[test]
fn a_parent_is_as_stuck_as_its_child() {
    let waits = || thread(7, 'S', call("wait4", [0; 6]), vec![]);
    let stuck = tree(vec![(7, 1, vec![waits()]), (8, 7, vec![locked(8)])]);
    assert_eq!(
        told(&stuck),
        "stuck: program[7]: waits for its child program[8]; \
         program[8]: waits for a lock no running thread can release"
    );
    let sleeps = thread(8, 'S', call("nanosleep", [0; 6]), vec![]);
    let free = tree(vec![(7, 1, vec![waits()]), (8, 7, vec![sleeps])]);
    assert_eq!(told(&free), "free: program[8]: waits for the clock");
    let mut job_below = stuck.clone();
    job_below.processes[0].other_jobs = vec!["sentinel-run[10]".into()];
    assert_eq!(told(&job_below), "free: program[7]: waits for another job, sentinel-run[10]");
    let mut tracer = stuck.clone();
    tracer.holders.as_mut().unwrap().traced = Some("sshd[11]".into());
    assert!(told(&tracer).starts_with("free"));
    let mut unfinished = stuck;
    unfinished.processes.pop();
    assert_eq!(told(&unfinished), "free: program[8]: was not looked at");
    assert!(told(&Snapshot::default()).starts_with("free"), "nothing was seen");
}

#[test]
fn only_a_stuck_tree_has_a_lock_for_ever() {
    let runs = thread(8, 'R', At::Running, vec![]);
    let tree = alone(vec![locked(7), runs]);
    assert_eq!(in_words(&tree, false), "program[7]: runs, waits for a lock");
}

#[test]
fn signals_and_timers_may_break_in() {
    let with = |program: &str, caught: &[i32], timers: &[i32]| {
        let mut tree = alone(vec![locked(7)]);
        tree.processes[0].program = program.to_owned();
        tree.processes[0].interrupts =
            Some(Interrupts::Known { caught: caught.to_vec(), timers: timers.to_vec() });
        told(&tree)
    };
    assert!(with("bash", &[1, 2, 3, 13, 15, 17, 28, 32, 33, 34], &[]).starts_with("stuck"));
    assert_eq!(
        with("bash", &[10], &[]),
        "free: program[7]: has a handler for USR1, which anybody may send"
    );
    assert!(with("python", &[14], &[]).starts_with("free"));
    assert!(with("python", &[35], &[]).starts_with("free"));
    assert!(with("make", &[10], &[]).starts_with("stuck"), "make always has it");
    assert!(with("make", &[12], &[]).starts_with("free"));
    assert_eq!(with("python", &[], &[0]), "free: program[7]: has a timer of its own");
    assert!(with("ruby", &[10, 12, 14, 26], &[26]).starts_with("stuck"));
    assert!(with("ruby", &[10], &[]).starts_with("free"), "not Ruby: it has not all of them");
    let mut hidden = alone(vec![locked(7)]);
    hidden.processes[0].interrupts = Some(Interrupts::Hidden("denied".into()));
    assert!(told(&hidden).starts_with("free"));
    hidden.processes[0].interrupts = None;
    assert!(told(&hidden).starts_with("free"));
}

#[test]
fn the_threads_of_a_runtime_prove_nothing() {
    let timed = || thread(9, 'S', call("futex", [0, PRIVATE_WAIT, 0, 1, 0, 0]), vec![]);
    let keeper = Thread { name: "VM Periodic Tas".into(), ..timed() };
    let second = Thread { tid: 10, ..keeper.clone() };
    let mut java = alone(vec![locked(7), keeper.clone()]);
    assert!(told(&java).starts_with("free"), "only in a process named java");
    java.processes[0].name = "java".into();
    assert_eq!(told(&java), "stuck: java[7]: waits for a lock no running thread can release");
    java.processes[0].threads.push(second);
    assert!(told(&java).starts_with("free"), "a second one of the name is the program's own");
}

#[test]
fn looks_that_were_recorded_are_judged_as_they_were() {
    let table = [
        (
            "lock-order",
            "stuck: python3[30097]: 3 threads wait for a lock no running thread can release",
        ),
        (
            "full-pipe",
            "stuck: python3[30165]: waits for its child python3[30168]; python3[30168]: waits to write to a full pipe whose readers are all in this job",
        ),
        (
            "flock-parent",
            "stuck: bash[30230]: waits for its child flock[30235]; flock[30235]: waits for a file lock held by bash[30230] of this job",
        ),
        (
            "main-ended-pipe",
            "stuck: stuck-main_ende[31355]: waits to read a pipe whose writers are all in this job",
        ),
        ("flock-outside", "free: flock[31609]: waits for a file lock held by flock[31599]"),
        (
            "named-semaphore",
            "free: python3[32343]: waits for a lock in memory that other programs can reach",
        ),
        ("usr1-trap", "free: bash[32755]: has a handler for USR1, which anybody may send"),
    ];
    for (name, expected) in table {
        let path = format!("{}/tests/fixtures/snapshots/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let tree: Snapshot = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(told(&tree), expected);
    }
}

fn any_thing() -> impl Strategy<Value = Thing> {
    let flags = any::<(bool, bool)>();
    prop_oneof![
        Just(Thing::Null),
        Just(Thing::LocalFile),
        Just(Thing::PrivateMemory),
        Just(Thing::Terminal("/dev/tty".into())),
        Just(Thing::Open("waits for anybody".into())),
        Just(Thing::Hidden("denied".into())),
        Just(Thing::Lock("a lock".into())),
        (0..9_u64, flags).prop_map(|(inode, (reads, writes))| Thing::Pipe { inode, reads, writes }),
        (0..9_u64, flags).prop_map(|(other, (gone, limited))| peer(other, gone, limited)),
        (0..9_u64).prop_map(Thing::Eventfd),
        (0..9_i32).prop_map(Thing::Pidfd),
        (0..9_u64, flags).prop_map(|(file, (anonymous, reachable))| Thing::SharedMemory {
            file,
            anonymous,
            reachable
        }),
        prop::collection::vec(0..64_i32, 0..3).prop_map(Thing::Signals),
    ]
}

fn any_thread() -> impl Strategy<Value = Thread> {
    let name = prop_oneof![
        prop::sample::select(table::CALLS).prop_map(|(name, _)| name.to_owned()),
        Just("system call 999".to_owned()),
    ];
    let argument = prop_oneof![Just(0), Just(1), Just(128), Just(7), Just(u64::MAX), any::<u64>()];
    let at = prop_oneof![
        8 => (name, prop::array::uniform6(argument)).prop_map(|(name, args)| At::Call { name, args }),
        1 => Just(At::Running),
        1 => Just(At::Fault),
        1 => (0..9_i32).prop_map(At::Traced),
    ];
    let things = prop::collection::vec((0..9_i32, any_thing()), 0..4);
    let state = prop::sample::select(vec!['S', 'S', 'S', 'S', 'T', 'R', 'D', 'Z', 't', '?']);
    (1..9_i32, state, at, things)
        .prop_map(|(tid, state, at, things)| thread(tid, state, at, things))
}

/// Trees of which many are stuck.
fn any_tree() -> impl Strategy<Value = Snapshot> {
    let quiet = prop_oneof![3 => Just(locked(1)), 2 => any_thread()];
    let process = prop::collection::vec(quiet, 1..4);
    let inside = prop::collection::btree_set(0..9_u64, 0..9);
    (prop::collection::vec(process, 1..4), inside).prop_map(|(processes, inside)| {
        let processes = (1..).zip(processes).map(|(pid, threads)| (pid, pid - 1, threads));
        let inside: Vec<End> = inside
            .into_iter()
            .flat_map(|n| [End::Reader(n), End::Writer(n), End::Socket(n), End::Memory(n)])
            .chain([End::Lock("a lock".into())])
            .collect();
        held(tree(processes.collect()), &inside, &[])
    })
}

fn is_stuck(tree: &Snapshot) -> bool {
    matches!(judge(tree), Judgement::Stuck { .. })
}

proptest! {
    #[test]
    fn one_thread_that_may_go_on_frees_any_tree(mut tree in any_tree()) {
        let sleeper = thread(99, 'S', call("nanosleep", [0; 6]), vec![]);
        tree.processes[0].threads.push(sleeper);
        prop_assert!(!is_stuck(&tree));
    }

    #[test]
    fn knowing_less_never_makes_a_tree_stuck(tree in any_tree(), which in any::<prop::sample::Index>()) {
        let stuck = is_stuck(&tree);
        let mut less = tree.clone();
        less.processes.remove(which.index(less.processes.len()));
        prop_assert!(!is_stuck(&less), "a process was not looked at");
        let mut less = tree.clone();
        let process = which.index(less.processes.len());
        less.processes[process].threads[0].at = At::Hidden("denied".into());
        prop_assert!(stuck || !is_stuck(&less));
        let mut less = tree.clone();
        less.holders = None;
        prop_assert!(stuck || !is_stuck(&less));
        let mut less = tree.clone();
        less.holders.as_mut().unwrap().inside.clear();
        prop_assert!(stuck || !is_stuck(&less));
    }

    #[test]
    fn an_end_held_outside_never_makes_a_tree_stuck(tree in any_tree(), n in 0..9_u64) {
        let stuck = is_stuck(&tree);
        for end in [End::Reader(n), End::Writer(n), End::Socket(n), End::Memory(n), End::Eventfd(n)] {
            let mut shared = tree.clone();
            shared.holders.as_mut().unwrap().outside.insert(end, "bash[9]".into());
            prop_assert!(stuck || !is_stuck(&shared));
        }
    }

    #[test]
    fn a_snapshot_comes_back_from_its_file(tree in any_tree()) {
        let json = serde_json::to_string(&tree).unwrap();
        prop_assert_eq!(serde_json::from_str::<Snapshot>(&json).unwrap(), tree);
    }
}

#[test]
fn the_second_look_counts_and_what_was_asked_stands_for_a_while() {
    use std::time::{Duration, Instant};
    let start = Instant::now();
    let at = |s| start + Duration::from_secs(s);
    let stuck = || alone(vec![locked(7)]);
    let other = || alone(vec![locked(7), locked(8)]);
    let free = || alone(vec![thread(7, 'R', At::Running, vec![])]);
    let no_prompt = || None;

    let waiting = Waiting::default();
    assert!(waiting.stuck().is_none() && waiting.reason().is_none() && !waiting.is_open());
    let waiting = waiting.seen(stuck(), true, no_prompt, at(0));
    assert!(waiting.is_open() && waiting.stuck().is_none());
    let waiting = waiting.seen(other(), true, no_prompt, at(0));
    assert!(waiting.is_open(), "another wait than at the first look");
    let waiting = waiting.seen(other(), true, no_prompt, at(1));
    assert!(waiting.stuck().is_some_and(|words| words.contains("lock")), "{waiting:?}");

    assert!(waiting.before(at(20)).is_some() && waiting.before(at(21)).is_none());
    let waiting = waiting.seen(other(), false, no_prompt, at(15));
    assert!(waiting.before(at(21)).is_none(), "a look that took it over asked nobody");
    let waiting = waiting.seen(other(), true, no_prompt, at(15));
    assert!(waiting.stuck().is_some() && waiting.before(at(34)).is_some());
    let waiting = waiting.seen(free(), true, no_prompt, at(16));
    assert!(waiting.reason().is_some() && waiting.stuck().is_none());
}
