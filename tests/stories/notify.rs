//! The readiness protocol of systemd, spoken with the command below and the supervisor above.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use serde_json::{Value, json};

use crate::scene::{Scene, has, skip, traceable, until};

const QUICK: &str = "--heartbeat-interval 100ms --stale 20s";

/// Sends the words of a line to a notify socket, as systemd-notify would, and waits for nothing.
fn send(to: &str, words: &str) {
    let socket = UnixDatagram::unbound().unwrap();
    if let Some(name) = to.strip_prefix('@') {
        use std::os::linux::net::SocketAddrExt as _;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap();
        let _ = socket.send_to_addr(words.as_bytes(), &address);
    } else {
        let _ = socket.send_to(words.as_bytes(), to);
    }
}

#[test]
fn the_real_systemd_notify_is_understood() {
    let name = "the_real_systemd_notify_is_understood";
    if !has("systemd-notify") {
        return skip(name, "systemd-notify is not installed");
    }
    let scene = Scene::new();
    // Each call waits until the descriptor it passes is closed, and fails after 5 s otherwise.
    let script = "systemd-notify --ready --status='half way' && touch answered
        while :; do systemd-notify WATCHDOG=1 || touch unanswered; sleep 0.05; done";
    let wrapper =
        scene.run(QUICK).args(["--beat-on", "app", "job", "--", "sh", "-c", script]).start();
    until("the first call returned", || scene.path("answered").exists());
    scene.beats("job", 6);
    until("the status is the progress", || {
        scene.heartbeat("job").is_some_and(|record| record["progress"] == json!("half way"))
    });
    assert_eq!(scene.heartbeat("job").unwrap()["evidence"]["kind"], json!("app"));
    assert!(!scene.path("unanswered").exists(), "a passed descriptor was kept open");
    let seen = scene.watched("--once --json job").exits(5).json();
    assert_eq!(seen["progress"], json!("half way"));
    scene.watched("--once job").exits(5).says("half way");
    scene.stop("job");
    wrapper.wait();
}

#[test]
fn only_senders_of_the_tree_count() {
    let name = "only_senders_of_the_tree_count";
    if !has("systemd-notify") {
        return skip(name, "systemd-notify is not installed");
    }
    let scene = Scene::new();
    let script = r#"echo "$NOTIFY_SOCKET $WATCHDOG_USEC" > told.new; mv told.new told
        until [ -e go ]; do sleep 0.05; done; systemd-notify --status=ours; sleep 967"#;
    let wrapper =
        scene.run(QUICK).args(["--beat-on", "app,alive", "job", "--", "sh", "-c", script]).start();
    until("the command told its socket", || scene.path("told").exists());
    let told = fs::read_to_string(scene.path("told")).unwrap();
    let (socket, interval) = told.trim().split_once(' ').expect("both variables are given");
    assert!(interval.parse::<u64>().is_ok_and(|micros| micros > 0));
    assert!(socket.len() < 100, "short enough for any client: {socket}");
    send(socket, "STATUS=a stranger's\nWATCHDOG=1");
    scene.beats("job", 5);
    assert_eq!(scene.heartbeat("job").map(|record| record["progress"].clone()), Some(Value::Null));
    fs::write(scene.path("go"), "").unwrap();
    until("the job's own status is taken", || {
        scene.heartbeat("job").is_some_and(|record| record["progress"] == json!("ours"))
    });
    scene.stop("job");
    wrapper.wait();
}

#[test]
fn a_strangers_watchdog_is_no_beat() {
    let scene = Scene::new();
    let script = r#"echo "$NOTIFY_SOCKET" > told.new; mv told.new told; exec sleep 968"#;
    let wrapper =
        scene.run(QUICK).args(["--beat-on", "app", "job", "--", "sh", "-c", script]).start();
    until("the command told its socket", || scene.path("told").exists());
    let socket = fs::read_to_string(scene.path("told")).unwrap();
    until("the last beat is a second old, whatever the stranger sends", || {
        send(socket.trim(), "WATCHDOG=1");
        scene.last_beat("job").unwrap().elapsed().is_ok_and(|age| age > Duration::from_secs(1))
    });
    scene.stop("job");
    wrapper.wait();
}

#[test]
fn no_socket_is_offered_unless_the_job_reports() {
    let scene = Scene::new();
    let script = "echo \"[${NOTIFY_SOCKET-}][${WATCHDOG_USEC-}]\"";
    scene.run("--beat-on output job -- sh -c").arg(script).finish().exits(0);
    assert_eq!(scene.read("job.log"), "[][]\n");
}

#[test]
fn the_supervisor_above_hears_of_the_job() {
    let scene = Scene::new();
    let socket = UnixDatagram::bind(scene.path("above")).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let run = scene
        .run("--heartbeat-interval 100ms --beat-on alive job -- sh -c")
        .arg("until [ -e go ]; do sleep 0.05; done");
    let wrapper = run.env("NOTIFY_SOCKET", scene.path("above")).start();
    let mut heard = String::new();
    let mut buffer = [0; 4096];
    until("a start and beats", || {
        if let Ok(length) = socket.recv(&mut buffer) {
            heard.push_str(&String::from_utf8_lossy(&buffer[..length]));
            heard.push('\n');
        }
        heard.lines().any(|line| line == "READY=1") && heard.matches("WATCHDOG=1").count() >= 3
    });
    wrapper.signal(rustix::process::Signal::TERM);
    until("the stop", || {
        if let Ok(length) = socket.recv(&mut buffer) {
            heard.push_str(&String::from_utf8_lossy(&buffer[..length]));
            heard.push('\n');
        }
        heard.lines().any(|line| line == "STOPPING=1")
    });
    wrapper.wait();
    assert_eq!(scene.outcome("job"), "stopped");
}

#[test]
fn a_status_of_the_command_is_passed_on_above() {
    let name = "a_status_of_the_command_is_passed_on_above";
    if !has("systemd-notify") {
        return skip(name, "systemd-notify is not installed");
    }
    let scene = Scene::new();
    let socket = UnixDatagram::bind(scene.path("above")).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let script = "systemd-notify --status='step 7'; exec sleep 969";
    let run = scene.run("--heartbeat-interval 100ms --beat-on app,alive job -- sh -c").arg(script);
    let wrapper = run.env("NOTIFY_SOCKET", scene.path("above")).start();
    let mut buffer = [0; 4096];
    let mut heard = String::new();
    until("the status arrived above", || {
        if let Ok(length) = socket.recv(&mut buffer) {
            heard.push_str(&String::from_utf8_lossy(&buffer[..length]));
            heard.push('\n');
        }
        heard.contains("step 7")
    });
    scene.stop("job");
    wrapper.wait();
}

#[test]
fn a_runtime_directory_that_takes_no_socket_is_passed_over() {
    let scene = Scene::new();
    let script = r#"test -S "$NOTIFY_SOCKET" && exit 7"#;
    let run = scene.run("--beat-on app job -- sh -c").arg(script);
    run.env("XDG_RUNTIME_DIR", "/proc").finish().exits(7);
    assert_eq!(scene.outcome("job"), "failed");
}

#[test]
fn a_start_that_fails_for_want_of_a_socket_changes_no_file() {
    if !traceable("a_start_that_fails_for_want_of_a_socket_changes_no_file") {
        return;
    }
    let scene = Scene::new();
    scene.ran("job -- sh -c 'echo old; exit 3'").exits(3);
    let before = Scene::snapshot(&scene.dir());
    let line = "strace -f -qq -o /dev/null -e inject=bind:error=EACCES";
    for options in [&["--quiet"][..], &["--detach"]] {
        let run = scene.command(line).arg(crate::scene::RUN).arg("--dir").arg(scene.dir());
        let run = run.args(options).args(["--beat-on", "app", "job", "--"]);
        let done = run.args(["sh", "-c", "echo ran > proof"]).finish().exits(125);
        assert_ne!(done.stderr, "", "{}", done.told());
        assert!(!scene.path("proof").exists());
        assert_eq!(before, Scene::snapshot(&scene.dir()), "{options:?}");
    }
    scene.watched("--once job").exits(1);
}

/// A job whose `STATUS=` is full of control characters, `plain` among them, until it is told to go.
fn colourful(scene: &Scene) -> crate::scene::Running {
    let script = r#"socket(my $to, AF_UNIX, SOCK_DGRAM, 0);
        send($to, "STATUS=\e[31mred\e]0;title\a \e[2Kplain\x7f\x08\xc2\x9b1m", 0,
            sockaddr_un($ENV{NOTIFY_SOCKET}));
        until (-e "go") { select(undef, undef, undef, 0.05) }
        exit 3"#;
    let run = scene.run("--heartbeat-interval 100ms --beat-on app,alive job -- perl -MSocket -e");
    let wrapper = run.arg(script).start();
    until("the status is taken", || {
        scene.heartbeat("job").is_some_and(|record| {
            record["progress"].as_str().is_some_and(|text| text.contains("plain"))
        })
    });
    wrapper
}

fn speaks(name: &str) -> bool {
    let able = has("perl") && crate::scene::can("perl -MSocket -e 1");
    if !able {
        skip(name, "perl is not installed");
    }
    able
}

#[track_caller]
fn is_clean(done: &crate::scene::Done) {
    for c in done.stdout.chars().chain(done.stderr.chars()) {
        assert!(c == '\n' || !c.is_control(), "{c:?} in {}", done.told());
    }
}

#[test]
fn an_escape_in_a_status_does_not_reach_the_terminal() {
    if !speaks("an_escape_in_a_status_does_not_reach_the_terminal") {
        return;
    }
    let scene = Scene::new();
    let wrapper = colourful(&scene);
    for options in ["--once", "--events --max-wait 300ms", "--tick 50ms --max-wait 300ms"] {
        let done = scene.watched(&format!("{options} job")).exits(5).says("plain");
        is_clean(&done);
    }
    is_clean(&scene.watched("--list").says("plain"));
    let watcher = scene.watch("--events job").start();
    fs::write(scene.path("go"), "").unwrap();
    is_clean(&wrapper.wait().exits(3));
    is_clean(&watcher.wait().exits(1));
}

#[test]
fn no_control_character_stands_in_json_as_it_is() {
    if !speaks("no_control_character_stands_in_json_as_it_is") {
        return;
    }
    let scene = Scene::new();
    let wrapper = colourful(&scene);
    for options in ["--once --json job", "--events --json --max-wait 300ms job", "--list --json"] {
        let done = scene.watched(options).says("plain");
        done.json_lines();
        is_clean(&done);
    }
    scene.stop("job");
    wrapper.wait();
}
