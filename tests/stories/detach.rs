//! A detached job outlives whatever started it, and says first whether it started.

use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::scene::{Process, RUN, Scene, until};

#[test]
fn a_detached_start_prints_one_line_and_returns_at_once() {
    let scene = Scene::new();
    let done = scene.ran("--detach job -- sleep 951").exits(0);
    let wrapper = scene.wrapper("job");
    assert_eq!(done.stdout, format!("job\t{}\t{}\n", wrapper.pid, scene.dir().display()));
    assert!(scene.heartbeat("job").is_some(), "the files are there when it returns");
    scene.watched("--once job").exits(5);
    scene.stop("job");
    scene.nothing_is_left();
}

#[test]
fn a_detached_start_fails_with_the_same_codes_as_one_in_the_foreground() {
    let scene = Scene::new();
    std::fs::write(scene.path("plain"), "").unwrap();
    scene.ran("--detach gone -- /nonexistent/program").exits(127).says("not found");
    scene.ran("--detach plain -- ./plain").exits(126);
    scene.ran("--detach --timeout soon job -- true").exits(125);
    for job in ["gone", "plain"] {
        assert_eq!(scene.outcome(job), "failed");
        assert_eq!(scene.status(job).as_deref(), Some("FAILED\n"));
    }
    let wrapper = scene.detached("job", "job -- sleep 952");
    let done = scene.ran("--detach job -- true").exits(75);
    assert_eq!(done.stdout, "");
    assert!(wrapper.alive());
    scene.stop("job");
    for _ in 0..3 {
        scene.ran("bad -- false").exits(1);
    }
    scene.ran("--detach --max-failures 3 bad -- true").exits(69);
    scene.nothing_is_left();
}

#[test]
fn a_detached_job_holds_no_descriptor_of_its_caller() {
    let scene = Scene::new();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let copy = writer.try_clone().unwrap();
    let launcher = scene.run("--detach job -- sleep 953").start_with(|command| {
        command.stdout(writer).stderr(copy);
    });
    // Reading ends only when nobody holds the pipe any more.
    let begun = Instant::now();
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(30));
    launcher.wait().exits(0);
    assert!(said.starts_with("job\t"), "{said}");
    let wrapper = scene.wrapper("job");
    assert!(wrapper.alive());
    for entry in std::fs::read_dir(format!("/proc/{}/fd", wrapper.pid)).unwrap() {
        let target = std::fs::read_link(entry.unwrap().path()).unwrap();
        assert!(!target.to_string_lossy().contains("captured"), "{}", target.display());
    }
    scene.stop("job");
}

#[test]
fn a_detached_job_survives_the_end_of_its_launchers_group_and_terminal() {
    let scene = Scene::new();
    let script = r#""$RUN" --dir "$DIR" --heartbeat-interval 100ms job -- true
        "$RUN" --dir "$DIR" --heartbeat-interval 100ms --detach job -- sleep 954; sleep 955"#;
    let launcher = scene.sh(script).with(|command| {
        command.process_group(0);
    });
    let launcher = launcher.start();
    until("the launcher is past the start", || !scene.members_running("sleep 955").is_empty());
    let wrapper = scene.wrapper("job");
    kill_process_group(Pid::from_child(&launcher.child), Signal::KILL).unwrap();
    launcher.wait();
    wrapper.signal(Signal::HUP);
    scene.beats("job", 3);
    assert!(wrapper.alive());
    // It left the session of its launcher, and leads none that could get a terminal.
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", wrapper.pid)).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    assert_ne!(fields[3], nix::unistd::getsid(None).unwrap().to_string());
    assert_ne!(fields[3], wrapper.pid.to_string(), "forked twice");
    scene.watched("--once job").exits(5);
    scene.stop("job");
    scene.nothing_is_left();
}

#[test]
fn a_detached_job_needs_no_standing_caller_directory_or_streams() {
    let scene = Scene::new();
    // All three standard streams closed.
    let script = r#"exec <&- >&- 2>&-; exec "$RUN" --dir "$DIR" --detach job -- sh -c 'echo said'"#;
    scene.sh(script).finish().exits(0);
    until("the job ended", || scene.status("job").is_some());
    assert_eq!(scene.status("job").as_deref(), Some("SUCCESS\n"));
    assert_eq!(scene.read("job.log"), "said\n");
}

#[test]
fn the_printed_directory_can_be_used_from_anywhere() {
    let scene = Scene::new();
    let done = scene
        .program(RUN)
        .args(["--detach", "--dir", "near", "job", "--", "sleep", "956"])
        .finish();
    let done = done.exits(0);
    let fields: Vec<&str> = done.stdout.trim_end().split('\t').collect();
    assert_eq!(fields.len(), 3, "{}", done.told());
    assert!(Process::of(fields[1].parse().unwrap()).is_some());
    assert!(scene.path("near/job.pid").exists());
    scene.program(crate::scene::WATCH).args(["--stop", "--dir", "near", "job"]).finish();
    assert!(scene.path("near/job.status").exists());
}
