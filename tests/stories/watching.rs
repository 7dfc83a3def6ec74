//! What a watcher says, in words, in JSON and by its exit status.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::scene::{Scene, until};

const KEYS: [&str; 18] = [
    "verdict",
    "exit",
    "name",
    "run_id",
    "outcome",
    "exit_code",
    "signal",
    "reason",
    "diagnosis",
    "progress",
    "pace",
    "awaits",
    "quiet_s",
    "elapsed_s",
    "circuit",
    "log",
    "tail",
    "output",
];

/// A directory with a job of each verdict; the running one is `runs`.
fn one_of_each() -> Scene {
    let scene = Scene::new();
    scene.ran("good -- true").exits(0);
    scene.ran("bad -- sh -c 'echo broken; exit 101'").exits(101);
    scene.ran("late -- true").exits(0);
    scene.ran("--timeout 50ms --grace 300ms late -- sleep 9").exits(124);
    for _ in 0..3 {
        scene.ran("open -- sh -c 'exit 3'").exits(3);
    }
    let options = "--beat-on output --heartbeat-interval 100ms --stale 30s --grace 300ms";
    let wrapper = scene.up("hung", &format!("{options} hung -- sleep 940"));
    scene.age("hung.heartbeat", Duration::from_hours(1));
    scene.watched("hung").exits(3);
    wrapper.wait();
    scene.detached("runs", "--heartbeat-interval 100ms runs -- sleep 940");
    scene
}

const CODES: [(&str, &str, i32); 7] = [
    ("good", "success", 0),
    ("bad", "failed", 1),
    ("hung", "hung", 3),
    ("late", "timeout", 4),
    ("runs", "running", 5),
    ("nobody", "missing", 6),
    ("open", "failed", 7),
];

#[test]
fn each_verdict_has_its_exit_code_its_words_and_its_json() {
    let scene = one_of_each();
    for (name, word, code) in CODES {
        let done = scene.watched(&format!("--once {name}")).exits(code);
        let first = done.stdout.lines().next().unwrap_or_default().to_owned();
        let mut words = first.split_whitespace();
        assert_eq!((words.next(), words.next()), (Some(word), Some(name)), "{}", done.told());

        let record = scene.watched(&format!("--once --json {name}")).exits(code).json();
        for key in KEYS {
            assert!(record.get(key).is_some(), "{key} is missing in {record}");
        }
        assert_eq!(record["verdict"], json!(word));
        assert_eq!(record["exit"], json!(code));
        assert_eq!(record["name"], json!(name));
        if name != "nobody" {
            assert!(record["run_id"].is_string());
            for key in ["open", "failures", "key"] {
                assert!(!record["circuit"][key].is_null(), "{key} of the circuit in {record}");
            }
            for key in ["path", "lines", "bytes"] {
                assert!(!record["log"][key].is_null(), "{key} of the log in {record}");
            }
        }
        assert!(record["tail"].is_array() || record["tail"].is_null());
        assert!(record["elapsed_s"].is_number() || name == "nobody");

        scene.watched(&format!("--once --exit-zero {name}")).exits(0);
        scene.watched(&format!("--probe {name}")).exits(i32::from(!matches!(code, 0 | 5)));
    }
    assert_eq!(scene.watched("--once --json bad").json()["exit_code"], json!(101));
    assert_eq!(scene.watched("--once --json bad").json()["tail"], json!(["broken"]));
    scene.stop("runs");
}

#[test]
fn of_several_jobs_the_worst_is_the_exit_code() {
    let scene = one_of_each();
    // 2 comes first, then 5, then the worst of 7, 6, 3, 4, 1 and 0.
    let order = ["runs", "open", "nobody", "hung", "late", "bad", "good"];
    let codes = [5, 7, 6, 3, 4, 1, 0];
    for first in 0..order.len() {
        for second in first..order.len() {
            let done = scene.watched(&format!("--once {} {}", order[second], order[first]));
            done.exits(codes[first]);
        }
    }
    let all = order.join(" ");
    let done = scene.watched(&format!("--once --json {all}")).exits(5);
    let names: Vec<Value> = done.json_lines().iter().map(|line| line["name"].clone()).collect();
    assert_eq!(names.len(), 7, "one line for each job");
    scene.watched(&format!("--once {all} ../up")).exits(2);
    // A file nobody should have planted makes an error that outranks every verdict.
    fs::create_dir(scene.file("planted.status")).unwrap();
    scene.watched(&format!("--once planted {all}")).exits(2);
    scene.watched("--once --exit-zero planted good").exits(2);
    scene.stop("runs");
}

#[test]
fn any_returns_at_the_first_verdict_and_all_at_the_last() {
    let scene = Scene::new();
    let runs = scene.up("runs", "runs -- sleep 940");
    let told =
        scene.run("told -- sh -c").arg("until [ -e go ]; do sleep 0.05; done; exit 3").start();
    scene.is_up("told");
    let any = scene.watch("--any --json runs told").start();
    let all = scene.watch("--max-wait 40s runs told").start();
    until("both watch", || {
        scene.members().iter().filter(|p| p.command_line().contains("--dir")).count() >= 4
    });
    fs::write(scene.path("go"), "").unwrap();
    told.wait().exits(3);
    let done = any.wait();
    assert!(
        done.json_lines()
            .iter()
            .any(|line| line["name"] == json!("told") && line["exit"] == json!(1))
    );
    assert_eq!(scene.status("runs"), None);
    scene.stop("runs");
    runs.wait();
    let done = all.wait().exits(1);
    assert!(done.stdout.contains("told") && done.stdout.contains("runs"), "{}", done.told());
}

#[test]
fn the_wait_is_bounded_by_option_or_variable() {
    let scene = Scene::new();
    let wrapper = scene.up("job", "job -- sleep 940");
    scene.watched("--max-wait 200ms job").exits(5).says("running");
    scene.watch("job").env("SENTINEL_MAX_WAIT", "200ms").finish().exits(5);
    // The option stands over the variable.
    let done = scene.watch("--max-wait 100ms job").env("SENTINEL_MAX_WAIT", "10m").finish();
    done.exits(5);
    let nobody = format!("missing  nobody  no such job in {}\n", scene.dir().display());
    assert_eq!(scene.watched("--start-wait 200ms nobody").exits(6).stdout, nobody);
    scene.watched("--once nobody").exits(6);
    scene.stop("job");
    wrapper.wait();
}

#[test]
fn a_waiting_watcher_returns_soon_after_the_end() {
    let scene = Scene::new();
    let wrapper = scene
        .run("job -- sh -c")
        .arg("until [ -e go ]; do sleep 0.02; done; echo out; exit 3")
        .start();
    scene.is_up("job");
    // With a poll interval this long, it is not the poll that sees the end.
    let mut watcher = scene.watch("--events --poll-interval 10m job").start();
    watcher.until_it_says("started");
    fs::write(scene.path("go"), "").unwrap();
    wrapper.wait().exits(3);
    let ended = std::time::Instant::now();
    watcher.wait().exits(1);
    assert!(ended.elapsed() < Duration::from_secs(15), "{:?}", ended.elapsed());
}

#[test]
fn events_tell_of_each_change_as_it_happens() {
    let scene = Scene::new();
    let watcher = scene.watch("--events --start-wait 30s job").start();
    let wrapper =
        scene.run("job -- sh -c").arg("until [ -e go ]; do sleep 0.05; done; exit 3").start();
    let mut watcher = watcher;
    watcher.until_it_says("started");
    fs::write(scene.path("go"), "").unwrap();
    wrapper.wait().exits(3);
    let done = watcher.wait().exits(1);
    let events: Vec<Vec<&str>> = done
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.get(1) == Some(&"job") && words[0].starts_with("20"))
        .collect();
    let states: Vec<&str> = events.iter().map(|words| words[2]).collect();
    assert_eq!(states.first(), Some(&"started"), "{}", done.told());
    assert_eq!(states.last(), Some(&"failed"), "{}", done.told());
}

#[test]
fn a_tick_goes_to_stderr_at_its_rate() {
    let scene = Scene::new();
    let wrapper = scene.up("job", "job -- sleep 940");
    let done = scene.watched("--tick 100ms --max-wait 1500ms job").exits(5);
    assert!(done.stderr.lines().count() >= 2, "{}", done.told());
    assert!(done.stderr.contains("job"));
    let done = scene.watched("--max-wait 300ms job").exits(5);
    assert_eq!(done.stderr, "", "quiet without it, where there is no terminal");
    scene.stop("job");
    wrapper.wait();
}

#[test]
fn list_shows_every_job_without_touching_any() {
    let scene = one_of_each();
    let before = Scene::snapshot(&scene.dir());
    let done = scene.watched("--list").exits_one_of(&[0, 5]);
    for (name, word, _) in CODES {
        let line =
            done.stdout.lines().find(|line| line.split_whitespace().any(|part| part == name));
        assert_eq!(line.is_some(), name != "nobody", "{name}: {}", done.told());
        if let Some(line) = line {
            assert!(line.contains(word), "{line}");
        }
    }
    assert_eq!(done.stdout.lines().count(), 6, "a line each: {}", done.told());
    let lines = scene.watched("--list --json").json_lines();
    assert_eq!(lines.len(), 6);
    assert_eq!(before, Scene::snapshot(&scene.dir()));
    scene.stop("runs");

    // A stale job is shown as such, and left alone.
    let options = "--beat-on output --heartbeat-interval 100ms --stale 20s";
    let wrapper = scene.up("quiet", &format!("{options} quiet -- sleep 940"));
    scene.age("quiet.heartbeat", Duration::from_hours(1));
    scene.watched("--list").says("hung");
    scene.watched("--probe quiet").exits(1);
    assert_eq!(scene.status("quiet"), None);
    assert!(wrapper.process().alive());
    scene.stop("quiet");
    wrapper.wait();
    scene.watched("--list extra-name").exits_one_of(&[0, 2, 6]);
}

#[test]
fn list_of_a_directory_without_jobs_is_empty() {
    let scene = Scene::with_directory();
    let done = scene.watched("--list").exits(0);
    assert_eq!(done.stdout, "", "nothing for a program to read");
    assert_eq!(done.stderr, format!("sentinel-watch: no jobs in {}\n", scene.dir().display()));
    let done = scene.watched("--list --json").exits(0);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
    let done =
        scene.program(crate::scene::WATCH).args(["--dir", "mistyped", "--list"]).finish().exits(0);
    assert!(
        done.stderr.contains("no jobs in ") && done.stderr.contains("mistyped"),
        "{}",
        done.told()
    );
}

#[test]
fn the_tail_is_clean_short_and_cheap() {
    let scene = Scene::new();
    let script = r"
        seq 1 100
        printf 'progress 1%%\rprogress 50%%\rprogress 100%%\n'
        printf '\033[31mred\033[0m \033]0;title\007plain \033[2K\033(B\n'
        printf 'a\000b\001c\177d\010e\n'
        printf 'broken \377\376 text\n'
        head -c 5000 /dev/zero | tr '\0' 'x'
        printf '\nthe last line without an end'
        exit 3";
    scene.run("job -- sh -c").arg(script).finish().exits(3);
    let done = scene.watched("job").exits(1);
    let lines: Vec<&str> = done.stdout.lines().collect();
    let shown: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("    ")).collect();
    assert!(shown.len() <= 20 && shown.len() >= 3, "{}", done.told());
    assert!(shown.iter().map(|line| line.len() + 1).sum::<usize>() <= 2048);
    assert_eq!(shown.last(), Some(&"the last line without an end"));
    for c in done.stdout.chars() {
        assert!(c == '\n' || !c.is_control(), "{c:?} in {}", done.told());
    }
    assert!(!done.stdout.contains("[31m") && !done.stdout.contains("title"), "{}", done.told());
    assert!(!done.stdout.contains("progress 50%"), "repaints are dropped");
    assert!(done.stdout.contains("progress 100%"));
    assert!(done.stdout.contains("broken \u{fffd}"), "{}", done.told());
    assert!(lines[0].starts_with("failed  job  "), "{}", lines[0]);
    assert!(lines[0].contains('3'), "the exit code: {}", lines[0]);
    let log = lines.iter().find(|line| line.starts_with("log:")).expect("the log is named");
    assert!(log.contains(scene.file("job.log").to_str().unwrap()), "{log}");

    assert_eq!(shown_lines(&scene, "--tail 2").len(), 2);
    assert_eq!(shown_lines(&scene, "--tail 0").len(), 0);
    let many = shown_lines(&scene, "--tail 1000");
    assert!(many.iter().map(|line| line.len() + 1).sum::<usize>() <= 2048);
    let tail = scene.watched("--json --tail 3 job").json()["tail"].clone();
    assert_eq!(tail.as_array().unwrap().len(), 3);
}

fn shown_lines(scene: &Scene, options: &str) -> Vec<String> {
    let done = scene.watched(&format!("{options} job"));
    let shown = done.stdout.lines().filter_map(|line| line.strip_prefix("    ").map(str::to_owned));
    shown.collect()
}

#[test]
fn a_success_is_told_in_one_line_and_its_output() {
    let scene = Scene::new();
    scene.ran("job -- sh -c 'echo noise; echo more'").exits(0);
    let done = scene.watched("job").exits(0);
    assert_eq!(done.stdout.lines().count(), 1, "{}", done.told());
    assert_eq!(done.stderr, "");
    assert!(done.stdout.starts_with("success  job  "), "{}", done.told());
    let script = r#"echo '{"rows": 3}' > "$SENTINEL_RESULT""#;
    scene.run("job -- sh -c").arg(script).finish().exits(0);
    let done = scene.watched("job").exits(0);
    assert_eq!(done.stdout.lines().count(), 2, "{}", done.told());
    assert!(done.stdout.lines().nth(1).unwrap().starts_with("output:"));
}

#[test]
fn an_escape_in_a_reason_or_output_does_not_reach_the_terminal() {
    let scene = Scene::new();
    let script = r#"printf '{"x": "\\u001b[31mred\\u0007"}' > "$SENTINEL_RESULT""#;
    scene.run("job -- sh -c").arg(script).finish().exits(0);
    let done = scene.watched("job").exits(0);
    assert!(!done.stdout.contains('\u{1b}') && !done.stdout.contains('\u{7}'), "{}", done.told());
    scene.write("job.status", "\u{1b}[31mODD\u{7}\n");
    fs::remove_file(scene.file("job.result")).unwrap();
    let done = scene.watched("--once --no-kill job").exits(1);
    assert!(!done.stdout.contains('\u{1b}') && !done.stdout.contains('\u{7}'), "{}", done.told());
}

#[test]
fn a_kill_command_ends_the_job_instead_of_signals() {
    let scene = Scene::new();
    let options = "--beat-on output --heartbeat-interval 100ms --stale 30s --grace 300ms";
    let wrapper = scene.up("job", &format!("{options} job -- sleep 940"));
    let record = scene.heartbeat("job").unwrap();
    scene.age("job.heartbeat", Duration::from_hours(1));
    let kill = r#"env | grep ^SENTINEL_ > told; kill -KILL "$SENTINEL_CHILD_PID"; kill -KILL "$SENTINEL_PID""#;
    scene.watch("--kill-cmd").arg(kill).arg("job").finish().exits_one_of(&[1, 3]);
    wrapper.wait();
    let told = fs::read_to_string(scene.path("told")).unwrap();
    for (variable, field) in [
        ("SENTINEL_NAME", "name"),
        ("SENTINEL_PID", "pid"),
        ("SENTINEL_RUN_ID", "run_id"),
        ("SENTINEL_HOST", "host"),
        ("SENTINEL_CHILD_PID", "child_pid"),
    ] {
        let value = record[field].as_str().map_or_else(|| record[field].to_string(), str::to_owned);
        assert!(
            told.lines().any(|line| line == format!("{variable}={value}")),
            "{variable} in {told}"
        );
    }
    scene.nothing_is_left();
    assert_eq!(scene.status("job").as_deref(), Some("FAILED\n"));
}

#[test]
fn bad_usage_of_the_watcher_is_2() {
    let scene = Scene::with_directory();
    for line in [
        "",
        "--no-such-option job",
        "--timeout soon job",
        "--tail many job",
        "../job",
        ".job",
        "''",
        "a/b",
        "--once --max-wait x job",
        "--kill-cmd '' job",
    ] {
        let done = scene.watched(line).exits(2);
        assert_ne!(done.stderr, "", "{line}");
        done.never_says("panicked");
    }
    scene.watched("--exit-zero --no-such-option job").exits(2);
}

#[test]
fn a_stale_threshold_must_exceed_twice_the_interval() {
    let scene = Scene::new();
    let wrapper = scene.up("job", "--heartbeat-interval 5s job -- sleep 940");
    for stale in ["5s", "10s", "1"] {
        scene.watched(&format!("--once --stale {stale} job")).exits(2).says("interval");
    }
    scene.watched("--once --stale 11s job").exits(5);
    assert_eq!(scene.status("job"), None);
    scene.stop("job");
    wrapper.wait();
}

#[test]
fn the_self_heal_check_needs_no_watcher_before() {
    let scene = Scene::new();
    scene.watched("--once job").exits(6);
    scene.ran("job -- true").exits(0);
    scene.watched("--once job").exits(0);
    let options = "--beat-on output --heartbeat-interval 100ms --stale 30s --grace 300ms";
    let wrapper = scene.up("job", &format!("{options} job -- sleep 940"));
    scene.watched("--once job").exits(5);
    scene.age("job.heartbeat", Duration::from_hours(1));
    scene.watched("--once job").exits(3);
    wrapper.wait().exits(124);
    assert_eq!(scene.outcome("job"), "hung");
    let wrapper = scene.up("job", "job -- sleep 940");
    wrapper.signal(rustix::process::Signal::KILL);
    wrapper.wait();
    scene.watched("--once --grace 300ms job").exits(1);
    scene.nothing_is_left();
}

#[test]
fn running_is_told_with_what_is_known() {
    let scene = Scene::new();
    let wrapper =
        scene.up("job", "--heartbeat-interval 100ms job -- sh -c 'echo word; exec sleep 940'");
    let record = scene.watched("--once --json job").exits(5).json();
    assert_eq!(record["verdict"], json!("running"));
    assert!(record["elapsed_s"].as_f64().is_some_and(|elapsed| elapsed >= 0.0));
    assert_eq!(record["outcome"], Value::Null);
    assert_eq!(record["exit_code"], Value::Null);
    until("it has been quiet for a while", || {
        let record = scene.watched("--once --json job").exits(5).json();
        record["quiet_s"].as_f64().is_some_and(|quiet| quiet > 0.2)
    });
    scene.watched("--once job").exits(5).says("running  job");
    scene.stop("job");
    wrapper.wait();
}

#[test]
fn a_job_that_can_never_go_on_is_called_stuck_while_it_runs() {
    let scene = Scene::new();
    let options = "--heartbeat-interval 100ms --stale 1h --grace 300ms";
    let wrapper = scene.up("job", &format!("{options} job -- sh -c 'kill -STOP $$'"));
    until("it is called stuck, with the reason", || {
        let done = scene.watched("--once job").exits(5);
        done.stdout.lines().next().is_some_and(|line| line.ends_with(", stuck"))
            && done.stdout.contains("is stopped by a signal")
    });
    scene.watched("--list").exits(0).says(", stuck");
    scene.stop("job");
    wrapper.wait();
}

#[test]
fn a_list_with_a_job_that_is_refused_tells_of_the_others() {
    let scene = Scene::new();
    scene.ran("good -- true").exits(0);
    scene.ran("bad -- sh -c 'exit 3'").exits(3);
    fs::create_dir(scene.file("good2.status")).unwrap();
    fs::write(scene.file("good2.pid"), "1\n").unwrap();
    for options in ["--list", "--list --json"] {
        let done = scene.watched(options).exits(2);
        assert!(done.stderr.contains("good2"), "{}", done.told());
        for (name, word) in [("good", "success"), ("bad", "failed")] {
            let told = |line: &str| line.contains(name) && line.contains(word);
            assert!(done.stdout.lines().any(told), "{name}: {}", done.told());
        }
    }
}

#[test]
fn a_variable_that_is_empty_is_not_set_and_garbage_names_it() {
    let scene = Scene::new();
    scene.run("job -- true").env("SENTINEL_MAX_FAILURES", "").finish().exits(0);
    for _ in 0..3 {
        scene.ran("job -- sh -c 'exit 3'").exits(3);
    }
    // Empty, it asks for no breaker: there is a warning, and no refusal.
    let run = scene.run("job -- sh -c 'exit 3'").env("SENTINEL_MAX_FAILURES", "");
    run.finish().exits(3).says("circuit");
    scene.watch("job").env("SENTINEL_MAX_WAIT", "").finish().exits(7);
    for garbage in ["many", "-1", "1.5", " "] {
        let run = scene.run("job -- true").env("SENTINEL_MAX_FAILURES", garbage).finish();
        run.exits(125).says("SENTINEL_MAX_FAILURES").never_says("panicked");
    }
    for garbage in ["soon", "-1", "3 parsecs"] {
        let watch = scene.watch("job").env("SENTINEL_MAX_WAIT", garbage).finish();
        watch.exits(2).says("SENTINEL_MAX_WAIT").never_says("panicked");
    }
    // The option stands over the variable.
    let run = scene.run("--max-failures 0 job -- true").env("SENTINEL_MAX_FAILURES", "many");
    run.finish().exits(0);
}

#[test]
fn a_kill_command_that_only_signals_leaves_the_verdict_as_it_was_given() {
    let scene = Scene::new();
    let options = "--beat-on output --heartbeat-interval 100ms --stale 30s --grace 300ms";
    let wrapper = scene.up("job", &format!("{options} job -- sleep 945"));
    scene.age("job.heartbeat", Duration::from_hours(1));
    let watch = scene.watch("--kill-cmd").arg("kill $SENTINEL_PID").arg("job");
    watch.finish().exits(3).says("hung");
    wrapper.wait();
    scene.nothing_is_left();
    assert_eq!(scene.outcome("job"), "hung");
    assert_eq!(scene.status("job").as_deref(), Some("FAILED\n"));
    assert!(!scene.file(".job.sentence").exists());
    scene.watched("job").exits(3);
    // What was said of one run is not said of the next.
    let wrapper = scene.up("job", "--grace 300ms job -- sleep 945");
    wrapper.signal(rustix::process::Signal::TERM);
    wrapper.wait();
    assert_eq!(scene.outcome("job"), "stopped");
}
