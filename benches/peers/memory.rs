//! What one more wrapped job costs in memory. The job itself is not counted.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use crate::contender::{Contender, DUMB_INIT, NQ, SENTINEL_DETACHED, TEMPLATE, TIMEOUT, TINI, TSP};
use crate::lab::{Job, Lab};
use crate::process::{command_line, descendants, end_descendants, memory_kib, pause, wait_until};
use crate::table;

const JOBS: usize = 500;
const SLEEP: &[&str] = &["/bin/sleep", "1000000"];

const CONTENDERS: &[Contender] = &[SENTINEL_DETACHED, TIMEOUT, TINI, DUMB_INIT, NQ, TSP, TEMPLATE];

pub fn measure(lab: &Lab) {
    let mut rows = Vec::new();
    for contender in lab.present(CONTENDERS, |contender| contender) {
        let wrappers = start_sleeps(lab, contender, JOBS);
        pause(Duration::from_secs(3));
        let each = |kind| {
            let sum: f64 = wrappers.iter().map(|pid| memory_kib(*pid, kind)).sum();
            format!("{:.0}", sum / f64::from(u32::try_from(JOBS).expect("it is small")))
        };
        let processes = wrappers.len().to_string();
        rows.push(vec![contender.name.to_owned(), processes, each("Pss"), each("Rss")]);
        end_descendants();
    }
    table::print(
        &format!("memory: {JOBS} wrapped sleeps, KiB for each"),
        &["contender", "processes", "PSS", "RSS"],
        &rows,
        "at most 150 KiB of PSS",
    );
}

/// Starts `count` sleeps under a contender. Gives the processes that wrap them.
pub fn start_sleeps(lab: &Lab, contender: &Contender, count: usize) -> Vec<u32> {
    let before: HashSet<u32> = descendants().into_iter().collect();
    let dir = sleeps_dir(lab, contender);
    for number in 0..count {
        let job = Job { dir: &dir, name: &format!("sleep{number}"), command: SLEEP };
        lab.start(contender, &job, Stdio::null());
    }
    let sleep = SLEEP.join(" ");
    let mut wrappers = Vec::new();
    let all_run = wait_until(|| {
        let new = descendants().into_iter().filter(|pid| !before.contains(pid));
        let (sleeps, others): (Vec<u32>, Vec<u32>) =
            new.partition(|pid| command_line(*pid) == sleep);
        wrappers = others.into_iter().filter(|pid| !command_line(*pid).is_empty()).collect();
        sleeps.len() == count
    });
    assert!(all_run, "{}: not all sleeps run", contender.name);
    wrappers
}

/// Where the sleeps `sleep0`, `sleep1`, ... of a contender have their files.
pub fn sleeps_dir(lab: &Lab, contender: &Contender) -> PathBuf {
    lab.on_disk(&format!("sleeps-{}", contender.name.replace(' ', "-")))
}
