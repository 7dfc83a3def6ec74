//! A job that can never go on is told from a quiet one, and both are told in words.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::scene::{Process, RUN, Running, Scene, can, has, is_root, skip, until, until_some};

/// Looks often; nobody finds it stale before a story asks for that.
const QUICK: &str = "--heartbeat-interval 200ms --stale 60s --grace 1s";
/// What makes a job of [`QUICK`] stale after all.
const HASTY: &str = "--stale 1s --poll-interval 200ms";

/// Two threads that take two locks in opposite order.
const DEADLOCK: &str = r#"
import threading
one, two = threading.Lock(), threading.Lock()
both_hold = threading.Barrier(2)
def work(first, second):
    with first:
        both_hold.wait()
        with second:
            pass
print("last words", flush=True)
for order in ((one, two), (two, one)):
    threading.Thread(target=work, args=order).start()
"#;

/// A lock that waits for itself, with no more than a shell: the inner one waits for the outer.
const LOCKED: &str = "flock lock flock lock true";

/// A scene with the deadlock in a file; none if there is no Python.
fn with_python(name: &str) -> Option<Scene> {
    if !has("python3") {
        skip(name, "there is no python3");
        return None;
    }
    let scene = Scene::new();
    fs::write(scene.path("deadlock.py"), DEADLOCK).unwrap();
    Some(scene)
}

/// Waits until the job is found stuck; the diagnosis.
#[track_caller]
fn is_stuck(scene: &Scene, job: &str) -> String {
    until_some(&format!("{job} is found stuck"), || {
        scene.heartbeat(job)?["stuck"].as_str().map(str::to_owned)
    })
}

/// Waits until evidence of this kind is recorded with these words; the words.
#[track_caller]
fn awaits(scene: &Scene, job: &str, words: &str) -> String {
    until_some(&format!("{job} says {words:?}"), || {
        let record = scene.heartbeat(job)?;
        assert_eq!(record["stuck"], json!(null), "{job} is not stuck");
        let detail = record["evidence"]["detail"].as_str()?;
        (record["evidence"]["kind"] == json!("waiting") && detail.contains(words))
            .then(|| detail.to_owned())
    })
}

/// The job beats for a good while, and is not once called stuck.
#[track_caller]
fn beats_on(scene: &Scene, job: &str) {
    for _ in 0..6 {
        scene.beats(job, 1);
        let stuck = scene.heartbeat(job).map(|record| record["stuck"].clone());
        assert!(stuck.is_none_or(|stuck| stuck.is_null()), "{job} was called stuck");
    }
    assert_eq!(scene.status(job), None);
}

#[track_caller]
fn end(scene: &Scene, job: &str, wrapper: Running) {
    scene.stop(job);
    wrapper.wait();
}

/// The job's command itself.
fn command_of(scene: &Scene, job: &str) -> Process {
    let pid = scene.heartbeat(job).expect("a heartbeat")["child_pid"].as_u64().expect("a PID");
    Process::of(pid.try_into().unwrap()).expect("the command is alive")
}

#[test]
fn a_deadlock_is_said_withholds_its_beats_and_ends_as_hung() {
    let Some(scene) = with_python("a_deadlock_is_said_withholds_its_beats_and_ends_as_hung") else {
        return;
    };
    let wrapper = scene.up("job", &format!("{QUICK} job -- python3 deadlock.py"));
    let words = "threads wait for a lock no running thread can release";
    let diagnosis = is_stuck(&scene, "job");
    let python = command_of(&scene, "job");
    assert!(diagnosis.contains(&format!("[{}]: 3 {words}", python.pid)), "{diagnosis:?}");

    // It was written into the record, and the last beat stays where it was.
    let last = scene.last_beat("job").unwrap();
    let meta = fs::metadata(scene.file("job.heartbeat")).unwrap();
    let since_beat =
        (meta.ctime() - meta.mtime()) * 1000 + (meta.ctime_nsec() - meta.mtime_nsec()) / 1_000_000;
    assert!(since_beat > 100, "writing `stuck` is no beat: {since_beat} ms");
    until("a second without a beat", || {
        last.elapsed().is_ok_and(|age| age > Duration::from_secs(1))
    });
    assert_eq!(scene.last_beat("job"), Some(last));

    let once = scene.watched("--once job").exits(5).says("diagnosis: ").says(words);
    assert!(once.stdout.starts_with("running  job  for "), "{}", once.told());
    let once = scene.watched("--once --json job").exits(5).json();
    assert_eq!(once["diagnosis"], json!(diagnosis));
    assert_eq!(once["awaits"], json!(null), "it waits for nothing that may come");
    assert_eq!(scene.last_beat("job"), Some(last));

    let done = scene.watched(&format!("{HASTY} job")).exits(3).says(words);
    assert!(done.stdout.starts_with("hung  job  "), "{}", done.told());
    assert_eq!(scene.status("job").as_deref(), Some("FAILED\n"));
    let result = scene.result("job");
    assert_eq!(result["outcome"], json!("hung"));
    let told = result["diagnosis"].as_str().expect("a diagnosis");
    for part in [words, " S, 3 threads, ", " s CPU", "last output: last words"] {
        assert!(told.contains(part), "{part:?} in {told:?}");
    }
    assert_eq!(scene.watched("--once --json job").exits(3).json()["diagnosis"], json!(told));
    wrapper.wait().exits(124);
    scene.nothing_is_left();
}

#[test]
fn a_deadlock_beats_on_where_being_there_is_enough_and_is_said_all_the_same() {
    let name = "a_deadlock_beats_on_where_being_there_is_enough_and_is_said_all_the_same";
    let Some(scene) = with_python(name) else {
        return;
    };
    let line = format!("{QUICK} --beat-on alive job -- python3 deadlock.py");
    let wrapper = scene.up("job", &line);
    let diagnosis = is_stuck(&scene, "job");
    scene.beats("job", 4);
    let record = scene.heartbeat("job").unwrap();
    assert_eq!(
        (&record["stuck"], &record["evidence"]["kind"]),
        (&json!(diagnosis), &json!("alive"))
    );
    let job = format!("{HASTY} --max-wait 2s job");
    scene.watched(&job).exits(5).says("diagnosis: ").says("no running thread can release");
    end(&scene, "job", wrapper);
}

/// The lines that a watcher with `--events` has told so far: state and detail.
fn events(watcher: &Running) -> Vec<(String, String)> {
    let text = watcher.stdout();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let line = |line: &str| {
        let mut words = line.splitn(4, ' ').map(str::trim);
        let time = words.next().expect("a time");
        assert!(time.contains('T') && time.ends_with('Z'), "{line:?}");
        assert_eq!(words.next(), Some("job"), "{line:?}");
        let state = words.next().expect("a state").to_owned();
        (state, words.next().unwrap_or_default().to_owned())
    };
    whole.lines().filter(|line| !line.is_empty()).map(line).collect()
}

#[test]
fn each_change_of_state_is_told_as_it_happens() {
    let scene = Scene::new();
    let script = "echo begun; while [ ! -e quiet ]; do sleep 0.05; done; exec sleep 945";
    let wrapper = scene.run(QUICK).args(["job", "--", "sh", "-c", script]).start();
    scene.is_up("job");
    let mut told = scene.watch("--events job").start();
    let mut coded = scene.watch("--events --json job").start();
    told.until_it_says(" started ");
    coded.until_it_says("\"started\"");

    let shell = command_of(&scene, "job");
    shell.signal(Signal::STOP);
    let diagnosis = is_stuck(&scene, "job");
    assert_eq!(diagnosis, format!("sh[{}]: is stopped by a signal", shell.pid));
    told.until_it_says(&format!(" stuck {diagnosis}"));
    coded.until_it_says("\"stuck\"");
    let last = scene.last_beat("job");

    // Somebody came after all: nothing of it stays.
    shell.signal(Signal::CONT);
    told.until_it_says(" resumed ");
    coded.until_it_says("\"resumed\"");
    until("it beats again", || scene.last_beat("job") > last);
    until("it is not stuck any more", || {
        scene.heartbeat("job").is_some_and(|record| record["stuck"].is_null())
    });

    fs::write(scene.path("quiet"), "").unwrap();
    told.until_it_says(" quiet ");
    coded.until_it_says("\"quiet\"");
    scene.stop("job");
    wrapper.wait();
    told.until_it_says("failed");
    coded.until_it_says("\"verdict\"");
    let seen = events(&told);
    let states: Vec<&str> = seen.iter().map(|(state, _)| state.as_str()).collect();
    assert_eq!(states, ["started", "stuck", "resumed", "quiet", "failed"], "{seen:?}");
    assert_eq!(seen[3].1, format!("sleep[{}]: waits for the clock", shell.pid));

    let mut coded = coded.wait().exits(1).json_lines();
    let verdict = coded.pop().expect("a verdict");
    assert_eq!(verdict["outcome"], json!("stopped"));
    let states: Vec<&Value> = coded.iter().map(|line| &line["state"]).collect();
    assert_eq!(states, ["started", "stuck", "resumed", "quiet"]);
    assert_eq!(coded[1]["detail"], json!(diagnosis));
    assert!(coded.iter().all(|line| line["name"] == json!("job") && line["time"].is_string()));
    told.wait().exits(1);
}

#[test]
fn one_who_comes_later_is_told_of_a_stuck_job_at_once() {
    let scene = Scene::new();
    let wrapper = scene.up("job", &format!("{QUICK} job -- {LOCKED}"));
    is_stuck(&scene, "job");
    let begun = Instant::now();
    scene.watch("--events job").start().until_it_says(" stuck ");
    assert!(begun.elapsed() < Duration::from_secs(10), "it took {:?}", begun.elapsed());
    end(&scene, "job", wrapper);
}

#[test]
fn what_goes_on_by_itself_is_not_stuck_any_more() {
    let scene = Scene::new();
    let script = format!("{LOCKED}; echo on; exec sleep 946");
    let wrapper = scene.run(QUICK).args(["job", "--", "sh", "-c", &script]).start();
    scene.is_up("job");
    let diagnosis = is_stuck(&scene, "job");
    assert!(diagnosis.contains("waits for a file lock held by flock["), "{diagnosis:?}");
    let last = scene.last_beat("job");
    let inner = scene.members_running("flock lock true");
    assert_eq!(inner.len(), 1, "{inner:?}");
    inner[0].signal(Signal::TERM);
    until("it beats again", || scene.last_beat("job") > last);
    awaits(&scene, "job", "sleep[");
    beats_on(&scene, "job");
    scene.watched("--once job").exits(5).never_says("diagnosis").says("waits for the clock");
    end(&scene, "job", wrapper);
}

/// What is awaited, in the record, in both forms of one look, and in the list.
#[track_caller]
fn is_told(scene: &Scene, job: &str, words: &str) {
    let detail = awaits(scene, job, words);
    let command = command_of(scene, job);
    assert!(detail.contains(&format!("[{}]: ", command.pid)), "{job}: {detail:?}");
    let line = scene.watched(&format!("--once {job}")).exits(5).says(words);
    assert_eq!(line.stdout.lines().count(), 1, "{}", line.told());
    let record = scene.watched(&format!("--once --json {job}")).exits(5).json();
    assert_eq!(record["awaits"], json!(detail), "{job}");
    assert_eq!(record["diagnosis"], json!(null), "{job}");
    let list = scene.watched("--list").exits(0);
    let of_job = |line: &&str| line.split_whitespace().nth(1) == Some(job);
    let line = list.stdout.lines().find(of_job).unwrap_or_default();
    assert!(line.starts_with("running") && line.contains(words), "{job}: {}", list.told());
}

#[test]
fn what_a_quiet_job_waits_for_is_said_in_words() {
    let Some(scene) = with_python("what_a_quiet_job_waits_for_is_said_in_words") else {
        return;
    };
    let me = fs::read_to_string("/proc/self/comm").unwrap();
    let me = format!("{}[{}]", me.trim(), std::process::id());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let path = scene.path("socket");
    let unix = UnixListener::bind(&path).unwrap();
    let lock = fs::File::create(scene.path("lock")).unwrap();
    lock.lock().unwrap();
    fs::write(scene.path("still"), "").unwrap();
    scene.command("mkfifo").arg(scene.path("fifo")).finish().exits(0);

    let client = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); s.recv(1)";
    let server = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); s.accept()";
    let of_unix =
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect('socket'); s.recv(1)";
    let own_unix =
        "import socket; s = socket.socket(socket.AF_UNIX); s.bind('own'); s.listen(); s.accept()";
    let port_word = port.to_string();
    let mut cases: Vec<(&str, Vec<&str>, String)> = vec![
        ("clock", vec!["sleep", "947"], "waits for the clock".to_owned()),
        (
            "tcp",
            vec!["python3", "-c", client, &port_word],
            format!("waits for 127.0.0.1:{port} (tcp)"),
        ),
        (
            "listener",
            vec!["python3", "-c", server],
            "waits for a connection on 127.0.0.1:".to_owned(),
        ),
        ("lock", vec!["flock", "lock", "true"], format!("waits for a file lock held by {me}")),
        (
            "fifo",
            vec!["sh", "-c", "exec 3<>fifo; read word <&3"],
            format!("waits for the FIFO {}", scene.path("fifo").display()),
        ),
        (
            "unix",
            vec!["python3", "-c", of_unix],
            format!("waits for {me} (unix socket {})", path.display()),
        ),
        ("own-unix", vec!["python3", "-c", own_unix], "waits for a connection".to_owned()),
    ];
    if has("inotifywait") {
        let command = vec!["inotifywait", "-qq", "still"];
        cases.push(("inotify", command, "waits for a change of files (inotify)".to_owned()));
    }
    let start = |(job, command, _): &(&str, Vec<&str>, String)| {
        scene.run(QUICK).args([job, "--"]).args(command).start()
    };
    let wrappers: Vec<Running> = cases.iter().map(start).collect();
    for (job, ..) in &cases {
        scene.is_up(job);
    }
    let (_tcp, _) = silent.accept().unwrap();
    let (_unix, _) = unix.accept().unwrap();
    for (job, _, words) in &cases {
        is_told(&scene, job, words);
    }
    let bound = scene.read("listener.log");
    is_told(
        &scene,
        "listener",
        &format!("waits for a connection on 127.0.0.1:{} (tcp)", bound.trim()),
    );

    // Each goes on when what it waits for comes.
    TcpStream::connect(("127.0.0.1", bound.trim().parse().unwrap())).unwrap();
    drop(lock);
    fs::OpenOptions::new()
        .write(true)
        .open(scene.path("fifo"))
        .unwrap()
        .write_all(b"word\n")
        .unwrap();
    for job in ["listener", "lock", "fifo"] {
        assert_eq!(scene.watched(job).exits(0).code, Some(0));
    }
    for ((job, ..), wrapper) in cases.iter().zip(wrappers) {
        if scene.status(job).is_none() {
            scene.watched(&format!("--stop {job}"));
        }
        wrapper.wait();
    }
}

#[test]
fn a_job_that_works_without_a_word_is_called_busy() {
    let scene = Scene::new();
    // Busy is who has half a core: on a crowded machine only for root, who may ask for that.
    let spin = "renice -n -20 $$ > /dev/null 2>&1; while :; do :; done";
    let dumb = scene.run(QUICK).args(["dumb", "--", "sh", "-c", spin]).start();
    let script = "i=0; while :; do i=$((i + 1)); [ $((i % 5000)) -gt 0 ] || echo $i; done";
    let talks = scene.run(QUICK).args(["talks", "--", "sh", "-c", script]).start();
    scene.is_up("dumb");
    scene.is_up("talks");
    let busy = until_some("the silent one is called busy", || {
        let done = scene.watched("--once dumb").exits(5);
        done.stdout.contains("busy, no output for ").then_some(done)
    });
    let busy = busy.never_says("quiet for").never_says("diagnosis");
    assert!(busy.stdout.contains(&format!("sh[{}]", command_of(&scene, "dumb").pid)));
    until("the other one is not", || {
        let kind = scene.heartbeat("talks").map(|record| record["evidence"]["kind"].clone());
        kind == Some(json!("output"))
            && !scene.watched("--once talks").exits(5).stdout.contains("busy")
    });
    end(&scene, "dumb", dumb);
    end(&scene, "talks", talks);
}

const ASKS: &str = r#"printf "Overwrite? [y/N] "; read word; echo "got $word""#;

#[test]
fn a_prompt_that_somebody_can_answer_is_said_and_awaited() {
    let scene = Scene::new();
    let mut wrapper = scene
        .run("--heartbeat-interval 200ms --stale 1s --end-if-stale --stdin job -- sh -c")
        .arg(ASKS)
        .start_with(|command| {
            command.stdin(Stdio::piped());
        });
    scene.is_up("job");
    let shell = command_of(&scene, "job").pid;
    let said = awaits(&scene, "job", "input");
    assert_eq!(said, format!("sh[{shell}]: waits for input: Overwrite? [y/N]"));
    beats_on(&scene, "job");
    scene.watched("--once job").exits(5).says("waits for input: Overwrite? [y/N]");
    scene.watched("--poll-interval 200ms --max-wait 2s job").exits(5);
    wrapper.child.stdin.take().unwrap().write_all(b"y\n").unwrap();
    wrapper.wait().exits(0);
    assert_eq!(scene.read("job.log"), "Overwrite? [y/N] got y\n");
}

/// A terminal of our own: our end of it, theirs, and its path.
fn terminal() -> (fs::File, OwnedFd, PathBuf) {
    let pair = nix::pty::openpty(None, None).expect("a pseudo terminal");
    let path = nix::unistd::ttyname(&pair.slave).expect("its name");
    (pair.master.into(), pair.slave, path)
}

#[test]
fn a_terminal_that_was_passed_is_somebodys() {
    let name = "a_terminal_that_was_passed_is_somebodys";
    if !can("setsid --version") {
        return skip(name, "there is no setsid");
    }
    let scene = Scene::new();
    let (mut person, theirs, path) = terminal();
    let options = "--heartbeat-interval 200ms --stale 1s --end-if-stale --stdin";
    let wrapper = scene
        .program("setsid")
        .args(["-c", RUN, "--dir"])
        .arg(scene.dir())
        .args(options.split(' '))
        .args(["job", "--", "sh", "-c", ASKS])
        .start_with(|command| {
            command.stdin(theirs);
        });
    scene.is_up("job");
    let said = awaits(&scene, "job", "input");
    assert!(said.ends_with("]: waits for input: Overwrite? [y/N]"), "{said:?} on {path:?}");
    beats_on(&scene, "job");
    person.write_all(b"y\n").unwrap();
    wrapper.wait().exits(0);
    assert_eq!(scene.read("job.log"), "Overwrite? [y/N] got y\n");
}

#[test]
fn a_prompt_on_a_terminal_nobody_passed_is_stuck() {
    let scene = Scene::new();
    let (person, theirs, path) = terminal();
    let script = format!(r#"printf "Overwrite? [y/N] "; exec cat < {}"#, path.display());
    let wrapper = scene.run(QUICK).args(["job", "--", "sh", "-c", &script]).start();
    scene.is_up("job");
    let diagnosis = is_stuck(&scene, "job");
    let cat = command_of(&scene, "job").pid;
    let waits = format!("cat[{cat}]: waits for input from {}", path.display());
    assert!(diagnosis.starts_with(&waits), "{diagnosis:?}");
    assert!(diagnosis.ends_with("; it asks: Overwrite? [y/N]"), "{diagnosis:?}");
    scene.watched(&format!("{HASTY} job")).exits(3).says(&waits).says("Overwrite? [y/N]");
    wrapper.wait().exits(124);
    let told = scene.result("job")["diagnosis"].as_str().unwrap().to_owned();
    assert!(told.contains("it asks: Overwrite? [y/N]"), "{told:?}");
    drop((person, theirs));
}

#[test]
fn the_tree_is_examined_before_it_is_ended() {
    let scene = Scene::new();
    let examine = "echo $SENTINEL_PIDS > pids; for pid in $SENTINEL_PIDS; do \
        kill -0 $pid && cat /proc/$pid/comm >> lives; done; exec sh -c 'echo done > lives.done'";
    let options = "--heartbeat-interval 200ms --stale 60s --grace 20s";
    let wrapper = scene
        .run(options)
        .args(["--on-hang", examine, "job", "--"])
        .args(LOCKED.split(' '))
        .start();
    scene.is_up("job");
    is_stuck(&scene, "job");
    let mut expected: Vec<String> = ["flock lock flock lock true", "flock lock true"]
        .iter()
        .map(|line| scene.members_running(line)[0].pid.to_string())
        .collect();
    scene.watched(&format!("{HASTY} job")).exits(3);
    wrapper.wait().exits(124);
    let pids = fs::read_to_string(scene.path("pids")).unwrap();
    let mut pids: Vec<String> = pids.split_whitespace().map(str::to_owned).collect();
    pids.sort();
    expected.sort();
    assert_eq!(pids, expected);
    assert_eq!(fs::read_to_string(scene.path("lives")).unwrap(), "flock\nflock\n");
    assert!(scene.path("lives.done").exists(), "it came to its end");
    scene.nothing_is_left();
}

#[test]
fn an_examination_without_an_end_is_ended() {
    let scene = Scene::new();
    let examine = "echo $$ > examiner; sleep 948 & sleep 949";
    let wrapper = scene
        .run("--heartbeat-interval 200ms --stale 1s --end-if-stale --grace 500ms")
        .args(["--on-hang", examine, "job", "--"])
        .args(LOCKED.split(' '))
        .start();
    let done = wrapper.wait().exits(124);
    assert!(done.took < Duration::from_secs(20), "{:?}", done.took);
    assert!(scene.path("examiner").exists());
    let told = scene.result("job")["diagnosis"].as_str().unwrap().to_owned();
    assert!(told.contains("flock[") && !told.contains("sleep["), "{told:?}");
    assert!(!told.contains("sh["), "{told:?}");
    assert_eq!(scene.result("job")["survivors"], json!([]));
    scene.nothing_is_left();
}

#[test]
fn after_a_long_examination_the_command_still_has_its_grace() {
    let scene = Scene::new();
    let script = format!("trap 'sleep 2; echo cleaned; exit 1' TERM; {LOCKED} & wait; wait");
    let wrapper = scene
        .run("--heartbeat-interval 200ms --stale 60s --grace 3s --on-hang")
        .args(["sleep 952", "job", "--", "sh", "-c", &script])
        .start();
    scene.is_up("job");
    is_stuck(&scene, "job");
    scene.watched(&format!("{HASTY} job")).exits(3);
    wrapper.wait().exits(124);
    assert_eq!(scene.read("job.log"), "cleaned\n", "it was asked to end, and given the time");
}

#[test]
fn a_debugger_can_be_the_examination() {
    let name = "a_debugger_can_be_the_examination";
    if !has("gdb") {
        return skip(name, "there is no gdb");
    }
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    if !is_root() && !matches!(scope.trim(), "" | "0") {
        return skip(name, "only root may trace here");
    }
    let scene = Scene::new();
    let examine = "for pid in $SENTINEL_PIDS; do gdb -nx -batch -p $pid -ex 'info inferiors'; done >> trace 2>&1";
    let wrapper = scene
        .run("--heartbeat-interval 200ms --stale 1s --end-if-stale --grace 30s")
        .args(["--on-hang", examine, "job", "--"])
        .args(LOCKED.split(' '))
        .start();
    wrapper.wait().exits(124);
    let trace = fs::read_to_string(scene.path("trace")).unwrap();
    assert!(trace.matches("process ").count() >= 2, "{trace}");
    assert!(!trace.contains("ptrace: "), "{trace}");
    assert_eq!(scene.outcome("job"), "hung");
}

/// Makes itself unreadable to all but root, then waits for its own lock.
const HIDDEN: &str = "import ctypes, threading; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); \
    lock = threading.Lock(); lock.acquire(); lock.acquire()";

#[test]
fn what_cannot_be_seen_is_never_called_stuck() {
    let name = "what_cannot_be_seen_is_never_called_stuck";
    let python = "/usr/bin/python3";
    let as_other = |line: &str| {
        let prefix = if is_root() { "setpriv --reuid 65534 --clear-groups " } else { "" };
        format!("{prefix}{line}")
    };
    if !can(&as_other(&format!("{python} -c 'import ctypes'"))) {
        return skip(name, "needs python3, and setpriv if run by root");
    }
    let scene = Scene::with_directory();
    fs::set_permissions(scene.root(), fs::Permissions::from_mode(0o755)).unwrap();
    let run = scene.copy(RUN, "sentinel-run");
    if is_root() {
        std::os::unix::fs::chown(scene.dir(), Some(65534), Some(65534)).unwrap();
    }
    let wrapper = scene
        .program(&run)
        .arg("--dir")
        .arg(scene.dir())
        .args("--heartbeat-interval 200ms --stale 1s --end-if-stale --grace 1s job --".split(' '))
        .args([python, "-c", HIDDEN])
        .with(|command| {
            if is_root() {
                command.uid(65534).gid(65534);
            }
        })
        .start();
    scene.is_up("job");
    awaits(&scene, "job", "cannot be seen");
    beats_on(&scene, "job");
    beats_on(&scene, "job");
    scene.watched("--poll-interval 200ms --max-wait 2s job").exits(5).says("cannot be seen");
    scene.stop("job");
    let done = wrapper.wait();
    let lines = done.stderr.lines().filter(|line| line.contains("cannot be seen"));
    assert_eq!(lines.count(), 1, "the reason is said once: {}", done.told());
}

#[test]
fn a_child_of_another_user_in_a_private_proc_is_not_overlooked() {
    let name = "a_child_of_another_user_in_a_private_proc_is_not_overlooked";
    let private = "unshare --mount mount -t proc -o hidepid=2 proc /proc";
    let as_other = "setpriv --reuid 65534 --regid 65534 --clear-groups";
    if !is_root() || !can(private) || !can(&format!("{as_other} true")) {
        return skip(name, "needs root, setpriv, and a /proc of its own");
    }
    let scene = Scene::with_directory();
    fs::set_permissions(scene.root(), fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::chown(scene.dir(), Some(65534), Some(65534)).unwrap();
    let run = scene.copy(RUN, "sentinel-run");
    // Who waits for what it says can see neither it nor its end of the pipe.
    let unseen = scene.copy("/bin/sleep", "unseen");
    fs::set_permissions(&unseen, fs::Permissions::from_mode(0o4755)).unwrap();
    let options = "--heartbeat-interval 200ms --stale 1s --end-if-stale --grace 1s";
    let script = format!(
        r#"mount -t proc -o hidepid=2 proc /proc
        exec {as_other} {} --dir "$DIR" {options} job -- sh -c 'said=$(./unseen 981); echo no'"#,
        run.display()
    );
    let wrapper = scene.program("unshare").args(["--mount", "sh", "-c", &script]).start();
    scene.is_up("job");
    beats_on(&scene, "job");
    beats_on(&scene, "job");
    // The shell waits for it, so it goes first.
    let unseen = scene.members_running("./unseen 981");
    assert_eq!(unseen.len(), 1);
    unseen[0].signal(Signal::TERM);
    wrapper.wait().exits(0);
    assert!(scene.read("job.log").ends_with("no\n"));
}

#[test]
fn a_wrapper_that_was_stopped_itself_lets_its_job_go_on() {
    let scene = Scene::new();
    let options = "--heartbeat-interval 200ms --stale 1s --end-if-stale";
    let quiet = scene.up("quiet", &format!("{options} quiet -- sleep 950"));
    let talk = "while :; do echo word; sleep 0.3; done";
    let talks = scene.run(&format!("{options} --beat-on output talks -- sh -c")).arg(talk).start();
    scene.is_up("talks");
    for (job, wrapper) in [("quiet", quiet), ("talks", talks)] {
        wrapper.signal(Signal::STOP);
        let last = scene.last_beat(job).unwrap();
        until("it was stopped for longer than is stale", || {
            SystemTime::now().duration_since(last).is_ok_and(|age| age > Duration::from_secs(3))
        });
        wrapper.signal(Signal::CONT);
        scene.beats(job, 8);
        assert_eq!(scene.status(job), None, "{job} was ended");
        end(&scene, job, wrapper);
    }
}

/// The main thread ends; two others sleep on.
const HEADLESS: &str = r#"
import ctypes, os, threading, time
for _ in range(2):
    threading.Thread(target=time.sleep, args=(951,), daemon=True).start()
ctypes.CDLL(None).syscall(93 if os.uname().machine == "aarch64" else 60, 0)
"#;

#[test]
fn a_program_lives_as_long_as_one_of_its_threads() {
    let Some(scene) = with_python("a_program_lives_as_long_as_one_of_its_threads") else {
        return;
    };
    let wrapper = scene
        .run("--heartbeat-interval 200ms --stale 1s --end-if-stale --grace 2s job -- python3 -c")
        .arg(HEADLESS)
        .start();
    scene.is_up("job");
    let pid = scene.heartbeat("job").unwrap()["child_pid"].as_u64().unwrap();
    let tasks = format!("/proc/{pid}/task");
    until("its main thread has ended", || {
        fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
    });
    beats_on(&scene, "job");
    awaits(&scene, "job", "waits for the clock");
    assert_eq!(fs::read_dir(&tasks).unwrap().count(), 3);
    scene.watched("--once job").exits(5).says("waits for the clock");
    scene.stop("job");
    wrapper.wait();
    assert_eq!(scene.outcome("job"), "stopped");
    assert_eq!(scene.result("job")["survivors"], json!([]));
    assert!(!Path::new(&tasks).exists(), "its threads are gone");
}

#[test]
fn a_job_below_is_somebody_else() {
    let scene = Scene::new();
    let inner = format!(r#""$RUN" --dir "$DIR" {QUICK} inner -- {LOCKED}; echo $?"#);
    let outer = scene.run(QUICK).args(["outer", "--", "sh", "-c", &inner]).start();
    scene.is_up("outer");
    scene.is_up("inner");
    is_stuck(&scene, "inner");
    let said = awaits(&scene, "outer", "waits for another job");
    let wrapper = scene.wrapper("inner").pid;
    assert!(said.contains(&wrapper.to_string()), "{said:?} names {wrapper}");
    beats_on(&scene, "outer");
    scene.watched(&format!("{HASTY} inner")).exits(3);
    outer.wait().exits(0);
    assert_eq!(scene.read("outer.log").lines().last(), Some("124"));
}
