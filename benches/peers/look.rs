//! What one whole look at a large tree costs that can never go on: who belongs to it, what each
//! thread has done since, what each waits for.

use std::fs;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use std::{env, thread};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::contender::{Contender, PS, SENTINEL_LOOKING};
use crate::lab::{Job, Lab};
use crate::process::{cpu, descendants, pause, wait_until};
use crate::table;

/// The argument that makes this program the job: `stuck PROCESSES`.
pub const STUCK: &str = "stuck";

const PROCESSES: usize = 100;
const THREADS: usize = 10;
const LOOKS: u32 = 30;
/// As `SENTINEL_LOOKING` is told.
const INTERVAL: Duration = Duration::from_secs(1);

pub fn measure(lab: &Lab) {
    if lab.present(&[SENTINEL_LOOKING], |contender| contender).is_empty() {
        return;
    }
    let dir = lab.on_disk("look");
    let program = env::current_exe().expect("this program has a path");
    let command = [&*program.to_string_lossy(), STUCK, &PROCESSES.to_string()];
    let job = Job { dir: &dir, name: "look", command: &command };
    lab.start(&SENTINEL_LOOKING, &job, Stdio::null());
    let read = |file| fs::read_to_string(dir.join(file)).unwrap_or_default();
    let called_stuck = || {
        let record: Option<serde_json::Value> = serde_json::from_str(&read("look.heartbeat")).ok();
        record.is_some_and(|record| record["stuck"].is_string())
    };
    assert!(wait_until(called_stuck), "the tree is not called stuck");
    let wrapper: u32 = read("look.pid").trim().parse().expect("a PID");
    // The wrapper is one of them.
    assert_eq!(descendants().len(), PROCESSES + 1, "not the whole tree is there");

    let peer = lab.present(&[PS], |contender| contender).first().map(|_| PS);
    let (begun, before, before_peer) = (Instant::now(), cpu(wrapper), reaped());
    for look in 1..=LOOKS {
        if let Some(peer) = &peer {
            lab.wait(peer, &job, lab.start(peer, &job, Stdio::null()));
        }
        pause((INTERVAL * look).saturating_sub(begun.elapsed()));
    }
    let used = cpu(wrapper).saturating_sub(before);
    let each = |used: Duration| format!("{:.1}", used.as_secs_f64() * 1e3 / f64::from(LOOKS));
    let row = |contender: &Contender, used| {
        vec![contender.name.to_owned(), LOOKS.to_string(), each(used)]
    };
    let mut rows = vec![row(&SENTINEL_LOOKING, used)];
    rows.extend(peer.map(|peer| row(&peer, reaped().saturating_sub(before_peer))));
    table::print(
        &format!("look: {PROCESSES} processes, {} threads, all stuck", PROCESSES * THREADS),
        &["contender", "looks", "CPU of one, ms"],
        &rows,
        "at most 50 ms",
    );
}

/// CPU time of all children that were reaped.
fn reaped() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("children can be asked for");
    let micros = (usage.user_time() + usage.system_time()).num_microseconds();
    Duration::from_micros(micros.cast_unsigned())
}

/// The job: so many processes, in each of which threads wait for a lock that is never released.
pub fn stuck(processes: &str) -> ExitCode {
    let Ok(processes) = processes.parse::<usize>() else { return ExitCode::FAILURE };
    let program = env::current_exe().expect("this program has a path");
    let others: Vec<Child> = (1..processes)
        .map(|_| Command::new(&program).args([STUCK, "1"]).spawn().expect("this program runs"))
        .collect();
    let lock = Mutex::new(());
    let _held = lock.lock();
    thread::scope(|threads| {
        for _ in 1..THREADS {
            threads.spawn(|| drop(lock.lock()));
        }
    });
    let ended = others.into_iter().all(|mut other| other.wait().is_ok());
    if ended { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
