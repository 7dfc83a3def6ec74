//! A registry edited by hand into nonsense: an error that says where, and nothing is lost.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::scene::{Scene, until};

#[test]
fn a_bad_entry_keeps_no_other_process_from_being_kept() {
    let scene = Scene::new();
    scene.kept_up("good", "--restart-cooldown 10ms -- sleep 3680");
    let text = fs::read_to_string(scene.registry()).unwrap();
    let bad = r#""bad": {"command": "sleep 3681", "max_restarts": "many", "note": [1, 2.50]}"#;
    let text = text.replacen('{', &format!("{{\n  {bad},"), 1);
    fs::write(scene.registry(), &text).unwrap();
    let unchanged = |line: &str| {
        assert_eq!(fs::read_to_string(scene.registry()).unwrap(), text, "after {line}");
    };
    let why = r#"entry "bad": max_restarts: got the string "many""#;

    scene.killed("good", "child_pid");
    scene.kept("healthcheck").exits(2).says(why);
    scene.is_up("good");
    assert_eq!(scene.ledger("good")["restarts"], json!(1));
    for line in ["start bad", "restart bad", "status bad", "register new true"] {
        scene.kept(line).exits(2).says(why).says("sentinel-keep deregister bad");
        unchanged(line);
    }
    // What runs of it can be ended, whatever became of its entry.
    scene.kept("stop bad").exits(0).says("it did not run");
    scene.kept("stop good").exits(0);
    scene.kept("start --all").exits(2).says(why).says("started  good");
    scene.is_up("good");
    let done = scene.kept("--json status");
    let states: Vec<_> = done.json_lines().iter().map(|one| one["state"].clone()).collect();
    assert!(states.contains(&json!("running")) && states.contains(&json!("invalid")), "{states:?}");
    unchanged("all of these");
    // It is mended by registering it anew, or taken out.
    scene.kept("register bad 'sleep 3682'").exits(0);
    scene.kept("start --all").exits(0);
    scene.kept("deregister bad").exits(0);
    scene.runs_once("sleep 3680");
    scene.kept("stop --all").exits(0);
}

#[test]
fn a_registry_that_cannot_be_read_at_all_is_left_as_it_is_and_so_is_what_runs() {
    let scene = Scene::new();
    scene.kept_up("bot", "-- sleep 3683");
    let good = fs::read(scene.registry()).unwrap();
    let wrapper = scene.wrapper("bot");
    let mut half = good.clone();
    half.truncate(good.len() / 2);
    let mut huge = good.clone();
    huge.resize(70 << 20, b' ');
    let twice = br#"{"bot": {"command": "a"}, "bot": {"command": "b"}}"#.to_vec();
    let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    let table = [
        (half, "no registry"),
        (twice, "there twice"),
        (b"[1, 2]".to_vec(), "expected a JSON object"),
        (b"\x7fELF\0\x01\xff\xfe".to_vec(), "no registry"),
        (b"{\"b\xffot\": {\"command\": \"a\"}}".to_vec(), "no registry"),
        (deep, "no registry"),
        (huge, "more than 64 MiB"),
    ];
    let commands = ["healthcheck", "status", "start bot", "stop --all", "register new true"];
    for (number, (content, why)) in table.into_iter().enumerate() {
        fs::write(scene.registry(), &content).unwrap();
        // All of them read it in the same way: each on every second one.
        for line in commands.iter().skip(number % 2).step_by(2) {
            scene.kept(line).exits(2).says(why).says("process-registry.json");
        }
        assert!(fs::read(scene.registry()).unwrap() == content, "it is not written: {why}");
        assert!(wrapper.alive());
    }
    fs::write(scene.registry(), good).unwrap();
    scene.kept("healthcheck").exits(0);
    assert!(wrapper.alive(), "mended, it is kept as before");
    scene.kept("stop bot").exits(0);
}

#[test]
fn a_registry_that_others_could_write_is_not_believed() {
    let scene = Scene::new();
    let proof = scene.path("proof");
    scene.kept(&format!("register bot 'touch {}'", proof.display())).exits(0);
    let own = fs::read(scene.registry()).unwrap();
    let refused = |why: &str| {
        for line in ["start bot", "healthcheck", "register new true"] {
            scene.kept(line).exits(2).says("process-registry.json").says(why);
        }
        assert!(!proof.exists());
    };
    fs::set_permissions(scene.registry(), fs::Permissions::from_mode(0o666)).unwrap();
    refused("everyone");
    fs::rename(scene.registry(), scene.path("elsewhere")).unwrap();
    fs::set_permissions(scene.path("elsewhere"), fs::Permissions::from_mode(0o600)).unwrap();
    symlink("elsewhere", scene.registry()).unwrap();
    refused("symbolic link");
    fs::remove_file(scene.registry()).unwrap();
    scene.command("mkfifo").arg(scene.registry()).finish().exits(0);
    refused("regular file");
    fs::remove_file(scene.registry()).unwrap();
    fs::create_dir(scene.registry()).unwrap();
    refused("regular file");
    fs::remove_dir(scene.registry()).unwrap();
    fs::write(scene.registry(), own).unwrap();
    scene.kept("start bot").exits(0);
    until("it ran", || proof.exists());
    scene.kept("stop bot").exits(0);
}

#[test]
fn what_people_wrote_into_it_stays() {
    let scene = Scene::new();
    let text = r#"{"z": {"command": "sleep 3684", "owner": "ada", "restart_cooldown": 7.5},
                   "a": {"command": "sleep 3685", "tags": {"x": null}}}"#;
    fs::write(scene.registry(), text).unwrap();
    scene.kept("register z 'sleep 3686' 60").exits(0);
    scene.kept("register m 'sleep 3687'").exits(0);
    let now: serde_json::Value =
        serde_json::from_slice(&fs::read(scene.registry()).unwrap()).unwrap();
    let names: Vec<&String> = now.as_object().unwrap().keys().collect();
    assert_eq!(names, ["z", "a", "m"]);
    assert_eq!(now["z"]["owner"], json!("ada"));
    assert_eq!(now["z"]["command"], json!("sleep 3686"));
    assert_eq!(now["a"], json!({"command": "sleep 3685", "tags": {"x": null}}));
}

#[test]
fn registering_at_the_same_time_loses_no_entry() {
    let scene = Scene::new();
    let all: Vec<_> =
        (0..12).map(|n| scene.keep(&format!("register bot{n} 'sleep 3688'")).start()).collect();
    for register in all {
        register.wait().exits(0);
    }
    let now: serde_json::Value =
        serde_json::from_slice(&fs::read(scene.registry()).unwrap()).unwrap();
    assert_eq!(now.as_object().unwrap().len(), 12);
}

#[test]
fn what_was_remembered_of_a_process_may_be_lost_or_damaged_and_it_is_kept_all_the_same() {
    let scene = Scene::new();
    scene.kept_up("bot", "--restart-cooldown 10ms -- sleep 3689");
    let state = scene.path("state");
    let spoils: [&dyn Fn(); 4] = [
        &|| fs::remove_dir_all(&state).unwrap(),
        &|| fs::write(state.join("bot.json"), "{\"phase\":").unwrap(),
        &|| fs::write(state.join("bot.json"), b"\0\xff").unwrap(),
        &|| fs::write(state.join("bot.json"), "").unwrap(),
    ];
    for (number, spoil) in spoils.iter().enumerate() {
        let wrapper = scene.wrapper("bot");
        spoil();
        scene.kept("healthcheck").exits(0);
        assert!(wrapper.alive(), "spoil {number}: what runs is left alone");
        assert_eq!(scene.phase("bot"), "up");
        scene.killed("bot", "child_pid");
        scene.kept("healthcheck").exits(0);
        scene.runs_once("sleep 3689");
    }
    scene.kept("stop bot").exits(0);
}

#[test]
fn what_runs_without_an_entry_is_told_of_and_can_be_ended() {
    let spoil: [fn(&Scene); 2] = [
        |scene| fs::write(scene.registry(), "{}").unwrap(),
        |scene| fs::remove_file(scene.registry()).unwrap(),
    ];
    for spoil in spoil {
        let scene = Scene::new();
        scene.kept_up("bot", "--grace 1s -- sleep 3691");
        spoil(&scene);
        if scene.registry().exists() {
            // Somebody may be about to end it, or to write the rest.
            scene.kept("healthcheck").exits(0).never_says("bot");
            scene.age(scene.registry().to_str().unwrap(), Duration::from_secs(20));
        }
        let why = "has no entry in";
        scene.kept("healthcheck").exits(2).says(why).says("sentinel-keep deregister bot");
        scene.kept("status").exits(3).says("bot").says("invalid").says(why);
        let alerts = scene.alerts();
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        assert_eq!((&alerts[0]["name"], &alerts[0]["cause"]), (&json!("bot"), &json!("registry")));
        scene.runs_once("sleep 3691");
        scene.kept("deregister bot").exits(0).says("and stopped");
        scene.kept("healthcheck").exits(0);
        scene.nothing_is_left();
    }
}

#[test]
fn the_keeper_that_stays_tells_of_what_runs_without_an_entry() {
    let scene = Scene::new();
    scene.kept_up("bot", "--grace 1s -- sleep 3692");
    let keeper = scene.keep("healthcheck --every 300ms").start();
    until("the keeper is at work", || !scene.events("keeper-started").is_empty());
    fs::remove_file(scene.registry()).unwrap();
    until("it is told", || scene.alerts().iter().any(|alert| alert["name"] == "bot"));
    keeper.signal(Signal::KILL);
    keeper.wait();
    scene.kept("deregister bot").exits(0).says("and stopped");
}

#[test]
fn what_keeps_a_process_from_being_looked_after_is_an_alert() {
    let scene = Scene::new();
    for name in ["once", "stays"] {
        scene.kept(&format!("register {name} --no-auto-restart 'exit 3'")).exits(0);
        fs::create_dir(scene.path(&format!("state/{name}.json"))).unwrap();
    }
    let told = |name: &str| {
        let alerts = scene.alerts();
        alerts.iter().filter(|alert| alert["name"] == name && alert["cause"] == "registry").count()
    };
    scene.kept("healthcheck").exits(2).says("once").says("not a regular file");
    scene.kept("healthcheck").exits(2);
    assert_eq!((told("once"), told("stays")), (1, 1));
    scene.kept("alerts --take").exits(0);
    fs::remove_file(scene.path("state/.told.json")).unwrap();
    let keeper = scene.keep("healthcheck --every 200ms").start();
    until("it is told", || told("stays") == 1);
    keeper.signal(Signal::KILL);
    keeper.wait();
}

#[test]
fn what_another_registry_of_the_directory_keeps_is_no_stray() {
    let scene = Scene::new();
    scene.kept_up("bot", "--grace 1s -- sleep 3693");
    let at_other =
        |line: &str| scene.sh(&format!("exec \"$KEEP\" --registry other.json {line}")).finish();
    at_other("register other 'sleep 3694'").exits(0);
    at_other("start other").exits(0);
    for registry in [scene.registry(), scene.registry().with_file_name("other.json")] {
        scene.age(registry.to_str().unwrap(), Duration::from_mins(1));
    }
    scene.kept("healthcheck").exits(0);
    at_other("healthcheck").exits(0);
    assert_eq!(scene.alerts().len(), 0);
    scene.kept("stop --all").exits(0).says("stopped  bot");
    at_other("stop --all").exits(0).says("stopped  other");
}

#[test]
fn an_entry_that_no_program_could_be_started_with_is_said_to_be_bad() {
    let scene = Scene::new();
    let nul = "a\\u0000b";
    let entries = [
        ("command", format!(r#"{{"command": "{nul}"}}"#)),
        ("env", format!(r#"{{"command": "true", "env": {{"A": "{nul}"}}}}"#)),
        ("cwd", format!(r#"{{"command": "true", "cwd": "{nul}"}}"#)),
        ("health_cmd", format!(r#"{{"command": "true", "health_cmd": "{nul}"}}"#)),
    ];
    for (key, entry) in entries {
        fs::write(scene.registry(), format!(r#"{{"bot": {entry}}}"#)).unwrap();
        scene
            .kept("start bot")
            .exits(2)
            .says(&format!("{key}: it holds a NUL"))
            .says("deregister bot");
    }
}
