//! A process that runs already is taken under watch: it is attended to its end, whatever end that
//! is, and stopped as if it had been started under the wrapper.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use sentinel::keep::adopt::{AdoptError, Description, describe, may_be_adopted};
use sentinel::keep::attend::{Config, end};
use serde_json::{Value, json};

use crate::scene::{
    Cmd, Process, Running, Scene, can, has, is_root, is_watched, skip, until, until_some,
};

const KEEP: &str = env!("CARGO_BIN_EXE_sentinel-keep");

/// Looks often; nobody finds it stale before a story asks for that.
const QUICK: &str = "--beat-on app --heartbeat-interval 200ms --stale 60s --grace 2s";

/// What the stand-in for this process is called with.
fn attend(pid: u32, start: u64) -> Vec<String> {
    let (interval, grace) = (Duration::from_millis(100), Duration::from_secs(2));
    let config = Config { pid: pid.cast_signed(), start, interval, grace, kill_survivors: false };
    config.arguments()
}

/// The start time of a process, as the stand-in is told it.
fn start_of(process: Process) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/stat", process.pid)).expect("it is there");
    let (_, rest) = text.rsplit_once(')').unwrap();
    rest.split_whitespace().nth(19).unwrap().parse().unwrap()
}

/// The wrapper with a stand-in for this process.
fn adoption(scene: &Scene, process: Process) -> Cmd {
    scene.run(QUICK).args(["job", "--", KEEP]).args(attend(process.pid, start_of(process)))
}

/// Takes a process under watch, and waits until its stand-in has looked at it.
#[track_caller]
fn adopt(scene: &Scene, process: Process) -> Running {
    let wrapper = adoption(scene, process).start();
    scene.is_up_as("job", &wrapper);
    has_looked(scene);
    wrapper
}

#[track_caller]
fn has_looked(scene: &Scene) {
    until("the stand-in has looked", || {
        scene.heartbeat("job").is_some_and(|record| record["evidence"]["kind"] == json!("app"))
    });
}

/// A script that ends once its standard input does.
#[track_caller]
fn script(scene: &Scene, script: &str) -> Running {
    scene.sh(script).start_with(|command| {
        command.stdin(Stdio::piped());
    })
}

/// What the stand-in left in the record.
fn end_of(scene: &Scene) -> Value {
    scene.result("job")["output"].clone()
}

/// Waits until exactly so many processes of the scene run this command line.
#[track_caller]
fn runs(scene: &Scene, line: &str) -> Process {
    until_some(&format!("{line} runs"), || scene.members_running(line).first().copied())
}

#[test]
fn each_end_is_told_as_it_was() {
    if is_watched("each_end_is_told_as_it_was") {
        return;
    }
    let ends = [
        ("read x; exit 0", "success", json!(0), json!(null), 0, "exit code 0"),
        ("read x; exit 3", "failed", json!(3), json!(null), 3, "exit code 3"),
        (
            "read x; kill -SEGV $$",
            "failed",
            json!(null),
            json!("SIGSEGV"),
            139,
            "killed by SIGSEGV",
        ),
        (
            "read x; kill -KILL $$",
            "failed",
            json!(null),
            json!("SIGKILL"),
            137,
            "killed by SIGKILL",
        ),
    ];
    for (line, outcome, code, signal, own, words) in ends {
        let scene = Scene::new();
        let mut adopted = script(&scene, line);
        let pid = adopted.pid();
        let wrapper = adopt(&scene, adopted.process());
        drop(adopted.child.stdin.take());
        wrapper.wait().exits(own);
        let result = scene.result("job");
        assert_eq!(result["outcome"], json!(outcome), "{line}: {result}");
        assert_eq!(result["exit_code"], code, "{line}: {result}");
        assert_eq!(result["signal"], signal, "{line}: {result}");
        assert_eq!(result["core_dumped"], json!(false), "{line}");
        let left = json!([]);
        assert_eq!(
            result["output"],
            json!({"adopted": pid, "exit_code": code, "signal": signal, "known": true, "left_behind": left})
        );
        let log = scene.read("job.log");
        assert!(log.contains(&format!("adopted process {pid} (sh) ended: {words}\n")), "{log:?}");
        adopted.wait();
    }
}

#[test]
fn who_outlives_it_is_named_and_ended_if_that_is_wanted() {
    if is_watched("who_outlives_it_is_named_and_ended_if_that_is_wanted") {
        return;
    }
    for ends in [false, true] {
        let scene = Scene::new();
        let mut adopted = script(&scene, "sleep 971 & read x; exit 0");
        let sleep = runs(&scene, "sleep 971");
        let more: &[&str] = if ends { &["--kill-survivors"] } else { &[] };
        let wrapper = adoption(&scene, adopted.process()).args(more).start();
        has_looked(&scene);
        drop(adopted.child.stdin.take());
        wrapper.wait().exits(0);
        adopted.wait().exits(0);
        let named = json!([{"pid": sleep.pid, "comm": "sleep"}]);
        assert_eq!(end_of(&scene)["left_behind"], if ends { json!([]) } else { named });
        let words = format!("left behind: sleep[{}]", sleep.pid);
        assert_ne!(scene.read("job.log").contains(&words), ends);
        assert_ne!(sleep.alive(), ends);
        sleep.signal(Signal::KILL);
        sleep.is_gone();
    }
}

/// Linux before 6.15 does not tell a stranger how a process ended that has been reaped.
fn tells_of_the_reaped() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|word| word.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(15))
}

/// Whether it holds a handle on a process.
fn pins_another(process: Process) -> bool {
    let files = fs::read_dir(format!("/proc/{}/fd", process.pid)).into_iter().flatten().flatten();
    let mut links = files.filter_map(|file| fs::read_link(file.path()).ok());
    links.any(|link| link.to_string_lossy().contains("[pidfd]"))
}

/// Somebody who never waits for children, so that the kernel reaps them at once.
const CARELESS: &str = r#"
import signal, subprocess, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
subprocess.Popen(["sh", "-c", "while ! test -e go; do sleep 0.02; done; exit 3"])
sys.stdin.read()
"#;

#[test]
fn where_nobody_waits_for_it_the_kernel_tells_or_it_is_said_to_be_unknown() {
    if is_watched("where_nobody_waits_for_it_the_kernel_tells_or_it_is_said_to_be_unknown") {
        return;
    }
    let name = "where_nobody_waits_for_it_the_kernel_tells_or_it_is_said_to_be_unknown";
    if !has("python3") {
        return skip(name, "there is no python3");
    }
    let blinds = "strace -f -qq -o /dev/null -e trace=ioctl -e inject=ioctl:error=ENOTTY";
    let can_blind = has("strace") && can(&format!("{blinds} true"));
    if !can_blind {
        skip(name, "a kernel that does not tell cannot be played: there is no strace");
    }
    for blind in [false, true] {
        if blind && !can_blind {
            continue;
        }
        let scene = Scene::new();
        let parent = scene.program("python3").args(["-c", CARELESS]).start_with(|command| {
            command.stdin(Stdio::piped());
        });
        let adopted = runs(&scene, "sh -c while ! test -e go; do sleep 0.02; done; exit 3");
        let wrapper = if blind {
            let stand_in = scene.run(QUICK).args(["job", "--"]).args(blinds.split(' '));
            let words = attend(adopted.pid, start_of(adopted));
            let wrapper = stand_in.arg(KEEP).args(&words).start();
            // The wrapper pins its command, too.
            let own_line = format!("{KEEP} {}", words.join(" "));
            until("it is pinned", || {
                scene.members_running(&own_line).into_iter().any(pins_another)
            });
            wrapper
        } else {
            adopt(&scene, adopted)
        };
        fs::write(scene.path("go"), "").unwrap();
        let known = tells_of_the_reaped() && !blind;
        wrapper.wait().exits(if known { 3 } else { 1 });
        let end = end_of(&scene);
        assert_eq!(end["known"], json!(known), "{end}");
        assert_eq!(end["exit_code"], if known { json!(3) } else { json!(null) });
        assert_eq!(scene.outcome("job"), "failed");
        let unknown = "adopted, exit status unknown: adopted process";
        assert_eq!(scene.read("job.log").contains(unknown), !known);
        drop(parent);
    }
}

#[test]
fn a_tree_that_ignores_to_be_asked_is_ended_before_its_stand_in_is() {
    if is_watched("a_tree_that_ignores_to_be_asked_is_ended_before_its_stand_in_is") {
        return;
    }
    let scene = Scene::new();
    let line = "trap '' TERM INT HUP; sleep 972 & sleep 973 & wait; wait; exec sleep 974";
    let adopted = script(&scene, line);
    runs(&scene, "sleep 973");
    let wrapper = adopt(&scene, adopted.process());
    scene.stop("job");
    wrapper.wait();
    let result = scene.result("job");
    assert_eq!(result["outcome"], json!("stopped"));
    assert_eq!(result["survivors"], json!([]));
    assert_eq!(end_of(&scene)["signal"], json!("SIGKILL"), "{result}");
    adopted.wait();
    scene.nothing_is_left();
}

#[test]
fn a_stop_ends_the_orphans_it_has_seen_and_spares_other_jobs() {
    if is_watched("a_stop_ends_the_orphans_it_has_seen_and_spares_other_jobs") {
        return;
    }
    let scene = Scene::new();
    let line = r#"
        sh -c 'sleep 975 & read x' &
        "$RUN" --dir "$DIR" inner -- sleep 976 &
        exec sleep 977"#;
    let line = format!("exec 3<&0; {}", line.replace("read x", "read x <&3"));
    let mut adopted = script(&scene, &line);
    let orphan = runs(&scene, "sleep 975");
    runs(&scene, "sleep 976");
    let wrapper = adopt(&scene, adopted.process());
    drop(adopted.child.stdin.take());
    until("the shell between has ended", || {
        !scene.members().iter().any(|process| process.command_line().starts_with("sh -c sleep 975"))
    });
    assert!(orphan.alive());
    scene.stop("job");
    wrapper.wait();
    assert_eq!(end_of(&scene)["signal"], json!("SIGTERM"));
    adopted.wait();
    assert!(!orphan.alive());
    let inner = runs(&scene, "sleep 976");
    assert!(inner.alive() && scene.status("inner").is_none());
    scene.stop("inner");
}

#[test]
fn an_exit_code_0_after_a_stop_is_no_success() {
    if is_watched("an_exit_code_0_after_a_stop_is_no_success") {
        return;
    }
    let scene = Scene::new();
    let line = "trap 'exit 0' TERM; echo > ready; while :; do sleep 0.05; done";
    let adopted = script(&scene, line);
    until("the trap is set", || scene.path("ready").exists());
    let words = attend(adopted.pid(), start_of(adopted.process()));
    let stand_in = scene.program(KEEP).args(words).start();
    until("it has caught its signals", || catches_term(stand_in.process()));
    stand_in.signal(Signal::TERM);
    let done = stand_in.wait();
    assert_eq!(done.signal, Some(libc::SIGTERM), "{}", done.told());
    done.says("ended: exit code 0");
    adopted.wait().exits(0);
}

/// Whether TERM is blocked in it: it takes signals from a descriptor.
fn catches_term(process: Process) -> bool {
    let text = fs::read_to_string(format!("/proc/{}/status", process.pid)).unwrap_or_default();
    let blocked = text.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap_or("0");
    let set = u64::from_str_radix(blocked.trim(), 16).unwrap_or(0);
    set & (1 << (libc::SIGTERM - 1)) != 0
}

#[test]
fn signals_for_the_command_are_passed_on() {
    if is_watched("signals_for_the_command_are_passed_on") {
        return;
    }
    let scene = Scene::new();
    let line = "trap 'exit 5' USR1; echo > ready; while :; do sleep 0.05; done";
    let adopted = script(&scene, line);
    until("the trap is set", || scene.path("ready").exists());
    let wrapper = adopt(&scene, adopted.process());
    wrapper.signal(Signal::USR1);
    wrapper.wait().exits(5);
    adopted.wait().exits(5);
}

/// Two threads that take two locks in opposite order, once there is input.
const DEADLOCK: &str = r"
import sys, threading
sys.stdin.read()
one, two = threading.Lock(), threading.Lock()
both_hold = threading.Barrier(2)
def work(first, second):
    with first:
        both_hold.wait()
        with second:
            pass
for order in ((one, two), (two, one)):
    threading.Thread(target=work, args=order).start()
";

/// For several of the stand-in's looks there is no beat.
fn gets_no_beat(scene: &Scene) -> bool {
    let last = scene.last_beat("job").unwrap();
    until("a second has passed", || last.elapsed().is_ok_and(|age| age.as_secs() >= 1));
    scene.last_beat("job") == Some(last)
}

#[test]
fn what_is_awaited_is_told_and_a_deadlock_is_hung() {
    if is_watched("what_is_awaited_is_told_and_a_deadlock_is_hung") {
        return;
    }
    if !has("python3") {
        return skip("what_is_awaited_is_told_and_a_deadlock_is_hung", "there is no python3");
    }
    let scene = Scene::new();
    let mut adopted = scene.program("python3").args(["-c", DEADLOCK]).start_with(|command| {
        command.stdin(Stdio::piped());
    });
    let wrapper = adopt(&scene, adopted.process());
    let progress = |scene: &Scene| Some(scene.heartbeat("job")?["progress"].as_str()?.to_owned());
    let awaited = format!("python3[{}]: waits to read a pipe from", adopted.pid());
    until(&awaited, || progress(&scene).is_some_and(|words| words.starts_with(&awaited)));
    scene.beats("job", 3);
    let record = scene.heartbeat("job").unwrap();
    assert_eq!(record["pace"], json!(null), "what is awaited is no number: {record}");

    drop(adopted.child.stdin.take());
    let words = "threads wait for a lock no running thread can release";
    until("it is found stuck", || scene.read("job.log").contains(words));
    assert!(gets_no_beat(&scene), "it beat on");
    let verdict = scene.watched("--stale 1s --poll-interval 200ms --json job").exits(3).json();
    assert_eq!(verdict["verdict"], json!("hung"));
    wrapper.wait().exits(124);
    adopted.wait();
    let log = scene.read("job.log");
    assert_eq!(log.matches("is stuck: ").count(), 1, "{log}");
    let diagnosis = scene.result("job")["diagnosis"].as_str().unwrap_or_default().to_owned();
    assert!(diagnosis.contains(words), "{diagnosis}");
    scene.nothing_is_left();
}

#[test]
fn a_pid_that_was_given_to_another_is_left_alone() {
    if is_watched("a_pid_that_was_given_to_another_is_left_alone") {
        return;
    }
    let scene = Scene::new();
    let bystander = scene.bystander();
    let (pid, start) = (bystander.pid(), start_of(bystander.process()) - 1);
    let log_of = || {
        let stand_in = scene.run(QUICK).args(["job", "--", KEEP]).args(attend(pid, start));
        stand_in.finish().exits(1);
        assert_eq!(end_of(&scene)["known"], json!(false));
        scene.read("job.log")
    };
    let log = log_of();
    assert!(log.contains("exit status unknown") && log.contains("its PID is another's"), "{log}");
    assert!(bystander.process().alive());
    drop(bystander);
    let log = log_of();
    assert!(log.contains(&format!("there is no process {pid}")), "{log}");
}

#[test]
fn a_tree_whose_stand_in_was_killed_can_still_be_ended() {
    if is_watched("a_tree_whose_stand_in_was_killed_can_still_be_ended") {
        return;
    }
    let scene = Scene::new();
    let adopted = script(&scene, "trap '' TERM; sleep 980 & wait; read x");
    let sleep = runs(&scene, "sleep 980");
    let wrapper = adopt(&scene, adopted.process());
    let stand_in = scene.heartbeat("job").unwrap()["child_pid"].as_u64().unwrap();
    Process::of(stand_in.try_into().unwrap()).unwrap().signal(Signal::KILL);
    wrapper.wait().exits(137);
    assert!(adopted.process().alive() && sleep.alive());
    assert_eq!(end_of(&scene), json!(null));
    let (pid, start) = (adopted.pid().cast_signed(), start_of(adopted.process()));
    assert!(end(pid, start + 1, Duration::ZERO).is_empty() && sleep.alive());
    assert!(end(pid, start, Duration::from_millis(100)).is_empty());
    assert!(!sleep.alive());
    adopted.wait();
}

#[track_caller]
fn is_refused(pid: u32, words: &str) -> AdoptError {
    let error = may_be_adopted(pid.cast_signed()).expect_err(words);
    assert!(error.to_string().contains(words), "expected {words:?}: {error}");
    error
}

#[test]
fn what_may_not_be_adopted_is_refused_in_words() {
    if is_watched("what_may_not_be_adopted_is_refused_in_words") {
        return;
    }
    let scene = Scene::new();
    let me = std::process::id();
    is_refused(1, "all others depend on");
    is_refused(me, "what runs this command");
    is_refused(std::os::unix::process::parent_id(), "what runs this command");
    is_refused(0, "there is no process 0");
    is_refused(u32::MAX, "there is no process -1");
    let kernel = fs::read_to_string("/proc/2/comm").unwrap_or_default();
    if kernel.trim() == "kthreadd" {
        is_refused(2, "a thread of the kernel");
    }

    let mut zombie = Command::new("true").spawn().unwrap();
    until("it is a zombie", || Process::of(zombie.id()).is_none());
    is_refused(zombie.id(), "has ended already");
    zombie.wait().unwrap();
    is_refused(zombie.id(), "there is no process");

    let job = scene.up("inner", "inner -- sh -c 'sleep 978; :'");
    let below = runs(&scene, "sleep 978");
    let dir = format!("belongs to the job inner in {}", scene.dir().display());
    assert!(matches!(is_refused(below.pid, &dir), AdoptError::UnderWatch { .. }));
    is_refused(job.pid(), &dir);
    scene.stop("inner");
    job.wait();

    let free = scene.bystander();
    let stat = may_be_adopted(free.pid().cast_signed()).expect("nothing speaks against it");
    assert_eq!(stat.start, start_of(free.process()));
    let wrapper = adopt(&scene, free.process());
    is_refused(free.pid(), "belongs to the job job in");
    scene.stop("job");
    wrapper.wait();
}

#[test]
fn another_users_process_is_refused() {
    if !is_root() || !can("setpriv --reuid 65534 --clear-groups true") {
        return skip("another_users_process_is_refused", "needs root and setpriv");
    }
    let scene = Scene::new();
    fs::set_permissions(scene.root(), fs::Permissions::from_mode(0o755)).unwrap();
    let keep = scene.copy(KEEP, "keep");
    let victim = scene.bystander();
    let words = attend(victim.pid(), start_of(victim.process()));
    let attend = scene.program(keep).args(words).with(|command| {
        command.uid(65534).gid(65534);
    });
    attend.finish().exits(125).says("(sleep) is another user's");
    assert!(victim.process().alive());
}

#[test]
fn how_it_was_started_is_told_exactly() {
    let scene = Scene::new();
    let odd = scene.path("a b");
    fs::create_dir(&odd).unwrap();
    let program = scene.program("sh").args(["-c", "read x", "", "two words", "é\n"]).cwd(&odd);
    let program = program.with(|command| {
        command
            .env_clear()
            .env("PATH", "/bin:/usr/bin")
            .env("LANG", "C.UTF-8")
            .env("LANGUAGE", "x");
        command.env("SENTINEL_STORY", scene.root());
    });
    let running = program.start_with(|command| {
        command.stdin(Stdio::piped());
    });
    let described = until_some("it is executed", || {
        let told = describe(running.pid().cast_signed());
        (told.argv.first()? == "sh").then_some(told)
    });
    let argv = ["sh", "-c", "read x", "", "two words", "é\n"].map(Into::into).to_vec();
    let env = [("PATH", "/bin:/usr/bin"), ("LANG", "C.UTF-8")];
    let env = env.map(|(name, value)| (name.to_owned(), value.into())).to_vec();
    assert_eq!(described, Description { argv, cwd: Some(odd), env });
    assert_eq!(described.doubt(), None);
    drop(running);
}
