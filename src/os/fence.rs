//! Work behind a fence: in a process of its own, within a time limit, its answer heard whole or not at
//! all. A panic, a stack that overflows, a loop, a file system that hangs: each ends that process, and
//! none of them us.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Signal, WaitOptions, kill_process, waitpid};
use std::fs::{File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// What the work has to say, and to whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// For standard output.
    pub out: String,
    /// For standard error.
    pub err: String,
}

/// What came of it.
#[derive(Debug)]
pub enum Heard {
    /// It answered.
    Answer(Answer, Receipt),
    /// It took too long, and was ended.
    Late,
    /// It ended without an answer.
    Died,
}

/// To tell the work that its answer was passed on.
#[derive(Debug)]
pub struct Receipt(PipeWriter);

impl Receipt {
    /// It was.
    pub fn sign(mut self) {
        let _ = self.0.write_all(b"!");
    }
}

/// The inner side's way to be heard.
#[derive(Debug)]
pub struct Voice {
    out: PipeWriter,
    receipt: PipeReader,
}

impl Voice {
    /// Gives the answer; whether it was passed on. What must only happen then, is done after this.
    #[must_use]
    pub fn answer(mut self, answer: &Answer) -> bool {
        let lengths = [&answer.out, &answer.err].map(|text| (text.len() as u64).to_ne_bytes());
        let mut bytes = lengths.concat();
        bytes.extend_from_slice(answer.out.as_bytes());
        bytes.extend_from_slice(answer.err.as_bytes());
        if self.out.write_all(&bytes).is_err() {
            return false;
        }
        drop(self.out);
        self.receipt.read(&mut [0]).is_ok_and(|read| read > 0)
    }
}

/// Does the work behind a fence, where none of our standard streams is heard. To be called with one
/// thread.
///
/// # Errors
/// If there is no room for another process.
#[expect(unsafe_code, reason = "fork: safe while there is one thread, and this program has one")]
pub fn behind(deadline: Instant, work: impl FnOnce(Voice)) -> io::Result<Heard> {
    let (heard, out) = pipe()?;
    let (receipt, sign) = pipe()?;
    // SAFETY: one thread, so nothing is left half done in the child.
    match unsafe { nix::unistd::fork()? } {
        nix::unistd::ForkResult::Child => {
            drop((heard, sign));
            // Whoever waits for our pipes to close is not kept waiting by what is done after the answer.
            if let Ok(null) = OpenOptions::new().write(true).open("/dev/null") {
                let _ = nix::unistd::dup2_stdout(&null);
                let _ = nix::unistd::dup2_stderr(&null);
                work(Voice { out, receipt });
            }
            // SAFETY: ends this process without running anything of the other side's.
            unsafe { libc::_exit(0) }
        }
        nix::unistd::ForkResult::Parent { child } => {
            drop((out, receipt));
            let heard = hear(heard, deadline);
            let child = rustix::process::Pid::from_raw(child.as_raw());
            Ok(match heard {
                Some(Ok(answer)) => Heard::Answer(answer, Receipt(sign)),
                other => {
                    if let Some(child) = child {
                        // Not reaped yet, so that the number is still its own. It is not waited for: what
                        // hangs in a file system dies when that lets go.
                        let _ = kill_process(child, Signal::KILL);
                        let _ = waitpid(Some(child), WaitOptions::NOHANG);
                    }
                    if other.is_none() { Heard::Late } else { Heard::Died }
                }
            })
        }
    }
}

/// `None`: too late. An error: it ended in the middle.
fn hear(mut from: PipeReader, deadline: Instant) -> Option<Result<Answer, ()>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 << 10];
    loop {
        match is_ready(from.as_fd(), deadline) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(_) => return Some(Err(())),
        }
        match from.read(&mut chunk) {
            Ok(0) => return Some(unpack(&bytes).ok_or(())),
            Ok(length) => bytes.extend_from_slice(&chunk[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Some(Err(())),
        }
    }
}

fn unpack(bytes: &[u8]) -> Option<Answer> {
    let (lengths, texts) = bytes.split_at_checked(16)?;
    let length = |at: usize| {
        let bytes: [u8; 8] = lengths.get(at..at + 8)?.try_into().ok()?;
        usize::try_from(u64::from_ne_bytes(bytes)).ok()
    };
    let (out, err) = texts.split_at_checked(length(0)?)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (err.len() == length(8)?).then(|| Answer { out: text(out), err: text(err) })
}

/// Standard input to its end, or until it is one whole JSON value, up to so many bytes. So long the first
/// byte may take, and then the rest; what is there by then is taken as it is.
///
/// # Errors
/// The system's.
pub fn read_stdin(most: usize, patience: Duration) -> io::Result<Vec<u8>> {
    let mut stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 << 10];
    let mut by = Instant::now() + patience;
    while bytes.len() < most && is_ready(stdin.as_fd(), by)? {
        match stdin.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => {
                if bytes.is_empty() {
                    by = Instant::now() + patience;
                }
                bytes.extend_from_slice(&chunk[..length]);
                let ends = bytes.trim_ascii_end().ends_with(b"}");
                if ends && serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok() {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

/// Waits until there is something to read, or the end of it: false if it is too late.
fn is_ready(from: BorrowedFd<'_>, by: Instant) -> io::Result<bool> {
    loop {
        let left = by.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let mut fds = [PollFd::new(from, PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(left + Duration::from_micros(999));
        match poll(&mut fds, timeout.unwrap_or(PollTimeout::MAX)) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}
