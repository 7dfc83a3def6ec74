//! `sentinel-keep hook` at the start of a session, at prompts and at the end of a turn: what an agent has
//! not heard yet, each thing once.

use std::fs;
use std::path::Path;

use crate::hosts::{CLAUDE, CURSOR, Event, GEMINI, HOSTS, Host, Taken, begin, begin_with, taken};
use crate::scene::{Scene, until};

fn starts(scene: &Scene, host: &Host, project: &Path, session: &str) -> Taken {
    scene.asks(host, &host.event(host.session_start, project, session))
}

fn prompts(scene: &Scene, host: &Host, project: &Path, session: &str) -> Taken {
    scene.asks(host, &host.event(host.prompt, project, session))
}

fn ends_turn(scene: &Scene, host: &Host, project: &Path, session: &str) -> Taken {
    scene.asks(host, &host.event(host.turn_end, project, session))
}

#[track_caller]
fn is_told(taken: &Taken, words: &[&str]) {
    let Taken::Told(text) = taken else { panic!("{taken:?}") };
    assert!(words.iter().all(|word| text.contains(word)), "{words:?}: {text}");
}

#[track_caller]
fn goes_on(taken: &Taken, words: &[&str]) {
    let Taken::GoesOn(text) = taken else { panic!("{taken:?}") };
    assert!(words.iter().all(|word| text.contains(word)), "{words:?}: {text}");
}

#[test]
fn a_job_that_failed_meanwhile_is_told_once_and_to_its_project_alone() {
    for host in &HOSTS {
        let scene = Scene::new();
        let (shop, other) = (scene.project("shop"), scene.project("other"));
        assert_eq!(starts(&scene, host, &shop, "one"), Taken::Nothing);
        assert_eq!(starts(&scene, host, &other, "three"), Taken::Nothing);
        scene.run("build -- sh -c 'exit 3'").cwd(&shop).finish();
        is_told(
            &prompts(&scene, host, &shop, "one"),
            &["job build: failed, exit code 3", "sentinel-watch build"],
        );
        assert_eq!(prompts(&scene, host, &shop, "one"), Taken::Nothing);
        assert_eq!(starts(&scene, host, &shop, "two"), Taken::Nothing);
        assert_eq!(prompts(&scene, host, &shop, "two"), Taken::Nothing);
        assert_eq!(prompts(&scene, host, &other, "three"), Taken::Nothing);
        assert_eq!(starts(&scene, host, &other, "four"), Taken::Nothing);
        // Another run of the same name is news again, also in a directory below.
        fs::create_dir(shop.join("web")).unwrap();
        scene.run("build -- sh -c 'exit 4'").cwd(shop.join("web")).finish();
        is_told(&starts(&scene, host, &shop, "two"), &["job build: failed, exit code 4"]);
    }
}

#[test]
fn what_ended_before_anybody_looked_is_told_at_the_first_look() {
    let scene = Scene::new();
    let shop = scene.project("shop");
    for number in 0..7 {
        scene.run(&format!("job{number} -- sh -c 'exit 3'")).cwd(&shop).finish();
    }
    let told = starts(&scene, &CLAUDE, &shop, "one");
    is_told(&told, &["job job6: failed", "job job2: failed", "and 2 more: sentinel-watch --list"]);
    assert!(!told.text().contains("job1"), "{}", told.text());
    assert_eq!(prompts(&scene, &CLAUDE, &shop, "one"), Taken::Nothing);
}

#[test]
fn where_very_many_ended_the_last_are_told_in_time() {
    let scene = Scene::new();
    let shop = scene.project("shop");
    scene.run("job0 -- sh -c 'exit 3'").cwd(&shop).finish();
    // As if it had run a thousand times.
    for ending in ["status", "heartbeat", "result"] {
        let content = scene.read(&format!("job0.{ending}"));
        for number in 1..1000 {
            let run = format!("\"run_id\":\"{number}-");
            let content = content.replacen("\"run_id\":\"", &run, 1);
            scene.write(&format!("job{number}.{ending}"), content);
        }
    }
    let event = CLAUDE.event(CLAUDE.session_start, &shop, "one");
    let done = scene.answers(&CLAUDE, &event, "").exits(0);
    let told = taken(&CLAUDE, &event, &done);
    is_told(&told, &["and at least 195 more: sentinel-watch --list"]);
    assert_eq!(told.text().matches("failed, exit code 3").count(), 5, "{}", told.text());
    assert_eq!(prompts(&scene, &CLAUDE, &shop, "one"), Taken::Nothing);
}

#[test]
fn a_host_that_does_not_say_where_it_is_has_said_so_in_its_environment() {
    let scene = Scene::new();
    let (shop, elsewhere) = (scene.project("shop"), scene.project("elsewhere"));
    scene.run("build -- sh -c 'exit 3'").cwd(&shop).finish();
    for (number, host) in [CLAUDE, GEMINI, CURSOR].iter().enumerate() {
        let mut event = host.event(host.prompt, &elsewhere, "one");
        match host.name {
            // A window without a folder; a hook of the user's own runs somewhere else.
            "cursor" => event.value["workspace_roots"] = serde_json::json!([]),
            _ => event = event.at(&elsewhere),
        }
        let hook = scene.hook(host, &shop, "--within 20s").cwd(&elsewhere);
        let done = begin(hook, event.value.to_string().as_bytes()).wait().exits(0);
        match taken(host, &event, &done) {
            told if number == 0 => is_told(&told, &["job build: failed"]),
            told => assert_eq!(told, Taken::Nothing, "it was told: {}", host.name),
        }
    }
}

#[test]
fn what_could_not_be_passed_on_is_told_again() {
    for host in &HOSTS {
        let scene = Scene::new();
        let shop = scene.project("shop");
        scene.run("build -- sh -c 'exit 3'").cwd(&shop).finish();
        let event = host.event(host.session_start, &shop, "one");
        for _ in 0..2 {
            let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
            let hook = scene.hook(host, &shop, "--within 20s");
            begin_with(hook, event.value.to_string().as_bytes(), |command| {
                command.stdout(full);
            })
            .wait()
            .exits(0);
        }
        is_told(&starts(&scene, host, &shop, "one"), &["job build: failed"]);
        assert_eq!(prompts(&scene, host, &shop, "one"), Taken::Nothing);
    }
}

#[test]
fn what_runs_or_was_started_elsewhere_is_no_news() {
    let scene = Scene::new();
    let (shop, other) = (scene.project("shop"), scene.project("other"));
    let running = scene.run("serve -- sleep 600").cwd(&shop).start();
    scene.is_up_as("serve", &running);
    scene.run("theirs -- sh -c 'exit 3'").cwd(&other).finish();
    assert_eq!(starts(&scene, &CLAUDE, &shop, "one"), Taken::Nothing);
    scene.stop("serve");
    running.wait();
}

#[test]
fn an_alert_is_told_once_to_each_project_and_stays_until_it_is_taken() {
    for host in &HOSTS {
        let scene = Scene::new();
        let (shop, other) = (scene.project("shop"), scene.project("other"));
        assert_eq!(starts(&scene, host, &shop, "one"), Taken::Nothing);
        scene.kept("register bot --no-auto-restart 'exit 3'").exits(0);
        scene.kept("start bot").exits_one_of(&[0, 1]);
        until("it ended", || scene.status("bot").is_some());
        scene.kept("healthcheck").exits(0);
        let alert = ["alert bot: exit code 3", "sentinel-keep alerts --take"];
        is_told(&prompts(&scene, host, &shop, "one"), &alert);
        assert_eq!(prompts(&scene, host, &shop, "one"), Taken::Nothing);
        assert_eq!(starts(&scene, host, &shop, "two"), Taken::Nothing);
        is_told(&starts(&scene, host, &other, "three"), &alert);
        assert_eq!(prompts(&scene, host, &other, "three"), Taken::Nothing);
        assert_eq!(scene.alerts().len(), 1);
        scene.kept("alerts --take").exits(0).says("exit code 3");
        assert_eq!(starts(&scene, host, &scene.project("third"), "four"), Taken::Nothing);
    }
}

// ---- the end of a turn ------------------------------------------------------------------------

/// A detached job, as a session of a project starts it: the hook hears of it before and after.
fn starts_job(scene: &Scene, host: &Host, project: &Path, session: &str, name: &str, job: &str) {
    let command = format!("sentinel-run --detach {name} -- {job}");
    assert_eq!(scene.asks(host, &host.before(project, session, &command)), Taken::Nothing);
    let started = scene.run(&format!("--detach {name} -- {job}")).cwd(project).finish().exits(0);
    scene.is_up(name);
    let after = host.after(project, session, &command, &started.stdout);
    assert_eq!(scene.asks(host, &after), Taken::Nothing);
}

#[test]
fn a_turn_does_not_end_without_a_word_of_the_jobs_of_its_session() {
    for host in &HOSTS {
        let scene = Scene::new();
        let shop = scene.project("shop");
        let go = scene.path("go");
        let waits = format!("sh -c 'until [ -e {} ]; do sleep 0.02; done; exit 3'", go.display());
        starts_job(&scene, host, &shop, "one", "build", &waits);
        assert_eq!(ends_turn(&scene, host, &shop, "two"), Taken::Nothing);
        // A turn is not lengthened twice for what only runs.
        let again: Event = host.event(host.turn_end, &shop, "one").again();
        assert_eq!(scene.asks(host, &again), Taken::Nothing);
        goes_on(
            &ends_turn(&scene, host, &shop, "one"),
            &["build: running", "sentinel-watch --max-wait 100s build"],
        );
        assert_eq!(ends_turn(&scene, host, &shop, "one"), Taken::Nothing);
        fs::write(&go, "").unwrap();
        until("it failed", || scene.status("build").is_some());
        assert_eq!(ends_turn(&scene, host, &shop, "two"), Taken::Nothing);
        goes_on(&scene.asks(host, &again), &["build: failed, exit code 3", "sentinel-watch build"]);
        for _ in 0..2 {
            assert_eq!(ends_turn(&scene, host, &shop, "one"), Taken::Nothing);
        }
        assert_eq!(prompts(&scene, host, &shop, "one"), Taken::Nothing);
        assert_eq!(starts(&scene, host, &shop, "two"), Taken::Nothing);
    }
}

#[test]
fn a_turn_that_was_broken_off_is_not_gone_on_with() {
    let scene = Scene::new();
    let shop = scene.project("shop");
    starts_job(&scene, &CURSOR, &shop, "one", "build", "sh -c 'exit 3'");
    until("it failed", || scene.status("build").is_some());
    let event = CURSOR.event("stop", &shop, "one");
    for status in ["aborted", "error"] {
        let event = event.clone().with("/status", status);
        assert_eq!(scene.asks(&CURSOR, &event), Taken::Nothing);
    }
    goes_on(&scene.asks(&CURSOR, &event), &["build: failed, exit code 3"]);
}

#[test]
fn a_job_is_known_by_what_its_start_printed() {
    // The command does not say its name.
    let command = "for j in build; do sentinel-run --detach \"$j\" -- ./build.sh; done";
    for host in &HOSTS {
        for name in host.after {
            let scene = Scene::new();
            let shop = scene.project("shop");
            let started = scene.run("--detach build -- sleep 600").cwd(&shop).finish().exits(0);
            scene.is_up("build");
            let after = host.event(name, &shop, "one").with_command(command);
            assert_eq!(scene.asks(host, &after.that_printed(&started.stdout)), Taken::Nothing);
            goes_on(&ends_turn(&scene, host, &shop, "one"), &["build: running"]);
            scene.stop("build");
        }
    }
}

#[test]
fn an_end_that_the_agent_has_read_itself_is_not_told() {
    for host in &HOSTS {
        // A watcher's exit status tells the failure, which some hosts have another event for.
        let failure: &[&str] = match host.name {
            "claude" => &["PostToolUseFailure"],
            "cursor" => &["afterShellExecution", "postToolUse", "postToolUseFailure"],
            _ => host.after,
        };
        for name in failure {
            for json in ["", "--json "] {
                let scene = Scene::new();
                let shop = scene.project("shop");
                starts_job(&scene, host, &shop, "one", "build", "sh -c 'exit 3'");
                let watched = scene.watched(&format!("{json}build")).exits(1);
                let after = host.event(name, &shop, "one");
                let after = after.with_command(&format!("sentinel-watch {json}build"));
                assert_eq!(scene.asks(host, &after.that_printed(&watched.stdout)), Taken::Nothing);
                assert_eq!(ends_turn(&scene, host, &shop, "one"), Taken::Nothing, "{name} {json}");
                assert_eq!(prompts(&scene, host, &shop, "one"), Taken::Nothing, "{name} {json}");
            }
        }
    }
}

#[test]
fn a_verdict_that_is_none_does_not_count_as_read() {
    let scene = Scene::new();
    let (host, shop) = (&CLAUDE, scene.project("shop"));
    let go = scene.path("go");
    let waits = format!("sh -c 'until [ -e {} ]; do sleep 0.02; done; exit 3'", go.display());
    starts_job(&scene, host, &shop, "one", "build", &waits);
    let watched = scene.watched("--max-wait 1ms build").exits(5);
    let after = host.event("PostToolUseFailure", &shop, "one");
    let after = after.with_command("sentinel-watch --max-wait 1ms build");
    assert_eq!(scene.asks(host, &after.that_printed(&watched.stdout)), Taken::Nothing);
    fs::write(&go, "").unwrap();
    until("it failed", || scene.status("build").is_some());
    goes_on(&ends_turn(&scene, host, &shop, "one"), &["build: failed, exit code 3"]);
}

#[test]
fn a_memory_that_was_damaged_is_no_trouble() {
    let scene = Scene::new();
    let shop = scene.project("shop");
    scene.run("build -- sh -c 'exit 3'").cwd(&shop).finish();
    is_told(&starts(&scene, &CLAUDE, &shop, "one"), &["job build: failed"]);
    let memories = || {
        let entries = fs::read_dir(scene.path("hook")).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|end| end == "json")).collect::<Vec<_>>()
    };
    assert_eq!(memories().len(), 1);
    fs::write(&memories()[0], "{\"told\":").unwrap();
    is_told(&prompts(&scene, &CLAUDE, &shop, "one"), &["job build: failed"]);
    assert_eq!(prompts(&scene, &CLAUDE, &shop, "one"), Taken::Nothing);
}
