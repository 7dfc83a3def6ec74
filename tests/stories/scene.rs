//! A stage for one story: its own directory, the programs it starts, and a bound on every wait.
//!
//! Every process of a scene can be told from all others: it has the scene's directory in its
//! environment, as its working directory, or on its command line. So a story can ask what is
//! left of it, and nothing outside it is ever signalled.

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::Value;
use tempfile::TempDir;

pub const RUN: &str = env!("CARGO_BIN_EXE_sentinel-run");
pub const WATCH: &str = env!("CARGO_BIN_EXE_sentinel-watch");
pub const KEEP: &str = env!("CARGO_BIN_EXE_sentinel-keep");

/// Every process of a scene has the scene's directory in this environment variable.
const MARKER: &str = "SENTINEL_STORY";

/// How long a condition may take to come true. Generous: only a failing story waits this long.
const BOUND: Duration = Duration::from_secs(40);

/// What the caller's environment may not lend to a story.
const FOREIGN_VARIABLES: [&str; 12] = [
    "CLAUDE_CONFIG_DIR",
    "CLAUDE_PROJECT_DIR",
    "CURSOR_PROJECT_DIR",
    "GEMINI_PROJECT_DIR",
    "NOTIFY_SOCKET",
    "SENTINEL_ALERT_CMD",
    "SENTINEL_DIR",
    "SENTINEL_HOOK_MODE",
    "SENTINEL_MAX_FAILURES",
    "SENTINEL_MAX_WAIT",
    "SENTINEL_REGISTRY",
    "WATCHDOG_USEC",
];

/// Says that a story cannot be told on this machine; the caller returns at once.
pub fn skip(name: &str, why: &str) {
    let line = format!("SKIPPED: {name}: {why}");
    // Past the test harness, which keeps what a passing test prints to itself.
    let _ = writeln!(std::io::stderr(), "{line}");
    let log = std::env::var_os("SENTINEL_SKIP_LOG");
    if let Some(path) = log.filter(|path| !path.is_empty()) {
        let opened = fs::OpenOptions::new().create(true).append(true).open(path);
        let mut file = opened.expect("the file named by SENTINEL_SKIP_LOG can be opened");
        writeln!(file, "{line}").expect("the skip log can be written");
    }
}

/// Whether a program of this name is in the search path.
pub fn has(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| {
        fs::metadata(dir.join(tool)).is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0)
    })
}

pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Whether `strace` may trace here; else that is said of the story.
pub fn traceable(name: &str) -> bool {
    let able = has("strace") && can("strace -qq -f -b execve -o /dev/null true");
    if !able {
        skip(name, "strace is not installed, or may not trace");
    }
    able
}

/// Whether these tests are a job of `sentinel-run` themselves: then all that they start is under watch
/// already, nothing can be adopted, and the story is left out.
pub fn is_watched(name: &str) -> bool {
    let parent = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
        line.trim().parse().ok().filter(|parent| *parent != 0)
    };
    let comm = |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let mut line = std::iter::successors(Some(std::process::id()), parent);
    let watched = line.any(|pid| comm(pid).trim_end() == "sentinel-run");
    if watched {
        skip(name, "below sentinel-run everything is under watch already");
    }
    watched
}

/// Whether this command, run to its end, succeeds here: the test for a privilege.
pub fn can(command: &str) -> bool {
    let mut words = words(command).into_iter();
    let Some(program) = words.next() else {
        return false;
    };
    let quiet = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}

/// Waits for a condition, in small steps and with a bound.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    until_some(what, || condition().then_some(()));
}

/// Waits for something to appear, in small steps and with a bound.
#[track_caller]
pub fn until_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + BOUND;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {BOUND:?} in vain: {what}");
        a_moment();
    }
}

/// The pause between two looks at a condition.
#[expect(clippy::disallowed_methods, reason = "a story polls what only other programs change")]
pub fn a_moment() {
    std::thread::sleep(Duration::from_millis(4));
}

/// Splits a command line at blanks; single quotes keep blanks together.
fn words(line: &str) -> Vec<String> {
    let (mut all, mut word, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    for c in line.chars() {
        match c {
            '\'' => (quoted, begun) = (!quoted, true),
            c if c.is_whitespace() && !quoted => {
                if std::mem::take(&mut begun) {
                    all.push(std::mem::take(&mut word));
                }
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    assert!(!quoted, "a quote is not closed in: {line}");
    if begun {
        all.push(word);
    }
    all
}

/// Undoes what `nohup` and a shell's background do: what they ignore, every program of every story
/// would ignore, too, and wait for ever to be interrupted.
#[expect(unsafe_code, reason = "sets dispositions to their default, and no handler")]
fn hear_signals() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        for ignored in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP] {
            // SAFETY: no handler of ours is involved.
            unsafe { signal(ignored, SigHandler::SigDfl) }.expect("a disposition can be set");
        }
    });
}

pub struct Scene {
    root: TempDir,
    counter: Cell<u32>,
}

impl Scene {
    pub fn new() -> Self {
        hear_signals();
        let root = tempfile::Builder::new().prefix("sentinel-story-").tempdir();
        let scene =
            Self { root: root.expect("a temporary directory can be made"), counter: Cell::new(0) };
        fs::create_dir(scene.path("captured")).unwrap();
        scene
    }

    /// A scene whose monitor directory exists already, for stories about files of other writers.
    pub fn with_directory() -> Self {
        let scene = Self::new();
        fs::DirBuilder::new().mode(0o700).create(scene.dir()).unwrap();
        scene
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// A place in the scene, outside the monitor directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// The monitor directory.
    pub fn dir(&self) -> PathBuf {
        self.path("jobs")
    }

    /// The registry: the monitor directory is the one beside it.
    pub fn registry(&self) -> PathBuf {
        self.path("process-registry.json")
    }

    /// A file of the monitor directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    // ---- programs ----------------------------------------------------------------------------

    /// Any program, in the scene's directory and with its mark.
    pub fn program(&self, program: impl AsRef<OsStr>) -> Cmd {
        let mut command = Command::new(program.as_ref());
        command
            .current_dir(self.root())
            .env(MARKER, self.root())
            .env("RUN", RUN)
            .env("WATCH", WATCH)
            .env("KEEP", KEEP)
            .env("DIR", self.dir());
        for name in FOREIGN_VARIABLES {
            command.env_remove(name);
        }
        let number = self.counter.get();
        self.counter.set(number + 1);
        Cmd {
            command,
            out: self.path(&format!("captured/{number}.out")),
            err: self.path(&format!("captured/{number}.err")),
        }
    }

    /// `sentinel-run` over the scene's monitor directory.
    pub fn run(&self, line: &str) -> Cmd {
        self.program(RUN).arg("--dir").arg(self.dir()).args(words(line))
    }

    /// `sentinel-watch` over the scene's monitor directory.
    pub fn watch(&self, line: &str) -> Cmd {
        self.program(WATCH).arg("--dir").arg(self.dir()).args(words(line))
    }

    /// `sentinel-keep` over the scene's registry, beside which its jobs are in the monitor directory.
    pub fn keep(&self, line: &str) -> Cmd {
        self.program(KEEP).arg("--registry").arg(self.registry()).args(words(line))
    }

    /// A shell script, to which `$RUN`, `$WATCH`, `$KEEP` and `$DIR` are given.
    pub fn sh(&self, script: &str) -> Cmd {
        self.program("sh").arg("-c").arg(script)
    }

    /// Any command line.
    pub fn command(&self, line: &str) -> Cmd {
        let words = words(line);
        self.program(&words[0]).args(&words[1..])
    }

    /// Runs a job to its end.
    #[track_caller]
    pub fn ran(&self, line: &str) -> Done {
        self.run(line).finish()
    }

    /// Watches to a verdict.
    #[track_caller]
    pub fn watched(&self, line: &str) -> Done {
        self.watch(line).finish()
    }

    /// Asks `sentinel-keep` for something.
    #[track_caller]
    pub fn kept(&self, line: &str) -> Done {
        self.keep(line).finish()
    }

    /// Registers a process and starts it: the words after the name of `register`.
    #[track_caller]
    pub fn kept_up(&self, name: &str, line: &str) -> Process {
        self.kept(&format!("register {name} {line}")).exits(0);
        self.kept(&format!("start {name}")).exits(0);
        self.is_up(name);
        self.wrapper(name)
    }

    /// Kills the command of a running job, or its wrapper, and waits until there is no doubt that
    /// it is over. Returns what was killed.
    #[track_caller]
    pub fn killed(&self, name: &str, which: &str) -> Process {
        let record = self.heartbeat(name).expect("a heartbeat");
        let pid = record[which].as_u64().and_then(|pid| u32::try_from(pid).ok());
        let wrapper = self.wrapper(name);
        let victim = Process::of(pid.expect("a PID")).expect("it is alive");
        victim.signal(Signal::KILL);
        victim.is_gone();
        wrapper.is_gone();
        victim
    }

    /// Starts a job in the foreground and waits until its command runs.
    #[track_caller]
    pub fn up(&self, name: &str, line: &str) -> Running {
        let wrapper = self.run(line).start();
        self.is_up_as(name, &wrapper);
        wrapper
    }

    /// Waits until the command of this wrapper runs, and no record of an earlier run is left.
    #[track_caller]
    pub fn is_up_as(&self, name: &str, wrapper: &Running) {
        until(&format!("the command of {name} runs"), || {
            self.heartbeat(name).is_some_and(|record| {
                record["pid"] == serde_json::json!(wrapper.pid()) && record["child_pid"].is_u64()
            })
        });
    }

    /// Starts a detached job; it is nobody's child here.
    #[track_caller]
    pub fn detached(&self, name: &str, line: &str) -> Process {
        self.run(&format!("--detach {line}")).finish().exits(0);
        self.is_up(name);
        self.wrapper(name)
    }

    #[track_caller]
    pub fn is_up(&self, name: &str) {
        until(&format!("the command of {name} runs"), || {
            self.heartbeat(name).is_some_and(|record| record["child_pid"].is_u64())
        });
    }

    /// The wrapper of a running job.
    #[track_caller]
    pub fn wrapper(&self, name: &str) -> Process {
        let pid = self.read(&format!("{name}.pid"));
        let pid = pid.trim().parse().expect(".pid holds a PID");
        Process::of(pid).expect("the wrapper is alive")
    }

    /// The living wrapper of a job, once it is another one than this. The number alone, which stays in
    /// `.pid`, may be a stranger's by now.
    pub fn successor(&self, name: &str, than: Process) -> Option<Process> {
        let record = self.heartbeat(name)?;
        let pid = u32::try_from(record["pid"].as_u64()?).ok()?;
        let wrapper = Process { pid, start: record["pid_start"].as_u64()? };
        (wrapper != than && wrapper.alive()).then_some(wrapper)
    }

    /// A process that has nothing to do with any job.
    pub fn bystander(&self) -> Running {
        self.program("sleep").arg("3600").start()
    }

    /// Ends a job as a user would, and checks that nothing of it stays.
    #[track_caller]
    pub fn stop(&self, name: &str) {
        self.watched(&format!("--stop {name}"));
        assert_eq!(self.status(name).as_deref(), Some("FAILED\n"), "after --stop");
    }

    // ---- files -------------------------------------------------------------------------------

    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        let path = self.file(name);
        let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[track_caller]
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.file(name), content).unwrap();
    }

    pub fn status(&self, job: &str) -> Option<String> {
        fs::read_to_string(self.file(&format!("{job}.status"))).ok()
    }

    #[track_caller]
    pub fn result(&self, job: &str) -> Value {
        let text = self.read(&format!("{job}.result"));
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e} in .result: {text}"))
    }

    #[track_caller]
    pub fn outcome(&self, job: &str) -> String {
        self.result(job)["outcome"].as_str().expect("an outcome").to_owned()
    }

    /// The heartbeat's content; none while it is absent or torn.
    pub fn heartbeat(&self, job: &str) -> Option<Value> {
        let bytes = fs::read(self.file(&format!("{job}.heartbeat"))).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// What `sentinel-keep` remembers of a process; it is replaced whole, and so never torn.
    #[track_caller]
    pub fn ledger(&self, name: &str) -> Value {
        let path = self.path(&format!("state/{name}.json"));
        let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        serde_json::from_slice(&bytes).expect("a ledger is JSON")
    }

    /// What is being done about a kept process: `up`, `due`, `given-up`, …
    #[track_caller]
    pub fn phase(&self, name: &str) -> String {
        self.ledger(name)["phase"].as_str().expect("a phase").to_owned()
    }

    /// The alerts nobody has taken, oldest first.
    pub fn alerts(&self) -> Vec<Value> {
        let Ok(entries) = fs::read_dir(self.path("alerts")) else {
            return Vec::new();
        };
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut paths: Vec<PathBuf> =
            paths.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
        paths.sort();
        let parse = |path| serde_json::from_slice(&fs::read(path).unwrap()).expect("whole JSON");
        paths.into_iter().map(parse).collect()
    }

    /// What happened to kept processes, of this kind.
    pub fn events(&self, kind: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path("events.jsonl")).unwrap_or_default();
        let all = text.lines().map(|line| serde_json::from_str(line).expect("a JSON line"));
        all.filter(|event: &Value| event["event"] == kind).collect()
    }

    pub fn last_beat(&self, job: &str) -> Option<SystemTime> {
        fs::metadata(self.file(&format!("{job}.heartbeat"))).ok()?.modified().ok()
    }

    /// Waits for this many beats more.
    #[track_caller]
    pub fn beats(&self, job: &str, many: usize) {
        let mut last = self.last_beat(job);
        for n in 0..many {
            last = until_some(&format!("beat {n} of {job}"), || {
                self.last_beat(job).filter(|beat| Some(*beat) != last).map(Some)
            });
        }
    }

    pub fn history(&self, key: &str) -> Vec<Value> {
        let Ok(text) = fs::read_to_string(self.file(&format!("{key}.history"))) else {
            return Vec::new();
        };
        let parsed = text.lines().map(|line| serde_json::from_str(line).expect("a JSON line"));
        parsed.collect()
    }

    /// Makes the last beat this old.
    pub fn age(&self, name: &str, by: Duration) {
        let then = filetime::FileTime::from_system_time(SystemTime::now() - by);
        filetime::set_file_mtime(self.file(name), then).unwrap();
    }

    /// What is in a directory: every file's name, content and last change but the heartbeats'.
    pub fn snapshot(dir: &Path) -> Vec<(String, Vec<u8>, i64, i64)> {
        let mut files = Vec::new();
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if name.ends_with(".heartbeat") {
                files.push((name, Vec::new(), 0, 0));
                continue;
            }
            let meta = entry.metadata().unwrap();
            let bytes = fs::read(entry.path()).unwrap();
            files.push((name, bytes, meta.mtime(), meta.mtime_nsec()));
        }
        files.sort();
        files
    }

    /// A script that can be run. Another process writes it: a descriptor of ours would be copied
    /// to any program another story starts meanwhile, and "text file busy" would be the answer.
    pub fn script(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        let write = r#"mkdir -p "${1%/*}" && printf %s "$2" > "$1" && chmod 755 "$1""#;
        self.sh(write).arg("sh").arg(&path).arg(content).finish().exits(0);
        path
    }

    /// A copy of a program, made by another process for the same reason.
    pub fn copy(&self, from: impl AsRef<OsStr>, name: &str) -> PathBuf {
        let path = self.path(name);
        self.command("cp").arg(from).arg(&path).finish().exits(0);
        path
    }

    // ---- what is left ------------------------------------------------------------------------

    /// The living processes of this scene.
    pub fn members(&self) -> Vec<Process> {
        let root = self.root().as_os_str().as_encoded_bytes();
        let holds = |bytes: &[u8]| bytes.windows(root.len()).any(|window| window == root);
        let mut members = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let Some(process) = Process::of(pid) else {
                continue;
            };
            let proc = entry.path();
            let of_scene = fs::read(proc.join("environ")).is_ok_and(|bytes| holds(&bytes))
                || fs::read(proc.join("cmdline")).is_ok_and(|bytes| holds(&bytes))
                || fs::read_link(proc.join("cwd")).is_ok_and(|cwd| cwd.starts_with(self.root()));
            if of_scene && pid != std::process::id() {
                members.push(process);
            }
        }
        members
    }

    /// The living processes of this scene that run exactly this command line.
    pub fn members_running(&self, line: &str) -> Vec<Process> {
        let mut members = self.members();
        members.retain(|process| process.command_line() == line);
        members
    }

    /// One process of this scene runs this command line, once it is executed, and not two.
    #[track_caller]
    pub fn runs_once(&self, line: &str) {
        until(&format!("{line} runs"), || !self.members_running(line).is_empty());
        assert_eq!(self.members_running(line).len(), 1, "{line}");
    }

    /// What is left of the scene but for these. A process in the middle of its end has no command
    /// line any more, and a detached wrapper is there for a moment after its last file: these two
    /// are given time to go, all others none.
    fn left_but(&self, spared: &[u32]) -> Vec<Process> {
        let deadline = Instant::now() + BOUND / 4;
        loop {
            let mut left = self.members();
            left.retain(|process| !spared.contains(&process.pid));
            let going = |process: &Process| {
                let line = process.command_line();
                line.is_empty() || line.starts_with(RUN)
            };
            if left.is_empty() || !left.iter().all(going) || Instant::now() >= deadline {
                return left;
            }
            a_moment();
        }
    }

    /// Nothing but these is left of the scene.
    #[track_caller]
    pub fn nothing_is_left_but(&self, spared: &[u32]) {
        let left = self.left_but(spared);
        let names: Vec<String> = left.iter().map(Process::describe).collect();
        assert!(names.is_empty(), "left behind: {names:?}");
    }

    #[track_caller]
    pub fn nothing_is_left(&self) {
        self.nothing_is_left_but(&[]);
    }

    /// Ends whatever the story left on purpose.
    pub fn clear_up(&self) {
        let deadline = Instant::now() + BOUND;
        while Instant::now() < deadline {
            let left = self.members();
            if left.is_empty() {
                return;
            }
            for process in left {
                process.signal(Signal::KILL);
            }
            a_moment();
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let failing = std::thread::panicking();
        let left = if failing { Vec::new() } else { self.left_but(&[]) };
        let left: Vec<String> = left.iter().map(Process::describe).collect();
        self.clear_up();
        if !failing {
            assert!(left.is_empty(), "the story left processes behind: {left:?}");
        }
    }
}

/// A mounted file system, unmounted with the story.
pub struct Mount(PathBuf);

impl Mount {
    /// Mounts by this command line, at the place it names last; none if that cannot be done here.
    pub fn at(place: &Path, command: &str) -> Option<Self> {
        fs::create_dir_all(place).unwrap();
        can(&format!("{command} {}", place.display())).then(|| Self(place.to_owned()))
    }

    pub fn unmount(self) {
        drop(self);
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // By force: a mount namespace that another story has made meanwhile has a copy of the mount, and
        // would keep the server of a file system until its own end.
        if !can(&format!("umount -f {}", self.0.display())) {
            can(&format!("umount -l {}", self.0.display()));
        }
    }
}

/// One process, told from a later one of the same number by its start time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    start: u64,
}

impl Process {
    /// The living process of this number; a zombie is dead.
    pub fn of(pid: u32) -> Option<Self> {
        let (state, start) = stat(pid)?;
        (!matches!(state, 'Z' | 'X')).then_some(Self { pid, start })
    }

    pub fn alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    pub fn state(self) -> Option<char> {
        stat(self.pid).filter(|(_, start)| *start == self.start).map(|(state, _)| state)
    }

    /// Signals this process and no other: the descriptor is taken before the start time is read.
    pub fn signal(self, signal: Signal) {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return;
        };
        let Ok(fd) = pidfd_open(pid, PidfdFlags::empty()) else {
            return;
        };
        if stat(self.pid).is_some_and(|(_, start)| start == self.start) {
            let _ = pidfd_send_signal(&fd, signal);
        }
    }

    #[track_caller]
    pub fn is_gone(self) {
        until(&format!("{} is gone", self.describe()), || !self.alive());
    }

    pub fn command_line(&self) -> String {
        let bytes = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
        text.trim_end().to_owned()
    }

    pub fn describe(&self) -> String {
        format!("{}: {}", self.pid, self.command_line())
    }
}

/// State and start time of a process.
fn stat(pid: u32) -> Option<(char, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some((fields.first()?.chars().next()?, fields.get(19)?.parse().ok()?))
}

/// A program about to be started. What it prints goes to files, so that no pipe that a
/// surviving grandchild holds open can keep a story waiting.
pub struct Cmd {
    command: Command,
    out: PathBuf,
    err: PathBuf,
}

impl Cmd {
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn cwd(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Changes the command in a way this type has no word for.
    pub fn with(mut self, change: impl FnOnce(&mut Command)) -> Self {
        change(&mut self.command);
        self
    }

    #[track_caller]
    pub fn start(self) -> Running {
        self.start_with(|_| ())
    }

    /// Starts with other standard streams than `/dev/null` and the two capturing files.
    #[track_caller]
    pub fn start_with(mut self, change: impl FnOnce(&mut Command)) -> Running {
        let name = Path::new(self.command.get_program()).file_name().unwrap_or_default();
        let label = format!("{} {:?}", name.display(), self.command.get_args());
        self.command
            .stdin(Stdio::null())
            .stdout(fs::File::create(&self.out).unwrap())
            .stderr(fs::File::create(&self.err).unwrap());
        change(&mut self.command);
        let child = self.command.spawn().unwrap_or_else(|e| panic!("{label}: {e}"));
        // The command holds copies of streams it was given; the reader of a pipe waits for those.
        drop(self.command);
        Running { child, begun: Instant::now(), label, out: self.out, err: self.err }
    }

    #[track_caller]
    pub fn finish(self) -> Done {
        self.start().wait()
    }
}

/// A program under way; killed when the story drops it.
pub struct Running {
    pub child: Child,
    begun: Instant,
    label: String,
    out: PathBuf,
    err: PathBuf,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn process(&self) -> Process {
        Process::of(self.pid()).expect("the program is alive")
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends a signal; the number is ours until the child is waited for.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.out).unwrap()).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.err).unwrap()).into_owned()
    }

    /// Waits until the program printed this.
    #[track_caller]
    pub fn until_it_says(&mut self, words: &str) {
        until(&format!("{} says {words:?}", self.label), || {
            let said = self.stdout().contains(words) || self.stderr().contains(words);
            let running = self.is_running();
            assert!(
                said || running,
                "{} ended without saying {words:?}: {}{}",
                self.label,
                self.stdout(),
                self.stderr()
            );
            said
        });
    }

    /// Waits for the end, with a bound.
    #[track_caller]
    pub fn wait(mut self) -> Done {
        let deadline = Instant::now() + BOUND;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(
                Instant::now() < deadline,
                "{} did not end within {BOUND:?}; it said: {}{}",
                self.label,
                self.stdout(),
                self.stderr()
            );
            a_moment();
        };
        Done {
            code: status.code(),
            signal: status.signal(),
            took: self.begun.elapsed(),
            stdout: self.stdout(),
            stderr: self.stderr(),
            label: self.label.clone(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that ended.
pub struct Done {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub took: Duration,
    pub stdout: String,
    pub stderr: String,
    label: String,
}

impl Done {
    pub fn told(&self) -> String {
        format!(
            "{} ended with code {:?}, signal {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.label, self.code, self.signal, self.stdout, self.stderr
        )
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "expected exit {code}: {}", self.told());
        self
    }

    #[track_caller]
    pub fn exits_one_of(self, codes: &[i32]) -> Self {
        let listed = self.code.is_some_and(|code| codes.contains(&code));
        assert!(listed, "expected one of {codes:?}: {}", self.told());
        self
    }

    /// One of the two streams has these words.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        let said = self.stdout.contains(words) || self.stderr.contains(words);
        assert!(said, "expected to read {words:?}: {}", self.told());
        self
    }

    #[track_caller]
    pub fn never_says(self, words: &str) -> Self {
        let said = self.stdout.contains(words) || self.stderr.contains(words);
        assert!(!said, "expected not to read {words:?}: {}", self.told());
        self
    }

    /// The one JSON object on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        let all = self.json_lines();
        assert_eq!(all.len(), 1, "expected one JSON line: {}", self.told());
        all[0].clone()
    }

    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let parse = |line| {
            serde_json::from_str(line)
                .unwrap_or_else(|e| panic!("{e} in {line:?}: {}", self.told()))
        };
        self.stdout.lines().map(parse).collect()
    }
}
