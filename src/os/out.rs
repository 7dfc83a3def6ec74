//! Standard output where it matters whether what is printed arrives: past the buffer of the
//! standard library, which takes a closed descriptor for a good one.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::Duration;

/// Standard output.
#[derive(Debug)]
pub struct Out(File);

impl Out {
    /// Standard output, as it is.
    ///
    /// # Errors
    /// If there is none.
    pub fn open() -> io::Result<Self> {
        Ok(Self(File::from(io::stdout().as_fd().try_clone_to_owned()?)))
    }

    /// Writes all of it, or fails.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Waits until a regular file has on disk what was written: a file system may have taken it
    /// without having room. Elsewhere there is nothing to wait for.
    ///
    /// # Errors
    /// The system's.
    pub fn settle(&self) -> io::Result<()> {
        if self.0.metadata()?.is_file() { self.0.sync_all() } else { Ok(()) }
    }

    /// Waits so long, or until nobody can read what is printed any more: true then.
    #[must_use]
    pub fn is_closed_within(&self, most: Duration) -> bool {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::empty())];
        let timeout = PollTimeout::try_from(most).unwrap_or(PollTimeout::MAX);
        let gone = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
        poll(&mut fds, timeout).is_ok_and(|ready| ready > 0)
            && fds[0].revents().is_some_and(|events| events.intersects(gone))
    }
}
