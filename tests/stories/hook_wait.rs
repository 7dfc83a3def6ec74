//! `sentinel-keep hook --wait`: a hook that runs beside the session, and wakes its agent when a job ends.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::hosts::{CLAUDE, Call, Event, Taken, begin};
use crate::scene::{Scene, until};

/// A job that runs until it is let go, started in a session.
struct Job {
    scene: Scene,
    shop: PathBuf,
    started: Event,
}

impl Job {
    fn begun() -> Self {
        let scene = Scene::new();
        let shop = scene.project("shop");
        let waits = "sh -c 'until [ -e go ]; do sleep 0.02; done; echo no such file; exit 3'";
        let command = format!("sentinel-run --detach build -- {waits}");
        let before = CLAUDE.before(&shop, "one", &command);
        assert_eq!(scene.asks(&CLAUDE, &before), Taken::Nothing);
        let started = scene.run(&format!("--detach build -- {waits}")).cwd(&shop).finish().exits(0);
        scene.is_up("build");
        let started = CLAUDE.after(&shop, "one", &command, &started.stdout);
        assert_eq!(scene.asks(&CLAUDE, &started), Taken::Nothing);
        Self { scene, shop, started }
    }

    fn is_let_go(&self) {
        fs::write(self.shop.join("go"), "").unwrap();
        until("it failed", || self.scene.status("build").is_some());
    }

    /// A waiting hook, from when it waits.
    fn waiter(&self, options: &str) -> Call {
        let hook = self.scene.hook(&CLAUDE, &self.shop, &format!("--wait {options}"));
        let call = begin(hook, self.started.value.to_string().as_bytes());
        until("it waits", || is_awaited(&self.scene));
        call
    }

    fn ends_turn(&self) -> Taken {
        self.scene.asks(&CLAUDE, &CLAUDE.event("Stop", &self.shop, "one"))
    }

    fn prompts(&self) -> Taken {
        self.scene.asks(&CLAUDE, &CLAUDE.event("UserPromptSubmit", &self.shop, "one"))
    }

    /// The agent reads the verdict itself.
    fn is_watched(&self) {
        let watched = self.scene.watched("build").exits(1);
        let after = CLAUDE.event("PostToolUseFailure", &self.shop, "one");
        let after = after.with_command("sentinel-watch build").that_printed(&watched.stdout);
        assert_eq!(self.scene.asks(&CLAUDE, &after), Taken::Nothing);
    }
}

fn waiting(scene: &Scene, project: &Path) -> crate::scene::Cmd {
    scene.hook(&CLAUDE, project, "--wait")
}

/// Whether a hook holds the right to wait.
fn is_awaited(scene: &Scene) -> bool {
    let entries = fs::read_dir(scene.path("hook")).into_iter().flatten().flatten();
    let mut locks = entries.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("wait-")
    });
    locks.any(|path| {
        let lock = fs::File::open(path).unwrap();
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err()
    })
}

#[test]
fn it_wakes_the_agent_with_the_verdict() {
    let job = Job::begun();
    let waiter = job.waiter("");
    // Somebody will tell: the turn need not go on for it.
    match job.ends_turn() {
        Taken::Shown(text) => assert!(text.contains("build still runs"), "{text}"),
        other => panic!("{other:?}"),
    }
    job.is_let_go();
    let woken = waiter.wait().exits(2);
    assert_eq!(woken.stdout, "", "{}", woken.told());
    for words in ["failed  build  exit code 3", "no such file"] {
        assert!(woken.stderr.contains(words), "{}", woken.told());
    }
    // It was told.
    assert_eq!(job.ends_turn(), Taken::Nothing);
    assert_eq!(job.prompts(), Taken::Nothing);
}

#[test]
fn one_that_finds_another_waiting_goes() {
    let job = Job::begun();
    let waiter = job.waiter("");
    let second = begin(waiting(&job.scene, &job.shop), job.started.value.to_string().as_bytes());
    let second = second.wait().exits(0);
    assert_eq!((second.stdout.as_str(), second.stderr.as_str()), ("", ""));
    job.is_let_go();
    waiter.wait().exits(2);
}

#[test]
fn one_whose_host_is_gone_goes_and_the_end_is_told_by_another() {
    let job = Job::begun();
    let event = job.scene.path("event.json");
    fs::write(&event, job.started.value.to_string()).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let waiter = waiting(&job.scene, &job.shop).start_with(|command| {
        command.stdin(fs::File::open(&event).unwrap()).stderr(writer);
    });
    until("it waits", || is_awaited(&job.scene));
    drop(reader);
    waiter.wait().exits(0);
    job.is_let_go();
    match job.ends_turn() {
        Taken::GoesOn(text) => assert!(text.contains("build: failed"), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_goes_at_once_where_nothing_was_started() {
    let scene = Scene::new();
    let shop = scene.project("shop");
    for event in [
        CLAUDE.after(&shop, "one", "ls", "build\t1\t/nowhere\n"),
        CLAUDE.after(&shop, "one", "sentinel-watch build", "failed  build  exit code 3"),
        CLAUDE.before(&shop, "one", "sentinel-run --detach build -- sleep 600"),
        CLAUDE.event("Stop", &shop, "one"),
    ] {
        let done =
            begin(waiting(&scene, &shop), event.value.to_string().as_bytes()).wait().exits(0);
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""), "{}", event.value);
    }
    let done = begin(waiting(&scene, &shop), b"no event").wait().exits(0);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
}

#[test]
fn what_the_agent_read_before_it_looked_is_not_told_again() {
    let job = Job::begun();
    job.is_let_go();
    job.is_watched();
    let waiter = begin(waiting(&job.scene, &job.shop), job.started.value.to_string().as_bytes());
    let done = waiter.wait().exits(0);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
}

#[test]
fn an_agent_that_watches_it_too_has_a_moment_to_read_it() {
    let job = Job::begun();
    let waiter = job.waiter("--within 40s");
    job.is_let_go();
    // Both have the verdict now; the hook after the agent's command comes later.
    job.is_watched();
    let done = waiter.wait().exits(0);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
}

#[test]
fn what_the_agent_read_while_it_waited_is_not_told_again() {
    let job = Job::begun();
    let mut waiter = job.waiter("");
    // However late it wakes up.
    waiter.running().signal(Signal::STOP);
    job.is_let_go();
    job.is_watched();
    waiter.running().signal(Signal::CONT);
    let done = waiter.wait().exits(0);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
    assert_eq!(job.ends_turn(), Taken::Nothing);
}
