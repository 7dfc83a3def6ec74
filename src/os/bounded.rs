//! A command of somebody else's, run to its end within a time limit: what it says is heard, and
//! nothing it leaves open keeps us.

use super::process::Handle;
use super::{clock, helper};
use crate::protocol::text::{cut, one_line};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
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

/// Runs a command in a process group of its own. After `most` it is killed, with all below it.
///
/// # Errors
/// In words: that it cannot be executed, or took too long.
pub fn run(mut command: Command, input: &[u8], most: Duration) -> Result<Answer, String> {
    let (mut child, streams) = begin(&mut command, input, KEPT)?;
    let status = end(&mut child, most)?;
    let deadline = Instant::now() + LAST_WORDS;
    Ok(Answer {
        status,
        stdout: text(&heard(&streams.0, deadline).unwrap_or_default()),
        stderr: text(&heard(&streams.1, deadline).unwrap_or_default()),
    })
}

/// The same for an output of which nothing may be missing: the answer, and every byte of its
/// standard output.
///
/// # Errors
/// As [`run`]; and if the output is longer than `size` bytes, or did not end within `most`.
pub fn read(mut command: Command, size: u64, most: Duration) -> Result<(Answer, Vec<u8>), String> {
    let deadline = Instant::now() + most;
    let (mut child, streams) = begin(&mut command, b"", size)?;
    let status = end(&mut child, most)?;
    let bytes = heard(&streams.0, deadline).ok_or("its output did not end")?;
    if bytes.len() as u64 >= size {
        return Err(format!("its output is longer than {size} bytes"));
    }
    let stderr = text(&heard(&streams.1, Instant::now() + LAST_WORDS).unwrap_or_default());
    Ok((Answer { status, stdout: text(&bytes), stderr }, bytes))
}

type Streams = (Receiver<Vec<u8>>, Receiver<Vec<u8>>);

fn begin(command: &mut Command, input: &[u8], kept: u64) -> Result<(Child, Streams), String> {
    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() });
    let mut child = command.spawn().map_err(|error| {
        format!("cannot execute {}: {error}", command.get_program().to_string_lossy())
    })?;
    feed(&mut child, input);
    let streams = (hear(child.stdout.take(), kept), hear(child.stderr.take(), KEPT));
    Ok((child, streams))
}

fn end(child: &mut Child, most: Duration) -> Result<ExitStatus, String> {
    wait(child, most).ok_or_else(|| format!("it took longer than {} s", most.as_secs()))
}

/// `None` if the stream is open still.
fn heard(stream: &Receiver<Vec<u8>>, deadline: Instant) -> Option<Vec<u8>> {
    stream.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Writes from a thread: whoever does not read keeps nobody.
fn feed(child: &mut Child, input: &[u8]) {
    if let Some(mut pipe) = child.stdin.take() {
        let input = input.to_vec();
        let _ = std::thread::Builder::new().spawn(move || {
            let _ = pipe.write_all(&input);
        });
    }
}

fn hear(stream: Option<impl Read + Send + 'static>, kept: u64) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    if let Some(mut stream) = stream {
        let _ = std::thread::Builder::new().spawn(move || {
            let mut heard = Vec::new();
            let _ = stream.by_ref().take(kept).read_to_end(&mut heard);
            let full = heard.len() as u64 == kept;
            let _ = sender.send(heard);
            if full {
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
            }
        });
    }
    receiver
}

/// Its status; `None` if it had to be killed.
fn wait(child: &mut Child, most: Duration) -> Option<ExitStatus> {
    let pid = child.id().cast_signed();
    let deadline = Instant::now() + most;
    let handle = Handle::open(pid);
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        match handle.as_ref().and_then(Handle::pollable) {
            Some(fd) => {
                let timeout = PollTimeout::try_from(left + Duration::from_micros(999));
                let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
                let _ = poll(&mut fds, timeout.unwrap_or(PollTimeout::MAX));
            }
            None => clock::pause(left.min(Duration::from_millis(10))),
        }
    }
    helper::kill(pid);
    let _ = child.wait();
    None
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
    fn what_takes_too_long_is_killed_with_its_children() {
        let began = Instant::now();
        let why = run(sh("sleep 60 & sleep 60"), b"", Duration::from_millis(50)).unwrap_err();
        assert!(why.contains("longer"), "{why}");
        assert!(began.elapsed() < Duration::from_secs(20));
    }
}
