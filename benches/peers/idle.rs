//! What a wrapper costs while its job does nothing.

use std::time::{Duration, Instant};

use crate::contender::{Contender, NQ, SENTINEL_DETACHED, TEMPLATE, TIMEOUT, TINI};
use crate::lab::Lab;
use crate::memory::start_sleeps;
use crate::process::{cpu, pause};
use crate::table;

const JOBS: u32 = 50;
const TIME: Duration = Duration::from_mins(1);

const CONTENDERS: &[Contender] = &[SENTINEL_DETACHED, TIMEOUT, TINI, NQ, TEMPLATE];

/// All at once, over the same minute.
pub fn measure(lab: &Lab) {
    let wrappers: Vec<(&Contender, Vec<u32>)> = lab
        .present(CONTENDERS, |contender| contender)
        .into_iter()
        .map(|contender| (contender, start_sleeps(lab, contender, JOBS as usize)))
        .collect();
    pause(Duration::from_secs(5));
    let look = || -> Vec<Vec<Duration>> {
        wrappers.iter().map(|(_, pids)| pids.iter().map(|pid| cpu(*pid)).collect()).collect()
    };
    let (begun, before) = (Instant::now(), look());
    pause(TIME);
    let (time, after) = (begun.elapsed(), look());

    let minutes = time.as_secs_f64() / 60.0;
    let rows: Vec<Vec<String>> = wrappers
        .iter()
        .zip(before.iter().zip(after))
        .map(|((contender, _), (before, after))| {
            // A helper that ended meanwhile counts by its parent's reaped time.
            let used: Duration = after.iter().zip(before).map(|(a, b)| a.saturating_sub(*b)).sum();
            let each = used.as_secs_f64() * 1e3 / f64::from(JOBS) / minutes;
            vec![contender.name.to_owned(), JOBS.to_string(), format!("{each:.2}")]
        })
        .collect();
    table::print(
        "idle: CPU of one wrapped sleep, ms a minute",
        &["contender", "jobs", "ms a minute"],
        &rows,
        "at most 3 ms a minute",
    );
}
