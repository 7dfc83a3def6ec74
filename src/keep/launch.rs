//! Starting a process: the command line of `sentinel-run`, and the environment.

use super::OURS_ALONE;
use super::home::Home;
use super::ledger;
use super::tmux::{self, Errand};
use crate::os::dir::MonitorDir;
use crate::os::lock::is_locked;
use crate::os::{bounded, claim};
use crate::protocol::files::JobFiles;
use crate::protocol::heartbeat::Heartbeat;
use crate::protocol::name::JobName;
use crate::protocol::registry::{FAILURE_THRESHOLD, GRACE, MAX_LOG, Process};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// `sentinel-run` says by this that it was started for nothing: the job runs.
const ALREADY_RUNNING: i32 = 75;

/// A start that came to nothing.
#[derive(Clone, Debug)]
pub struct Refused {
    /// In one line.
    pub why: String,
    /// It was recorded as a run of its own, which ended: the next look tells.
    pub recorded: bool,
}

impl Refused {
    fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), recorded: false }
    }
}

/// The program that wraps.
#[must_use]
pub fn wrapper() -> PathBuf {
    program("sentinel-run")
}

/// A program of ours: beside this one, where all were installed, else in the search path. An
/// installation that replaced this one while it runs is the one that counts.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(name));
    beside.filter(|path| path.exists()).unwrap_or_else(|| name.into())
}

/// The options of `sentinel-run` that this process asks for, without name and command.
///
/// # Errors
/// If its times contradict each other.
pub fn options(home: &Home, process: &Process) -> Result<Vec<OsString>, String> {
    let rhythm = process.rhythm()?;
    let seconds = |duration: Duration| OsString::from(format!("{}", duration.as_secs_f64()));
    let mut all: Vec<OsString> = vec!["--dir".into(), home.jobs().into()];
    let mut add = |option: &str, value: OsString| all.extend([option.into(), value]);
    add("--max-failures", "0".into());
    add("--heartbeat-interval", seconds(rhythm.interval));
    add("--stale", seconds(rhythm.stale));
    add("--grace", seconds(process.grace.unwrap_or(GRACE).into()));
    add("--max-log", process.max_log.unwrap_or(MAX_LOG).to_string().into());
    let given = [
        ("--cwd", process.cwd.clone()),
        ("--max-memory", process.max_memory.map(|bytes| bytes.to_string())),
        ("--max-cpu", process.max_cpu.map(|percent| percent.to_string())),
        ("--beat-on", process.beat_on.clone()),
        ("--progress-cmd", process.progress_cmd.clone()),
        ("--progress-file", process.progress_file.clone()),
        ("--health-cmd", process.health_cmd.clone()),
        ("--health-http", process.health_http.clone()),
    ];
    for (option, value) in given {
        if let Some(value) = value {
            add(option, value.into());
        }
    }
    if process.is_probed() {
        add("--progress-interval", seconds(rhythm.probes));
    }
    let threshold = process.failure_threshold.unwrap_or(FAILURE_THRESHOLD);
    if threshold != FAILURE_THRESHOLD {
        add("--failure-threshold", threshold.to_string().into());
    }
    // What is restarted beside its own leftovers would run twice.
    all.push("--kill-survivors".into());
    all.push("--quiet".into());
    Ok(all)
}

/// The environment of a process: the caller's, over it what was recorded, then the file's, then its
/// own variables.
///
/// # Errors
/// If the file cannot be read.
pub fn environment(process: &Process) -> Result<BTreeMap<OsString, OsString>, String> {
    let mut all: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    for name in OURS_ALONE {
        all.remove(OsStr::new(name));
    }
    let file = match &process.env_file {
        Some(path) => read_variables(Path::new(path), process.cwd.as_deref())?,
        None => Vec::new(),
    };
    let own = process.env.clone().into_iter();
    let settings = process.recorded_env.clone().into_iter().chain(file).chain(own);
    all.extend(settings.map(|(name, value)| (name.into(), value.into())));
    Ok(all)
}

/// Never waits for a writer, as a FIFO would have it, and never reads without end.
fn read_text(path: &Path) -> std::io::Result<String> {
    const MOST: u64 = 1 << 20;
    let mut text = String::new();
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    file.take(MOST).read_to_string(&mut text)?;
    Ok(text)
}

/// `NAME=value` lines as systemd's `EnvironmentFile` has them: blank lines and comments skipped, a
/// pair of quotes around the value taken off.
fn read_variables(path: &Path, cwd: Option<&str>) -> Result<Vec<(String, String)>, String> {
    let path = cwd.map_or_else(|| path.to_owned(), |cwd| Path::new(cwd).join(path));
    let text = read_text(&path)
        .map_err(|error| format!("cannot read the env_file {}: {error}", path.display()))?;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let wrong =
            || format!("{}:{}: got {line:?}, expected NAME=value", path.display(), number + 1);
        let (name, value) = line.split_once('=').ok_or_else(wrong)?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || name.contains([' ', '\0']) || value.contains('\0') {
            return Err(wrong());
        }
        let inner =
            ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        found.push((name.to_owned(), inner.unwrap_or(value).to_owned()));
    }
    Ok(found)
}

/// What is started for an entry: the words after `--`, or a stand-in for a process that runs
/// already.
#[derive(Clone, Debug)]
pub struct Launch<'a> {
    /// Where.
    pub home: &'a Home,
    /// What.
    pub name: &'a JobName,
    /// How.
    pub process: &'a Process,
    /// The lock of the process.
    pub lock: &'a File,
}

impl Launch<'_> {
    /// Starts the process; returns once its command was executed.
    ///
    /// # Errors
    /// If it does not run.
    pub fn start(&self) -> Result<(), Refused> {
        let argv = self.process.argv().map_err(Refused::new)?;
        let argv: Vec<OsString> = argv.into_iter().map(OsString::from).collect();
        self.start_as(&argv)
    }

    /// The same with another command.
    ///
    /// # Errors
    /// If it does not run.
    pub fn start_as(&self, argv: &[OsString]) -> Result<(), Refused> {
        let environment = environment(self.process).map_err(Refused::new)?;
        let options = options(self.home, self.process).map_err(Refused::new)?;
        if self.process.tmux {
            return self.in_tmux(options, argv, environment);
        }
        let mut command = Command::new(wrapper());
        command.arg("--detach").args(options).arg(self.name.as_str()).arg("--").args(argv);
        command.env_clear().envs(environment);
        // The lock goes along as standard input: it is let go when the command was executed, even
        // if we are killed meanwhile, so that nobody starts a second one.
        let lock = self.lock.try_clone().map_err(|error| Refused::new(error.to_string()))?;
        let done = command.stdin(Stdio::from(lock)).stdout(Stdio::null()).output();
        let done = done.map_err(|error| {
            Refused::new(format!("cannot execute {}: {error}", wrapper().display()))
        })?;
        let said = String::from_utf8_lossy(&done.stderr);
        let why = said.trim().trim_start_matches("sentinel-run: ").to_owned();
        match done.status.code() {
            Some(0 | ALREADY_RUNNING) => Ok(()),
            // Recorded as a run that failed.
            Some(126 | 127) => Err(Refused { why, recorded: true }),
            _ if why.is_empty() => Err(Refused::new(format!("sentinel-run: {}", done.status))),
            _ => Err(Refused::new(why)),
        }
    }

    /// In a session of its own, with the terminal as standard input and a copy of the log on it.
    fn in_tmux(
        &self,
        options: Vec<OsString>,
        argv: &[OsString],
        environment: BTreeMap<OsString, OsString>,
    ) -> Result<(), Refused> {
        let dir = MonitorDir::create(&self.home.jobs()).map_err(|e| Refused::new(e.to_string()))?;
        let files = JobFiles::new(dir.path(), self.name);
        let mut all: Vec<OsString> = vec![wrapper().into(), "--stdin".into(), "--tee".into()];
        all.extend(options);
        all.extend([self.name.as_str().into(), "--".into()]);
        all.extend_from_slice(argv);
        let record = || claim::read_heartbeat(&dir, &files).ok().flatten();
        // What came up since we looked is new as well: a starter that was killed had left it on its way.
        let before = ledger::read(self.home, self.name).ok().and_then(|ledger| ledger.settled);
        let is_new = |record: &Heartbeat| Some(&record.run_id) != before.as_ref();
        let is_up = || record().filter(is_new).is_some_and(|record| record.child_pid.is_some());
        let errand = Errand { environment, argv: all };
        let Err(why) = tmux::start(self.home, self.name, &errand, is_up) else { return Ok(()) };
        if is_locked(&dir, &files.pid()).unwrap_or(false) {
            return Ok(()); // it runs already, or comes up late: the next look tells
        }
        Err(Refused { why, recorded: record().is_some_and(|record| is_new(&record)) })
    }
}

/// Runs `--pre-restart`, bounded in time.
///
/// # Errors
/// What it said, or that it took too long.
pub fn prepare(process: &Process) -> Result<(), Refused> {
    /// As long as systemd gives a start, and shorter than who asks for a stop waits for the lock.
    const MOST: Duration = Duration::from_secs(90);
    let Some(text) = &process.pre_restart else { return Ok(()) };
    let fail = |why: String| Refused::new(format!("--pre-restart {text:?}: {why}"));
    let environment = environment(process).map_err(Refused::new)?;
    let mut command = Command::new("sh");
    command.args(["-c", text]).env_clear().envs(environment);
    if let Some(cwd) = &process.cwd {
        command.current_dir(cwd);
    }
    let answer = bounded::run(command, &[], MOST).map_err(&fail)?;
    if answer.status.success() { Ok(()) } else { Err(fail(answer.words())) }
}
