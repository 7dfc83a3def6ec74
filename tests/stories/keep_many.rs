//! Many registered processes: each command is one for all of them, and a look at them costs little.
//!
//! As many as `SENTINEL_MANY` says; the time of a healthcheck with nothing to do is printed.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use serde_json::{Map, json};

use crate::scene::{Scene, until};

#[test]
fn many_processes_are_started_looked_at_mended_and_stopped_together() {
    let many = std::env::var("SENTINEL_MANY").ok().and_then(|many| many.parse().ok()).unwrap_or(30);
    let scene = Scene::new();
    let entry = json!({"command": "exec sleep 3720", "restart_cooldown": 0});
    let entries: Map<_, _> = (1..many).map(|n| (format!("bot{n}"), entry.clone())).collect();
    fs::write(scene.registry(), serde_json::to_vec(&entries).unwrap()).unwrap();
    scene.kept("register bot0 --restart-cooldown 0s -- sleep 3720").exits(0);
    let text = fs::read_to_string(scene.registry()).unwrap();
    assert_eq!(text.matches("\"command\"").count(), many, "one more loses none");

    let started = scene.kept("start --all").exits(0);
    assert_eq!(started.stdout.matches("started  bot").count(), many);
    let runs = || scene.members_running("sleep 3720");
    until("all of them run", || runs().len() == many);
    let told = scene.kept("status --json").exits(0).json_lines();
    assert_eq!(told.len(), many);
    assert!(told.iter().all(|one| one["state"] == "running"), "{told:?}");
    assert_eq!(scene.kept("status").exits(0).stdout.lines().count(), many + 1);

    // What has nothing to do starts nothing, and writes nothing but that it has looked.
    let state = || {
        let mut files = Scene::snapshot(&scene.path("state"));
        files.retain(|(name, ..)| name != ".looked");
        files
    };
    let before = state();
    let mut times: Vec<Duration> =
        (0..5).map(|_| scene.kept("healthcheck").exits(0).took).collect();
    assert!(state() == before);
    times.sort();
    let mut words = String::new();
    let _ = write!(words, "a healthcheck of {many}: {:?}, at worst {:?}", times[2], times[4]);
    println!("{words}");

    for process in runs().iter().step_by(3) {
        process.signal(rustix::process::Signal::KILL);
    }
    until("all of them run again", || {
        scene.kept("healthcheck").exits(0);
        runs().len() == many
    });
    assert_eq!(scene.alerts().len(), many.div_ceil(3), "an alert for each that died");
    scene.kept("stop --all").exits(0);
    scene.nothing_is_left();
    scene.kept("healthcheck").exits(0);
    scene.nothing_is_left();
}

#[test]
fn many_that_do_not_want_to_end_take_their_grace_together() {
    let scene = Scene::new();
    let deaf = "trap '' TERM; touch \"$0\"; while :; do sleep 3721; done";
    let names: Vec<String> = (0..12).map(|n| format!("deaf{n}")).collect();
    for name in &names {
        let register = scene.keep(&format!("register {name} --grace 2s -- sh -c"));
        register.arg(deaf).arg(scene.path(name)).finish().exits(0);
    }
    scene.kept("start --all").exits(0);
    until("they are deaf", || names.iter().all(|name| scene.path(name).exists()));
    let stop = scene.kept("stop --all").exits(0);
    let told: Vec<&str> = stop.stdout.lines().collect();
    let expected: Vec<String> = names.iter().map(|name| format!("stopped  {name}")).collect();
    assert_eq!(told, expected, "in the order of the registry");
    assert!(stop.took < Duration::from_secs(15), "one after the other: {:?}", stop.took);
    scene.nothing_is_left();
}
