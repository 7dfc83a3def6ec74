//! The command, executed with a clean slate: its own session, no signal blocked, the log itself as
//! standard output and error.

use super::clock::pause;
use nix::errno::Errno;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::{Mode, umask};
use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `posix_spawn` in a new session: a number the `libc` crate lacks for Apple (spawn.h there).
#[cfg(target_os = "linux")]
const SETSID: libc::c_short = libc::POSIX_SPAWN_SETSID;
#[cfg(not(target_os = "linux"))]
const SETSID: libc::c_short = 0x0400;

/// How often a program that is being written is tried.
const BUSY_TRIES: u32 = 20;

/// What is to be executed.
#[derive(Debug)]
pub struct Spawn<'a> {
    /// Program and arguments.
    pub command: &'a [OsString],
    /// Its whole environment, `NAME=value`.
    pub environment: Vec<OsString>,
    /// Standard input; `None`: the caller's.
    pub stdin: Option<&'a File>,
    /// Standard output; `None`: ours.
    pub stdout: Option<BorrowedFd<'a>>,
    /// Standard error; `None`: ours.
    pub stderr: Option<BorrowedFd<'a>>,
    /// Where it lives.
    pub place: Place,
    /// The umask it gets; `None`: ours.
    pub umask: Option<Mode>,
}

/// The session and the process group of what is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A session of its own.
    Session,
    /// A group of its own in our session.
    Group,
    /// Our session and group: for a command that is to have our terminal, keys and job control
    /// included. (A group of its own could be made the terminal's only after it was executed, when
    /// it may have asked for input.)
    Ours,
}

/// The command could not be executed.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// There is no such program (exit code 127, as in a shell).
    #[error("{0}")]
    NotFound(String),
    /// There is one, but it cannot be executed (126).
    #[error("{0}")]
    NotExecutable(String),
    /// The system has no room for another process (125).
    #[error("cannot start {program}: {source}")]
    System {
        /// What.
        program: String,
        /// Why.
        source: Errno,
    },
}

/// Executes it; its PID.
///
/// # Errors
/// If nothing was executed, with the reason in words.
pub fn spawn(spawn: &Spawn<'_>) -> Result<i32, SpawnError> {
    let program = spawn.command.first().cloned().unwrap_or_default();
    let shown = program.to_string_lossy().into_owned();
    let system = |source| SpawnError::System { program: shown.clone(), source };
    if program.is_empty() {
        return Err(SpawnError::NotFound("command not found: its name is empty".into()));
    }

    let mut actions = PosixSpawnFileActions::init().map_err(system)?;
    if let Some(stdin) = spawn.stdin {
        actions.add_dup2(stdin.as_raw_fd(), 0).map_err(system)?;
    }
    for (output, as_which) in [(spawn.stdout, 1), (spawn.stderr, 2)] {
        if let Some(output) = output {
            actions.add_dup2(output.as_raw_fd(), as_which).map_err(system)?;
        }
    }

    let mut attributes = PosixSpawnAttr::init().map_err(system)?;
    let mut flags =
        PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF;
    match spawn.place {
        Place::Session => flags |= PosixSpawnFlags::from_bits_retain(i32::from(SETSID)),
        Place::Group => {
            flags |= PosixSpawnFlags::POSIX_SPAWN_SETPGROUP;
            attributes.set_pgroup(nix::unistd::Pid::from_raw(0)).map_err(system)?;
        }
        Place::Ours => {}
    }
    attributes.set_flags(flags).map_err(system)?;
    attributes.set_sigmask(&SigSet::empty()).map_err(system)?;
    // Rust ignores PIPE at start; what else is ignored was ignored by our caller, and stays so.
    let mut reset = SigSet::empty();
    reset.add(Signal::SIGPIPE);
    reset.add(Signal::SIGXFSZ); // ours to ignore
    attributes.set_sigdefault(&reset).map_err(system)?;

    let c_strings = |words: &[OsString]| -> Result<Vec<CString>, SpawnError> {
        let c_string = |word: &OsString| CString::new(word.clone().into_vec());
        words.iter().map(c_string).collect::<Result<_, _>>().map_err(|_| system(Errno::EINVAL))
    };
    let environment = c_strings(&spawn.environment)?;
    let execute = |program: &OsString, words: &[OsString]| {
        let (program, words) = (c_strings(std::slice::from_ref(program))?, c_strings(words)?);
        let ours = spawn.umask.map(umask);
        let mut pid = Err(Errno::ETXTBSY);
        for _ in 0..BUSY_TRIES {
            pid = posix_spawnp(&program[0], &actions, &attributes, &words, &environment);
            // Just written, and still open for writing in a process that was forked meanwhile.
            if pid != Err(Errno::ETXTBSY) {
                break;
            }
            pause(Duration::from_millis(10));
        }
        ours.map(umask);
        Ok(pid.map(nix::unistd::Pid::as_raw))
    };
    match execute(&program, spawn.command)? {
        // A script without a `#!` line: a shell's, as execvp(3) has it.
        Err(Errno::ENOEXEC) => {
            let script = find_in_path(&program).unwrap_or_else(|| PathBuf::from(&program));
            let mut words = vec![OsString::from("/bin/sh"), script.into_os_string()];
            words.extend_from_slice(&spawn.command[1..]);
            execute(&words[0], &words)?.map_err(|errno| explain(&program, errno))
        }
        other => other.map_err(|errno| explain(&program, errno)),
    }
}

/// Where a program is that `PATH` leads to, executable or not.
fn find_in_path(program: &OsString) -> Option<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return Some(PathBuf::from(program));
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|path| path.is_file())
}

fn explain(program: &OsString, errno: Errno) -> SpawnError {
    let shown = program.to_string_lossy().into_owned();
    let found = find_in_path(program).filter(|path| path.exists());
    match (errno, found) {
        (Errno::EAGAIN | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE | Errno::E2BIG, _) => {
            SpawnError::System { program: shown, source: errno }
        }
        (Errno::ENOENT | Errno::ENOTDIR, None) => {
            // A whole command line in one word, as a shell would take it.
            let line = shown.split_once(' ').is_some_and(|(first, _)| {
                find_in_path(&first.into()).is_some_and(|path| path.is_file())
            });
            let cure = if line { ": no shell reads it; use sh -c '...'" } else { "" };
            SpawnError::NotFound(format!("command not found: {shown}{cure}"))
        }
        // The file is there, so what is missing is what it names in its first line.
        (Errno::ENOENT | Errno::ENOTDIR, Some(path)) => {
            SpawnError::NotFound(match interpreter(&path) {
                Some(interpreter) if interpreter.contains("python") => {
                    format!("{shown}: bad interpreter {interpreter}: stale virtual environment?")
                }
                Some(interpreter) => {
                    format!("{shown}: bad interpreter {interpreter}: no such file")
                }
                None => format!("{shown}: its loader or library is missing"),
            })
        }
        (_, Some(path)) if path.is_dir() => {
            SpawnError::NotExecutable(format!("{shown} is a directory"))
        }
        (Errno::EACCES, Some(path)) if !is_executable(&path) => SpawnError::NotExecutable(format!(
            "{shown} is not executable: chmod +x {}",
            path.display()
        )),
        _ => SpawnError::NotExecutable(format!("cannot execute {shown}: {}", errno.desc())),
    }
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0)
}

/// The interpreter that a script names in its first line.
fn interpreter(path: &Path) -> Option<String> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(256).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let text = String::from_utf8_lossy(line);
    text.split_whitespace().next().map(str::to_owned)
}
