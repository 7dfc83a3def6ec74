//! What an agent reads of one job of an hour, from its start to its verdict: few bytes, whatever the job
//! prints. The hour is scaled: what is read depends on the number of looks, not on the time between them.

use std::fs;

use crate::scene::{Done, Scene, until};

/// An hour in pieces of nine minutes: so many waits end with "running" before the verdict.
const WAITS: usize = 6;
/// A look every fifteen seconds (seed 002).
const LOOKS: usize = 240;
/// Bytes, on success and on failure.
const MOST: [usize; 2] = [1500, 4000];

fn read(done: &Done) -> usize {
    done.stdout.len() + done.stderr.len()
}

/// A job that prints a line a second for an hour, in a moment, and then waits for its end.
fn script(end: &str) -> String {
    format!(
        "i=0; while [ $i -lt 3600 ]; do i=$((i+1)); printf \"%05d step of the job, with what a tool prints of one item\\n\" $i; done; until [ -e over ]; do sleep 0.05; done; {end}"
    )
}

fn hour(end: &str) -> (Scene, usize) {
    let scene = Scene::new();
    let started = scene.run(&format!("--detach hour -- sh -c '{}'", script(end))).finish().exits(0);
    let mut bytes = read(&started);
    for _ in 0..WAITS {
        bytes += read(&scene.watched("--max-wait 50ms hour").exits(5));
    }
    until("all is printed", || scene.read("hour.log").lines().count() == 3600);
    fs::write(scene.path("over"), "").unwrap();
    let verdict = scene.watch("hour").finish();
    bytes += read(&verdict);
    (scene, bytes)
}

#[test]
fn an_hour_costs_a_kilobyte_and_a_half_until_its_success_and_four_until_its_failure() {
    for (end, most) in
        ["exit 0", "echo error: no space left on device >&2; exit 3"].iter().zip(MOST)
    {
        let (scene, bytes) = hour(end);
        assert!(bytes <= most, "{end}: {bytes} bytes, at most {most}");
        println!("sentinel-watch, {end}: {bytes} bytes");
        // The same by hand: the decision tree of seed 002, at each look its three files.
        let look = "ls $DIR; stat -c %Y $DIR/hour.heartbeat; cat $DIR/hour.status 2>&1; date +%s";
        let look = read(&scene.sh(look).finish());
        let end = read(&scene.sh("cat $DIR/hour.result; tail -n 20 $DIR/hour.log").finish());
        println!("by hand: {} bytes", look * LOOKS + end);
        let tail = read(&scene.sh("tail -n 20 $DIR/hour.log").finish());
        println!("tail each minute: {} bytes", tail * 60);
        println!("the log: {} bytes", scene.read("hour.log").len());
        assert!(look * LOOKS + end > 10 * bytes);
    }
}

#[test]
fn the_worst_that_a_job_can_do_stays_within_four_kilobytes() {
    let scene = Scene::new();
    let long = "x".repeat(400);
    // Progress, an awaited address, a failing probe and a log, all as long as they can be.
    let noise =
        format!("for i in 1 2 3 4 5 6 7 8 9; do printf \"%s\\n\" {}; done", "y".repeat(2000));
    let script = format!("{noise}; until [ -e over ]; do sleep 0.05; done; exit 3");
    let options = format!(
        "--progress-cmd 'echo {long}; sleep 0' --progress-interval 200ms --heartbeat-interval 100ms --stale 60s"
    );
    let line = format!("--detach {options} {} -- sh -c '{script}'", "n".repeat(40));
    let mut bytes = read(&scene.run(&line).finish().exits(0));
    for _ in 0..WAITS {
        bytes += read(&scene.watched(&format!("--max-wait 300ms {}", "n".repeat(40))).exits(5));
    }
    fs::write(scene.path("over"), "").unwrap();
    bytes += read(&scene.watched(&"n".repeat(40)).exits(1));
    assert!(bytes <= 4096, "{bytes} bytes");
}
