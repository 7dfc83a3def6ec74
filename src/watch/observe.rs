//! One look at a job's sentinels: outcome first, liveness next.

use super::WatchError;
use super::config::{self, Config};
use crate::decide::pulse::Pulse;
use crate::decide::verdict::{Facts, Limits, Wrapper};
use crate::os::dir::{DirError, MonitorDir, mtime_ns, mtime_of};
use crate::os::{claim, clock, history, lock, process};
use crate::protocol::files::JobFiles;
use crate::protocol::heartbeat::Heartbeat;
use crate::protocol::history::PastRun;
use crate::protocol::name::JobName;
use crate::protocol::outcome::{Outcome, Word};
use crate::protocol::result::RunResult;
use crate::protocol::time::{human, seconds};
use std::cell::OnceCell;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// More than any result of ours.
const MAX_RESULT: u64 = 256 << 10;
/// A writer's process is no older than its `.pid`, by so much at the most.
pub const PID_SLACK: Duration = Duration::from_secs(1);
/// A `.pid` that is younger, empty and not locked may be about to be locked.
const STARTING: Duration = Duration::from_secs(1);
/// Other writers may leave their `.result` this long after `.status` (seed 002's template does).
pub const LATE_RESULT: Duration = Duration::from_secs(1);

/// Who writes the sentinels.
#[derive(Clone, Debug, PartialEq)]
pub enum Writer {
    /// `sentinel-run`, with its record.
    Ours(Box<Heartbeat>),
    /// Any other program, with the PID it left, if it is one.
    Other(Option<i32>),
}

/// How the run ended, as far as it was written down.
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    /// The whole story.
    Result(Box<RunResult>),
    /// Its line in the history: another run has taken the name.
    Past(Box<PastRun>),
    /// One word of another writer, and what it left as JSON.
    Word(Word, Option<serde_json::Value>),
}

impl Recorded {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Result(result) => result.outcome,
            Self::Past(run) => run.outcome,
            Self::Word(Word::Success, _) => Outcome::Success,
            Self::Word(..) => Outcome::Failed,
        }
    }
}

/// What one look saw.
#[derive(Clone, Debug)]
pub struct Observation {
    /// For the decision.
    pub facts: Facts,
    /// By when a run is stale or too old.
    pub limits: Limits,
    /// Who writes.
    pub writer: Writer,
    /// What is written down of the end.
    pub recorded: Option<Recorded>,
    /// The run id; of another writer, one made from its `.pid`.
    pub run_id: Option<String>,
    /// An outcome is there, but its writer's `.result` may still come.
    pub result_may_come: bool,
}

/// A job under watch: what is kept from look to look.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The job.
    pub name: JobName,
    /// Its files.
    pub files: JobFiles,
    /// The run seen first, and the circuit it counts in; the verdict will be of this one.
    bound: Option<(String, JobName)>,
    pulse: Option<Pulse>,
    /// Age of another writer's run, as a moment on the monotonic clock, which may lie before zero.
    began: Option<Pulse>,
    ended_since: Option<Duration>,
    /// What the file system's clock is ahead of the monotonic one, nanoseconds.
    ahead: OnceCell<i128>,
    /// mtime of `.pid` at the last observation: another start writes it anew.
    pid_mtime: Option<i128>,
    /// The wrapper, if it was seen alive on this machine.
    wrapper: Option<i32>,
    /// Its lock was seen held, so that it can be seen from here.
    held: bool,
    /// Since when it was seen free.
    freed: Option<Duration>,
    status: PathBuf,
    heartbeat: PathBuf,
    pid: PathBuf,
}

struct Seen {
    status: Option<Word>,
    pid_meta: Option<Metadata>,
    pid_text: Vec<u8>,
    heartbeat_meta: Option<Metadata>,
    heartbeat: Option<Heartbeat>,
    locked: bool,
}

impl Subject {
    /// A job not looked at yet.
    #[must_use]
    pub fn new(dir: &Path, name: &JobName) -> Self {
        let files = JobFiles::new(dir, name);
        Self {
            name: name.clone(),
            status: files.status(),
            heartbeat: files.heartbeat(),
            pid: files.pid(),
            files,
            bound: None,
            pulse: None,
            began: None,
            ended_since: None,
            ahead: OnceCell::new(),
            pid_mtime: None,
            wrapper: None,
            held: false,
            freed: None,
        }
    }

    /// The watcher did not look for so long although it should have: the job does not pay for it.
    pub fn credit(&mut self, lost: Duration) {
        if let Some(pulse) = &mut self.pulse {
            pulse.credit(lost, clock::monotonic());
        }
    }

    /// Looks only at what changes when something has happened; true: observe. An outcome, a silence
    /// that has lasted too long, a wrapper that is gone, another start: whatever a verdict can come
    /// from shows in one of these.
    ///
    /// `held`: the wrapper's end would have woken us. Otherwise, between two thorough looks, it is
    /// enough that somebody has its PID.
    #[must_use]
    pub fn has_news(
        &mut self,
        dir: &MonitorDir,
        stale: Duration,
        held: bool,
        thorough: bool,
    ) -> bool {
        if std::fs::symlink_metadata(&self.status).is_ok() {
            return true;
        }
        let beat = mtime_of(&self.heartbeat);
        let (Some(beat), Some(pulse)) = (beat, &mut self.pulse) else { return true };
        let now = clock::monotonic();
        pulse.look(beat, now);
        if pulse.silence(now) > stale {
            return true;
        }
        match self.wrapper {
            Some(_) if held && !thorough => false,
            Some(pid) if !thorough => !process::exists(pid),
            _ => match lock::probe(dir, &self.pid) {
                Ok(Some(pid)) => !pid.locked || Some(pid.mtime) != self.pid_mtime,
                _ => true,
            },
        }
    }

    /// The moment, from now, at which the run would be stale.
    #[must_use]
    pub fn stale_in(&self, stale: Duration) -> Duration {
        let silence = self.pulse.as_ref().map(|pulse| pulse.silence(clock::monotonic()));
        stale.saturating_sub(silence.unwrap_or_default())
    }

    /// The record of a run that is over, if the outcome, `.pid` and the record are enough to know
    /// that it is the newest run's: it was written after the last start, and says what `.status` says.
    /// `None`: [`observe`](Self::observe) has to tell.
    ///
    /// # Errors
    /// If a file is refused or cannot be read.
    pub fn record_alone(&self, dir: &MonitorDir) -> Result<Option<RunResult>, WatchError> {
        let Some(word) = claim::read_word(dir, &self.files)? else { return Ok(None) };
        dir.check(&self.heartbeat)?;
        // Before the record: a start in between leaves none, or a newer one.
        let Some(pid) = dir.look(&self.pid)? else { return Ok(None) };
        let Some((bytes, meta)) = dir.read_with(&self.files.result(), MAX_RESULT)? else {
            return Ok(None);
        };
        let result = RunResult::unpack(&bytes).filter(|result| result.outcome.word() == word);
        // At the same tick of the clock either may have come first.
        Ok(result.filter(|_| mtime_ns(&meta) > mtime_ns(&pid)))
    }

    /// One thorough look.
    ///
    /// # Errors
    /// If a file is refused or cannot be read, or `--stale` does not fit the job.
    pub fn observe(
        &mut self,
        dir: &MonitorDir,
        config: &Config,
    ) -> Result<Observation, WatchError> {
        // Outcome before liveness: what is read last is what was true last. A run that ends
        // between the two reads looks alive, and is seen ended at the next look.
        let mut seen = self.read(dir)?;
        self.pid_mtime = seen.pid_meta.as_ref().map(mtime_ns);
        if self.status_is_of_an_older_run(dir, &seen) {
            seen.status = None;
        }
        if self.start_was_cut_short(dir, &seen) {
            // What else is there is of the run before.
            seen.status = None;
            seen.heartbeat = None;
            seen.heartbeat_meta = None;
        }
        let writer = seen.writer();
        let limits = self.limits(config, &writer)?;
        let run_id = self.run_id(&writer, &seen);

        if let (Some((bound, key)), Some(run_id)) = (&self.bound, &run_id)
            && bound != run_id
        {
            return Ok(self.replaced(dir, &writer, limits, bound, key));
        }
        // An empty `.pid` is about to be written: by us, who hold its lock, or by a shell.
        let fresh = seen.pid_text.is_empty()
            && seen.pid_meta.as_ref().is_some_and(|meta| self.age(dir, meta) <= STARTING);
        let starting = seen.locked && fresh;
        let recorded = match &seen.status {
            Some(word) if !starting => Some(self.recorded(dir, word, &writer, &seen)?),
            _ => None,
        };
        // A lock is held by writers of ours: while their record is missing, the run has no name.
        let named = matches!(writer, Writer::Ours(_)) || !seen.locked;
        if named && !fresh && self.bound.is_none() {
            self.bound = run_id.clone().map(|run_id| (run_id, self.key(&writer)));
        }
        let silence = if starting { None } else { self.silence(dir, &writer, &seen) };
        // What is over needs nobody that lives.
        if recorded.is_none() {
            self.wrapper = match &writer {
                Writer::Ours(record) => claim::live_wrapper(record).map(|stat| stat.pid),
                Writer::Other(_) => None,
            };
        }
        let wrapper = if starting || recorded.is_some() {
            Wrapper::Alive
        } else {
            self.wrapper(dir, &writer, &seen, silence)
        };
        let begun = seen.status.is_some()
            || seen.heartbeat_meta.is_some()
            || seen.pid_meta.as_ref().is_some_and(|meta| {
                seen.locked || !seen.pid_text.is_empty() || self.age(dir, meta) > STARTING
            });
        let result_may_come = self.result_may_come(recorded.as_ref());
        let facts = Facts {
            exists: begun,
            outcome: recorded.as_ref().map(Recorded::outcome),
            wrapper,
            silence,
            age: if starting { None } else { self.run_age(dir, &writer, &seen) },
        };
        Ok(Observation { facts, limits, writer, recorded, run_id, result_may_come })
    }

    /// Reads all there is, as of one moment: a start in between would put the last run's word
    /// beside the new run's name.
    fn read(&self, dir: &MonitorDir) -> Result<Seen, WatchError> {
        let stamp =
            || std::fs::symlink_metadata(&self.status).ok().map(|m| (m.ino(), mtime_ns(&m)));
        let mut before = stamp();
        for _ in 0..10 {
            let seen = self.read_once(dir)?;
            let after = stamp();
            if before == after {
                return Ok(seen);
            }
            before = after;
        }
        self.read_once(dir)
    }

    fn read_once(&self, dir: &MonitorDir) -> Result<Seen, WatchError> {
        let files = &self.files;
        let status = claim::read_word(dir, files)?;
        // In the order a start writes them, backwards: a `.pid` read full was preceded by its
        // heartbeat.
        let pid = lock::read(dir, &self.pid, 64)?;
        let (locked, pid_text, pid_meta) = pid.map_or_else(
            || (false, Vec::new(), None),
            |(locked, text, meta)| (locked, text, Some(meta)),
        );
        let beaten = claim::read_heartbeat_with(dir, &self.heartbeat)?;
        let (heartbeat, heartbeat_meta) =
            beaten.map_or((None, None), |(record, meta)| (record, Some(meta)));
        Ok(Seen { status, pid_meta, pid_text, heartbeat_meta, heartbeat, locked })
    }

    /// Whether another writer, which removes nothing (seed 002's template), has begun a new run over
    /// an old `.status`: its `.pid` is newer, and its process lives or is newer by far.
    fn status_is_of_an_older_run(&self, dir: &MonitorDir, seen: &Seen) -> bool {
        let Writer::Other(Some(pid)) = seen.writer() else { return false };
        let status = mtime_of(&self.status);
        let (Some(pid_meta), Some(status)) = (&seen.pid_meta, status) else { return false };
        let lives = process::stat(pid)
            .is_some_and(|stat| stat.lives() && !self.is_newer(dir, &stat, pid_meta));
        let ahead = mtime_ns(pid_meta) - status;
        ahead > 0 && (lives || ahead > i128::try_from(PID_SLACK.as_nanos()).unwrap_or(0))
    }

    /// Whether a start died after it had emptied `.pid` and before it had a heartbeat of its own:
    /// nobody holds the empty file, it is newer than any outcome, and the run in the heartbeat, if
    /// there is one, is known to be over.
    fn start_was_cut_short(&self, dir: &MonitorDir, seen: &Seen) -> bool {
        let Some(pid) = seen.pid_meta.as_ref().filter(|_| seen.pid_text.is_empty()) else {
            return false;
        };
        let emptied_since = mtime_of(&self.status).is_none_or(|status| mtime_ns(pid) > status);
        let over = |record: &Heartbeat| {
            let key = self.key(&Writer::Ours(Box::new(record.clone())));
            self.past_run(dir, &key, &record.run_id).is_some()
        };
        !seen.locked && emptied_since && seen.heartbeat.as_ref().is_none_or(over)
    }

    fn limits(&self, config: &Config, writer: &Writer) -> Result<Limits, WatchError> {
        let Writer::Ours(record) = writer else {
            return Ok(Limits {
                stale: config.stale.unwrap_or(config::STALE),
                timeout: config.timeout.or(Some(config::TIMEOUT)).filter(|t| !t.is_zero()),
            });
        };
        let own = seconds(record.stale_s).filter(|stale| !stale.is_zero());
        let interval = seconds(record.interval_s).unwrap_or_default();
        if let Some(stale) = config.stale.filter(|stale| *stale <= interval.saturating_mul(2)) {
            return Err(WatchError::StaleTooShort {
                name: self.name.to_string(),
                stale: human(stale),
                interval: human(interval),
            });
        }
        Ok(Limits {
            stale: config.stale.or(own).unwrap_or(config::STALE),
            timeout: config
                .timeout
                .or_else(|| record.timeout_s.and_then(seconds))
                .filter(|timeout| !timeout.is_zero()),
        })
    }

    /// What names the run. While a lock is held and the record cannot be read, nothing does.
    fn run_id(&self, writer: &Writer, seen: &Seen) -> Option<String> {
        let pid_meta = seen.pid_meta.as_ref().filter(|_| !seen.locked);
        match (writer, pid_meta) {
            (Writer::Ours(record), _) => Some(record.run_id.clone()),
            (Writer::Other(_), None) => None,
            (Writer::Other(None), Some(meta)) => Some(format!("start-{}", mtime_ns(meta))),
            // Another writer may touch its `.pid`: its process, while it lives, is what tells one
            // run from the next.
            (Writer::Other(Some(pid)), Some(_)) => {
                let begun = process::stat(*pid).filter(process::Stat::lives).map(|stat| stat.start);
                let ours = self.bound.as_ref().map(|(bound, _)| bound);
                let same = ours.filter(|bound| bound.starts_with(&format!("pid-{pid}-")));
                match (begun, same) {
                    (None, Some(bound)) => Some(bound.clone()),
                    (begun, _) => Some(format!("pid-{pid}-{}", begun.unwrap_or(0))),
                }
            }
        }
    }

    /// Another run has taken the name: the history tells how the one we watched ended.
    fn replaced(
        &self,
        dir: &MonitorDir,
        writer: &Writer,
        limits: Limits,
        bound: &str,
        key: &JobName,
    ) -> Observation {
        let past = self.past_run(dir, key, bound).unwrap_or_else(|| {
            let why = "another run took the name before this one's outcome was recorded";
            let run_id = bound.to_owned();
            PastRun::from(&RunResult::by_another(&self.name, run_id, Outcome::Lost, why.into()))
        });
        let facts = Facts {
            exists: true,
            outcome: Some(past.outcome),
            wrapper: Wrapper::Alive,
            silence: None,
            age: None,
        };
        Observation {
            facts,
            limits,
            writer: writer.clone(),
            recorded: Some(Recorded::Past(Box::new(past))),
            run_id: Some(bound.to_owned()),
            result_may_come: false,
        }
    }

    /// The circuit that a writer's runs count in.
    fn key(&self, writer: &Writer) -> JobName {
        let named = match writer {
            Writer::Ours(record) => record.circuit.as_ref().map(|circuit| circuit.key.as_str()),
            Writer::Other(_) => None,
        };
        claim::key_of(named.unwrap_or(self.name.as_str()), &self.files)
    }

    fn past_run(&self, dir: &MonitorDir, key: &JobName, run_id: &str) -> Option<PastRun> {
        history::read(dir, &self.files.history(key)).ok()?.run(run_id)
    }

    fn recorded(
        &self,
        dir: &MonitorDir,
        word: &Word,
        writer: &Writer,
        seen: &Seen,
    ) -> Result<Recorded, DirError> {
        let path = self.files.result();
        let (bytes, meta) = dir.read_with(&path, MAX_RESULT)?.unzip();
        let bytes = bytes.unwrap_or_default();
        // A result from before this run is some older run's.
        let newer = match (meta, &seen.pid_meta) {
            (Some(result), Some(pid)) => mtime_ns(&result) >= mtime_ns(pid),
            (Some(_), None) => true,
            (None, _) => false,
        };
        // Ours, whoever writes the job: only our programs write such a record.
        let fits = |result: &RunResult| {
            newer || matches!(writer, Writer::Ours(record) if result.run_id == record.run_id)
        };
        let result = RunResult::unpack(&bytes).filter(fits);
        if let Some(result) = result.filter(|result| result.outcome.word() == *word) {
            return Ok(Recorded::Result(Box::new(result)));
        }
        let foreign = newer && RunResult::unpack(&bytes).is_none();
        let output = if foreign { serde_json::from_slice(&bytes).ok() } else { None };
        Ok(Recorded::Word(word.clone(), output))
    }

    fn result_may_come(&mut self, recorded: Option<&Recorded>) -> bool {
        if !matches!(recorded, Some(Recorded::Word(Word::Success, None))) {
            return false;
        }
        let now = clock::monotonic();
        now.saturating_sub(*self.ended_since.get_or_insert(now)) < LATE_RESULT
    }

    fn wrapper(
        &mut self,
        dir: &MonitorDir,
        writer: &Writer,
        seen: &Seen,
        silence: Option<Duration>,
    ) -> Wrapper {
        if seen.locked {
            (self.held, self.freed) = (true, None);
            return Wrapper::Alive;
        }
        match writer {
            Writer::Ours(record) => {
                let known =
                    claim::is_gone(record, seen.pid_meta.as_ref()) || claim::was_rebooted(record);
                if known || self.was_let_go(record, silence) {
                    if !known {
                        // A file system may remember for long that there was no `.status`, until we
                        // change the directory ourselves. A death is believed at a second look.
                        let _ = self.touch_probe(dir);
                    }
                    return Wrapper::Gone(claim::lost_reason(record));
                }
                if claim::is_here(record) {
                    return Wrapper::Alive; // a file system that does not forward locks
                }
                Wrapper::Elsewhere(claim::elsewhere(record))
            }
            Writer::Other(Some(pid)) => {
                let Some(meta) = &seen.pid_meta else { return Wrapper::Alive };
                match process::stat(*pid).filter(process::Stat::lives) {
                    None => {
                        Wrapper::Gone(format!("its process {pid} ended without writing .status"))
                    }
                    Some(stat) if self.is_newer(dir, &stat, meta) => Wrapper::Gone(format!(
                        "its process is gone; pid {pid} now belongs to {}",
                        stat.comm
                    )),
                    Some(_) => Wrapper::Alive,
                }
            }
            // An emptied `.pid` that nobody holds: a start that was cut before its command ran.
            Writer::Other(None) if seen.pid_meta.is_some() && seen.pid_text.is_empty() => {
                Wrapper::Gone("its start was cut short before the command ran".to_owned())
            }
            Writer::Other(None) => Wrapper::Alive,
        }
    }

    /// Whether a lock of another host, which was seen held before, has been free for as long as two
    /// beats take, and none came: a server that lost its locks is not a wrapper that died.
    fn was_let_go(&mut self, record: &Heartbeat, silence: Option<Duration>) -> bool {
        if !self.held || claim::is_here(record) {
            return false;
        }
        let now = clock::monotonic();
        let free_for = now.saturating_sub(*self.freed.get_or_insert(now));
        let two_beats = claim::two_beats(record);
        free_for >= two_beats && silence.is_some_and(|silence| silence >= two_beats)
    }

    /// Whether a process began after `.pid` was written, so that it cannot be the one meant.
    fn is_newer(&self, dir: &MonitorDir, stat: &process::Stat, pid_meta: &Metadata) -> bool {
        process_age(stat) + PID_SLACK < self.age(dir, pid_meta)
    }

    /// Ticks of the boot clock before which nothing of another writer's run began.
    #[must_use]
    pub fn not_before(&self, dir: &MonitorDir) -> u64 {
        let meta = std::fs::symlink_metadata(self.files.pid()).ok();
        let age = meta.map(|meta| self.age(dir, &meta) + PID_SLACK).unwrap_or_default();
        let then = clock::since_boot().saturating_sub(age);
        let ticks =
            then.as_secs_f64() * f64::from(i32::try_from(clock::ticks_per_second()).unwrap_or(100));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
        let ticks = ticks as u64;
        ticks
    }

    fn silence(&mut self, dir: &MonitorDir, writer: &Writer, seen: &Seen) -> Option<Duration> {
        // A heartbeat that never came counts from `.pid`.
        let meta = seen.heartbeat_meta.as_ref().or(seen.pid_meta.as_ref())?;
        let (mtime, now) = (mtime_ns(meta), clock::monotonic());
        if self.pulse.is_none() {
            let age = match writer {
                Writer::Ours(record) if record.boot_id == clock::boot_id() => {
                    age_of_beat(record, mtime, now)
                }
                // Deleted under a living wrapper, which makes it anew at its next beat.
                Writer::Other(_) if seen.locked && seen.heartbeat.is_none() => Duration::ZERO,
                _ => self.age(dir, meta),
            };
            self.pulse = Some(Pulse::first(mtime, age, now));
        }
        let pulse = self.pulse.as_mut()?;
        pulse.look(mtime, now);
        Some(pulse.silence(now))
    }

    fn run_age(&mut self, dir: &MonitorDir, writer: &Writer, seen: &Seen) -> Option<Duration> {
        let now = clock::monotonic();
        if let Writer::Ours(record) = writer {
            let same_boot = record.boot_id == clock::boot_id();
            if let Some(began) = record.started_monotonic_ns.filter(|_| same_boot) {
                return Some(now.saturating_sub(Duration::from_nanos(began)));
            }
            return std::time::SystemTime::now().duration_since(record.started_at).ok();
        }
        let meta = seen.pid_meta.as_ref().or(seen.heartbeat_meta.as_ref())?;
        if self.began.is_none() {
            self.began = Some(Pulse::first(0, self.age(dir, meta), now));
        }
        self.began.as_ref().map(|began| began.silence(now))
    }

    /// Time since the mtime, on the clock of the file system: a file touched once says what time it
    /// is there, the monotonic clock says how long ago that was. Where none can be touched, our own
    /// clock has to do.
    fn age(&self, dir: &MonitorDir, meta: &Metadata) -> Duration {
        let monotonic = || i128::try_from(clock::monotonic().as_nanos()).unwrap_or(0);
        let ahead = self.ahead.get_or_init(|| {
            let there = self.touch_probe(dir);
            there.unwrap_or_else(|| i128::from(clock::realtime_ns())) - monotonic()
        });
        let age = (monotonic() + ahead - mtime_ns(meta)).max(0);
        Duration::from_nanos(u64::try_from(age).unwrap_or(u64::MAX))
    }

    fn touch_probe(&self, dir: &MonitorDir) -> Option<i128> {
        use std::os::unix::fs::FileExt;
        let path = dir.path().join(format!(".{}.probe-{}", self.name, std::process::id()));
        let file = dir.create_file(&path).ok()?;
        let written = file.write_all_at(b"x", 0).and_then(|()| file.metadata());
        let _ = std::fs::remove_file(&path);
        written.ok().map(|meta| mtime_ns(&meta))
    }
}

impl Seen {
    fn writer(&self) -> Writer {
        let text = String::from_utf8_lossy(&self.pid_text);
        let pid = text.trim().parse::<i32>().ok().filter(|pid| *pid > 0);
        match &self.heartbeat {
            // A `.pid` that names somebody else: another writer took the name, and only touches
            // what we left.
            // (Its wrapper alive and the lock held: then only the text of `.pid` is not its own.)
            Some(record)
                if pid.is_none_or(|pid| pid == record.pid)
                    || (self.locked && claim::live_wrapper(record).is_some()) =>
            {
                Writer::Ours(Box::new(record.clone()))
            }
            _ => Writer::Other(pid),
        }
    }
}

/// Age of a beat on this boot: by the monotonic clock, corrected by how far the file was touched
/// after (or before) it.
fn age_of_beat(record: &Heartbeat, mtime: i128, now: Duration) -> Duration {
    let now = i128::try_from(now.as_nanos()).unwrap_or(i128::MAX / 4);
    let age =
        now - i128::from(record.beat.monotonic_ns) + (i128::from(record.beat.realtime_ns) - mtime);
    Duration::from_nanos(u64::try_from(age.max(0)).unwrap_or(u64::MAX))
}

/// How long ago a process began.
fn process_age(stat: &process::Stat) -> Duration {
    let ticks = u64::try_from(clock::ticks_per_second()).unwrap_or(100).max(1);
    let began = Duration::from_millis(stat.start.saturating_mul(1000) / ticks);
    clock::since_boot().saturating_sub(began)
}
