//! Time that jumps, stands still or was never right makes no job stale and none fresh for ever.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant, SystemTime};

use filetime::FileTime;
use rustix::process::Signal;

use crate::scene::{Scene, has, skip, until};

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn a_heartbeat_from_the_future_is_not_fresh_for_ever() {
    let scene = Scene::new();
    let options = "--beat-on output --heartbeat-interval 100ms --stale 1s --grace 300ms";
    let wrapper = scene.up("job", &format!("{options} job -- sleep 985"));
    let future = FileTime::from_system_time(SystemTime::now() + HOUR);
    filetime::set_file_mtime(scene.file("job.heartbeat"), future).unwrap();
    scene.watched("--poll-interval 200ms job").exits(3);
    wrapper.wait().exits(124);
}

#[test]
fn a_heartbeat_from_the_future_without_a_record_is_not_fresh_for_ever() {
    let scene = Scene::with_directory();
    let bystander = scene.bystander();
    scene.write("job.pid", format!("{}\n", bystander.pid()));
    scene.write("job.heartbeat", "");
    let future = FileTime::from_system_time(SystemTime::now() + HOUR);
    filetime::set_file_mtime(scene.file("job.heartbeat"), future).unwrap();
    scene.watched("--stale 1s --poll-interval 200ms --max-wait 30s job").exits_one_of(&[1, 3]);
    assert!(bystander.process().alive(), "it has nothing to do with the job");
}

#[test]
fn a_beat_that_steps_backwards_is_a_beat() {
    let scene = Scene::new();
    let options = "--beat-on output --heartbeat-interval 100ms --stale 2s --grace 300ms";
    let wrapper = scene.up("job", &format!("{options} job -- sleep 986"));
    let mut watcher = scene.watch("--events --poll-interval 200ms job").start();
    watcher.until_it_says("started");
    let begun = Instant::now();
    let mut last = begun;
    let mut held_up = false;
    let mut hours = 1;
    until("it was beaten for longer than stale, ever further back", || {
        held_up |= last.elapsed() > Duration::from_millis(900);
        last = Instant::now();
        scene.age("job.heartbeat", HOUR * hours);
        hours += 1;
        begun.elapsed() > Duration::from_millis(3500)
    });
    // A machine too busy to run this story in time proves nothing.
    assert!(held_up || watcher.is_running(), "{}{}", watcher.stdout(), watcher.stderr());
    // No more changes: now it is stale.
    watcher.wait().exits(3);
    wrapper.wait().exits(124);
}

#[test]
fn deleted_files_are_made_anew_at_the_next_beat() {
    let scene = Scene::new();
    let wrapper = scene.up("job", "--beat-on alive --heartbeat-interval 100ms job -- sleep 987");
    let pid = format!("{}\n", wrapper.pid());
    let inode = |name: &str| fs::metadata(scene.file(name)).map(|meta| meta.ino()).ok();
    for round in 0..2 {
        for name in ["job.heartbeat", "job.pid"] {
            let before = inode(name);
            if round == 0 {
                fs::remove_file(scene.file(name)).unwrap();
            } else {
                // Replaced by another file of the same name.
                fs::write(scene.path("other"), "").unwrap();
                fs::rename(scene.path("other"), scene.file(name)).unwrap();
            }
            until(&format!("{name} is whole again"), || {
                let record = scene.heartbeat("job");
                let whole =
                    record.is_some_and(|record| record["pid"] == serde_json::json!(wrapper.pid()));
                let same = fs::read_to_string(scene.file("job.pid")).is_ok_and(|text| text == pid);
                whole && same && inode(name) != before
            });
        }
    }
    scene.beats("job", 3);
    // The lock is held on the new file as it was on the old one.
    scene.ran("job -- true").exits(75);
    scene.watched("--once job").exits(5);
    scene.stop("job");
    wrapper.wait();
    scene.nothing_is_left();
    assert_eq!(scene.outcome("job"), "stopped");
}

#[test]
fn a_deleted_status_or_directory_content_does_not_change_the_end() {
    let scene = Scene::new();
    let wrapper = scene.up("job", "--beat-on alive --heartbeat-interval 100ms job -- sh -c 'until [ -e go ]; do sleep 0.05; done'");
    for name in ["job.log", "job.output"] {
        fs::remove_file(scene.file(name)).unwrap();
    }
    scene.beats("job", 2);
    fs::write(scene.path("go"), "").unwrap();
    wrapper.wait().exits(0);
    assert_eq!(scene.status("job").as_deref(), Some("SUCCESS\n"));
    assert_eq!(scene.outcome("job"), "success");
}

#[test]
fn a_status_without_its_newline_is_not_yet_one() {
    let scene = Scene::new();
    let wrapper = scene.up("job", "job -- sleep 988");
    for torn in ["", "S", "SUCCESS", "FAILED"] {
        scene.write("job.status", torn);
        scene.watched("--once --no-kill job").exits(5);
    }
    scene.write("job.status", "DONE-ISH\n");
    scene.watched("--once --no-kill job").exits(1).says("DONE-ISH");
    fs::remove_file(scene.file("job.status")).unwrap();
    scene.watched("--once job").exits(5);
    scene.stop("job");
    wrapper.wait();
}

#[test]
fn time_spent_asleep_makes_no_job_stale() {
    let name = "time_spent_asleep_makes_no_job_stale";
    if !has("unshare") || !crate::scene::can("unshare -T --boottime 3600 true") {
        return skip(name, "no time namespace can be made");
    }
    let scene = Scene::new();
    let wrapper =
        scene.up("job", "--beat-on alive --heartbeat-interval 100ms --stale 20s job -- sleep 989");
    // To this watcher, the machine has been asleep for an hour since it was started.
    let watch = |line: &str| {
        let watch = scene.command("unshare -T --boottime 3600").arg(crate::scene::WATCH);
        watch.arg("--dir").arg(scene.dir()).args(line.split(' ')).finish()
    };
    watch("--once job").exits(5);
    watch("--max-wait 1s --poll-interval 200ms job").exits(5);
    assert_eq!(scene.status("job"), None);
    watch("--probe job").exits(0);
    scene.stop("job");
    wrapper.wait();
}

#[test]
fn a_watcher_stopped_for_longer_than_stale_credits_the_job() {
    let scene = Scene::new();
    // Not shorter: a disk that others sync may hold a beat up for a second.
    let options = "--beat-on alive --heartbeat-interval 100ms --stale 3s --grace 300ms";
    let wrapper = scene.up("job", &format!("{options} job -- sleep 990"));
    let mut watcher = scene.watch("--events --poll-interval 100ms job").start();
    watcher.until_it_says("started");
    // Both stand still for twice the threshold, as on a starved machine; the watcher comes back
    // first, and sees a heartbeat that old.
    watcher.signal(Signal::STOP);
    wrapper.signal(Signal::STOP);
    until("both are stopped", || {
        watcher.process().state() == Some('T') && wrapper.process().state() == Some('T')
    });
    let stopped = Instant::now();
    until("longer than stale", || stopped.elapsed() > Duration::from_millis(6200));
    watcher.signal(Signal::CONT);
    wrapper.signal(Signal::CONT);
    scene.beats("job", 5);
    assert!(watcher.is_running(), "{}{}", watcher.stdout(), watcher.stderr());
    assert_eq!(scene.status("job"), None);
    scene.stop("job");
    watcher.wait().exits(1);
    wrapper.wait();
}

#[test]
fn the_time_limit_counts_from_the_start_of_the_run() {
    let scene = Scene::new();
    let wrapper = scene.up("job", "--grace 300ms job -- sleep 991");
    let started = Instant::now();
    until("it has run for a while", || started.elapsed() > Duration::from_millis(700));
    // A watcher that comes late does not begin to count anew.
    scene.watched("--once --timeout 600ms job").exits(4);
    wrapper.wait().exits(124);
    assert_eq!(scene.outcome("job"), "timeout");
}

#[test]
fn a_watcher_that_comes_while_the_heartbeat_is_missing_tells_the_runs_own_end() {
    let scene = Scene::new();
    let options = "--beat-on alive --heartbeat-interval 2s";
    let script = "until [ -e go ]; do sleep 0.05; done; exit 3";
    let wrapper = scene.run(options).args(["job", "--", "sh", "-c", script]).start();
    scene.is_up_as("job", &wrapper);
    let run_id = scene.heartbeat("job").unwrap()["run_id"].clone();
    scene.beats("job", 1);
    fs::remove_file(scene.file("job.heartbeat")).unwrap();
    let mut watcher = scene.watch("--events --json --poll-interval 100ms job").start();
    watcher.until_it_says("started");
    until("the heartbeat is there again", || scene.heartbeat("job").is_some());
    scene.beats("job", 1);
    assert!(watcher.is_running(), "{}{}", watcher.stdout(), watcher.stderr());
    fs::write(scene.path("go"), "").unwrap();
    wrapper.wait().exits(3);
    let done = watcher.wait().exits(1);
    let verdict = done.json_lines().pop().unwrap();
    assert_eq!(verdict["outcome"], serde_json::json!("failed"), "{}", done.told());
    assert_eq!(verdict["exit_code"], serde_json::json!(3));
    assert_eq!(verdict["run_id"], run_id);
}

/// Each more than any clock can count, in its own way.
const AGES: [&str; 3] = ["18446744073709549000", "10000000000000000000s", "500000000000years"];

#[test]
fn a_duration_beyond_all_clocks_is_for_ever() {
    let scene = Scene::new();
    for age in AGES {
        for option in ["--timeout", "--grace", "--circuit-cooldown", "--stale"] {
            let done = scene.run(option).arg(age).args(["job", "--", "true"]).finish();
            done.exits(0).never_says("panicked");
        }
        // Twice for ever is not longer than for ever: that may be refused.
        let run = scene.run("--heartbeat-interval").arg(age).arg("--stale").arg(format!("9{age}"));
        let done = run.args(["job", "--", "true"]).finish();
        done.exits_one_of(&[0, 125]).never_says("panicked");
    }
    let line = "--heartbeat-interval 100000h --stale 800000h";
    scene.ran(&format!("{line} job -- true")).exits(0).never_says("panicked");

    let wrapper =
        scene.up("job", &format!("{line} --end-if-stale --timeout 800000h job -- sleep 992"));
    for age in AGES {
        for option in ["--tick", "--poll-interval", "--timeout", "--grace", "--start-wait"] {
            let watch = scene.watch("--max-wait 60ms").arg(option).arg(age).arg("job");
            watch.finish().exits(5).never_says("panicked");
        }
        scene.watch("--once --max-wait").arg(age).arg("job").finish().exits(5);
    }
    assert!(wrapper.process().alive());
    scene.stop("job");
    wrapper.wait();
    for age in AGES {
        scene.watch("--max-wait").arg(age).arg("job").finish().exits(1).never_says("panicked");
    }
}

#[test]
fn durations_beyond_all_clocks_in_a_record_harm_no_watcher() {
    let scene = Scene::new();
    let line = "--beat-on output --heartbeat-interval 10m --stale 1h --grace 300ms";
    for odd in [1e308, 1.8e19, -1e308, -1.0, 1e-320] {
        let wrapper = scene.up("job", &format!("{line} job -- sleep 993"));
        let whole = scene.heartbeat("job").unwrap();
        let keys = ["grace_s", "stale_s", "interval_s", "timeout_s", "quiet_s"];
        let mut all = whole.clone();
        for key in keys {
            let mut one = whole.clone();
            for record in [&mut one, &mut all] {
                record[key] = serde_json::json!(odd);
                record["circuit"]["cooldown_s"] = serde_json::json!(odd);
            }
            scene.write("job.heartbeat", one.to_string());
            for options in ["--once --no-kill --json", "--max-wait 50ms --no-kill", "--list"] {
                let name = if options == "--list" { "" } else { "job" };
                let done = scene.watched(&format!("{options} {name}"));
                done.exits_one_of(&[0, 3, 4, 5]).never_says("panicked");
            }
        }
        scene.write("job.heartbeat", all.to_string());
        wrapper.signal(Signal::KILL);
        wrapper.wait();
        let done = scene.watched("job").exits_one_of(&[1, 7]).never_says("panicked").says("lost");
        assert!(done.took < Duration::from_secs(20), "{odd}: {:?}", done.took);
        scene.nothing_is_left();
    }
}

#[test]
fn a_grace_beyond_all_clocks_in_a_record_harms_no_kill_command() {
    let scene = Scene::new();
    for odd in [1e308, 1.8e19] {
        let line = "--beat-on output --heartbeat-interval 10m --stale 1h job -- sleep 994";
        let wrapper = scene.up("job", line);
        let mut record = scene.heartbeat("job").unwrap();
        record["grace_s"] = serde_json::json!(odd);
        scene.write("job.heartbeat", record.to_string());
        scene.age("job.heartbeat", HOUR * 2);
        let watch = scene.watch("--kill-cmd").arg("kill -KILL $SENTINEL_PID").arg("job");
        watch.finish().exits(3).never_says("panicked");
        wrapper.wait();
        scene.nothing_is_left();
        assert_eq!(scene.outcome("job"), "hung");
    }
}
