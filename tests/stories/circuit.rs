//! The breaker over consecutive failures.

use std::time::Duration;

use serde_json::{Value, json};

use crate::scene::{Done, Running, Scene, until};

#[track_caller]
fn fails(scene: &Scene, options: &str) {
    scene.ran(&format!("{options} job -- sh -c 'exit 3'")).exits(3);
}

#[track_caller]
fn watched(scene: &Scene) -> (i32, Value) {
    let done: Done = scene.watched("--once --json job");
    let circuit = done.json()["circuit"].clone();
    (done.code.unwrap(), circuit)
}

#[test]
fn three_failures_in_a_row_open_it_and_a_success_closes_it() {
    let scene = Scene::new();
    for n in 1..=2 {
        fails(&scene, "");
        let (code, circuit) = watched(&scene);
        assert_eq!(code, 1);
        assert_eq!(circuit["open"], json!(false));
        assert_eq!(circuit["failures"], json!(n));
        assert_eq!(circuit["key"], json!("job"));
    }
    fails(&scene, "");
    let (code, circuit) = watched(&scene);
    assert_eq!((code, &circuit["open"], &circuit["failures"]), (7, &json!(true), &json!(3)));
    scene.watched("job").exits(7).says("failed").says("circuit:");
    scene.ran("job -- true").exits(0).says("circuit");
    let (code, circuit) = watched(&scene);
    assert_eq!((code, &circuit["open"], &circuit["failures"]), (0, &json!(false), &json!(0)));
    fails(&scene, "");
    assert_eq!(watched(&scene).0, 1);
}

#[test]
fn every_kind_of_failure_counts_and_stopped_counts_as_neither() {
    let scene = Scene::new();
    fails(&scene, "");
    scene.ran("--timeout 100ms job -- sleep 9").exits(124);
    assert_eq!(watched(&scene).1["failures"], json!(2));
    let wrapper = scene.up("job", "job -- sleep 988");
    scene.stop("job");
    wrapper.wait();
    assert_eq!(watched(&scene).1["failures"], json!(2), "stopped is neither");
    let wrapper = scene.up("job", "job -- sleep 988");
    wrapper.signal(rustix::process::Signal::KILL);
    wrapper.wait();
    scene.watched("--grace 300ms job").exits(7).says("lost");
    assert_eq!(watched(&scene).1["failures"], json!(3));
}

#[test]
fn an_open_circuit_refuses_where_it_was_asked_for_and_warns_elsewhere() {
    let scene = Scene::new();
    for _ in 0..3 {
        fails(&scene, "");
    }
    let before = Scene::snapshot(&scene.dir());
    let tries: [(&str, Option<&str>); 4] = [
        ("--max-failures 3", None),
        ("--circuit job", None),
        ("", Some("3")),
        ("--max-failures 2 --detach", None),
    ];
    for (options, variable) in tries {
        let mut run = scene.run(&format!("{options} job -- sh -c 'echo ran > proof'"));
        if let Some(value) = variable {
            run = run.env("SENTINEL_MAX_FAILURES", value);
        }
        let done = run.finish().exits(69);
        assert_eq!(done.stdout, "");
        assert!(done.stderr.matches("failed").count() >= 2, "lists the failures: {}", done.told());
        done.says("--reset-circuit");
        assert!(!scene.path("proof").exists());
        assert_eq!(before, Scene::snapshot(&scene.dir()), "a refused start changes no file");
    }
    scene.ran("--max-failures 4 job -- sh -c 'exit 3'").exits(3);
    scene.ran("--max-failures 0 job -- sh -c 'exit 3'").exits(3).never_says("circuit");
    scene.ran("job -- sh -c 'exit 3'").exits(3).says("circuit");
}

#[test]
fn it_can_be_reset_from_both_programs() {
    let scene = Scene::new();
    for (n, reset) in ["run", "watch", "start"].into_iter().enumerate() {
        for _ in 0..3 {
            fails(&scene, "");
        }
        scene.ran("--max-failures 3 job -- true").exits(69);
        match reset {
            "run" => drop(scene.ran("--reset-circuit job").exits(0)),
            "watch" => drop(scene.watched("--reset-circuit job").exits(0)),
            _ => drop(scene.ran("--reset-circuit --max-failures 3 job -- sh -c 'exit 3'").exits(3)),
        }
        let expected = usize::from(reset == "start");
        assert_eq!(watched(&scene).1["open"], json!(false), "{reset}");
        assert_eq!(watched(&scene).1["failures"], json!(expected), "{reset}");
        scene.ran("--max-failures 3 job -- true").exits(0);
        // A reset is a line of its own.
        assert_eq!(scene.history("job").len(), 5 * (n + 1) + expected);
    }
}

#[test]
fn after_the_cooldown_one_trial_at_a_time_may_start() {
    let scene = Scene::new();
    let options = "--max-failures 3 --circuit-cooldown 1s";
    for _ in 0..3 {
        fails(&scene, options);
    }
    let open = scene.ran(&format!("{options} job -- true"));
    // On a machine so slow that the second is over, this start was the trial already.
    if open.code == Some(0) {
        return;
    }
    open.exits(69);
    let long = "--max-failures 3 --circuit-cooldown 1h";
    scene.ran(&format!("{long} job -- true")).exits(69);
    let trial = until_some_start(&scene, options);
    // While it runs, no other of the same circuit starts.
    let other = scene.ran(&format!("{options} --circuit job other -- true"));
    other.exits(69);
    std::fs::write(scene.path("go"), "").unwrap();
    trial.wait().exits(3);
    scene.ran(&format!("{long} job -- true")).exits(69);
    let again = until_some_start(&scene, &format!("{options} --quiet"));
    again.wait().exits(3);
    std::fs::write(scene.path("fine"), "").unwrap();
    until_some_start(&scene, options).wait().exits(0);
    assert_eq!(watched(&scene).1["open"], json!(false));
}

/// Starts the trial, as soon as the circuit lets one.
#[track_caller]
fn until_some_start(scene: &Scene, options: &str) -> Running {
    let script = "until [ -e go ]; do sleep 0.02; done; [ -e fine ] || exit 3";
    let before = scene.heartbeat("job").unwrap()["run_id"].clone();
    crate::scene::until_some("the cooldown is over", || {
        let mut run = scene.run(options).args(["job", "--", "sh", "-c", script]).start();
        until("it is refused, or runs", || {
            !run.is_running()
                || scene.heartbeat("job").is_some_and(|record| record["run_id"] != before)
        });
        let began = scene.heartbeat("job").is_some_and(|record| record["run_id"] != before);
        began.then_some(run)
    })
}

#[test]
fn jobs_may_share_a_circuit() {
    let scene = Scene::new();
    for job in ["one", "two", "three"] {
        scene.ran(&format!("--circuit shared {job} -- sh -c 'exit 3'")).exits(3);
    }
    assert_eq!(scene.history("shared").len(), 3);
    assert_eq!(scene.history("one").len(), 0);
    scene.ran("--circuit shared four -- true").exits(69);
    scene.watched("--once three").exits(7);
    let circuit = scene.watched("--once --json one").json()["circuit"].clone();
    assert_eq!(circuit["key"], json!("shared"));
    assert_eq!(circuit["open"], json!(true));
    scene.watched("--reset-circuit two").exits(0);
    scene.ran("--circuit shared four -- true").exits(0);
    for bad in ["../up", ".hidden", "a/b", "''"] {
        scene.ran(&format!("--circuit {bad} job -- true")).exits(125);
    }
}

#[test]
fn the_history_keeps_the_newest_two_hundred() {
    let scene = Scene::new();
    scene.ran("job -- true").exits(0);
    let line = scene.read("job.history");
    let mut many = String::new();
    for n in 0..250 {
        let mut record: Value = serde_json::from_str(&line).unwrap();
        record["run_id"] = json!(format!("{n:016x}"));
        many.push_str(&record.to_string());
        many.push('\n');
    }
    scene.write("job.history", many);
    scene.ran("job -- sh -c 'exit 3'").exits(3);
    let kept = scene.history("job");
    assert_eq!(kept.len(), 200);
    assert_eq!(kept[199]["run_id"], scene.result("job")["run_id"]);
    assert_eq!(kept[198]["run_id"], json!(format!("{:016x}", 249)));
}

#[test]
fn a_run_is_counted_once_however_many_end_it() {
    let scene = Scene::new();
    let options = "--beat-on output --heartbeat-interval 100ms --stale 30s --grace 300ms";
    let wrapper = scene.up("job", &format!("{options} job -- sleep 989"));
    scene.age("job.heartbeat", Duration::from_hours(1));
    let watchers: Vec<Running> = (0..10).map(|_| scene.watch("--json job").start()).collect();
    for watcher in watchers {
        assert_eq!(watcher.wait().exits(3).json()["outcome"], json!("hung"));
    }
    wrapper.wait().exits(124);
    assert_eq!(scene.history("job").len(), 1);
    assert_eq!(watched(&scene).1["failures"], json!(1));
}

#[test]
fn the_circuit_is_recorded_with_the_run() {
    let scene = Scene::new();
    fails(&scene, "--circuit shared --max-failures 5 --circuit-cooldown 90s");
    let circuit = scene.result("job")["circuit"].clone();
    let expected = json!({"key": "shared", "max_failures": 5, "enforced": true});
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&circuit[key], value, "{key} of {circuit}");
    }
    assert_eq!(circuit["cooldown_s"].as_f64(), Some(90.0));
    fails(&scene, "");
    let circuit = scene.result("job")["circuit"].clone();
    assert_eq!(circuit["enforced"], json!(false));
    assert_eq!(circuit["key"], json!("job"));
    assert_eq!(circuit["max_failures"], json!(3));
}

#[test]
fn a_success_recorded_before_its_wrapper_died_is_counted_as_such_by_the_next_start() {
    let scene = Scene::new();
    scene.ran("job -- true").exits(0);
    let run_id = scene.result("job")["run_id"].clone();
    // As if the wrapper had been killed after `.result`.
    std::fs::remove_file(scene.file("job.status")).unwrap();
    std::fs::remove_file(scene.file("job.history")).unwrap();
    scene.run("job -- sh -c").arg("echo $SENTINEL_LAST_OUTCOME; exit 3").finish().exits(3);
    let lines = scene.history("job");
    let told: Vec<(&Value, &Value)> =
        lines.iter().map(|line| (&line["outcome"], &line["run_id"])).collect();
    let second = scene.result("job")["run_id"].clone();
    assert_eq!(told, [(&json!("success"), &run_id), (&json!("failed"), &second)]);
    assert_eq!(scene.read("job.log"), "success\n");
    assert_eq!(watched(&scene).1["failures"], json!(1));
}

#[test]
fn a_reset_without_a_command_closes_the_circuit_of_the_last_run() {
    let scene = Scene::new();
    for _ in 0..3 {
        scene.ran("--circuit shared job -- sh -c 'exit 3'").exits(3);
    }
    scene.watched("--once job").exits(7);
    scene.ran("--circuit shared job -- true").exits(69);
    scene.ran("--reset-circuit job").exits(0).says("shared");
    scene.watched("--once job").exits(1);
    assert_eq!(scene.history("job").len(), 0, "no circuit of the job's own name was meant");
    let wrapper = scene.up("job", "--circuit shared job -- sleep 987");
    // A running job is no hindrance, and is not disturbed.
    let lines = scene.history("shared").len();
    scene.ran("--reset-circuit job").exits(0).says("shared");
    assert_eq!(scene.history("shared").len(), lines + 1);
    scene.watched("--once job").exits(5);
    scene.stop("job");
    wrapper.wait();
    scene.watched("--reset-circuit nonono").exits(6).says("nonono");
    assert!(!scene.file("nonono.history").exists());
}
