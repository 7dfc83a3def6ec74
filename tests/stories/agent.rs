//! A stand-in for an agent follows SKILL.md in a real shell, past the hook and under a limit for each
//! command: each time the right next step.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::scene::{Cmd, Running, Scene, until};

/// Seconds; stands for the two minutes that a host allows a command. A wait is shorter than that.
const LIMIT: &str = "8";
const PIECE: &str = "1s";

fn agent(scene: &Scene, scenario: &str) -> Cmd {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let programs = Path::new(crate::scene::RUN).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    scene
        .program("python3")
        .arg(root.join("tests/fixtures/agent.py"))
        .arg(root.join("skill/skills/sentinel/SKILL.md"))
        .args([LIMIT, scenario])
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("SENTINEL_DIR", scene.dir())
        .env("REGISTRY", scene.registry())
        .env("PIECE", PIECE)
        // Ten minutes of a host's time, by the scale of LIMIT: longer than any one command may last.
        .env("LONG", "sh -c 'until [ -e over ]; do sleep 0.05; done; echo built'")
}

fn steps(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a step is JSON")).collect()
}

fn has(steps: &[Value], key: &str, words: &str) -> bool {
    steps.iter().any(|step| step[key].as_str().is_some_and(|text| text.contains(words)))
}

/// How often a wait ended with "running".
fn waits(agent: &Running) -> usize {
    steps(&agent.stdout()).iter().filter(|step| step["exit"] == 5).count()
}

#[test]
fn an_agent_that_is_killed_half_way_is_replaced_by_one_that_remembers_nothing() {
    let scene = Scene::new();
    let mut first = agent(&scene, "build").start_with(|command| {
        use std::os::unix::process::CommandExt as _;
        command.process_group(0);
    });
    until("it waited twice", || waits(&first) >= 2);
    assert!(first.is_running());
    first.signal(Signal::KILL);
    first.wait();
    let second = agent(&scene, "restart").start();
    until("it waits again", || waits(&second) >= 2);
    fs::write(scene.path("over"), "").unwrap();
    let done = second.wait().exits(0);
    let steps = steps(&done.stdout);
    assert!(has(&steps, "output", "running  build"), "{}", done.told());
    assert!(has(&steps, "done", "build"), "{}", done.told());
    assert!(!steps.iter().any(|step| step["killed"] == true), "a wait hit the limit");
    // One run: nobody started a second one.
    assert_eq!(scene.history("build").len(), 1);
}

#[test]
fn what_is_denied_is_replaced_by_what_the_answer_says() {
    let scene = Scene::new();
    let done = agent(&scene, "unmanaged").finish().exits(0);
    let steps = steps(&done.stdout);
    assert!(has(&steps, "denied", "sentinel-run --detach"), "{}", done.told());
    assert!(has(&steps, "done", "train"), "{}", done.told());
}

#[test]
fn a_hang_is_found_and_mended_and_not_retried_as_it_is() {
    let scene = Scene::new();
    let done = agent(&scene, "hang").finish().exits(0);
    let steps = steps(&done.stdout);
    assert!(
        has(&steps, "why", "waits for a lock no running thread can release"),
        "{}",
        done.told()
    );
    assert!(has(&steps, "done", "hang"), "{}", done.told());
}

#[test]
fn three_failures_are_told_to_a_person_and_nothing_is_started_before_it_is_mended() {
    let scene = Scene::new();
    let done = agent(&scene, "failures").finish().exits(0);
    let steps = steps(&done.stdout);
    let starts = |step: &&Value| step["command"].as_str().is_some_and(|c| c.contains("--detach"));
    let mended = steps.iter().filter(|step| step["mends"] == "flaky").count();
    assert_eq!(mended, 2, "{}", done.told());
    assert!(has(&steps, "told_the_user", "flaky"), "{}", done.told());
    assert!(has(&steps, "gave_up", "flaky"), "{}", done.told());
    assert!(has(&steps, "why", "no route to host"), "{}", done.told());
    // Three that failed, one refused, and one when the circuit was closed.
    assert_eq!(steps.iter().filter(starts).count(), 5, "{}", done.told());
    assert!(has(&steps, "done", "flaky"), "{}", done.told());
}
