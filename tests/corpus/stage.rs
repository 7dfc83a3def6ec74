//! Where cases are played: one directory for all, the user they run as, the load beside them, and
//! the certainty that nothing of it stays, also after Ctrl-C or a death of this program.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal as Caught};
use nix::unistd::{User, chown, geteuid};
use rustix::process::{
    Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal, set_parent_process_death_signal,
};
use tempfile::TempDir;

use super::args::Args;

const RUN: &str = env!("CARGO_BIN_EXE_sentinel-run");

/// What the caller's environment may not lend to a case.
const FOREIGN_VARIABLES: [&str; 6] = [
    "NOTIFY_SOCKET",
    "SENTINEL_DIR",
    "SENTINEL_MAX_FAILURES",
    "SENTINEL_MAX_WAIT",
    "SENTINEL_SKIP_LOG",
    "WATCHDOG_USEC",
];

/// So many cases may be starting at once, for each core.
const STARTS: usize = 4;
/// So many may be under way.
const PLACES: usize = 56;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether somebody wants this run to end.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// The pause between two looks.
#[expect(clippy::disallowed_methods, reason = "what only other programs change is polled")]
pub fn a_moment() {
    std::thread::sleep(Duration::from_millis(80));
}

/// Says that a case cannot be played here, and lists it where the tests list that.
pub fn skip(name: &str, why: &str) {
    let line = format!("SKIPPED: corpus {name}: {why}");
    let _ = writeln!(std::io::stderr(), "{line}");
    let log = std::env::var_os("SENTINEL_SKIP_LOG");
    if let Some(path) = log.filter(|path| !path.is_empty()) {
        let opened = fs::OpenOptions::new().create(true).append(true).open(path);
        let mut file = opened.expect("the file named by SENTINEL_SKIP_LOG can be opened");
        writeln!(file, "{line}").expect("the skip log can be written");
    }
}

/// Lets a few in at a time.
pub struct Gate {
    free: Mutex<usize>,
    changed: Condvar,
}

impl Gate {
    fn new(room: usize) -> Self {
        Self { free: Mutex::new(room), changed: Condvar::new() }
    }

    /// Waits for room; it is given back when the ticket is dropped.
    pub fn enter(&self) -> Ticket<'_> {
        let free = self.free.lock().unwrap();
        *self.changed.wait_while(free, |free| *free == 0).unwrap() -= 1;
        Ticket(self)
    }
}

pub struct Ticket<'a>(&'a Gate);

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap() += 1;
        self.0.changed.notify_one();
    }
}

pub struct Stage {
    root: TempDir,
    /// To start is work, to wait is little: a few cases start at a time, many wait at once. Not all
    /// of them: a look at a stuck one may go through the descriptors of every process there is.
    pub starts: Gate,
    pub places: Gate,
    pub stale: Duration,
    pub user: Option<User>,
    /// The search path of the cases.
    pub path: String,
    run: PathBuf,
    load: Vec<Child>,
    counter: AtomicU32,
}

impl Stage {
    pub fn set(args: &Args) -> Self {
        let mut ends = SigSet::empty();
        for signal in [Caught::SIGINT, Caught::SIGTERM, Caught::SIGHUP] {
            ends.add(signal);
        }
        // Before any thread begins, so that all of them leave these signals to this one.
        ends.thread_block().expect("signals can be blocked");
        std::thread::spawn(move || {
            while ends.wait().is_ok() {
                INTERRUPTED.store(true, Ordering::Relaxed);
            }
        });
        let root = tempfile::Builder::new().prefix("corpus-").tempdir();
        let root = root.expect("a temporary directory can be made");
        let user = args.user.as_ref().map(|name| {
            let user = User::from_name(name).expect("users can be looked up");
            user.unwrap_or_else(|| panic!("no user {name}"))
        });
        let (mut run, mut path) = (PathBuf::from(RUN), std::env::var("PATH").unwrap_or_default());
        if user.is_some() {
            // Another user may see neither the target directory nor what is in our home.
            let opened = fs::Permissions::from_mode(0o755);
            fs::set_permissions(root.path(), opened).expect("our own directory");
            run = root.path().join("sentinel-run");
            fs::copy(RUN, &run).expect("the program can be copied");
            "/usr/local/bin:/usr/bin:/bin".clone_into(&mut path);
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut stage = Self {
            root,
            starts: Gate::new(STARTS * cores),
            places: Gate::new(PLACES * cores),
            stale: args.stale,
            user,
            path,
            run,
            load: Vec::new(),
            counter: AtomicU32::new(0),
        };
        if args.load {
            for _ in 0..cores {
                let mut busy = Command::new("sh");
                busy.args(["-c", "while :; do :; done"]).stdin(Stdio::null());
                stage.load.push(spawn(busy, Signal::KILL).expect("sh can be started"));
            }
        }
        stage
    }

    pub fn is_root(&self) -> bool {
        self.user.is_none() && geteuid().is_root()
    }

    /// A new directory that belongs to whom the cases run as.
    pub fn place(&self) -> PathBuf {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let place = self.root.path().join(number.to_string());
        fs::create_dir(&place).expect("our own directory");
        let home = place.join("home");
        fs::create_dir(&home).expect("our own directory");
        if let Some(user) = &self.user {
            for dir in [&place, &home] {
                chown(dir, Some(user.uid), Some(user.gid)).expect("root may give files away");
            }
        }
        place
    }

    /// A file that whom the cases run as can read: itself, or a copy in `place`.
    pub fn readable(&self, file: &Path, place: &Path) -> PathBuf {
        match (&self.user, file.file_name()) {
            (Some(_), Some(name)) if file.exists() => {
                // By another process: one forked here meanwhile would keep the copy open for
                // writing, and so it could not be executed.
                let copied = Command::new("cp").arg(file).arg(place).status();
                assert!(copied.is_ok_and(|status| status.success()), "a case can be copied");
                place.join(name)
            }
            _ => file.to_owned(),
        }
    }

    /// Starts `sentinel-run` in `place/home`, which the command knows as `$CORPUS_DIR`. It gets a
    /// TERM, and ends its tree, should this program die.
    pub fn start(&self, place: &Path, arguments: &[&str], line: &str) -> std::io::Result<Child> {
        let mut command = if let Some(user) = &self.user {
            let mut setpriv = Command::new("setpriv");
            setpriv.arg(format!("--reuid={}", user.uid)).arg(format!("--regid={}", user.gid));
            setpriv.args(["--init-groups", "--pdeathsig=TERM"]).arg(&self.run);
            setpriv.env("HOME", place.join("home")).env("USER", &user.name);
            setpriv
        } else {
            Command::new(&self.run)
        };
        for name in FOREIGN_VARIABLES {
            command.env_remove(name);
        }
        let home = place.join("home");
        command
            .args(arguments)
            .args(["--", "sh", "-c"])
            .arg(format!("exec {line}"))
            .env("CORPUS_DIR", &home)
            .env("SENTINEL_RUN", &self.run)
            .env("PATH", &self.path)
            .current_dir(&home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        spawn(command, Signal::TERM)
    }

    /// Ends the load, and whatever is left; says what that was.
    pub fn strike(mut self) -> Vec<String> {
        self.end_load();
        let patience = Instant::now() + Duration::from_secs(5);
        loop {
            let left = self.members();
            if left.is_empty() || Instant::now() >= patience {
                return left.into_iter().filter_map(end).collect();
            }
            a_moment();
        }
    }

    /// The processes whose environment names our directory.
    fn members(&self) -> Vec<Pid> {
        let root = self.root.path().as_os_str().as_encoded_bytes();
        let mut members = Vec::new();
        for entry in fs::read_dir("/proc").expect("/proc is there").flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let named = fs::read(entry.path().join("environ"))
                .is_ok_and(|bytes| bytes.windows(root.len()).any(|window| window == root));
            if named {
                members.extend(pid.and_then(Pid::from_raw));
            }
        }
        members
    }

    fn end_load(&mut self) {
        for mut busy in self.load.drain(..) {
            let _ = busy.kill();
            let _ = busy.wait();
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.end_load();
        for pid in self.members() {
            end(pid);
        }
    }
}

/// Starts a program that gets this signal when the thread that started it is gone, and that
/// inherits neither our blocked signals nor the descriptors that somebody left open for us: a job
/// that shares a pipe with an outsider is not provably stuck.
fn spawn(mut command: Command, at_our_end: Signal) -> std::io::Result<Child> {
    let prepare = move || {
        SigSet::empty().thread_set_mask()?;
        set_parent_process_death_signal(Some(at_our_end))?;
        #[expect(unsafe_code, reason = "marks descriptors, closes none")]
        let marked =
            unsafe { libc::close_range(3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC.cast_signed()) };
        if marked == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    };
    #[expect(unsafe_code, reason = "three system calls, which may be made between fork and exec")]
    unsafe {
        command.pre_exec(prepare);
    }
    command.spawn()
}

/// Kills a process of ours, and says which.
fn end(pid: Pid) -> Option<String> {
    let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    let number = pid.as_raw_nonzero();
    let line = fs::read_to_string(format!("/proc/{number}/cmdline")).unwrap_or_default();
    pidfd_send_signal(&handle, Signal::KILL).ok()?;
    Some(format!("{number}: {}", line.replace('\0', " ")))
}
