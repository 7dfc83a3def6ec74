//! `sentinel-keep hook` before a shell command: what passes, what is refused and what is to be run
//! instead, in the words of each host.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::hosts::{
    CLAUDE, CODEX, CURSOR, Event, GEMINI, HOSTS, Host, Taken, fault, known_events, taken,
};
use crate::scene::{Scene, until};

/// A row of the table of commands.
struct Row {
    command: String,
    passes: bool,
    /// What is to be run instead, where that can be told.
    instead: Option<String>,
}

fn table() -> Vec<Row> {
    let text = include_str!("../fixtures/commands.txt");
    let plain = |text: &str| text.replace("\\n", "\n").replace("\\\\", "\\");
    let mut rows: Vec<Row> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")) {
        let row = |command, passes| Row { command: plain(command), passes, instead: None };
        match line.split_once('\t').unwrap_or_else(|| panic!("{line:?}")) {
            ("pass", command) => rows.push(row(command, true)),
            ("deny", command) => rows.push(row(command, false)),
            (_, rest) => {
                let instead = plain(rest.strip_prefix("=> ").unwrap());
                rows.last_mut().unwrap().instead = (instead != "-").then_some(instead);
            }
        }
    }
    rows
}

/// What is wrong with what a host is answered about a row.
fn wrong(host: &Host, scene: &Scene, project: &Path, number: usize, row: &Row) -> Option<String> {
    // A host with more than one such event has them by turns.
    let name = host.before[number % host.before.len()];
    let event = host.event(name, project, "one").with_command(&row.command);
    if let Some(fault) = fault(host, name, "input", &event.value) {
        return Some(fault);
    }
    let done = scene.answers(host, &event, "");
    if done.code != Some(0) || !done.stderr.is_empty() {
        return Some(done.told());
    }
    if row.passes {
        return (done.stdout != host.pass).then(|| done.told());
    }
    let instead =
        row.instead.as_deref().unwrap_or("sentinel-run --detach NAME -- COMMAND [ARG]...");
    match taken(host, &event, &done) {
        Taken::Deny(why) if why.contains(&format!("\n\n{instead}\n\n")) => None,
        _ => Some(done.told()),
    }
}

#[test]
fn what_ends_passes_and_what_is_left_behind_is_refused() {
    let rows = table();
    let passing = rows.iter().filter(|row| row.passes).count();
    assert!(rows.len() >= 150 && 2 * passing >= rows.len(), "{passing} of {}", rows.len());
    // The judgement knows nothing of hosts, so each row is asked by one of them, in turn.
    let own = |first: usize| {
        let (host, scene) = (&HOSTS[first], Scene::new());
        let project = scene.project("shop");
        let rows = rows.iter().skip(first).step_by(HOSTS.len()).enumerate();
        let answers = rows.filter_map(|(number, row)| {
            let wrong = wrong(host, &scene, &project, number, row)?;
            Some(format!("{}: {:?}\n{wrong}", host.name, row.command))
        });
        answers.collect::<Vec<String>>()
    };
    let wrong: Vec<String> = std::thread::scope(|threads| {
        let own = &own;
        let hosts: Vec<_> = (0..HOSTS.len()).map(|at| threads.spawn(move || own(at))).collect();
        hosts.into_iter().flat_map(|host| host.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn the_events_of_the_fixtures_are_as_the_hosts_send_them() {
    for host in &HOSTS {
        let events = host.events();
        for (file, event) in &events {
            assert_eq!(event.value["hook_event_name"], json!(event.name), "{file}");
            assert_eq!(fault(host, &event.name, "input", &event.value), None);
        }
        for known in known_events(host) {
            assert!(events.iter().any(|(_, event)| event.name == known), "{} {known}", host.name);
        }
    }
}

#[test]
fn the_schemas_refuse_what_the_hosts_refuse() {
    let own = |event: &str, more: Value| {
        let mut own = json!({"hookEventName": event});
        own.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"hookSpecificOutput": own})
    };
    let before = |more: &str| own("PreToolUse", serde_json::from_str(more).unwrap());
    let deny = r#"{"permissionDecision": "deny", "permissionDecisionReason": "no"}"#;
    let silent = r#"{"permissionDecision": "deny"}"#;
    let blank = r#"{"permissionDecision": "deny", "permissionDecisionReason": " "}"#;
    let ask = r#"{"permissionDecision": "ask"}"#;
    let allow = r#"{"permissionDecision": "allow"}"#;
    let change = r#"{"permissionDecision": "allow", "updatedInput": {"command": "x"}}"#;
    let context = json!({"additionalContext": "x"});
    for (host, event, answer, taken) in [
        (&CLAUDE, "PreToolUse", before(deny), true),
        (&CLAUDE, "PreToolUse", before(ask), true),
        (&CLAUDE, "PreToolUse", own("Stop", json!({"permissionDecision": "ask"})), false),
        (&CLAUDE, "PreToolUse", json!({"permissionDecision": "ask"}), false),
        (&CLAUDE, "Stop", own("Stop", context.clone()), true),
        (&CLAUDE, "Stop", json!({"decision": "block"}), false),
        (&CODEX, "PreToolUse", before(deny), true),
        (&CODEX, "PreToolUse", before(silent), false),
        (&CODEX, "PreToolUse", before(blank), false),
        (&CODEX, "PreToolUse", before(ask), false),
        (&CODEX, "PreToolUse", before(allow), false),
        (&CODEX, "PreToolUse", before(change), true),
        (&CODEX, "PreToolUse", own("PreToolUse", context.clone()), true),
        (&CODEX, "PreToolUse", json!({"suppressOutput": true}), false),
        (&CODEX, "PreToolUse", json!({"metrics": {}}), false),
        (&CODEX, "Stop", own("Stop", context.clone()), false),
        (&CODEX, "Stop", json!({"decision": "block", "reason": "go on"}), true),
        (&CODEX, "Stop", json!({"decision": "block", "reason": ""}), false),
        (&GEMINI, "BeforeTool", json!({}), true),
        (&GEMINI, "BeforeTool", json!({"decision": "deny", "reason": "no"}), true),
        (&GEMINI, "BeforeTool", json!({"decision": "deny"}), false),
        (&GEMINI, "BeforeTool", own("BeforeTool", context), false),
        (&GEMINI, "AfterAgent", json!({"decision": "ask", "reason": "x"}), false),
        (&CURSOR, "beforeShellExecution", json!({}), false),
        (&CURSOR, "beforeShellExecution", json!({"permission": "allow"}), true),
        (&CURSOR, "beforeShellExecution", json!({"permission": "no"}), false),
        (&CURSOR, "preToolUse", json!({"permission": "ask"}), false),
        (&CURSOR, "stop", json!({}), true),
    ] {
        let fault = fault(host, event, "output", &answer);
        assert_eq!(fault.is_none(), taken, "{} {event} {answer}: {fault:?}", host.name);
    }
}

// ---- how it is refused ------------------------------------------------------------------------

const LEFT_BEHIND: &str = "nohup python3 bot.py > bot.log 2>&1 &";
const INSTEAD: &str = "\n\nsentinel-run --detach bot -- python3 bot.py\n\n";

#[test]
fn each_host_refuses_asks_or_warns_as_it_can() {
    let scene = Scene::new();
    let project = scene.project("shop");
    for host in &HOSTS {
        for name in host.before {
            let event = host.event(name, &project, "one").with_command(LEFT_BEHIND);
            let text = |option: Option<&str>, variable: &str| {
                let options = option.map(|mode| format!("--mode {mode}")).unwrap_or_default();
                let hook = scene.hook(host, &project, &format!("--within 20s {options}"));
                let hook = hook.env("SENTINEL_HOOK_MODE", variable);
                crate::hosts::begin(hook, event.value.to_string().as_bytes()).wait().exits(0)
            };
            for mode in ["deny", "ask", "warn"] {
                let expected = match (mode, host.name, *name) {
                    ("ask", "codex" | "gemini", _) | ("ask", _, "preToolUse") | ("deny", ..) => {
                        Taken::Deny
                    }
                    ("ask", ..) => Taken::Ask,
                    (_, "claude" | "codex", _) => Taken::Told,
                    _ => Taken::Shown,
                };
                for done in [text(Some(mode), ""), text(None, mode), text(Some(mode), "warn")] {
                    assert_eq!(done.stderr, "", "{}", done.told());
                    let got = taken(host, &event, &done);
                    assert_eq!(got, expected(got.text().to_owned()), "{mode}: {}", done.told());
                    assert!(got.text().contains(INSTEAD), "{mode}: {}", done.told());
                }
            }
            let odd = text(None, "maybe");
            assert!(odd.stderr.contains("bad SENTINEL_HOOK_MODE \"maybe\""), "{}", odd.told());
            taken(host, &event, &odd).denies(INSTEAD);
        }
    }
}

#[test]
fn a_warning_is_read_by_the_agent_and_by_the_user() {
    let scene = Scene::new();
    let project = scene.project("shop");
    for host in [&CLAUDE, &CODEX] {
        let event = host.before(&project, "one", LEFT_BEHIND);
        let value = scene.answers(host, &event, "--mode warn").exits(0).json();
        assert_eq!(value["systemMessage"], value["hookSpecificOutput"]["additionalContext"]);
        assert!(value["hookSpecificOutput"].get("permissionDecision").is_none(), "{value}");
    }
}

#[test]
fn what_the_host_is_to_run_in_the_background_is_refused_too() {
    let scene = Scene::new();
    let project = scene.project("shop");
    for (host, flag) in [(&CLAUDE, "run_in_background"), (&GEMINI, "is_background")] {
        let asks = |command: &str, background: bool| {
            let event = host.before(&project, "one", command);
            scene.asks(host, &event.with(&format!("/tool_input/{flag}"), background))
        };
        assert_eq!(asks("npm run build", false), Taken::Nothing);
        asks("npm run build", true).denies(
            "

sentinel-run --detach npm-build -- npm run build

",
        );
        assert_eq!(asks("sentinel-watch --max-wait 9m build", true), Taken::Nothing);
        assert_eq!(asks("npm run build # sentinel: allow", true), Taken::Nothing);
    }
}

#[test]
fn a_long_command_line_is_not_written_out_again() {
    let scene = Scene::new();
    let project = scene.project("shop");
    fs::create_dir(project.join(".claude")).unwrap();
    let rules = json!({"permissions": {"deny": ["Bash(rm *)"]}}).to_string();
    fs::write(project.join(".claude/settings.json"), rules).unwrap();
    let long = "x".repeat(60_000);
    for (command, word) in [
        (format!("cat > x <<'EOF'\n{long}\nEOF\n./x &"), "sentinel-run --detach NAME -- COMMAND"),
        (format!("./x {long} &"), "sentinel-run --detach NAME -- COMMAND"),
        ("./x & ".repeat(500), "sentinel-run --detach NAME -- COMMAND"),
        (format!("sentinel-run x -- rm {long}"), "Bash(rm *)"),
    ] {
        match scene.asks(&CLAUDE, &CLAUDE.before(&project, "one", &command)) {
            Taken::Deny(why) => assert!(why.contains(word) && why.len() < 1000, "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

/// An event that has these fields, and of a command none.
fn other(host: &Host, project: &Path, name: &str, more: Value) -> Event {
    let mut event = host.event(host.before[0], project, "one");
    let fields = event.value.as_object_mut().unwrap();
    for key in ["tool_name", "tool_input", "command"] {
        fields.remove(key);
    }
    let Value::Object(more) = more else { panic!("{more}") };
    fields.extend(more);
    name.clone_into(&mut event.name);
    event.with("/hook_event_name", name)
}

#[test]
fn what_is_no_shell_command_passes() {
    let scene = Scene::new();
    let project = scene.project("shop");
    let patch = json!({"command": "*** Begin Patch\n+nohup ./x &\n"});
    let patch = json!({"tool_name": "apply_patch", "tool_input": patch});
    let file = |tool: &str| {
        let input = json!({"file_path": "x.sh", "content": "nohup ./x &", "command": "./x &"});
        json!({"tool_name": tool, "tool_input": input})
    };
    for (host, name, more) in [
        (&CLAUDE, "PreToolUse", file("Write")),
        (
            &CLAUDE,
            "PreToolUse",
            json!({"tool_name": "mcp__host__run", "tool_input": {"command": "./x &"}}),
        ),
        (&CLAUDE, "Notification", json!({"message": "nohup ./x &"})),
        (&CLAUDE, "SubagentStop", json!({"stop_hook_active": false})),
        (&CODEX, "PreToolUse", patch),
        (
            &CODEX,
            "PermissionRequest",
            json!({"tool_name": "Bash", "tool_input": {"command": "./x &"}}),
        ),
        (&GEMINI, "BeforeTool", file("write_file")),
        (&GEMINI, "BeforeModel", json!({"llm_request": {"command": "./x &"}})),
        (&CURSOR, "preToolUse", file("Write")),
    ] {
        let event = other(host, &project, name, more);
        let done = scene.answers(host, &event, "").exits(0);
        assert_eq!(
            (done.stdout.as_str(), done.stderr.as_str()),
            (host.pass, ""),
            "{name}: {}",
            done.told()
        );
    }
    let edited = other(&CURSOR, &project, "afterFileEdit", json!({"file_path": "x.sh"}));
    assert_eq!(scene.answers(&CURSOR, &edited, "").exits(0).stdout, "{}\n");
}

#[test]
fn whatever_asks_cursor_for_permission_is_given_it() {
    let scene = Scene::new();
    let project = scene.project("shop");
    let tool = json!({"tool_name": "run", "tool_input": "{}", "command": "./x &"});
    for (name, more) in [
        ("beforeReadFile", json!({"file_path": "x.sh", "content": "./x &"})),
        ("beforeTabFileRead", json!({"file_path": "x.sh", "content": "./x &"})),
        ("beforeMCPExecution", tool),
        ("subagentStart", json!({"subagent_type": "shell", "task": "nohup ./x &"})),
    ] {
        let event = other(&CURSOR, &project, name, more);
        let done = scene.answers(&CURSOR, &event, "").exits(0);
        assert_eq!(done.stdout, CURSOR.pass, "{}", done.told());
    }
}

// ---- what else stands in the way --------------------------------------------------------------

fn kills(scene: &Scene, host: &Host, command: &str) -> Taken {
    let project = scene.project("shop");
    scene.asks(host, &host.before(&project, "one", command))
}

#[test]
fn a_kill_at_a_kept_process_is_refused() {
    let scene = Scene::new();
    let _wrapper = scene.kept_up("bot", "'exec sleep 86413'");
    for host in &HOSTS {
        for command in [
            "pkill -f 'sleep 86413'",
            "pkill -9 -f 86413; echo gone",
            "kill $(pgrep -f 'sleep 86413')",
            "pgrep -f 86413 | xargs kill -9",
            "sudo killall -9 sleep",
        ] {
            kills(&scene, host, command).denies("\n\nsentinel-keep stop bot\n\n");
        }
        for command in [
            "pkill -f 'sleep 86414'",
            "pgrep -f 'sleep 86413'",
            "pkill -0 -f 'sleep 86413'",
            "sentinel-keep stop bot",
            "pkill -f 'sleep 86413' # sentinel: allow",
            "kill 86413",
        ] {
            assert_eq!(kills(&scene, host, command), Taken::Nothing, "{} {command}", host.name);
        }
        let starts_anew = "pkill -f 'sleep 86413'; nohup sleep 86413 &";
        kills(&scene, host, starts_anew).denies(
            "

sentinel-keep restart bot

",
        );
    }
    scene.kept("stop bot").exits(0);
    assert_eq!(kills(&scene, &CLAUDE, "pkill -f 'sleep 86413'"), Taken::Nothing);
}

#[test]
fn a_kill_at_what_a_kept_process_started_is_refused() {
    let scene = Scene::new();
    let _wrapper = scene.kept_up("bot", "'sleep 86415 & sleep 86416 & wait'");
    until("its children run", || {
        !scene.members_running("sleep 86415").is_empty()
            && !scene.members_running("sleep 86416").is_empty()
    });
    kills(&scene, &CLAUDE, "pkill -xf 'sleep 86416'").denies("sentinel-keep stop bot");
    scene.kept("stop bot").exits(0);
}

#[test]
fn a_rule_of_the_users_reaches_the_command_that_is_wrapped() {
    let scene = Scene::new();
    let project = scene.project("shop");
    let rules = |dir: &Path, name: &str, rules: Value| {
        fs::create_dir_all(dir.join(".claude")).unwrap();
        let settings = json!({"permissions": rules}).to_string();
        fs::write(dir.join(".claude").join(name), settings).unwrap();
    };
    rules(&project, "settings.json", json!({"deny": ["Bash(rm *)"]}));
    rules(&project, "settings.local.json", json!({"ask": ["Bash(npm publish:*)"]}));
    rules(&scene.path("home"), "settings.json", json!({"deny": ["Bash(curl:*)"]}));
    let asks =
        |host: &Host, command: &str| scene.asks(host, &host.before(&project, "one", command));
    for (command, rule) in [
        ("sentinel-run x -- rm y", "Bash(rm *)"),
        ("sentinel-run --detach x -- timeout 60 rm -rf y", "Bash(rm *)"),
        ("sentinel-run x -- bash -c 'cd y && rm -rf z'", "Bash(rm *)"),
        ("sentinel-keep register x 'rm y'", "Bash(rm *)"),
        ("sentinel-run fetch -- curl http://example.org", "Bash(curl:*)"),
    ] {
        asks(&CLAUDE, command).denies(rule);
        assert_eq!(asks(&CODEX, command), Taken::Nothing, "{command}");
    }
    match asks(&CLAUDE, "sentinel-run publish -- npm publish --tag next") {
        Taken::Ask(why) => assert!(why.contains("Bash(npm publish:*)"), "{why}"),
        other => panic!("{other:?}"),
    }
    // What is not wrapped the host judges itself.
    assert_eq!(asks(&CLAUDE, "rm y"), Taken::Nothing);
    assert_eq!(asks(&CLAUDE, "sentinel-run x -- ls rm"), Taken::Nothing);
    // A mode only says what is done about what is left behind.
    let event = CLAUDE.before(&project, "one", "sentinel-run x -- rm y # sentinel: allow");
    let done = scene.answers(&CLAUDE, &event, "--mode warn").exits(0);
    taken(&CLAUDE, &event, &done).denies("Bash(rm *)");
    // The agent may have gone elsewhere: the project is where its host says.
    let away: Event = CLAUDE.before(&project, "one", "sentinel-run x -- rm y").at(scene.root());
    let hook = scene.hook(&CLAUDE, &project, "--within 20s").cwd(scene.root());
    let done = crate::hosts::begin(hook, away.value.to_string().as_bytes()).wait().exits(0);
    taken(&CLAUDE, &away, &done).denies("Bash(rm *)");
}
