//! The wrapper as the first process of a container.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use crate::scene::{RUN, Scene, can, has, skip, until};

fn container(name: &str) -> bool {
    let able = has("unshare") && can("unshare --pid --fork --mount-proc true");
    if !able {
        skip(name, "no PID namespace can be made");
    }
    able
}

#[test]
fn as_pid_one_it_reaps_orphans_and_records() {
    if !container("as_pid_one_it_reaps_orphans_and_records") {
        return;
    }
    let scene = Scene::new();
    // Twenty orphans, which die as zombies of PID 1; the command waits until none is there.
    let script = r#"
        for n in 1 2 3 4 5 6 7 8 9 10; do (setsid sh -c 'sleep 0.05 & sleep 0.01 & exit 0' &); done
        sleep 0.1
        for n in $(seq 300); do
            zombies=$(cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z ')
            sleeps=$(cat /proc/[0-9]*/stat 2>/dev/null | grep -c '(sleep)')
            [ "$zombies$sleeps" = 00 ] && exit 5
            sleep 0.1
        done
        exit 6"#;
    let unshare =
        scene.command("unshare --pid --fork --mount-proc").arg(RUN).arg("--dir").arg(scene.dir());
    unshare.args(["job", "--", "sh", "-c", script]).finish().exits(5);
    assert_eq!(scene.read("job.pid"), "1\n");
    assert_eq!(scene.result("job")["exit_code"], serde_json::json!(5));
    assert_eq!(scene.status("job").as_deref(), Some("FAILED\n"));
    scene.watched("--once job").exits(1);
}

#[test]
fn as_pid_one_it_is_ended_by_term() {
    if !container("as_pid_one_it_is_ended_by_term") {
        return;
    }
    let scene = Scene::new();
    let unshare =
        scene.command("unshare --pid --fork --mount-proc").arg(RUN).arg("--dir").arg(scene.dir());
    let outer = unshare
        .args(["--grace", "300ms", "job", "--", "sh", "-c", "setsid sleep 992 & sleep 993"])
        .start();
    scene.is_up("job");
    let line = format!(
        "{RUN} --dir {} --grace 300ms job -- sh -c setsid sleep 992 & sleep 993",
        scene.dir().display()
    );
    // Seen from here it has another number, and is in another namespace.
    let inside = scene.members_running(&line);
    assert_eq!(inside.len(), 1);
    scene.watched("--once --no-kill job").exits(5);
    inside[0].signal(rustix::process::Signal::TERM);
    outer.wait();
    assert_eq!(scene.outcome("job"), "stopped");
    scene.nothing_is_left();
}

#[test]
fn a_job_of_another_pid_namespace_is_never_signalled() {
    if !container("a_job_of_another_pid_namespace_is_never_signalled") {
        return;
    }
    let scene = Scene::new();
    let unshare = scene
        .command("unshare --pid --fork --kill-child --mount-proc")
        .arg(RUN)
        .arg("--dir")
        .arg(scene.dir());
    let options = ["--beat-on", "output", "--stale", "20s", "--heartbeat-interval", "100ms"];
    let outer = unshare.args(options).args(["job", "--", "sleep", "994"]).start();
    scene.is_up("job");
    scene.age("job.heartbeat", std::time::Duration::from_hours(1));
    // Its number is 1. The watcher has a number 1 of its own, in a namespace of its own: a shell
    // that ends when it is signalled, and tells otherwise.
    let script = r#"trap 'echo signalled; exit 99' TERM INT HUP CONT
        "$WATCH" --dir "$DIR" --grace 300ms --max-wait 5s job; exit $?"#;
    let inside = scene.command("unshare --pid --fork --mount-proc sh -c").arg(script);
    inside.finish().exits(3).never_says("signalled");
    scene.runs_once("sleep 994");
    drop(outer);
    crate::scene::until("it ends with its namespace", || scene.members().is_empty());
}

/// Runs a job that would last, and its group, where `/proc` cannot be trusted: it is ended at its
/// time, nobody else is taken for a part of it, and it is never called stuck.
fn ends_its_group_unseen(name: &str, place: &str) {
    if !container(name) {
        return;
    }
    let scene = Scene::new();
    let bystander = scene.bystander();
    let options = "--heartbeat-interval 100ms --stale 500ms --end-if-stale --timeout 2s --grace 1s";
    let script =
        format!("{place} {RUN} --dir {} {options} job -- sh -c \"$0\"", scene.dir().display());
    let outer = scene.program("unshare").args(["--pid", "--fork", "--mount", "sh", "-c", &script]);
    let done = outer.arg("trap '' TERM; sleep 988 & sleep 989").finish().exits(124);
    let warnings = done.stderr.lines().filter(|line| line.contains("warning")).count();
    assert_eq!(warnings, 1, "{}", done.told());
    let result = scene.result("job");
    assert_eq!(result["reason"], serde_json::json!("ran longer than 2s"));
    assert_eq!(result["survivors"], serde_json::json!([]));
    assert!(bystander.process().alive());
    drop(bystander);
    scene.nothing_is_left();
}

#[test]
fn with_the_proc_of_another_namespace_it_ends_the_group_of_its_command() {
    let name = "with_the_proc_of_another_namespace_it_ends_the_group_of_its_command";
    ends_its_group_unseen(name, "exec");
}

#[test]
fn without_proc_it_ends_the_group_of_its_command() {
    ends_its_group_unseen("without_proc_it_ends_the_group_of_its_command", "umount -l /proc; exec");
}

/// Programs that wait for their input and, as event loops do, for ends of their own.
const EVENT_LOOPS: &[(&str, &[&str])] = &[
    ("python3", &["-c", "import os, select; select.select([0, os.pipe()[0]], [], [])"]),
    ("node", &["-e", "process.stdin.on('data', () => process.exit(0))"]),
    ("socat", &["-", "EXEC:cat"]),
];

#[test]
fn input_from_outside_a_container_is_somebodys() {
    let name = "input_from_outside_a_container_is_somebodys";
    if !container(name) {
        return;
    }
    if !EVENT_LOOPS.iter().any(|(program, _)| has(program)) {
        return skip(name, "there is no python3, node or socat");
    }
    for (program, arguments) in EVENT_LOOPS.iter().filter(|(program, _)| has(program)) {
        let scene = Scene::new();
        let options = "--heartbeat-interval 200ms --stale 1s --end-if-stale --stdin job --";
        let unshare = "unshare --pid --fork --kill-child --mount-proc";
        let outer = scene.command(unshare).arg(RUN).arg("--dir").arg(scene.dir());
        let mut outer =
            outer.args(options.split(' ')).arg(program).args(*arguments).start_with(|command| {
                command.stdin(Stdio::piped());
            });
        scene.is_up("job");
        let waits = || Some(scene.heartbeat("job")?["evidence"]["kind"] == json!("waiting"));
        until(&format!("{program} waits"), || waits() == Some(true));
        for _ in 0..10 {
            scene.beats("job", 1);
            let record = scene.heartbeat("job").expect("a heartbeat");
            assert_eq!(record["stuck"], json!(null), "{program} was called stuck");
        }
        outer.child.stdin.take().unwrap().write_all(b"word\n").unwrap();
        outer.wait().exits(0);
    }
}
