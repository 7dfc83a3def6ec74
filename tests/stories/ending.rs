//! Ending a run ends all of its tree, wherever the members went, and nothing else.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::scene::{Process, Running, Scene, can, skip, until, until_some};

/// One of each way to slip out of a process group, and two ways not to die of TERM.
pub const ZOO: &str = "
    sleep 901 &
    setsid sleep 902 &
    (setsid sh -c 'sleep 903 & exit 0' &)
    (env -i setsid sleep 904 </dev/null >/dev/null 2>&1 &)
    (trap '' TERM; exec sleep 905) &
    sleep 906 & until grep -q sleep /proc/$!/comm; do :; done; kill -STOP $!
    (setsid setsid sh -c 'trap \"\" TERM HUP INT; cd /; sleep 907; sleep 907' &)
    wait; sleep 908";

/// Starts the zoo as the job's command and waits until all of it is there.
pub fn zoo(scene: &Scene, options: &str) -> Running {
    let wrapper = scene.run(options).args(["job", "--", "sh", "-c", ZOO]).start();
    zoo_is_up(scene);
    wrapper
}

pub fn zoo_is_up(scene: &Scene) {
    for n in 901..=907 {
        until_some(&format!("sleep {n}"), || scene.members_running(&format!("sleep {n}")).pop());
    }
    until("one is stopped", || scene.members_running("sleep 906")[0].state() == Some('T'));
}

fn pid_of_record(value: &Value) -> u64 {
    value["pid"].as_u64().unwrap_or_else(|| panic!("no pid in {value}"))
}

#[test]
fn a_signal_to_the_pid_in_the_file_ends_the_whole_tree() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let scene = Scene::new();
        let bystander = scene.bystander();
        let wrapper = zoo(&scene, "--grace 300ms");
        scene.wrapper("job").signal(signal);
        let done = wrapper.wait();
        assert!(done.code.is_some_and(|code| code != 0), "{}", done.told());
        scene.nothing_is_left_but(&[bystander.pid()]);
        let result = scene.result("job");
        assert_eq!(result["outcome"], json!("stopped"));
        assert_eq!(result["survivors"], json!([]));
        assert_eq!(pid_of_record(&result["ended_by"]), u64::from(std::process::id()));
        assert_eq!(result["ended_by"]["uid"], json!(nix::unistd::getuid().as_raw()));
        assert!(result["ended_by"]["comm"].is_string());
        assert_eq!(scene.status("job").as_deref(), Some("FAILED\n"));
        scene.watched("job").exits(1);
    }
}

#[test]
fn a_timeout_ends_the_whole_tree() {
    let scene = Scene::new();
    // However far the tree has come when the time is over.
    let run = scene.run("--timeout 1s --grace 300ms job -- sh -c").arg(ZOO);
    run.finish().exits(124);
    scene.nothing_is_left();
    let result = scene.result("job");
    assert_eq!(result["outcome"], json!("timeout"));
    assert_eq!(result["ended_by"], Value::Null);
    assert_eq!(scene.status("job").as_deref(), Some("FAILED\n"));
}

#[test]
fn a_watcher_ends_the_whole_tree_of_a_hung_job() {
    let scene = Scene::new();
    let bystander = scene.bystander();
    let wrapper =
        zoo(&scene, "--grace 300ms --beat-on output --heartbeat-interval 100ms --stale 30s");
    scene.age("job.heartbeat", Duration::from_hours(1));
    let watcher = scene.watch("job").start();
    let watcher_pid = watcher.pid();
    watcher.wait().exits(3).says("hung");
    wrapper.wait().exits(124);
    scene.nothing_is_left_but(&[bystander.pid()]);
    let result = scene.result("job");
    assert_eq!(result["outcome"], json!("hung"));
    assert_eq!(pid_of_record(&result["ended_by"]), u64::from(watcher_pid));
    assert_eq!(scene.status("job").as_deref(), Some("FAILED\n"));
    scene.watched("job").exits(3);
}

#[test]
fn a_watcher_ends_a_job_that_is_over_its_time() {
    let scene = Scene::new();
    let wrapper = zoo(&scene, "--grace 300ms");
    scene.watched("--timeout 300ms --poll-interval 200ms job").exits(4);
    wrapper.wait().exits(124);
    scene.nothing_is_left();
    assert_eq!(scene.outcome("job"), "timeout");
    scene.watched("job").exits(4);
}

#[test]
fn stop_ends_the_whole_tree() {
    let scene = Scene::new();
    let bystander = scene.bystander();
    zoo(&scene, "--detach --grace 300ms").wait().exits(0);
    scene.watched("--stop job");
    scene.nothing_is_left_but(&[bystander.pid()]);
    let result = scene.result("job");
    assert_eq!(result["outcome"], json!("stopped"));
    assert!(result["ended_by"]["pid"].is_u64());
    assert_eq!(scene.status("job").as_deref(), Some("FAILED\n"));
    // Once more, and of a job that never was: nothing to do, and no hang.
    scene.watched("--stop job").exits_one_of(&[0, 1]);
    assert_eq!(scene.outcome("job"), "stopped");
    scene.watched("--stop nobody").exits_one_of(&[0, 2, 6]);
}

#[test]
fn a_wrapper_that_is_stopped_itself_is_woken_to_end_its_tree() {
    let scene = Scene::new();
    let wrapper =
        zoo(&scene, "--grace 300ms --beat-on output --heartbeat-interval 100ms --stale 30s");
    scene.wrapper("job").signal(Signal::STOP);
    until("the wrapper is stopped", || wrapper.process().state() == Some('T'));
    scene.age("job.heartbeat", Duration::from_hours(1));
    scene.watched("job").exits(3);
    wrapper.wait();
    scene.nothing_is_left();
    assert_eq!(scene.outcome("job"), "hung");
}

#[test]
fn a_second_interrupt_kills_at_once() {
    let scene = Scene::new();
    let wrapper = scene.up(
        "job",
        "--grace 10m job -- sh -c 'trap \"\" TERM INT; echo deaf; while :; do sleep 911; done'",
    );
    until("it ignores the first", || scene.read("job.log") == "deaf\n");
    wrapper.signal(Signal::INT);
    // The first one has been taken when TERM reached the sleep.
    until("the end has begun", || {
        wrapper.signal(Signal::INT);
        scene.status("job").is_some()
    });
    wrapper.wait();
    scene.nothing_is_left();
    assert_eq!(scene.outcome("job"), "stopped");
}

#[test]
fn an_ignored_hangup_stays_ignored() {
    let scene = Scene::new();
    let script =
        r#"trap '' HUP; exec "$RUN" --dir "$DIR" --heartbeat-interval 100ms job -- sleep 912"#;
    let wrapper = scene.sh(script).start();
    scene.is_up("job");
    wrapper.signal(Signal::HUP);
    scene.beats("job", 3);
    assert_eq!(scene.status("job"), None);
    scene.stop("job");
    wrapper.wait();
}

#[test]
fn a_signal_sent_to_the_command_alone_is_its_own_affair() {
    let scene = Scene::new();
    let wrapper = scene
        .up("job", "job -- sh -c 'trap \"exit 0\" TERM; echo ready; while :; do sleep 0.1; done'");
    until("the trap is set", || scene.read("job.log") == "ready\n");
    let child = scene.heartbeat("job").unwrap()["child_pid"].as_u64().unwrap();
    Process::of(u32::try_from(child).unwrap()).unwrap().signal(Signal::TERM);
    wrapper.wait().exits(0);
    let result = scene.result("job");
    assert_eq!(result["outcome"], json!("success"));
    assert_eq!(result["ended_by"], Value::Null);
}

#[test]
fn a_graceful_command_may_finish_within_the_grace() {
    let scene = Scene::new();
    let line = "--grace 20s job -- sh -c 'trap \"echo cleaned; exit 0\" TERM; echo ready; while :; do sleep 0.1; done'";
    let wrapper = scene.up("job", line);
    until("the trap is set", || scene.read("job.log") == "ready\n");
    wrapper.signal(Signal::TERM);
    wrapper.wait();
    assert!(scene.read("job.log").ends_with("cleaned\n"));
    assert_eq!(scene.outcome("job"), "stopped");
}

#[test]
fn what_outlives_the_command_is_reported_or_ended() {
    let scene = Scene::new();
    let script = "setsid sh -c 'echo up; exec sleep 913' & until grep -q up \"$DIR/job.log\"; do sleep 0.01; done; exit 0";
    scene.run("job -- sh -c").arg(script).finish().exits(0);
    let survivor = scene.members_running("sleep 913")[0];
    let result = scene.result("job");
    assert_eq!(result["outcome"], json!("success"), "the run ends with its command");
    assert_eq!(result["survivors"], json!([{"pid": survivor.pid, "comm": "sleep"}]));
    // It has the log open still; neither a watcher nor the next start waits for it.
    scene.watched("job").exits(0);
    assert!(survivor.alive());
    survivor.signal(Signal::KILL);
    survivor.is_gone();

    scene.run("--kill-survivors --grace 300ms job -- sh -c").arg(script).finish().exits(0);
    scene.nothing_is_left();
    assert_eq!(scene.outcome("job"), "success");
}

#[test]
fn a_job_inside_a_job_is_not_of_its_tree() {
    for how in ["", "--detach"] {
        let scene = Scene::new();
        let script = format!(r#""$RUN" --dir "$DIR" {how} inner -- sleep 914; sleep 915"#);
        let outer = scene.run("--grace 300ms outer -- sh -c").arg(script).start();
        scene.is_up("inner");
        until("the outer command is where it stays", || {
            how.is_empty() || !scene.members_running("sleep 915").is_empty()
        });
        let inner = scene.wrapper("inner");
        outer.signal(Signal::TERM);
        outer.wait();
        let result = scene.result("outer");
        assert_eq!(result["outcome"], json!("stopped"));
        assert_eq!(result["survivors"], json!([]), "the other job is no survivor");
        assert!(inner.alive(), "the inner job goes on ({how})");
        scene.runs_once("sleep 914");
        scene.watched("--once inner").exits(5);
        scene.stop("inner");
        scene.nothing_is_left();
    }
}

#[test]
fn a_process_merely_named_like_the_wrapper_is_ended() {
    let scene = Scene::new();
    scene.copy("/bin/sleep", "sentinel-run");
    let script = "setsid ./sentinel-run 916 & ./sentinel-run 917";
    let wrapper = scene.run("--grace 300ms job -- sh -c").arg(script).start();
    for line in ["./sentinel-run 916", "./sentinel-run 917"] {
        until(line, || !scene.members_running(line).is_empty());
    }
    wrapper.signal(Signal::TERM);
    wrapper.wait();
    scene.nothing_is_left();
    assert_eq!(scene.result("job")["survivors"], json!([]));
}

#[test]
fn beats_go_on_while_a_run_is_being_ended() {
    let scene = Scene::new();
    let line = "--grace 20s --beat-on alive --heartbeat-interval 100ms job -- sh -c 'trap \"\" TERM; echo deaf; sleep 918'";
    let wrapper = scene.up("job", line);
    until("it is deaf", || scene.read("job.log") == "deaf\n");
    wrapper.signal(Signal::TERM);
    scene.beats("job", 5);
    assert_eq!(scene.status("job"), None);
    until("two interrupts end it", || {
        wrapper.signal(Signal::INT);
        scene.status("job").is_some()
    });
    wrapper.wait();
}

#[test]
fn a_queued_signal_says_why_the_run_is_ended() {
    let name = "a_queued_signal_says_why_the_run_is_ended";
    if !can(&format!("/bin/kill -q 0 -s 0 {}", std::process::id())) {
        return skip(name, "no kill that queues a value");
    }
    for (value, outcome, code) in
        [(1, "hung", Some(124)), (2, "timeout", Some(124)), (7, "stopped", None)]
    {
        let scene = Scene::new();
        let wrapper = scene.up("job", "--grace 300ms job -- sh -c 'setsid sleep 919 & sleep 920'");
        let kill = scene.command(&format!("/bin/kill -q {value} -s TERM {}", wrapper.pid()));
        kill.finish().exits(0);
        let done = wrapper.wait();
        assert!(code.is_none_or(|code| done.code == Some(code)), "{}", done.told());
        assert_eq!(scene.outcome("job"), outcome);
        scene.nothing_is_left();
    }
}

#[test]
fn a_chain_of_processes_that_fork_and_exit_for_ever_is_ended() {
    let scene = Scene::new();
    // Each link starts the next in a session of its own and is gone; it lasts as long as the file.
    let link = scene
        .script("link", "#!/bin/sh\ntrap '' TERM\nsetsid \"$0\" </dev/null >/dev/null 2>&1 &\n");
    let run = scene.run("--grace 300ms job -- sh -c").arg("./link; ./link; echo linked; sleep 863");
    let wrapper = run.start();
    until("the chains run", || {
        scene.file("job.log").exists() && scene.read("job.log") == "linked\n"
    });
    wrapper.signal(Signal::TERM);
    wrapper.wait();
    let left = scene.members();
    std::fs::remove_file(link).unwrap();
    assert!(left.is_empty(), "left behind: {left:?}");
    assert_eq!(scene.outcome("job"), "stopped");
}

#[test]
fn command_wrapper_and_watcher_killed_together_leave_one_verdict() {
    let scene = Scene::new();
    let wrapper = scene.up("job", "--grace 300ms job -- sleep 864");
    let mut watcher = scene.watch("--events job").start();
    watcher.until_it_says("started");
    let command = scene.members_running("sleep 864")[0];
    watcher.signal(Signal::KILL);
    wrapper.signal(Signal::KILL);
    command.signal(Signal::KILL);
    watcher.wait();
    wrapper.wait();
    scene.watched("--once job").exits(1).says("lost");
    assert_eq!(scene.outcome("job"), "lost");
    assert_eq!(scene.history("job").len(), 1);
    scene.ran("job -- true").exits(0);
}

/// A control group in which a process is held still, deaf to all but SIGKILL.
struct Freezer(std::path::PathBuf);

impl Freezer {
    fn around(pid: u32) -> Option<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
        let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"))?;
        let place = std::path::Path::new(mount.split(' ').nth(1)?).join(format!("story-{pid}"));
        std::fs::create_dir(&place).ok()?;
        let freezer = Self(place);
        std::fs::write(freezer.0.join("cgroup.procs"), pid.to_string()).ok()?;
        std::fs::write(freezer.0.join("cgroup.freeze"), "1").ok()?;
        let frozen = || {
            let events = std::fs::read_to_string(freezer.0.join("cgroup.events"));
            events.is_ok_and(|events| events.contains("frozen 1"))
        };
        until("it is held", frozen);
        Some(freezer)
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        let _ = std::fs::write(self.0.join("cgroup.freeze"), "0");
        until("the group can go", || std::fs::remove_dir(&self.0).is_ok());
    }
}

#[test]
fn a_wrapper_that_cannot_react_is_killed_after_all_else_was_tried() {
    let scene = Scene::new();
    let options = "--beat-on output --heartbeat-interval 100ms --stale 30s --grace 300ms";
    let script = "setsid sleep 865 & sleep 866";
    let run = scene.run(options).args(["job", "--", "sh", "-c", script]);
    let wrapper = run.start();
    scene.is_up_as("job", &wrapper);
    let Some(freezer) = Freezer::around(wrapper.pid()) else {
        scene.stop("job");
        wrapper.wait();
        let name = "a_wrapper_that_cannot_react_is_killed_after_all_else_was_tried";
        return skip(name, "no control group can be made");
    };
    scene.age("job.heartbeat", Duration::from_hours(1));
    scene.watched("job").exits(3);
    assert_eq!(scene.outcome("job"), "hung");
    assert_eq!(wrapper.wait().signal, Some(9));
    drop(freezer);
    scene.nothing_is_left();
    scene.watched("--once job").exits(3);
}

#[test]
fn a_stopped_run_never_exits_0_and_keeps_any_other_code() {
    for (own, expected) in [(0, 143), (7, 7)] {
        let scene = Scene::new();
        let script = format!("trap 'exit {own}' TERM; echo ready; while :; do sleep 0.1; done");
        let wrapper = scene.run("--grace 20s job -- sh -c").arg(script).start();
        scene.is_up_as("job", &wrapper);
        until("the trap is set", || scene.read("job.log") == "ready\n");
        wrapper.signal(Signal::TERM);
        wrapper.wait().exits(expected);
        let result = scene.result("job");
        assert_eq!(result["outcome"], json!("stopped"));
        assert_eq!(result["exit_code"], json!(own));
        scene.watched("job").exits(1);
    }
}

#[test]
fn what_outlives_the_command_is_named_to_whoever_asks() {
    let scene = Scene::new();
    let script = "setsid sh -c 'echo up; exec sleep 867' & until grep -q up \"$DIR/job.log\"; do sleep 0.01; done";
    for code in [0, 3] {
        let script = format!("{script}; exit {code}");
        let done = scene.run("job -- sh -c").arg(script).finish().exits(code);
        let survivor = scene.members_running("sleep 867")[0];
        assert!(done.stderr.contains(&survivor.pid.to_string()), "{}", done.told());
        assert!(done.stderr.contains("left behind"), "{}", done.told());
        assert_eq!(done.stderr.lines().count(), 1, "{}", done.told());
        let report = scene.watched("job").exits(i32::from(code != 0)).says("left behind");
        assert!(report.stdout.contains(&survivor.pid.to_string()), "{}", report.told());
        survivor.signal(Signal::KILL);
        survivor.is_gone();
    }
}
