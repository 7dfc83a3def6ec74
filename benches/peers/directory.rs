//! What ten thousand jobs in one directory cost whoever looks at it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::contender::SENTINEL_DETACHED;
use crate::lab::Lab;
use crate::memory::{sleeps_dir, start_sleeps};
use crate::process::{load, memory_kib};
use crate::table::{self, Samples};

const FINISHED: usize = 10_000;
const RUNNING: usize = 100;
const ROUNDS: usize = 11;

/// Each is run in the directory; `$NAMES` are all jobs.
const LOOKS: &[(&str, &str)] = &[
    ("sentinel-watch --list", "sentinel-watch --dir . --list"),
    ("sentinel-watch --list --json", "sentinel-watch --dir . --list --json"),
    ("sentinel-watch --any", "sentinel-watch --dir . --any $NAMES"),
    ("sentinel-watch --max-wait 0", "sentinel-watch --dir . --max-wait 0 $NAMES"),
    ("ls -l", "ls -l"),
    (
        "a loop of the shell, the words alone",
        "for file in *.status; do read -r word <\"$file\"; echo \"$word\"; done",
    ),
];

/// By what a running job's end comes to the watcher: descriptors, or looks where there are none.
const WATCHERS: &[(&str, &str)] = &[
    ("sentinel-watch", "exec sentinel-watch --dir . $NAMES"),
    ("sentinel-watch, ulimit -n 64", "ulimit -n 64; exec sentinel-watch --dir . $NAMES"),
    ("sentinel-watch --events", "exec sentinel-watch --events --dir . $NAMES"),
];

pub fn measure(lab: &Lab) {
    if lab.present(&[SENTINEL_DETACHED], |contender| contender).is_empty() {
        return;
    }
    let dir = sleeps_dir(lab, &SENTINEL_DETACHED);
    let line = format!(
        "seq {FINISHED} | xargs -P 4 -I '{{}}' sentinel-run -q --dir . 'done{{}}' -- /bin/true"
    );
    let done = here(lab, &dir, &line).status().expect("sh runs");
    assert!(done.success(), "{done}");
    start_sleeps(lab, &SENTINEL_DETACHED, RUNNING);
    let finished = (1..=FINISHED).map(|number| format!("done{number} "));
    let running = (0..RUNNING).map(|number| format!("sleep{number} "));
    // Too much for a variable of the environment.
    let names: String = running.chain(finished).collect();
    std::fs::write(dir.join(".names"), names).expect("it can be written");
    looks(lab, &dir);
    watchers(lab, &dir);
}

/// A line of the shell in the directory.
fn here(lab: &Lab, dir: &Path, line: &str) -> Command {
    let mut command = lab.shell(&line.replace("$NAMES", "$(cat .names)"));
    command.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn looks(lab: &Lab, dir: &Path) {
    let mut times = vec![Vec::new(); LOOKS.len()];
    for _ in 0..ROUNDS {
        for ((_, line), times) in LOOKS.iter().zip(&mut times) {
            let mut look = here(lab, dir, line);
            let begun = Instant::now();
            look.status().expect("sh runs");
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    let samples: Vec<Samples> = times.into_iter().map(Samples::from).collect();
    let list = samples[0].median();
    let rows: Vec<Vec<String>> = LOOKS
        .iter()
        .zip(&samples)
        .map(|((name, _), samples)| {
            vec![
                (*name).to_owned(),
                format!("{:.0}", samples.median()),
                format!("{:.0}", samples.p90()),
                format!("{:.2}", samples.median() / list),
            ]
        })
        .collect();
    table::print(
        &format!("directory: {FINISHED} finished and {RUNNING} running jobs, one look"),
        &["look", "median ms", "p90", "ratio to --list"],
        &rows,
        "--list in at most 300 ms",
    );
}

fn watchers(lab: &Lab, dir: &Path) {
    let mut rows = Vec::new();
    for (name, line) in WATCHERS {
        let mut watcher = here(lab, dir, line).spawn().expect("sh runs");
        let pid = watcher.id();
        let (before, percent) = load(&mut watcher);
        rows.push(vec![
            (*name).to_owned(),
            format!("{percent:.2}"),
            format!("{:.0}", before.as_secs_f64() * 1e3),
            format!("{:.1}", memory_kib(pid, "Rss") / 1024.0),
        ]);
        watcher.kill().expect("a child of this process");
        watcher.wait().expect("a child of this process");
    }
    table::print(
        &format!("directory: all of {} jobs waited for", FINISHED + RUNNING),
        &["watcher", "% of a core", "CPU of the first 10 s, ms", "RSS MiB"],
        &rows,
        "at most 1 % of a core and 30 MiB",
    );
}
