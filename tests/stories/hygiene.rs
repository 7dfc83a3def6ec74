//! What a command inherits is what its caller meant it to have, and nothing of the wrapper's.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use crate::scene::{Process, Running, Scene, until_some};

/// A line of `/proc/PID/status`.
#[track_caller]
fn status_line(pid: u32, key: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{key}:")));
    line.unwrap_or_else(|| panic!("no {key}")).trim().to_owned()
}

fn descriptors(pid: u32) -> Vec<u32> {
    let dir = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let mut all: Vec<u32> =
        dir.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok()).collect();
    all.sort_unstable();
    all
}

/// The one process of the scene that runs this command line.
fn find(scene: &Scene, line: &str) -> Process {
    until_some(line, || scene.members_running(line).first().copied())
}

fn end(scene: &Scene, wrapper: Running) {
    scene.stop("job");
    wrapper.wait();
}

#[test]
fn stdin_is_empty_unless_it_is_passed() {
    let scene = Scene::new();
    fs::write(scene.path("input"), "hello\n").unwrap();
    let with_input = |line: &str| {
        let input = fs::File::open(scene.path("input")).unwrap();
        let run = scene.run(line).start_with(|command| {
            command.stdin(input);
        });
        run.wait().exits(0);
        scene.read("job.log")
    };
    assert_eq!(with_input("job -- sh -c 'readlink /proc/self/fd/0; cat'"), "/dev/null\n");
    assert_eq!(with_input("--stdin job -- cat"), "hello\n");
}

#[test]
fn the_mask_for_new_files_is_the_callers() {
    let scene = Scene::new();
    for (umask, expected) in [("027", 0o640), ("000", 0o666)] {
        let script = format!(
            r#"umask {umask}; exec "$RUN" --dir "$DIR" job -- sh -c 'rm -f made; : > made'"#
        );
        scene.sh(&script).finish().exits(0);
        assert_eq!(fs::metadata(scene.path("made")).unwrap().mode() & 0o777, expected);
        // The job's own files are private all the same.
        assert_eq!(fs::metadata(scene.file("job.log")).unwrap().mode() & 0o777, 0o600);
    }
}

#[test]
fn no_descriptor_of_the_wrapper_reaches_the_command() {
    let scene = Scene::new();
    fs::write(scene.path("passed"), "").unwrap();
    // What the same shell gives to a command without the wrapper.
    let bare = scene.sh("exec 7<passed; exec sleep 930").start();
    let expected = descriptors(find(&scene, "sleep 930").pid);
    assert!(expected.contains(&7));
    drop(bare);
    let script = r#"exec 7<passed; exec "$RUN" --dir "$DIR" --beat-on auto,app job -- sleep 931"#;
    let wrapper = scene.sh(script).start();
    let command = find(&scene, "sleep 931");
    assert_eq!(descriptors(command.pid), expected, "what the caller passed, and no more");
    end(&scene, wrapper);

    let script = r#"exec 7<passed; exec "$RUN" --dir "$DIR" --detach job -- sleep 932"#;
    scene.sh(script).finish().exits(0);
    let command = find(&scene, "sleep 932");
    assert_eq!(descriptors(command.pid), [0, 1, 2]);
    scene.stop("job");
}

#[test]
fn both_output_streams_are_the_log_itself() {
    let scene = Scene::new();
    let wrapper = scene.up("job", "job -- sleep 933");
    let command = find(&scene, "sleep 933");
    for fd in [1, 2] {
        let target = fs::read_link(format!("/proc/{}/fd/{fd}", command.pid)).unwrap();
        assert_eq!(target, fs::canonicalize(scene.file("job.log")).unwrap());
        let info = fs::read_to_string(format!("/proc/{}/fdinfo/{fd}", command.pid)).unwrap();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
        let flags = i32::from_str_radix(flags, 8).unwrap();
        assert_ne!(flags & libc::O_APPEND, 0, "appends");
    }
    end(&scene, wrapper);
}

#[test]
fn signals_are_blocked_and_ignored_as_the_caller_had_them() {
    let scene = Scene::new();
    let cases = [
        (":", "job"),
        ("trap '' INT HUP USR1", "job"),
        (":", "--detach job"),
        ("trap '' INT USR2", "--detach job"),
    ];
    for (traps, options) in cases {
        // What the same shell would give a command without the wrapper.
        let bare = scene.sh(&format!("{traps}; exec sleep 934")).start();
        let bare_process = find(&scene, "sleep 934");
        let script = format!(r#"{traps}; exec "$RUN" --dir "$DIR" {options} -- sleep 935"#);
        let wrapper = scene.sh(&script).start();
        let command = find(&scene, "sleep 935");
        assert_eq!(status_line(command.pid, "SigBlk"), "0000000000000000", "{script}");
        assert_eq!(
            status_line(command.pid, "SigIgn"),
            status_line(bare_process.pid, "SigIgn"),
            "{script}"
        );
        assert_eq!(status_line(command.pid, "SigCgt"), status_line(bare_process.pid, "SigCgt"));
        drop(bare);
        end(&scene, wrapper);
    }
}

#[test]
fn the_command_leads_its_own_session() {
    let scene = Scene::new();
    let wrapper = scene.up("job", "job -- sleep 936");
    let command = find(&scene, "sleep 936");
    let stat = fs::read_to_string(format!("/proc/{}/stat", command.pid)).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    assert_eq!(fields[2], command.pid.to_string(), "the process group");
    assert_eq!(fields[3], command.pid.to_string(), "the session");
    assert_eq!(fields[4], "0", "no terminal");
    end(&scene, wrapper);
}

#[test]
fn a_broken_pipe_kills_inside_the_job_as_outside() {
    let scene = Scene::new();
    scene.ran("job -- sh -c 'yes | head -n 1'").exits(0);
    assert_eq!(scene.read("job.log"), "y\n", "SIGPIPE has its default action");
}

#[test]
fn a_terminal_passed_on_is_the_commands_own() {
    let name = "a_terminal_passed_on_is_the_commands_own";
    if !crate::scene::has("tmux") {
        return crate::scene::skip(name, "tmux is not installed");
    }
    let scene = Scene::new();
    // The shell in the pane waits for the wrapper, and keeps its exit status for the story.
    let pane = scene.script(
        "pane",
        "#!/bin/sh\n\"$RUN\" --dir \"$DIR\" --stdin job -- sh -c 'test -t 0 || exit 8; read word || exit 9; echo \"got $word\"'\necho $? > code\n",
    );
    let socket = scene.path("tmux");
    let tmux = |arguments: &[&str]| {
        scene.program("tmux").arg("-S").arg(&socket).args(["-f", "/dev/null"]).args(arguments)
    };
    tmux(&["new-session", "-d"]).arg(&pane).finish().exits(0);
    scene.is_up("job");
    tmux(&["send-keys", "hello", "Enter"]).finish();
    crate::scene::until("the command read the terminal", || scene.status("job").is_some());
    assert_eq!(scene.read("job.log"), "got hello\n", "{}", scene.result("job"));
    crate::scene::until("the wrapper returned to its shell", || {
        fs::read_to_string(scene.path("code")).is_ok_and(|code| code == "0\n")
    });
    tmux(&["kill-server"]).finish();
    crate::scene::until("the terminal is gone", || scene.members().is_empty());
}
