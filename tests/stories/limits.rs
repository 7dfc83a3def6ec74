//! The bounds a run can be given, and what it does at each.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use crate::scene::{Cmd, Mount, RUN, Scene, can, has, is_root, skip, until};

#[test]
fn a_stale_tree_is_ended_without_a_watcher_if_asked() {
    let scene = Scene::new();
    let line =
        "--end-if-stale --beat-on output --heartbeat-interval 100ms --stale 500ms --grace 300ms";
    let hook = r#"echo "$SENTINEL_PIDS" > pids; sleep 971"#;
    let run = scene.run(line).arg("--on-hang").arg(hook).args([
        "job",
        "--",
        "sh",
        "-c",
        "echo $$ > own; sleep 972; :",
    ]);
    run.finish().exits(124);
    let result = scene.result("job");
    assert_eq!(result["outcome"], json!("hung"));
    assert_eq!(scene.status("job").as_deref(), Some("FAILED\n"));
    let own = fs::read_to_string(scene.path("own")).unwrap();
    let pids = fs::read_to_string(scene.path("pids")).unwrap();
    let mut listed = pids.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
    assert!(listed.any(|pid| pid == own.trim()), "{own} in {pids}");
    // The hook itself is bounded by the grace, and leaves nothing.
    scene.nothing_is_left();
    scene.watched("job").exits(3);
}

#[test]
fn a_hook_runs_before_a_watcher_ends_a_hung_tree() {
    let scene = Scene::new();
    let line = "--beat-on output --heartbeat-interval 100ms --stale 30s --grace 2s";
    let run =
        scene.run(line).arg("--on-hang").arg("ps -o args= -p ${SENTINEL_PIDS%%[!0-9]*} > seen");
    let wrapper = run.args(["job", "--", "sleep", "973"]).start();
    scene.is_up("job");
    scene.age("job.heartbeat", Duration::from_hours(1));
    scene.watched("job").exits(3);
    wrapper.wait().exits(124);
    assert_eq!(fs::read_to_string(scene.path("seen")).unwrap(), "sleep 973\n");
}

#[test]
fn a_tree_that_takes_too_much_memory_is_ended() {
    let scene = Scene::new();
    // `tail` holds one endless line in memory, and cannot pass it on.
    let script = "head -c 80000000 /dev/zero | tail -n 1 | sleep 974";
    let run = scene.run("--max-memory 30M --grace 300ms job -- sh -c").arg(script);
    let done = run.finish();
    assert_ne!(done.code, Some(0));
    let result = scene.result("job");
    assert_eq!(result["outcome"], json!("failed"));
    let reason = result["reason"].as_str().unwrap();
    assert!(reason.contains("memory") && reason.contains("30"), "{reason}");
    scene.nothing_is_left();
    scene.ran("--max-memory 1G job -- true").exits(0);
}

#[test]
fn a_tree_that_takes_too_much_of_the_processor_is_ended() {
    let scene = Scene::new();
    let done = scene.ran("--max-cpu 5 --grace 300ms job -- sh -c 'while :; do :; done'");
    assert_ne!(done.code, Some(0));
    let result = scene.result("job");
    assert_eq!(result["outcome"], json!("failed"));
    let reason = result["reason"].as_str().unwrap();
    assert!(reason.to_lowercase().contains("cpu") && reason.contains('5'), "{reason}");
    scene.nothing_is_left();
}

#[test]
fn a_bounded_log_keeps_its_newest_bytes() {
    let scene = Scene::new();
    let script = "seq 1 2000000; until [ -e go ]; do sleep 0.05; done; echo the end";
    let run = scene.run("--max-log 1M --heartbeat-interval 100ms job -- sh -c").arg(script);
    let wrapper = run.start();
    let on_disk = || fs::metadata(scene.file("job.log")).map_or(0, |meta| meta.blocks() * 512);
    let tail = || {
        let bytes = fs::read(scene.file("job.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(2000)..]).into_owned()
    };
    until("all is written", || tail().ends_with("\n2000000\n"));
    until("the disk holds no more than asked", || on_disk() <= 2 << 20);
    assert!(tail().ends_with("1999999\n2000000\n"));
    fs::write(scene.path("go"), "").unwrap();
    wrapper.wait().exits(0);
    assert!(tail().ends_with("1999999\n2000000\nthe end\n"), "{}", tail());
    assert!(on_disk() <= 2 << 20, "{} bytes on disk", on_disk());
    // The newest megabyte is there in full: about 130,000 lines of eight bytes.
    let bytes = fs::read(scene.file("job.log")).unwrap();
    let whole = String::from_utf8_lossy(&bytes);
    assert!(whole.contains("\n1900000\n"), "{} bytes kept", bytes.len());
    scene.watched("--once --json job").exits(0);
}

#[test]
fn a_bounded_log_of_a_failed_run_ends_with_its_last_words() {
    let scene = Scene::new();
    let script = "seq 1 300000; echo last words; exit 4";
    scene.run("--max-log 64K job -- sh -c").arg(script).finish().exits(4);
    assert!(scene.read("job.log").ends_with("300000\nlast words\n"));
    let seen = scene.watched("--json job").exits(1).json();
    let tail = seen["tail"].as_array().unwrap();
    assert_eq!(tail.last(), Some(&json!("last words")));
    assert_eq!(tail.len(), 20);
}

#[test]
fn a_tee_copies_the_log_to_stdout_in_full() {
    let scene = Scene::new();
    let done = scene.ran("--tee job -- sh -c 'seq 1 50000; echo err >&2; exit 3'").exits(3);
    assert_eq!(done.stdout, scene.read("job.log"));
    assert!(done.stdout.ends_with("50000\nerr\n"));
}

#[test]
fn a_slow_reader_of_the_tee_delays_no_beat() {
    let scene = Scene::new();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let script = "seq 1 200000; echo written; sleep 975";
    let run =
        scene.run("--tee --beat-on alive --heartbeat-interval 100ms job -- sh -c").arg(script);
    let wrapper = run.start_with(|command| {
        command.stdout(writer);
    });
    // Nobody reads; far more than a pipe holds is written all the same.
    until("the command was not held up", || {
        fs::read(scene.file("job.log")).is_ok_and(|log| log.ends_with(b"written\n"))
    });
    scene.beats("job", 8);
    let mut some = [0; 4];
    reader.read_exact(&mut some).unwrap();
    assert_eq!(&some, b"1\n2\n");
    // Nor does a reader that went away harm the job.
    drop(reader);
    scene.beats("job", 8);
    assert_eq!(scene.status("job"), None);
    scene.stop("job");
    wrapper.wait();
    assert!(scene.result("job")["ended_by"]["pid"].is_u64());
}

#[test]
fn a_command_that_finishes_while_its_hook_looks_keeps_its_own_outcome() {
    let scene = Scene::new();
    let line =
        "--end-if-stale --beat-on output --heartbeat-interval 100ms --stale 500ms --grace 20s";
    let hook = "touch looking; until [ -e over ]; do sleep 0.05; done; sleep 0.5";
    let script = "until [ -e looking ]; do sleep 0.05; done; touch over; exit 0";
    let run = scene.run(line).arg("--on-hang").arg(hook).args(["job", "--", "sh", "-c", script]);
    run.finish().exits(0);
    assert_eq!(scene.outcome("job"), "success");
    assert_eq!(scene.status("job").as_deref(), Some("SUCCESS\n"));
    scene.watched("job").exits(0);
    scene.nothing_is_left();
}

#[test]
fn a_fast_writer_is_not_said_to_have_truncated_its_log() {
    let scene = Scene::new();
    let done = scene.ran("--heartbeat-interval 50ms job -- sh -c 'yes | head -c 300000000'");
    done.exits(0).never_says("truncated");
    let result = scene.result("job");
    assert!(!result["reason"].as_str().unwrap().contains("truncated"), "{result}");
    assert_eq!(result["log_bytes"], json!(300_000_000));
}

/// Reads in small pieces with pauses until nobody writes any more; bounded. What was read is shown
/// after each.
#[track_caller]
fn read_slowly(mut from: std::io::PipeReader, mut so_far: impl FnMut(&[u8])) -> String {
    let (mut piece, mut read) = ([0; 4096], Vec::new());
    let begun = std::time::Instant::now();
    loop {
        assert!(begun.elapsed() < Duration::from_secs(30), "the tee goes on for ever");
        let length = from.read(&mut piece).unwrap();
        if length == 0 {
            return String::from_utf8_lossy(&read).into_owned();
        }
        read.extend_from_slice(&piece[..length]);
        so_far(&read);
        crate::scene::a_moment();
    }
}

#[test]
fn a_tee_does_not_wait_for_what_outlives_the_command() {
    let scene = Scene::new();
    let (reader, writer) = std::io::pipe().unwrap();
    // The survivor writes faster than the reader reads.
    let script = "setsid sh -c 'while :; do echo still here, and here, and here; done' &
        until grep -q still \"$DIR/job.log\"; do :; done; exit 3";
    let wrapper = scene.run("--tee job -- sh -c").arg(script).start_with(|command| {
        command.stdout(writer);
    });
    assert!(read_slowly(reader, |_| ()).starts_with("still here"));
    wrapper.wait().exits(3);
    assert_eq!(scene.outcome("job"), "failed");
    scene.clear_up();
}

#[test]
fn a_slow_reader_of_a_bounded_log_gets_the_last_line() {
    let scene = Scene::new();
    let place = scene.path("disk");
    fs::create_dir(&place).unwrap();
    // Where the head of a file can be cut off, the rest of it moves: best told on such a disk.
    let image = scene.path("image");
    fs::File::create(&image).unwrap().set_len(32 << 20).unwrap();
    let formatted = is_root() && can(&format!("mkfs.ext4 -q {}", image.display()));
    let mount = format!("mount -o loop {}", image.display());
    let _disk = formatted.then(|| Mount::at(&place, &mount));
    let dir = place.join("jobs");

    let (reader, writer) = std::io::pipe().unwrap();
    // The reader is far along when the end comes, and not done with it when the command is.
    let script =
        "seq 1 400000; until [ -e go ]; do sleep 0.02; done; seq 1 40000; echo last words; exit 3";
    let run = scene.program(crate::scene::RUN).arg("--dir").arg(&dir);
    let run = run.args(["--tee", "--max-log", "64K", "job", "--", "sh", "-c", script]);
    let wrapper = run.start_with(|command| {
        command.stdout(writer);
    });
    let read = read_slowly(reader, |so_far| {
        if so_far.ends_with(b"\n400000\n") {
            fs::write(scene.path("go"), "").unwrap();
        }
    });
    wrapper.wait().exits(3);
    let end: String = read.chars().skip(read.len().saturating_sub(40)).collect();
    assert!(end.ends_with("\n40000\nlast words\n"), "{end:?}");
    let kept = fs::read(dir.join("job.log")).unwrap();
    assert!(kept.ends_with(b"\n40000\nlast words\n"), "{} bytes", kept.len());
}

#[test]
fn a_tree_over_its_limit_never_exits_0_however_polite_it_is() {
    let scene = Scene::new();
    let script = "trap 'exit 0' TERM
        head -c 80000000 /dev/zero | tail -n 1 | sleep 974 & wait; sleep 974";
    let done = scene.run("--max-memory 30M --grace 5s job -- sh -c").arg(script).finish();
    assert!(!matches!(done.code, None | Some(0)), "{}", done.told());
    assert_eq!(scene.outcome("job"), "failed");
    scene.nothing_is_left();
}

/// Nobody's user, who may be given a cgroup.
const OTHER: u32 = 65534;

/// A cgroup of the kernel, for one story.
struct Group(PathBuf);

impl Group {
    /// A memory cgroup with this limit: of v1 below our own, else of v2 where the root hands the
    /// controller on.
    fn of_memory(name: &str, limit: u64) -> Option<Self> {
        let places = fs::read_to_string("/proc/self/cgroup").unwrap();
        let own = places.lines().find_map(|line| line.split_once(":memory:"));
        let (parent, file) = match own {
            Some((_, own)) => {
                let mount = Path::new("/sys/fs/cgroup/memory");
                (mount.join(own.trim_start_matches('/')), "memory.limit_in_bytes")
            }
            None => (PathBuf::from("/sys/fs/cgroup"), "memory.max"),
        };
        let group = Self::below(&parent, name)?;
        let _ = fs::write(group.0.join("memory.swap.max"), "0");
        fs::write(group.0.join(file), limit.to_string()).is_ok().then_some(group)
    }

    /// A v2 cgroup that is given to another user.
    fn given_away(name: &str) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"))?;
        let group = Self::below(Path::new(mount.split(' ').nth(1)?), name)?;
        for file in ["", "cgroup.procs", "cgroup.subtree_control"] {
            chown(group.0.join(file), Some(OTHER), Some(OTHER)).ok()?;
        }
        Some(group)
    }

    fn below(parent: &Path, name: &str) -> Option<Self> {
        let path = parent.join(format!("story-{}-{name}", std::process::id()));
        fs::create_dir(&path).is_ok().then(|| Self(path))
    }

    /// `sentinel-run` in this cgroup.
    fn run(&self, scene: &Scene, words: &[&str]) -> Cmd {
        let script = r#"echo $$ > "$0/cgroup.procs" && exec "$RUN" --dir "$DIR" "$@""#;
        scene.program("sh").args(["-c", script]).arg(&self.0).args(words)
    }

    fn name(&self) -> &str {
        self.0.file_name().unwrap().to_str().unwrap()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = fs::remove_dir(&self.0);
        } else {
            until("the group can go", || fs::remove_dir(&self.0).is_ok());
        }
    }
}

/// One process that takes 64 MiB and fills them.
const HOG: &str = "dd if=/dev/zero of=/dev/null bs=64M count=1";

#[test]
fn an_oom_kill_of_the_command_is_named() {
    let name = "an_oom_kill_of_the_command_is_named";
    let scene = Scene::new();
    let Some(group) = Group::of_memory("command", 32 << 20) else {
        return skip(name, "no memory cgroup can be made here");
    };
    let hog: Vec<&str> = ["job", "--"].into_iter().chain(HOG.split(' ')).collect();
    group.run(&scene, &hog).finish().exits(137).says("out of memory");
    let result = scene.result("job");
    assert_eq!((&result["outcome"], &result["signal"]), (&json!("failed"), &json!("SIGKILL")));
    let reason = result["reason"].as_str().unwrap();
    assert!(reason.starts_with("killed by SIGKILL: out of memory (the kernel's"), "{reason}");
    assert!(reason.ends_with(&format!("{}, limit 32 MiB)", group.name())), "{reason}");
    // Any other KILL in the same place is just that.
    let words = ["--max-failures", "0", "job", "--", "sh", "-c", "kill -9 $$"];
    group.run(&scene, &words).finish().exits(137);
    assert_eq!(scene.result("job")["reason"], json!("killed by SIGKILL"));
}

#[test]
fn an_oom_kill_of_a_child_is_told_with_the_exit_code() {
    let name = "an_oom_kill_of_a_child_is_told_with_the_exit_code";
    let scene = Scene::new();
    let Some(group) = Group::of_memory("child", 32 << 20) else {
        return skip(name, "no memory cgroup can be made here");
    };
    let script = format!("{HOG}; exit 4");
    group.run(&scene, &["job", "--", "sh", "-c", &script]).finish().exits(4);
    let reason = scene.result("job")["reason"].as_str().unwrap().to_owned();
    assert!(
        reason.starts_with("exit code 4; meanwhile the kernel's OOM killer ended "),
        "{reason}"
    );
    assert!(reason.ends_with(&format!("{}, limit 32 MiB", group.name())), "{reason}");
    // Where the kernel log may be read, and its PIDs and paths are ours, it names the victim.
    let first = |ns, inode| fs::metadata(ns).is_ok_and(|meta| meta.ino() == inode);
    let ours =
        first("/proc/self/ns/pid", 0xEFFF_FFFC) && first("/proc/self/ns/cgroup", 0xEFFF_FFFB);
    if is_root() && ours && can("head -c 0 /dev/kmsg") {
        assert!(reason.contains("ended dd["), "{reason}");
    }
    // A success is a success, whatever became of a child.
    let script = format!("{HOG}; exit 0");
    group.run(&scene, &["job", "--", "sh", "-c", &script]).finish().exits(0);
    assert_eq!(scene.result("job")["reason"], json!("exit code 0"));
}

#[test]
fn the_processor_time_of_a_delegated_cgroup_is_the_kernels_count() {
    let name = "the_processor_time_of_a_delegated_cgroup_is_the_kernels_count";
    let scene = Scene::with_directory();
    let Some(group) = Group::given_away("cpu").filter(|_| is_root() && has("setpriv")) else {
        return skip(name, "needs root, setpriv and a cgroup v2, to give that away");
    };
    fs::set_permissions(scene.root(), fs::Permissions::from_mode(0o755)).unwrap();
    chown(scene.dir(), Some(OTHER), Some(OTHER)).unwrap();
    let copy = scene.copy(RUN, "sentinel-run");
    let as_other = r#"echo $$ > "$0/cgroup.procs" && exec setpriv --reuid 65534 --regid 65534 \
        --clear-groups "$1" --dir "$DIR" --max-cpu 5 --grace 10s job -- sh -c "$2""#;
    // Most of the work is done by children too short-lived to be seen at a look.
    let work = "cat /proc/self/cgroup; while :; do sh -c ': ; :'; done";
    let run = scene.program("sh").args(["-c", as_other]).arg(&group.0).arg(&copy).arg(work);
    run.finish().exits(143);
    let reason = scene.result("job")["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("--max-cpu: ") && reason.ends_with(" (cgroup)"), "{reason}");
    let place = format!("/{}/sentinel-", group.name());
    assert!(scene.read("job.log").contains(&place), "{}", scene.read("job.log"));
    scene.nothing_is_left();
}

/// What a script prints as root of another Linux, one that has cgroup v2 with the memory controller
/// whatever this machine has: user-mode Linux over our own files, which it cannot change.
/// `as_user JOB WORDS…` starts `sentinel-run` as a user to whom `$BASE` is delegated.
fn in_another_linux(scene: &Scene, script: &str) -> String {
    let prelude = r#"#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin BASE=/sys/fs/cgroup/base SENTINEL_DIR=/run/jobs HOME=/run
mount -t proc proc /proc; mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup; mount -t tmpfs -o mode=1777 tmpfs /run
cd /run; cp "$RUN" sentinel-run
echo +memory > /sys/fs/cgroup/cgroup.subtree_control
mkdir $BASE; chown 65534 $BASE $BASE/cgroup.procs $BASE/cgroup.subtree_control
as_user() {
    sh -c 'echo $$ > $BASE/cgroup.procs
        exec setpriv --reuid 65534 --clear-groups /run/sentinel-run --max-failures 0 "$@"' sh "$@"
}
told() { echo "$1: $(sed 's/.*"reason":"\([^"]*\)".*/\1/' jobs/$1.result)"; }
"#;
    let off = "\necho the end\nexec poweroff -f\n";
    let prelude = prelude.replace("$RUN", RUN);
    let init = scene.script("init", &format!("{prelude}{script}{off}"));
    let line = "mem=512M rootfstype=hostfs rootflags=/ ro loglevel=0 con=null con0=fd:0,fd:1";
    let kernel = scene.command(&format!("linux.uml {line}"));
    let kernel = kernel.arg(format!("uml_dir={}", scene.root().display()));
    let done = kernel.arg(format!("init={}", init.display())).finish().says("the end");
    scene.clear_up(); // the processes that were its processors may outlive it by a moment
    done.stdout.replace('\r', "")
}

#[test]
fn a_memory_limit_is_the_kernels_where_a_cgroup_is_delegated() {
    let name = "a_memory_limit_is_the_kernels_where_a_cgroup_is_delegated";
    if !has("linux.uml") {
        return skip(name, "needs linux.uml (package user-mode-linux)");
    }
    let scene = Scene::new();
    let big = scene.path("big");
    fs::File::create(&big).unwrap().set_len(200 << 20).unwrap();
    fs::set_permissions(scene.root(), fs::Permissions::from_mode(0o755)).unwrap();
    let script = format!(
        "
as_user --max-memory 32M over -- sh -c 'sleep 970 & {HOG}; echo not reached'
told over; cat jobs/over.log
as_user --max-memory 100M under -- sh -c 'cat {} > /dev/null && {HOG} &&
    grep ^max $BASE/sentinel-????????????????/memory.events'
told under; cat jobs/under.log
echo 40M > $BASE/memory.max
as_user own -- {HOG}; told own
as_user child -- sh -c '{HOG}; exit 3'; told child
find $BASE -type d; cat $BASE/cgroup.subtree_control $BASE/cgroup.procs",
        big.display()
    );
    let told = in_another_linux(&scene, &script);
    let says = |line: &str| assert!(told.lines().any(|told| told == line), "{line}: {told}");
    says("over: --max-memory: the kernel ended it at 32 MiB (cgroup)");
    assert!(!told.contains("not reached"), "{told}");
    // 200 MiB of page cache are no excess.
    says("under: exit code 0");
    assert!(
        told.contains("\nmax ") && !told.contains("\nmax 0\n"),
        "the limit was not reached: {told}"
    );
    says(
        "own: killed by SIGKILL: out of memory (the kernel's OOM killer, memory cgroup /base, limit 40 MiB)",
    );
    let child = told.lines().find(|line| line.starts_with("child: ")).unwrap();
    assert!(child.starts_with("child: exit code 3; meanwhile the kernel's OOM killer"), "{told}");
    // And the cgroup is as it was found.
    assert!(told.contains("\n/sys/fs/cgroup/base\nthe end\n"), "{told}");
}

#[test]
fn a_job_below_another_one_is_neither_bound_nor_ended_by_its_limit() {
    let name = "a_job_below_another_one_is_neither_bound_nor_ended_by_its_limit";
    if !has("linux.uml") {
        return skip(name, "needs linux.uml (package user-mode-linux)");
    }
    let scene = Scene::new();
    let script = format!(
        "
cat > inner <<'EOF'
/run/sentinel-run --detach --max-memory 100M inner -- \
    sh -c 'until [ -e jobs/outer.status ]; do sleep 0.1; done; {HOG} && exec {HOG}'
until [ -e jobs/inner.heartbeat ]; do sleep 0.1; done
{HOG}
EOF
as_user --max-memory 32M outer -- sh inner
told outer
until [ -e jobs/inner.status ]; do sleep 0.1; done; told inner
echo 40M > $BASE/memory.max
as_user --max-memory 32M outer -- /run/sentinel-run unbound -- sh -c '{HOG}; exit 3'; told unbound
until rmdir $BASE; do sleep 0.1; done"
    );
    let told = in_another_linux(&scene, &script);
    let says = |line: &str| assert!(told.lines().any(|told| told == line), "{line}: {told}");
    says("outer: --max-memory: the kernel ended it at 32 MiB (cgroup)");
    says("inner: exit code 0");
    // Each is counted on its own: so the victim was surely of this job.
    let unbound = told.lines().find(|line| line.starts_with("unbound: ")).unwrap();
    assert!(unbound.starts_with("unbound: exit code 3; the kernel's OOM killer ended "), "{told}");
    assert!(unbound.ends_with(" of it"), "{told}");
}
