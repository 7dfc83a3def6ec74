//! `sentinel-keep hook` and hosts that do not say what they should: nothing is kept from running, and no
//! host is kept waiting.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;

use crate::hosts::{CLAUDE, CODEX, CURSOR, Event, GEMINI, HOSTS, Host, Taken, begin, taken};
use crate::scene::{Done, KEEP, Scene};

const LEFT_BEHIND: &str = "nohup python3 bot.py &";
const INSTEAD: &str = "\n\nsentinel-run --detach bot -- python3 bot.py\n\n";

/// The host goes on as if nobody had been asked, and whoever looks reads why.
#[track_caller]
fn is_let_through(host: &Host, done: Done) -> Done {
    assert_eq!(done.stdout, host.pass, "{}", done.told());
    assert!(done.stderr.starts_with("sentinel-keep hook: "), "{}", done.told());
    done.exits(0)
}

#[test]
fn what_is_no_event_is_let_through_with_a_word() {
    let scene = Scene::new();
    let project = scene.project("shop");
    for host in &HOSTS {
        let event = host.before(&project, "one", LEFT_BEHIND).value.to_string();
        let bytes = event.as_bytes();
        let mut invalid = bytes.to_vec();
        invalid.insert(bytes.len() / 2, 0xff);
        for (what, heard) in [
            ("nothing", Vec::new()),
            ("no JSON", b"nohup ./x &\n".to_vec()),
            ("no object", b"[1, 2]".to_vec()),
            ("null", b"null".to_vec()),
            ("a truncated one", bytes[..bytes.len() - 9].to_vec()),
            ("two", [bytes, bytes].concat()),
            ("no UTF-8", invalid),
            ("deep", "[".repeat(100_000).into_bytes()),
        ] {
            let done = begin(scene.hook(host, &project, "--within 20s"), &heard).wait();
            let done = is_let_through(host, done);
            assert!(done.stderr.contains("is no JSON object"), "{what}: {}", done.told());
        }
    }
}

#[test]
fn an_event_of_many_megabytes_is_let_through_with_a_word() {
    let scene = Scene::new();
    let project = scene.project("shop");
    for host in [&CODEX, &CURSOR] {
        let command = format!("{LEFT_BEHIND} # {}", "x".repeat(9 << 20));
        let event = host.before(&project, "one", &command).value.to_string();
        let done = begin(scene.hook(host, &project, "--within 20s"), event.as_bytes()).wait();
        is_let_through(host, done);
    }
}

#[test]
fn an_event_with_less_in_it_is_understood_as_far_as_it_goes() {
    let scene = Scene::new();
    let project = scene.project("shop");
    for (host, heard) in [
        (
            &CLAUDE,
            json!({"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": LEFT_BEHIND}}),
        ),
        (&CODEX, json!({"hook_event_name": "PreToolUse", "tool_input": {"cmd": LEFT_BEHIND}})),
        (
            &GEMINI,
            json!({"hook_event_name": "BeforeTool", "tool_name": "run_shell_command", "tool_input": {"command": LEFT_BEHIND}}),
        ),
        (&CURSOR, json!({"hook_event_name": "beforeShellExecution", "command": LEFT_BEHIND})),
    ] {
        let mut event = host.event(host.before[0], &project, "one");
        event.value = heard;
        let hook = scene.hook(host, &project, "--within 20s");
        let done = begin(hook, event.value.to_string().as_bytes()).wait().exits(0);
        taken(host, &event, &done).denies(INSTEAD);
    }
    for odd in [
        json!({}),
        json!({"hook_event_name": 5, "tool_input": [], "cwd": {}}),
        json!({"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": ["x", "&"]}}),
        json!({"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": ""}}),
        json!({"hook_event_name": "Stop", "session_id": null, "stop_hook_active": "yes"}),
    ] {
        let hook = scene.hook(&CLAUDE, &project, "--within 20s");
        let done = begin(hook, odd.to_string().as_bytes()).wait().exits(0);
        assert_eq!(
            (done.stdout.as_str(), done.stderr.as_str()),
            ("", ""),
            "{odd}: {}",
            done.told()
        );
    }
}

#[test]
fn a_byte_order_mark_before_an_event_is_passed_over() {
    let scene = Scene::new();
    let project = scene.project("shop");
    for host in &HOSTS {
        let event = host.before(&project, "one", LEFT_BEHIND);
        let bytes = [b"\xef\xbb\xbf", event.value.to_string().as_bytes()].concat();
        let done = begin(scene.hook(host, &project, "--within 20s"), &bytes).wait().exits(0);
        taken(host, &event, &done).denies(INSTEAD);
    }
}

#[test]
fn a_host_that_does_not_close_its_pipe_is_not_waited_for() {
    let scene = Scene::new();
    let project = scene.project("shop");
    let host = &CLAUDE;
    let event = host.before(&project, "one", LEFT_BEHIND);
    let whole = event.value.to_string();
    let calls = [whole.as_str(), "", &whole[..40]].map(|said| {
        let (its, mut ours) = std::io::pipe().unwrap();
        ours.write_all(said.as_bytes()).unwrap();
        let hook = scene.hook(host, &project, "--within 20s").start_with(|command| {
            command.stdin(Stdio::from(its));
        });
        (hook, ours)
    });
    let [whole, nothing, part] = calls.map(|(hook, open)| (hook.wait(), open).0);
    taken(host, &event, &whole).denies(INSTEAD);
    for done in [is_let_through(host, nothing), is_let_through(host, part), whole] {
        // A second, and what a loaded machine adds to it.
        assert!(done.took < Duration::from_secs(8), "{:?}: {}", done.took, done.told());
    }
}

#[test]
fn a_command_that_takes_too_long_to_judge_is_let_through_with_a_word() {
    let scene = Scene::new();
    let project = scene.project("shop");
    let nested = |open: &str, close: &str, many: usize| {
        format!("{}nohup ./x &{}", open.repeat(many), close.repeat(many))
    };
    for host in &HOSTS {
        for command in [
            nested("echo $(", ")", 200),
            nested("echo $(", ")", 20_000),
            nested("( ", " )", 100_000),
            nested("{ ", "; }", 100_000),
            nested("if true; then ", "; fi", 50_000),
        ] {
            let event = host.before(&project, "one", &command);
            let call = begin(scene.hook(host, &project, ""), event.value.to_string().as_bytes());
            is_let_through(host, call.wait());
        }
    }
}

#[test]
fn what_is_no_shell_command_that_can_be_read_is_let_through_with_a_word() {
    let scene = Scene::new();
    let project = scene.project("shop");
    for host in &HOSTS {
        let event = host.before(&project, "one", "echo 'not closed &");
        let done = is_let_through(host, scene.answers(host, &event, ""));
        assert!(done.stderr.contains("the command is let through unread"), "{}", done.told());
    }
}

#[test]
fn a_wrong_call_of_it_is_no_refusal() {
    let scene = Scene::new();
    for line in [
        "hook",
        "hook --host",
        "hook --host emacs",
        "hook --host claude --mode maybe",
        "hook --host claude --within soon",
        "hook --host claude --nonsense",
        "hook --host claude more",
        "hook claude",
    ] {
        let done = scene.kept(line).exits(1);
        assert!(done.stdout.is_empty() && !done.stderr.is_empty(), "{}", done.told());
    }
    for options in [&["--registry", "", "hook"] as &[&str], &["--nonsense", "hook"]] {
        let hook = scene.program(KEEP).args(options).args(["--host", "claude"]).finish();
        assert_ne!(hook.code, Some(2), "{}", hook.told());
    }
}

#[test]
fn nobody_is_kept_from_working_without_a_home() {
    let scene = Scene::new();
    let project = scene.project("shop");
    let homeless = |host: &Host| {
        let hook = scene.program(KEEP).args(["hook", "--host", host.name, "--within", "20s"]);
        hook.cwd(&project).with(|command| {
            command.env_remove("HOME").env_remove("XDG_STATE_HOME");
        })
    };
    for host in &HOSTS {
        let event = host.before(&project, "one", LEFT_BEHIND);
        let bytes = event.value.to_string();
        is_let_through(host, begin(homeless(host), bytes.as_bytes()).wait());
        // Nothing is needed of it where the places are named.
        let named = homeless(host).env("SENTINEL_REGISTRY", scene.registry());
        let named = named.env("SENTINEL_DIR", scene.dir());
        let done = begin(named, bytes.as_bytes()).wait().exits(0);
        taken(host, &event, &done).denies(INSTEAD);
    }
}

#[test]
fn nobody_is_kept_from_working_where_nothing_can_be_written() {
    let scene = Scene::new();
    let project = scene.project("shop");
    // A file where the directories should be.
    std::fs::write(scene.path("file"), "").unwrap();
    let answers = |host: &Host, event: &Event| {
        let hook = scene.hook(host, &project, "--within 20s");
        let hook =
            hook.env("HOME", scene.path("file")).env("SENTINEL_DIR", scene.path("file/jobs"));
        let hook = hook.args(["--registry".into(), scene.path("file/registry.json")]);
        let done = begin(hook, event.value.to_string().as_bytes()).wait().exits(0);
        taken(host, event, &done)
    };
    for host in &HOSTS {
        let event = host.before(&project, "one", LEFT_BEHIND);
        answers(host, &event).denies(INSTEAD);
        for name in [host.session_start, host.prompt, host.turn_end] {
            let event = host.event(name, &project, "one");
            assert_eq!(answers(host, &event), Taken::Nothing);
        }
    }
}
