//! From "somebody wants this run" to "the command runs": everything that can refuse comes before
//! anything that changes a file.

use super::config::Config;
use super::record::Past;
use crate::decide::circuit::{Gate, failures, gate};
use crate::os::claim::{self, Claim, HeartbeatFile, NewHeartbeatFile, Room};
use crate::os::dir::{DirError, MonitorDir, mtime_ns};
use crate::os::lock::{Locked, is_locked, lock};
use crate::os::say::say;
use crate::os::settle::settle;
use crate::os::{clock, history};
use crate::protocol::circuit::CircuitPolicy;
use crate::protocol::files::JobFiles;
use crate::protocol::heartbeat::Heartbeat;
use crate::protocol::history::{History, Line, PastRun};
use crate::protocol::name::JobName;
use crate::protocol::outcome::Outcome;
use crate::protocol::time::{human, rfc3339};
use std::fmt::Write;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// How long a start tries for the claim, which a reader may hold for a moment.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long a last run of another host is given to beat, at least and at most: a mount may show what
/// it saw some seconds ago.
const LEAST_BEATS: Duration = Duration::from_secs(3);
const MOST_BEATS: Duration = Duration::from_mins(1);

/// Why no run took place, or why its outcome could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The job runs already (exit code 75).
    #[error("{name} is already running{by}; watch it with: sentinel-watch --dir {dir} {name}")]
    AlreadyRunning {
        /// The job.
        name: String,
        /// By whom, if known.
        by: String,
        /// Its directory.
        dir: String,
    },
    /// Its circuit is open (69).
    #[error("{0}")]
    CircuitOpen(String),
    /// A preflight command failed.
    #[error("preflight failed: {command}: {how}; nothing was started")]
    Preflight {
        /// Which.
        command: String,
        /// How.
        how: String,
    },
    /// A file of the job cannot be used.
    #[error(transparent)]
    Dir(#[from] DirError),
    /// The working directory cannot be entered.
    #[error("cannot work in {dir}: {source}")]
    Cwd {
        /// The directory asked for.
        dir: String,
        /// Why.
        source: io::Error,
    },
    /// The system refused something the wrapper cannot do without.
    #[error("cannot {what}: {source}")]
    System {
        /// What.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The run ended, but its outcome could not be written down.
    #[error("{name} ended as {outcome} ({reason}), but this could not be recorded: {source}")]
    NotRecorded {
        /// The job.
        name: String,
        /// How it ended.
        outcome: &'static str,
        /// In words.
        reason: String,
        /// Why it could not be recorded.
        source: DirError,
    },
}

/// The job as it stands before its start.
pub struct Prepared {
    /// The monitor directory.
    pub dir: MonitorDir,
    /// The job's files.
    pub files: JobFiles,
    /// Its circuit.
    pub circuit: CircuitPolicy,
}

/// Everything a run holds while its command is executed.
pub struct Started {
    /// The right to write.
    pub claim: Claim,
    /// The space for the end.
    pub room: Room,
    /// The heartbeat's space.
    pub heartbeat: NewHeartbeatFile,
    /// The new log, under its temporary name.
    pub log: File,
    /// `.output`, still as the last run left it.
    pub output: File,
    /// The lock of a half-open circuit's one trial.
    pub trial: Option<Locked>,
    /// For the command's environment.
    pub past: Past,
}

/// Looks at everything that could refuse this start, and runs the preflight commands. Changes no
/// file.
///
/// # Errors
/// The refusal.
pub fn prepare(config: &Config) -> Result<Prepared, RunError> {
    let dir = MonitorDir::create(&config.dir)?;
    let files = JobFiles::new(dir.path(), &config.name);
    let circuit = CircuitPolicy {
        key: config.circuit_key.to_string(),
        max_failures: config.max_failures,
        cooldown_s: config.circuit_cooldown.map(|cooldown| cooldown.as_secs_f64()),
        enforced: config.enforced,
    };
    let prepared = Prepared { dir, files, circuit };
    for path in prepared.files.all() {
        prepared.dir.check(&path)?;
    }
    // The last run's wrapper may need a moment to be gone after its `.status`.
    let deadline = Instant::now() + PATIENCE;
    while is_locked(&prepared.dir, &prepared.files.pid())? {
        if Instant::now() >= deadline {
            return Err(prepared.already_running());
        }
        clock::pause(Duration::from_millis(5));
    }
    if config.enforced && !config.reset_circuit {
        let failures = failures(prepared.history(config)?.newest_first());
        prepared.admit(config, &failures, &mut None)?;
    }
    for command in &config.preflight {
        preflight(command, config.cwd.as_deref())?;
    }
    Ok(prepared)
}

/// Takes the claim and all the room the run will need. Until this returns, nothing that a reader
/// believes has changed.
///
/// # Errors
/// The refusal; what was taken is given back.
pub fn take(config: &Config, prepared: &Prepared) -> Result<Started, RunError> {
    let Prepared { dir, files, .. } = prepared;
    let claim = Claim::take(dir, files, PATIENCE)?.ok_or_else(|| prepared.already_running())?;
    match take_rest(config, prepared, &claim) {
        Ok((room, heartbeat, log, output, trial, past)) => {
            Ok(Started { claim, room, heartbeat, log, output, trial, past })
        }
        Err(error) => {
            claim.withdraw();
            Err(error)
        }
    }
}

type Rest = (Room, NewHeartbeatFile, File, File, Option<Locked>, Past);

fn take_rest(config: &Config, prepared: &Prepared, claim: &Claim) -> Result<Rest, RunError> {
    let Prepared { dir, files, .. } = prepared;
    prepared.settle_predecessor(config, claim)?;
    // Again, now that nobody else can start: another run may have failed in between.
    let mut trial = None;
    if config.reset_circuit {
        let path = prepared.history_path(config);
        history::append(&prepared.dir, &path, &Line::reset_now())?;
    }
    let history = prepared.history(config)?;
    let failures = failures(history.newest_first());
    prepared.admit(config, &failures, &mut trial)?;
    let past = Past {
        attempt: failures.len() + 1,
        last_outcome: last_outcome(&history, config.name.as_str()),
    };

    let room = claim.take_room(&config.circuit_key)?;
    let heartbeat = match HeartbeatFile::take_room(dir, &files.heartbeat()) {
        Ok(heartbeat) => heartbeat,
        Err(error) => {
            room.give_back();
            return Err(error.into());
        }
    };
    let outputs = new_log(prepared).and_then(|log| Ok((log, dir.create_file(&files.output())?)));
    match outputs {
        Ok((log, output)) => Ok((room, heartbeat, log, output, trial, past)),
        Err(error) => {
            room.give_back();
            heartbeat.give_back();
            Err(error.into())
        }
    }
}

/// The log of the run to come: the very file the command will write to.
fn new_log(prepared: &Prepared) -> Result<File, DirError> {
    use std::os::unix::fs::OpenOptionsExt;
    let draft = JobFiles::draft(&prepared.files.log());
    prepared.dir.remove(&draft)?;
    let file = std::fs::OpenOptions::new()
        .read(true)
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .map_err(|source| DirError::io("create", &draft, source))?;
    prepared.dir.give(&draft, &file)?;
    Ok(file)
}

/// Closes the circuit that the job's last run counted in, unless another was named.
///
/// # Errors
/// If the history cannot be written.
pub fn reset_last(config: &Config) -> Result<JobName, RunError> {
    let dir = &MonitorDir::create(&config.dir)?;
    let files = &JobFiles::new(dir.path(), &config.name);
    let record = claim::read_heartbeat(dir, files)?.filter(|_| !config.circuit_named);
    let last = record.and_then(|record| record.circuit);
    let key = last.map_or_else(|| config.circuit_key.clone(), |c| claim::key_of(&c.key, files));
    history::append(dir, &files.history(&key), &Line::reset_now())?;
    Ok(key)
}

impl Prepared {
    fn history_path(&self, config: &Config) -> std::path::PathBuf {
        self.files.history(&config.circuit_key)
    }

    fn history(&self, config: &Config) -> Result<History, RunError> {
        Ok(history::read(&self.dir, &self.history_path(config))?)
    }

    fn already_running(&self) -> RunError {
        let record = claim::read_heartbeat(&self.dir, &self.files).ok().flatten();
        let by = record.and_then(|record| {
            let who = if claim::is_here(&record) {
                format!("pid {}", claim::live_wrapper(&record)?.pid)
            } else {
                claim::elsewhere(&record)
            };
            Some(format!(" ({who}, since {})", rfc3339(record.started_at)))
        });
        RunError::AlreadyRunning {
            name: self.files.name().to_string(),
            by: by.unwrap_or_default(),
            dir: self.files.dir().display().to_string(),
        }
    }

    /// Whether the circuit lets a run start. A half-open one admits whoever gets the trial's lock,
    /// which is put in `trial`.
    fn admit(
        &self,
        config: &Config,
        failures: &[PastRun],
        trial: &mut Option<Locked>,
    ) -> Result<(), RunError> {
        match gate(failures, &self.circuit, SystemTime::now()) {
            Gate::Closed => return Ok(()),
            Gate::HalfOpen => {
                let path = self.files.trial(&config.circuit_key);
                *trial = lock(&self.dir, &path, Duration::ZERO)?;
                if trial.is_some() || !config.enforced {
                    return Ok(());
                }
                return Err(RunError::CircuitOpen(format!(
                    "the circuit {} is half open and its one trial run is under way",
                    config.circuit_key
                )));
            }
            Gate::Open => {}
        }
        let text = open_circuit(config, failures);
        if config.enforced {
            return Err(RunError::CircuitOpen(text));
        }
        say(format!("sentinel-run: warning: {text}"));
        Ok(())
    }

    /// Whether the last run is seen to live on another host, or in another PID namespace. Its lock is
    /// ours now; but a shared file system may forward none, so it is given the time of two beats to
    /// show itself, unless it is known to be gone.
    fn beats_elsewhere(&self, record: &Heartbeat) -> Result<bool, RunError> {
        let pid = std::fs::symlink_metadata(self.files.pid()).ok();
        if claim::is_gone(record, pid.as_ref()) || claim::was_rebooted(record) {
            return Ok(false);
        }
        let patience = claim::two_beats(record).clamp(LEAST_BEATS, MOST_BEATS);
        say(format!(
            "sentinel-run: the last run of {} was {} and has no outcome: waiting {} for a beat of it",
            record.name,
            claim::elsewhere(record),
            human(patience)
        ));
        // Opened each time: NFS asks the server then.
        let look = || {
            let found = claim::read_heartbeat_with(&self.dir, &self.files.heartbeat())?;
            let beat = |record: Heartbeat| (record.run_id, record.beat.monotonic_ns);
            Ok::<_, DirError>(found.map(|(record, meta)| (record.map(beat), mtime_ns(&meta))))
        };
        let (before, deadline) = (look()?, Instant::now() + patience);
        while Instant::now() < deadline && claim::read_word(&self.dir, &self.files)?.is_none() {
            if look()? != before {
                return Ok(true);
            }
            clock::pause(Duration::from_millis(50));
        }
        Ok(false)
    }

    /// A last run that has no outcome: still running where locks do not reach, or lost. A lost one
    /// is ended and counted, so that no two runs work side by side and no failure is forgotten.
    fn settle_predecessor(&self, config: &Config, claim: &Claim) -> Result<(), RunError> {
        if claim::read_word(&self.dir, &self.files)?.is_some() {
            return Ok(());
        }
        let Some(record) = claim::read_heartbeat(&self.dir, &self.files)? else { return Ok(()) };
        if claim::live_wrapper(&record).is_some() {
            return Err(self.already_running());
        }
        let known = self.history(config)?.run(&record.run_id).is_some();
        if known || record.name != self.files.name().as_str() {
            return Ok(());
        }
        if self.beats_elsewhere(&record)? {
            return Err(self.already_running());
        }
        if claim::read_word(&self.dir, &self.files)?.is_some() {
            return Ok(()); // it has ended meanwhile
        }
        let reason = claim::lost_reason(&record);
        let told = (Outcome::Lost, reason.as_str());
        let lost = settle(&self.dir, &self.files, &record, told, Vec::new(), config.grace)?;
        if lost.outcome == Outcome::Lost {
            let survivors = lost.diagnosis.as_ref().map(|d| format!("; ended what it left: {d}"));
            say(format!(
                "sentinel-run: the last run of {} lost its wrapper{}",
                config.name,
                survivors.unwrap_or_default()
            ));
        }
        Ok(claim.append_history(&lost)?)
    }
}

fn open_circuit(config: &Config, failures: &[PastRun]) -> String {
    let mut text = format!(
        "the circuit {} is open after {} failures in a row:",
        config.circuit_key,
        failures.len()
    );
    for run in failures.iter().take(5).rev() {
        let _ = write!(
            text,
            "\n    {}  {}  {}  {}",
            rfc3339(run.ended_at),
            run.name,
            run.outcome,
            run.reason
        );
    }
    let _ = write!(
        text,
        "\nmend the cause, then start again with --reset-circuit{}",
        match config.circuit_cooldown {
            Some(cooldown) => format!(", or wait {} for a trial run", human(cooldown)),
            None => String::new(),
        }
    );
    text
}

fn last_outcome(history: &History, name: &str) -> Option<&'static str> {
    history.newest_first().find_map(|line| match line {
        Line::Run(run) if run.name == name => Some(run.outcome.as_str()),
        _ => None,
    })
}

/// Runs a check where the command will run.
fn preflight(command: &str, cwd: Option<&Path>) -> Result<(), RunError> {
    let fail = |how| RunError::Preflight { command: command.to_owned(), how };
    // Standard output is the caller's for results; what a check prints is a message.
    let stderr = io::stderr();
    let output = std::os::fd::AsFd::as_fd(&stderr).try_clone_to_owned();
    let status = Command::new("sh")
        .args(["-c", command])
        .current_dir(cwd.unwrap_or(Path::new(".")))
        .stdin(Stdio::null())
        .stdout(output.map_or_else(|_| Stdio::null(), Stdio::from))
        .status()
        .map_err(|error| fail(error.to_string()))?;
    if status.success() { Ok(()) } else { Err(fail(status.to_string())) }
}
