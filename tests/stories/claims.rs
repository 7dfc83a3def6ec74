//! One job, one run at a time, whoever starts it and however many watch it.

use std::fs;

use serde_json::json;

use crate::scene::{Running, Scene, traceable, until};

const UNTIL_TOLD: &str = "until [ -e go ]; do sleep 0.05; done";

#[test]
fn of_twenty_starts_at_once_exactly_one_runs() {
    let scene = Scene::new();
    let script = format!("echo $$ >> ran; {UNTIL_TOLD}");
    let start = |_| scene.run("job -- sh -c").arg(&script).start();
    let mut all: Vec<Running> = (0..20).map(start).collect();
    until("nineteen are refused", || {
        all.iter_mut().filter_map(|run| (!run.is_running()).then_some(())).count() == 19
    });
    scene.is_up("job");
    scene.watched("--once job").exits(5);
    fs::write(scene.path("go"), "").unwrap();
    let mut codes: Vec<_> = all.into_iter().map(|run| run.wait().code).collect();
    codes.sort_unstable();
    assert_eq!(codes[0], Some(0));
    assert!(codes[1..].iter().all(|code| *code == Some(75)), "{codes:?}");
    assert_eq!(fs::read_to_string(scene.path("ran")).unwrap().lines().count(), 1);
    assert_eq!(scene.history("job").len(), 1);
    assert_eq!(scene.status("job").as_deref(), Some("SUCCESS\n"));
}

#[test]
fn a_refused_start_changes_no_file() {
    let scene = Scene::new();
    scene.ran("job -- sh -c 'echo old; exit 3'").exits(3);
    let wrapper = scene.run("job -- sh -c").arg(format!("echo new; {UNTIL_TOLD}")).start();
    scene.is_up_as("job", &wrapper);
    until("it has printed", || scene.read("job.log") == "new\n");
    let before = Scene::snapshot(&scene.dir());
    for options in ["", "--detach ", "--timeout 1s --max-log 1K --beat-on app "] {
        scene.ran(&format!("{options}job -- true")).exits(75).says("job");
        assert_eq!(before, Scene::snapshot(&scene.dir()), "{options}");
    }
    fs::write(scene.path("go"), "").unwrap();
    wrapper.wait().exits(0);
}

#[test]
fn a_start_right_after_the_end_is_not_refused() {
    let scene = Scene::new();
    for n in 0..10 {
        scene.ran(&format!("job -- sh -c 'exit {}'", n % 2)).exits(n % 2);
        let verdict = scene.watched("--once --json job").exits(n % 2).json();
        assert_eq!(verdict["run_id"], scene.result("job")["run_id"]);
    }
}

#[test]
fn fifty_watchers_at_once_agree_on_a_success() {
    let scene = Scene::new();
    let wrapper = scene.run("job -- sh -c").arg(UNTIL_TOLD).start();
    scene.is_up("job");
    let watchers: Vec<Running> = (0..50).map(|_| scene.watch("--json job").start()).collect();
    fs::write(scene.path("go"), "").unwrap();
    wrapper.wait().exits(0);
    let run_id = scene.result("job")["run_id"].clone();
    for watcher in watchers {
        let verdict = watcher.wait().exits(0).json();
        assert_eq!((&verdict["outcome"], &verdict["run_id"]), (&json!("success"), &run_id));
    }
    assert_eq!(scene.history("job").len(), 1);
}

#[test]
fn fifty_watchers_at_once_agree_on_a_loss_and_count_it_once() {
    let scene = Scene::new();
    let wrapper = scene.up("job", "job -- sh -c 'setsid sleep 981 & sleep 982'");
    wrapper.signal(rustix::process::Signal::KILL);
    wrapper.wait();
    let watch = |_| scene.watch("--json --grace 300ms job").start();
    let watchers: Vec<Running> = (0..50).map(watch).collect();
    let told: Vec<_> = watchers.into_iter().map(|watcher| watcher.wait().exits(1).json()).collect();
    for verdict in &told {
        assert_eq!(verdict["outcome"], json!("lost"));
        assert_eq!(verdict["run_id"], told[0]["run_id"]);
    }
    scene.nothing_is_left();
    assert_eq!(scene.history("job").len(), 1);
}

#[test]
fn a_watcher_reports_its_own_run_though_another_took_the_name() {
    let scene = Scene::new();
    let first = scene.run("job -- sh -c").arg(format!("{UNTIL_TOLD}; exit 3")).start();
    scene.is_up("job");
    let run_id = scene.heartbeat("job").unwrap()["run_id"].clone();
    let mut watcher = scene.watch("--events --json job").start();
    watcher.until_it_says("started");
    // The watcher sees nothing of the change.
    watcher.signal(rustix::process::Signal::STOP);
    fs::write(scene.path("go"), "").unwrap();
    first.wait().exits(3);
    let second = scene.run("job -- sleep 983").start();
    until("the second run has the name", || {
        scene.heartbeat("job").is_some_and(|record| record["run_id"] != run_id)
    });
    watcher.signal(rustix::process::Signal::CONT);
    let done = watcher.wait().exits(1);
    let verdict = done
        .stdout
        .lines()
        .rev()
        .find_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let verdict = verdict.unwrap_or_else(|| panic!("no verdict: {}", done.told()));
    assert_eq!(verdict["verdict"], json!("failed"));
    assert_eq!(verdict["run_id"], run_id);
    assert_eq!(verdict["exit_code"], json!(3));
    scene.watched("--once job").exits(5);
    scene.stop("job");
    second.wait();
}

#[test]
fn a_watcher_may_come_before_the_job() {
    let scene = Scene::new();
    let watcher = scene.watch("--start-wait 40s job").start();
    until("the watcher is there", || scene.members().len() == 1);
    scene.ran("job -- sh -c 'exit 3'").exits(3);
    watcher.wait().exits(1);
}

#[test]
fn a_watcher_is_not_taken_in_by_the_outcome_before() {
    let scene = Scene::new();
    scene.ran("job -- true").exits(0);
    let wrapper = scene.up("job", "job -- sh -c 'sleep 984'");
    scene.watched("--once job").exits(5);
    wrapper.signal(rustix::process::Signal::KILL);
    wrapper.wait();
    scene.watched("--grace 300ms job").exits(1);
}

#[test]
fn looking_at_a_job_never_refuses_its_start() {
    let scene = Scene::new();
    scene.ran("job -- true").exits(0);
    let script = r#"until [ -e enough ]; do "$WATCH" --dir "$DIR" --once job; "$WATCH" --dir "$DIR" --list; done"#;
    let lookers: Vec<Running> = (0..3).map(|_| scene.sh(script).start()).collect();
    for _ in 0..20 {
        scene.ran("--quiet job -- true").exits(0);
    }
    fs::write(scene.path("enough"), "").unwrap();
    for looker in lookers {
        looker.wait();
    }
}

/// A watcher stands still while the run it watches ends and another takes the name, which counts
/// in another circuit.
#[track_caller]
fn replaced_unseen(scene: &Scene, history_is_kept: bool) -> serde_json::Value {
    let script = format!("{UNTIL_TOLD}; exit 3");
    let first = scene.run("--circuit one job -- sh -c").arg(script).start();
    scene.is_up("job");
    let run_id = scene.heartbeat("job").unwrap()["run_id"].clone();
    let mut watcher = scene.watch("--events --json job").start();
    watcher.until_it_says("started");
    watcher.signal(rustix::process::Signal::STOP);
    until("the watcher stands still", || watcher.process().state() == Some('T'));
    fs::write(scene.path("go"), "").unwrap();
    first.wait().exits(3);
    if !history_is_kept {
        fs::remove_file(scene.file("one.history")).unwrap();
    }
    let second = scene.up("job", "--circuit two job -- sleep 985");
    let before = Scene::snapshot(&scene.dir());
    watcher.signal(rustix::process::Signal::CONT);
    let done = watcher.wait().exits(1);
    let verdict = done.json_lines().pop().unwrap();
    assert_eq!(verdict["verdict"], json!("failed"), "{}", done.told());
    assert_eq!(verdict["run_id"], run_id, "{}", done.told());
    // The other run goes on, and nothing was written over it.
    assert_eq!(before, Scene::snapshot(&scene.dir()));
    scene.runs_once("sleep 985");
    scene.watched("--once job").exits(5);
    scene.stop("job");
    second.wait();
    verdict
}

#[test]
fn the_outcome_of_a_replaced_run_is_found_in_its_own_circuits_history() {
    let scene = Scene::new();
    let verdict = replaced_unseen(&scene, true);
    assert_eq!(verdict["outcome"], json!("failed"));
    assert_eq!(verdict["exit_code"], json!(3));
}

#[test]
fn a_replaced_run_of_which_no_history_tells_is_lost_and_nothing_is_ended() {
    let scene = Scene::new();
    let verdict = replaced_unseen(&scene, false);
    assert_eq!(verdict["outcome"], json!("lost"));
    let reason = verdict["reason"].as_str().unwrap();
    assert!(reason.contains("another run"), "{reason}");
}

#[test]
fn a_start_between_two_reads_of_a_watcher_gets_no_outcome_of_the_run_before() {
    if !traceable("a_start_between_two_reads_of_a_watcher_gets_no_outcome_of_the_run_before") {
        return;
    }
    let scene = Scene::new();
    scene.ran("job -- true").exits(0);
    let first = scene.result("job")["run_id"].clone();
    // The watcher is held up with the old `.status` in its hand.
    let status = scene.file("job.status");
    let strace = scene.command("strace -f -qq -o /dev/null -P").arg(&status);
    let strace = strace.args(["-e", "inject=openat:delay_exit=3000000:when=1"]);
    let strace = strace.arg(crate::scene::WATCH).arg("--dir").arg(scene.dir());
    let watcher = strace.args(["--once", "--json", "job"]).start();
    until("the watcher has it open", || {
        scene.members().iter().any(|process| {
            let open = fs::read_dir(format!("/proc/{}/fd", process.pid)).into_iter().flatten();
            process.command_line().starts_with(crate::scene::WATCH)
                && open.flatten().any(|fd| fs::read_link(fd.path()).is_ok_and(|to| to == status))
        })
    });
    let wrapper = scene.up("job", "job -- sleep 987");
    let second = scene.heartbeat("job").unwrap()["run_id"].clone();
    let done = watcher.wait();
    let verdict = done.json();
    let told = (verdict["verdict"].as_str().unwrap(), &verdict["run_id"]);
    assert!(told == ("running", &second) || told == ("success", &first), "{}", done.told());
    scene.stop("job");
    wrapper.wait();
}
