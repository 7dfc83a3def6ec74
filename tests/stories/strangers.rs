//! Whatever number stands in `.pid`: no process outside a job's tree is ever signalled.
//!
//! The dangerous numbers are tried in a PID namespace of their own, where even a signal to
//! everybody would reach nobody else.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::scene::{Running, Scene, can, has, is_root, skip};

/// Tries every number with a heartbeat that is an hour old, and prints `NUMBER CODE` for each.
/// A bystander that died, or a shell that was signalled, is told as well.
const TRY_ALL: &str = r#"
trap 'echo "the shell was signalled"' TERM INT HUP QUIT USR1 CONT
sleep 3601 & bystander=$!
try() {
    rm -f "$DIR"/zephyr.status "$DIR"/zephyr.result
    "$MAKE_HEARTBEAT" "$1"
    touch -d '1 hour ago' "$DIR/zephyr.heartbeat"
    printf '%s\n' "$1" > "$DIR/zephyr.pid"
    timeout -s KILL 60 "$WATCH" --dir "$DIR" --grace 200ms --max-wait 20s zephyr >/dev/null 2>&1
    echo "$1 $?"
    kill -0 $bystander || echo "the bystander died of $1"
}
for pid in 1 0 -1 $$ $bystander 4194303 99999999999999999999 4294967297; do try "$pid"; done
# Its own number: the shell becomes the watcher.
rm -f "$DIR"/zephyr.status "$DIR"/zephyr.result
sh -c '"$MAKE_HEARTBEAT" $$; touch -d "1 hour ago" "$DIR/zephyr.heartbeat"; echo $$ > "$DIR/zephyr.pid"
    exec "$WATCH" --dir "$DIR" --grace 200ms --max-wait 20s zephyr' >/dev/null 2>&1
echo "own $?"
kill -0 $bystander || echo "the bystander died of the own number"
kill $bystander
"#;

#[track_caller]
fn try_all(scene: &Scene, make_heartbeat: &str) {
    let maker = scene.script("make-heartbeat", make_heartbeat);
    let run = scene.command("unshare --pid --fork --mount-proc sh -c").arg(TRY_ALL);
    let done = run.env("MAKE_HEARTBEAT", maker).finish().exits(0);
    let lines: Vec<&str> = done.stdout.lines().collect();
    assert_eq!(lines.len(), 9, "{}", done.told());
    for line in lines {
        let (_, code) = line.rsplit_once(' ').unwrap();
        // Lost, hung, either with an open circuit, or an error that leaves no verdict; never a
        // success, and never killed by itself.
        assert!(["1", "2", "3", "7"].contains(&code), "{line}: {}", done.told());
    }
}

fn separate(name: &str) -> bool {
    let able = is_root() && has("unshare") && can("unshare --pid --fork --mount-proc true");
    if !able {
        skip(name, "no PID namespace can be made");
    }
    able
}

#[test]
fn no_number_in_the_pid_file_of_another_writer_is_dangerous() {
    if separate("no_number_in_the_pid_file_of_another_writer_is_dangerous") {
        let scene = Scene::with_directory();
        try_all(&scene, "#!/bin/sh\n: > \"$DIR/zephyr.heartbeat\"\n");
    }
}

#[test]
fn no_number_in_a_record_is_dangerous() {
    if separate("no_number_in_a_record_is_dangerous") {
        let scene = Scene::new();
        scene.ran("zephyr -- true").exits(0);
        fs::copy(scene.file("zephyr.heartbeat"), scene.path("record")).unwrap();
        // The record of a real run, but of this process number: it was used again.
        let replace = "#!/bin/sh\nsed \"s/\\\"pid\\\": *[0-9]*/\\\"pid\\\":$1/; s/\\\"child_pid\\\": *[0-9]*/\\\"child_pid\\\":$1/\" record > \"$DIR/zephyr.heartbeat\"\n";
        try_all(&scene, replace);
    }
}

/// The record of a run whose wrapper is dead, of which nothing runs any more.
fn dead_record(scene: &Scene) -> Value {
    let wrapper = scene.up("job", "job -- sleep 995");
    wrapper.signal(rustix::process::Signal::KILL);
    wrapper.wait();
    scene.clear_up();
    scene.heartbeat("job").unwrap()
}

#[track_caller]
fn is_spared(scene: &Scene, bystander: &Running, codes: &[i32]) {
    scene.age("job.heartbeat", Duration::from_hours(1));
    scene.watched("--grace 200ms --max-wait 10s job").exits_one_of(codes);
    assert!(bystander.process().alive(), "a stranger was ended");
}

#[test]
fn a_number_used_again_by_another_process_is_not_the_wrapper() {
    let scene = Scene::new();
    let mut record = dead_record(&scene);
    let bystander = scene.bystander();
    record["pid"] = json!(bystander.pid());
    record["child_pid"] = json!(bystander.pid());
    scene.write("job.pid", format!("{}\n", bystander.pid()));
    scene.write("job.heartbeat", record.to_string());
    is_spared(&scene, &bystander, &[1]);
    assert_eq!(scene.outcome("job"), "lost");
}

#[test]
fn a_forged_record_of_a_living_stranger_ends_nobody() {
    let scene = Scene::new();
    let mut record = dead_record(&scene);
    let bystander = scene.bystander();
    let stat = fs::read_to_string(format!("/proc/{}/stat", bystander.pid())).unwrap();
    let begun = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap();
    // Number and start time are right; that it is this run, nothing shows.
    record["pid"] = json!(bystander.pid());
    record["pid_start"] = json!(begun.parse::<u64>().unwrap());
    record["child_pid"] = json!(bystander.pid());
    scene.write("job.pid", format!("{}\n", bystander.pid()));
    scene.write("job.heartbeat", record.to_string());
    is_spared(&scene, &bystander, &[1, 2, 3]);
}

#[test]
fn a_stranger_that_merely_reads_the_log_of_a_dead_wrapper_is_spared() {
    let scene = Scene::new();
    let wrapper = scene.up("job", "job -- sh -c 'echo word; sleep 996'");
    // Somebody looks at the log while the job runs.
    let reader = scene.command("tail -f").arg(scene.file("job.log")).start();
    crate::scene::until("the reader has it open", || reader.stdout() == "word\n");
    wrapper.signal(rustix::process::Signal::KILL);
    wrapper.wait();
    scene.watched("--grace 200ms job").exits(1);
    assert!(reader.process().alive(), "who reads a log is not of the job");
    assert!(scene.members_running("sleep 996").is_empty());
}

#[test]
fn a_process_younger_than_the_pid_file_is_not_its_writer() {
    let scene = Scene::with_directory();
    // It names the job on its command line, and belongs to the file's owner; but it was begun
    // after `.pid` was written, so the number has been used again.
    let script = scene.script("zephyr", "#!/bin/sh\nsleep 3602\n");
    let bystander = scene.program(script).start();
    crate::scene::until("it is asleep", || !scene.members_running("sleep 3602").is_empty());
    scene.write("zephyr.pid", format!("{}\n", bystander.pid()));
    scene.age("zephyr.pid", Duration::from_mins(30));
    scene.write("zephyr.heartbeat", "");
    scene.age("zephyr.heartbeat", Duration::from_mins(30));
    scene.watched("--grace 200ms --max-wait 10s zephyr").exits_one_of(&[1, 2, 3]);
    assert!(bystander.process().alive(), "it began later than the file says");
    drop(bystander);
    scene.clear_up();
}

/// A process that leads a session of its own, and its start time.
fn session_leader(scene: &Scene) -> (Running, u64) {
    let leader = scene.command("setsid sleep 3604").start();
    let pid = leader.pid();
    crate::scene::until("it leads its session", || {
        scene.members_running("sleep 3604").iter().any(|process| process.pid == pid)
    });
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let begun = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap();
    let begun = begun.parse().unwrap();
    (leader, begun)
}

#[test]
fn numbers_from_before_a_reboot_name_nobody() {
    let scene = Scene::new();
    let mut record = dead_record(&scene);
    let (stranger, begun) = session_leader(&scene);
    // Number and start time are right by chance: they were given out anew by the next boot.
    record["boot_id"] = json!("00000000-0000-4000-8000-000000000000");
    record["child_pid"] = json!(stranger.pid());
    record["child_start"] = json!(begun);
    scene.write("job.heartbeat", record.to_string());
    is_spared(&scene, &stranger, &[1]);
    assert_eq!(scene.outcome("job"), "lost");
}

#[test]
fn a_session_whose_number_was_used_again_is_not_the_jobs() {
    let scene = Scene::new();
    let mut record = dead_record(&scene);
    let (stranger, begun) = session_leader(&scene);
    assert_ne!(record["child_start"], json!(begun));
    record["child_pid"] = json!(stranger.pid());
    scene.write("job.heartbeat", record.to_string());
    is_spared(&scene, &stranger, &[1]);
    assert_eq!(scene.outcome("job"), "lost");
}
