//! What was meant, valid by construction.

use crate::protocol::name::JobName;
use std::path::PathBuf;
use std::time::Duration;

/// Time between two thorough looks unless said otherwise (seed 002).
pub const POLL: Duration = Duration::from_secs(15);
/// Stale threshold of jobs that name none (seed 002).
pub const STALE: Duration = Duration::from_mins(1);
/// Timeout of jobs that name none (seed 002: "catch infrastructure failures").
pub const TIMEOUT: Duration = Duration::from_mins(30);
/// How long a job may take to appear.
pub const START_WAIT: Duration = Duration::from_secs(10);
/// Time between TERM and KILL for jobs that name none.
pub const GRACE: Duration = Duration::from_secs(10);
/// Log lines shown.
pub const TAIL: usize = 20;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Wait for the verdict of all jobs, or of the first.
    Wait {
        /// The first is enough.
        any: bool,
    },
    /// One look; what is found dead or stale is ended and recorded.
    Once,
    /// One look that never ends anything.
    Probe,
    /// End the jobs.
    Stop,
}

/// How a job is ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kill {
    /// By asking its wrapper, then by signals.
    Signals,
    /// By this command.
    Command(String),
    /// Not at all, and nothing is recorded.
    Never,
}

/// One watch, as asked for.
#[derive(Clone, Debug)]
pub struct Config {
    /// The jobs, each once.
    pub names: Vec<JobName>,
    /// Their monitor directory.
    pub dir: PathBuf,
    /// What is to be done.
    pub mode: Mode,
    /// Time between two thorough looks.
    pub poll_interval: Duration,
    /// Instead of the run's own threshold.
    pub stale: Option<Duration>,
    /// Instead of the run's own timeout; zero: none.
    pub timeout: Option<Duration>,
    /// Return `running` after this long.
    pub max_wait: Option<Duration>,
    /// How long a job may take to appear.
    pub start_wait: Duration,
    /// Instead of the run's own grace.
    pub grace: Option<Duration>,
    /// How a job is ended.
    pub kill: Kill,
    /// Whether the log is looked at for a report: its lines are counted, which takes time.
    pub log: bool,
    /// Whether a report is to have all that is known; in one line of a list is less.
    pub whole: bool,
    /// Log lines in a report.
    pub tail: usize,
    /// Show them for a job that runs, too.
    pub tail_running: bool,
    /// Tell of changes on the way.
    pub events: bool,
    /// Tell at this rate that the wait goes on.
    pub tick: Option<Duration>,
}

impl Config {
    /// A watch over these jobs until each has its verdict, with everything else as
    /// `sentinel-watch` has it without options.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, names: impl IntoIterator<Item = JobName>) -> Self {
        Self {
            names: names.into_iter().collect(),
            dir: dir.into(),
            mode: Mode::Wait { any: false },
            poll_interval: POLL,
            stale: None,
            timeout: None,
            max_wait: None,
            start_wait: START_WAIT,
            grace: None,
            kill: Kill::Signals,
            log: true,
            whole: true,
            tail: TAIL,
            tail_running: false,
            events: false,
            tick: None,
        }
    }
}
