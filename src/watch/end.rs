//! Ending a job whose verdict asks for it, and recording what no one else can record any more.
//!
//! Every signal goes the same way: a handle on the process first, then who it is, then the lock,
//! then the signal through the handle. Nobody outside the job's tree is ever reached.

use super::WatchError;
use super::config::{self, Config, Kill};
use super::observe::{Observation, Recorded, Subject, Writer, elsewhere};
use crate::decide::verdict::Judgement;
use crate::os::claim::{self, Claim};
use crate::os::clock::pause;
use crate::os::dir::{DirError, MonitorDir};
use crate::os::lock::is_locked;
use crate::os::orphans::{self, Marks, names_job};
use crate::os::process::{self, Handle, Stat};
use crate::os::tree;
use crate::protocol::circuit::CircuitPolicy;
use crate::protocol::heartbeat::Heartbeat;
use crate::protocol::outcome::Outcome;
use crate::protocol::result::{Process, RunResult};
use crate::protocol::sentence::Announced;
use crate::protocol::time::{human, seconds};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// Time between two looks at a job that is ending.
const LOOK: Duration = Duration::from_millis(20);
/// What a wrapper needs after its own grace to kill and record.
const RECORDING: Duration = Duration::from_secs(1);
/// Standard signals of one kind are one while they wait: two INTs need time between them.
const BETWEEN_INTERRUPTS: Duration = Duration::from_millis(200);
/// A wrapper that was asked twice to kill at once and still holds its lock after this is killed.
const OBSTINATE: Duration = Duration::from_secs(2);
/// A `--kill-cmd` may take so long, or the grace, whichever is longer.
const KILL_COMMAND: Duration = Duration::from_mins(1);

/// What was decided about the run.
#[derive(Clone, Debug)]
pub struct Sentence {
    /// What to record if the wrapper does not.
    pub outcome: Outcome,
    /// In one line.
    pub reason: String,
}

impl Sentence {
    /// The sentence a judgement asks for, if it asks for an ending.
    #[must_use]
    pub fn of(judgement: &Judgement) -> Option<Self> {
        let (outcome, reason) = match judgement {
            Judgement::Lost(why) => (Outcome::Lost, why.clone()),
            Judgement::Hung(silence) => (Outcome::Hung, format!("no beat for {}", human(*silence))),
            Judgement::Overdue(age) => (Outcome::Timeout, format!("ended after {}", human(*age))),
            Judgement::Missing | Judgement::Ended(_) | Judgement::Running => return None,
        };
        Some(Self { outcome, reason })
    }

    /// A person asked for it.
    #[must_use]
    pub fn stop() -> Self {
        Self { outcome: Outcome::Stopped, reason: "stopped by sentinel-watch --stop".to_owned() }
    }

    /// The value of the TERM that asks a wrapper to record this.
    fn value(&self) -> i32 {
        match self.outcome {
            Outcome::Hung => 1,
            Outcome::Timeout => 2,
            _ => 0,
        }
    }
}

/// What could not be done about a job.
#[derive(Clone, Debug, Default)]
pub struct Note(pub Option<String>);

/// Carries the sentence out: afterwards the run is over and recorded, unless the note says why not.
///
/// # Errors
/// If a file of the job cannot be used.
pub fn end(
    dir: &MonitorDir,
    subject: &Subject,
    seen: &Observation,
    sentence: &Sentence,
    config: &Config,
) -> Result<Note, WatchError> {
    let job = Job { dir, subject, config };
    if let Kill::Command(command) = &config.kill
        && sentence.outcome != Outcome::Lost
    {
        return job.by_command(command, seen, sentence);
    }
    match (&seen.writer, sentence.outcome) {
        (Writer::Ours(record), Outcome::Lost) => job.settle(record, sentence, Vec::new()),
        (Writer::Ours(record), _) => job.ask(record, sentence),
        (Writer::Other(pid), _) => job.other(*pid, seen, sentence),
    }
}

struct Job<'a> {
    dir: &'a MonitorDir,
    subject: &'a Subject,
    config: &'a Config,
}

impl Job<'_> {
    fn grace(&self, record: Option<&Heartbeat>) -> Duration {
        let own = record.and_then(|record| seconds(record.grace_s));
        self.config.grace.or(own).unwrap_or(config::GRACE)
    }

    /// Whether the run is over for whoever looks: recorded, or another run has the name.
    fn is_over(&self, run_id: &str) -> bool {
        let files = &self.subject.files;
        std::fs::symlink_metadata(files.status()).is_ok()
            || claim::read_heartbeat(self.dir, files)
                .ok()
                .flatten()
                .is_some_and(|record| record.run_id != run_id)
    }

    fn is_held(&self) -> bool {
        is_locked(self.dir, &self.subject.files.pid()).unwrap_or(true)
    }

    /// Waits until the run is over or its wrapper is gone; true then.
    fn wait_for_end(&self, record: &Heartbeat, patience: Duration) -> bool {
        let until = Instant::now().checked_add(patience);
        loop {
            let gone = || !self.is_held() && claim::live_wrapper(record).is_none();
            if self.is_over(&record.run_id) || gone() {
                return true;
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                return false;
            }
            pause(LOOK);
        }
    }

    /// A handle on the wrapper, if it is the one that runs this run: it has the recorded PID and
    /// start time, the files are still of this run, and the lock is held. Where the file system
    /// does not show us its lock, the lock it holds on a `.pid` of its own has to be seen.
    fn wrapper(&self, record: &Heartbeat) -> Option<Handle> {
        let handle = claim::hold_wrapper(record)?;
        let now = claim::read_heartbeat(self.dir, &self.subject.files).ok().flatten()?;
        let stat = claim::live_wrapper(record)?;
        let holds = is_locked(self.dir, &self.subject.files.pid()).unwrap_or(false)
            || tree::is_other_job(&stat);
        (now.run_id == record.run_id && holds).then_some(handle)
    }

    /// Asks a living wrapper to end and record its run; insists; does it itself in the end.
    fn ask(&self, record: &Heartbeat, sentence: &Sentence) -> Result<Note, WatchError> {
        let here = record.boot_id == crate::os::clock::boot_id()
            && record.pid_ns == crate::os::clock::pid_namespace();
        if !here {
            return Ok(Note(Some(format!(
                "not ended: it runs as {}; end it there, or give --kill-cmd",
                elsewhere(record)
            ))));
        }
        let Some(wrapper) = self.wrapper(record) else {
            return match claim::live_wrapper(record) {
                Some(stat) => Ok(Note(Some(format!(
                    "not ended: {} has the recorded pid {} and start time, but holds no lock of this job",
                    stat.comm, stat.pid
                )))),
                None => self.settle(record, sentence, Vec::new()),
            };
        };
        let members = tree::descendants(record.pid, &[]);
        // 1. Ask: TERM with the reason, and CONT, for a stopped one hears nothing.
        let _ = wrapper.queue(libc::SIGTERM, sentence.value());
        let _ = wrapper.signal(libc::SIGCONT);
        if self.wait_for_end(record, self.grace(Some(record)).saturating_add(RECORDING)) {
            return self.settle(record, sentence, Vec::new());
        }
        // 2. Insist: two INTs mean kill at once.
        let _ = wrapper.signal(libc::SIGINT);
        pause(BETWEEN_INTERRUPTS);
        let _ = wrapper.signal(libc::SIGINT);
        if self.wait_for_end(record, OBSTINATE) {
            return self.settle(record, sentence, Vec::new());
        }
        // 3. Do it ourselves. Its tree is read before, while it is still one.
        let mut tree = tree::descendants(record.pid, &[]);
        tree.extend(members);
        let _ = wrapper.signal(libc::SIGKILL);
        if self.wait_for_end(record, OBSTINATE) {
            return self.settle(record, sentence, tree);
        }
        Ok(Note(Some(format!("the wrapper (pid {}) could not be killed", record.pid))))
    }

    /// The wrapper is gone, or has just recorded: takes the claim, and if the run has no outcome
    /// yet, ends what is left of the tree and records one.
    fn settle(
        &self,
        record: &Heartbeat,
        sentence: &Sentence,
        known: Vec<Stat>,
    ) -> Result<Note, WatchError> {
        let files = &self.subject.files;
        if self.is_over(&record.run_id) {
            return Ok(Note::default());
        }
        // Whoever holds it now is another watcher doing this, or a new run: look again then.
        let Some(claim) = Claim::take(self.dir, files, Duration::from_secs(5))? else {
            return Ok(Note::default());
        };
        if self.is_over(&record.run_id) || claim::live_wrapper(record).is_some() {
            return Ok(Note::default());
        }
        if let Some(result) = self.unfinished(record)? {
            // It died between `.result` and `.status`: its own outcome stands.
            return self.record(claim, &result);
        }
        let log = files.log();
        let marks = Marks {
            run_id: Some(&record.run_id),
            session: record.child_pid,
            log: &log,
            users: self.dir.users(),
            not_before: record.pid_start,
            must_name: None,
        };
        let found = || orphans::find(&marks);
        let (diagnosis, survivors) = end_tree(known, found, self.grace(Some(record)));
        let search = "what was left of its tree was searched for by run id, session and log, which is no proof that nothing is left";
        let reason = format!("{}; {search}", sentence.reason);
        let mut result = claim::lost_run(record, &self.subject.name, reason);
        result.outcome = sentence.outcome;
        result.diagnosis = diagnosis;
        result.survivors = survivors;
        self.record(claim, &result)
    }

    /// A result of this run that its wrapper wrote before it died.
    fn unfinished(&self, record: &Heartbeat) -> Result<Option<RunResult>, WatchError> {
        let bytes = self.dir.read(&self.subject.files.result(), 1 << 20)?.unwrap_or_default();
        Ok(RunResult::unpack(&bytes).filter(|result| result.run_id == record.run_id))
    }

    fn record(&self, claim: Claim, result: &RunResult) -> Result<Note, WatchError> {
        let key = claim::key_of(&result.circuit.key, &self.subject.files);
        let room = claim.take_room(&key)?;
        claim.record(result, &room)?;
        Ok(Note::default())
    }

    /// Another writer's job: its process is signalled only if it is provably the job's own.
    fn other(
        &self,
        pid: Option<i32>,
        seen: &Observation,
        sentence: &Sentence,
    ) -> Result<Note, WatchError> {
        let files = &self.subject.files;
        let Some(claim) = Claim::take(self.dir, files, Duration::from_secs(5))? else {
            return Ok(Note::default());
        };
        if std::fs::symlink_metadata(files.status()).is_ok() && self.status_is_newer() {
            return Ok(Note::default());
        }
        let log = files.log();
        let marks = Marks {
            run_id: None,
            session: pid,
            log: &log,
            users: self.dir.users(),
            not_before: self.subject.not_before(self.dir),
            must_name: Some(&self.subject.name),
        };
        let mut reason = sentence.reason.clone();
        let alive = pid.and_then(process::stat).filter(Stat::lives);
        let known = match alive {
            Some(stat) if self.is_own(&stat, marks.not_before) => vec![stat],
            Some(stat) if sentence.outcome != Outcome::Lost => {
                let Stat { pid, comm, .. } = stat;
                reason += "; its process was not signalled, for it is not provably this job's: ";
                reason = format!("{reason}pid {pid} ({comm})");
                Vec::new()
            }
            _ => Vec::new(),
        };
        let (diagnosis, survivors) = end_tree(known, || orphans::find(&marks), self.grace(None));
        let now = SystemTime::now();
        let age = seen.facts.age.unwrap_or_default();
        let run_id = seen.run_id.clone().unwrap_or_else(|| "unknown".to_owned());
        let result = RunResult {
            schema: crate::protocol::SCHEMA,
            name: self.subject.name.to_string(),
            run_id,
            outcome: sentence.outcome,
            exit_code: None,
            signal: None,
            core_dumped: false,
            reason,
            ended_by: None,
            started_at: now.checked_sub(age).unwrap_or(now),
            ended_at: now,
            duration_s: age.as_secs_f64(),
            max_rss_bytes: None,
            cpu_s: None,
            log_bytes: std::fs::symlink_metadata(&log).map_or(0, |meta| meta.len()),
            survivors,
            diagnosis,
            circuit: CircuitPolicy::of(self.subject.name.as_str()),
            output: None,
        };
        self.record(claim, &result)
    }

    /// Whether `.status` is of this run, not left from one before it.
    fn status_is_newer(&self) -> bool {
        let mtime = |path: &std::path::Path| {
            std::fs::symlink_metadata(path).ok().map(|meta| crate::os::dir::mtime_ns(&meta))
        };
        let files = &self.subject.files;
        mtime(&files.status()) >= mtime(&files.pid())
    }

    /// Whether this process is provably the writer: the owner's, no younger than `.pid`, not PID 1,
    /// ourselves or an ancestor, and with a file of the job open or its name in the command line,
    /// itself or a descendant.
    fn is_own(&self, stat: &Stat, not_before: u64) -> bool {
        let dir = self.dir.path();
        let prefix = format!("{}.", self.subject.name);
        let of_job = |path: &std::path::Path| {
            path.parent() == Some(dir)
                && path.file_name().is_some_and(|f| f.to_string_lossy().starts_with(&prefix))
        };
        let related = |pid: i32| {
            !process::open_files(pid, of_job).is_empty() || names_job(pid, &self.subject.name)
        };
        let slack = 2 * u64::try_from(crate::os::clock::ticks_per_second()).unwrap_or(100);
        stat.pid != 1
            && !process::own_line().contains(&stat.pid)
            && process::uid(stat.pid).is_some_and(|uid| self.dir.users().contains(&uid))
            && stat.start <= not_before + slack
            && (related(stat.pid)
                || tree::descendants(stat.pid, &[]).iter().any(|stat| related(stat.pid)))
    }

    /// Ends the job by the user's command: the way to other hosts, and to other engines.
    fn by_command(
        &self,
        command: &str,
        seen: &Observation,
        sentence: &Sentence,
    ) -> Result<Note, WatchError> {
        let record = match &seen.writer {
            Writer::Ours(record) => Some(&**record),
            Writer::Other(_) => None,
        };
        let grace = self.grace(record);
        if let Some(record) = record {
            self.announce(record, sentence)?;
        }
        let how = self.run_command(command, seen, grace.max(KILL_COMMAND));
        if let Err(why) = how {
            return Ok(Note(Some(format!("--kill-cmd failed: {why}"))));
        }
        let until = Instant::now().checked_add(grace.saturating_add(RECORDING));
        let run_id = seen.run_id.clone().unwrap_or_default();
        let over = || match record {
            Some(record) => {
                let elsewhere = record.pid_ns != crate::os::clock::pid_namespace()
                    || record.boot_id != crate::os::clock::boot_id();
                let gone = !elsewhere && !self.is_held() && claim::live_wrapper(record).is_none();
                gone || self.is_over(&run_id)
            }
            None => true,
        };
        while !over() && until.is_none_or(|until| Instant::now() < until) {
            pause(LOOK);
        }
        match record {
            Some(record) if claim::live_wrapper(record).is_some() => {
                Ok(Note(Some("--kill-cmd was run, but the wrapper is still there".to_owned())))
            }
            Some(record) => self.settle(record, sentence, Vec::new()),
            None => self.other(None, seen, sentence),
        }
    }

    /// Tells the wrapper what it is going to be ended for.
    fn announce(&self, record: &Heartbeat, sentence: &Sentence) -> Result<(), WatchError> {
        use std::os::unix::fs::FileExt;
        let path = self.subject.files.sentence();
        let announced = Announced {
            run_id: record.run_id.clone(),
            outcome: sentence.outcome,
            reason: sentence.reason.clone(),
        };
        self.dir.remove(&path)?;
        let file = self.dir.create_file(&path)?;
        let written = file.write_all_at(&announced.pack(), 0);
        Ok(written.map_err(|source| DirError::io("write", &path, source))?)
    }

    fn run_command(
        &self,
        command: &str,
        seen: &Observation,
        patience: Duration,
    ) -> Result<(), String> {
        use std::os::unix::process::CommandExt;
        let mut child = Command::new("sh")
            .args(["-c", command])
            .envs(fields(seen))
            .env("SENTINEL_NAME", self.subject.name.as_str())
            .env("SENTINEL_DIR", self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| error.to_string())?;
        let until = Instant::now() + patience;
        loop {
            match child.try_wait().map_err(|error| error.to_string())? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(status.to_string()),
                None if Instant::now() >= until => {
                    let group = nix::unistd::Pid::from_raw(child.id().cast_signed());
                    let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
                    let _ = child.wait();
                    return Err(format!("it took longer than {}", human(patience)));
                }
                None => pause(LOOK),
            }
        }
    }
}

/// Ends what is known and what is found; what they were doing, and what could not be ended.
fn end_tree(
    mut known: Vec<Stat>,
    found: impl Fn() -> Vec<Stat>,
    grace: Duration,
) -> (Option<String>, Vec<Process>) {
    let mut look = || {
        known.extend(found());
        let below: Vec<Stat> =
            known.iter().flat_map(|stat| tree::descendants(stat.pid, &[])).collect();
        known.extend(below);
        known.sort_by_key(|stat| (stat.pid, stat.start));
        known.dedup_by(|a, b| a.is(b));
        known.retain(|stat| process::find(stat.pid, stat.start).is_some());
        known.clone()
    };
    let members = look();
    if members.is_empty() {
        return (None, Vec::new());
    }
    (Some(tree::diagnose(&members)), orphans::end(&mut look, grace))
}

fn as_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(as_text).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// The heartbeat's fields as `SENTINEL_*`: texts and numbers as they are, lists by spaces.
fn fields(seen: &Observation) -> Vec<(String, String)> {
    let record = match &seen.writer {
        Writer::Ours(record) => serde_json::to_value(record).unwrap_or_default(),
        Writer::Other(pid) => serde_json::json!({"pid": pid, "run_id": seen.run_id}),
    };
    let record = record.as_object().cloned().unwrap_or_default();
    record
        .iter()
        .map(|(key, value)| (format!("SENTINEL_{}", key.to_uppercase()), as_text(value)))
        .collect()
}

/// Counts the end of another writer's run in its circuit: its writer does not.
pub fn count_other(dir: &MonitorDir, subject: &Subject, seen: &Observation) {
    use crate::protocol::history::{Line, PastRun};
    let (Writer::Other(Some(_)), Some(Recorded::Word(..)), Some(run_id)) =
        (&seen.writer, &seen.recorded, &seen.run_id)
    else {
        return;
    };
    let Some(outcome) = seen.facts.outcome else { return };
    let now = SystemTime::now();
    let age = seen.facts.age.unwrap_or_default();
    let line = Line::Run(PastRun {
        run_id: run_id.clone(),
        name: subject.name.to_string(),
        outcome,
        exit_code: None,
        signal: None,
        reason: "recorded by another writer's .status".to_owned(),
        started_at: now.checked_sub(age).unwrap_or(now),
        ended_at: now,
        duration_s: age.as_secs_f64(),
    });
    // Counting is a service; where the directory cannot be written, the verdict is right anyway.
    let _ = crate::os::history::append(dir, &subject.files.history(&subject.name), &line);
}
