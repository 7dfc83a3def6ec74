//! Kept processes where something has gone wrong around them: wrappers killed, files deleted, ledgers
//! spoilt, entries that say nothing. None runs twice, runs although it was stopped, or is forgotten.

use std::fs;

use rustix::process::Signal;

use crate::scene::{Scene, until};

/// Beats often, and ends at once.
const QUICK: &str = "--check-interval 200ms --progress-timeout 60s --grace 2s";

/// How many processes of the scene are this command.
fn copies(scene: &Scene, line: &str) -> usize {
    scene.members_running(line).len()
}

fn jobs(scene: &Scene) -> Vec<std::path::PathBuf> {
    fs::read_dir(scene.dir()).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_process_whose_files_were_deleted_is_not_started_beside_itself() {
    for all in [false, true] {
        let scene = Scene::new();
        let wrapper = scene.kept_up("bot", &format!("{QUICK} -- sleep 4242"));
        if all {
            fs::remove_dir_all(scene.dir()).unwrap();
        } else {
            for path in jobs(&scene) {
                fs::remove_file(path).unwrap();
            }
        }
        scene.kept("start bot").exits(0).says("running");
        scene.kept("healthcheck").exits(0);
        assert_eq!(copies(&scene, "sleep 4242"), 1);
        until("its wrapper makes its files anew", || {
            scene.heartbeat("bot").is_some_and(|record| record["pid"] == wrapper.pid)
        });
        scene.kept("status bot").exits(0).says("running");
        assert_eq!(scene.phase("bot"), "up");
        assert_eq!(scene.ledger("bot")["restarts"], 0);
        scene.kept("stop bot").exits(0);
        scene.nothing_is_left();
    }
}

#[test]
fn a_process_whose_files_were_deleted_can_be_stopped_and_restarted() {
    let scene = Scene::new();
    scene.kept_up("bot", "--grace 2s -- sleep 4242");
    fs::remove_dir_all(scene.dir()).unwrap();
    scene.kept("restart bot").exits(0).says("started");
    assert_eq!(copies(&scene, "sleep 4242"), 1);
    scene.is_up("bot");
    fs::remove_dir_all(scene.dir()).unwrap();
    scene.kept("stop bot").exits(0).says("stopped");
    scene.nothing_is_left();
}

#[test]
fn what_a_killed_wrapper_has_left_is_ended_by_a_stop_and_with_the_entry() {
    for how in ["stop", "deregister"] {
        let scene = Scene::new();
        let wrapper = scene.kept_up("bot", &format!("{QUICK} -- sleep 4242"));
        wrapper.signal(Signal::KILL);
        wrapper.is_gone();
        scene.kept(&format!("{how} bot")).exits(0).says("stopped");
        scene.nothing_is_left();
    }
}

#[test]
fn a_start_of_what_died_unseen_starts_it_and_counts_the_death() {
    let scene = Scene::new();
    scene.kept_up("bot", "'exec sleep 4242'");
    scene.members_running("sleep 4242")[0].signal(Signal::KILL);
    until("the end is recorded", || scene.status("bot").is_some());
    scene.kept("start bot").exits(0).says("started");
    assert_eq!(copies(&scene, "sleep 4242"), 1);
    assert_eq!(scene.ledger("bot")["failures"]["signal"], 1);
    assert_eq!(scene.alerts().len(), 1);
    scene.kept("stop bot").exits(0);
}

#[test]
fn a_process_whose_ledger_was_deleted_goes_on() {
    let scene = Scene::new();
    let wrapper = scene.kept_up("bot", "-- sleep 4242");
    fs::remove_dir_all(scene.path("state")).unwrap();
    scene.kept("healthcheck").exits(0);
    assert!(wrapper.alive());
    assert_eq!(scene.phase("bot"), "up");
    scene.kept("stop bot").exits(0).says("stopped");
    scene.nothing_is_left();
}

#[test]
fn a_ledger_that_is_refused_keeps_nobody_from_the_others() {
    let scene = Scene::new();
    scene.kept_up("bad", "-- sleep 4241");
    let wrapper = scene.kept_up("good", "--restart-cooldown 0s -- sleep 4242");
    fs::remove_file(scene.path("state/bad.json")).unwrap();
    fs::create_dir(scene.path("state/bad.json")).unwrap();
    wrapper.signal(Signal::KILL);
    wrapper.is_gone();
    scene.kept("healthcheck").exits(2).says("state/bad.json is not a regular file");
    scene.is_up("good");
    scene.kept("status").exits(3).says("good  running").says("bad   invalid");
    fs::remove_dir(scene.path("state/bad.json")).unwrap();
    scene.kept("stop --all").exits(0);
}

#[test]
fn any_entry_can_be_taken_out() {
    let scene = Scene::new();
    let nonsense = r#"{"a": {"command": ""}, "b": 7, "my bot": {"command": "true"}, "c": []}"#;
    fs::create_dir_all(scene.root()).unwrap();
    fs::write(scene.registry(), nonsense).unwrap();
    scene.kept("healthcheck").exits(2).says("deregister 'my bot'");
    scene.kept("deregister b").exits(0);
    scene.keep("deregister").arg("my bot").finish().exits(0);
    let left: serde_json::Value =
        serde_json::from_slice(&fs::read(scene.registry()).unwrap()).unwrap();
    assert_eq!(left, serde_json::json!({"a": {"command": ""}, "c": []}));
    scene.kept("deregister --all").exits(0).says("deregistered  a");
    assert_eq!(fs::read_to_string(scene.registry()).unwrap().trim(), "{}");
}

#[test]
fn one_healthcheck_starts_those_that_come_after_others_as_well() {
    let scene = Scene::new();
    let first = scene.kept_up("first", "--restart-cooldown 0s -- sleep 4241");
    let second = scene.kept_up("second", "--after first -- sleep 4242");
    for wrapper in [first, second] {
        wrapper.signal(Signal::KILL);
        wrapper.is_gone();
    }
    scene.kept("healthcheck").exits(0);
    assert_eq!((copies(&scene, "sleep 4241"), copies(&scene, "sleep 4242")), (1, 1));
    scene.kept("stop --all").exits(0);
}

#[test]
fn a_wrapper_that_cannot_be_executed_is_a_refused_start_that_is_put_off() {
    let scene = Scene::new();
    let bin = scene.path("bin");
    fs::create_dir_all(&bin).unwrap();
    let keep = scene.copy(crate::scene::KEEP, "bin/sentinel-keep");
    // As a loader says it that finds no library.
    scene.script("bin/sentinel-run", "#!/bin/sh\necho >>\"$0.tries\"\nexit 127\n");
    scene.kept("register bot -- sleep 4242").exits(0);
    let call = |line: &str| {
        let registry = scene.registry();
        scene.program(&keep).arg("--registry").arg(registry).args(line.split(' ')).finish()
    };
    call("start bot").exits(1);
    assert_eq!(scene.phase("bot"), "due");
    assert_eq!(scene.ledger("bot")["failures"]["start"], 1);
    let tries = fs::read_to_string(bin.join("sentinel-run.tries")).unwrap().lines().count();
    assert_eq!(tries, 1, "tried again at once");
}

#[test]
fn a_job_of_the_name_of_a_process_is_taken_for_it() {
    let scene = Scene::new();
    scene.detached("bot", "--grace 300ms bot -- sleep 4243");
    scene.kept("register bot -- sleep 4242").exits(0);
    scene.kept("status bot").exits(0).says("running");
    scene.kept("start bot").exits(0).says("already");
    assert_eq!((copies(&scene, "sleep 4243"), copies(&scene, "sleep 4242")), (1, 0));
    scene.kept("stop bot").exits(0);
    scene.nothing_is_left();
}
