//! What comes after another is started once that runs, and is healthy if it has a probe.

use std::fs;

use serde_json::json;

use crate::scene::{Scene, until};

#[test]
fn what_comes_after_another_waits_until_that_is_healthy() {
    let scene = Scene::new();
    let probe = "--health-cmd 'test -e healthy' --check-interval 100ms --progress-timeout 10s";
    scene.kept("register web --after db --restart-cooldown 10ms -- sleep 3651").exits(0);
    scene.kept(&format!("register db {probe} --restart-cooldown 10ms -- sleep 3650")).exits(0);
    let mut start = scene.keep("start --all").start();
    scene.is_up("db");
    until("web waits", || scene.path("state/web.json").exists());
    scene.beats("db", 2);
    assert!(start.is_running() && scene.members_running("sleep 3651").is_empty());
    let waiting = scene.kept("--json status web").exits(3).json();
    assert_eq!(waiting["state"], json!("waiting"));
    assert!(waiting["detail"].as_str().unwrap().contains("db to be healthy"), "{waiting}");
    fs::write(scene.path("healthy"), "").unwrap();
    start.wait().exits(0);
    scene.is_up("web");

    // Both dead: one comes up, the other after it, with no start in between.
    fs::remove_file(scene.path("healthy")).unwrap();
    scene.killed("web", "child_pid");
    scene.killed("db", "child_pid");
    scene.kept("healthcheck").exits(0);
    scene.is_up("db");
    assert!(scene.members_running("sleep 3651").is_empty(), "web is not started before db is well");
    fs::write(scene.path("healthy"), "").unwrap();
    until("web runs", || {
        scene.kept("healthcheck").exits(0);
        scene.members_running("sleep 3651").len() == 1
    });
    // A stop of the one is none of the other.
    scene.kept("stop db").exits(0);
    scene.runs_once("sleep 3651");
    scene.kept("stop --all").exits(0);
}

#[test]
fn a_circle_is_refused_when_it_is_registered_and_waits_for_ever_when_it_is_written_by_hand() {
    let scene = Scene::new();
    scene.kept("register a --after b -- sleep 3652").exits(0);
    scene.kept("register b --after c -- sleep 3652").exits(0);
    let before = fs::read(scene.registry()).unwrap();
    scene.kept("register c --after a -- sleep 3652").exits(2).says("circle").says("c after a");
    scene.kept("register c --after c -- sleep 3652").exits(2).says("after itself");
    assert_eq!(fs::read(scene.registry()).unwrap(), before);
    let entry = |after: &str| json!({"command": "sleep 3652", "after": [after]});
    let circle = json!({"a": entry("b"), "b": entry("a")});
    fs::write(scene.registry(), circle.to_string()).unwrap();
    let start = scene.keep("start a").start();
    until("a waits", || scene.path("state/a.json").exists());
    scene.kept("healthcheck").exits(0).says("waits for b to run");
    drop(start);
    scene.nothing_is_left();
}
