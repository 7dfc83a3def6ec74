//! Signals by handlers that write to a pipe, where there is no signalfd. A signal the caller had
//! ignored gets no handler, because a handled one would be reset to its default in the command.

use super::{CAUGHT, Caught, is_ignored};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

static PIPE: AtomicI32 = AtomicI32::new(-1);

/// The wrapper's signals.
#[derive(Debug)]
pub struct Signals(OwnedFd);

impl Signals {
    /// Installs the handlers.
    ///
    /// # Errors
    /// If the pipe or a handler cannot be made.
    #[expect(unsafe_code, reason = "a handler; it only writes to a pipe, which is allowed in one")]
    pub fn catch() -> io::Result<Self> {
        let (reader, writer) = rustix::pipe::pipe()?;
        for end in [reader.as_fd(), writer.as_fd()] {
            rustix::io::ioctl_fioclex(end)?;
            rustix::io::ioctl_fionbio(end, true)?;
        }
        PIPE.store(writer.into_raw_fd(), Ordering::SeqCst);
        let flags = SaFlags::SA_RESTART | SaFlags::SA_SIGINFO;
        let action = SigAction::new(SigHandler::SigAction(note), flags, SigSet::empty());
        for signal in CAUGHT.into_iter().filter(|signal| !is_ignored(*signal)) {
            // SAFETY: `note` calls nothing but write(2).
            unsafe { sigaction(Signal::try_from(signal)?, &action)? };
        }
        Ok(Self(reader))
    }

    /// All that came in since.
    pub fn drain(&mut self) -> Vec<Caught> {
        let mut all = Vec::new();
        let mut record = [0_u8; 12];
        while matches!(rustix::io::read(&self.0, &mut record), Ok(12)) {
            let word = |i: usize| {
                i32::from_ne_bytes([record[i], record[i + 1], record[i + 2], record[i + 3]])
            };
            let (signal, pid, uid) = (word(0), word(4), word(8).cast_unsigned());
            all.push(Caught { signal, pid, uid, value: None });
        }
        all
    }
}

extern "C" fn note(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    #[expect(unsafe_code, reason = "the fields of siginfo and write(2) in a handler")]
    // SAFETY: the kernel passes a valid siginfo; the buffer is 12 bytes long.
    unsafe {
        let mut record = [0_u8; 12];
        record[..4].copy_from_slice(&signal.to_ne_bytes());
        record[4..8].copy_from_slice(&(*info).si_pid().to_ne_bytes());
        record[8..].copy_from_slice(&(*info).si_uid().to_ne_bytes());
        libc::write(PIPE.load(Ordering::SeqCst), record.as_ptr().cast(), 12);
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
