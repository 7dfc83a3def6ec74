//! The file system that a path is on: what kind it is, and what room is left.

use std::io;
use std::path::Path;

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its name: `ext4`, `nfs`, `fuse.sshfs`; a number where nobody here knows one.
    pub kind: String,
    /// Whether it is mounted read-only.
    pub read_only: bool,
    /// Bytes that may still be written by us.
    pub free: u64,
    /// Bytes of it all.
    pub size: u64,
    /// Files that may still be made.
    pub free_files: u64,
    /// Files there can be; 0: as many as there is room for.
    pub files: u64,
}

/// What is known of the file system that a path is on.
///
/// # Errors
/// If there is no such path, or it cannot be reached.
pub fn of(path: &Path) -> io::Result<Volume> {
    let seen = rustix::fs::statvfs(path)?;
    Ok(Volume {
        kind: kind(path)?,
        read_only: seen.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
        free: seen.f_bavail.saturating_mul(seen.f_frsize),
        size: seen.f_blocks.saturating_mul(seen.f_frsize),
        free_files: seen.f_favail,
        files: seen.f_files,
    })
}

/// The numbers of linux/magic.h and of the file systems' own headers.
#[cfg(target_os = "linux")]
const KINDS: [(i128, &str); 26] = [
    (0xEF53, "ext4"),
    (0x5846_5342, "xfs"),
    (0x9123_683E, "btrfs"),
    (0x2FC1_2FC1, "zfs"),
    (0xF2F5_2010, "f2fs"),
    (0xCA45_1A4E, "bcachefs"),
    (0x794C_7630, "overlay"),
    (0x0102_1994, "tmpfs"),
    (0x8584_58F6, "ramfs"),
    (0xF15F, "ecryptfs"),
    (0x4D44, "vfat"),
    (0x2011_BAB0, "exfat"),
    (0x6573_5546, "fuse"),
    (0x6969, "nfs"),
    (0xFF53_4D42, "cifs"),
    (0xFE53_4D42, "smb2"),
    (0x517B, "smb"),
    (0x0102_1997, "9p"),
    (0x0BD0_0BD0, "lustre"),
    (0x00C3_6400, "ceph"),
    (0x5346_414F, "afs"),
    (0x7375_7245, "coda"),
    (0x4750_4653, "gpfs"),
    (0x1983_0326, "beegfs"),
    (0x7461_636F, "ocfs2"),
    (0x0116_1970, "gfs2"),
];

#[cfg(target_os = "linux")]
fn kind(path: &Path) -> io::Result<String> {
    // As the kernel has it: 32 bits, whatever type the C library gives them.
    let number = i128::from(rustix::fs::statfs(path)?.f_type) & 0xFFFF_FFFF;
    let known = KINDS.iter().find(|(known, _)| *known == number);
    Ok(match known {
        // One number for all of them: the mount knows which.
        Some((_, "fuse")) => mounted_as(path).unwrap_or_else(|| "fuse".to_owned()),
        Some((_, name)) => (*name).to_owned(),
        None => format!("{number:#x}"),
    })
}

/// The type in the line of `/proc/self/mountinfo` that has the device of this path.
#[cfg(target_os = "linux")]
fn mounted_as(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let device = std::fs::metadata(path).ok()?.dev();
    let device = format!("{}:{}", libc::major(device), libc::minor(device));
    let mounts = super::process::text("/proc/self/mountinfo").ok()?;
    mounts.lines().find_map(|line| {
        let (mount, what) = line.split_once(" - ")?;
        let here = mount.split(' ').nth(2)? == device;
        here.then(|| what.split(' ').next().map(str::to_owned))?
    })
}

#[cfg(not(target_os = "linux"))]
fn kind(path: &Path) -> io::Result<String> {
    Ok(nix::sys::statfs::statfs(path)?.filesystem_type_name().to_owned())
}
