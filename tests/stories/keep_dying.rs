//! What dies is restarted, later each time, and given up loudly where that does not help.

use std::time::Duration;

use serde_json::{Value, json};

use crate::scene::{Process, Scene, until, until_some};

/// The causes of the alerts that lie there, and what each says is done.
fn told(scene: &Scene) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    scene.alerts().iter().map(|alert| (text(&alert["cause"]), text(&alert["action"]))).collect()
}

#[test]
fn a_bot_that_dies_at_once_is_given_up_loudly_and_a_start_begins_anew() {
    let scene = Scene::new();
    let bot = "register bot 'echo begun >> begun; sleep 0.01; exit 7'";
    scene.kept(&format!("{bot} --max-restarts 3 --restart-cooldown 50ms")).exits(0);
    let begun = || std::fs::read_to_string(scene.path("begun")).unwrap_or_default().lines().count();
    let die_out = || {
        until("it is given up", || {
            scene.kept("healthcheck").exits(0);
            scene.phase("bot") == "given-up"
        });
    };
    scene.kept("start bot").exits(0);
    die_out();
    assert_eq!(begun(), 4, "a start, and the three restarts that are allowed");
    let ledger = scene.ledger("bot");
    assert_eq!(ledger["restarts"], json!(3));
    assert_eq!(ledger["failures"], json!({"exit": 4}));
    assert_eq!(ledger["last_failure"]["cause"], json!("exit"));
    assert!(ledger["last_failure"]["reason"].as_str().unwrap().contains('7'), "{ledger}");
    let alerts = told(&scene);
    assert_eq!(alerts.len(), 2, "{alerts:?}");
    assert_eq!(alerts[0].0, "exit");
    assert_eq!(alerts[1].0, "given-up");
    assert!(alerts[1].1.contains("sentinel-keep start bot"), "{alerts:?}");
    let status = scene.kept("--json status bot").exits(3).json();
    assert_eq!(status["state"], json!("given-up"));
    scene.kept("status").exits(3).says("given");

    // It stays given up until somebody acts, however often it is looked at.
    scene.kept("healthcheck").exits(0);
    assert_eq!(begun(), 4);
    scene.kept("start bot").exits(0);
    die_out();
    assert_eq!(begun(), 8, "the count begins anew");
    let alerts = told(&scene);
    assert_eq!(alerts.iter().filter(|(cause, _)| cause == "given-up").count(), 2, "{alerts:?}");
    assert_eq!(scene.events("given-up").len(), 2);
}

#[test]
fn the_time_before_a_restart_doubles_up_to_the_cooldown() {
    let scene = Scene::new();
    let bot = "register bot 'exit 7' --max-restarts 5 --restart-cooldown 3s";
    scene.kept(bot).exits(0);
    scene.kept("start bot").exits(0);
    // Each look settles one death; what was put off is brought forward here instead of waited for.
    let mut delays = Vec::new();
    loop {
        until("its end is recorded", || scene.status("bot").is_some());
        let look = scene.keep("healthcheck").start();
        let ledger = until_some("the death is settled", || {
            Some(scene.ledger("bot")).filter(|ledger| ledger["phase"] != "up")
        });
        drop(look);
        let Some(after) = ledger["after_s"].as_f64() else { break };
        delays.push(after);
        let mut ledger = scene.ledger("bot");
        ledger["at"]["monotonic_ns"] = json!(1);
        std::fs::write(scene.path("state/bot.json"), ledger.to_string()).unwrap();
        scene.kept("healthcheck").exits(0);
    }
    assert_eq!(delays.len(), 5, "{delays:?}");
    for (delay, full) in delays.iter().zip([1.0, 2.0, 3.0, 3.0, 3.0]) {
        assert!((0.9 * full..=full).contains(delay), "{delays:?}");
    }
    assert_eq!(scene.phase("bot"), "given-up");
}

#[test]
fn the_death_of_a_healthy_process_is_seen_mended_and_told() {
    let scene = Scene::new();
    let wrapper = scene.kept_up("bot", "--restart-cooldown 20ms -- sleep 3611");
    for (victim, cause) in [("child_pid", "signal"), ("pid", "lost")] {
        let runs = scene.members_running("sleep 3611");
        assert_eq!(runs.len(), 1);
        scene.killed("bot", victim);
        scene.kept("healthcheck").exits(0);
        scene.is_up("bot");
        scene.runs_once("sleep 3611");
        assert!(!runs[0].alive(), "nothing of the former run goes on beside its successor");
        assert_eq!(scene.ledger("bot")["last_failure"]["cause"], json!(cause));
    }
    assert!(!wrapper.alive());
    let causes: Vec<String> = told(&scene).into_iter().map(|(cause, _)| cause).collect();
    assert_eq!(causes, ["signal", "lost"]);
    let status = scene.kept("--json status bot").exits(0).json();
    assert_eq!(status["restarts"], json!(2));
    assert_eq!(status["last_failure"]["cause"], json!("lost"));
    scene.kept("stop bot").exits(0);
}

#[test]
fn deaths_of_a_kind_are_told_once_and_counted() {
    let scene = Scene::new();
    scene.kept_up("bot", "--restart-cooldown 0s --max-restarts 50 -- sleep 3612");
    for _ in 0..4 {
        scene.killed("bot", "child_pid");
        scene.kept("healthcheck").exits(0);
        scene.is_up("bot");
    }
    assert_eq!(scene.alerts().len(), 1, "one alert in 15 minutes");
    assert_eq!(scene.ledger("bot")["told"]["signal"]["suppressed"], json!(3));
    // A quarter of an hour later the next one tells of those that were kept back.
    let mut ledger = scene.ledger("bot");
    let early = ledger["told"]["signal"]["at"]["monotonic_ns"].as_u64().unwrap();
    let quarter = u64::try_from(Duration::from_secs(901).as_nanos()).unwrap();
    ledger["told"]["signal"]["at"]["monotonic_ns"] = json!(early.saturating_sub(quarter));
    if early > quarter {
        std::fs::write(scene.path("state/bot.json"), ledger.to_string()).unwrap();
        scene.killed("bot", "child_pid");
        scene.kept("healthcheck").exits(0);
        let alerts = scene.alerts();
        assert_eq!(alerts.len(), 2);
        assert_eq!(alerts[1]["suppressed"], json!(3));
    }
    scene.kept("stop bot").exits(0);
}

#[test]
fn a_start_right_after_a_death_starts_it_and_tells_of_the_death() {
    for command in ["start", "restart"] {
        let scene = Scene::new();
        scene.kept_up("bot", "-- sleep 3613");
        scene.killed("bot", "child_pid");
        let told = scene.kept(&format!("{command} --json bot")).exits(0).json();
        assert_eq!(told["did"], json!(format!("{command}ed")));
        let now: Vec<Process> = scene.members_running("sleep 3613");
        assert_eq!(now.len(), 1, "{command} came back before it ran");
        assert_eq!(scene.phase("bot"), "up");
        assert_eq!(scene.alerts().len(), 1, "{command}: the death nobody had seen is told");
        scene.kept("stop bot").exits(0);
    }
}

#[test]
fn what_is_not_to_be_restarted_is_told_and_left() {
    let scene = Scene::new();
    scene.kept_up("bot", "--no-auto-restart -- sleep 3614");
    scene.killed("bot", "child_pid");
    for _ in 0..2 {
        scene.kept("healthcheck").exits(0);
        assert_eq!(scene.phase("bot"), "failed");
        scene.nothing_is_left();
    }
    let alerts = told(&scene);
    assert_eq!(alerts.len(), 1);
    assert!(alerts[0].1.contains("not restarted"), "{alerts:?}");
    assert_eq!(scene.kept("--json status bot").exits(3).json()["state"], json!("failed"));
    scene.kept("start bot").exits(0);
    scene.is_up("bot");
    scene.kept("stop bot").exits(0);
}

#[test]
fn what_takes_too_much_memory_is_ended_and_restarted() {
    let scene = Scene::new();
    let hog = scene.script(
        "hog.sh",
        "#!/bin/sh\necho begun >> begun\n[ $(wc -l < begun) -gt 1 ] && exec sleep 3615\n\
         { head -c 80000000 /dev/zero; sleep 3616; } | tail\n",
    );
    let options = "--max-memory 40M --check-interval 100ms --restart-cooldown 20ms";
    scene.kept(&format!("register hog {options} -- {}", hog.display())).exits(0);
    scene.kept("start hog").exits(0);
    until("its end is recorded", || scene.status("hog").is_some());
    scene.kept("healthcheck").exits(0);
    until("it runs again", || scene.members_running("sleep 3615").len() == 1);
    let failure = &scene.ledger("hog")["last_failure"];
    assert_eq!(failure["cause"], json!("limit"), "{failure}");
    assert!(failure["reason"].as_str().unwrap().contains("--max-memory"), "{failure}");
    scene.kept("stop hog").exits(0);
}
