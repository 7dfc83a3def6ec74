//! Files of other writers get right verdicts here, and other readers get them from our files.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::scene::{Cmd, Running, Scene, has, skip, until};

const WRAPPER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/seed-wrapper.sh");
const MONITOR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/seed-monitor.sh");

/// The documented wrapper template, exactly as printed; its `your_command` does this.
fn template(scene: &Scene, your_command: &str) -> Cmd {
    scene.script("bin/your_command", &format!("#!/bin/sh\n{your_command}\n"));
    let mut path = std::ffi::OsString::from(scene.path("bin"));
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let bash = scene.program("bash").args([WRAPPER, "step"]);
    bash.arg(scene.dir()).with(|command| {
        command.env("PATH", path);
    })
}

fn bash(name: &str) -> bool {
    if !has("bash") {
        skip(name, "bash is not installed");
    }
    has("bash")
}

/// A template under way, with its heartbeat there.
fn template_up(scene: &Scene, your_command: &str) -> Running {
    let wrapper = template(scene, your_command).start();
    until("the work is under way", || {
        // The first beat is over when the loop sleeps before its second.
        scene.path("working").exists() && !scene.members_running("sleep 10").is_empty()
    });
    wrapper
}

#[test]
fn the_template_succeeds_with_its_late_result() {
    if !bash("the_template_succeeds_with_its_late_result") {
        return;
    }
    let scene = Scene::with_directory();
    let watcher = scene.watch("--json --start-wait 30s step").start();
    template(&scene, "exit 0").finish().exits(0);
    let verdict = watcher.wait().exits(0).json();
    assert_eq!(verdict["verdict"], json!("success"));
    assert_eq!(verdict["output"], json!({"key": "value"}));
    let again = scene.watched("--once --json step").exits(0).json();
    assert_eq!(again["output"], json!({"key": "value"}));
    // The template leaves the sleep of its heartbeat loop behind, for ten seconds at most.
    scene.clear_up();
}

#[test]
fn a_result_later_than_its_status_is_waited_for() {
    let scene = Scene::with_directory();
    let bystander = scene.bystander();
    scene.write("step.pid", format!("{}\n", bystander.pid()));
    scene.write("step.heartbeat", "");
    let watcher = scene.watch("--json step").start();
    scene.write("step.status", "SUCCESS\n");
    let written = Instant::now();
    until("a moment has passed", || written.elapsed() > Duration::from_millis(300));
    scene.write("step.result", "{\"key\": \"late\"}\n");
    let in_time = written.elapsed() < Duration::from_millis(700);
    let done = watcher.wait().exits(0);
    assert!(!in_time || done.stdout.contains("late"), "{}", done.told());
    assert!(bystander.process().alive());
}

#[test]
fn a_result_that_never_comes_keeps_no_watcher_waiting() {
    let scene = Scene::with_directory();
    scene.write("step.status", "SUCCESS\n");
    let done = scene.watched("step").exits(0);
    assert!(done.took < Duration::from_secs(20));
    scene.write("step.status", "FAILED\n");
    scene.watched("step").exits(1);
}

#[test]
fn the_template_fails_with_its_log() {
    if !bash("the_template_fails_with_its_log") {
        return;
    }
    let scene = Scene::with_directory();
    template(&scene, "echo 'no such table' >&2; exit 4").finish();
    scene.watched("step").exits(1).says("failed").says("no such table");
    let verdict = scene.watched("--json step").exits(1).json();
    assert_eq!(verdict["tail"], json!(["no such table"]));
    scene.clear_up();
}

#[test]
fn a_fresh_template_is_running_and_left_alone() {
    if !bash("a_fresh_template_is_running_and_left_alone") {
        return;
    }
    let scene = Scene::with_directory();
    let mut wrapper = template_up(&scene, "touch working; exec sleep 979");
    scene.watched("--once step").exits(5);
    scene.watched("--max-wait 1s step").exits(5);
    assert!(wrapper.is_running());
    scene.runs_once("sleep 979");
    scene.clear_up();
    wrapper.wait();
}

#[test]
fn a_stale_template_is_ended_with_what_it_would_orphan() {
    if !bash("a_stale_template_is_ended_with_what_it_would_orphan") {
        return;
    }
    let scene = Scene::with_directory();
    let bystander = scene.bystander();
    let wrapper = template_up(&scene, "touch working; sleep 980; sleep 980");
    scene.age("step.heartbeat", Duration::from_hours(1));
    scene.watched("--grace 500ms step").exits(3).says("hung");
    wrapper.wait();
    scene.nothing_is_left_but(&[bystander.pid()]);
    assert!(bystander.process().alive());
    // Whoever comes later agrees.
    scene.watched("--once step").exits(3);
}

#[test]
fn a_template_over_its_time_is_ended() {
    if !bash("a_template_over_its_time_is_ended") {
        return;
    }
    let scene = Scene::with_directory();
    let wrapper = template_up(&scene, "touch working; sleep 998; sleep 998");
    scene.watched("--timeout 1s --poll-interval 200ms --grace 500ms step").exits(4).says("timeout");
    wrapper.wait();
    scene.nothing_is_left();
    scene.watched("--once step").exits(4);
}

#[test]
fn a_killed_template_is_lost() {
    if !bash("a_killed_template_is_lost") {
        return;
    }
    let scene = Scene::with_directory();
    let wrapper = template_up(&scene, "touch working; sleep 999");
    wrapper.signal(rustix::process::Signal::KILL);
    wrapper.wait();
    scene.watched("--grace 500ms step").exits(1);
    assert!(scene.members_running("sleep 999").is_empty(), "it had the log open");
    scene.watched("--once step").exits(1);
    scene.clear_up();
}

#[test]
fn a_heartbeat_that_never_came_counts_from_the_pid_file() {
    let scene = Scene::with_directory();
    // A writer that names the job, lives, and never beats.
    let work = scene.script("step-worker", "#!/bin/sh\nexec 3>>\"$DIR/step.log\"\nsleep 3603\n");
    let writer = scene.program(work).start();
    until("it has its log open", || scene.file("step.log").exists());
    scene.write("step.pid", format!("{}\n", writer.pid()));
    scene.watched("--once --stale 30s step").exits(5);
    scene.watched("--stale 1s --poll-interval 200ms --grace 500ms step").exits(3);
    writer.wait();
    scene.nothing_is_left();
}

/// Starts the shell loop over a job.
fn monitor(scene: &Scene, stale: &str, timeout: &str) -> Cmd {
    scene.program("sh").args([MONITOR, "job"]).arg(scene.dir()).args([stale, timeout])
}

#[test]
fn a_shell_loop_reads_success_and_failure_from_our_files() {
    let scene = Scene::new();
    for (code, word) in [(0, "SUCCESS\n"), (3, "FAILED\n")] {
        let wrapper = scene
            .run("job -- sh -c")
            .arg(format!("until [ -e go ]; do sleep 0.05; done; exit {code}"));
        let wrapper = wrapper.start();
        scene.is_up_as("job", &wrapper);
        let watcher = monitor(&scene, "60", "60").start();
        std::fs::write(scene.path("go"), "").unwrap();
        wrapper.wait().exits(code);
        let done = watcher.wait().exits(0);
        let (status, result) = done.stdout.split_once('\n').unwrap();
        assert_eq!(format!("{status}\n"), word);
        let result: serde_json::Value = serde_json::from_str(result).unwrap();
        assert_eq!(result["exit_code"], json!(code), "the result is there with the status");
        std::fs::remove_file(scene.path("go")).unwrap();
    }
}

#[test]
fn a_shell_loop_finds_our_hung_job_and_ends_all_of_it() {
    let scene = Scene::new();
    let options = "--beat-on output --heartbeat-interval 100ms --stale 1s --grace 300ms";
    let wrapper =
        scene.run(options).args(["job", "--", "sh", "-c", "setsid sleep 970 & sleep 970"]).start();
    scene.is_up("job");
    let done = monitor(&scene, "1", "60").finish().exits(0);
    assert_eq!(done.stdout, "hung\n");
    wrapper.wait();
    scene.nothing_is_left();
    assert_eq!(scene.status("job").as_deref(), Some("FAILED\n"), "a true status is left");
}

#[test]
fn a_shell_loop_ends_all_of_our_job_over_time() {
    let scene = Scene::new();
    let wrapper =
        scene.run("--grace 300ms job -- sh -c").arg("setsid sleep 997 & sleep 997").start();
    scene.is_up("job");
    let done = monitor(&scene, "60", "0").finish().exits(0);
    assert_eq!(done.stdout, "timeout\n");
    wrapper.wait();
    scene.nothing_is_left();
    assert_eq!(scene.outcome("job"), "stopped");
}

#[test]
fn a_second_run_of_the_template_is_not_taken_for_the_first() {
    if !bash("a_second_run_of_the_template_is_not_taken_for_the_first") {
        return;
    }
    let scene = Scene::with_directory();
    template(&scene, "exit 0").finish().exits(0);
    scene.watched("step").exits(0).says("value");
    scene.clear_up();
    // The template removes nothing: the first run's `.status` and `.result` are there still. What
    // the second run writes is told from them by its time, and a file's time goes in steps.
    let written = |name: &str| std::fs::metadata(name).and_then(|meta| meta.modified()).unwrap();
    let result = written(scene.file("step.result").to_str().unwrap());
    until("the clock of the file system has moved on", || {
        scene.write("later", "");
        written(scene.file("later").to_str().unwrap()) > result
    });
    let script = "touch working; until [ -e go ]; do sleep 0.05; done; exit 3";
    let wrapper = template_up(&scene, script);
    assert_eq!(scene.status("step").as_deref(), Some("SUCCESS\n"));
    scene.watched("--once step").exits(5);
    let mut watcher = scene.watch("--events --json step").start();
    watcher.until_it_says("started");
    std::fs::write(scene.path("go"), "").unwrap();
    wrapper.wait();
    let done = watcher.wait().exits(1);
    let verdict = done.json_lines().pop().unwrap();
    assert_eq!(verdict["verdict"], json!("failed"), "{}", done.told());
    assert_eq!(verdict["output"], json!(null), "{}", done.told());
    scene.clear_up();
}

#[test]
fn a_killed_template_takes_its_heartbeat_loop_with_it() {
    if !bash("a_killed_template_takes_its_heartbeat_loop_with_it") {
        return;
    }
    let scene = Scene::with_directory();
    let wrapper = template_up(&scene, "touch working; sleep 3605; :");
    wrapper.signal(rustix::process::Signal::KILL);
    wrapper.wait();
    until("the loop goes on by itself", || !scene.members_running("sleep 10").is_empty());
    let verdict = scene.watched("--grace 500ms --json step").exits(1).json();
    assert_eq!(verdict["outcome"], json!("lost"));
    assert_eq!(scene.status("step").as_deref(), Some("FAILED\n"));
    scene.nothing_is_left();
    scene.watched("step").exits(1);
}

#[test]
fn a_writer_below_a_linked_directory_is_known_by_its_open_file() {
    let scene = Scene::with_directory();
    std::os::unix::fs::symlink(scene.root(), scene.path("linked")).unwrap();
    // Nothing but the log it has open ties it to the job.
    let work = scene.script("worker", "#!/bin/sh\nexec 3>>\"$DIR/step.log\"\nsleep 3606\n");
    let writer = scene.program(work).start();
    until("it has its log open", || !scene.members_running("sleep 3606").is_empty());
    scene.write("step.pid", format!("{}\n", writer.pid()));
    scene.write("step.heartbeat", "");
    scene.age("step.heartbeat", Duration::from_hours(1));
    let watch = scene.program(crate::scene::WATCH).arg("--dir").arg(scene.path("linked/jobs"));
    watch.args(["--grace", "500ms", "step"]).finish().exits(3);
    writer.wait();
    scene.nothing_is_left();
}

#[test]
fn a_huge_result_of_another_writer_makes_no_huge_report() {
    let scene = Scene::with_directory();
    for (kib, word, code) in [(900, "SUCCESS\n", 0), (200, "SUCCESS\n", 0), (900, "FAILED\n", 1)] {
        scene.write("step.status", word);
        let rows = "many words of it ".repeat(kib * 1024 / 17);
        scene.write("step.result", json!({"rows": rows}).to_string());
        let done = scene.watched("--once step").exits(code);
        assert!(done.stdout.len() < 4096, "{} bytes on stdout", done.stdout.len());
        assert!(done.stderr.len() < 4096, "{} bytes on stderr", done.stderr.len());
        scene.watched("--once --json step").exits(code);
    }
}

#[test]
fn a_template_of_the_same_name_in_another_directory_goes_on() {
    if !bash("a_template_of_the_same_name_in_another_directory_goes_on") {
        return;
    }
    let scene = Scene::new();
    scene.script("bin/your_command", "#!/bin/sh\nsleep 3607; :\n");
    // Both are started by one script, as its background jobs; it ends before them.
    let script = r#"for place in one two; do
        PATH="$PWD/bin:$PATH" bash "$0" step "$PWD/$place" & done"#;
    let run = scene.command("setsid sh -c").arg(script).arg(WRAPPER);
    run.finish().exits(0);
    for line in ["sleep 3607", "sleep 10"] {
        until("both work and beat", || scene.members_running(line).len() == 2);
    }
    let wrapper = |place: &str| {
        let pid = std::fs::read_to_string(scene.path(place).join("step.pid")).unwrap();
        crate::scene::Process::of(pid.trim().parse().unwrap())
    };
    let (one, two) = (wrapper("one").unwrap(), wrapper("two").unwrap());
    one.signal(rustix::process::Signal::KILL);
    one.is_gone();
    let watch = |place: &str, line: &str| {
        let watch = scene.program(crate::scene::WATCH).arg("--dir").arg(scene.path(place));
        watch.args(line.split(' ')).finish()
    };
    watch("one", "--grace 300ms step").exits(1);
    assert!(two.alive(), "the other directory's job was ended");
    scene.runs_once("sleep 3607");
    scene.runs_once("sleep 10");
    watch("two", "--once step").exits(5);
    two.signal(rustix::process::Signal::KILL);
    two.is_gone();
    watch("two", "--grace 300ms step").exits(1);
    scene.nothing_is_left();
}
