//! Children that ended, each with what it and the children it waited for have used.

use std::time::Duration;

/// A child that has ended and is no more.
#[derive(Clone, Copy, Debug)]
pub struct Reaped {
    /// What was its PID.
    pub pid: i32,
    /// Its wait status, as the kernel gives it.
    pub status: i32,
    /// CPU time of its own and of the children it waited for.
    pub cpu: Duration,
    /// The largest resident set of any of them, bytes.
    pub max_rss: u64,
}

/// Takes the status of a child that has ended, without waiting for one. `None`: all live.
///
/// # Errors
/// `ECHILD` if there is no child at all, not even a dead one.
#[expect(unsafe_code, reason = "wait4(2) has no safe wrapper that knows of real-time signals")]
pub fn reap() -> std::io::Result<Option<Reaped>> {
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both buffers are of the right type, and outlive the call.
    let pid = unsafe { libc::wait4(-1, &raw mut status, libc::WNOHANG, usage.as_mut_ptr()) };
    if pid < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: filled by the kernel; zeroes are valid too.
    let usage = unsafe { usage.assume_init() };
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    Ok((pid > 0).then(|| Reaped {
        pid,
        status,
        cpu: duration(usage.ru_utime) + duration(usage.ru_stime),
        max_rss: u64::try_from(usage.ru_maxrss).unwrap_or(0).saturating_mul(unit),
    }))
}

fn duration(time: libc::timeval) -> Duration {
    Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0))
        + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
}
