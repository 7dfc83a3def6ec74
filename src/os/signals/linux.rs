//! Signals by `signalfd(2)`: blocked, and read like any other descriptor. Blocking leaves the
//! dispositions alone, so what the caller had ignored is still ignored in the command.

use super::{CAUGHT, Caught};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// The wrapper's signals.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Blocks the caught signals and opens the descriptor they come through.
    ///
    /// # Errors
    /// If the descriptor cannot be opened.
    pub fn catch() -> io::Result<Self> {
        let mut set = SigSet::empty();
        for signal in CAUGHT {
            set.add(Signal::try_from(signal)?);
        }
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&set), None)?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(Self(SignalFd::with_flags(&set, flags)?))
    }

    /// All that came in since.
    pub fn drain(&mut self) -> Vec<Caught> {
        let mut all = Vec::new();
        while let Ok(Some(info)) = self.0.read_signal() {
            all.push(Caught {
                signal: info.ssi_signo.cast_signed(),
                pid: info.ssi_pid.cast_signed(),
                uid: info.ssi_uid,
                value: (info.ssi_code == libc::SI_QUEUE).then_some(info.ssi_int),
            });
        }
        all
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
