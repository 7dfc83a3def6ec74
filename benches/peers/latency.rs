//! How long after the job's last act does who waits for it return?

use std::fs::{self, File};
use std::io::Write;
use std::process::{ExitCode, Stdio};
use std::time::{Duration, SystemTime};
use std::{env, io};

use crate::contender::{
    BARE, Contender, INOTIFYWAIT, NQ, POLL, POLL_SILENT, SENTINEL_DETACHED, SENTINEL_SILENT, TSP,
};
use crate::lab::{Job, Lab};
use crate::process::{pause, reap};
use crate::table::{self, Samples};

/// The argument that makes this program the job: `stamp FILE MILLISECONDS`.
pub const STAMP: &str = "stamp";

const ROUNDS: u32 = 21;

const CONTENDERS: &[Contender] = &[BARE, SENTINEL_DETACHED, NQ, TSP, INOTIFYWAIT, POLL];
const SILENT: &[Contender] = &[SENTINEL_SILENT, POLL_SILENT];

pub fn measure(lab: &Lab) {
    compare(
        lab,
        CONTENDERS,
        "latency: the job's last act to the waiter's return, ms",
        "a median of at most 2 ms",
    );
}

/// The same where nothing but looking tells of the end. Needs root, and bindfs.
pub fn silent(lab: &Lab) {
    if !rustix::process::geteuid().is_root() || lab.program("bindfs").is_none() {
        println!("Left out: silent (it needs root, and bindfs).\n");
        return;
    }
    compare(
        lab,
        SILENT,
        "silent: the last act on another host to the waiter's return over a mount that tells nothing, ms",
        "a median of at most 2 s",
    );
}

fn compare(lab: &Lab, contenders: &'static [Contender], title: &str, target: &str) {
    let contenders = lab.present(contenders, |contender| contender);
    let mut times = vec![Vec::new(); contenders.len()];
    for round in 0..ROUNDS {
        for (contender, times) in contenders.iter().zip(&mut times) {
            times.push(once(lab, contender, round));
            reap();
        }
    }
    let rows: Vec<Vec<String>> = contenders
        .iter()
        .zip(times)
        .map(|(contender, times)| {
            let sample = Samples::from(times);
            vec![
                contender.name.to_owned(),
                sample.count().to_string(),
                format!("{:.2}", sample.median()),
                format!("{:.2}", sample.min()),
                format!("{:.2}", sample.p90()),
                format!("{:.2}", sample.max()),
            ]
        })
        .collect();
    table::print(title, &["waiter", "n", "median", "min", "p90", "max"], &rows, target);
}

fn once(lab: &Lab, contender: &Contender, round: u32) -> f64 {
    let dir = lab.on_disk("latency");
    let stamp = lab.in_memory("latency").join("stamp");
    // Of many lengths, so that a poll meets the end in all its phases.
    let milliseconds = (300 + round * 61 % 1000).to_string();
    let program = env::current_exe().expect("this program has a path");
    let job = Job {
        dir: &dir,
        name: &format!("{}{round}", contender.name.replace([' ', ','], "-")),
        command: &[&program.to_string_lossy(), STAMP, &stamp.to_string_lossy(), &milliseconds],
    };
    let started = lab.start(contender, &job, Stdio::null());
    lab.wait(contender, &job, started);
    let returned = since_epoch();
    let last_act = fs::read_to_string(&stamp).expect("the job ran").parse().expect("nanoseconds");
    returned.saturating_sub(Duration::from_nanos(last_act)).as_secs_f64() * 1e3
}

/// The job: waits, and writes the time into a file as its last act.
pub fn stamp(file: &str, milliseconds: &str) -> ExitCode {
    let written = || -> io::Result<()> {
        let mut file = File::create(file)?;
        pause(Duration::from_millis(milliseconds.parse().map_err(io::Error::other)?));
        file.write_all(since_epoch().as_nanos().to_string().as_bytes())
    };
    written().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970")
}
