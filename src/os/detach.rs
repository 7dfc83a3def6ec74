//! Out of the launcher's reach: a new session, two forks, none of its descriptors.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};

/// Which side of the fork this process is.
#[derive(Debug)]
pub enum Side {
    /// The launcher, which waits for the report.
    Launcher(Answer),
    /// The one that stays.
    Background(Reporter),
}

/// The launcher's end.
#[derive(Debug)]
pub struct Answer(OwnedFd);

/// The other end.
#[derive(Debug)]
pub struct Reporter(OwnedFd);

impl Answer {
    /// Waits until the other side has said how the start went: an exit code, and the PID of the
    /// wrapper; `None` if it died without a word.
    #[must_use]
    pub fn wait(self) -> Option<(u8, u32)> {
        let mut bytes = [0_u8; 5];
        std::fs::File::from(self.0).read_exact(&mut bytes).ok()?;
        let [code, pid @ ..] = bytes;
        Some((code, u32::from_ne_bytes(pid)))
    }
}

impl Reporter {
    /// Lets go of the launcher's standard streams, then reports, so that whoever waits for the
    /// launcher to return and for its pipes to close sees both at once.
    ///
    /// # Errors
    /// If `/dev/null` cannot be put in their place.
    pub fn report(self, code: u8) -> io::Result<()> {
        let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
        nix::unistd::dup2_stdin(&null)?;
        nix::unistd::dup2_stdout(&null)?;
        nix::unistd::dup2_stderr(&null)?;
        let mut message = vec![code];
        message.extend(std::process::id().to_ne_bytes());
        // A launcher that was killed meanwhile needs no report.
        let _ = std::fs::File::from(self.0).write_all(&message);
        Ok(())
    }
}

/// Splits into launcher and background. To be called with one thread, and before anything is
/// opened that has to last: the background closes every descriptor but the standard three.
///
/// # Errors
/// If there is no room for another process.
#[expect(unsafe_code, reason = "fork: safe while there is one thread, and this program has one")]
pub fn detach() -> io::Result<Side> {
    let (reader, writer) = nix::unistd::pipe()?;
    // SAFETY: one thread, so nothing is left half done in the child.
    match unsafe { nix::unistd::fork()? } {
        nix::unistd::ForkResult::Parent { child } => {
            drop(writer);
            let child = rustix::process::Pid::from_raw(child.as_raw());
            let _ = rustix::process::waitpid(child, rustix::process::WaitOptions::empty());
            return Ok(Side::Launcher(Answer(reader)));
        }
        nix::unistd::ForkResult::Child => drop(reader),
    }
    // A session of its own has no terminal and is in nobody's process group. The second fork takes
    // away the session's leadership, and with it the way to ever get a terminal.
    let _ = nix::unistd::setsid();
    // SAFETY: as above.
    if !matches!(unsafe { nix::unistd::fork() }, Ok(nix::unistd::ForkResult::Child)) {
        // SAFETY: ends this process without running anything of the launcher's.
        unsafe { libc::_exit(0) };
    }
    let writer = close_all_but(writer);
    Ok(Side::Background(Reporter(writer)))
}

/// Closes every descriptor from 3 up except this one.
#[expect(unsafe_code, reason = "the inherited descriptors have no owner in this program")]
fn close_all_but(keep: OwnedFd) -> OwnedFd {
    let keep_fd = keep.as_raw_fd();
    let listed = std::fs::read_dir("/dev/fd").map(|entries| {
        entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok()).collect()
    });
    let open: Vec<i32> = listed.unwrap_or_else(|_| (3..1024).collect());
    for fd in open.into_iter().filter(|fd| *fd > 2 && *fd != keep_fd) {
        // SAFETY: nothing in this program owns it; closing what is closed does nothing.
        unsafe { libc::close(fd) };
    }
    let flag = nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC);
    let _ = nix::fcntl::fcntl(&keep, flag);
    keep
}
