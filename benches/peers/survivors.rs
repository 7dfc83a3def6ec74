//! What is left of a tree that was ended by the tool's own means.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};

use crate::contender::{
    Contender, DUMB_INIT, End, NQ, SENTINEL_DETACHED, TEMPLATE, TIMEOUT, TINI, TSP,
};
use crate::lab::{Job, Lab, Started};
use crate::process::{command_line, descendants, end_descendants, pause, raw, wait_until};
use crate::table;

/// What the members of `tree.sh` are known by.
const MEMBERS: &[(&str, &str)] = &[
    ("tree.sh", "child"),
    ("sleep 1001", "same group"),
    ("sleep 1002", "own session"),
    ("sleep 1003", "daemon"),
    ("sleep 1004", "ignores TERM"),
    ("sleep 1005", "stopped"),
];

const CONTENDERS: &[Contender] = &[SENTINEL_DETACHED, TIMEOUT, TINI, DUMB_INIT, TSP, NQ, TEMPLATE];

pub fn measure(lab: &Lab) {
    let mut rows = Vec::new();
    for contender in lab.present(CONTENDERS, |contender| contender) {
        let (took, at_once, later) = once(lab, contender);
        rows.push(vec![
            contender.name.to_owned(),
            format!("{:.2}", took.as_secs_f64()),
            at_once.len().to_string(),
            later.len().to_string(),
            later.join(", "),
        ]);
        end_descendants();
    }
    table::print(
        "survivors: of a tree of 6, after it was ended",
        &["contender", "ending took, s", "left at once", "left after 3 s", "which"],
        &rows,
        "none",
    );
}

/// How long the ending took, and who was left then and 3 s later.
fn once(lab: &Lab, contender: &Contender) -> (Duration, Vec<&'static str>, Vec<&'static str>) {
    let dir = lab.on_disk(&format!("survivors-{}", contender.name.replace(' ', "-")));
    let stands = dir.join("stands");
    let tree = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/tree.sh");
    let job =
        Job { dir: &dir, name: "tree", command: &["/bin/sh", tree, &stands.to_string_lossy()] };
    let started = lab.start(contender, &job, Stdio::null());
    let stands = wait_until(|| stands.exists() && left().len() == MEMBERS.len());
    assert!(stands, "{}: only these of the tree came up: {:?}", contender.name, left());
    // What was told to stop itself has by now.
    pause(Duration::from_millis(300));

    let begun = Instant::now();
    end(lab, contender, &job, started);
    let (took, at_once) = (begun.elapsed(), left());
    pause(Duration::from_secs(3));
    (took, at_once, left())
}

/// Members of the tree that live.
fn left() -> Vec<&'static str> {
    let lines: Vec<String> = descendants()
        .into_iter()
        .map(command_line)
        .filter(|line| {
            line.starts_with("/bin/sh /")
                || line.starts_with("sleep ")
                || line.starts_with("sh -c kill")
        })
        .collect();
    MEMBERS
        .iter()
        .filter(|(mark, _)| lines.iter().any(|line| line.contains(mark)))
        .map(|(_, member)| *member)
        .collect()
}

/// Ends the job as one who uses the contender would.
fn end(lab: &Lab, contender: &Contender, job: &Job, started: Started) {
    match (&contender.end, started) {
        (End::By(line), Started::Background(id)) => {
            lab.command(line, job, &id).status().expect("it was found");
        }
        (End::Term, Started::Foreground(mut child)) => {
            let pid = raw(child.id()).expect("a PID");
            let fd = pidfd_open(pid, PidfdFlags::empty()).expect("it is not reaped yet");
            pidfd_send_signal(fd, Signal::TERM).expect("it is ours");
            let gone = || child.try_wait().is_ok_and(|status| status.is_some());
            assert!(wait_until(gone), "{} does not end", contender.name);
        }
        (End::TermGroup, Started::Background(id)) => {
            let group = id.rsplit('.').next().and_then(|number| number.parse().ok());
            let group = group.filter(|pid| descendants().contains(pid)).and_then(raw);
            kill_process_group(group.expect("a descendant"), Signal::TERM).expect("it is ours");
        }
        _ => unreachable!("each contender's end fits its start"),
    }
}
