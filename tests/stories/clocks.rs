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
    let options = "--beat-on alive --heartbeat-interval 100ms --stale 1s --grace 300ms";
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
    until("longer than stale", || stopped.elapsed() > Duration::from_millis(2200));
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
