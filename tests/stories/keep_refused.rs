//! A restart that fails is tried again later, and in the end given up: never silently.

use std::fs;

use serde_json::{Value, json};

use crate::scene::{Scene, until};

/// Looks until it is given up, and says how it failed.
#[track_caller]
fn dies_out(scene: &Scene) -> Value {
    until("it is given up", || {
        scene.kept("healthcheck").exits(0);
        scene.phase("bot") == "given-up"
    });
    scene.nothing_is_left();
    scene.ledger("bot")
}

const SHORT: &str = "--max-restarts 3 --restart-cooldown 30ms";

/// A process whose restart is made impossible, and what its failure says then.
#[track_caller]
fn cannot_come_back(options: &str, command: &str, spoil: &str, why: &[&str]) {
    let scene = Scene::new();
    scene
        .sh("mkdir place; printf '#!/bin/sh\\nexec sleep 3640\\n' > bot; chmod 755 bot")
        .finish()
        .exits(0);
    scene.kept_up("bot", &format!("{SHORT} {options} {command}"));
    scene.sh(spoil).finish().exits(0);
    until("it runs", || !scene.members_running("sleep 3640").is_empty());
    scene.killed("bot", "child_pid");
    let ledger = dies_out(&scene);
    assert_eq!(
        ledger["failures"],
        json!({"signal": 1, "start": 3}),
        "{spoil}: {ledger} {:?}",
        scene.events("died")
    );
    assert_eq!(ledger["restarts"], json!(3), "{spoil}");
    let reason = ledger["last_failure"]["reason"].as_str().unwrap().to_owned();
    assert!(why.iter().all(|word| reason.contains(word)), "{spoil}: {reason}");
    let mut causes: Vec<Value> =
        scene.alerts().iter().map(|alert| alert["cause"].clone()).collect();
    causes.sort_by_key(Value::to_string);
    assert_eq!(causes, ["given-up", "signal", "start"].map(|cause| json!(cause)), "{spoil}");
    // A start by hand says why it comes to nothing.
    let told = scene.kept("start --json bot").exits(1);
    assert!(told.json()["error"].as_str().unwrap().contains(why[0]), "{}", told.told());
    // What is mended runs again.
    scene.sh("mkdir -p place; printf '#!/bin/sh\\nexec sleep 3640\\n' > bot; chmod 755 bot; touch ok")
        .finish()
        .exits(0);
    scene.kept("start bot").exits(0);
    until("it runs", || scene.members_running("sleep 3640").len() == 1);
    scene.kept("stop bot").exits(0);
}

#[test]
fn a_command_that_was_removed() {
    cannot_come_back("", "-- ./bot", "rm bot", &["./bot", "not found"]);
}

#[test]
fn a_command_that_is_no_longer_executable() {
    cannot_come_back("", "-- ./bot", "chmod 644 bot", &["./bot", "not executable"]);
}

#[test]
fn a_working_directory_that_was_removed() {
    cannot_come_back("--cwd place", "-- ../bot", "rmdir place", &["place"]);
}

#[test]
fn a_file_of_variables_that_was_removed() {
    let scene = Scene::new();
    fs::write(scene.path("ok"), "").unwrap();
    scene.kept_up("bot", &format!("{SHORT} --env-file ok -- sleep 3641"));
    fs::remove_file(scene.path("ok")).unwrap();
    scene.killed("bot", "child_pid");
    let ledger = dies_out(&scene);
    assert_eq!(ledger["failures"], json!({"signal": 1, "start": 3}), "{ledger}");
    let reason = ledger["last_failure"]["reason"].as_str().unwrap();
    assert!(reason.contains("env_file") && reason.contains("/ok"), "{reason}");
}

#[test]
fn a_preparation_comes_before_each_restart_and_its_failure_is_one_of_the_restart() {
    let scene = Scene::new();
    let prepare = "--env WHO=me --pre-restart 'echo $WHO >> prepared; echo no luck; test -e ok'";
    scene.kept_up("bot", &format!("{SHORT} {prepare} -- sleep 3642"));
    assert!(!scene.path("prepared").exists(), "the first start is none");
    scene.killed("bot", "child_pid");
    let ledger = dies_out(&scene);
    assert_eq!(ledger["failures"], json!({"signal": 1, "start": 3}), "{ledger}");
    let reason = ledger["last_failure"]["reason"].as_str().unwrap();
    assert!(reason.contains("--pre-restart") && reason.contains("no luck"), "{reason}");
    assert_eq!(fs::read_to_string(scene.path("prepared")).unwrap(), "me\nme\nme\n");
    scene.sh("touch ok").finish().exits(0);
    scene.kept("start bot").exits(0);
    scene.is_up("bot");
    scene.killed("bot", "child_pid");
    scene.kept("healthcheck").exits(0);
    scene.is_up("bot");
    assert_eq!(scene.ledger("bot")["restarts"], json!(4));
    scene.kept("stop bot").exits(0);
}

#[test]
fn a_command_that_cannot_be_executed_at_all_is_said_at_its_first_start() {
    let scene = Scene::new();
    scene.kept(&format!("register bot {SHORT} -- ./nothing-of-the-kind")).exits(0);
    scene.kept("start bot").exits(1).says("./nothing-of-the-kind").says("cannot be started");
    let ledger = dies_out(&scene);
    assert_eq!(ledger["failures"], json!({"start": 4}));
    assert_eq!(ledger["restarts"], json!(3));
}
