//! Whoever stops a run may know why: what `--on-stop` prints is in the reason, and holds up nothing.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::scene::{Running, Scene, until};

/// A job with this `--on-stop`, up.
fn up(scene: &Scene, options: &str, on_stop: &str, script: &str) -> Running {
    let run = scene.run(options).arg("--on-stop").arg(on_stop);
    let wrapper = run.args(["job", "--", "sh", "-c", script]).start();
    scene.is_up_as("job", &wrapper);
    wrapper
}

fn reason(scene: &Scene) -> String {
    scene.result("job")["reason"].as_str().expect("a reason").to_owned()
}

#[test]
fn the_first_line_of_the_answer_is_in_the_reason() {
    let scene = Scene::new();
    let long = "x".repeat(300);
    let of = format!("; job of {}", scene.root().display());
    let table = [
        ("echo preempted; echo more", "; preempted"),
        (r"printf '\n\033[31mtime\007 limit\033[0m\r\n'; exit 3", "; time limit"),
        (r#"echo "$SENTINEL_NAME of $PWD""#, of.as_str()),
        ("echo a message >&2", ""),
        ("exit 3", ""),
        ("/nonexistent/asks", ""),
    ];
    for (on_stop, said) in table {
        let wrapper = up(&scene, "", on_stop, "sleep 941");
        wrapper.signal(Signal::TERM);
        let done = wrapper.wait().exits(143);
        let reason = reason(&scene);
        assert!(reason.starts_with("stopped by SIGTERM from pid"), "{on_stop}: {reason}");
        assert!(reason.ends_with(&format!("){said}")), "{on_stop}: {reason}");
        assert_eq!(scene.outcome("job"), "stopped", "{on_stop}");
        assert!(done.stderr.contains(&reason), "{}", done.told());
        scene.watched("job").exits(1).says(&format!("reason: {reason}"));
    }
    let wrapper = up(&scene, "", &format!("echo {long}"), "sleep 941");
    wrapper.signal(Signal::TERM);
    wrapper.wait();
    assert!(reason(&scene).ends_with(&format!("; {}…", &long[..200])), "{}", reason(&scene));
    // Only who is told to end asks why.
    let timeout = ["--on-stop", "echo asked > asked", "job", "--", "sleep", "941"];
    scene.run("--timeout 200ms").args(timeout).finish().exits(124);
    scene.run("").args(["--on-stop", "echo asked > asked", "job", "--", "false"]).finish().exits(1);
    assert!(!scene.path("asked").exists());
}

#[test]
fn a_slow_answer_delays_neither_the_term_nor_the_record_and_is_ended_with_all_it_started() {
    let scene = Scene::new();
    let slow = "echo early; setsid sleep 942 & sleep 943";
    let script = "trap 'echo told > told; exit 0' TERM; sleep 944 & wait";
    let wrapper = up(&scene, "--grace 1s", slow, script);
    let begun = std::time::Instant::now();
    wrapper.signal(Signal::TERM);
    until("the command is told", || scene.path("told").exists());
    assert_eq!(scene.status("job"), None, "the answer is awaited");
    until("it is asked at the same time", || !scene.members_running("sleep 943").is_empty());
    wrapper.wait().exits(143);
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(reason(&scene).ends_with("; early"), "{}", reason(&scene));
    scene.nothing_is_left();

    // However long the grace is, the record of a tree that is gone waits for 5 seconds at most; and
    // a second INT waits for nothing.
    let wrapper = up(&scene, "--grace 10m", slow, "sleep 945");
    wrapper.signal(Signal::INT);
    until("the answer is awaited", || !scene.members_running("sleep 943").is_empty());
    let begun = std::time::Instant::now();
    wrapper.signal(Signal::INT);
    wrapper.wait();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(reason(&scene).ends_with("; early"), "{}", reason(&scene));
    scene.nothing_is_left();
}

/// Who ends a job's whole group, or all of its cgroup, signals its processes one after the other.
#[test]
fn a_command_that_died_of_the_same_signal_was_stopped() {
    let scene = Scene::new();
    let deaths = ["", "exec sleep 946", "sleep 946; exit $?"];
    // Where an engine is expected to end it, a command may also make of its TERM what it likes.
    let exits = ["echo why", "trap 'exit 1' TERM; sleep 946", "exec sleep 946"];
    for [on_stop, scripts @ ..] in [deaths, exits] {
        for script in scripts {
            let options = if on_stop.is_empty() { "" } else { "--on-stop 'echo why'" };
            let run = scene.run(options).args(["job", "--", "sh", "-c", script]);
            let wrapper = run.start();
            until("it sleeps", || !scene.members_running("sleep 946").is_empty());
            let mut tree = scene.members();
            tree.retain(|process| process.pid != wrapper.pid());
            // Stopped, it finds both at once, however long the others take.
            wrapper.signal(Signal::STOP);
            for process in &tree {
                process.signal(Signal::TERM);
            }
            for process in &tree {
                process.is_gone();
            }
            wrapper.signal(Signal::TERM);
            wrapper.signal(Signal::CONT);
            wrapper.wait();
            assert_eq!(scene.outcome("job"), "stopped", "{script}: {}", reason(&scene));
            assert_eq!(reason(&scene).ends_with("; why"), !on_stop.is_empty(), "{script}");
        }
    }
    // By itself it is as ever.
    let wrapper = scene.up("job", "job -- sleep 947");
    scene.members_running("sleep 947")[0].signal(Signal::TERM);
    wrapper.wait().exits(143);
    assert_eq!(scene.result("job")["outcome"], json!("failed"));
    assert_eq!(reason(&scene), "killed by SIGTERM");
}

#[test]
fn what_a_watcher_decides_after_the_end_comes_too_late() {
    for options in ["", "--on-stop 'echo why'"] {
        let scene = Scene::new();
        let line = format!("{options} job -- sleep 948");
        let wrapper = scene.up("job", &line);
        wrapper.signal(Signal::STOP);
        let command = scene.members_running("sleep 948")[0];
        command.signal(Signal::TERM);
        command.is_gone();
        // It tells the wrapper, and has it go on.
        let watcher = scene.watch("--timeout 1ms job").start();
        wrapper.wait().exits(143);
        watcher.wait().exits(1);
        assert_eq!(scene.outcome("job"), "failed", "{}", reason(&scene));
        assert_eq!(reason(&scene), "killed by SIGTERM");
    }
}

#[test]
fn what_ended_well_before_it_is_told_to_end_is_a_success() {
    let scene = Scene::new();
    let script = "until [ -e go ]; do sleep 0.02; done";
    let wrapper = up(&scene, "", "echo why", script);
    wrapper.signal(Signal::STOP);
    std::fs::write(scene.path("go"), "").unwrap();
    until("it is over", || scene.members().iter().all(|process| process.pid == wrapper.pid()));
    wrapper.signal(Signal::TERM);
    wrapper.signal(Signal::CONT);
    wrapper.wait().exits(0);
    assert_eq!(scene.outcome("job"), "success");
}
