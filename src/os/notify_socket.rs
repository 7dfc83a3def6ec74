//! `$NOTIFY_SOCKET`, both ends: what the command tells us, and what we tell a service manager.
//! The datagrams of `sd_notify(3)`.

use super::process;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// The socket the command reports to, removed with this value.
#[derive(Debug)]
pub struct NotifySocket {
    socket: UnixDatagram,
    path: PathBuf,
}

/// One datagram.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// `WATCHDOG=1`
    pub watchdog: bool,
    /// `READY=1`
    pub ready: bool,
    /// `STOPPING=1`
    pub stopping: bool,
    /// `STATUS=…`
    pub status: Option<String>,
}

impl Message {
    /// Reads the lines of a datagram; unknown ones are passed over.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let mut message = Self::default();
        for line in String::from_utf8_lossy(bytes).lines() {
            match line.split_once('=') {
                Some(("WATCHDOG", "1")) => message.watchdog = true,
                Some(("READY", "1")) => message.ready = true,
                Some(("STOPPING", "1")) => message.stopping = true,
                Some(("STATUS", text)) => message.status = Some(text.trim().to_owned()),
                _ => {}
            }
        }
        message
    }
}

impl NotifySocket {
    /// Opens the socket of a run. Its path is short, for the kernel allows 107 bytes, and has the
    /// run id in it, so that nobody can plant it beforehand.
    ///
    /// # Errors
    /// If it can be bound neither in `$XDG_RUNTIME_DIR` nor in `/tmp`.
    pub fn bind(run_id: &str) -> std::io::Result<Self> {
        let bind = |path: PathBuf| UnixDatagram::bind(&path).map(|socket| Self { socket, path });
        let [runtime, fallback] = places(run_id);
        let bound = runtime.map(bind).and_then(Result::ok);
        let bound = bound.map_or_else(|| bind(fallback.unwrap_or_default()), Ok)?;
        bound.socket.set_nonblocking(true)?;
        #[cfg(target_os = "linux")]
        nix::sys::socket::setsockopt(&bound.socket, nix::sys::socket::sockopt::PassCred, &true)?;
        Ok(bound)
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All messages that came in from below `root`.
    ///
    /// A sender that is seen to be somebody else's is not heard; one that has ended meanwhile
    /// cannot be placed any more and is believed (its user could touch the heartbeat as well).
    #[must_use]
    pub fn drain(&self, root: i32) -> Vec<Message> {
        let mut all = Vec::new();
        while let Some((bytes, sender)) = receive(&self.socket) {
            if sender.is_none_or(|pid| is_below(pid, root)) {
                all.push(Message::parse(&bytes));
            }
        }
        all
    }
}

/// Where the socket of a run can be, best first.
fn places(run_id: &str) -> [Option<PathBuf>; 2] {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let runtime = runtime.filter(|dir| dir.is_absolute() && dir.as_os_str().len() < 60);
    [runtime, Some(PathBuf::from("/tmp"))]
        .map(|dir| dir.map(|dir| dir.join(format!("sentinel-{run_id}"))))
}

/// Removes the socket that a dead wrapper left.
pub fn remove_left(run_id: &str) {
    use std::os::unix::fs::FileTypeExt;
    if !run_id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return; // the id comes from a file
    }
    for path in places(run_id).into_iter().flatten() {
        if std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.file_type().is_socket()) {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for NotifySocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn is_below(pid: i32, root: i32) -> bool {
    let mut at = pid;
    for _ in 0..1000 {
        match process::stat(at) {
            Some(stat) if stat.ppid == root => return true,
            Some(stat) if super::tree::is_other_job(&stat) => return false,
            Some(stat) if stat.ppid > 1 => at = stat.ppid,
            Some(_) => return false,
            None => return at == pid,
        }
    }
    false
}

#[cfg(target_os = "linux")]
fn receive(socket: &UnixDatagram) -> Option<(Vec<u8>, Option<i32>)> {
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg};
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
    let mut bytes = [0_u8; 4096];
    let mut slices = [std::io::IoSliceMut::new(&mut bytes)];
    let mut control = nix::cmsg_space!(UnixCredentials, [RawFd; 253]);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let received =
        recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags).ok()?;
    let mut sender = None;
    for message in received.cmsgs().ok()? {
        match message {
            ControlMessageOwned::ScmCredentials(who) => sender = Some(who.pid()),
            ControlMessageOwned::ScmRights(passed) => {
                for fd in passed {
                    #[expect(unsafe_code, reason = "a received descriptor is ours to close")]
                    // SAFETY: the kernel has just made it for us; nobody else knows the number.
                    drop(unsafe { OwnedFd::from_raw_fd(fd) });
                }
            }
            _ => {}
        }
    }
    let length = received.bytes;
    Some((bytes[..length].to_vec(), sender))
}

#[cfg(not(target_os = "linux"))]
fn receive(socket: &UnixDatagram) -> Option<(Vec<u8>, Option<i32>)> {
    let mut bytes = [0_u8; 4096];
    let length = socket.recv(&mut bytes).ok()?;
    Some((bytes[..length].to_vec(), None))
}

/// The service manager's socket, if it gave us one.
#[derive(Debug)]
pub struct Manager {
    socket: UnixDatagram,
    address: std::os::unix::net::SocketAddr,
}

impl Manager {
    /// From `$NOTIFY_SOCKET`: a path, or `@name` for an abstract one.
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        use std::os::unix::net::SocketAddr;
        let name = std::env::var_os("NOTIFY_SOCKET")?;
        let address = match name.as_bytes().strip_prefix(b"@") {
            #[cfg(target_os = "linux")]
            Some(name) => {
                <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name).ok()?
            }
            #[cfg(not(target_os = "linux"))]
            Some(_) => return None,
            None => SocketAddr::from_pathname(&name).ok()?,
        };
        let socket = UnixDatagram::unbound().ok()?;
        socket.set_nonblocking(true).ok()?;
        Some(Self { socket, address })
    }

    /// Tells it; a manager that does not listen is not our trouble.
    pub fn tell(&self, message: &str) {
        let _ = self.socket.send_to_addr(message.as_bytes(), &self.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams() {
        let message = Message::parse(b"READY=1\nSTATUS=12/90\nWATCHDOG=1\nMAINPID=4\nx\n\xff");
        assert!(message.ready && message.watchdog && !message.stopping);
        assert_eq!(message.status.as_deref(), Some("12/90"));
        assert_eq!(Message::parse(b"WATCHDOG=trigger"), Message::default());
    }
}
