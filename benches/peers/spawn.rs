//! What it costs to run `true`, begun to end; ours with the outcome safe on disk.

use std::process::Stdio;
use std::time::Instant;

use crate::contender::{
    BARE, CHPST, Contender, DUMB_INIT, NQ, SENTINEL, TEMPLATE, TIMEOUT, TINI, TSP,
};
use crate::lab::{Job, Lab};
use crate::process::reap;
use crate::table::{self, Samples};

const WARM_UP: usize = 10;
const ROUNDS: usize = 300;

/// Whether each job has a name of its own, or the last one's is taken again.
enum Name {
    New,
    Reused,
}

/// Bare and `timeout` first: the others are compared with them.
const CONTENDERS: &[(Contender, Name)] = &[
    (BARE, Name::Reused),
    (TIMEOUT, Name::Reused),
    (SENTINEL, Name::New),
    (SENTINEL, Name::Reused),
    (CHPST, Name::Reused),
    (TINI, Name::Reused),
    (DUMB_INIT, Name::Reused),
    (TSP, Name::Reused),
    (NQ, Name::Reused),
    (TEMPLATE, Name::New),
];

pub fn measure(lab: &Lab) {
    let contenders = lab.present(CONTENDERS, |(contender, _)| contender);
    let mut times = vec![Vec::new(); contenders.len()];
    for round in 0..WARM_UP + ROUNDS {
        for (column, entry) in contenders.iter().enumerate() {
            let time = once(lab, entry, column, round);
            if round >= WARM_UP {
                times[column].push(time);
            }
        }
        reap();
    }
    let samples: Vec<Samples> = times.into_iter().map(Samples::from).collect();
    let (bare, timeout) = (samples[0].median(), samples[1].median());
    let rows: Vec<Vec<String>> = contenders
        .iter()
        .zip(&samples)
        .map(|((contender, name), sample)| {
            vec![
                label(contender, name),
                sample.count().to_string(),
                format!("{:.2}", sample.median()),
                format!("{:.2}", sample.min()),
                format!("{:.2}", sample.p90()),
                format!("{:.2}", sample.median() / bare),
                format!("{:.2}", sample.median() / timeout),
            ]
        })
        .collect();
    table::print(
        "spawn: `true`, ms",
        &["contender", "n", "median", "min", "p90", "× bare", "× timeout"],
        &rows,
        "at most 4 × bare and 1.5 × timeout",
    );
}

fn once(lab: &Lab, (contender, name): &(Contender, Name), column: usize, round: usize) -> f64 {
    let dir = lab.on_disk(&format!("spawn-{column}"));
    let name = match name {
        Name::New => format!("job{round}"),
        Name::Reused => "job".to_owned(),
    };
    let job = Job { dir: &dir, name: &name, command: &["/bin/true"] };
    let begun = Instant::now();
    let started = lab.start(contender, &job, Stdio::null());
    lab.wait(contender, &job, started);
    begun.elapsed().as_secs_f64() * 1e3
}

fn label(contender: &Contender, name: &Name) -> String {
    match (contender.name, name) {
        (ours @ "sentinel-run", Name::New) => format!("{ours}, new name each time"),
        (ours @ "sentinel-run", Name::Reused) => format!("{ours}, same name"),
        (other, _) => other.to_owned(),
    }
}
