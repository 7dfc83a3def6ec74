//! What it costs to keep two hundred processes that do nothing.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::keepers::{self, Keeper, Kept};
use crate::lab::Lab;
use crate::process::{command_line, cpu, descendants, memory_kib, pause, reap, wait_until};
use crate::table::{self, Samples};

const PROCESSES: usize = 200;
const SLEEP: &str = "/bin/sleep 1000000";
const SETTLE: Duration = Duration::from_secs(10);
const TIME: Duration = Duration::from_mins(1);
const LOOKS: usize = 11;

/// A keeper, and what it added beside the sleeps.
struct Group {
    kept: Kept,
    keeper: u32,
    all: Vec<u32>,
}

/// All over the same minute.
pub fn measure(lab: &Lab) {
    let groups: Vec<Group> =
        keepers::present(lab).into_iter().map(|keeper| begin(lab, keeper)).collect();
    pause(SETTLE);
    let look = || -> Vec<(Duration, Duration)> {
        let whole = |group: &Group| group.all.iter().map(|pid| cpu(*pid)).sum();
        groups.iter().map(|group| (cpu(group.keeper), whole(group))).collect()
    };
    let (begun, before) = (Instant::now(), look());
    pause(TIME);
    let (time, after) = (begun.elapsed(), look());

    let percent = |after: Duration, before: Duration| {
        let used = after.saturating_sub(before).as_secs_f64();
        format!("{:.2}", used / time.as_secs_f64() * 100.0)
    };
    let rows: Vec<Vec<String>> = groups
        .iter()
        .zip(before.iter().zip(after))
        .map(|(group, (before, after))| {
            let pss: f64 = group.all.iter().map(|pid| memory_kib(*pid, "Pss")).sum();
            let kept = &group.kept;
            vec![
                kept.keeper.name.to_owned(),
                kept.version.clone(),
                format!("{:.1}", memory_kib(group.keeper, "Rss") / 1024.0),
                percent(after.0, before.0),
                group.all.len().to_string(),
                format!("{:.1}", pss / 1024.0),
                percent(after.1, before.1),
                timed(lab, kept, kept.keeper.status),
                timed(lab, kept, kept.keeper.pass),
            ]
        })
        .collect();
    table::print(
        &format!("keep200: {PROCESSES} kept sleeps, which are not counted"),
        &[
            "keeper",
            "version",
            "its RSS, MiB",
            "its CPU, % of a core",
            "processes in all",
            "PSS of all, MiB",
            "CPU of all, %",
            "status, ms",
            "one healthcheck, ms",
        ],
        &rows,
        "a keeper of at most 20 MiB and 0.5 % of a core; a healthcheck in 100 ms",
    );
}

fn begin(lab: &Lab, keeper: &'static Keeper) -> Group {
    let before: HashSet<u32> = descendants().into_iter().collect();
    let word = keeper.name.split([' ', ',']).next().unwrap_or(keeper.name);
    let dir = lab.on_disk(&format!("keep-{word}"));
    let processes: Vec<(String, String)> =
        (0..PROCESSES).map(|number| (format!("bot{number}"), SLEEP.to_owned())).collect();
    let kept = keepers::keep(lab, keeper, dir, &processes);
    let mut all = Vec::new();
    let up = wait_until(|| {
        reap();
        let new = descendants().into_iter().filter(|pid| !before.contains(pid));
        let (sleeps, others): (Vec<u32>, Vec<u32>) =
            new.partition(|pid| command_line(*pid) == SLEEP);
        all = others;
        let settled = all.iter().any(|pid| command_line(*pid).contains(keeper.mark));
        sleeps.len() == PROCESSES && settled
    });
    assert!(up, "{}: not all processes run", keeper.name);
    // Who only brought it up goes.
    pause(Duration::from_secs(5));
    reap();
    all.retain(|pid| !command_line(*pid).is_empty());
    let is_keeper = |pid: &&u32| command_line(**pid).contains(keeper.mark);
    let keeper = *all.iter().find(is_keeper).expect("the keeper runs");
    Group { kept, keeper, all }
}

/// The median of some calls.
fn timed(lab: &Lab, kept: &Kept, line: Option<&str>) -> String {
    let Some(line) = line else { return String::from("-") };
    let line = line.replace("{dir}", &kept.dir.display().to_string());
    let once = |_| {
        let begun = Instant::now();
        let done = lab.shell(&format!("exec {line}").replace("exec PM2", "PM2")).output();
        let took = begun.elapsed();
        assert!(done.is_ok_and(|done| done.status.success()), "{line} failed");
        took.as_secs_f64() * 1e3
    };
    format!("{:.0}", Samples::from((0..LOOKS).map(once).collect::<Vec<f64>>()).median())
}
