//! A process that hangs is ended with what it waited for in the record, and started again.

use std::time::Duration;

use serde_json::json;

use crate::scene::{Scene, has, skip, until};

/// Hangs in its first run, works in the next.
const DEADLOCK: &str = "\
import os, threading, time
print('begun', flush=True)
if os.path.exists('hung'):
    while True:
        time.sleep(0.2)
        print('.', flush=True)
open('hung', 'w').close()
lock = threading.Lock()
lock.acquire()
lock.acquire()
";

#[test]
fn a_deadlocked_program_is_ended_diagnosed_and_restarted() {
    if !has("python3") {
        return skip("a_deadlocked_program_is_ended_diagnosed_and_restarted", "no python3");
    }
    let scene = Scene::new();
    scene.script("bot.py", DEADLOCK);
    let options = "--progress-timeout 2s --grace 1s --restart-cooldown 20ms";
    scene.kept_up("bot", &format!("{options} -- python3 bot.py"));
    let hung = scene.members();
    until("its last sign of life is old", || {
        let beat = scene.last_beat("bot").expect("a heartbeat");
        scene.path("hung").exists() && beat.elapsed().is_ok_and(|age| age.as_secs_f64() > 2.1)
    });
    scene.kept("healthcheck").exits(0);
    scene.is_up("bot");
    assert!(!hung.iter().any(|process| process.alive()), "it is ended before the next is started");
    let failure = scene.ledger("bot")["last_failure"].clone();
    assert_eq!(failure["cause"], json!("hung"));
    let diagnosis = failure["diagnosis"].as_str().unwrap_or_default();
    assert!(diagnosis.contains("python"), "what it waited for is told: {failure}");
    let alert = &scene.alerts()[0];
    assert_eq!((&alert["cause"], &alert["name"]), (&json!("hung"), &json!("bot")));
    // Now it speaks, and is left alone for longer than the timeout.
    let second = scene.wrapper("bot");
    scene.beats("bot", 3);
    scene.kept("healthcheck").exits(0);
    assert!(second.alive());
    let status = scene.kept("--json status bot").exits(0).json();
    assert_eq!(status["state"], json!("running"));
    assert_eq!(status["last_failure"]["cause"], json!("hung"));
    scene.kept("stop bot").exits(0);
}

#[test]
fn a_process_that_never_progresses_is_restarted_however_much_it_prints() {
    let scene = Scene::new();
    let bot = "sh -c 'while :; do echo alive; sleep 0.1; done'";
    let options = "--progress-file 'rows/*' --beat-on progress --check-interval 200ms";
    let options = format!("{options} --progress-timeout 1s --grace 1s --restart-cooldown 20ms");
    scene.kept_up("bot", &format!("{options} -- {bot}"));
    until("its last sign of life is old", || {
        scene.last_beat("bot").unwrap().elapsed().is_ok_and(|age| age > Duration::from_secs(1))
    });
    scene.kept("healthcheck").exits(0);
    scene.is_up("bot");
    let ledger = scene.ledger("bot");
    assert_eq!((&ledger["failures"], &ledger["restarts"]), (&json!({"hung": 1}), &json!(1)));
    scene.kept("stop bot").exits(0);
}
