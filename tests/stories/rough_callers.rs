//! Callers that leave odd things behind for their programs: ignored and blocked signals, closed
//! streams, names that are no text. None of it costs an outcome.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::scene::{RUN, Scene, WATCH, can, skip, until};

#[test]
fn a_caller_that_ignores_the_end_of_children_costs_no_exit_status() {
    let scene = Scene::new();
    let script = r#"trap '' CHLD; exec "$RUN" --dir "$DIR" job -- sh -c 'exit 3'"#;
    scene.sh(script).finish().exits(3);
    assert_eq!(scene.result("job")["exit_code"], json!(3));
    scene.watched("--once job").exits(1);
}

#[test]
fn a_caller_that_blocks_signals_blocks_neither_wrapper_nor_command() {
    let name = "a_caller_that_blocks_signals_blocks_neither_wrapper_nor_command";
    if !can("env --block-signal=TERM true") {
        return skip(name, "no env that blocks signals");
    }
    let scene = Scene::new();
    let run = scene.command("env --block-signal=TERM,INT,CHLD,HUP,USR1").arg(RUN);
    let run =
        run.arg("--dir").arg(scene.dir()).args(["--grace", "300ms", "job", "--", "sleep", "861"]);
    let wrapper = run.start();
    scene.is_up_as("job", &wrapper);
    let command = scene.members_running("sleep 861")[0];
    let status = fs::read_to_string(format!("/proc/{}/status", command.pid)).unwrap();
    assert!(status.contains("SigBlk:\t0000000000000000"), "{status}");
    wrapper.signal(rustix::process::Signal::TERM);
    wrapper.wait();
    assert_eq!(scene.outcome("job"), "stopped");
    scene.nothing_is_left();
    // The watcher is as deaf to it.
    scene.ran("job -- sh -c 'exit 3'").exits(3);
    let watch = scene.command("env --block-signal=TERM,INT,CHLD --ignore-signal=PIPE").arg(WATCH);
    watch.arg("--dir").arg(scene.dir()).args(["--once", "job"]).finish().exits(1);
}

#[test]
fn closed_and_full_streams_cost_no_outcome() {
    let scene = Scene::new();
    let endings = ["<&- >&- 2>&-", ">/dev/full 2>/dev/full", "2>&-", ">&-"];
    for (n, streams) in endings.into_iter().enumerate() {
        for options in ["", "--tee"] {
            let job = format!("job{n}");
            let script = format!(
                r#"exec "$RUN" --dir "$DIR" {options} {job} -- sh -c 'echo out; echo err >&2; exit 3' {streams}"#
            );
            scene.sh(&script).finish().exits(3).never_says("panicked");
            assert_eq!(scene.read(&format!("{job}.log")), "out\nerr\n", "{streams}");
            assert_eq!(scene.outcome(&job), "failed");
        }
        let script = format!(r#"exec "$WATCH" --dir "$DIR" --once job{n} {streams}"#);
        let done = scene.sh(&script).finish().never_says("panicked");
        assert!(done.code.is_some_and(|code| code != 0), "{streams}: {}", done.told());
    }
    let script = r#"{ "$WATCH" --dir "$DIR" --list; echo "$?" > code; } | true"#;
    scene.sh(script).finish().never_says("panicked");
    until("the list has ended", || scene.path("code").exists());
}

#[test]
fn arguments_and_directories_need_not_be_text() {
    let scene = Scene::new();
    let odd = OsStr::from_bytes(b"caf\xe9 \xff\x01\n'\"");
    let dir = scene.path("odd").join(OsStr::from_bytes(b"d\xff \n'x"));
    fs::create_dir(scene.path("odd")).unwrap();
    let run = scene.program(RUN).arg("--dir").arg(&dir).args(["job", "--", "sh", "-c"]);
    let run = run.arg(r#"printf %s "$1"; test -f "$SENTINEL_HEARTBEAT""#).arg("sh").arg(odd);
    run.finish().exits(0);
    assert_eq!(fs::read(dir.join("job.log")).unwrap(), odd.as_bytes());
    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(dir.join("job.heartbeat")).unwrap()).unwrap();
    assert!(record["command"].is_array());
    let watch =
        |option: &str| scene.program(WATCH).arg("--dir").arg(&dir).args([option, "job"]).finish();
    watch("--once").exits(0);
    assert_eq!(watch("--json").json()["verdict"], json!("success"));
    let bad = scene.run("").arg(OsStr::from_bytes(b"j\xff")).args(["--", "true"]).finish();
    bad.exits(125).never_says("panicked");
    scene.watch("--once").arg(OsStr::from_bytes(b"j\xff")).finish().exits(2).never_says("panicked");
}

#[test]
fn without_a_home_there_is_a_clear_error_or_a_place() {
    let scene = Scene::new();
    for program in [RUN, WATCH] {
        let bare = scene.program(program).with(|command| {
            command
                .env_clear()
                .env("PATH", "/usr/bin:/bin")
                .env("XDG_STATE_HOME", "/dev/null/nowhere");
        });
        let args: &[&str] =
            if program == RUN { &["job", "--", "true"] } else { &["--once", "job"] };
        let done = bare.args(args).finish().never_says("panicked");
        assert!(done.code.is_some_and(|code| [125, 2, 6].contains(&code)), "{}", done.told());
    }
}

#[test]
fn no_duration_or_size_makes_a_start_panic() {
    let scene = Scene::new();
    let mut runner =
        TestRunner::new(Config { cases: 25, failure_persistence: None, ..Config::default() });
    let value =
        prop_oneof!["[0-9.a-zA-Z -]{0,10}", "[0-9]{1,30}(s|m|h|d|ms|years|K|G|T)?", "\\PC{0,6}"];
    let outcome = runner.run(&value, |text| {
        for option in [
            "--stale",
            "--grace",
            "--heartbeat-interval",
            "--max-log",
            "--max-memory",
            "--circuit-cooldown",
            "--beat-on",
            "--max-cpu",
        ] {
            let done = scene
                .run("--quiet")
                .arg(format!("{option}={text}"))
                .args(["job", "--", "true"])
                .finish();
            prop_assert!(matches!(done.code, Some(0 | 125)), "{}", done.told());
            prop_assert!(!done.stderr.contains("panicked"), "{}", done.told());
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

#[test]
fn a_grace_of_nothing_kills_at_once_and_a_timeout_of_nothing_never() {
    let scene = Scene::new();
    let script = "trap '' TERM; echo deaf; while :; do sleep 0.1; done";
    let wrapper = scene.run("--grace 0 job -- sh -c").arg(script).start();
    until("it is deaf", || scene.file("job.log").exists() && scene.read("job.log") == "deaf\n");
    wrapper.signal(rustix::process::Signal::TERM);
    let done = wrapper.wait();
    assert!(done.took < Duration::from_secs(30));
    scene.nothing_is_left();
    let wrapper = scene.up("job", "job -- sleep 862");
    scene.watched("--once --timeout 0 job").exits(5);
    scene.stop("job");
    wrapper.wait();
}

#[test]
fn names_with_dots_are_jobs_of_their_own() {
    let scene = Scene::new();
    for (name, code) in [("a", 0), ("a.b", 3), ("a.log", 0), ("a.status", 4), ("a-1_2.x", 0)] {
        scene.ran(&format!("{name} -- sh -c 'exit {code}'")).exits(code);
    }
    for (name, code) in [("a", 0), ("a.b", 1), ("a.log", 0), ("a.status", 1), ("a-1_2.x", 0)] {
        scene.watched(&format!("--once {name}")).exits(code);
    }
    let done = scene.watched("--list --json");
    let mut names: Vec<String> =
        done.json_lines().iter().map(|line| line["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["a", "a-1_2.x", "a.b", "a.log", "a.status"], "{}", done.told());
}
