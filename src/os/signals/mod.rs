//! Signals as events, with who sent them.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod portable;

#[cfg(target_os = "linux")]
pub use linux::Signals;
#[cfg(not(target_os = "linux"))]
pub use portable::Signals;

/// The signals that reach the wrapper as events. CHLD wakes it, USR1 and USR2 are passed on, the
/// others end the run.
pub const CAUGHT: [i32; 7] = [
    libc::SIGCHLD,
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
];

/// A signal that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caught {
    /// Which.
    pub signal: i32,
    /// Who sent it; 0 if the kernel did.
    pub pid: i32,
    /// As which user.
    pub uid: u32,
    /// The value, if it was queued with one (`sigqueue(3)`).
    pub value: Option<i32>,
}

/// The name of a signal, real-time ones included: `SIGKILL`, `SIGRTMIN+3`.
#[must_use]
pub fn name(signal: i32) -> String {
    if let Ok(known) = nix::sys::signal::Signal::try_from(signal) {
        return known.as_str().to_owned();
    }
    #[cfg(target_os = "linux")]
    if (libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&signal) {
        return format!("SIGRTMIN+{}", signal - libc::SIGRTMIN()).replace("+0", "");
    }
    format!("SIG{signal}")
}

/// Whether this process was started with the signal ignored (`nohup`, a shell's background job).
#[must_use]
#[expect(unsafe_code, reason = "nix can only set a disposition, not ask for it")]
pub fn is_ignored(signal: i32) -> bool {
    let mut old = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null action only asks; the answer is written to a buffer of the right type.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), old.as_mut_ptr()) == 0
            && old.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

/// Puts right what the caller may have left wrong for us: with CHLD ignored the kernel throws exit
/// statuses away, and with a file size limit XFSZ would kill us in the middle of a record, where
/// an error from the write does. The command gets XFSZ back as [`spawn`](super::spawn) starts it.
#[expect(unsafe_code, reason = "sets dispositions, and no handler")]
pub fn put_right() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: no handler of ours is involved.
    unsafe {
        let _ = signal(Signal::SIGCHLD, SigHandler::SigDfl);
        let _ = signal(Signal::SIGXFSZ, SigHandler::SigIgn);
    }
}

/// Ends this process by a signal, as it ended another one, without a core of its own. Comes back
/// only if the signal does not end anybody.
#[expect(unsafe_code, reason = "nix has no words for real-time signals")]
pub fn die_of(signal: i32) {
    use nix::sys::resource::{Resource, setrlimit};
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false); // a core that is piped knows no limit
    // SAFETY: a default action runs none of our code; the set is made before it is used.
    unsafe {
        let mut set = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        libc::signal(signal, libc::SIG_DFL);
        libc::sigprocmask(libc::SIG_UNBLOCK, set.as_ptr(), std::ptr::null_mut());
        libc::raise(signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(name(9), "SIGKILL");
        assert_eq!(name(15), "SIGTERM");
        #[cfg(target_os = "linux")]
        {
            assert_eq!(name(libc::SIGRTMIN()), "SIGRTMIN");
            assert_eq!(name(libc::SIGRTMIN() + 10), "SIGRTMIN+10");
        }
    }
}
