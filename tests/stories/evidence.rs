//! A heartbeat is deserved: without evidence there is none.

use std::time::Duration;

use serde_json::json;

use crate::scene::{Running, Scene, until};

const QUICK: &str = "--heartbeat-interval 100ms --stale 1s --grace 300ms";

/// The job becomes hung under a watcher, which ends it.
#[track_caller]
fn becomes_hung(beat_on: &str, command: &str) {
    let scene = Scene::new();
    let wrapper =
        scene.run(QUICK).args(["--beat-on", beat_on, "job", "--", "sh", "-c", command]).start();
    scene.is_up("job");
    let verdict = scene.watched("--poll-interval 200ms --json job").exits(3).json();
    assert_eq!(verdict["verdict"], json!("hung"));
    assert_eq!(verdict["outcome"], json!("hung"));
    wrapper.wait().exits(124);
    scene.nothing_is_left();
}

/// The job goes on beating for many intervals, and a watcher calls it running.
#[track_caller]
fn keeps_beating(beat_on: &str, kind: &str, command: &str) {
    let scene = Scene::new();
    let options = "--heartbeat-interval 100ms --stale 20s";
    let wrapper =
        scene.run(options).args(["--beat-on", beat_on, "job", "--", "sh", "-c", command]).start();
    scene.is_up("job");
    scene.beats("job", 8);
    until(&format!("the evidence is {kind}"), || {
        scene.heartbeat("job").is_some_and(|record| record["evidence"]["kind"] == json!(kind))
    });
    scene.watched("--once job").exits(5);
    end(&scene, wrapper);
}

fn end(scene: &Scene, wrapper: Running) {
    scene.stop("job");
    wrapper.wait();
}

#[test]
fn a_silent_job_that_promised_output_becomes_hung() {
    becomes_hung("output", "echo once; sleep 961");
}

#[test]
fn a_sleeping_job_that_promised_activity_becomes_hung() {
    becomes_hung("activity", "exec sleep 962");
}

#[test]
fn a_job_that_promised_to_report_and_does_not_becomes_hung() {
    becomes_hung("app", "while :; do echo noise; sleep 0.05; done");
}

#[test]
fn output_is_evidence() {
    keeps_beating("output", "output", "while :; do echo word; sleep 0.05; done");
}

#[test]
fn work_without_a_word_is_activity() {
    keeps_beating("activity", "activity", "while :; do :; done");
}

#[test]
fn children_that_come_and_go_are_activity() {
    keeps_beating("activity", "activity", "while :; do sleep 0.02; done");
}

#[test]
fn being_there_is_evidence_where_that_was_agreed() {
    keeps_beating("alive", "alive", "exec sleep 963");
}

#[test]
fn a_quiet_sleeper_is_never_taken_for_hung_by_default() {
    keeps_beating("auto", "waiting", "exec sleep 964");
}

#[test]
fn touching_the_heartbeat_is_evidence() {
    keeps_beating("app", "app", r#"while :; do touch "$SENTINEL_HEARTBEAT"; sleep 0.05; done"#);
}

#[test]
fn a_bare_touch_by_anyone_counts_as_a_beat() {
    let scene = Scene::new();
    let options = "--beat-on output --heartbeat-interval 100ms --stale 2s --grace 300ms";
    let wrapper = scene.up("job", &format!("{options} job -- sleep 965"));
    scene.age("job.heartbeat", Duration::from_hours(1));
    scene.command("touch").arg(scene.file("job.heartbeat")).finish().exits(0);
    scene.watched("--once job").exits(5);
    scene.age("job.heartbeat", Duration::from_hours(1));
    scene.watched("--once job").exits(3);
    wrapper.wait().exits(124);
}

#[test]
fn the_record_says_how_long_a_job_was_quiet_and_how_much_it_wrote() {
    let scene = Scene::new();
    let options = "--beat-on auto --heartbeat-interval 100ms";
    let wrapper = scene.up("job", &format!("{options} job -- sh -c 'echo word; exec sleep 966'"));
    until("it has been quiet for a while", || {
        scene.heartbeat("job").is_some_and(|record| {
            record["quiet_s"].as_f64().is_some_and(|quiet| quiet > 0.3)
                && record["log_bytes"] == json!(5)
        })
    });
    assert_eq!(
        scene.heartbeat("job").unwrap()["beat_on"].as_array().map(Vec::is_empty),
        Some(false)
    );
    end(&scene, wrapper);
}

#[test]
fn output_after_a_silence_ends_the_silence() {
    let scene = Scene::new();
    let options = "--beat-on output --heartbeat-interval 100ms --stale 20s";
    let script =
        "echo one; until [ -e go ]; do sleep 0.05; done; while :; do echo more; sleep 0.05; done";
    let wrapper = scene.run(options).args(["job", "--", "sh", "-c", script]).start();
    scene.is_up("job");
    // Silent for a good many intervals: not one beat.
    until("the last beat is a second old", || {
        let beat = scene.last_beat("job").unwrap();
        beat.elapsed().is_ok_and(|age| age > Duration::from_secs(1))
    });
    std::fs::write(scene.path("go"), "").unwrap();
    scene.beats("job", 3);
    end(&scene, wrapper);
}
