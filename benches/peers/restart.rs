//! How long after a process was killed, or has hung for as long as it may, does its successor run?

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};
use std::{env, process, thread};

use rustix::process::{PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

use crate::keepers::{self, Kept, SENTINEL};
use crate::lab::Lab;
use crate::process::{pause, raw, reap, wait_until};
use crate::table::{self, Samples};

/// The arguments that make this program the process: `alive FILE`, `deadlock FILE`, `stopped FILE`.
pub const ALIVE: &str = "alive";
pub const DEADLOCK: &str = "deadlock";
pub const STOPPED: &str = "stopped";

const ROUNDS: usize = 31;
const HUNG_ROUNDS: usize = 3;
/// All of the peers take what ran for less than a second for something that cannot run.
const AGE: Duration = Duration::from_millis(1500);
/// So long the process works before it hangs.
const WORKS: Duration = Duration::from_secs(3);
const STALE: Duration = Duration::from_secs(5);

pub fn restart(lab: &Lab) {
    let kept: Vec<Kept> = keepers::present(lab)
        .into_iter()
        .map(|keeper| {
            let dir = lab.on_disk(&format!("restart-{}", word(keeper.name)));
            let process = (String::from("bot"), job(ALIVE, &stamps(lab, keeper.name)));
            keepers::keep(lab, keeper, dir, &[process])
        })
        .collect();
    for Kept { keeper, .. } in &kept {
        let runs = wait_until(|| !read(&stamps(lab, keeper.name)).is_empty());
        assert!(runs, "{} does not start it", keeper.name);
    }
    let mut times = vec![Vec::new(); kept.len()];
    for _ in 0..ROUNDS {
        pause(AGE);
        for (kept, times) in kept.iter().zip(&mut times) {
            times.push(once(&stamps(lab, kept.keeper.name), kept.keeper.name));
        }
    }
    let ours = Samples::from(times[0].clone()).median();
    let rows: Vec<Vec<String>> = kept
        .iter()
        .zip(times)
        .map(|(kept, times)| {
            let sample = Samples::from(times);
            vec![
                kept.keeper.name.to_owned(),
                kept.version.clone(),
                sample.count().to_string(),
                format!("{:.1}", sample.median()),
                format!("{:.1}", sample.min()),
                format!("{:.1}", sample.p95()),
                format!("{:.2}", sample.median() / ours),
            ]
        })
        .collect();
    table::print(
        "restart: SIGKILL of a process to its successor's first act, ms",
        &["keeper", "version", "n", "median", "min", "p95", "ratio to ours"],
        &rows,
        "a median of at most 50 ms (without a backoff)",
    );
}

/// Kills the process that runs; milliseconds until there is another.
fn once(stamps: &Path, keeper: &str) -> f64 {
    let before = read(stamps);
    let (_, pid) = *before.last().expect("it runs");
    let fd = raw(pid).map(|pid| pidfd_open(pid, PidfdFlags::empty()));
    let fd = fd.expect("a PID").expect("it runs until it is killed");
    let killed = since_epoch();
    pidfd_send_signal(fd, Signal::KILL).expect("it is ours");
    let successor = || read(stamps).get(before.len()).copied();
    let runs = wait_until(|| {
        reap(); // who watches a PID takes a zombie for alive
        successor().is_some()
    });
    assert!(runs, "{keeper} does not restart it");
    (successor().expect("it was there").0.saturating_sub(killed)).as_secs_f64() * 1e3
}

/// The peers do not notice at all.
pub fn hung(lab: &Lab) {
    let ways = [("deadlock of two threads", DEADLOCK), ("stopped by SIGSTOP", STOPPED)];
    let rows = ways.map(|(title, how)| {
        let times: Vec<(f64, f64)> = (0..HUNG_ROUNDS).map(|n| hang(lab, how, n)).collect();
        let acts = Samples::from(times.iter().map(|(act, _)| *act).collect::<Vec<f64>>());
        let beats = Samples::from(times.iter().map(|(_, beat)| *beat).collect::<Vec<f64>>());
        vec![
            title.to_owned(),
            times.len().to_string(),
            format!("{:.2}", acts.median()),
            format!("{:.2}", acts.max()),
            format!("{:.2}", beats.median()),
            format!("{:.2}", beats.max()),
        ]
    });
    table::print(
        &format!(
            "hung: to the successor's first act, beside a --progress-timeout of {} s, s",
            STALE.as_secs()
        ),
        &["how it hangs", "n", "from its last act", "max", "from its last beat", "max"],
        &rows,
        "at most 1 s from the last beat, which tells of an act an interval later",
    );
}

/// Seconds, less the timeout, from the last act of a process and from its last beat to the first
/// act of its successor.
fn hang(lab: &Lab, how: &str, round: usize) -> (f64, f64) {
    let name = format!("{how}{round}");
    let dir = lab.on_disk(&name);
    let file = stamps(lab, &name);
    let registry = dir.join("registry.json");
    let line = format!(
        "sentinel-keep --registry {0} register --restart-cooldown 0 --check-interval 1s --progress-timeout {1}s bot -- {2} \
         && sentinel-keep --registry {0} start bot && exec sentinel-keep --registry {0} healthcheck --every 1m",
        registry.display(),
        STALE.as_secs(),
        job(how, &file),
    );
    // Its end is that of all descendants.
    drop(lab.shell(&line).stdout(process::Stdio::null()).spawn().expect("there is a shell"));
    let mut beat: Option<SystemTime> = None;
    // Its start, its last act, and the start of the next.
    let runs = wait_until(|| {
        let heartbeat = fs::metadata(dir.join("jobs/bot.heartbeat"));
        let at = heartbeat.and_then(|meta| meta.modified()).ok();
        // The record of its end, and its successor, come much later than one beat after another.
        if at.is_some_and(|at| beat.is_none_or(|last| at < last + STALE / 2)) {
            beat = at;
        }
        read(&file).len() >= 3
    });
    assert!(runs, "{} does not restart it", SENTINEL.name);
    let stamps = read(&file);
    crate::process::end_descendants();
    let beat = beat.and_then(|beat| beat.duration_since(SystemTime::UNIX_EPOCH).ok());
    let since =
        |from: Duration| stamps[2].0.saturating_sub(from).as_secs_f64() - STALE.as_secs_f64();
    (since(stamps[1].0), since(beat.expect("it beat")))
}

fn stamps(lab: &Lab, name: &str) -> PathBuf {
    lab.in_memory("restart").join(word(name))
}

fn word(name: &str) -> String {
    name.replace([' ', ','], "-")
}

fn job(how: &str, stamps: &Path) -> String {
    let own = env::current_exe().expect("this program has a path");
    format!("{} {how} {}", own.display(), stamps.display())
}

/// The lines that are whole: when, and by whom.
fn read(stamps: &Path) -> Vec<(Duration, u32)> {
    let text = fs::read_to_string(stamps).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let line = |line: &str| {
        let (at, pid) = line.split_once(' ')?;
        Some((Duration::from_nanos(at.parse().ok()?), pid.parse().ok()?))
    };
    whole.lines().filter_map(line).collect()
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970")
}

fn write(stamps: &str) -> io::Result<()> {
    let line = format!("{} {}\n", since_epoch().as_nanos(), process::id());
    OpenOptions::new().append(true).create(true).open(stamps)?.write_all(line.as_bytes())
}

/// The process: says that it runs, and then does as it was told.
pub fn process(how: &str, stamps: &str) -> ExitCode {
    if write(stamps).is_err() {
        return ExitCode::FAILURE;
    }
    if how != ALIVE {
        let begun = std::time::Instant::now();
        while begun.elapsed() < WORKS {
            std::hint::black_box(begun); // CPU time is evidence
        }
        if write(stamps).is_err() {
            return ExitCode::FAILURE;
        }
    }
    match how {
        STOPPED => {
            let _ = kill_process(rustix::process::getpid(), Signal::STOP);
        }
        DEADLOCK => {
            let own = thread::current();
            let _ = thread::spawn(move || own.name().map(|_| thread::park())).join();
        }
        _ => {}
    }
    loop {
        pause(Duration::from_hours(1));
    }
}
