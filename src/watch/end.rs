//! Ending a job whose verdict asks for it, and recording what no one else can record any more.
//!
//! Every signal goes the same way: a handle on the process first, then who it is, then the lock,
//! then the signal through the handle. Nobody outside the job's tree is ever reached.

use super::WatchError;
use super::config::{self, Config, Kill};
use super::observe::{Observation, Recorded, Subject, Writer};
use crate::decide::verdict::Judgement;
use crate::os::claim::{self, Claim};
use crate::os::clock::pause;
use crate::os::dir::{DirError, MonitorDir, mtime_of};
use crate::os::lock::is_locked;
use crate::os::orphans::{self, Marks, names_job};
use crate::os::process::{self, Handle, Stat};
use crate::os::settle::settle;
use crate::os::tree;
use crate::protocol::heartbeat::Heartbeat;
use crate::protocol::outcome::Outcome;
use crate::protocol::result::RunResult;
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
/// A wrapper that was asked twice to kill at once and still holds its lock after this is killed. Its
/// record goes to the disk in several steps, each of which takes seconds where the disk is busy; who is
/// killed in one of them has recorded nothing of what it alone knows.
const OBSTINATE: Duration = Duration::from_secs(10);
/// What an ending takes beside its grace: all of the above, and a killed wrapper's last step.
const ENDING: Duration = Duration::from_secs(25);
/// Nobody is waited for longer than this for the claim, whatever grace a file names.
const MOST_PATIENT: Duration = Duration::from_mins(10);
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
    let case = Case { dir, subject, config };
    if let Kill::Command(command) = &config.kill
        && sentence.outcome != Outcome::Lost
    {
        return case.by_command(command, seen, sentence);
    }
    match (&seen.writer, sentence.outcome) {
        (Writer::Ours(record), Outcome::Lost) => case.settle(record, sentence, Vec::new()),
        (Writer::Ours(record), _) => case.ask(record, sentence),
        (Writer::Other(pid), _) => case.other(*pid, seen, sentence),
    }
}

struct Case<'a> {
    dir: &'a MonitorDir,
    subject: &'a Subject,
    config: &'a Config,
}

impl Case<'_> {
    fn grace(&self, record: Option<&Heartbeat>) -> Duration {
        let own = record.and_then(|record| seconds(record.grace_s));
        self.config.grace.or(own).unwrap_or(config::GRACE)
    }

    /// Whether the run is over for whoever looks: recorded, or another run has the name.
    fn is_over(&self, run_id: &str) -> bool {
        let files = &self.subject.files;
        self.has_outcome()
            || claim::read_heartbeat(self.dir, files)
                .ok()
                .flatten()
                .is_some_and(|record| record.run_id != run_id)
    }

    /// Whether `.status` says a word. One that was cut short says "not yet".
    fn has_outcome(&self) -> bool {
        matches!(claim::read_word(self.dir, &self.subject.files), Ok(Some(_)))
    }

    fn is_held(&self) -> bool {
        is_locked(self.dir, &self.subject.files.pid()).unwrap_or(true)
    }

    /// Waits until the run is over or its wrapper is gone (where that can be known from here);
    /// true then.
    fn wait_for_end(&self, record: &Heartbeat, patience: Duration) -> bool {
        let until = Instant::now().checked_add(patience);
        let pid = || std::fs::symlink_metadata(self.subject.files.pid()).ok();
        let gone = || !self.is_held() && claim::is_gone(record, pid().as_ref());
        loop {
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
        if !claim::is_here(record) {
            return Ok(Note(Some(format!(
                "not ended: it runs as {}; end it there, or give --kill-cmd",
                claim::elsewhere(record)
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
        let examination = if record.on_hang && sentence.outcome == Outcome::Hung {
            seconds(record.grace_s).unwrap_or_default()
        } else {
            Duration::ZERO
        };
        let patience = self.grace(Some(record)).saturating_add(examination);
        if self.wait_for_end(record, patience.saturating_add(RECORDING)) {
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
        let grace = self.grace(Some(record));
        let Some(claim) = self.claim(grace)? else { return Ok(self.not_claimed()) };
        if self.is_over(&record.run_id) || claim::live_wrapper(record).is_some() {
            return Ok(Note::default());
        }
        let told = (sentence.outcome, sentence.reason.as_str());
        self.record(claim, &settle(self.dir, files, record, told, known, grace)?)
    }

    /// Takes the claim. Who has it may be another watcher that ends the same run, which takes a
    /// grace and a little more.
    fn claim(&self, grace: Duration) -> Result<Option<Claim>, WatchError> {
        let patience = grace.saturating_add(ENDING).min(MOST_PATIENT);
        Ok(Claim::take(self.dir, &self.subject.files, patience)?)
    }

    fn not_claimed(&self) -> Note {
        if self.has_outcome() {
            return Note::default();
        }
        Note(Some("not recorded: somebody holds the lock on its .pid and does not end".to_owned()))
    }

    fn record(&self, claim: Claim, result: &RunResult) -> Result<Note, WatchError> {
        let key = claim::key_of(&result.circuit.key, &self.subject.files);
        let room = claim.take_room(&key)?;
        // The outcome is recorded; what else went wrong is for the next reader of the disk.
        let _ = claim.record(result, &room)?;
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
        let grace = self.grace(None);
        let Some(claim) = self.claim(grace)? else { return Ok(self.not_claimed()) };
        if self.has_outcome() && self.status_is_newer() {
            return Ok(Note::default());
        }
        let log = std::fs::canonicalize(files.log()).unwrap_or_else(|_| files.log());
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
        let (diagnosis, survivors) = orphans::end_all(known, || orphans::find(&marks), grace);
        let now = SystemTime::now();
        let age = seen.facts.age.unwrap_or_default();
        let run_id = seen.run_id.clone().unwrap_or_else(|| "unknown".to_owned());
        let result = RunResult {
            started_at: now.checked_sub(age).unwrap_or(now),
            duration_s: age.as_secs_f64(),
            log_bytes: std::fs::symlink_metadata(&log).map_or(0, |meta| meta.len()),
            survivors,
            diagnosis,
            ..RunResult::by_another(&self.subject.name, run_id, sentence.outcome, reason)
        };
        self.record(claim, &result)
    }

    /// Whether `.status` is of this run, not left from one before it.
    fn status_is_newer(&self) -> bool {
        let files = &self.subject.files;
        mtime_of(&files.status()) >= mtime_of(&files.pid())
    }

    /// Whether this process is provably the writer: the owner's, no younger than `.pid`, not PID 1,
    /// ourselves or an ancestor, and with a file of the job open or its name in the command line,
    /// itself or a descendant.
    fn is_own(&self, stat: &Stat, not_before: u64) -> bool {
        let dir = std::fs::canonicalize(self.dir.path());
        let prefix = format!("{}.", self.subject.name);
        let of_job = |path: &std::path::Path| {
            path.parent() == dir.as_deref().ok()
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
        if let Some(record) = record {
            self.wait_for_end(record, grace.saturating_add(RECORDING));
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
    let (Writer::Other(Some(pid)), Some(Recorded::Word(..))) = (&seen.writer, &seen.recorded)
    else {
        return;
    };
    // Every watcher makes the same name of it, whenever it came.
    let Some(status) = mtime_of(&subject.files.status()) else { return };
    let run_id = format!("pid-{pid}-{status}");
    let Some(outcome) = seen.facts.outcome else { return };
    let now = SystemTime::now();
    let age = seen.facts.age.unwrap_or_default();
    let reason = "recorded by another writer's .status".to_owned();
    let line = Line::Run(PastRun::from(&RunResult {
        started_at: now.checked_sub(age).unwrap_or(now),
        duration_s: age.as_secs_f64(),
        ..RunResult::by_another(&subject.name, run_id, outcome, reason)
    }));
    // Counting is a service; where the directory cannot be written, the verdict is right anyway.
    let _ = crate::os::history::append(dir, &subject.files.history(&subject.name), &line);
}
