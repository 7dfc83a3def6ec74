//! A process finds the environment it was registered with, wherever it is started from, and the
//! arguments it was given.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use crate::scene::{Scene, until};

/// What the process printed of its environment.
fn variables(scene: &Scene) -> Vec<String> {
    until("it has said what it has", || scene.path("done").exists());
    let text = fs::read_to_string(scene.path("variables")).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

const PRINT: &str = "-- sh -c 'env > variables; touch done; exec sleep 3660'";

#[test]
fn what_was_recorded_wins_over_the_caller_and_what_was_given_over_both() {
    let scene = Scene::new();
    let path = std::env::var("PATH").unwrap();
    let given = "--env A=1 --env 'B=two words' --env-file vars";
    scene
        .keep(&format!("register bot {given} {PRINT}"))
        .env("PATH", format!("{path}:/recorded"))
        .env("VIRTUAL_ENV", "/venv")
        .env("LANG", "C.UTF-8")
        .env("FOREIGN", "of the registering shell")
        .finish()
        .exits(0);
    let file = "# a comment\n\nC='three'\nexport D=\"four five\"\nA=of the file\nLANG=xx\n";
    fs::write(scene.path("vars"), file).unwrap();
    // As cron would, with little of its own.
    scene
        .keep("start bot")
        .env("PATH", path.clone() + ":/caller")
        .env("LANG", "C")
        .env("CALLER", "yes")
        .env("NOTIFY_SOCKET", "/run/nobody")
        .env("WATCHDOG_USEC", "1000000")
        .env("SENTINEL_MAX_FAILURES", "1")
        .finish()
        .exits(0);
    let seen = variables(&scene);
    let has = |line: &str| assert!(seen.iter().any(|seen| seen == line), "{line} in {seen:?}");
    let has_none = |name: &str| {
        let start = format!("{name}=");
        assert!(!seen.iter().any(|seen| seen.starts_with(&start)), "{name} in {seen:?}");
    };
    has(&format!("PATH={path}:/recorded"));
    has("VIRTUAL_ENV=/venv");
    has("A=1"); // not what the file has
    has("B=two words");
    has("C=three");
    has("D=four five");
    has("LANG=xx"); // of the file, over what was recorded
    has("CALLER=yes");
    for name in ["FOREIGN", "NOTIFY_SOCKET", "WATCHDOG_USEC", "SENTINEL_MAX_FAILURES"] {
        has_none(name);
    }
    // The file is read at each start, and an error in it is told with its line.
    fs::remove_file(scene.path("done")).unwrap();
    fs::write(scene.path("vars"), "C=6\n").unwrap();
    scene.kept("restart bot").exits(0);
    assert!(variables(&scene).contains(&"C=6".to_owned()));
    scene.kept("stop bot").exits(0);
    fs::write(scene.path("vars"), "C=6\nnonsense\n").unwrap();
    scene.kept("start bot").exits(1).says("vars:2").says("expected NAME=value");
    scene.kept("stop bot").exits(0);
}

#[test]
fn it_starts_where_it_was_registered() {
    let scene = Scene::new();
    let place = scene.path("a place");
    fs::create_dir(&place).unwrap();
    let bot = "pwd > where; touch done; exec sleep 3661";
    scene.keep("register bot --restart-cooldown 0s").arg(bot).cwd(&place).finish().exits(0);
    scene.kept("start bot").exits(0);
    until("it has said where it is", || place.join("done").exists());
    let told = fs::read_to_string(place.join("where")).unwrap();
    assert_eq!(told.trim_end().as_bytes(), place.as_os_str().as_bytes());
    // And whoever restarts it from elsewhere restarts it there.
    fs::remove_file(place.join("done")).unwrap();
    scene.killed("bot", "child_pid");
    scene.keep("healthcheck").cwd("/").finish().exits(0);
    until("it has said where it is", || place.join("done").exists());
    scene.kept("stop bot").exits(0);
}

#[test]
fn arguments_arrive_as_they_were_given() {
    let scene = Scene::new();
    let show = scene.script(
        "show",
        "#!/bin/sh\nfor arg; do printf '%s\\0' \"$arg\"; done > args\ntouch done\nexec sleep 3662\n",
    );
    let nasty = [
        "",
        " ",
        "two words",
        "it's",
        "\"quoted\"",
        "$HOME `id` $(id)",
        "*",
        "a\nb",
        "\\",
        "-n",
        "--",
        "--json",
        "#no",
        "~",
        "{a,b}",
        "é漢🦀",
        ";&|<>",
        "!x",
        "tab\there",
    ];
    scene.keep("register bot --").arg(&show).args(nasty).finish().exits(0);
    for start in ["start", "restart"] {
        let _ = fs::remove_file(scene.path("done"));
        scene.kept(&format!("{start} bot")).exits(0);
        until("it has shown them", || scene.path("done").exists());
        let args = fs::read_to_string(scene.path("args")).unwrap();
        let args: Vec<&str> = args.strip_suffix('\0').unwrap().split('\0').collect();
        assert_eq!(args, nasty);
    }
    scene.kept("stop bot").exits(0);
}

#[test]
fn what_a_dead_shell_left_never_runs_beside_its_successor() {
    let scene = Scene::new();
    // A child in its group, one with a session of its own, and one that ignores TERM.
    let shell =
        "'sleep 3663 & setsid sleep 3664 & (trap \"\" TERM; exec sleep 3665) & touch up; wait'";
    scene.kept_up("bot", &format!("--restart-cooldown 10ms --grace 300ms {shell}"));
    let crew = || {
        ["sleep 3663", "sleep 3664", "sleep 3665"]
            .iter()
            .flat_map(|line| scene.members_running(line))
            .collect::<Vec<_>>()
    };
    until("the crew is there", || crew().len() == 3);
    for which in ["child_pid", "pid"] {
        let before = crew();
        scene.killed("bot", which);
        scene.kept("healthcheck").exits(0);
        assert!(!before.iter().any(|process| process.alive()), "after the {which} was killed");
        until("the crew is there again", || crew().len() == 3);
    }
    scene.kept("stop bot").exits(0);
    scene.nothing_is_left();
}

#[test]
fn what_is_no_text_is_said_and_not_written_down_as_something_else() {
    let scene = Scene::new();
    let odd = |text: &[u8]| std::ffi::OsStr::from_bytes(text).to_owned();
    let place = scene.path("").join(odd(b"p\xffq"));
    fs::create_dir(&place).unwrap();
    scene.keep("register bot true").cwd(&place).finish().exits(2).says("bad --cwd");
    assert!(!scene.registry().exists());
    let path = [std::env::var("PATH").unwrap().as_bytes(), b":/p\xffq"].concat();
    let done = scene.keep("register bot 'sleep 3661'").env("PATH", odd(&path)).finish();
    done.exits(0).says("PATH is not recorded");
    let line = "register bot 'sleep 3661'";
    scene.keep(line).env("SENTINEL_ALERT_CMD", odd(b"\xff")).finish().exits(0).says("no alert");
}
