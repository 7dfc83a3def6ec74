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
    scene.runs_once("sleep 927");
    assert_eq!(scene.status("job"), None);
    wrapper.signal(Signal::KILL);
    wrapper.wait();
    scene.watched("--no-kill job").exits(1);
    scene.runs_once("sleep 927");
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
    scene.runs_once("sleep 930");
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

#[test]
fn a_torn_status_of_a_dead_wrapper_is_no_outcome() {
    for torn in ["", "SUCCESS"] {
        let scene = Scene::new();
        let wrapper = scene.up("job", "job -- sleep 931");
        wrapper.signal(Signal::KILL);
        wrapper.wait();
        scene.write("job.status", torn);
        let done = scene.watched("--once --grace 300ms --json job").exits(1);
        assert!(done.took < Duration::from_secs(10), "{:?}", done.took);
        assert_eq!(done.json()["outcome"], json!("lost"), "{torn:?}");
        assert_eq!(scene.status("job").as_deref(), Some("FAILED\n"), "{torn:?}");
        is_lost(&scene);
        scene.nothing_is_left();
    }
}

/// What is there when a start dies before it has written its heartbeat, after a run that left an
/// output and counted in another circuit.
fn cut_short(scene: &Scene) -> serde_json::Value {
    let script = r#"echo '{"rows": 3}' > "$SENTINEL_RESULT""#;
    scene.run("--circuit shared job -- sh -c").arg(script).finish().exits(0);
    let before = scene.result("job")["run_id"].clone();
    scene.write("job.pid", "");
    scene.age("job.pid", Duration::from_secs(3));
    fs::remove_file(scene.file("job.status")).unwrap();
    fs::remove_file(scene.file("job.result")).unwrap();
    before
}

const OF_CUT_SHORT: &str = "--start-wait 0 --grace 200ms --max-wait 20s";

#[test]
fn a_start_that_was_cut_short_is_lost_and_leaves_no_output() {
    let scene = Scene::new();
    cut_short(&scene);
    for _ in 0..2 {
        let verdict = scene.watched(&format!("{OF_CUT_SHORT} --json job")).exits(1).json();
        assert_eq!(verdict["outcome"], json!("lost"), "{verdict}");
        assert_eq!(verdict["output"], json!(null), "{verdict}");
        let done = scene.watched(&format!("{OF_CUT_SHORT} job")).exits(1);
        done.says("lost").never_says("output:");
    }
    assert_eq!(scene.status("job").as_deref(), Some("FAILED\n"));
    // The run before is told in its circuit as it was, and once.
    let lines = scene.history("shared");
    assert_eq!(lines[0]["outcome"], json!("success"));
    scene.ran("job -- true").exits(0);
    scene.watched("job").exits(0);
}

#[test]
fn a_start_that_was_cut_short_is_not_called_by_the_run_before() {
    let scene = Scene::new();
    let before = cut_short(&scene);
    for watcher in 1..=3 {
        let verdict = scene.watched(&format!("{OF_CUT_SHORT} --json job")).exits(1).json();
        assert_eq!(verdict["outcome"], json!("lost"), "{verdict}");
        assert_ne!(verdict["run_id"], before, "that one was a success: watcher {watcher}");
        assert_eq!(verdict["run_id"], scene.result("job")["run_id"], "watcher {watcher}");
    }
}

#[test]
fn a_verdict_comes_though_somebody_else_keeps_the_lock() {
    let scene = Scene::new();
    for name in ["shared", "alone"] {
        let wrapper = scene.up(name, &format!("{name} -- sleep 933"));
        wrapper.signal(Signal::KILL);
        wrapper.wait();
        scene.clear_up();
        scene.age(&format!("{name}.heartbeat"), Duration::from_hours(1));
    }
    // A backup, say. Who keeps it alone cannot be told from the wrapper but by its silence.
    let (shared, alone) = (scene.file("shared.pid"), scene.file("alone.pid"));
    let (shared, alone) = (fs::File::open(shared).unwrap(), fs::File::open(alone).unwrap());
    shared.lock_shared().unwrap();
    alone.lock().unwrap();
    let watch = |name| scene.watch(&format!("--grace 200ms {name}")).start();
    let (of_shared, of_alone) = (watch("shared"), watch("alone"));
    of_shared.wait().exits(1).says("lost").says("not recorded");
    of_alone.wait().exits(3).says("not recorded");
    drop((shared, alone));
    assert_eq!((scene.status("shared"), scene.status("alone")), (None, None));
    // Nobody is in the way any more: now it is recorded.
    scene.watched("--grace 200ms shared").exits(1).never_says("not recorded");
    assert_eq!(scene.outcome("shared"), "lost");
}

#[test]
fn a_survivor_with_the_log_open_is_found_below_a_linked_directory() {
    let scene = Scene::new();
    fs::create_dir(scene.path("real")).unwrap();
    std::os::unix::fs::symlink(scene.path("real"), scene.path("linked")).unwrap();
    let dir = scene.path("linked/jobs");
    // Its environment, its session and its parent say nothing of the job; its output does.
    let script = "(env -i setsid sh -c '(setsid sleep 934 &)' &); exec sleep 935";
    let run = scene.program(crate::scene::RUN).arg("--dir").arg(&dir);
    let wrapper = run.args(["job", "--", "sh", "-c", script]).start();
    for line in ["sleep 934", "sleep 935"] {
        until(line, || !scene.members_running(line).is_empty());
    }
    wrapper.signal(Signal::KILL);
    wrapper.wait();
    let watch = scene.program(crate::scene::WATCH).arg("--dir").arg(&dir);
    watch.args(["--grace", "300ms", "job"]).finish().exits(1).says("lost");
    scene.nothing_is_left();
}
