//! Many at once, from cron, a person and a loop: one start, one restart, never two processes.

use std::fs;

use serde_json::json;

use crate::scene::{Scene, until};

/// A process that finds out whether another of its name runs: the lock lasts as long as it does.
const WITNESS: &str = "#!/bin/sh
exec 9>>\"$1.held\"
flock -n 9 || echo twice >> twice
echo begun >> \"$1.runs\"
exec sleep 3700
";

#[test]
fn twenty_healthchecks_at_once_make_one_restart() {
    let scene = Scene::new();
    let witness = scene.script("witness", WITNESS);
    scene.kept_up("bot", &format!("--restart-cooldown 100ms -- {} bot", witness.display()));
    until("it has begun", || scene.members_running("sleep 3700").len() == 1);
    scene.killed("bot", "child_pid");
    let all: Vec<_> = (0..20).map(|_| scene.keep("healthcheck").start()).collect();
    for look in all {
        look.wait().exits(0);
    }
    scene.is_up("bot");
    let ledger = scene.ledger("bot");
    assert_eq!(ledger["restarts"], json!(1), "{ledger}");
    assert_eq!(ledger["failures"], json!({"signal": 1}));
    assert_eq!(scene.alerts().len(), 1);
    assert_eq!((scene.events("died").len(), scene.events("restarted").len()), (1, 1));
    until("it has begun", || scene.members_running("sleep 3700").len() == 1);
    assert_eq!(fs::read_to_string(scene.path("bot.runs")).unwrap(), "begun\nbegun\n");
    scene.kept("stop bot").exits(0);
    assert!(!scene.path("twice").exists());
}

#[test]
fn twenty_starts_at_once_are_one() {
    let scene = Scene::new();
    let witness = scene.script("witness", WITNESS);
    scene.kept(&format!("register bot -- {} bot", witness.display())).exits(0);
    let all: Vec<_> = (0..20).map(|_| scene.keep("start --json bot").start()).collect();
    let told: Vec<_> = all.into_iter().map(|start| start.wait().exits(0).json()).collect();
    let started = told.iter().filter(|told| told["did"] == "started").count();
    assert_eq!(started, 1, "{told:?}");
    assert_eq!(scene.events("started").len(), 1);
    scene.kept("stop bot").exits(0);
    assert!(!scene.path("twice").exists());
}

#[test]
fn whatever_many_ask_for_at_once_there_are_never_two_and_the_last_word_holds() {
    let scene = Scene::new();
    let witness = scene.script("witness", WITNESS);
    let options = "--restart-cooldown 10ms --max-restarts 1000 --grace 1s";
    scene.kept_up("bot", &format!("{options} -- {} bot", witness.display()));
    let asked = ["start bot", "healthcheck", "restart bot", "stop bot", "healthcheck", "start bot"];
    let mut under_way: Vec<_> = asked.iter().map(|line| (line, scene.keep(line).start())).collect();
    let mut rounds = 0;
    while rounds < 50 {
        for (line, asked) in &mut under_way {
            if !asked.is_running() {
                let again = scene.keep(line).start();
                std::mem::replace(asked, again).wait().exits(0);
                rounds += 1;
            }
        }
        // Death has a hand in it, too.
        if rounds % 7 == 0
            && let Some(run) = scene.members_running("sleep 3700").first()
        {
            run.signal(rustix::process::Signal::KILL);
            rounds += 1;
        }
        crate::scene::a_moment();
    }
    for (_, asked) in under_way {
        asked.wait().exits(0);
    }
    scene.kept("stop bot").exits(0);
    scene.nothing_is_left();
    scene.kept("healthcheck").exits(0);
    scene.nothing_is_left();
    assert_eq!(scene.phase("bot"), "stopped");
    scene.kept("start bot").exits(0);
    scene.is_up("bot");
    until("it runs", || scene.members_running("sleep 3700").len() == 1);
    scene.kept("stop bot").exits(0);
    assert!(!scene.path("twice").exists(), "two ran at once");
}
