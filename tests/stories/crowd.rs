//! Many jobs in one directory: each has its verdict, whatever else a plain user may not have more of.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use crate::scene::{Cmd, Running, Scene, skip, until};

/// So many that each of the limits below is too small for them.
const JOBS: usize = 24;

/// Jobs that run until the gate is opened; every other one fails then.
fn crowd(scene: &Scene) {
    let start = format!(
        r#"mkfifo gate
        for n in $(seq {JOBS}); do
            "$RUN" --detach --dir "$DIR" job$n -- sh -c "read x < gate; exit $((n % 2))" || exit 1
        done"#
    );
    scene.sh(&start).finish().exits(0);
}

fn names() -> Vec<String> {
    (1..=JOBS).map(|n| format!("job{n}")).collect()
}

/// Opens the gate once this watcher waits, and takes its last word on each.
#[track_caller]
fn is_right(scene: &Scene, watch: Cmd, waits: impl Fn(&Running) -> bool) {
    let watcher = watch.args(names()).start();
    until("it waits", || waits(&watcher));
    // One that reads late is told, too: it stays open, and a line is for one of them.
    let gate = scene.path("gate");
    let mut gate = fs::OpenOptions::new().read(true).write(true).open(gate).unwrap();
    until("all are over", || {
        gate.write_all(b"\n").unwrap();
        names().iter().all(|name| scene.status(name).is_some())
    });
    let done = watcher.wait().exits(1);
    assert_eq!(done.stderr, "", "what it cannot have is no news");
    for (n, name) in (1..).zip(names()) {
        let verdict = if n % 2 == 1 { "failed" } else { "success" };
        let told = |line: &&str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.contains(&name.as_str()) && words.contains(&verdict)
        };
        assert_eq!(done.stdout.lines().filter(told).count(), 1, "{name}: {}", done.told());
    }
}

/// What the descriptors of a process are.
fn descriptors(process: &Running) -> Vec<String> {
    let files = fs::read_dir(format!("/proc/{}/fd", process.pid())).into_iter().flatten().flatten();
    let links = files.filter_map(|file| fs::read_link(file.path()).ok());
    links.map(|link| link.to_string_lossy().into_owned()).collect()
}

#[test]
fn a_watcher_of_many_needs_no_descriptor_for_each() {
    let scene = Scene::new();
    crowd(&scene);
    let watch = scene.sh(r#"ulimit -n 24; exec "$WATCH" --dir "$DIR" "$@""#).arg("sh");
    is_right(&scene, watch, |watcher| {
        let open = descriptors(watcher);
        let held = open.iter().filter(|link| link.contains("[pidfd]")).count();
        assert!(held <= 6 && open.len() <= 24, "{open:?}");
        held == 6
    });
    scene.nothing_is_left();
}

/// A user namespace has limits of its own, which whoever made it may lower.
#[test]
fn without_inotify_a_watcher_looks_by_itself() {
    let name = "without_inotify_a_watcher_looks_by_itself";
    let within = |scene: &Scene, script: &str| {
        scene.command("unshare --user --map-root-user sh -euc").arg(script).arg("sh")
    };
    for (limit, most) in [("instances", 0), ("watches", 3)] {
        let scene = Scene::new();
        let limited = format!("echo {most} > /proc/sys/user/max_inotify_{limit}");
        if within(&scene, &limited).finish().code != Some(0) {
            return skip(name, "no user namespace can be made, or it has no limits of inotify");
        }
        crowd(&scene);
        let watch = format!(r#"{limited}; exec "$WATCH" --events --dir "$DIR" "$@""#);
        is_right(&scene, within(&scene, &watch), |watcher| {
            let has_inotify = || descriptors(watcher).iter().any(|link| link.contains("inotify"));
            let started = watcher.stdout().lines().filter(|l| l.contains(" started")).count();
            started == JOBS && has_inotify() == (most > 0)
        });
        scene.nothing_is_left();
    }
}

/// The list reads less of a run that is over than a watcher does, and shares the work among threads.
#[test]
fn a_long_list_says_of_each_what_a_watcher_says() {
    let scene = Scene::new();
    for (name, script) in [("good", "echo done"), ("bad", "exit 3"), ("killed", "kill -9 $$")] {
        scene.run(name).args(["--", "sh", "-c", script]).finish();
    }
    scene.run("--timeout 200ms late -- sleep 991").finish().exits(124);
    let kinds = ["good", "bad", "killed", "late"];
    for n in 0..600 {
        for file in ["pid", "heartbeat", "status", "result"] {
            let from = scene.file(&format!("{}.{file}", kinds[n % kinds.len()]));
            fs::copy(from, scene.file(&format!("many{n}.{file}"))).unwrap();
        }
    }
    // What its record alone does not tell.
    let running = scene.up("running", "running -- sleep 992");
    let dead = scene.up("dead", "dead -- sleep 993");
    scene.killed("dead", "pid");
    dead.wait();
    scene
        .sh(r#"cp -p "$DIR/good.status" "$DIR/template.status"; : > "$DIR/template.heartbeat""#)
        .finish();
    // Another writer has begun a run under a name of ours.
    for file in ["heartbeat", "status", "result"] {
        fs::copy(scene.file(&format!("good.{file}")), scene.file(&format!("taken.{file}")))
            .unwrap();
    }
    fs::write(scene.file("taken.pid"), format!("{}\n", running.pid())).unwrap();

    let list = scene.watched("--list").exits(0).stdout;
    let names: Vec<&str> = list.lines().filter_map(|l| l.split_whitespace().nth(1)).collect();
    assert!(names.is_sorted() && names.len() == 600 + 4 + 4, "{} {names:?}", names.len());
    for line in list.lines() {
        let name = line.split_whitespace().nth(1).unwrap();
        if name.starts_with("many") && !name.ends_with('7') {
            continue;
        }
        let said = scene.watch("--probe").arg(name).finish().stdout;
        // The time goes on of what has no record.
        let cut = |line: &str| {
            let until = if name == "dead" { " after " } else { " for " };
            line.split(until).next().unwrap_or_default().to_owned()
        };
        let [of_list, of_probe] = [line, said.lines().next().unwrap_or_default()].map(cut);
        assert_eq!(of_list, of_probe);
    }
    scene.watched("--once dead").exits(1);
    scene.stop("running");
    running.wait();
    scene.nothing_is_left();
}

#[test]
fn a_list_believes_no_file_that_a_look_refuses() {
    let scene = Scene::new();
    for (name, file) in
        [("pid", "pid.pid"), ("beat", "beat.heartbeat"), ("status", "status.status")]
    {
        scene.ran(&format!("{name} -- true")).exits(0);
        let path = scene.file(file);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        scene.watched("--list").exits(2).says("can be written by everyone");
        scene.watched(&format!("--once {name}")).exits(2).says("can be written by everyone");
        fs::remove_file(path).unwrap();
        fs::remove_file(scene.file(&format!("{name}.result"))).unwrap();
    }
}
