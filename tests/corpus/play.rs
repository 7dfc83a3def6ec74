//! One case from its start to what became of it.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::case::{self, Case, Kind};
use super::stage::{self, Stage, a_moment};

/// What became of a case.
#[derive(Clone, Debug)]
pub enum End {
    /// Stuck, and called hung after so long, with this diagnosis.
    Found(Duration, String),
    /// Stuck, and not called hung, or not with the right words; why, as far as is known.
    Missed(String),
    /// Missed as expected, for this reason.
    Unprovable(String),
    /// Healthy, and left alone; what it was said to wait for.
    Untouched(String),
    /// Healthy, and ended or called stuck, with this diagnosis.
    Killed(String),
    CalledStuck(String),
    /// Healthy, and called stuck as expected, for this reason.
    Limit(String),
    /// It did not do what it is there for.
    Broken(String),
    /// It cannot be played here.
    Skipped(String),
}

/// How long a case may take to start, on a machine that has much else to do.
const START: Duration = Duration::from_mins(1);
/// Two looks and a margin: a healthy case is watched for so long after it could be stale.
const LONGER: Duration = Duration::from_secs(3);
/// A stuck case has so long after it could be stale: Node, for one, has timers for half a minute, and a
/// machine that has much else to do takes several times as long.
const PATIENCE: Duration = Duration::from_mins(3);

/// What a program exits with that cannot do here what it is there for, having said why.
const NOT_HERE: i32 = 77;
/// A heartbeat is read this often, several times for each that is written.
const LOOK: Duration = Duration::from_millis(500);

/// Plays all cases, as many at once as there is room for.
pub fn all(stage: &Stage, cases: &[Case], round: u32) -> Vec<End> {
    let errors = case::compile(cases);
    let skip = |case: &Case, why: String| {
        if round == 1 {
            stage::skip(&case.name, &why);
        }
        End::Skipped(why)
    };
    std::thread::scope(|scope| {
        let playing: Vec<_> = cases
            .iter()
            .zip(errors)
            .map(|(case, error)| {
                scope.spawn(move || {
                    let tool = case.needs.iter().find(|tool| !case::has(&stage.path, tool));
                    match (tool, error) {
                        (Some(tool), _) => skip(case, format!("needs {tool}")),
                        (None, Some(error)) => End::Broken(error),
                        (None, None) => match &case.root {
                            Some(why) if case.kind == Kind::Healthy && !stage.is_root() => {
                                skip(case, format!("needs root: {why}"))
                            }
                            _ => match play(stage, case) {
                                End::Skipped(why) => skip(case, why),
                                end => case.judged(end),
                            },
                        },
                    }
                })
            })
            .collect();
        playing.into_iter().map(|case| case.join().expect("a case is played to its end")).collect()
    })
}

impl Case {
    /// What is a known limit is no surprise.
    fn judged(&self, end: End) -> End {
        match (&self.limit, end) {
            (Some(why), End::Killed(_) | End::CalledStuck(_)) => End::Limit(why.clone()),
            (_, end) => end,
        }
    }
}

/// A job under way, ended when dropped.
struct Job {
    wrapper: Child,
}

impl Job {
    fn is_over(&mut self) -> bool {
        !matches!(self.wrapper.try_wait(), Ok(None))
    }

    /// The exit code of one that is over.
    fn code(&mut self) -> Option<i32> {
        self.wrapper.try_wait().ok()??.code()
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        const GRACE: Duration = Duration::from_secs(20);
        if self.is_over() {
            return;
        }
        // The number is ours until the child was waited for.
        let _ = kill_process(Pid::from_child(&self.wrapper), Signal::TERM);
        let deadline = Instant::now() + GRACE;
        while !self.is_over() {
            if Instant::now() >= deadline {
                let _ = self.wrapper.kill();
                let _ = self.wrapper.wait();
            }
            a_moment();
        }
    }
}

fn play(stage: &Stage, case: &Case) -> End {
    let _own = stage.places.enter();
    let starting = stage.starts.enter();
    if stage::interrupted() {
        return End::Broken("interrupted".to_owned());
    }
    let place = stage.place();
    let source = stage.readable(&case.file, &place);
    let program = stage.readable(&case.program(), &place);
    let lowered = |line: &str| {
        let quoted = |path: &Path| format!("'{}'", path.display());
        line.replace("{file}", &quoted(&source)).replace("{program}", &quoted(&program))
    };
    let path = |name: &str| place.join(name).display().to_string();

    let companion = match &case.outside {
        None => None,
        Some(line) => {
            let dir = path("outside");
            let arguments = ["--dir", &dir, "--beat-on", "alive", "--grace", "1s", "-q", "outside"];
            let started = stage.start(&place, &arguments, &lowered(line));
            let mut job = Job { wrapper: started.expect("sentinel-run can be started") };
            let ready = place.join("home/ready");
            if let Err(why) = appears(&ready, &ready, &mut job) {
                let said = tail(&place.join("outside/outside.log"));
                return why.map_or(End::Skipped(said.clone()), |why| {
                    End::Broken(format!("its companion {why}: {said}"))
                });
            }
            Some(job)
        }
    };

    let (dir, threshold) = (path("jobs"), format!("{}ms", stage.stale.as_millis()));
    let arguments = ["--dir", &dir, "--heartbeat-interval", "1s", "--stale", &threshold];
    let arguments = [&arguments[..], &["--end-if-stale", "--grace", "1s", "-q", "job"]].concat();
    let started = stage.start(&place, &arguments, &lowered(&case.run));
    let mut job = Job { wrapper: started.expect("sentinel-run can be started") };
    let log = place.join("jobs/job.log");
    let is_up = appears(&place.join("home/up"), &log, &mut job);
    drop(starting);
    let end = match is_up {
        Err(None) => End::Skipped(tail(&log)),
        Err(Some(why)) => End::Broken(format!("{why}: {}", tail(&log))),
        Ok(()) => watch(stage, case, &place.join("jobs"), &mut job),
    };
    drop(job);
    drop(companion);
    end
}

/// Waits for one file to be there, or for the other to have content. The error says why they are
/// not; nothing where the job itself says that it cannot be here.
fn appears(file: &Path, or: &Path, job: &mut Job) -> Result<(), Option<String>> {
    let deadline = Instant::now() + START;
    loop {
        let code = job.code();
        if code == Some(NOT_HERE) {
            return Err(None);
        }
        if file.exists() || fs::metadata(or).is_ok_and(|meta| meta.len() > 0) {
            return Ok(());
        }
        if job.is_over() {
            return Err(Some("ended before it was up".to_owned()));
        }
        if Instant::now() >= deadline || stage::interrupted() {
            return Err(Some("is not up".to_owned()));
        }
        a_moment();
    }
}

/// Watches a case that is up, until it is over or its time is.
fn watch(stage: &Stage, case: &Case, dir: &Path, job: &mut Job) -> End {
    let for_user = case.root.as_ref().filter(|_| !stage.is_root());
    let expected = case.unprovable.as_ref().or(for_user);
    let begun = Instant::now();
    let bound = match (case.kind, expected) {
        (Kind::Stuck, None) => stage.stale + PATIENCE,
        _ => stage.stale + LONGER,
    };
    // What it was last said to wait for, and why it was ever called stuck.
    let (mut awaited, mut called) = (String::new(), None);
    let mut next_look = begun;
    loop {
        let in_vain = begun.elapsed() >= bound || stage::interrupted();
        let over = job.is_over();
        if over || in_vain || Instant::now() >= next_look {
            next_look = Instant::now() + LOOK;
            if let Some(record) = json(&dir.join("job.heartbeat")) {
                called = called.or_else(|| record["stuck"].as_str().map(str::to_owned));
                let evidence = &record["evidence"];
                if evidence["kind"] == "waiting" || awaited.is_empty() {
                    awaited = text(&evidence["detail"]);
                }
            }
        }
        if over {
            return over_after(begun.elapsed(), case, dir);
        }
        if in_vain {
            break;
        }
        a_moment();
    }
    match (case.kind, expected, called) {
        (Kind::Stuck, Some(why), _) => End::Unprovable(why.clone()),
        (Kind::Stuck, None, None) => End::Missed(format!("last evidence: {awaited}")),
        (Kind::Stuck, None, Some(why)) => End::Missed(format!("called stuck, not ended: {why}")),
        (Kind::Healthy, _, Some(why)) => End::CalledStuck(why),
        (Kind::Healthy, _, None) => match case.missing_in(&awaited) {
            None => End::Untouched(awaited),
            Some(words) => End::Broken(format!("{words:?} is not said to be awaited: {awaited}")),
        },
    }
}

/// What it means that a case is over: none ends by itself.
fn over_after(time: Duration, case: &Case, dir: &Path) -> End {
    let Some(result) = json(&dir.join("job.result")) else {
        return End::Broken("its wrapper died".to_owned());
    };
    let diagnosis = text(&result["diagnosis"]);
    if result["outcome"] != "hung" {
        let (outcome, reason) = (text(&result["outcome"]), text(&result["reason"]));
        let said = tail(&dir.join("job.log"));
        return End::Broken(format!("it was to wait, but {outcome}: {reason}: {said}"));
    }
    match (case.kind, case.missing_in(&diagnosis)) {
        (Kind::Healthy, _) => End::Killed(diagnosis),
        (Kind::Stuck, _) if diagnosis.is_empty() => {
            End::Missed("called hung, without a diagnosis".to_owned())
        }
        (Kind::Stuck, Some(words)) => {
            End::Missed(format!("called hung, but not with {words:?}: {diagnosis}"))
        }
        (Kind::Stuck, None) => End::Found(time, diagnosis),
    }
}

fn json(file: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The end of what a program said.
fn tail(log: &Path) -> String {
    let text = String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().rev().take(4).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
}
