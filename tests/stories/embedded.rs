//! A program that watches by itself, through the library: jobs come and go while it goes on.

use std::fs;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sentinel::decide::verdict::Verdict;
use sentinel::protocol::name::JobName;
use sentinel::watch::{Config, Done, News, Watch};

use crate::scene::{Process, Scene};

fn name(name: &str) -> JobName {
    name.parse().unwrap()
}

fn config(scene: &Scene) -> Config {
    let mut config = Config::new(scene.dir(), []);
    // What is seen in time is not seen by a poll.
    config.poll_interval = Duration::from_mins(10);
    config.start_wait = Duration::from_mins(10);
    config
}

/// Goes on until a job is over; its verdict, and whether it is over.
fn next(watch: &mut Watch) -> (Vec<Done>, Vec<Verdict>) {
    let deadline = Instant::now() + Duration::from_secs(40);
    let mut verdicts = Vec::new();
    loop {
        let done = watch.round(&mut |news| {
            if let News::Verdict(report) = news {
                verdicts.push(report.verdict);
            }
        });
        if !done.is_empty() {
            return (done, verdicts);
        }
        assert!(Instant::now() < deadline, "no verdict came");
        watch.wait(Some(deadline), &[]);
    }
}

fn round(watch: &mut Watch) -> Vec<Done> {
    watch.round(&mut |news| assert!(!matches!(news, News::Failed(_)), "{news:?}"))
}

/// How many descriptors of this process hold that one.
fn held(process: Process) -> usize {
    let line = format!("Pid:\t{}", process.pid);
    let infos = fs::read_dir("/proc/self/fdinfo").unwrap().flatten();
    let texts = infos.filter_map(|info| fs::read_to_string(info.path()).ok());
    texts.filter(|text| text.lines().any(|found| found == line)).count()
}

#[test]
fn each_run_of_a_job_is_watched_anew() {
    let scene = Scene::new();
    let mut watch = Watch::open(config(&scene)).unwrap();
    for turn in 0..3 {
        let wrapper = scene.detached("job", "--max-failures 0 job -- sleep 940");
        watch.add(&name("job"));
        watch.add(&name("job"));
        assert_eq!(round(&mut watch), [], "turn {turn}: the run before is over, not this one");
        wrapper.signal(Signal::KILL);
        let (done, verdicts) = next(&mut watch);
        assert_eq!(done, [Done { name: name("job"), exit: 1 }]);
        assert_eq!(verdicts, [Verdict::Failed]);
        assert_eq!(scene.outcome("job"), "lost", "and the end is written down");
        assert!(watch.is_empty());
    }
}

#[test]
fn among_hundreds_of_jobs_each_wrapper_is_held_until_the_job_leaves() {
    let scene = Scene::new();
    let wrapper = scene.detached("job", "job -- sleep 940");
    let others = (0..100).map(|n| name(&format!("other{n}")));
    let mut watch = Watch::open(Config { names: others.collect(), ..config(&scene) }).unwrap();
    let before = held(wrapper);
    for turn in 0..50 {
        watch.add(&name("job"));
        assert_eq!(round(&mut watch), [], "turn {turn}");
        assert_eq!(held(wrapper), before + 1, "turn {turn}");
        watch.remove(&name("job"));
        assert_eq!(held(wrapper), before, "turn {turn}");
    }
    scene.stop("job");
}

#[test]
fn a_job_that_never_comes_is_told_as_missing_from_when_it_was_added() {
    let scene = Scene::with_directory();
    let start_wait = Duration::from_millis(200);
    let mut watch = Watch::open(Config { start_wait, ..config(&scene) }).unwrap();
    let begun = Instant::now();
    watch.wait(Some(begun + start_wait), &[]);
    assert!(begun.elapsed() >= start_wait, "with no job it waits for the deadline");
    let added = Instant::now();
    watch.add(&name("nobody"));
    assert_eq!(
        next(&mut watch),
        (vec![Done { name: name("nobody"), exit: 6 }], vec![Verdict::Missing])
    );
    assert!(added.elapsed() >= start_wait);
}

#[test]
fn the_wait_ends_for_the_descriptors_of_the_owner() {
    let scene = Scene::new();
    scene.detached("job", "job -- sleep 940");
    let mut watch = Watch::open(Config { names: vec![name("job")], ..config(&scene) }).unwrap();
    assert_eq!(round(&mut watch), []);
    let ((near, mut far), (quiet, _held)) =
        (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
    let both = [quiet.as_fd(), near.as_fd()];
    assert_eq!(watch.wait(Some(Instant::now()), &both), [false, false]);
    far.write_all(b"x").unwrap();
    assert_eq!(watch.wait(None, &both), [false, true]);
    drop(far);
    assert_eq!(watch.wait(None, &both), [false, true], "still to be read, and then closed");
    scene.stop("job");
}
