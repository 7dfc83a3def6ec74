//! `logs` and `events`: the end of a file, and what is added to it, whatever becomes of the file.

use std::fs;
use std::io::Write as _;
use std::os::fd::OwnedFd;

use rustix::process::Signal;

use crate::scene::{Running, Scene, until};

/// Waits until a follower has printed these lines, and no more.
#[track_caller]
fn prints(follower: &Running, lines: &[&str]) {
    let expected = lines.join("\n") + "\n";
    until(&format!("it prints {expected:?}"), || follower.stdout().len() >= expected.len());
    assert_eq!(follower.stdout(), expected);
}

#[test]
fn a_log_is_shown_from_its_end_and_followed_through_restarts() {
    let scene = Scene::new();
    let script = "n=$(cat n 2>/dev/null || echo 0); echo $((n + 1)) >n; echo run $n; echo up; \
                  exec sleep 600";
    scene.kept_up("bot", &format!("--grace 0 '{script}'"));
    until("it printed", || scene.read("bot.log").ends_with("up\n"));
    scene.kept("logs unknown").exits(4).says("unknown is not registered");
    assert_eq!(scene.kept("logs bot -n 1").exits(0).stdout, "up\n");
    assert_eq!(scene.kept("logs bot").exits(0).stdout, "run 0\nup\n");
    let objects = scene.kept("--json logs bot").exits(0).json_lines();
    assert_eq!(objects[1], serde_json::json!({"name": "bot", "line": "up"}));

    let follower = scene.keep("logs bot -f -n 1").start();
    prints(&follower, &["up"]);
    for n in 1..3 {
        scene.kept("restart bot").exits(0);
        until("it printed", || scene.read("bot.log") == format!("run {n}\nup\n"));
    }
    prints(&follower, &["up", "run 1", "up", "run 2", "up"]);
    follower.signal(Signal::INT);
    let ended = follower.wait();
    assert!(ended.signal == Some(2) && ended.stderr.is_empty(), "{}", ended.told());

    // Whoever read has gone: nothing is printed any more, and the follower sees it all the same.
    let (reader, writer) = std::io::pipe().unwrap();
    let follower = scene.keep("logs bot -f");
    let follower = follower.start_with(move |command| {
        command.stdout(OwnedFd::from(writer));
    });
    drop(reader);
    let ended = follower.wait().exits(0);
    assert!(ended.stderr.is_empty(), "{}", ended.told());
    scene.kept("stop bot").exits(0);
}

#[test]
fn the_head_of_a_log_that_is_kept_short_is_no_line() {
    let scene = Scene::new();
    let script = "seq 100000 104999; until [ -e go ]; do sleep 0.05; done; seq 105000 105999";
    scene.kept_up("bot", &format!("--completes --max-log 8K '{script}'"));
    until("its head is gone", || {
        let log = scene.read("bot.log");
        log.ends_with("104999\n") && log.starts_with('\0')
    });
    let shown = scene.kept("logs bot -n 9999").exits(0).stdout;
    assert!(!shown.contains('\0') && shown.lines().count() > 1000, "{shown:?}");
    let follower = scene.keep("logs bot -f -n 1").start();
    prints(&follower, &["104999"]);
    fs::write(scene.path("go"), "").unwrap();
    let all: Vec<String> = (104_999..106_000).map(|n| n.to_string()).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    prints(&follower, &all);
    until("it ended", || scene.status("bot").is_some());
    // The hole is closed, and the follower goes on as if nothing had happened.
    let mut log = fs::OpenOptions::new().append(true).open(scene.file("bot.log")).unwrap();
    log.write_all(b"more\n").unwrap();
    prints(&follower, &[all.as_slice(), &["more"]].concat());
}

#[test]
fn events_are_followed_into_the_next_file() {
    let scene = Scene::new();
    scene.kept("register bot 'exit 3'").exits(0);
    let first = scene.kept("events").exits(0).json_lines();
    assert_eq!((first.len(), &first[0]["event"]), (1, &serde_json::json!("registered")));
    // A line that was cut short is none.
    let path = scene.path("events.jsonl");
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"time\": \n").unwrap();
    let line = format!("{{\"pad\": \"{}\"}}\n", "x".repeat(1000));
    file.write_all(line.repeat(1100).as_bytes()).unwrap();
    let follower = scene.keep("events -f -n 1").start();
    until("it follows", || follower.stdout() == line);
    for n in 0..3 {
        scene.kept(&format!("register bot 'exit {n}'")).exits(0);
    }
    assert!(scene.path("events.jsonl.1").exists(), "a new file was begun");
    until("all are printed", || follower.stdout().lines().count() == 4);
    drop(follower);
    assert_eq!(scene.events("registered").len(), 2, "the other is in the file before");
    let all = scene.kept("events").exits(0).json_lines();
    assert_eq!(all.len(), 1 + 1100 + 3);
    assert_eq!(all[all.len() - 1]["detail"], "exit 2");
    assert_eq!(scene.kept("events -n 2").exits(0).json_lines(), all[all.len() - 2..]);
}
