//! The caller's terminal, lent to the command (`--stdin` on a terminal): job control as a shell
//! does it, so that Ctrl-C reaches the command and not us.

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getpgrp, tcsetpgrp};
use std::io::{IsTerminal, stdin};

/// A terminal on standard input, and who had it.
#[derive(Debug)]
pub struct Terminal {
    own_group: Pid,
}

impl Terminal {
    /// The terminal, if standard input is one.
    #[must_use]
    pub fn on_stdin() -> Option<Self> {
        stdin().is_terminal().then(|| Self { own_group: getpgrp() })
    }

    /// Gives it to the process group of the command.
    pub fn lend(&self, pid: i32) {
        let group = Pid::from_raw(pid);
        if group != self.own_group {
            let _ = tcsetpgrp(stdin(), group);
            // It may have asked for input before the terminal was its own, and been stopped for it.
            let _ = killpg(group, Signal::SIGCONT);
        }
    }

    /// Takes it back.
    pub fn take_back(&self) {
        let _ = tcsetpgrp(stdin(), self.own_group);
    }
}
