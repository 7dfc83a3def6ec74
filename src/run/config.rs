//! What was meant, valid by construction.

use crate::protocol::evidence::BeatOn;
use crate::protocol::name::JobName;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How often evidence is looked for unless said otherwise.
pub const INTERVAL: Duration = Duration::from_secs(10);
/// The least stale threshold that is taken by default.
pub const STALE: Duration = Duration::from_mins(1);
/// Time between TERM and KILL unless said otherwise.
pub const GRACE: Duration = Duration::from_secs(10);

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
    /// End the tree after this long.
    pub timeout: Option<Duration>,
    /// End the tree when it is stale.
    pub end_if_stale: bool,
    /// Run before a hung tree is ended.
    pub on_hang: Option<String>,
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
