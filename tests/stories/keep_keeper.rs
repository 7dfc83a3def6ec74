//! The keeper that stays: what it sees at once, whoever acted, and that there is one of it.

use crate::scene::{Running, Scene, until};
use rustix::process::Signal;

/// Its rounds are an hour apart: whatever it does, it does because something happened.
fn keeper(scene: &Scene) -> Running {
    let keeper = scene.keep("healthcheck --every 1h").start();
    let began = format!("pid {}", keeper.pid());
    until("it is at work", || {
        scene.events("keeper-started").iter().any(|event| event["detail"] == began.as_str())
    });
    keeper
}

fn dismiss(keeper: Running) {
    keeper.signal(Signal::KILL);
    keeper.wait();
}

#[test]
fn a_death_is_seen_at_once_whoever_started_what_died() {
    let scene = Scene::new();
    let keeper = keeper(&scene);
    // Registered, started and killed after it came.
    scene.kept_up("bot", "--restart-cooldown 100ms -- sleep 3741");
    for (n, which) in ["child_pid", "pid", "child_pid"].into_iter().enumerate() {
        let dead = scene.killed("bot", which);
        until("it runs again", || {
            scene.ledger("bot")["restarts"] == n + 1
                && scene.members_running("sleep 3741").len() == 1
        });
        assert!(!scene.members_running("sleep 3741").contains(&dead));
    }
    // What somebody stopped stays stopped, and what somebody starts again is watched again.
    scene.kept("stop bot").exits(0);
    scene.kept("start bot").exits(0);
    scene.is_up("bot");
    scene.killed("bot", "child_pid");
    until("it runs again", || scene.ledger("bot")["restarts"] == 4);
    scene.is_up("bot");
    scene.kept("deregister bot").exits(0).says("and stopped");
    dismiss(keeper);
    assert!(scene.members_running("sleep 3741").is_empty());
}

#[test]
fn what_hangs_is_ended_and_started_again_without_being_asked_after() {
    let scene = Scene::new();
    let keeper = keeper(&scene);
    let stuck = "import threading; l = threading.Lock(); l.acquire(); l.acquire()";
    let options = "--progress-timeout 900ms --restart-cooldown 100ms";
    scene.kept_up("bot", &format!("{options} -- python3 -c '{stuck}'"));
    until("it was called hung and restarted", || {
        let ledger = scene.ledger("bot");
        ledger["restarts"].as_u64() >= Some(1) && ledger["failures"]["hung"].as_u64() >= Some(1)
    });
    let why = scene.ledger("bot")["last_failure"]["diagnosis"].to_string();
    assert!(why.contains("waits for a lock"), "{why}");
    scene.kept("stop bot").exits(0);
    dismiss(keeper);
}

#[test]
fn there_is_one_for_each_registry_and_the_next_takes_over_from_a_killed_one() {
    let scene = Scene::new();
    let first = keeper(&scene);
    let second = scene.kept("healthcheck --every 1h");
    second.exits(75).says("a keeper is already at work").says(&format!("pid {}", first.pid()));
    // Another registry of the directory has its own.
    let script = "exec \"$KEEP\" --registry other.json healthcheck --every 1h";
    let other = scene.sh(script).start();
    until("two are at work", || scene.events("keeper-started").len() == 2);
    scene.kept_up("bot", "--restart-cooldown 100ms -- sleep 3742");
    dismiss(first);
    scene.killed("bot", "child_pid");
    let next = keeper(&scene);
    until("it runs again", || scene.ledger("bot")["restarts"] == 1);
    scene.is_up("bot");
    scene.kept("stop bot").exits(0);
    dismiss(other);
    dismiss(next);
}
