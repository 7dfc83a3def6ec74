//! Processes that are kept in tmux: people attach to them, and end their sessions.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::scene::{Cmd, Done, Process, Scene, a_moment, has, skip, until, until_some};

/// A server for one story, with the settings of people who would make it difficult.
struct Terminals<'a>(&'a Scene);

impl<'a> Terminals<'a> {
    fn on(scene: &'a Scene, name: &str) -> Option<Self> {
        if !has("tmux") {
            skip(name, "tmux is not installed");
            return None;
        }
        fs::create_dir(scene.path("t")).unwrap();
        let settings = "set -g remain-on-exit on\nset -g destroy-unattached on\n";
        fs::write(scene.path(".tmux.conf"), settings).unwrap();
        Some(Self(scene))
    }

    fn at(&self, command: Cmd) -> Cmd {
        command.env("TMUX_TMPDIR", self.0.path("t")).env("HOME", self.0.root()).env("TMUX", "")
    }

    fn keep(&self, line: &str) -> Done {
        self.at(self.0.keep(line)).finish()
    }

    /// Registers a process of tmux; its command is this script.
    fn registered(&self, name: &str, options: &str, script: &str) {
        let line = format!("register {name} --tmux --grace 1s {options} -- sh -c");
        self.at(self.0.keep(&line).arg(script)).finish().exits(0);
    }

    fn tmux(&self, line: &str) -> Done {
        self.at(self.0.command(&format!("tmux {line}"))).finish()
    }

    fn panes(&self) -> Vec<String> {
        let format = "'#{session_name} #{pane_dead} #{window_name}'";
        let panes = self.tmux(&format!("list-panes -a -F {format}"));
        let mut panes: Vec<String> = panes.stdout.lines().map(str::to_owned).collect();
        panes.sort();
        panes
    }

    fn sees(&self, words: &str) {
        until(&format!("{words} is on the screen"), || {
            self.tmux("capture-pane -p -J -t =my_bot:").stdout.contains(words)
        });
    }
}

impl Drop for Terminals<'_> {
    fn drop(&mut self) {
        self.tmux("kill-server");
        if !std::thread::panicking() {
            until("the server is gone", || self.0.members().is_empty());
        }
    }
}

/// The wrapper of a run after this one.
fn another(scene: &Scene, name: &str, than: Process) -> Process {
    until_some("another wrapper", || scene.successor(name, than))
}

#[test]
fn a_process_in_tmux_can_be_seen_and_spoken_to() {
    let scene = Scene::new();
    let name = "a_process_in_tmux_can_be_seen_and_spoken_to";
    let Some(terminals) = Terminals::on(&scene, name) else { return };
    fs::create_dir(scene.path("my place")).unwrap();
    let script = r#"pwd; echo "<$ODD>$TERM$NOTIFY_SOCKET"; while read -r line; do echo "got $line"; done; sleep 971"#;
    let options = format!("--cwd '{}' --env 'ODD=a  $b;'", scene.path("my place").display());
    terminals.registered("my.bot", &options, script);
    // More than tmux would take on a command line.
    let big = "x".repeat(100_000);
    let start = scene.keep("start my.bot").env("BIG", big).env("NOTIFY_SOCKET", "/nowhere");
    terminals.at(start).finish().exits(0).says("started");
    assert_eq!(terminals.panes(), ["my_bot 0 my.bot"]);
    terminals.sees("my place");
    terminals.sees("<a  $b;>tmux");
    terminals.tmux("send-keys -t =my_bot: hello Enter");
    terminals.sees("got hello");
    let log = scene.read("my.bot.log");
    assert!(log.contains("my place\n<a  $b;>tmux") && log.ends_with("got hello\n"), "{log}");
    let wrapper = scene.wrapper("my.bot");
    let environ = fs::read(format!("/proc/{}/environ", wrapper.pid)).unwrap();
    assert!(environ.len() > 100_000, "the environment is the caller's");
    let server = terminals.tmux("show-environment -g").stdout;
    assert!(!server.contains("ODD="), "what is the process's own is not everybody's");
    // A window of people beside it outlives it, and does not keep it from being started again.
    terminals.tmux("new-window -d -t =my_bot: -n mine sleep 972").exits(0);
    terminals.keep("start my.bot").exits(0).says("already");
    terminals.keep("restart my.bot").exits(0);
    another(&scene, "my.bot", wrapper);
    assert_eq!(terminals.panes(), ["my_bot 0 mine", "my_bot 0 my.bot"]);
    terminals.keep("stop my.bot").exits(0).says("stopped");
    assert_eq!(scene.members_running("sleep 971"), []);
    terminals.keep("healthcheck").exits(0);
    assert_eq!(scene.outcome("my.bot"), "stopped");
}

#[test]
fn an_ended_session_or_server_is_a_death() {
    let scene = Scene::new();
    let Some(terminals) = Terminals::on(&scene, "an_ended_session_or_server_is_a_death") else {
        return;
    };
    terminals.registered("my.bot", "--backoff fixed --restart-cooldown 100ms", "exec sleep 973");
    terminals.keep("start my.bot").exits(0);
    for end in ["kill-session -t =my_bot", "kill-server"] {
        let wrapper = scene.wrapper("my.bot");
        terminals.tmux(end).exits(0);
        wrapper.is_gone();
        terminals.keep("healthcheck").exits(0).says("running");
        another(&scene, "my.bot", wrapper);
        scene.runs_once("sleep 973");
        assert_eq!(terminals.panes(), ["my_bot 0 my.bot"], "after {end}");
    }
    let ends: Vec<_> = scene.history("my.bot").iter().map(|run| run["outcome"].clone()).collect();
    assert_eq!(ends, [json!("stopped"), json!("stopped")]);
    terminals.keep("stop my.bot").exits(0);
}

#[test]
fn whoever_starts_it_may_be_killed_at_any_moment() {
    let scene = Scene::new();
    let Some(terminals) = Terminals::on(&scene, "whoever_starts_it_may_be_killed_at_any_moment")
    else {
        return;
    };
    terminals.registered("my.bot", "--max-restarts 99", "exec sleep 976");
    for round in 0..5_u64 {
        let starter = terminals.at(scene.keep("restart my.bot")).start();
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(round * 20) {
            a_moment();
        }
        starter.signal(Signal::KILL);
        drop(starter);
        terminals.keep("healthcheck").exits(0);
        terminals.keep("start my.bot").exits(0);
        until("one runs", || scene.members_running("sleep 976").len() == 1);
    }
    terminals.keep("stop my.bot").exits(0);
    until("none runs", || scene.members_running("sleep 976").is_empty());
}

#[test]
fn what_a_killed_starter_left_on_its_way_does_not_come_up_after_a_stop() {
    let scene = Scene::new();
    let name = "what_a_killed_starter_left_on_its_way_does_not_come_up_after_a_stop";
    let Some(terminals) = Terminals::on(&scene, name) else { return };
    terminals.registered("my.bot", "", "exec sleep 975");
    for round in 0..8_u64 {
        let starter = terminals.at(scene.keep("start my.bot")).start();
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(10 + round * 6) {
            a_moment();
        }
        starter.signal(Signal::KILL);
        drop(starter);
        terminals.keep("start my.bot").exits(0);
        terminals.keep("stop my.bot").exits(0);
        assert!(scene.members_running("sleep 975").is_empty(), "round {round}");
    }
    terminals.keep("start my.bot").exits(0);
    scene.runs_once("sleep 975");
    terminals.keep("stop my.bot").exits(0);
}

#[test]
fn a_session_of_somebody_else_is_left_alone() {
    let scene = Scene::new();
    let Some(terminals) = Terminals::on(&scene, "a_session_of_somebody_else_is_left_alone") else {
        return;
    };
    terminals.registered("my.bot", "", "exec sleep 974");
    fs::write(scene.path(".tmux.conf"), "").unwrap();
    terminals.tmux("new-session -d -s my_bot sleep 975").exits(0);
    terminals.keep("start my.bot").exits(1).says("not of this process").says("rename-session");
    assert_eq!(terminals.panes().len(), 1);
    terminals.tmux("rename-session -t =my_bot other").exits(0);
    terminals.keep("start my.bot").exits(0);
    terminals.keep("stop my.bot").exits(0);
    assert!(!scene.members_running("sleep 975").is_empty());
}

#[test]
fn what_does_not_come_up_in_tmux_is_told() {
    let scene = Scene::new();
    let Some(terminals) = Terminals::on(&scene, "what_does_not_come_up_in_tmux_is_told") else {
        return;
    };
    let line = "register my.bot --tmux --no-auto-restart -- /nonexistent/program";
    terminals.keep(line).exits(0);
    terminals.keep("start my.bot").exits(1).says("command not found: /nonexistent/program");
    // What a starter left that was killed, and what somebody else's process is called.
    let state = |file: &str| scene.path("state").join(file);
    for file in ["my.bot.tmux-77", "my.bot.tmux-x"] {
        fs::write(state(file), "SECRET=1\0\0true\0").unwrap();
        filetime::set_file_mtime(state(file), filetime::FileTime::from_unix_time(1, 0)).unwrap();
    }
    let gone = scene.path("gone");
    fs::create_dir(&gone).unwrap();
    let line = format!("register my.bot --tmux --no-auto-restart --cwd {} -- true", gone.display());
    terminals.keep(&line).exits(0);
    fs::remove_dir(&gone).unwrap();
    terminals.keep("start my.bot").exits(1).says("cannot work in");
    assert!(!state("my.bot.tmux-77").exists() && state("my.bot.tmux-x").exists());
    terminals.keep("in-tmux my.bot 1").exits(1).says("use sentinel-keep start");
}
