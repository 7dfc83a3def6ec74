//! A full disk, a power cut and a file system that keeps locks to itself change no outcome.

use std::fs;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::scene::{Mount, Process, RUN, Scene, can, has, is_root, skip, traceable, until};

/// Writes until not one byte more fits.
fn fill(dir: &Path) {
    let mut file = fs::File::create(dir.join("filler")).unwrap();
    for size in [65536, 4096, 64, 1] {
        let block = vec![b'x'; size];
        while file.write_all(&block).is_ok() {}
    }
}

/// A small file system in the scene, and in it a monitor directory.
fn small_disk(scene: &Scene, name: &str) -> Option<Mount> {
    let mount = Mount::at(&scene.path("disk"), "mount -t tmpfs -o size=512k,mode=700 none");
    if mount.is_none() {
        skip(name, "no file system can be mounted");
    }
    mount
}

#[test]
fn a_disk_that_fills_while_the_job_runs_changes_no_outcome() {
    let scene = Scene::new();
    let Some(_disk) = small_disk(&scene, "a_disk_that_fills_while_the_job_runs_changes_no_outcome")
    else {
        return;
    };
    let disk = scene.path("disk");
    let dir = disk.join("jobs");
    for (code, outcome, word) in [(0, "success", "SUCCESS\n"), (3, "failed", "FAILED\n")] {
        let script =
            format!("until [ -e go ]; do sleep 0.05; done; echo lost in space; exit {code}");
        let run = scene.program(RUN).arg("--dir").arg(&dir);
        let run = run.args([
            "--heartbeat-interval",
            "100ms",
            "--beat-on",
            "alive",
            "job",
            "--",
            "sh",
            "-c",
        ]);
        let wrapper = run.arg(script).start();
        let heartbeat = dir.join("job.heartbeat");
        until("it runs", || {
            let record = fs::read_to_string(&heartbeat).unwrap_or_default();
            record.contains(&format!("\"pid\":{},", wrapper.pid()))
                && !dir.join("job.status").exists()
        });
        fill(&disk);
        // Beats need no space.
        let beat = || fs::metadata(&heartbeat).unwrap().modified().unwrap();
        for _ in 0..3 {
            let last = beat();
            until("another beat", || beat() != last);
        }
        fs::write(scene.path("go"), "").unwrap();
        wrapper.wait().exits(code);
        assert_eq!(fs::read_to_string(dir.join("job.status")).unwrap(), word);
        let result = fs::read_to_string(dir.join("job.result")).unwrap();
        let result: serde_json::Value = serde_json::from_str(&result).unwrap();
        assert_eq!(result["outcome"], json!(outcome));
        let watch = scene.program(crate::scene::WATCH).arg("--dir").arg(&dir);
        watch.args(["--once", "job"]).finish().exits(i32::from(code != 0));
        fs::remove_file(disk.join("filler")).unwrap();
        fs::remove_file(scene.path("go")).unwrap();
    }
}

#[test]
fn a_full_disk_ends_a_lost_job_truly_all_the_same() {
    let scene = Scene::new();
    let Some(_disk) = small_disk(&scene, "a_full_disk_ends_a_lost_job_truly_all_the_same") else {
        return;
    };
    let disk = scene.path("disk");
    let dir = disk.join("jobs");
    let run = scene.program(RUN).arg("--dir").arg(&dir).args(["job", "--", "sleep", "976"]);
    let wrapper = run.start();
    until("it runs", || !scene.members_running("sleep 976").is_empty());
    fill(&disk);
    wrapper.signal(rustix::process::Signal::KILL);
    wrapper.wait();
    // Whether there is room to record it or not: the verdict is true, and nothing goes on.
    let watch = || scene.program(crate::scene::WATCH).arg("--dir").arg(&dir).arg("job").finish();
    watch().exits(1);
    scene.nothing_is_left();
    watch().exits(1);
}

#[test]
fn a_full_disk_at_the_start_refuses_it_and_changes_nothing() {
    let scene = Scene::new();
    let Some(_disk) = small_disk(&scene, "a_full_disk_at_the_start_refuses_it_and_changes_nothing")
    else {
        return;
    };
    let disk = scene.path("disk");
    let dir = disk.join("jobs");
    let run = |name: &str| scene.program(RUN).arg("--dir").arg(&dir).args([name, "--"]);
    run("job").args(["sh", "-c", "echo a; exit 3"]).finish().exits(3);
    fill(&disk);
    let before = Scene::snapshot(&dir);
    for name in ["job", "other"] {
        let done = run(name).args(["sh", "-c", "echo ran > proof"]).finish().exits(125);
        let said = done.stderr.to_lowercase();
        assert!(said.contains("space") || said.contains("full"), "{}", done.told());
        assert!(!scene.path("proof").exists());
        assert_eq!(Scene::snapshot(&dir), before, "start of {name}");
    }
    let watch = scene.program(crate::scene::WATCH).arg("--dir").arg(&dir);
    watch.args(["--once", "job"]).finish().exits(1);
    fs::remove_file(disk.join("filler")).unwrap();
    run("job").arg("true").finish().exits(0);
}

#[test]
fn a_directory_that_cannot_be_written_is_a_clear_error() {
    let scene = Scene::new();
    let Some(disk) = small_disk(&scene, "a_directory_that_cannot_be_written_is_a_clear_error")
    else {
        return;
    };
    let dir = scene.path("disk/jobs");
    let run =
        |name: &str| scene.program(RUN).arg("--dir").arg(&dir).args([name, "--", "true"]).finish();
    run("job").exits(0);
    assert!(can(&format!("mount -o remount,ro {}", scene.path("disk").display())));
    run("job").exits(125).says("Read-only");
    run("other").exits(125).says("Read-only");
    let watch = |line: &str| {
        let watch = scene.program(crate::scene::WATCH).arg("--dir").arg(&dir);
        watch.args(line.split(' ')).finish()
    };
    watch("--once job").exits(0);
    watch("--once other").exits(6);
    drop(disk);
}

#[test]
fn a_free_lock_on_a_file_system_that_forwards_none_is_no_death() {
    let name = "a_free_lock_on_a_file_system_that_forwards_none_is_no_death";
    if !is_root() || !has("bindfs") || !Path::new("/dev/fuse").exists() {
        return skip(name, "bindfs is not installed, or may not mount");
    }
    let scene = Scene::with_directory();
    let seen = scene.path("seen");
    // The file system's own server must not stand in the scene's list of processes.
    let Some(mount) = Mount::at(&seen, &format!("bindfs {}", scene.dir().display())) else {
        return skip(name, "bindfs may not mount");
    };
    let wrapper =
        scene.up("job", "--beat-on alive --heartbeat-interval 100ms --stale 20s job -- sleep 977");
    until("it is seen from the other side", || seen.join("job.heartbeat").exists());
    let watch = |line: &str| {
        let watch = scene.program(crate::scene::WATCH).arg("--dir").arg(&seen);
        watch.args(line.split(' ')).finish()
    };
    watch("--once job").exits(5);
    watch("--max-wait 1s --poll-interval 200ms job").exits(5);
    assert_eq!(scene.status("job"), None);
    assert!(wrapper.process().alive());
    // The end is seen, too, though no event tells of it.
    let watch = scene.program(crate::scene::WATCH).arg("--dir").arg(&seen).arg("job").start();
    scene.watched("--stop job");
    watch.wait().exits(1);
    wrapper.wait();
    mount.unmount();
    until("the file system's server has ended", || scene.members().is_empty());
}

/// A process that is stopped for as long as this is there.
struct Stopped(Process);

impl Stopped {
    fn now(process: Process) -> Self {
        process.signal(Signal::STOP);
        until("it is stopped", || process.state() == Some('T'));
        Self(process)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.signal(Signal::CONT);
    }
}

/// Reads from the server itself, and not what is known of the file already.
const READS: &str = r#"
import mmap, os, time
file = os.open("above/data", os.O_RDONLY | os.O_DIRECT)
print("open", flush=True)
while not os.path.exists("go"):
    time.sleep(0.05)
os.readv(file, [mmap.mmap(-1, 4096)])
"#;

#[test]
fn a_file_system_that_does_not_answer_keeps_no_job_from_its_end() {
    let name = "a_file_system_that_does_not_answer_keeps_no_job_from_its_end";
    if !is_root() || !has("bindfs") || !has("python3") || !Path::new("/dev/fuse").exists() {
        return skip(name, "needs root, python3, and a bindfs that may mount");
    }
    let scene = Scene::with_directory();
    for dir in ["real", "empty"] {
        fs::create_dir(scene.path(dir)).unwrap();
    }
    scene.copy("/bin/sleep", "real/sleep");
    fs::write(scene.path("real/data"), vec![b'x'; 1 << 20]).unwrap();
    let (seen, above) = (scene.path("seen"), scene.path("above"));
    let bindfs = format!("bindfs {}", scene.path("real").display());
    let Some(mount) = Mount::at(&seen, &bindfs) else {
        return skip(name, "bindfs may not mount");
    };
    let [server] = scene.members()[..] else { panic!("the file system has one server") };
    let lower = format!("lowerdir={}:{}", seen.display(), scene.path("empty").display());
    let Some(overlay) = Mount::at(&above, &format!("mount -t overlay -o {lower} overlay")) else {
        mount.unmount();
        return skip(name, "an overlay may not be mounted");
    };
    let options = "--heartbeat-interval 100ms --stale 1s --end-if-stale --grace 500ms";
    let program = seen.join("sleep").display().to_string();
    let late = scene.up("late", &format!("{options} --timeout 5s late -- {program} 979"));
    let told = scene.up("told", &format!("{options} told -- {program} 980"));
    let reads = scene.run(&format!("{options} reads -- python3 -c")).arg(READS).start();
    scene.is_up_as("reads", &reads);
    until("the file is open", || scene.read("reads.log").contains("open"));
    let stopped = Stopped::now(server);
    fs::write(scene.path("go"), "").unwrap();
    let at = |pid: u64| fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    let reader = scene.heartbeat("reads").expect("a heartbeat")["child_pid"].as_u64().unwrap();
    let call = format!("{} ", libc::SYS_readv);
    until("the server is waited for", || at(reader).starts_with(&call));
    // For longer than would make it stale.
    for job in ["told", "reads"] {
        for _ in 0..15 {
            scene.beats(job, 1);
            let record = scene.heartbeat(job).expect("a heartbeat");
            assert_eq!(record["stuck"], json!(null), "{job} was called stuck");
        }
    }
    late.wait().exits(124);
    assert_eq!(scene.outcome("late"), "timeout");
    for (job, wrapper) in [("told", told), ("reads", reads)] {
        wrapper.signal(Signal::TERM);
        wrapper.wait();
        assert_eq!(scene.outcome(job), "stopped");
    }
    drop(stopped);
    overlay.unmount();
    mount.unmount();
    until("the file system's server has ended", || scene.members().is_empty());
}

#[test]
fn a_wrapper_that_records_on_a_slow_disk_is_waited_for() {
    if !traceable("a_wrapper_that_records_on_a_slow_disk_is_waited_for") {
        return;
    }
    let scene = Scene::new();
    let slow = "strace -qq -o /dev/null -e trace=fdatasync -e inject=fdatasync:delay_enter=2s";
    let options = "--quiet --beat-on output --heartbeat-interval 100ms --stale 500ms --grace 100ms";
    let run = scene.command(&format!("{slow} {RUN} --dir {}", scene.dir().display()));
    let wrapper = run.args(options.split(' ')).args(["job", "--", "sleep", "981"]).start();
    let verdict = scene.watched("--json job").exits(3).json();
    assert_eq!(verdict["signal"], json!("SIGTERM"), "the wrapper's own record: {verdict}");
    wrapper.wait().exits(124);
}

/// Shuts a file system down as a power cut would: nothing that is not on the disk gets there.
#[expect(unsafe_code, reason = "no crate of ours has this call")]
fn cut_power(mounted: &Path) -> bool {
    const GOING_DOWN: libc::Ioctl = 0x8004_587d_u32 as libc::Ioctl;
    const WITHOUT_FLUSHING_THE_JOURNAL: u32 = 2;
    let root = fs::File::open(mounted).unwrap();
    let how = WITHOUT_FLUSHING_THE_JOURNAL;
    // SAFETY: the call reads one u32, which outlives it.
    unsafe { libc::ioctl(root.as_raw_fd(), GOING_DOWN, &raw const how) == 0 }
}

/// Runs jobs on a small disk of this kind, cuts its power, and looks after the next mount.
fn survives_a_power_cut(name: &str, tool: &str, options: &str, size: u64) {
    if !is_root() || !has(tool) {
        return skip(name, &format!("needs root and {tool}"));
    }
    let scene = Scene::new();
    let mut image = scene.path("image");
    fs::File::create(&image).unwrap().set_len(size).unwrap();
    assert!(can(&format!("{tool} -q {}", image.display())));
    let place = scene.path("disk");
    let mount = |image: &Path| Mount::at(&place, &format!("mount {options} {}", image.display()));
    let Some(mut disk) = mount(&image) else {
        return skip(name, "no image can be mounted");
    };
    // What is on the disk is mounted as another disk: the first stays in the kernel, shut down, as long
    // as it is in any mount namespace, and another story may have made one meanwhile.
    let again = |image: &mut PathBuf, disk: Mount| {
        let other = image.with_added_extension("copy");
        assert!(can(&format!("cp --sparse=always {} {}", image.display(), other.display())));
        disk.unmount();
        *image = other;
        mount(image).expect("it can be mounted again")
    };
    let dir = place.join("jobs");
    for (code, outcome) in [(0, "success"), (3, "failed"), (0, "success")] {
        let run = scene.program(RUN).arg("--dir").arg(&dir).args(["job", "--", "sh", "-c"]);
        run.arg(format!("echo word; exit {code}")).finish().exits(code);
        if !cut_power(&place) {
            return skip(name, "the file system cannot be shut down");
        }
        disk = again(&mut image, disk);
        let status = fs::read_to_string(dir.join("job.status")).unwrap();
        assert_eq!(status, if code == 0 { "SUCCESS\n" } else { "FAILED\n" });
        let result = fs::read_to_string(dir.join("job.result")).unwrap();
        let result: serde_json::Value = serde_json::from_str(&result).unwrap();
        assert_eq!(result["outcome"], json!(outcome));
        let watch = scene.program(crate::scene::WATCH).arg("--dir").arg(&dir);
        watch.args(["--once", "job"]).finish().exits(i32::from(code != 0));
    }
    // Power is lost while a job runs: nothing is recorded, and the last outcome is not its own.
    let run = scene.program(RUN).arg("--dir").arg(&dir).args(["job", "--", "sleep", "978"]);
    let wrapper = run.start();
    until("it runs", || !scene.members_running("sleep 978").is_empty());
    let _ = rustix::fs::syncfs(fs::File::open(&place).unwrap());
    assert!(cut_power(&place));
    wrapper.signal(rustix::process::Signal::KILL);
    wrapper.wait();
    scene.clear_up();
    let _disk = again(&mut image, disk);
    let watch = scene.program(crate::scene::WATCH).arg("--dir").arg(&dir);
    watch.args(["--grace", "300ms", "--max-wait", "20s", "job"]).finish().exits(1).says("failed");
}

#[test]
fn an_outcome_survives_a_power_cut_on_ext4() {
    survives_a_power_cut(
        "an_outcome_survives_a_power_cut_on_ext4",
        "mkfs.ext4",
        "-o loop",
        16 << 20,
    );
}

#[test]
fn an_outcome_survives_a_power_cut_on_xfs() {
    survives_a_power_cut(
        "an_outcome_survives_a_power_cut_on_xfs",
        "mkfs.xfs",
        "-o loop,nouuid",
        320 << 20,
    );
}

#[test]
fn a_monitor_directory_taken_away_is_survived() {
    let scene = Scene::new();
    let wrapper = scene.up("job", "--beat-on alive --heartbeat-interval 100ms job -- sh -c 'until [ -e go ]; do sleep 0.05; done; exit 3'");
    fs::rename(scene.dir(), scene.path("moved")).unwrap();
    let moved = std::time::Instant::now();
    until("a few beats are due", || moved.elapsed() > Duration::from_millis(300));
    fs::rename(scene.path("moved"), scene.dir()).unwrap();
    fs::write(scene.path("go"), "").unwrap();
    wrapper.wait().exits(3);
    assert_eq!(scene.status("job").as_deref(), Some("FAILED\n"));
}

#[test]
fn a_run_is_counted_on_a_full_disk_though_its_history_is_long() {
    let scene = Scene::new();
    let name = "a_run_is_counted_on_a_full_disk_though_its_history_is_long";
    let Some(_disk) = small_disk(&scene, name) else {
        return;
    };
    let (disk, dir) = (scene.path("disk"), scene.path("disk/jobs"));
    let run = || scene.program(RUN).arg("--dir").arg(&dir).args(["job", "--", "sh", "-c"]);
    run().arg("exit 0").finish().exits(0);
    let history = dir.join("job.history");
    let line = fs::read_to_string(&history).unwrap();
    let mut many = String::new();
    for n in 0..200 {
        let mut record: serde_json::Value = serde_json::from_str(&line).unwrap();
        record["run_id"] = json!(format!("{n:016x}"));
        many.push_str(&record.to_string());
        many.push('\n');
    }
    fs::write(&history, many).unwrap();
    for (code, outcome) in [(3, "failed"), (0, "success")] {
        let script = format!("touch up; until [ -e go ]; do sleep 0.05; done; exit {code}");
        let wrapper = run().arg(script).start();
        until("it runs", || scene.path("up").exists());
        fill(&disk);
        fs::write(scene.path("go"), "").unwrap();
        let done = wrapper.wait().exits(code);
        let read = |file: &str| fs::read_to_string(dir.join(file)).unwrap();
        let result: serde_json::Value = serde_json::from_str(&read("job.result")).unwrap();
        assert_eq!(result["outcome"], json!(outcome));
        assert_eq!(read("job.status"), if code == 0 { "SUCCESS\n" } else { "FAILED\n" });
        let history = read("job.history");
        let newest = history.lines().last().unwrap_or_default();
        let newest: serde_json::Value = serde_json::from_str(newest).unwrap();
        assert_eq!(newest["run_id"], result["run_id"], "counted: {}", done.told());
        assert_eq!(newest["outcome"], json!(outcome));
        for file in ["go", "up", "disk/filler"] {
            fs::remove_file(scene.path(file)).unwrap();
        }
    }
}
