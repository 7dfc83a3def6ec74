//! SIGKILL before each step of a restart: the next healthcheck goes on, nothing is done twice, and
//! the alert is there. The same for what people ask for.
//!
//! The calls of one undisturbed command are counted first; then `strace` kills one command
//! after the other, as each of those calls is entered for the N-th time by any of its threads. What
//! it starts is not traced: `strace` lets go of whatever executes another program. A sample of the
//! steps is taken; all of them where `SENTINEL_ALL_STEPS` is set.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::scene::{Cmd, KEEP, Process, Scene, traceable, until};

/// Every call by which the keeper changes files, processes or what others see of it.
const CALLS: &str = "?mkdir,?mkdirat,?flock,?unlink,?unlinkat,?rename,?renameat,?renameat2,\
?link,?linkat,?ftruncate,?fallocate,?pwrite64,?write,?writev,?fdatasync,?fsync,?utimensat,\
?fchmod,?fchmodat,?chmod,?fchown,?fchownat,?clone,?clone3,?vfork,?fork,?wait4,?waitid,\
?pidfd_open,?pidfd_send_signal,?kill,?exit_group";

/// Runs if no other does, and says so otherwise.
const WITNESS: &str = "exec 9>>held; flock -n 9 || echo twice >> twice; exec sleep 3710";

#[derive(Clone, Debug)]
struct Step {
    call: String,
    time: usize,
}

/// A registry of its own with one process that runs, and then does not.
struct Place<'a> {
    scene: &'a Scene,
    dir: PathBuf,
}

impl Place<'_> {
    fn keep(&self, program: Cmd, line: &str) -> Cmd {
        let registry = self.dir.join("registry.json");
        program.arg("--registry").arg(registry).args(line.split(' ')).cwd(&self.dir)
    }

    #[track_caller]
    fn kept(&self, line: &str) {
        self.keep(self.scene.program(KEEP), line).finish().exits(0);
    }

    fn read(&self, name: &str) -> Value {
        let bytes = fs::read(self.dir.join(name)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    fn runs(&self) -> Vec<Process> {
        let mut all = self.scene.members_running("sleep 3710");
        let here = |process: &Process| fs::read_link(format!("/proc/{}/cwd", process.pid));
        all.retain(|process| here(process).is_ok_and(|cwd| cwd == self.dir));
        all
    }

    fn alerts(&self) -> usize {
        fs::read_dir(self.dir.join("alerts")).map_or(0, |entries| {
            let paths = entries.map(|entry| entry.unwrap().path());
            paths.filter(|path| path.extension().is_some_and(|end| end == "json")).count()
        })
    }
}

/// A process that runs.
fn running<'a>(scene: &'a Scene, name: &str) -> Place<'a> {
    let place = Place { scene, dir: scene.path(name) };
    fs::create_dir(&place.dir).unwrap();
    let entry = json!({"command": WITNESS, "restart_cooldown": 0, "cwd": place.dir});
    fs::write(place.dir.join("registry.json"), json!({"bot": entry}).to_string()).unwrap();
    place.kept("start bot");
    until("it runs", || place.runs().len() == 1);
    place
}

/// A process that was just killed, by its command or by its wrapper.
fn dead<'a>(scene: &'a Scene, name: &str, which: &str) -> Place<'a> {
    let place = running(scene, name);
    let record = place.read("jobs/bot.heartbeat");
    let process = |key: &str| Process::of(u32::try_from(record[key].as_u64()?).ok()?);
    let (victim, wrapper) = (process(which).unwrap(), process("pid").unwrap());
    victim.signal(rustix::process::Signal::KILL);
    wrapper.is_gone();
    place
}

/// The steps of the healthcheck that was traced. Each thread counts for itself.
fn steps(trace: &Path) -> Vec<Step> {
    let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut steps: Vec<Step> = Vec::new();
    for line in fs::read_to_string(trace).unwrap().lines() {
        let call = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let thread = line[..line.len() - call.len()].to_owned();
        let Some((call, _)) = call.trim_start().split_once('(') else {
            continue;
        };
        let time = seen.entry((thread, call.to_owned())).or_default();
        *time += 1;
        let step = Step { call: call.to_owned(), time: *time };
        if !steps.iter().any(|known| (&known.call, known.time) == (&step.call, step.time)) {
            steps.push(step);
        }
    }
    assert!(steps.len() > 20, "so few steps cannot be: {steps:?}");
    steps
}

/// Kills a command at steps that differ from each other by `stride`, each time in a place of its own.
/// What must hold after the next healthcheck is for `check` to say.
fn kill_the_keeper<'a>(
    scene: &'a Scene,
    (line, stride): (&str, usize),
    place: impl Fn(&str) -> Place<'a>,
    check: impl Fn(&Place, &str),
) {
    let trace = scene.path("trace");
    let strace = |what: &str, to: &Path| {
        let strace = scene.program("strace").args(["-f", "-b", "execve", "-qq", "-e", what]);
        strace.args(["-e", "signal=none", "-o"]).arg(to).arg(KEEP)
    };
    let undisturbed = place("undisturbed");
    undisturbed.keep(strace(&format!("trace={CALLS}"), &trace), line).finish().exits(0);
    undisturbed.kept("stop bot");
    let all = std::env::var_os("SENTINEL_ALL_STEPS").is_some();
    let steps = steps(&trace);
    let chosen = steps.iter().enumerate().step_by(if all { 1 } else { stride });
    let mut killed = 0;
    for (number, step) in chosen {
        let place = place(&number.to_string());
        let inject = format!("inject={}:signal=KILL:when={}", step.call, step.time);
        let done = place.keep(strace(&inject, Path::new("/dev/null")), line).finish();
        killed += usize::from(done.signal.is_some());
        place.kept("healthcheck");
        let at = format!("killed at {step:?}: {}", place.read("state/bot.json"));
        check(&place, &at);
        assert!(!place.dir.join("twice").exists(), "{at}");
        place.kept("stop bot");
    }
    assert!(killed > 2, "so few kills are no test: {killed} at {} steps", steps.len());
}

/// It runs once, and that is the run that is remembered.
#[track_caller]
fn runs_once(place: &Place, at: &str) {
    until(&format!("it runs, {at}"), || place.runs().len() == 1);
    let ledger = place.read("state/bot.json");
    assert_eq!(ledger["phase"], json!("up"), "{at}");
    assert_eq!(ledger["run_id"], place.read("jobs/bot.heartbeat")["run_id"], "{at}");
}

/// It was restarted after a death, which was told and counted once.
#[track_caller]
fn mended(place: &Place, cause: &str, at: &str) {
    runs_once(place, at);
    let ledger = place.read("state/bot.json");
    assert_eq!(ledger["restarts"], json!(1), "{at}");
    assert_eq!(ledger["failures"], json!({cause: 1}), "{at}");
    assert_eq!(ledger["outbox"], Value::Null, "{at}");
    assert_eq!(place.alerts(), 1, "{at}");
}

#[test]
fn a_keeper_killed_at_any_step_of_a_restart_leaves_the_rest_to_the_next() {
    if !traceable("a_keeper_killed_at_any_step_of_a_restart_leaves_the_rest_to_the_next") {
        return;
    }
    let scene = Scene::new();
    let place = |name: &str| dead(&scene, name, "child_pid");
    kill_the_keeper(&scene, ("healthcheck", 9), place, |place, at| mended(place, "signal", at));
}

#[test]
fn a_keeper_killed_at_any_step_of_clearing_up_and_restarting_leaves_the_rest_to_the_next() {
    let name =
        "a_keeper_killed_at_any_step_of_clearing_up_and_restarting_leaves_the_rest_to_the_next";
    if !traceable(name) {
        return;
    }
    let scene = Scene::new();
    let place = |name: &str| dead(&scene, name, "pid");
    kill_the_keeper(&scene, ("healthcheck", 17), place, |place, at| mended(place, "lost", at));
}

#[test]
fn a_restart_by_hand_killed_at_any_step_was_never_asked_for_or_is_carried_out() {
    if !traceable("a_restart_by_hand_killed_at_any_step_was_never_asked_for_or_is_carried_out") {
        return;
    }
    let scene = Scene::new();
    let place = |name: &str| running(&scene, name);
    kill_the_keeper(&scene, ("restart bot", 16), place, |place, at| {
        runs_once(place, at);
        let ledger = place.read("state/bot.json");
        assert_eq!(ledger["failures"], json!({}), "{at}");
        assert_eq!(ledger["replaced"], Value::Null, "{at}");
        assert_eq!(place.alerts(), 0, "{at}");
    });
}

#[test]
fn a_stop_killed_at_any_step_was_never_asked_for_or_is_carried_out() {
    if !traceable("a_stop_killed_at_any_step_was_never_asked_for_or_is_carried_out") {
        return;
    }
    let scene = Scene::new();
    let place = |name: &str| running(&scene, name);
    kill_the_keeper(&scene, ("stop bot", 6), place, |place, at| {
        if place.read("state/bot.json")["phase"] == "stopped" {
            until(&format!("it is ended, {at}"), || place.runs().is_empty());
        } else {
            runs_once(place, at);
        }
        assert_eq!(place.alerts(), 0, "{at}");
    });
}
