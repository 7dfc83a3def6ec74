//! What was meant, valid by construction.

use crate::protocol::evidence::{BeatOn, Kind};
use crate::protocol::name::JobName;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How often evidence is looked for unless said otherwise.
pub const INTERVAL: Duration = Duration::from_secs(10);
/// The least stale threshold that is taken by default.
pub const STALE: Duration = Duration::from_mins(1);
/// The least stale threshold by default where progress is probed for: work comes in lumps.
pub const STALE_PROGRESS: Duration = Duration::from_mins(5);
/// How often a probe is asked unless said otherwise: with the time it may take to answer, two fit
/// into the least stale threshold.
pub const PROBE_INTERVAL: Duration = Duration::from_secs(20);
/// Time between TERM and KILL unless said otherwise.
pub const GRACE: Duration = Duration::from_secs(10);

/// A question about the job that somebody else can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// `--progress-cmd`: its output changes with the work.
    ProgressCommand(String),
    /// `--progress-file`: the files change with the work.
    ProgressFiles(String),
    /// `--health-cmd`: it succeeds while the job is well.
    HealthCommand(String),
    /// `--health-http`: this address answers while the job is well; `http` only.
    HealthAddress(String),
}

impl Probe {
    /// What its answer is evidence of.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::ProgressCommand(_) | Self::ProgressFiles(_) => Kind::Progress,
            Self::HealthCommand(_) | Self::HealthAddress(_) => Kind::Health,
        }
    }
}

/// One run, as asked for.
#[derive(Clone, Debug)]
pub struct Config {
    /// The job.
    pub name: JobName,
    /// Its monitor directory.
    pub dir: PathBuf,
    /// Program and arguments; empty only together with [`reset_circuit`](Self::reset_circuit).
    pub command: Vec<OsString>,
    /// How often evidence is looked for.
    pub interval: Duration,
    /// What watchers take as stale; more than twice the interval.
    pub stale: Duration,
    /// What counts as evidence.
    pub beat_on: BeatOn,
    /// Who is asked for evidence.
    pub probes: Vec<Probe>,
    /// How often each of them is asked.
    pub probe_interval: Duration,
    /// From so many failures in a row on a health probe's answers are no evidence; at least 1.
    pub failure_threshold: u32,
    /// End the tree after this long.
    pub timeout: Option<Duration>,
    /// End the tree when it is stale.
    pub end_if_stale: bool,
    /// Run before a hung tree is ended.
    pub on_hang: Option<String>,
    /// Asked for a word why, when the wrapper is told to end.
    pub on_stop: Option<String>,
    /// Time between TERM and KILL.
    pub grace: Duration,
    /// Return as soon as the command was executed.
    pub detach: bool,
    /// Copy the log to standard output.
    pub tee: bool,
    /// Pass standard input on.
    pub stdin: bool,
    /// Working directory of the command.
    pub cwd: Option<PathBuf>,
    /// Keep so many of the newest bytes of the log.
    pub max_log: Option<u64>,
    /// End the tree when it has more memory than this, bytes.
    pub max_memory: Option<u64>,
    /// End the tree when it uses more CPU than this; 100 is one core.
    pub max_cpu: Option<f64>,
    /// Commands that must succeed first.
    pub preflight: Vec<String>,
    /// Whose history counts.
    pub circuit_key: JobName,
    /// It was named by `--circuit`; otherwise it is the job's name.
    pub circuit_named: bool,
    /// Failures in a row that open the circuit; 0: never.
    pub max_failures: u32,
    /// One trial run is allowed this long after the last failure.
    pub circuit_cooldown: Option<Duration>,
    /// An open circuit refuses the start, because the breaker was asked for.
    pub enforced: bool,
    /// Close the circuit first.
    pub reset_circuit: bool,
    /// Also end what outlives the command.
    pub kill_survivors: bool,
    /// No closing line.
    pub quiet: bool,
}
