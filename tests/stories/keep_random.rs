//! Keepers, wrappers and processes are killed at random: none runs twice, none stays dead, and each
//! death is told of or counted.
//!
//! `SENTINEL_KILLS` says how many kills there are, `SENTINEL_SEED` which; both are printed.

use std::collections::BTreeMap;
use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::scene::{Process, Running, Scene, a_moment, until};

/// A process that finds out whether another of its name runs: the lock lasts as long as it does.
const WITNESS: &str = "#!/bin/sh
exec 9>>\"$1.held\"
flock -n 9 || echo \"$1\" >> twice
echo begun >> \"$1.runs\"
exec sleep 3730
";

const NAMES: [&str; 4] = ["ada", "bea", "cleo", "dora"];

/// Numbers that look random and are the same for the same seed (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What is killed, and how often it was.
struct Killer<'a> {
    scene: &'a Scene,
    dice: Dice,
    keeper: Option<Running>,
    looks: Vec<Running>,
    kills: BTreeMap<&'static str, u64>,
}

impl Killer<'_> {
    fn killed(&self) -> u64 {
        self.kills.values().sum()
    }

    fn a_while(&mut self) {
        for _ in 0..self.dice.below(12) {
            a_moment();
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.kills.entry(what).or_default() += 1;
    }

    /// One kill, or an attempt that came to nothing because there was nothing to be killed.
    fn strike(&mut self) {
        let name = NAMES[usize::try_from(self.dice.below(4)).unwrap()];
        match self.dice.below(6) {
            0 => self.kill_of(name, "pid", "wrapper"),
            1 | 2 => self.kill_of(name, "child_pid", "process"),
            3 => {
                self.keeper
                    .get_or_insert_with(|| self.scene.keep("healthcheck --every 1s").start());
                self.a_while();
                drop(self.keeper.take());
                self.count("keeper");
            }
            4 => {
                let mut look = self.scene.keep("healthcheck").start();
                self.a_while();
                if look.is_running() {
                    self.count("healthcheck");
                }
                drop(look);
            }
            _ => {
                self.keeper
                    .get_or_insert_with(|| self.scene.keep("healthcheck --every 1s").start());
                self.looks.retain_mut(Running::is_running);
                if self.looks.len() < 3 {
                    self.looks.push(self.scene.keep("healthcheck").start());
                }
                self.a_while();
            }
        }
    }

    fn kill_of(&mut self, name: &str, which: &str, what: &'static str) {
        let record = self.scene.heartbeat(name).unwrap_or_default();
        let pid = record[which].as_u64().and_then(|pid| u32::try_from(pid).ok());
        // A number may have been given to somebody else meanwhile.
        let ours = |process: &Process| {
            let line = process.command_line();
            line.contains("sentinel-run") || line.contains("witness") || line == "sleep 3730"
        };
        if let Some(victim) = pid.and_then(Process::of).filter(ours) {
            victim.signal(Signal::KILL);
            self.count(what);
        }
        self.a_while();
    }
}

/// What was told and what was counted, by cause.
fn told(alerts: &[Value], name: &str, ledger: &Value) -> BTreeMap<String, u64> {
    let mut told: BTreeMap<String, u64> = BTreeMap::new();
    for alert in alerts.iter().filter(|alert| alert["name"] == name) {
        let suppressed = alert["suppressed"].as_u64().unwrap();
        *told.entry(alert["cause"].as_str().unwrap().to_owned()).or_default() += 1 + suppressed;
    }
    for (cause, last) in ledger["told"].as_object().into_iter().flatten() {
        *told.entry(cause.clone()).or_default() += last["suppressed"].as_u64().unwrap();
    }
    told
}

#[test]
fn whatever_is_killed_at_random_none_runs_twice_none_stays_dead_and_each_death_is_told() {
    let (kills, seed) = (variable("SENTINEL_KILLS", 40), variable("SENTINEL_SEED", 4));
    let scene = Scene::new();
    let witness = scene.script("witness", WITNESS);
    for name in NAMES {
        let options = "--restart-cooldown 0s --max-restarts 1000000 --grace 1s";
        scene.kept(&format!("register {name} {options} -- {} {name}", witness.display())).exits(0);
    }
    scene.kept("start --all").exits(0);
    let dice = Dice(seed.max(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut killer =
        Killer { scene: &scene, dice, keeper: None, looks: Vec::new(), kills: BTreeMap::new() };
    while killer.killed() < kills {
        killer.strike();
    }
    println!("seed {seed}: {:?}", killer.kills);
    let Killer { keeper, looks, .. } = killer;
    for look in looks {
        look.wait().exits(0);
    }
    // The one that stays brings up what is still dead, and goes on alone.
    let keeper = keeper.unwrap_or_else(|| scene.keep("healthcheck --every 1s").start());
    let up = |name: &&str| {
        let ledger = scene.ledger(name);
        let record = scene.heartbeat(name).unwrap_or_default();
        let pid = record["child_pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        let runs = pid.and_then(Process::of).is_some_and(|it| it.command_line() == "sleep 3730");
        runs && ledger["phase"] == "up"
            && ledger["run_id"] == record["run_id"]
            && ledger["outbox"].is_null()
    };
    until(&format!("all of them run again, seed {seed}"), || NAMES.iter().all(up));
    drop(keeper);
    scene.kept("healthcheck").exits(0);
    let twice = fs::read_to_string(scene.path("twice")).unwrap_or_default();
    assert_eq!(twice, "", "ran twice, seed {seed}");
    assert_eq!(scene.members_running("sleep 3730").len(), NAMES.len(), "seed {seed}");
    let alerts = scene.alerts();
    for name in NAMES {
        let ledger = scene.ledger(name);
        let failures = ledger["failures"].as_object().unwrap();
        let told = told(&alerts, name, &ledger);
        let all = json!(told);
        assert_eq!(all, json!(failures), "{name}: what was told is what failed, seed {seed}");
        let runs = fs::read_to_string(scene.path(&format!("{name}.runs"))).unwrap().lines().count();
        let deaths: u64 = told.values().sum();
        assert!(deaths + 1 >= runs as u64, "{name}: {runs} runs, {deaths} deaths, seed {seed}");
    }
    scene.kept("stop --all").exits(0);
    scene.nothing_is_left();
}
