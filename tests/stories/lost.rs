//! A wrapper that dies without a word: its watcher finds out, clears up and says so.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::ending::{ZOO, zoo_is_up};
use crate::scene::{Scene, until};

#[track_caller]
fn is_lost(scene: &Scene) {
    let verdict = scene.watched("--grace 300ms --json job").exits(1).json();
    assert_eq!(verdict["verdict"], json!("failed"));
    assert_eq!(verdict["outcome"], json!("lost"));
    let result = scene.result("job");
    assert_eq!(result["outcome"], json!("lost"));
    assert_eq!(result["run_id"], verdict["run_id"]);
    assert_eq!(scene.status("job").as_deref(), Some("FAILED\n"));
    let lines = scene.history("job");
    let counted = lines.iter().filter(|line| line["run_id"] == verdict["run_id"]).count();
    assert_eq!(counted, 1, "{lines:?}");
    // Whoever comes later says the same.
    let again = scene.watched("--json job").exits(1).json();
    assert_eq!(again["outcome"], json!("lost"));
    assert_eq!(again["run_id"], verdict["run_id"]);
}

#[test]
fn a_killed_wrapper_is_lost_and_its_tree_is_ended() {
    let scene = Scene::new();
    let bystander = scene.bystander();
    // Detached, so that nobody is there to reap the wrapper but the system.
    scene.run("--detach --grace 300ms job -- sh -c").arg(ZOO).finish().exits(0);
    zoo_is_up(&scene);
    let wrapper = scene.wrapper("job");
    wrapper.signal(Signal::KILL);
    wrapper.is_gone();
    is_lost(&scene);
    // What cleared its environment, left the session and closed the log cannot be found.
    let mut left = scene.members();
    left.retain(|process| process.pid != bystander.pid() && process.command_line() != "sleep 904");
    assert!(left.is_empty(), "left behind: {left:?}");
    assert_ne!(
        scene.result("job")["reason"],
        json!(""),
        "the search is no proof, and that is said"
    );
    assert!(bystander.process().alive());
    drop(bystander);
    scene.clear_up();
}

#[test]
fn survivors_of_a_killed_wrapper_are_found_by_run_session_or_log() {
    let scene = Scene::new();
    let script = "
        setsid sleep 921 >/dev/null 2>&1 &
        env -i sleep 922 >/dev/null 2>&1 &
        env -i setsid sleep 923 &
        wait";
    scene.run("--detach job -- sh -c").arg(script).finish().exits(0);
    for n in 921..=923 {
        until("all are up", || !scene.members_running(&format!("sleep {n}")).is_empty());
    }
    let wrapper = scene.wrapper("job");
    wrapper.signal(Signal::KILL);
    wrapper.is_gone();
    is_lost(&scene);
    scene.nothing_is_left();
}

#[test]
fn a_wrapper_that_is_a_zombie_is_dead() {
    let scene = Scene::new();
    // This process is its parent and does not wait for it yet.
    let wrapper = scene.up("job", "job -- sleep 924");
    wrapper.signal(Signal::KILL);
    is_lost(&scene);
    scene.nothing_is_left();
    assert_eq!(wrapper.wait().signal, Some(9));
}

#[test]
fn a_watcher_already_waiting_sees_the_death_at_once() {
    let scene = Scene::new();
    let wrapper = scene.up("job", "job -- sleep 925");
    let mut watcher = scene.watch("--events --grace 300ms job").start();
    watcher.until_it_says("started");
    wrapper.signal(Signal::KILL);
    watcher.wait().exits(1);
    scene.nothing_is_left();
    assert_eq!(scene.outcome("job"), "lost");
}

#[test]
fn a_killed_command_is_a_failure_of_its_own() {
    let scene = Scene::new();
    let wrapper = scene.up("job", "job -- sleep 926");
    scene.members_running("sleep 926")[0].signal(Signal::KILL);
    wrapper.wait().exits(137);
    assert_eq!(scene.outcome("job"), "failed");
    scene.watched("job").exits(1).says("KILL");
}

#[test]
fn no_kill_only_reports() {
    let scene = Scene::new();
    let wrapper =
        scene.up("job", "--beat-on output --heartbeat-interval 100ms --stale 20s job -- sleep 927");
    scene.age("job.heartbeat", Duration::from_hours(1));
    scene.watched("--no-kill job").exits(3);
    assert_eq!(scene.members_running("sleep 927").len(), 1);
    assert_eq!(scene.status("job"), None);
    wrapper.signal(Signal::KILL);
    wrapper.wait();
    scene.watched("--no-kill job").exits(1);
    assert_eq!(scene.members_running("sleep 927").len(), 1);
    scene.watched("job").exits(1);
    scene.nothing_is_left();
}

#[test]
fn a_job_inside_a_lost_job_goes_on() {
    let scene = Scene::new();
    let script = r#""$RUN" --dir "$DIR" inner -- sleep 928"#;
    scene.run("--detach job -- sh -c").arg(script).finish().exits(0);
    scene.is_up("inner");
    let (outer, inner) = (scene.wrapper("job"), scene.wrapper("inner"));
    outer.signal(Signal::KILL);
    outer.is_gone();
    is_lost(&scene);
    assert!(inner.alive());
    scene.watched("--once inner").exits(5);
    scene.stop("inner");
    scene.nothing_is_left();
}

#[test]
fn another_boot_is_a_loss_by_reboot() {
    let scene = Scene::new();
    let wrapper = scene.up("job", "job -- sleep 929");
    wrapper.signal(Signal::KILL);
    wrapper.wait();
    scene.clear_up();
    // The machine that wrote this has been started anew since.
    let mut record = scene.heartbeat("job").unwrap();
    record["boot_id"] = json!("00000000-0000-4000-8000-000000000000");
    scene.write("job.heartbeat", record.to_string());
    let verdict = scene.watched("--json job").exits(1).json();
    assert_eq!(verdict["outcome"], json!("lost"));
    assert!(verdict["reason"].as_str().unwrap().contains("boot"), "{verdict}");
}

#[test]
fn another_hosts_job_is_judged_by_its_heartbeat_alone() {
    let scene = Scene::new();
    let wrapper = scene.up("job", "job -- sleep 930");
    wrapper.signal(Signal::KILL);
    wrapper.wait();
    let mut record = scene.heartbeat("job").unwrap();
    record["host"] = json!("another-host");
    record["boot_id"] = json!("00000000-0000-4000-8000-000000000000");
    scene.write("job.heartbeat", record.to_string());
    scene.watched("--once job").exits(5);
    scene.age("job.heartbeat", Duration::from_hours(1));
    scene.watched("--max-wait 5s --grace 300ms job").exits(3);
    // Nothing was signalled on its account: the number means nothing here.
    assert_eq!(scene.members_running("sleep 930").len(), 1);
    scene.clear_up();
}

#[test]
fn a_lost_run_with_a_whole_result_keeps_its_own_outcome() {
    let scene = Scene::new();
    scene.ran("job -- sh -c 'exit 3'").exits(3);
    // As if the wrapper had died between its two last files.
    fs::remove_file(scene.file("job.status")).unwrap();
    let verdict = scene.watched("--json job").exits(1).json();
    assert!(scene.status("job").is_some());
    let again = scene.watched("--json job").exits(1).json();
    assert_eq!(verdict["outcome"], again["outcome"]);
    assert_eq!(scene.history("job").len(), 1);
}
