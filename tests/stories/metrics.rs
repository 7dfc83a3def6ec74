//! Numbers about kept processes: true, and in a form that others read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::scene::{Process, Scene, has, is_watched, skip, until, until_some};

const SOON: &str = "--backoff fixed --restart-cooldown 100ms --grace 300ms";

/// What `metrics` says of one process.
#[track_caller]
fn numbers(scene: &Scene, name: &str) -> Value {
    let all = scene.kept("metrics").json();
    let one = all["processes"].as_array().unwrap().iter().find(|one| one["name"] == name);
    one.unwrap_or_else(|| panic!("{name} is not in {all}")).clone()
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("no number {key} in {value}"))
}

#[track_caller]
fn kill_the_command(scene: &Scene, name: &str) {
    let pid = scene.heartbeat(name).unwrap()["child_pid"].as_u64().unwrap();
    let command = Process::of(u32::try_from(pid).unwrap()).unwrap();
    command.signal(Signal::KILL);
    command.is_gone();
    until("its end is recorded", || scene.status(name).is_some());
}

/// Processes that fared in every way.
fn cast(scene: &Scene) {
    scene.kept_up("killed", &format!("{SOON} -- sleep 3631"));
    scene.kept(&format!("register dies {SOON} --max-restarts 2 'exit 3'")).exits(0);
    scene.kept(&format!("register early {SOON} --no-auto-restart true")).exits(0);
    scene.kept(&format!("register absent {SOON} --max-restarts 0 -- /no/such/program")).exits(0);
    scene.kept("register idle 'sleep 3632'").exits(0);
    scene.kept("start dies early absent");
    kill_the_command(scene, "killed");
    until("all is settled", || {
        scene.kept("healthcheck");
        let phases = ["killed", "dies", "early", "absent"].map(|name| scene.phase(name));
        phases == ["up", "given-up", "failed", "given-up"]
    });
}

#[test]
fn each_process_has_its_numbers_and_all_have_their_sums() {
    let scene = Scene::new();
    cast(&scene);
    let killed = numbers(&scene, "killed");
    assert_eq!((&killed["up"], &killed["state"]), (&json!(true), &json!("up")));
    assert_eq!((&killed["restarts"], &killed["recoveries"]), (&json!(1), &json!(1)));
    assert_eq!(killed["failures"], json!({"signal": 1}));
    assert_eq!(killed["downtime_s"], killed["mean_time_to_recovery_s"]);
    assert!(number(&killed, "downtime_s") > 0.0, "{killed}");
    assert!(number(&killed, "memory_bytes") > 10_000.0, "{killed}");
    assert!(number(&killed, "uptime_total_s") > number(&killed, "uptime_s"), "{killed}");
    let dies = numbers(&scene, "dies");
    assert_eq!((&dies["up"], &dies["should_run"]), (&json!(false), &json!(true)));
    assert_eq!(dies["failures"], json!({"exit": 3}));
    assert_eq!((&dies["memory_bytes"], &dies["uptime_s"]), (&Value::Null, &Value::Null));
    assert_eq!(dies["alerts"], json!(2), "one of its kind, and that it was given up");
    let first = number(&dies, "downtime_s");
    until("its downtime grows", || number(&numbers(&scene, "dies"), "downtime_s") > first);
    assert_eq!(numbers(&scene, "early")["failures"], json!({"early": 1}));
    assert_eq!(numbers(&scene, "early")["state"], json!("failed"));
    assert_eq!(numbers(&scene, "absent")["failures"], json!({"start": 1}));
    assert_eq!(numbers(&scene, "idle")["should_run"], json!(false));

    let totals = scene.kept("metrics").json()["totals"].clone();
    assert_eq!((&totals["processes"], &totals["up"]), (&json!(5), &json!(1)));
    assert_eq!((&totals["should_run"], &totals["bad_entries"]), (&json!(4), &json!(0)));
    assert_eq!(totals["failures"], json!({"exit": 3, "signal": 1, "early": 1, "start": 1}));
    assert_eq!(totals["alerts"], json!(scene.alerts().len()));
    scene.kept("stop --all").exits(0);
    scene.nothing_is_left();
}

#[test]
fn what_only_grows_never_falls_back() {
    // A run that is over has lasted from its command's start; until then its wrapper's counts.
    const GROWING: [(&str, f64); 3] =
        [("uptime_total_s", 0.5), ("cpu_total_s", 0.0), ("downtime_s", 0.0)];
    let scene = Scene::new();
    // Its child uses the CPU and is left to the wrapper, which alone knows of that afterwards.
    let burn = "n=0; while [ $n -lt 300000 ]; do n=$((n+1)); done";
    let command = format!("(({burn}; echo done > burnt) &); exec sleep 3633");
    scene.kept_up("bot", &format!("--grace 300ms '{command}'"));
    until("the orphan has ended", || scene.path("burnt").exists());
    let mut before = until_some("its time is counted", || {
        Some(numbers(&scene, "bot")).filter(|bot| number(bot, "cpu_total_s") > 0.05)
    });
    let mut grows = |what: &str| {
        let now = numbers(&scene, "bot");
        for (key, slack) in GROWING {
            assert!(
                number(&now, key) + slack >= number(&before, key),
                "{key}, {what}: {before} {now}"
            );
        }
        before = now;
    };
    kill_the_command(&scene, "bot");
    grows("dead, and nobody has looked");
    scene.kept("restart bot").exits(0);
    grows("restarted by a person");
    kill_the_command(&scene, "bot");
    scene.kept("healthcheck").exits(0);
    grows("restarted by the healthcheck");
    scene.kept("stop bot").exits(0);
    grows("stopped");
    scene.kept("start bot").exits(0);
    grows("started");
    scene.kept("register bot --max-restarts 0 'exit 1'").exits(0);
    scene.kept("restart bot");
    until("it is given up", || {
        scene.kept("healthcheck");
        scene.phase("bot") == "given-up"
    });
    grows("given up");
    scene.kept("stop bot").exits(0);
    grows("stopped for good");
    assert!(number(&numbers(&scene, "bot"), "downtime_s") > 0.0);
    scene.nothing_is_left();
}

#[test]
fn a_file_for_prometheus_is_whole_and_right() {
    let scene = Scene::new();
    cast(&scene);
    let path = scene.path("textfile/kept.prom");
    fs::create_dir(scene.path("textfile")).unwrap();
    let tell = |path: &Path| scene.keep("metrics --format prometheus --output").arg(path).finish();
    tell(&path).exits(0);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o644);
    assert_eq!(fs::read_dir(scene.path("textfile")).unwrap().count(), 1, "and nothing beside it");
    let text = fs::read_to_string(&path).unwrap();
    for line in [
        "# TYPE sentinel_keep_failures_total counter",
        r#"sentinel_keep_up{name="killed"} 1"#,
        r#"sentinel_keep_up{name="dies"} 0"#,
        r#"sentinel_keep_failures_total{name="killed",cause="signal"} 1"#,
        r#"sentinel_keep_failures_total{name="killed",cause="hung"} 0"#,
        r#"sentinel_keep_failures_total{name="dies",cause="exit"} 3"#,
        r#"sentinel_keep_state{name="dies",state="given-up"} 1"#,
        r#"sentinel_keep_state{name="dies",state="up"} 0"#,
        r#"sentinel_keep_restarts_total{name="killed"} 1"#,
        "sentinel_keep_registry_bad_entries 0",
    ] {
        assert_eq!(text.lines().filter(|it| *it == line).count(), 1, "{line} in\n{text}");
    }
    assert_eq!(
        scene.kept("metrics --format prometheus").exits(0).stdout.lines().count(),
        text.lines().count()
    );
    if has("promtool") {
        let input = fs::File::open(&path).unwrap();
        let check = scene.command("promtool check metrics");
        let done = check
            .start_with(|command| {
                command.stdin(input);
            })
            .wait()
            .exits(0);
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
    } else {
        skip("promtool reads the metrics", "promtool is not installed");
    }
    scene.kept("stop --all").exits(0);
}

#[test]
fn metrics_go_into_no_other_thing_than_a_file() {
    let scene = Scene::new();
    scene.command("mkfifo pipe").finish().exits(0);
    for place in ["pipe", ".", "/dev/null", "no/such/directory/file"] {
        let done = scene.keep("metrics --output").arg(place).finish().exits(2);
        done.says(&format!("cannot write the metrics to {place}: "));
    }
    scene.kept("metrics --json --format prometheus").exits(2).says("contradict");
    // What cannot be understood is told, and counted, and keeps nothing else from being told.
    fs::write(scene.registry(), r#"{"bad": {"command": 5}, "good": {"command": "true"}}"#).unwrap();
    let done = scene.kept("metrics").exits(2).says("\"bad\"");
    assert_eq!(done.json()["totals"]["bad_entries"], json!(1));
    assert_eq!(done.json()["processes"][0]["name"], json!("good"));
}

#[test]
fn the_memory_of_an_adopted_process_is_its_own() {
    if is_watched("the_memory_of_an_adopted_process_is_its_own") {
        return;
    }
    let scene = Scene::new();
    let holds = r#"my $held = "x" x (40 << 20); open my $file, ">", "held"; sleep 3635"#;
    let mut bot = scene.program("perl").args(["-e", holds]).start();
    until("it holds its memory", || scene.path("held").exists());
    scene.kept(&format!("adopt bot {}", bot.pid())).exits(0);
    let memory =
        until_some("its memory is told", || numbers(&scene, "bot")["memory_bytes"].as_u64());
    assert!(memory > 40 << 20, "{memory}");
    let status = scene.kept("--json status bot").exits(0).json();
    assert!(status["memory_bytes"].as_u64().is_some_and(|told| told > 40 << 20), "{status}");
    let stop = scene.keep("stop bot").start();
    until("it has ended", || !bot.is_running());
    stop.wait().exits(0);
}

#[test]
fn there_are_numbers_before_there_was_any_alert() {
    let scene = Scene::new();
    scene.kept("register idle 'sleep 3633'").exits(0);
    for form in ["json", "prometheus"] {
        scene.kept(&format!("metrics --format {form}")).exits(0).says("idle");
    }
    assert!(!scene.path("alerts").exists(), "who only reads makes nothing");
}
