//! Writing so that a reader, a full disk or a power cut sees all of it or nothing.

use super::dir::{DirError, MonitorDir};
use super::lock;
use crate::protocol::files::JobFiles;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A block of the disk, bytes: the smallest piece that a file takes, on file systems as they are
/// made today.
pub const BLOCK: u64 = 4096;

/// A file to be: hidden under its temporary name, with its room on disk already taken.
#[derive(Debug)]
pub struct Draft {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
}

impl Draft {
    /// Begins what `path` will hold, and takes a block of the disk for it: a byte is enough, on any
    /// file system. What fits that block ([`BLOCK`]) can be written later, however full the disk.
    ///
    /// # Errors
    /// If there is no such room, or the directory cannot be written.
    pub fn begin(dir: &MonitorDir, path: &Path) -> Result<Self, DirError> {
        // Always a file of our own: what is there may be another run's, and published under us.
        let temporary = JobFiles::draft(path);
        dir.remove(&temporary)?;
        let file = dir.create_file(&temporary)?;
        let draft = Self { file, temporary, path: path.to_owned() };
        if let Err(source) = draft.file.write_all_at(b"\n", 0) {
            draft.discard();
            return Err(DirError::io("take room for", path, source));
        }
        Ok(draft)
    }

    /// Makes these bytes the content to be. Nothing is in place or safe yet.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write(&self, bytes: &[u8]) -> Result<(), DirError> {
        fill(&self.file, bytes).map_err(|source| DirError::io("write", &self.path, source))
    }

    /// Puts the content, [`sync`]ed before, in place of whatever is there.
    ///
    /// # Errors
    /// If it cannot be renamed; what was in place stays.
    pub fn publish(&self) -> Result<(), DirError> {
        std::fs::rename(&self.temporary, &self.path)
            .map_err(|source| DirError::io("write", &self.path, source))
    }

    /// Puts the file, opened and in one size for good, in place of whatever is there. It is not
    /// synced: for what only the living need.
    ///
    /// # Errors
    /// If it cannot be written; what was in place stays.
    pub fn place(self, bytes: &[u8]) -> Result<File, DirError> {
        let fail = |source| DirError::io("write", &self.path, source);
        fill(&self.file, bytes).map_err(fail)?;
        std::fs::rename(&self.temporary, &self.path).map_err(fail)?;
        Ok(self.file)
    }

    /// Gives the room back.
    pub fn discard(&self) {
        // Another run's draft by now, if the name was taken from us: not ours to remove.
        if lock::is_at(&self.file, &self.temporary) {
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

/// Makes the content of drafts survive a power cut. Their names do only after [`sync_dir`]: `rename`
/// without this was seen to leave an empty file, on ext4 and XFS.
///
/// All of them are on their way to the disk before the first is waited for: then the journal has
/// one transaction for all (measured on ext4: two files in 0.7 ms instead of 1.0).
///
/// # Errors
/// If the disk does not take them.
pub fn sync(drafts: &[&Draft]) -> Result<(), DirError> {
    #[cfg(target_os = "linux")]
    for draft in drafts {
        write_out(&draft.file);
    }
    for draft in drafts {
        draft.file.sync_data().map_err(|source| DirError::io("sync", &draft.path, source))?;
    }
    Ok(())
}

/// `sync_file_range(2)`: a hint only, for it leaves metadata and the disk's cache to `fdatasync`.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "no crate has sync_file_range")]
fn write_out(file: &File) {
    use std::os::fd::AsRawFd;
    // SAFETY: an open descriptor and plain numbers; 0 bytes means to the end.
    unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
}

/// Puts a new content in place of a file, anywhere, for everybody to read: whoever reads it sees all of
/// the old or all of the new. It is not synced.
///
/// # Errors
/// If it cannot be written, or is no regular file; what was in place stays.
pub fn publish(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, 0o644, |_| Ok(()))
}

/// The same for a file of the user's own, which keeps the mode it has; a link stays one. The content
/// survives a power cut: an empty one in its place would be a loss.
///
/// # Errors
/// As [`publish`].
pub fn rewrite(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).map_or(mode, |meta| meta.permissions().mode() & 0o7777);
    put(path, bytes, mode, File::sync_all)
}

fn put(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    settle: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let refused = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why);
    let path = match std::fs::canonicalize(path) {
        Ok(path) => path,
        Err(_) if path.is_symlink() => return Err(refused("it is a link that leads nowhere")),
        Err(_) => path.to_owned(),
    };
    if std::fs::metadata(&path).is_ok_and(|meta| !meta.is_file()) {
        return Err(refused("it is there, and no regular file"));
    }
    let name = path.file_name().ok_or_else(|| refused("it has no file name"))?;
    // Hidden, and with an end of its own: whoever reads `*.prom` passes it by.
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(temporary);
    let _ = std::fs::remove_file(&temporary);
    let mut how = std::fs::OpenOptions::new();
    let file = how.write(true).create_new(true).mode(mode).open(&temporary)?;
    let written = file
        .write_all_at(bytes, 0)
        .and_then(|()| file.set_permissions(std::fs::Permissions::from_mode(mode)))
        .and_then(|()| settle(&file))
        .and_then(|()| std::fs::rename(&temporary, &path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// Makes `bytes` the whole content.
fn fill(file: &File, bytes: &[u8]) -> io::Result<()> {
    file.write_all_at(bytes, 0)?;
    let size = bytes.len() as u64;
    if file.metadata()?.len() > size { file.set_len(size) } else { Ok(()) }
}

/// Takes room for `more` bytes after the end of the file, if that can be had.
pub fn reserve_behind(file: &File, more: u64) {
    #[cfg(target_os = "linux")]
    if let Ok(meta) = file.metadata() {
        let flags = rustix::fs::FallocateFlags::KEEP_SIZE;
        let _ = rustix::fs::fallocate(file, flags, 0, meta.len() + more);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, more);
}

/// Makes the names of what was published last through a power cut.
///
/// # Errors
/// If the directory cannot be opened or synced.
pub fn sync_dir(dir: &MonitorDir) -> Result<(), DirError> {
    let fail = |source| DirError::io("sync", dir.path(), source);
    File::open(dir.path()).map_err(fail)?.sync_all().map_err(fail)
}

/// Gives back the disk space of the first `bytes` of a log, without moving what follows: the head
/// reads as zeros from then on.
///
/// # Errors
/// `EOPNOTSUPP` where the file system has no holes.
pub fn punch_head(log: &File, bytes: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::FallocateFlags;
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        Ok(rustix::fs::fallocate(log, flags, 0, bytes)?)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (log, bytes);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Cuts the first `bytes` (whole blocks) off a log; what follows moves to the front.
///
/// # Errors
/// `EOPNOTSUPP` where the file system cannot (tmpfs); the zeros of [`punch_head`] stay then.
pub fn cut_head(log: &File, bytes: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::FallocateFlags;
        Ok(rustix::fs::fallocate(log, FallocateFlags::COLLAPSE_RANGE, 0, bytes)?)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (log, bytes);
        Err(io::ErrorKind::Unsupported.into())
    }
}
