//! Sockets: who is at the other end of a Unix socket (`sock_diag(7)`, as `ss -x` asks), and the
//! addresses of the others (`/proc/net/tcp`), for people.

use crate::decide::stuck::Thing;
use crate::os::process::{self, text};
use rustix::net::sockopt::{Timeout, socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags};
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// What is known of the sockets of this network namespace, asked for once per look.
#[derive(Debug, Default)]
pub struct Sockets {
    /// By inode; nothing if the kernel does not tell.
    unix: OnceCell<Option<HashMap<u64, Unix>>>,
}

/// A Unix socket.
#[derive(Clone, Debug, Default)]
struct Unix {
    /// A path, or an abstract name after an `@`.
    name: String,
    kind: u8,
    state: u8,
    peer: Option<u64>,
    shutdown: u8,
    /// Bytes that nobody has read.
    unread: u32,
}

/// A Unix socket with a message that nobody has read.
#[derive(Clone, Copy, Debug)]
pub struct Unread {
    /// The socket.
    pub inode: u64,
    /// The socket it was sent from.
    pub peer: u64,
}

/// TCP's numbers of states, which Unix sockets use too.
const ESTABLISHED: u8 = 1;
const LISTEN: u8 = 10;

impl Sockets {
    fn known(&self) -> Option<&HashMap<u64, Unix>> {
        self.unix.get_or_init(unix_sockets).as_ref()
    }

    /// The sockets with unread messages whose sender is still there; `None`: the kernel does not
    /// tell.
    pub fn unread(&self) -> Option<Vec<Unread>> {
        let unread = self.known()?.iter().filter(|(_, unix)| unix.unread > 0);
        let sent = unread.filter_map(|(inode, unix)| Some((*inode, unix.peer?)));
        Some(sent.map(|(inode, peer)| Unread { inode, peer }).collect())
    }

    /// What the socket behind descriptor `fd` of a thread is.
    pub fn socket(&self, path: &Path, fd: i32, inode: u64, direct: bool) -> Thing {
        let Some(unix) = self.known().and_then(|known| known.get(&inode)).cloned() else {
            return Thing::Open(address(path, inode).unwrap_or("waits on a socket".to_owned()));
        };
        match unix.peer {
            Some(peer) => Thing::Peer {
                name: match self.known().and_then(|known| known.get(&peer)) {
                    Some(other) if unix.name.is_empty() => other.name.clone(),
                    _ => unix.name,
                },
                inode,
                peer,
                gone: peer == 0 && unix.shutdown == 3,
                limited: direct && is_limited(path, fd),
            },
            None if unix.state == LISTEN => {
                Thing::Open(named("waits for a connection", &unix.name))
            }
            None if unix.state == ESTABLISHED && unix.shutdown == 3 => {
                Thing::Peer { name: unix.name, inode, peer: 0, gone: true, limited: false }
            }
            None if unix.kind == DATAGRAM => Thing::Open(named("waits for a message", &unix.name)),
            None => Thing::Open("waits on a unix socket".to_owned()),
        }
    }
}

/// What is done on a Unix socket, with its name if it has one.
fn named(what: &str, name: &str) -> String {
    let space = if name.is_empty() { "" } else { " " };
    format!("{what} (unix socket{space}{name})")
}

/// Whether reads or writes of a socket have a time limit; where that cannot be seen: yes.
fn is_limited(path: &Path, fd: i32) -> bool {
    let seen = || {
        let tid = path.file_name()?.to_str()?.parse().ok()?;
        let pid = path.parent()?.parent()?.file_name()?.to_str()?.parse().ok()?;
        if process::has_own_descriptors(pid, tid) {
            return None; // of these the process itself has none
        }
        let handle = rustix::process::pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
        let socket = rustix::process::pidfd_getfd(&handle, fd, PidfdGetfdFlags::empty()).ok()?;
        let limit = |which| socket_timeout(&socket, which).ok();
        Some(limit(Timeout::Recv)?.is_some() || limit(Timeout::Send)?.is_some())
    };
    seen().unwrap_or(true)
}

/// `SOCK_DGRAM`.
const DATAGRAM: u8 = 2;

/// All Unix sockets of this network namespace, by inode.
fn unix_sockets() -> Option<HashMap<u64, Unix>> {
    /// `linux/netlink.h`, `linux/sock_diag.h`, `linux/unix_diag.h`
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const REQUEST_DUMP: u16 = 0x301;
    const SHOW_NAME_PEER_QUEUE: u32 = 0x15;
    const DONE: u16 = 3;
    const FAILED: u16 = 2;

    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )
    .ok()?;
    let limit = Some(std::time::Duration::from_millis(500));
    rustix::net::sockopt::set_socket_timeout(&socket, Timeout::Recv, limit).ok()?;

    // nlmsghdr (16 bytes), then unix_diag_req: family, protocol, pad, states, inode, show, cookie.
    let mut request = Vec::with_capacity(40);
    request.extend(40_u32.to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(REQUEST_DUMP.to_ne_bytes());
    request.extend([0; 8]);
    request.extend([1, 0, 0, 0]); // AF_UNIX
    request.extend(u32::MAX.to_ne_bytes());
    request.extend(0_u32.to_ne_bytes());
    request.extend(SHOW_NAME_PEER_QUEUE.to_ne_bytes());
    request.extend([0; 8]);
    rustix::net::send(&socket, &request, SendFlags::empty()).ok()?;

    let mut found = HashMap::new();
    let mut buffer = vec![0; 32 << 10];
    loop {
        let (read, _) = rustix::net::recv(&socket, &mut buffer[..], RecvFlags::empty()).ok()?;
        let mut rest = &buffer[..read];
        if rest.is_empty() {
            return None;
        }
        while let Some((kind, body, next)) = message(rest) {
            match kind {
                DONE => return Some(found),
                FAILED => return None,
                SOCK_DIAG_BY_FAMILY => found.extend(unix(body)),
                _ => {}
            }
            rest = next;
        }
    }
}

/// One netlink message: its type, its body, and what follows it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let body = bytes.get(16..length)?;
    Some((kind, body, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// `unix_diag_msg`: family, type, state, pad, inode, cookie; then attributes.
fn unix(body: &[u8]) -> Option<(u64, Unix)> {
    const NAME: u16 = 0;
    const PEER: u16 = 2;
    const QUEUE: u16 = 4;
    const SHUTDOWN: u16 = 6;
    let number = |bytes: &[u8]| Some(u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?));
    let mut found = Unix { kind: *body.get(1)?, state: *body.get(2)?, ..Unix::default() };
    let inode = number(body.get(4..)?)?;
    let mut rest = body.get(16..)?;
    while rest.len() >= 4 {
        let length = usize::from(u16::from_ne_bytes([rest[0], rest[1]]));
        let kind = u16::from_ne_bytes([rest[2], rest[3]]);
        let value = rest.get(4..length)?;
        match kind {
            NAME => {
                found.name =
                    String::from_utf8_lossy(value).trim_end_matches('\0').replace('\0', "@");
            }
            PEER => found.peer = number(value).map(u64::from),
            QUEUE => found.unread = number(value)?,
            SHUTDOWN => found.shutdown = *value.first()?,
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some((u64::from(inode), found))
}

/// What a socket of the internet family waits for, in words.
fn address(path: &Path, inode: u64) -> Option<String> {
    let process = path.parent()?.parent()?;
    ["tcp", "tcp6", "udp", "udp6"].iter().find_map(|table| {
        let lines = text(process.join("net").join(table)).ok()?;
        let protocol = table.trim_end_matches('6');
        lines.lines().skip(1).find_map(|line| entry(line, inode, protocol))
    })
}

/// The connections a process has open, a few of them: `127.0.0.1:5432 (tcp)`.
#[must_use]
pub fn peers(pid: i32) -> Vec<String> {
    const MOST: usize = 8;
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let own: HashSet<u64> = entries
        .filter_map(|entry| {
            let link = std::fs::read_link(entry.path()).ok()?;
            link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
        })
        .collect();
    if own.is_empty() {
        return Vec::new();
    }
    let mut peers = Vec::new();
    for table in ["tcp", "tcp6"] {
        let lines = text(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        peers.extend(lines.lines().skip(1).filter_map(|line| {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let inode = words.get(9)?.parse().ok()?;
            let remote = endpoint(words[2]).filter(|remote| remote.port() != 0)?;
            own.contains(&inode).then(|| format!("{remote} (tcp)"))
        }));
    }
    peers.truncate(MOST);
    peers
}

/// A line of `/proc/net/tcp`: "sl local remote state … inode" (`proc_net_tcp.txt` of the kernel).
fn entry(line: &str, inode: u64, protocol: &str) -> Option<String> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    if words.get(9)?.parse::<u64>().ok()? != inode {
        return None;
    }
    let (local, remote) = (endpoint(words[1])?, endpoint(words[2])?);
    let state = u8::from_str_radix(words[3], 16).ok()?;
    Some(match state {
        LISTEN if protocol == "tcp" => format!("waits for a connection on {local} ({protocol})"),
        _ if remote.port() != 0 => format!("waits for {remote} ({protocol})"),
        _ => format!("waits for a message on {local} ({protocol})"),
    })
}

/// "0100007F:1538": the address as 32-bit words in this machine's order, the port.
fn endpoint(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |i: usize| u32::from_str_radix(address.get(i * 8..i * 8 + 8)?, 16).ok();
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?.to_ne_bytes())),
        32 => {
            let mut bytes = [0; 16];
            for (i, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(i)?.to_ne_bytes());
            }
            let v6 = Ipv6Addr::from(bytes);
            v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4)
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_the_kernel_prints_them() {
        let line = " 0: 0100007F:1538 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000  0 0 4711 1 0";
        assert_eq!(entry(line, 4711, "tcp").unwrap(), "waits for 127.0.0.1:54000 (tcp)");
        let line = " 0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 12 1";
        assert_eq!(entry(line, 12, "tcp").unwrap(), "waits for a connection on [::]:80 (tcp)");
        assert_eq!(entry(line, 13, "tcp"), None);
        assert_eq!(entry("", 13, "tcp"), None);
    }

    #[test]
    fn a_pair_knows_its_ends() {
        use std::os::fd::AsRawFd;
        use std::os::unix::fs::MetadataExt;
        let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        let inode = |fd: i32| std::fs::metadata(format!("/proc/self/fd/{fd}")).unwrap().ino();
        let known = unix_sockets().expect("sock_diag answers");
        let found = &known[&inode(one.as_raw_fd())];
        assert_eq!(found.peer, Some(inode(other.as_raw_fd())));
        drop(other);
        // A program that another test starts just now has the end too, until it is executed.
        let gone = || {
            let one = unix_sockets().unwrap()[&inode(one.as_raw_fd())].clone();
            (one.peer.unwrap_or(0), one.shutdown) == (0, 3)
        };
        assert!(crate::os::patience::within(std::time::Duration::from_secs(20), gone));
    }
}
