//! SIGKILL before each step of a program that could change the world: whatever came before
//! that step is on the disk, nothing after it is, and the verdict is still true.
//!
//! The calls of one undisturbed run are counted first; then `strace` kills one run after the
//! other, as each of those calls is entered for the N-th time. So no step is left out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::scene::{Cmd, RUN, Scene, WATCH, traceable, until};

/// Every call by which a program changes files, processes or what others see of it.
const CALLS: &str = "?mkdir,?mkdirat,?flock,?unlink,?unlinkat,?rename,?renameat,?renameat2,\
?link,?linkat,?ftruncate,?fallocate,?pwrite64,?write,?writev,?fdatasync,?fsync,?utimensat,\
?fchmod,?fchmodat,?chmod,?fchown,?fchownat,?clone,?clone3,?vfork,?fork,?prctl,?wait4,\
?waitid,?pidfd_open,?pidfd_send_signal,?kill,?rt_sigqueueinfo,?exit_group";

/// A call, and how often it was made before the step.
#[derive(Clone, Debug)]
struct Step {
    call: String,
    time: usize,
}

/// A program under strace, whose steps go to the file `trace`.
fn traced(scene: &Scene, program: &str) -> Cmd {
    let filter = format!("trace={CALLS}");
    let strace = scene.program("strace").args(["-qq", "-e", "signal=none", "-e", &filter]);
    strace.arg("-o").arg(scene.path("trace")).args(threads_of(program)).arg(program)
}

/// The watcher has threads, each of which takes steps of its own; the wrapper has one thread, and
/// its command is not to be killed with it.
fn threads_of(program: &str) -> &'static [&'static str] {
    if program == WATCH { &["-f", "--seccomp-bpf"] } else { &[] }
}

/// The steps of the program that was traced last. Each thread counts for itself.
fn steps(scene: &Scene) -> Vec<Step> {
    let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut steps: Vec<Step> = Vec::new();
    for line in fs::read_to_string(scene.path("trace")).unwrap().lines() {
        let call = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let thread = line[..line.len() - call.len()].to_owned();
        let Some((call, _)) = call.trim_start().split_once('(') else {
            continue;
        };
        let time = seen.entry((thread, call.to_owned())).or_default();
        *time += 1;
        let step = Step { call: call.to_owned(), time: *time };
        if !steps.iter().any(|known| (&known.call, known.time) == (&step.call, step.time)) {
            steps.push(step);
        }
    }
    assert!(steps.len() > 5, "so few steps cannot be: {steps:?}");
    steps
}

/// A program under strace, to be killed at this step.
fn killed_at(scene: &Scene, step: &Step, program: &str) -> Cmd {
    let inject = format!("inject={}:signal=KILL:when={}", step.call, step.time);
    let trace = format!("trace={}", step.call);
    let strace = scene.program("strace").args(["-qq", "-o", "/dev/null", "-e", &trace]);
    let strace = strace.args(["-e", &inject]);
    strace.args(threads_of(program)).arg(program)
}

struct Verdict {
    code: i32,
    outcome: Value,
    run_id: Value,
}

#[track_caller]
fn verdict(scene: &Scene, dir: &Path) -> Verdict {
    let watch = scene.program(WATCH).arg("--dir").arg(dir);
    let options = ["--start-wait", "0", "--max-wait", "30s", "--grace", "300ms", "--json", "job"];
    let done = watch.args(options).finish();
    let json = done.json();
    let code = done.code.expect("an exit code");
    assert_eq!(json["exit"], json!(code));
    Verdict { code, outcome: json["outcome"].clone(), run_id: json["run_id"].clone() }
}

/// What must hold after a wrapper was killed: one verdict, the same for all, and in the files.
#[track_caller]
fn one_true_verdict(scene: &Scene, dir: &Path, step: &Step, last: &Value) -> Verdict {
    let first = verdict(scene, dir);
    let second = verdict(scene, dir);
    let at = format!("killed at {step:?}");
    assert_eq!(
        (first.code, &first.outcome, &first.run_id),
        (second.code, &second.outcome, &second.run_id),
        "two watchers agree, {at}"
    );
    scene.nothing_is_left();
    let status = fs::read_to_string(dir.join("job.status")).ok();
    match first.code {
        0 => assert_eq!(status.as_deref(), Some("SUCCESS\n"), "{at}"),
        1 => assert_eq!(status.as_deref(), Some("FAILED\n"), "{at}"),
        // It had not begun: neither its number nor its heartbeat is there.
        6 => {
            let pid = fs::read(dir.join("job.pid")).unwrap_or_default();
            assert!(pid.is_empty(), "{at}: called missing, but .pid is written");
            let heartbeat = fs::read_to_string(dir.join("job.heartbeat")).unwrap_or_default();
            let of_last = last.as_str().is_some_and(|last| heartbeat.contains(last));
            assert!(heartbeat.is_empty() || of_last, "{at}: missing, but it has a heartbeat");
            return first;
        }
        code => panic!("{at}: exit {code}"),
    }
    let result = fs::read(dir.join("job.result")).unwrap_or_else(|e| panic!("{at}: .result: {e}"));
    let result: Value = serde_json::from_slice(&result).unwrap();
    assert_eq!(result["outcome"], first.outcome, "{at}");
    assert_eq!(result["run_id"], first.run_id, "{at}");
    let history = fs::read_to_string(dir.join("job.history")).unwrap_or_default();
    let lines = history.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_run: Vec<Value> = lines.filter(|line| line["run_id"] == first.run_id).collect();
    assert_eq!(of_run.len(), 1, "{at}: counted once");
    assert_eq!(of_run[0]["outcome"], first.outcome, "{at}");
    first
}

/// A run after all this works, and its own outcome is told.
#[track_caller]
fn starts_anew(scene: &Scene, dir: &Path, before: &Verdict, step: &Step) {
    let code = i32::from(step.time % 2 == 1);
    let run = scene.program(RUN).arg("--dir").arg(dir).args(["--quiet", "job", "--"]);
    run.args(["sh", "-c", &format!("exit {code}")]).finish().exits(code);
    let after = verdict(scene, dir);
    assert_eq!(after.code, code, "after {step:?}");
    assert_ne!(after.run_id, before.run_id);
}

/// Kills the wrapper of a job at each step, after `before` in the same directory.
fn kill_the_wrapper(before: Option<&str>, command: &str, code: i32) {
    let scene = Scene::new();
    // One place for each run, so that none inherits the files of another.
    let place = |name: &str| {
        let place = scene.path(name);
        fs::create_dir(&place).unwrap();
        if let Some(before) = before {
            let run = scene.program(RUN).arg("--dir").arg(place.join("jobs"));
            run.args(["--quiet", "job", "--", before]).finish().exits(0);
        }
        place
    };
    let whole = |program: Cmd, place: &Path| {
        let run = program.cwd(place).arg("--dir").arg(place.join("jobs"));
        run.args(["--quiet", "job", "--", "sh", "-c", command]).finish()
    };
    whole(traced(&scene, RUN), &place("undisturbed")).exits(code);
    for (number, step) in steps(&scene).iter().enumerate() {
        let place = place(&number.to_string());
        let dir = place.join("jobs");
        let last = fs::read(dir.join("job.result")).map_or(Value::Null, |bytes| {
            serde_json::from_slice::<Value>(&bytes).unwrap()["run_id"].clone()
        });
        let done = whole(killed_at(&scene, step, RUN), &place);
        let verdict = one_true_verdict(&scene, &dir, step, &last);
        if done.signal.is_none() {
            done.exits(code);
            assert_eq!(verdict.code, i32::from(code != 0), "at {step:?}, which did not come");
        }
        if verdict.code == 0 && verdict.run_id == last {
            assert!(!place.join("begun").exists(), "{step:?}: another run had begun");
        } else if verdict.code == 0 {
            assert!(code == 0 && place.join("done").exists(), "{step:?}: success without it");
        }
        starts_anew(&scene, &dir, &verdict, step);
    }
}

const GOOD: &str = "echo begun > begun; sleep 0.02; echo done > done";
const BAD: &str = "echo begun > begun; exit 3";

#[test]
fn a_wrapper_killed_at_any_step_of_a_good_run_gives_one_true_verdict() {
    if traceable("a_wrapper_killed_at_any_step_of_a_good_run_gives_one_true_verdict") {
        kill_the_wrapper(None, GOOD, 0);
    }
}

#[test]
fn a_wrapper_killed_at_any_step_never_passes_off_the_last_success_as_its_own() {
    if traceable("a_wrapper_killed_at_any_step_never_passes_off_the_last_success_as_its_own") {
        kill_the_wrapper(Some("true"), BAD, 3);
    }
}

/// Kills the watcher of a job at each step; the job is made anew for each by `job`.
fn kill_the_watcher(outcome: &str, code: i32, job: impl Fn(&Scene, &str)) {
    let scene = Scene::new();
    let watch = |program: Cmd, name: &str| {
        program.arg("--dir").arg(scene.dir()).args(["--grace", "300ms", name]).finish()
    };
    job(&scene, "undisturbed");
    watch(traced(&scene, WATCH), "undisturbed").exits(code);
    for (number, step) in steps(&scene).iter().enumerate() {
        let name = format!("job{number}");
        job(&scene, &name);
        let done = watch(killed_at(&scene, step, WATCH), &name);
        if done.signal.is_none() {
            done.exits(code);
        }
        let next = scene.watched(&format!("--grace 300ms --json {name}"));
        let next = next.exits(code).json();
        assert_eq!(next["outcome"], json!(outcome), "killed at {step:?}");
        assert_eq!(scene.outcome(&name), outcome, "killed at {step:?}");
        assert_eq!(scene.status(&name).as_deref(), Some("FAILED\n"), "killed at {step:?}");
        assert_eq!(scene.history(&name).len(), 1, "killed at {step:?}");
        until("the wrapper has returned, and nothing is left", || scene.members().is_empty());
    }
}

#[test]
fn a_watcher_killed_at_any_step_of_clearing_up_leaves_the_verdict_to_the_next() {
    if !traceable("a_watcher_killed_at_any_step_of_clearing_up_leaves_the_verdict_to_the_next") {
        return;
    }
    kill_the_watcher("lost", 1, |scene, name| {
        let wrapper =
            scene.detached(name, &format!("{name} -- sh -c 'setsid sleep 957 & sleep 958'"));
        until("both are up", || {
            ["sleep 957", "sleep 958"].iter().all(|line| !scene.members_running(line).is_empty())
        });
        wrapper.signal(Signal::KILL);
        wrapper.is_gone();
    });
}

#[test]
fn a_watcher_killed_at_any_step_of_ending_a_hung_job_leaves_one_verdict() {
    if !traceable("a_watcher_killed_at_any_step_of_ending_a_hung_job_leaves_one_verdict") {
        return;
    }
    kill_the_watcher("hung", 3, |scene, name| {
        let options = "--beat-on output --heartbeat-interval 10s --stale 30s --grace 300ms";
        scene.detached(name, &format!("{options} {name} -- sleep 959"));
        scene.age(&format!("{name}.heartbeat"), std::time::Duration::from_hours(1));
    });
}

#[test]
fn a_command_killed_on_its_way_to_being_executed_is_a_failure() {
    if !traceable("a_command_killed_on_its_way_to_being_executed_is_a_failure") {
        return;
    }
    // Only the child makes these calls: its own session, and the execution itself.
    for call in ["setsid", "execve"] {
        let scene = Scene::new();
        let command = scene.script("command", "#!/bin/sh\necho ran > ran\n");
        let inject = format!("inject={call}:signal=KILL:when=1");
        let strace =
            scene.program("strace").args(["-f", "-qq", "-o", "/dev/null", "-e", &inject, RUN]);
        strace.arg("--dir").arg(scene.dir()).args(["job", "--"]).arg(&command).finish();
        assert!(!scene.path("ran").exists(), "killed before it ran, at {call}");
        let verdict = scene.watched("--grace 300ms --json job").exits(1).json();
        assert_eq!(verdict["outcome"], json!("failed"), "{call}: {verdict}");
        let again = scene.watched("--json job").exits(1).json();
        assert_eq!(verdict["outcome"], again["outcome"]);
        assert_eq!(scene.history("job").len(), 1);
        scene.ran("--quiet job -- true").exits(0);
        scene.watched("job").exits(0);
    }
}
