//! A disk that is full while something is to be restarted: when there is room again it runs.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::scene::{Cmd, KEEP, Mount, Process, Scene, skip, until};

/// Writes until not one byte more fits.
fn fill(dir: &Path) {
    let mut file = fs::File::create(dir.join("filler")).unwrap();
    for size in [65536, 4096, 64, 1] {
        let block = vec![b'x'; size];
        while file.write_all(&block).is_ok() {}
    }
}

fn record(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap_or_default()).unwrap_or_default()
}

#[test]
fn a_disk_that_is_full_during_a_restart_delays_it_and_loses_nothing() {
    let name = "a_disk_that_is_full_during_a_restart_delays_it_and_loses_nothing";
    let scene = Scene::new();
    let disk = scene.path("disk");
    let Some(_mount) = Mount::at(&disk, "mount -t tmpfs -o size=1m,mode=700 none") else {
        return skip(name, "no file system can be mounted");
    };
    let keep = |words: &[&str]| -> Cmd {
        scene.program(KEEP).arg("--registry").arg(disk.join("registry.json")).args(words)
    };
    let options = ["--restart-cooldown", "20ms", "--max-restarts", "3"];
    let register = keep(&["register", "bot"]).args(options).args(["--", "sleep", "3690"]);
    register.finish().exits(0);
    keep(&["start", "bot"]).finish().exits(0);
    let registry = fs::read(disk.join("registry.json")).unwrap();
    for round in 1..=2 {
        fill(&disk);
        let runs = scene.members_running("sleep 3690");
        assert_eq!(runs.len(), 1, "round {round}");
        let wrapper = record(&disk.join("jobs/bot.heartbeat"))["pid"].as_u64().unwrap();
        let wrapper = Process::of(u32::try_from(wrapper).unwrap()).unwrap();
        runs[0].signal(rustix::process::Signal::KILL);
        wrapper.is_gone();
        // Looked at again and again, more often than it may be restarted.
        for _ in 0..5 {
            keep(&["healthcheck"]).finish().exits_one_of(&[0, 1, 2]);
            assert!(scene.members_running("sleep 3690").is_empty());
            assert_ne!(record(&disk.join("state/bot.json"))["phase"], json!("given-up"));
        }
        fs::remove_file(disk.join("filler")).unwrap();
        until("it runs again", || {
            keep(&["healthcheck"]).finish().exits(0);
            scene.members_running("sleep 3690").len() == 1
        });
        let ledger = record(&disk.join("state/bot.json"));
        assert_eq!(ledger["phase"], json!("up"));
        assert_eq!(ledger["restarts"], json!(round), "{ledger}");
        assert_eq!(ledger["failures"]["signal"], json!(round), "{ledger}");
    }
    assert_eq!(fs::read(disk.join("registry.json")).unwrap(), registry);
    let alerts = fs::read_dir(disk.join("alerts")).unwrap().map(|entry| entry.unwrap().path());
    let causes: Vec<Value> = alerts.map(|path| record(&path)["cause"].clone()).collect();
    assert!(causes.contains(&json!("signal")), "the death is told: {causes:?}");
    keep(&["stop", "bot"]).finish().exits(0);
}

#[test]
fn a_registry_that_cannot_be_written_for_want_of_room_is_as_it_was() {
    let name = "a_registry_that_cannot_be_written_for_want_of_room_is_as_it_was";
    let scene = Scene::new();
    let disk = scene.path("disk");
    let Some(_mount) = Mount::at(&disk, "mount -t tmpfs -o size=512k,mode=700 none") else {
        return skip(name, "no file system can be mounted");
    };
    let keep = |words: &[&str]| {
        let keep = scene.program(KEEP).arg("--registry").arg(disk.join("registry.json"));
        keep.args(words).finish()
    };
    keep(&["register", "one", "sleep 3691"]).exits(0);
    let before = fs::read(disk.join("registry.json")).unwrap();
    fill(&disk);
    keep(&["register", "two", "sleep 3691"]).exits(2).says("No space");
    keep(&["start", "one"]).exits_one_of(&[1, 2]);
    assert_eq!(fs::read(disk.join("registry.json")).unwrap(), before);
    scene.nothing_is_left();
    fs::remove_file(disk.join("filler")).unwrap();
    keep(&["register", "two", "sleep 3691"]).exits(0);
    keep(&["start", "--all"]).exits(0);
    assert_eq!(scene.members_running("sleep 3691").len(), 2);
    keep(&["stop", "--all"]).exits(0);
}
