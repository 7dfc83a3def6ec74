//! When an exit 0 is the end of the work, and when it is a death that looks like one.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::scene::{Scene, until};

/// Exits 0 when it is told to end: what watchdogs take for a job well done.
const POLITE: &str = "'trap \"exit 0\" TERM; touch ready; sleep 3630 & wait'";

/// What is left to do about it is nothing, so that a look at it need not wait for a restart.
const LEFT: &str = "--no-auto-restart";

/// Waits for its end, and for the healthcheck's word on it.
#[track_caller]
fn settled(scene: &Scene) -> Value {
    until("its end is recorded", || scene.status("bot").is_some());
    until("its end is settled", || {
        scene.kept("healthcheck").exits(0);
        scene.phase("bot") != "up"
    });
    scene.ledger("bot")
}

#[test]
fn exit_0_is_the_end_of_the_work_from_80_percent_of_its_time_on() {
    let table = [
        // The seed's rule, on both sides.
        ("--duration 500ms 'sleep 0.45'", "completed", ""),
        ("--duration 2s 'sleep 0.3'", "failed", "early"),
        ("--duration 300ms 'sleep 0.4; exit 3'", "failed", "exit"),
        // 0 minutes: for ever.
        ("'exit 0' 0", "failed", "early"),
        ("'exit 0' 480", "failed", "early"),
        // Whatever completes is done at its first exit 0.
        ("--completes 'exit 0'", "completed", ""),
        ("--completes --duration 8h 'exit 0'", "completed", ""),
        ("--completes 'exit 3'", "failed", "exit"),
    ];
    for (line, phase, cause) in table {
        let scene = Scene::new();
        scene.kept(&format!("register bot {LEFT} {line}")).exits(0);
        scene.kept("start bot").exits(0);
        let ledger = settled(&scene);
        assert_eq!(ledger["phase"], json!(phase), "{line}: {ledger}");
        let causes: Vec<Value> =
            scene.alerts().iter().map(|alert| alert["cause"].clone()).collect();
        if cause.is_empty() {
            assert_eq!(causes, [] as [Value; 0], "{line}");
            scene.kept("healthcheck").exits(0);
            assert_eq!(scene.phase("bot"), "completed", "{line}: it stays so");
            assert_eq!(scene.events("completed").len(), 1);
            scene.kept("status").exits(0).says("completed");
        } else {
            assert_eq!(causes, [json!(cause)], "{line}");
            scene.kept("status bot").exits(3);
        }
    }
}

#[test]
fn what_goes_into_the_background_has_ended() {
    let scene = Scene::new();
    scene.kept(&format!("register bot {LEFT} 'setsid sleep 3632 & exit 0'")).exits(0);
    scene.kept("start bot").exits(0);
    settled(&scene);
    scene.kept("alerts").exits(0).says("it may have gone into the background");
    scene.nothing_is_left();
}

#[test]
fn who_told_the_wrapper_to_end_is_in_the_record_and_an_early_exit_0_is_a_death() {
    for options in ["", "--duration 8h", "--completes"] {
        let scene = Scene::new();
        let wrapper = scene.kept_up("bot", &format!("{LEFT} {options} {POLITE}"));
        until("it listens", || scene.path("ready").exists());
        wrapper.signal(Signal::TERM);
        let ledger = settled(&scene);
        assert_eq!(ledger["phase"], json!("failed"), "{options}: {ledger}");
        let failure = &ledger["last_failure"];
        assert_eq!(failure["cause"], json!("stopped"), "{options}");
        let reason = failure["reason"].as_str().unwrap();
        let who = format!("pid {}", std::process::id());
        assert!(reason.contains(&who), "who it was: {reason}");
        assert!(reason.contains("exit code 0"), "{reason}");
        assert!(scene.alerts()[0]["message"].as_str().unwrap().contains(&who));
        scene.nothing_is_left();
    }
}

#[test]
fn whoever_signals_the_command_itself_cannot_be_known_and_that_is_said() {
    for (options, phase) in
        [("", "failed"), ("--duration 8h", "failed"), ("--completes", "completed")]
    {
        let scene = Scene::new();
        scene.kept_up("bot", &format!("{LEFT} {options} {POLITE}"));
        until("it listens", || scene.path("ready").exists());
        let pid = scene.heartbeat("bot").unwrap()["child_pid"].as_u64().unwrap();
        let child = crate::scene::Process::of(u32::try_from(pid).unwrap()).unwrap();
        child.signal(Signal::TERM);
        let ledger = settled(&scene);
        assert_eq!(ledger["phase"], json!(phase), "{options}: {ledger}");
        if phase == "failed" {
            let failure = &ledger["last_failure"];
            assert_eq!(failure["cause"], json!("early"), "{options}");
            let reason = failure["reason"].as_str().unwrap();
            assert!(reason.contains("nobody can know"), "{reason}");
        }
    }
}

#[test]
fn told_to_end_after_most_of_its_time_it_has_done_its_work() {
    let scene = Scene::new();
    let wrapper = scene.kept_up("bot", &format!("--duration 200ms {POLITE}"));
    until("it has had its time", || {
        let begun = std::fs::metadata(scene.path("ready")).and_then(|meta| meta.modified());
        begun.is_ok_and(|at| at.elapsed().is_ok_and(|since| since.as_millis() > 200))
    });
    wrapper.signal(Signal::TERM);
    assert_eq!(settled(&scene)["phase"], json!("completed"));
}

#[test]
fn told_to_end_early_it_is_restarted_like_any_other_death() {
    let scene = Scene::new();
    let wrapper = scene.kept_up("bot", &format!("--restart-cooldown 10ms {POLITE}"));
    until("it listens", || scene.path("ready").exists());
    wrapper.signal(Signal::TERM);
    wrapper.is_gone();
    scene.kept("healthcheck").exits(0);
    scene.runs_once("sleep 3630");
    assert_eq!(scene.ledger("bot")["failures"], json!({"stopped": 1}));
    scene.kept("stop bot").exits(0);
    assert_eq!(scene.ledger("bot")["failures"], json!({"stopped": 1}), "a stop is no failure");
}
