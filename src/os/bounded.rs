//! A command of somebody else's, run to its end within a time limit: what it says is heard, and
//! nothing it leaves open keeps us.

use super::helper;
use super::process::Handle;
use crate::protocol::text::{cut, one_line};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// So much of each of its streams is kept, bytes.
const KEPT: u64 = 64 << 10;
/// What it printed is waited for so long after its end: its children may hold the pipes for ever.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How a command ended.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: ExitStatus,
    /// The beginning of its standard output.
    pub stdout: String,
    /// The beginning of its standard error.
    pub stderr: String,
}

impl Answer {
    /// How it failed, in one line: its status, and the last line it printed.
    #[must_use]
    pub fn words(&self) -> String {
        let said = [&self.stderr, &self.stdout]
            .into_iter()
            .find_map(|text| text.lines().map(one_line).rfind(|line| !line.trim().is_empty()));
        let status = match self.status.code() {
            Some(code) => format!("exit code {code}"),
            None => self.status.to_string(),
        };
        said.map_or(status.clone(), |said| format!("{status}: {}", cut(said.trim(), 300)))
    }
}

/// Runs a command in a process group of its own. After `most` it is killed, with all below it. What
/// it leaves running has nobody any more who hears what it prints.
///
/// # Errors
/// In words: that it cannot be executed, or took too long.
pub fn run(command: Command, input: &[u8], most: Duration) -> Result<Answer, String> {
    let mut talk = Talk::begin(command, input, KEPT)?;
    let status = talk.end(most)?;
    talk.last_words(Instant::now() + LAST_WORDS);
    Ok(Answer { status, stdout: text(&talk.stdout.heard), stderr: text(&talk.stderr.heard) })
}

/// The same for an output of which nothing may be missing: the answer, and every byte of its
/// standard output.
///
/// # Errors
/// As [`run`]; and if the output is longer than `size` bytes, or did not end within `most`.
pub fn read(command: Command, size: u64, most: Duration) -> Result<(Answer, Vec<u8>), String> {
    let deadline = Instant::now() + most;
    let mut talk = Talk::begin(command, b"", size)?;
    let status = talk.end(most)?;
    let stderr = talk.stderr.pipe.take();
    talk.last_words(deadline);
    if talk.stdout.pipe.is_some() {
        return Err("its output did not end".to_owned());
    }
    talk.stderr.pipe = stderr;
    talk.last_words(Instant::now() + LAST_WORDS);
    let bytes = std::mem::take(&mut talk.stdout.heard);
    if bytes.len() as u64 >= size {
        return Err(format!("its output is longer than {size} bytes"));
    }
    Ok((Answer { status, stdout: text(&bytes), stderr: text(&talk.stderr.heard) }, bytes))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A command that runs, and what is said to it and by it. One `poll` serves all of it: no thread is
/// left to whoever holds a pipe for ever.
struct Talk<'a> {
    child: Child,
    input: &'a [u8],
    stdin: Option<File>,
    stdout: Stream,
    stderr: Stream,
}

struct Stream {
    pipe: Option<File>,
    heard: Vec<u8>,
    kept: u64,
}

impl<'a> Talk<'a> {
    fn begin(mut command: Command, input: &'a [u8], kept: u64) -> Result<Self, String> {
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() });
        let mut child = command.spawn().map_err(|error| {
            format!("cannot execute {}: {error}", command.get_program().to_string_lossy())
        })?;
        let stdin = child.stdin.take().map(|pipe| ours(pipe.into()));
        let stdout = child.stdout.take().map(|pipe| ours(pipe.into()));
        let stderr = child.stderr.take().map(|pipe| ours(pipe.into()));
        let stream = |pipe, kept| Stream { pipe, heard: Vec::new(), kept };
        Ok(Self { child, input, stdin, stdout: stream(stdout, kept), stderr: stream(stderr, KEPT) })
    }

    /// To its end, or to the end of our patience.
    fn end(&mut self, most: Duration) -> Result<ExitStatus, String> {
        let pid = self.child.id().cast_signed();
        let deadline = Instant::now() + most;
        let handle = Handle::open(pid);
        let ended = handle.as_ref().and_then(Handle::pollable);
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Ok(status);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                helper::kill(pid);
                let _ = self.child.wait();
                return Err(format!("it took longer than {} s", most.as_secs()));
            }
            // Where no descriptor tells of its end.
            let left = if ended.is_some() { left } else { left.min(Duration::from_millis(10)) };
            self.turn(ended, left);
        }
    }

    /// What it printed before its end: its children may hold the pipes for ever.
    fn last_words(&mut self, deadline: Instant) {
        self.stdin = None;
        while self.stdout.pipe.is_some() || self.stderr.pipe.is_some() {
            let left = deadline.saturating_duration_since(Instant::now());
            self.turn(None, left);
            if left.is_zero() {
                return;
            }
        }
    }

    /// Waits until there is something to say or to hear, and does that.
    fn turn(&mut self, ended: Option<BorrowedFd<'_>>, left: Duration) {
        let hears = [&self.stdout.pipe, &self.stderr.pipe].into_iter().flatten();
        let mut fds: Vec<PollFd<'_>> =
            hears.map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)).collect();
        fds.extend(ended.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        let says = self.stdin.as_ref().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLOUT));
        fds.extend(says);
        let timeout = PollTimeout::try_from(left + Duration::from_micros(999));
        let _ = poll(&mut fds, timeout.unwrap_or(PollTimeout::MAX));
        self.stdout.hear();
        self.stderr.hear();
        if let Some(pipe) = &mut self.stdin {
            match pipe.write(self.input) {
                Ok(written) => self.input = &self.input[written..],
                Err(error) if is_passing(&error) => {}
                Err(_) => self.input = &[], // it does not want to hear
            }
            if self.input.is_empty() {
                self.stdin = None;
            }
        }
    }
}

impl Stream {
    /// Takes what is there now; what is too much is dropped, so that nobody is kept from printing.
    fn hear(&mut self) {
        let mut buffer = [0; 16 << 10];
        // At most what a pipe holds, for somebody may go on printing.
        for _ in 0..8 {
            let Some(pipe) = &mut self.pipe else { return };
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(length) => {
                    let room = self.kept.saturating_sub(self.heard.len() as u64);
                    let room = usize::try_from(room).unwrap_or(usize::MAX).min(length);
                    self.heard.extend_from_slice(&buffer[..room]);
                    if length < buffer.len() {
                        return;
                    }
                }
                Err(error) if is_passing(&error) => return,
                Err(_) => self.pipe = None,
            }
        }
    }
}

/// Our end of a pipe, which nobody waits at.
fn ours(pipe: OwnedFd) -> File {
    let _ = rustix::io::ioctl_fionbio(&pipe, true);
    File::from(pipe)
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(text: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        command
    }

    #[test]
    fn what_it_says_and_how_it_ends() {
        let most = Duration::from_secs(20);
        let answer = run(sh("cat; echo no >&2; exit 3"), b"yes", most).unwrap();
        assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("yes", "no\n"));
        assert_eq!(answer.words(), "exit code 3: no");
        // It reads nothing, prints without end, and leaves a child that holds its pipes.
        let answer = run(sh("head -c 300000 /dev/zero; sleep 1 & true"), &vec![0; 1 << 20], most);
        assert!(answer.unwrap().status.success());
        let missing = run(Command::new("/nonexistent/x"), b"", most).unwrap_err();
        assert!(missing.contains("cannot execute /nonexistent/x"), "{missing}");
    }

    #[test]
    fn an_output_is_read_whole_or_not_at_all() {
        let most = Duration::from_secs(20);
        let (answer, bytes) =
            read(sh("head -c 300000 /dev/zero; echo no >&2"), 1 << 20, most).unwrap();
        assert_eq!((bytes.len(), answer.stderr.as_str()), (300_000, "no\n"));
        let why = read(sh("head -c 5000 /dev/zero"), 5000, most).unwrap_err();
        assert!(why.contains("longer than 5000 bytes"), "{why}");
        let why =
            read(sh("echo half; sleep 3 & true"), 5000, Duration::from_millis(300)).unwrap_err();
        assert!(why.contains("did not end"), "{why}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn nothing_is_kept_for_who_holds_its_pipes_for_ever() {
        let mine = || {
            let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
            let to_pipe = |path: std::path::PathBuf| {
                std::fs::read_link(path).is_ok_and(|to| to.to_string_lossy().starts_with("pipe:"))
            };
            open.filter(|fd| to_pipe(fd.path())).count()
        };
        let before = mine();
        for _ in 0..20 {
            let most = Duration::from_secs(20);
            assert!(run(sh("sleep 3 & true"), b"", most).unwrap().status.success());
        }
        // Other tests of this process have a few.
        assert!(mine() < before + 20, "{before} {}", mine());
    }

    #[test]
    fn what_takes_too_long_is_killed_with_its_children() {
        let began = Instant::now();
        let why = run(sh("sleep 60 & sleep 60"), b"", Duration::from_millis(50)).unwrap_err();
        assert!(why.contains("longer"), "{why}");
        assert!(began.elapsed() < Duration::from_secs(20));
    }
}
