//! The command lines of seed 000, on a registry as it has them: each may be given twice, and each
//! says the same to a program.

use std::fs;

use serde_json::{Value, json};

use crate::scene::{Done, KEEP, Process, Scene, has, skip, until};

/// The registry of seed 000, with another path.
fn as_in_the_seed(bot: &str) -> String {
    format!(
        r#"{{
  "my-bot": {{
    "command": "python3 {bot}",
    "duration_min": 480,
    "auto_restart": true,
    "max_restarts": 5,
    "restart_cooldown": 30
  }}
}}
"#
    )
}

/// One line of a project directory, whose registry is where the seed has it.
struct Project {
    scene: Scene,
}

impl Project {
    fn new() -> Self {
        let scene = Scene::new();
        scene.script("bot.py", "import time\nprint('up', flush=True)\ntime.sleep(3600)\n");
        Self { scene }
    }

    fn bot(&self) -> String {
        self.scene.path("bot.py").display().to_string()
    }

    fn registry(&self) -> String {
        fs::read_to_string(self.scene.path(".process-registry.json")).unwrap()
    }

    fn keep(&self, words: &[&str]) -> Done {
        let line = self.scene.program(KEEP).args(["--registry", ".process-registry.json"]);
        line.args(words).finish()
    }

    fn bots(&self) -> Vec<Process> {
        let mut all = self.scene.members();
        // Wherever "python3" is here; the shell that executes the line is none.
        let python = |line: &str| line.split(' ').next().is_some_and(|it| it.ends_with("python3"));
        all.retain(|process| {
            let line = process.command_line();
            line.ends_with(&format!(" {}", self.bot())) && python(&line)
        });
        all
    }
}

#[test]
fn a_command_of_another_tool_is_answered_with_the_one_that_is_meant() {
    let scene = Scene::new();
    for (typed, meant) in [
        ("list", "status"),
        ("ls", "status"),
        ("--registry list add bot true", "register"),
        ("rm bot", "deregister"),
        ("--json kill bot", "stop"),
        ("reload bot", "restart"),
        ("tail bot", "logs"),
    ] {
        let done = scene.kept(typed).exits(2).says(&format!("exists: '{meant}'"));
        assert_eq!(done.stdout, "", "{typed}");
    }
    // What comes after a command, and what stands for a name, is none.
    scene.kept("skill add").exits(2).never_says("register");
    scene.kept("status ls").exits(4).says("ls is not registered");
}

#[test]
fn only_what_is_wrong_is_said_where_nothing_is_started() {
    let scene = Scene::new();
    let nothing = format!("nothing is registered in {}", scene.registry().display());
    for command in ["start --all", "restart --all", "stop --all", "deregister --all", "status"] {
        scene.kept(command).exits(0).says(&nothing).never_says("nobody looks");
    }
    scene.kept("--json start --all").exits(0).never_says("nothing");
    scene.kept("start nosuch").exits(4).says("not registered").never_says("nobody looks");
    scene.kept("register quick --completes true").exits(0);
    scene.kept("start nosuch quick").exits(4).says("not registered").says("nobody looks");
}

#[test]
fn the_command_lines_of_the_seed_work_on_its_registry() {
    if !has("python3") {
        return skip("the_command_lines_of_the_seed_work_on_its_registry", "no python3");
    }
    let project = Project::new();
    let command = format!("python3 {}", project.bot());
    let seed = as_in_the_seed(&project.bot());
    fs::write(project.scene.path(".process-registry.json"), &seed).unwrap();
    project.keep(&["status"]).says("my-bot").never_says("rror");
    project.keep(&["start", "my-bot"]).exits(0).says("started");
    assert_eq!(project.registry(), seed, "starting a process is no reason to rewrite its entry");
    project.scene.is_up("my-bot");
    until("the bot runs", || project.bots().len() == 1);
    let first = project.bots()[0];
    project.keep(&["status"]).exits(0).says("running");
    project.keep(&["healthcheck"]).exits(0);
    assert_eq!(project.bots(), [first], "what runs is left alone");
    project.keep(&["register", "my-bot", &command, "480"]).exits(0);
    let entry: Value = serde_json::from_str(&project.registry()).unwrap();
    for (key, value) in serde_json::from_str::<Value>(&seed).unwrap()["my-bot"].as_object().unwrap()
    {
        assert_eq!(&entry["my-bot"][key], value, "{key} of what the seed's line registers");
    }
    project.keep(&["restart", "my-bot"]).exits(0);
    until("another bot runs", || project.bots().len() == 1 && !first.alive());
    project.keep(&["stop", "my-bot"]).exits(0);
    assert!(project.bots().is_empty());
    project.keep(&["healthcheck"]).exits(0);
    assert!(project.bots().is_empty(), "what was stopped stays stopped");
    project.keep(&["status", "my-bot"]).exits(3);
}

#[test]
fn a_registry_of_ones_own_is_found_by_its_variable_and_by_default() {
    let scene = Scene::new();
    let home = scene.path("home");
    fs::create_dir(&home).unwrap();
    let keep = |words: &[&str]| {
        let keep = scene.program(KEEP).env("HOME", &home).with(|command| {
            command.env_remove("XDG_STATE_HOME");
        });
        keep.args(words)
    };
    keep(&["register", "one", "sleep 3600"]).finish().exits(0);
    assert!(home.join(".local/state/sentinel/process-registry.json").exists());
    let state = scene.path("xdg");
    keep(&["register", "two", "sleep 3600"]).env("XDG_STATE_HOME", &state).finish().exits(0);
    assert!(state.join("sentinel/process-registry.json").exists());
    let named = scene.path("named/my.json");
    keep(&["register", "three", "sleep 3600"]).env("SENTINEL_REGISTRY", &named).finish().exits(0);
    let text = fs::read_to_string(&named).unwrap();
    assert!(text.contains("three") && !text.contains("one"), "{text}");
    keep(&["start", "three"]).finish().exits(4).says("three is not registered");
}

#[test]
fn each_command_may_be_given_twice() {
    let scene = Scene::new();
    let lines = |kind: &str| scene.events(kind).len();
    scene.kept("register bot 'sleep 3601'").exits(0).says("registered");
    let registry = fs::read(scene.registry()).unwrap();
    scene.kept("register bot 'sleep 3601'").exits(0).says("unchanged");
    assert_eq!(fs::read(scene.registry()).unwrap(), registry);
    assert_eq!(lines("registered"), 1);

    scene.kept("stop bot").exits(0).says("did not run");
    scene.kept("start bot").exits(0).says("started");
    scene.is_up("bot");
    let wrapper = scene.wrapper("bot");
    scene.kept("start bot bot").exits(0).says("already").says(&wrapper.pid.to_string());
    scene.kept("healthcheck").exits(0);
    assert!(wrapper.alive());
    scene.runs_once("sleep 3601");
    assert_eq!(lines("started"), 1);

    scene.kept("register bot 'sleep 3602'").exits(0).says("changed").says("next start");
    scene.kept("restart bot").exits(0).says("started");
    scene.is_up("bot");
    assert!(!wrapper.alive() && scene.members_running("sleep 3601").is_empty());
    scene.runs_once("sleep 3602");
    assert_eq!(scene.alerts(), [] as [Value; 0], "what somebody asked for is no failure");

    scene.kept("stop bot").exits(0).says("stopped");
    scene.kept("stop bot").exits(0).says("did not run");
    scene.nothing_is_left();
    scene.kept("restart bot").exits(0).says("started");
    scene.kept("deregister bot").exits(0).says("and stopped");
    scene.nothing_is_left();
    scene.kept("deregister bot").exits(0).says("was not registered");
    scene.kept("healthcheck").exits(0);
    scene.nothing_is_left();
    for command in ["start", "stop", "restart", "status"] {
        scene.kept(&format!("{command} bot")).exits(4).says("bot is not registered");
    }
}

#[test]
fn each_command_tells_a_program_what_it_did() {
    let scene = Scene::new();
    let did = |line: &str| {
        let done = scene.kept(&format!("--json {line}")).exits(0);
        let all: Vec<Value> = done.json_lines();
        all.iter().map(|one| (one["name"].clone(), one["did"].clone())).collect::<Vec<_>>()
    };
    let one = |name: &str, did: &str| (json!(name), json!(did));
    assert_eq!(did("register a 'sleep 3600'"), [one("a", "registered")]);
    assert_eq!(did("register b -- sleep 3600"), [one("b", "registered")]);
    assert_eq!(did("start --all"), [one("a", "started"), one("b", "started")]);
    assert_eq!(did("start b"), [one("b", "running")]);
    assert_eq!(did("restart b"), [one("b", "restarted")]);
    assert_eq!(did("healthcheck"), []);
    let states = |done: &Done| {
        let all = done.json_lines();
        all.iter().map(|one| (one["name"].clone(), one["state"].clone())).collect::<Vec<_>>()
    };
    let all = scene.kept("--json status").exits(0);
    assert_eq!(states(&all), [one("a", "running"), one("b", "running")]);
    assert_eq!(did("stop a"), [one("a", "stopped")]);
    // What was stopped is not missed; asked for by name, it does not run.
    let all = scene.kept("--json status").exits(0);
    assert_eq!(states(&all), [one("a", "stopped"), one("b", "running")]);
    assert_eq!(states(&scene.kept("status --json a").exits(3)), [one("a", "stopped")]);
    let both = states(&scene.kept("status --json b a").exits(3));
    assert_eq!(both, [one("a", "stopped"), one("b", "running")]);
    let known = scene.kept("status b ghost").exits(4).says("ghost is not registered");
    assert!(known.stdout.starts_with("b: running\n"), "{}", known.told());
    assert!(!known.stdout.contains("\n\n"), "{}", known.told());
    assert_eq!(did("deregister --all"), [one("a", "deregistered"), one("b", "deregistered")]);

    let refused = scene.kept("--json start ghost").exits(4).json();
    assert_eq!((&refused["name"], &refused["did"]), (&json!("ghost"), &Value::Null));
    assert!(refused["error"].as_str().is_some_and(|error| error.contains("not registered")));
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let scene = Scene::new();
    scene.kept("register good 'sleep 3600' 480").exits(0);
    let before = fs::read(scene.registry()).unwrap();
    let table = [
        ("register", "NAME"),
        ("register bot", "no command for bot"),
        ("register bot ''", "expected a command"),
        ("register ../bot true", "../bot"),
        ("register .hidden true", ".hidden"),
        ("register bot true -5", "-5"),
        ("register bot true soon", "soon"),
        ("register bot true 5 --duration 5m", "cannot be used with"),
        ("register bot true -- sleep 1", "cannot be used with"),
        ("register bot true --restart-cooldown fast", "fast"),
        ("register bot true --max-restarts -1", "-1"),
        ("register bot true --max-memory 0", "0"),
        ("register bot true --cwd /nowhere", "/nowhere"),
        ("register bot true --env NOVALUE", "expected NAME=VALUE"),
        ("register bot true --check-interval 5s --progress-timeout 10s", "more than twice"),
        ("register bot true --health-http ftp://x", "ftp://x"),
        ("register bot true --after bot", "after"),
        ("register bot true --failure-threshold 0", "expected more than 0"),
        ("register bot true --max-restarts many", "expected a whole number"),
        ("register bot python3 bot.py --port 80", "come after '--'"),
        ("register bot true --every 5m --", "unexpected argument"),
        ("start", "required"),
        ("start good --all", "cannot be used with"),
    ];
    for (line, why) in table {
        scene.kept(line).exits(2).says(why);
        assert_eq!(fs::read(scene.registry()).unwrap(), before, "after {line}");
    }
}
