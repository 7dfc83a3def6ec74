//! The wait status of a process that is somebody else's child.

#[cfg(target_os = "linux")]
pub use linux::of;

/// Only the parent is told here.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn of(_handle: &super::process::Handle, _ended: &super::process::Stat) -> Option<i32> {
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use crate::os::clock::machine_ticks;
    use crate::os::process::{Handle, Stat, line};
    use std::os::fd::AsRawFd;

    /// The wait status of a process that has ended, as `wait(2)` would give it to its parent; `None`
    /// if the kernel does not tell, or not yet.
    ///
    /// Until the parent has taken the status it stands in `/proc`; from Linux 6.15 on the handle
    /// knows it afterwards.
    #[must_use]
    pub fn of(handle: &Handle, ended: &Stat) -> Option<i32> {
        of_zombie(ended).or_else(|| of_reaped(handle))
    }

    /// What proc(5) calls `exit_code`. It reads as 0 to whom it is not told: what is told under the
    /// same condition shows which of the two it is.
    fn of_zombie(ended: &Stat) -> Option<i32> {
        let line = line(format!("/proc/{}/stat", ended.pid)).ok()?;
        let fields: Vec<&str> = line.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        // Field 3 of proc(5) is the first here.
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let is_it = fields.first() == Some(&"Z")
            && number(20).is_some_and(|threads| threads <= 1)
            && number(22).is_some_and(|start| machine_ticks(start) == ended.start);
        let told = is_it && std::fs::read_link(format!("/proc/{}/ns/user", ended.pid)).is_ok();
        number(52).filter(|_| told).and_then(|status| i32::try_from(status).ok())
    }

    #[expect(unsafe_code, reason = "no crate has this ioctl")]
    fn of_reaped(handle: &Handle) -> Option<i32> {
        let fd = handle.pollable()?;
        // SAFETY: a struct of numbers, for which zeroes are valid.
        let mut info: libc::pidfd_info = unsafe { std::mem::zeroed() };
        info.mask = u64::from(libc::PIDFD_INFO_EXIT);
        // SAFETY: the descriptor is open, and the number of the call has the struct's size in it.
        let done = unsafe { libc::ioctl(fd.as_raw_fd(), libc::PIDFD_GET_INFO, &raw mut info) } == 0;
        let told = done && info.mask & u64::from(libc::PIDFD_INFO_EXIT) != 0;
        told.then_some(info.exit_code)
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::os::process;
        use std::process::Command;

        #[test]
        fn it_is_told_of_a_zombie_and_nothing_is_told_of_the_living() {
            let mut child = Command::new("sh");
            let child = child.args(["-c", "read x; exit 3"]).stdin(std::process::Stdio::piped());
            let mut child = child.spawn().unwrap();
            let pid = child.id().cast_signed();
            let (handle, stat) = (Handle::open(pid).unwrap(), process::stat(pid).unwrap());
            assert_eq!(of(&handle, &stat), None);
            drop(child.stdin.take());
            let fd = handle.pollable().unwrap();
            let mut polled = [rustix::event::PollFd::new(&fd, rustix::event::PollFlags::IN)];
            rustix::event::poll(&mut polled, None).unwrap();
            assert_eq!(of(&handle, &stat), Some(3 << 8));
            assert_eq!(of(&handle, &Stat { start: stat.start + 1, ..stat.clone() }), None);
            child.wait().unwrap();
            let afterwards = of(&handle, &stat);
            assert!(matches!(afterwards, None | Some(768)), "{afterwards:?}"); // by kernel
        }
    }
}
