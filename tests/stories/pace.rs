//! What the numbers in a progress text come to: a rate, an expected end, and a bar on a terminal.

use std::fs;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::time::Duration;

use serde_json::{Value, json};

use crate::scene::{Running, Scene, can, has, skip, until, until_some};

fn speaks(name: &str) -> bool {
    let able = has("perl") && can("perl -MSocket -e 1");
    if !able {
        skip(name, "perl is not installed");
    }
    able
}

/// A job that sends what this Perl makes of the number `$n` of the message, fifty times a second.
fn told(scene: &Scene, status: &str) -> Running {
    let script = format!(
        r#"socket(my $to, AF_UNIX, SOCK_DGRAM, 0);
        for (my $n = 1; ; $n++) {{
            send($to, "STATUS=" . {status}, 0, sockaddr_un($ENV{{NOTIFY_SOCKET}}));
            select(undef, undef, undef, 0.02);
        }}"#
    );
    let options = "--heartbeat-interval 100ms --stale 30s --grace 300ms --beat-on app,alive";
    let run = scene.run(options).args(["job", "--", "perl", "-MSocket", "-e"]).arg(script);
    run.start()
}

/// A job that beats once at its start, and whose record then says this of its progress.
fn recorded(scene: &Scene, progress: &str, pace: &Value) -> Running {
    let options = "--heartbeat-interval 10m --stale 2h --grace 300ms";
    let wrapper = scene.up("job", &format!("{options} job -- sleep 970"));
    record(scene, progress, pace);
    wrapper
}

fn record(scene: &Scene, progress: &str, pace: &Value) {
    let mut record = scene.heartbeat("job").unwrap();
    record["progress"] = json!(progress);
    record["pace"] = pace.clone();
    let text = record.to_string();
    scene.write("job.heartbeat", format!("{text:<4095}\n"));
}

#[test]
fn a_fraction_gives_a_rate_and_an_end() {
    if !speaks("a_fraction_gives_a_rate_and_an_end") {
        return;
    }
    let scene = Scene::new();
    let wrapper = told(&scene, r#""$n/1000000 rows""#);
    until("the rate is recorded", || {
        scene.heartbeat("job").is_some_and(|record| record["pace"]["per_s"].is_f64())
    });
    let record = scene.heartbeat("job").unwrap();
    let (text, pace) = (record["progress"].as_str().unwrap(), &record["pace"]);
    let number = |name: &str| pace[name].as_f64().unwrap_or_else(|| panic!("{name} in {pace}"));
    assert_eq!(text, format!("{}/1000000 rows", number("done")));
    assert!((0.1..=51.0).contains(&number("per_s")), "{pace}");
    let left = (1e6 - number("done")) / number("per_s");
    assert!((number("left_s") / left - 1.0).abs() < 0.01, "{pace}");

    let done = scene.watched("--once job").exits(5);
    let (_, said) = done.stdout.trim_end().split_once("/1000000 rows, ").expect("the text");
    let (rate, left) = said.split_once(", ").expect("a rate and an end");
    assert!(rate.ends_with("/s") || rate.ends_with("/min"), "{}", done.told());
    assert!(left.ends_with(" left"), "{}", done.told());
    let seen = scene.watched("--once --json job").exits(5).json();
    assert_eq!(seen["pace"]["total"], json!(1e6));
    assert!(seen["pace"]["left_s"].as_f64() > Some(1000.0), "{seen}");

    scene.stop("job");
    wrapper.wait();
    let seen = scene.watched("--once --json job").exits(1).json();
    assert_eq!(seen["pace"], Value::Null, "nothing is expected of what has ended");
}

#[test]
fn a_text_without_numbers_stands_alone() {
    if !speaks("a_text_without_numbers_stands_alone") {
        return;
    }
    let scene = Scene::new();
    let wrapper = told(&scene, r#"($n < 60 ? "$n%" : "since 2026/11/22")"#);
    let done = until_some("the last text", || {
        let done = scene.watched("--once --json job");
        done.stdout.contains("since 2026").then_some(done)
    });
    assert_eq!(done.json()["pace"], Value::Null);
    let done = scene.watched("--once job").exits(5);
    assert!(done.stdout.trim_end().ends_with("since 2026/11/22"), "{}", done.told());
    scene.stop("job");
    wrapper.wait();
}

#[test]
fn what_is_left_is_counted_down_between_beats() {
    let scene = Scene::new();
    let pace = json!({ "done": 120.0, "total": 900.0, "per_s": 2.1, "left_s": 3600.0 });
    let wrapper = recorded(&scene, "120/900 rows", &pace);
    scene.age("job.heartbeat", Duration::from_mins(40));
    scene.watched("--once job").exits(5).says("120/900 rows, 2.1/s, 20m left");
    let seen = scene.watched("--once --json job").exits(5).json();
    let left = seen["pace"]["left_s"].as_f64();
    assert!(left <= Some(1200.0) && left >= Some(1100.0), "{seen}");
    scene.age("job.heartbeat", Duration::from_mins(70));
    let done = scene.watched("--once job").exits(5).says("120/900 rows, 2.1/s").never_says("left");
    assert!(done.stdout.starts_with("running  job  "), "{}", done.told());
    scene.stop("job");
    wrapper.wait();
}

#[test]
fn whatever_stands_for_a_pace_the_job_is_reported() {
    let scene = Scene::new();
    let wrapper = recorded(&scene, "45%", &json!({ "done": 45.0, "total": 100.0, "per_s": 0.0 }));
    scene.watched("--once job").exits(5).says("45%, not advancing").never_says("left");
    for pace in [
        Value::Null,
        json!({}),
        json!({ "done": 45, "total": 100, "of_a_later_version": [] }),
        json!({ "done": -1e308, "total": 1e-308, "per_s": 1e308, "left_s": 1e308 }),
        json!({ "done": 1e308, "total": -5, "per_s": -2, "left_s": -1e308 }),
    ] {
        record(&scene, "45%", &pace);
        let done = scene.watched("--once job").exits(5).says("45%").never_says(" left");
        assert!(done.stdout.len() < 80, "{}", done.told());
        scene.watched("--once --json job").exits(5).json();
    }
    scene.stop("job");
    wrapper.wait();
}

/// What a watcher paints on a terminal of so many columns until this is there.
fn painted(scene: &Scene, columns: u16, until_there: &str) -> Vec<String> {
    use rustix::fs::{OFlags, fcntl_setfl};
    let size = nix::pty::Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let pair = nix::pty::openpty(Some(&size), None).expect("a pseudo terminal");
    fcntl_setfl(&pair.master, OFlags::NONBLOCK).unwrap();
    let (mut terminal, slave): (fs::File, OwnedFd) = (pair.master.into(), pair.slave);
    let watcher = scene.watch("job").start_with(|command| {
        command.stderr(slave);
    });
    let mut bytes = Vec::new();
    until(&format!("{until_there:?} on {columns} columns"), || {
        let _ = terminal.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).contains(until_there)
    });
    drop(watcher);
    let text = String::from_utf8_lossy(&bytes);
    // One repaint a second: of several, the last may not be whole yet.
    let whole = text.rfind('\r').filter(|at| *at > 0).unwrap_or(text.len());
    let text = &text[..whole];
    let mut lines: Vec<String> = text.split("\r\x1b[K").map(str::to_owned).collect();
    assert_eq!(lines.remove(0), "", "nothing is painted before the line is cleared");
    lines
}

#[test]
fn a_terminal_gets_a_bar_that_fits() {
    let scene = Scene::new();
    let pace = json!({ "done": 35.0, "total": 100.0, "per_s": 0.5, "left_s": 9e3 });
    let wrapper = recorded(&scene, "35% of a long way", &pace);
    for (columns, bar) in
        [(120, "  [#######-------------]  35 %"), (45, "…  [##----]  35 %"), (30, "…")]
    {
        for line in painted(&scene, columns, bar) {
            assert!(line.chars().count() < usize::from(columns), "{line:?} on {columns} columns");
            assert!(!line.contains(char::is_control), "{line:?}");
            assert_eq!(line.contains('['), columns > 30, "{line:?}");
        }
    }
    let first = painted(&scene, 120, "35 %").remove(0);
    assert!(first.contains("35% of a long way, 2h 30m left  ["), "{first:?}");

    scene.watched("--once job").exits(5).never_says("[#");
    let ticks = "--tick 50ms --max-wait 300ms job";
    scene.watched(ticks).exits(5).says("35% of a long way").never_says("[#");
    scene.stop("job");
    wrapper.wait();
}

#[test]
fn a_terminal_gets_no_bar_where_no_end_is_known() {
    let scene = Scene::new();
    let pace = json!({ "done": 1200.0, "total": null, "per_s": 120.0, "left_s": null });
    let wrapper = recorded(&scene, "rows: 1200", &pace);
    for line in painted(&scene, 80, "rows: 1200, 120/s") {
        assert!(!line.contains('['), "{line:?}");
    }
    scene.stop("job");
    wrapper.wait();
}
