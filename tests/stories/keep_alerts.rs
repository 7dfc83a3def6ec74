//! Alerts: raised once for each death, there until they are taken, and sent by a command.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::scene::{Done, Mount, Scene, skip, until};

/// Processes that end as their commands say, each seen by one healthcheck.
fn have_died(scene: &Scene, processes: &[(&str, &str)]) {
    for (name, line) in processes {
        scene.kept(&format!("register {name} --no-auto-restart {line}")).exits(0);
        scene.kept(&format!("start {name}")).exits_one_of(&[0, 1]);
        until(&format!("{name} ended"), || scene.status(name).is_some());
    }
}

fn causes(scene: &Scene) -> Vec<(String, String)> {
    let text = |alert: &Value, key: &str| alert[key].as_str().unwrap().to_owned();
    let mut all: Vec<(String, String)> =
        scene.alerts().iter().map(|alert| (text(alert, "name"), text(alert, "cause"))).collect();
    all.sort();
    all
}

fn queue(scene: &Scene) -> Vec<fs::DirEntry> {
    let entries = fs::read_dir(scene.path("state/.queue")).into_iter().flatten().flatten();
    entries.filter(|entry| !entry.file_name().to_str().unwrap().starts_with('.')).collect()
}

#[test]
fn each_death_is_an_alert_with_its_cause_until_it_is_taken() {
    let scene = Scene::new();
    let seeds = scene.path("tmp");
    fs::create_dir(&seeds).unwrap();
    have_died(
        &scene,
        &[
            ("code", "'exit 3'"),
            ("early", "'exit 0'"),
            ("shot", "'kill -SEGV $$'"),
            ("done", "--completes 'exit 0'"),
        ],
    );
    let lost = scene.kept_up("lost", "--no-auto-restart 'exec sleep 600'");
    lost.signal(Signal::KILL);
    lost.is_gone();
    let seed_flags = format!("--seed-flags={}", seeds.display());
    scene.kept(&format!("{seed_flags} healthcheck")).exits(0);
    let expected = [("code", "exit"), ("early", "early"), ("lost", "lost"), ("shot", "signal")];
    assert_eq!(causes(&scene), expected.map(|(name, cause)| (name.into(), cause.into())));

    let texts = [scene.path("alert.txt"), seeds.join("process_monitor_alert.txt")];
    let flags = [scene.path("alert.flag"), seeds.join("process_monitor_alert.flag")];
    let all_there = |there: bool| texts.iter().chain(&flags).all(|path| path.exists() == there);
    assert!(all_there(true));
    // Nothing new: another healthcheck says nothing again.
    scene.kept(&format!("{seed_flags} healthcheck")).exits(0);
    let listed = scene.kept("alerts").exits(0);
    assert_eq!(listed.stdout.lines().count(), 4);
    assert!(listed.stdout.contains("code  exit code 3 after "), "{}", listed.stdout);
    for text in &texts {
        let mut lines: Vec<String> =
            fs::read_to_string(text).unwrap().lines().map(str::to_owned).collect();
        lines.sort();
        let mut expected: Vec<&str> = listed.stdout.lines().collect();
        expected.sort_unstable();
        assert_eq!(lines, expected);
    }
    let objects = scene.kept("--json alerts").exits(0).json_lines();
    let times: Vec<&str> = objects.iter().map(|alert| alert["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");

    let taken = scene.kept(&format!("{seed_flags} alerts --take")).exits(0);
    assert_eq!(taken.stdout, listed.stdout);
    assert!(scene.alerts().is_empty() && all_there(false));
    assert_eq!(scene.kept("alerts --take").exits(0).stdout, "");
}

#[test]
fn within_a_quarter_of_an_hour_alerts_of_a_kind_are_counted() {
    let scene = Scene::new();
    scene.kept("register bot --no-auto-restart 'exit 3'").exits(0);
    let dies = || {
        scene.kept("start bot").exits(0);
        until("it ended", || scene.status("bot").is_some());
        scene.kept("healthcheck").exits(0);
        scene.alerts()
    };
    assert_eq!(dies().len(), 1);
    assert_eq!(dies().len(), 1);
    assert_eq!(dies().len(), 1);
    assert_eq!(scene.ledger("bot")["told"]["exit"]["suppressed"], 2);
    // A quarter of an hour later, as if in another boot.
    let mut ledger = scene.ledger("bot");
    ledger["told"]["exit"]["at"] =
        json!({"boot_id": "another", "monotonic_ns": 0, "at": "2020-01-01T00:00:00Z"});
    fs::write(scene.path("state/bot.json"), ledger.to_string()).unwrap();
    let alerts = dies();
    assert_eq!(alerts.len(), 2);
    assert_eq!(alerts[1]["suppressed"], 2);
    scene.kept("alerts").exits(0).says("(2 more of this kind since the last alert)");
}

#[test]
fn what_cannot_be_printed_is_not_taken() {
    let scene = Scene::new();
    have_died(&scene, &[("bot", "'exit 3'")]);
    scene.kept("healthcheck").exits(0);
    let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    let for_reading = || Stdio::from(fs::File::open("/dev/null").unwrap());
    for stdout in [&full as &dyn Fn() -> Stdio, &closed, &for_reading] {
        for options in ["", "--json "] {
            let take = scene.keep(&format!("{options}alerts --take"));
            let take = take.start_with(|command| {
                command.stdout(stdout());
            });
            let take = take.wait().exits(2);
            assert!(take.stderr.contains("so none was taken"), "{}", take.told());
            assert_eq!(scene.alerts().len(), 1);
            assert!(scene.path("alert.flag").exists() && scene.path("alert.txt").exists());
        }
    }
    scene.kept("alerts --take").exits(0).says("exit code 3");
    assert!(scene.alerts().is_empty());
}

#[test]
fn what_somebody_planted_is_neither_written_nor_taken() {
    let scene = Scene::new();
    let seeds = scene.path("tmp");
    fs::create_dir(&seeds).unwrap();
    let precious = |name: &str| {
        let path = scene.path(name);
        fs::write(&path, "precious\n").unwrap();
        path
    };
    symlink(precious("a"), seeds.join("process_monitor_alert.flag")).unwrap();
    fs::hard_link(precious("b"), seeds.join("process_monitor_alert.txt")).unwrap();
    symlink(precious("c"), scene.path("alert.txt")).unwrap();
    have_died(&scene, &[("bot", "'exit 3'")]);
    let seed_flags = format!("--seed-flags={}", seeds.display());
    let seen = scene.kept(&format!("{seed_flags} healthcheck")).exits(0);
    let complaints = seen.stderr.lines().filter(|line| line.contains("refused")).count();
    assert_eq!(complaints, 1, "{}", seen.told());
    assert_eq!(causes(&scene), [("bot".to_owned(), "exit".to_owned())]);

    let alerts = scene.path("alerts");
    symlink(precious("d"), alerts.join("0-link.json")).unwrap();
    fs::write(alerts.join("0-none.json"), "no alert\n").unwrap();
    fs::create_dir(alerts.join("0-dir.json")).unwrap();
    scene.command("mkfifo").arg(alerts.join("0-pipe.json")).finish().exits(0);
    let taken = scene.kept(&format!("{seed_flags} alerts --take")).exits(0).says("exit code 3");
    for name in ["0-link", "0-none", "0-dir", "0-pipe"] {
        assert!(taken.stderr.contains(&format!("{name}.json")), "{}", taken.told());
        assert!(alerts.join(format!("{name}.json")).symlink_metadata().is_ok(), "{name}");
    }
    assert_eq!(fs::read_dir(&alerts).unwrap().count(), 4);
    for name in ["a", "b", "c", "d"] {
        assert_eq!(fs::read_to_string(scene.path(name)).unwrap(), "precious\n");
    }
    assert!(seeds.join("process_monitor_alert.txt").exists());
}

// ---- the alert command ------------------------------------------------------------------------

/// A healthcheck with this alert command.
fn alerting(scene: &Scene, command: &str) -> Done {
    scene.keep("healthcheck").env("SENTINEL_ALERT_CMD", command).finish()
}

#[test]
fn a_command_reads_each_alert_and_is_tried_again() {
    let scene = Scene::new();
    have_died(&scene, &[("one", "'exit 3'"), ("two", "'exit 4'")]);
    let seen = alerting(&scene, "cat >>tried; echo >>times; [ $(wc -l <times) -ge 3 ]").exits(0);
    assert!(seen.took.as_secs() >= 6, "{}", seen.told());
    assert!(queue(&scene).is_empty());
    assert_eq!(causes(&scene).len(), 2, "and no alert that the command failed");
    let tried = fs::read_to_string(scene.path("tried")).unwrap();
    let sent: Vec<Value> = tried.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(sent.len(), 4);
    assert!(sent[0] == sent[1] && sent[1] == sent[2]);
    let mut alerts = scene.alerts();
    alerts.sort_by_key(|alert| alert != &sent[0]);
    assert_eq!(alerts, sent[2..]);
}

#[test]
fn a_command_that_fails_for_ever_is_one_alert_more() {
    let scene = Scene::new();
    have_died(&scene, &[("one", "'exit 3'"), ("two", "'exit 4'")]);
    alerting(&scene, "echo >>times; echo no way out >&2; exit 9").exits(0);
    assert!(queue(&scene).is_empty());
    assert_eq!(fs::read_to_string(scene.path("times")).unwrap().lines().count(), 6);
    let alerts = scene.alerts();
    assert_eq!(alerts.len(), 3);
    let told: Vec<&Value> = alerts.iter().filter(|a| a["cause"] == "alert-command").collect();
    let message = told[0]["message"].as_str().unwrap();
    assert_eq!(message, "the alert command failed 3 times: exit code 9: no way out");
    scene.kept("alerts --take").exits(0).says("no way out");
}

#[test]
fn a_command_that_hangs_is_ended_and_keeps_no_restart() {
    let scene = Scene::new();
    scene.kept("register bot '[ -e again ] && exec sleep 600; : >again; exit 3'").exits(0);
    scene.kept("start bot").exits(0);
    until("it ended", || scene.status("bot").is_some());
    let keeper = scene.keep("healthcheck").env(
        "SENTINEL_ALERT_CMD",
        "cat >sent; [ -e hung ] && exit; : >hung; sleep 601 & sleep 601",
    );
    let keeper = keeper.start();
    until("it is restarted although the command hangs", || {
        scene.path("hung").exists() && scene.phase("bot") == "up" && scene.status("bot").is_none()
    });
    assert!(!scene.members_running("sleep 601").is_empty());
    keeper.wait().exits(0);
    assert!(queue(&scene).is_empty() && scene.members_running("sleep 601").is_empty());
    let sent: Value = serde_json::from_slice(&fs::read(scene.path("sent")).unwrap()).unwrap();
    assert_eq!(scene.alerts(), [sent]);
    scene.kept("stop bot").exits(0);
}

#[test]
fn a_keeper_that_stays_sends_at_once() {
    let scene = Scene::new();
    let keeper = scene.keep("healthcheck --every 1h");
    let _keeper = keeper.env("SENTINEL_ALERT_CMD", "cat >>sent").start();
    let sent = || {
        let text = fs::read_to_string(scene.path("sent")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    scene.kept("register bot '[ -e go ] && exec sleep 600; : >go; exit 3'").exits(0);
    scene.kept("start bot").exits(0);
    until("its death is sent", || sent().len() == 1);
    assert_eq!(sent()[0]["cause"], "exit");
    let good = fs::read_to_string(scene.registry()).unwrap();
    fs::write(scene.registry(), good.replacen('{', r#"{"odd": {"command": 5}, "#, 1)).unwrap();
    until("a bad entry is sent", || sent().len() == 2);
    assert_eq!((&sent()[1]["name"], &sent()[1]["cause"]), (&json!("odd"), &json!("registry")));
    // What the keeper told, a healthcheck does not tell again.
    scene.kept("healthcheck").exits(2);
    assert_eq!(scene.alerts().len(), 2);
    scene.kept("stop bot").exits(0);
}

#[test]
fn a_sender_that_is_killed_loses_no_alert() {
    let scene = Scene::new();
    have_died(&scene, &[("bot", "'exit 3'")]);
    let keeper = scene.keep("healthcheck").env("SENTINEL_ALERT_CMD", "echo >>tries; exit 1");
    let keeper = keeper.start();
    until("it failed twice", || {
        queue(&scene).iter().any(|entry| {
            let item: Option<Value> =
                fs::read(entry.path()).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
            item.is_some_and(|item| item["tries"] == 2)
        })
    });
    keeper.signal(Signal::KILL);
    keeper.wait();
    // The one who comes after goes on counting, and is killed in the middle of the third try.
    let hangs = "echo >>tries; : >begun; until [ -e go ]; do sleep 0.05; done";
    let second = scene.keep("healthcheck").env("SENTINEL_ALERT_CMD", hangs).start();
    until("it tries again", || scene.path("begun").exists());
    second.signal(Signal::KILL);
    second.wait();
    fs::write(scene.path("go"), "").unwrap();
    alerting(&scene, "echo >>tries; cat >sent").exits(0);
    let sent: Value = serde_json::from_slice(&fs::read(scene.path("sent")).unwrap()).unwrap();
    assert_eq!(scene.alerts(), [sent]);
    assert!(queue(&scene).is_empty());
    assert_eq!(fs::read_to_string(scene.path("tries")).unwrap().lines().count(), 4);
    until("nothing is left of the command", || scene.members().is_empty());
}

#[test]
fn a_registry_that_cannot_be_understood_is_an_alert() {
    let scene = Scene::new();
    scene.kept("register bot 'exec sleep 600'").exits(0);
    let good = fs::read_to_string(scene.registry()).unwrap();
    fs::write(scene.registry(), good.replacen('{', r#"{"../odd": {"command": 5}, "#, 1)).unwrap();
    for _ in 0..2 {
        scene.kept("healthcheck").exits(2);
        assert_eq!(causes(&scene), [("../odd".to_owned(), "registry".to_owned())]);
    }
    fs::write(scene.registry(), "{").unwrap();
    for _ in 0..2 {
        scene.kept("healthcheck").exits(2);
    }
    let taken = scene.kept("alerts --take").exits(0);
    assert_eq!(taken.stdout.lines().count(), 2, "{}", taken.told());
}

fn fill(dir: &Path) {
    use std::io::Write as _;
    let mut file = fs::File::create(dir.join("filler")).unwrap();
    for size in [65536, 4096, 64, 1] {
        let block = vec![b'x'; size];
        while file.write_all(&block).is_ok() {}
    }
}

#[test]
fn an_alert_that_finds_no_room_comes_when_there_is_some() {
    let scene = Scene::new();
    let disk = scene.path("disk");
    let Some(_mount) = Mount::at(&disk, "mount -t tmpfs -o size=512k,mode=700 none") else {
        return skip("an_alert_that_finds_no_room", "no file system can be mounted");
    };
    let registry = disk.join("registry.json");
    let keep = |line: &str| {
        let keep = scene.program(crate::scene::KEEP).arg("--registry").arg(&registry);
        keep.args(line.split(' ')).finish()
    };
    let go = scene.path("go");
    let script = format!("until [ -e {} ]; do sleep 0.05; done; exit 3", go.display());
    let register = scene.program(crate::scene::KEEP).arg("--registry").arg(&registry);
    register.args(["register", "--no-auto-restart", "bot", &script]).finish().exits(0);
    keep("start bot").exits(0);
    fill(&disk);
    fs::write(&go, "").unwrap();
    until("it ended", || disk.join("jobs/bot.status").exists());
    keep("healthcheck");
    assert!(
        fs::read_dir(disk.join("alerts")).is_ok_and(|alerts| alerts.count() == 0)
            || !disk.join("alerts").exists()
    );
    fs::remove_file(disk.join("filler")).unwrap();
    keep("healthcheck").exits(0);
    // A disk that is full when they are taken keeps none from being taken.
    fill(&disk);
    keep("alerts --take").exits(0).says("exit code 3");
    assert_eq!(keep("alerts").exits(0).stdout, "");
}

#[test]
fn flags_of_alerts_that_are_gone_are_taken_away_by_the_next_look() {
    let scene = Scene::new();
    have_died(&scene, &[("bot", "'exit 3'")]);
    scene.kept("healthcheck").exits(0);
    let flags = [scene.path("alert.flag"), scene.path("alert.txt")];
    let there = |there: bool| assert!(flags.iter().all(|path| path.exists() == there));
    scene.kept("healthcheck").exits(0);
    there(true);
    // As one who was killed while taking them leaves it.
    for entry in fs::read_dir(scene.path("alerts")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    there(true);
    scene.kept("healthcheck").exits(0);
    there(false);
}
