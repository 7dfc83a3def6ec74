//! What a job that writes 1 GiB loses by its log; ours while a watcher waits on it.

use std::fs::{self, File};
use std::path::Path;
use std::time::Instant;

use crate::contender::{BARE, Contender, NQ, SENTINEL, TSP};
use crate::lab::{Job, Lab};
use crate::table::{self, Samples};

const BYTES: u64 = 1 << 30;
const PAIRS: usize = 11;

/// With each, a command that runs beside the job. The first row is the noise.
const CONTENDERS: &[(Contender, Option<&str>)] =
    &[(BARE, None), (SENTINEL, Some("sentinel-watch --dir {dir} {name}")), (TSP, None), (NQ, None)];

pub fn measure(lab: &Lab) {
    let contenders = lab.present(CONTENDERS, |(contender, _)| contender);
    let mut pairs = vec![Vec::new(); contenders.len()];
    // The first round warms up.
    for round in 0..=PAIRS {
        for (entry, pairs) in contenders.iter().zip(&mut pairs) {
            let pair = pair(lab, entry, round);
            if round > 0 {
                pairs.push(pair);
            }
        }
    }
    let rows: Vec<Vec<String>> = contenders
        .iter()
        .zip(&pairs)
        .map(|((contender, beside), pairs)| {
            let (bare, own): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
            let ratio = Samples::from(pairs.iter().map(|(b, o)| b / o).collect::<Vec<_>>());
            let (bare, own) = (Samples::from(bare), Samples::from(own));
            let watched = if beside.is_some() { ", watched" } else { "" };
            vec![
                format!("{}{watched}", contender.name),
                ratio.count().to_string(),
                format!("{:.0}", 1024.0 / own.median()),
                format!("{:.2}", ratio.median()),
                format!("{:.2} to {:.2}", ratio.p10(), ratio.p90()),
                format!("{:.2}", bare.min() / own.min()),
            ]
        })
        .collect();
    table::print(
        "throughput: 1 GiB of output in lines of 64 bytes, log in memory",
        &["contender", "pairs", "MiB/s", "speed × bare", "p10 to p90", "best × best"],
        &rows,
        "1.00 × bare",
    );
}

/// Seconds of a bare run and of the contender's, one right after the other.
fn pair(lab: &Lab, entry: &(Contender, Option<&str>), round: usize) -> (f64, f64) {
    if round.is_multiple_of(2) {
        let bare = once(lab, &(BARE, None));
        (bare, once(lab, entry))
    } else {
        let own = once(lab, entry);
        (once(lab, &(BARE, None)), own)
    }
}

fn once(lab: &Lab, (contender, beside): &(Contender, Option<&str>)) -> f64 {
    let dir = lab.in_memory("throughput");
    let flood = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/flood.sh");
    let job = Job { dir: &dir, name: "job", command: &["/bin/sh", flood] };
    let file = File::create(dir.join("stdout")).expect("a file can be made");
    let watcher = beside.map(|line| lab.command(line, &job, "").spawn().expect("it was found"));

    let begun = Instant::now();
    let started = lab.start(contender, &job, file.into());
    lab.wait(contender, &job, started);
    let time = begun.elapsed().as_secs_f64();

    if let Some(mut watcher) = watcher {
        watcher.wait().expect("a child of this process");
    }
    let captured = largest(&dir);
    assert!(captured >= BYTES, "{} kept {captured} of {BYTES} bytes", contender.name);
    fs::remove_dir_all(&dir).expect("the directory is ours");
    time
}

/// The size of the largest file below `dir`.
fn largest(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => largest(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .max()
        .unwrap_or(0)
}
