//! What it costs to watch a thousand jobs at once.

use crate::contender::{Contender, SENTINEL_DETACHED};
use crate::lab::{Job, Lab};
use crate::memory::{sleeps_dir, start_sleeps};
use crate::process::{load, memory_kib};
use crate::table;

const JOBS: usize = 1000;

const CONTENDERS: &[Contender] = &[SENTINEL_DETACHED];

pub fn measure(lab: &Lab) {
    let mut rows = Vec::new();
    for contender in lab.present(CONTENDERS, |contender| contender) {
        start_sleeps(lab, contender, JOBS);
        let dir = sleeps_dir(lab, contender);
        let job = Job { dir: &dir, name: "", command: &[] };
        let names = (0..JOBS).map(|number| format!("sleep{number}"));
        let mut command = lab.command("sentinel-watch --dir {dir}", &job, "");
        let mut watcher = command.args(names).spawn().expect("it was found");
        let pid = watcher.id();

        let (before, percent) = load(&mut watcher);
        rows.push(vec![
            "sentinel-watch".to_owned(),
            JOBS.to_string(),
            format!("{percent:.2}"),
            format!("{:.0}", before.as_secs_f64() * 1e3),
            format!("{:.1}", memory_kib(pid, "Rss") / 1024.0),
            format!("{:.1}", memory_kib(pid, "Pss") / 1024.0),
        ]);
    }
    table::print(
        "watch: many jobs by one watcher",
        &["watcher", "jobs", "% of a core", "CPU of the first 10 s, ms", "RSS MiB", "PSS MiB"],
        &rows,
        "at most 1 % of a core and 30 MiB",
    );
}
