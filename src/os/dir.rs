//! The monitor directory, and the only ways its files are opened.
//!
//! Whoever can plant a link, a FIFO or a file of their own in a job's place could make the wrapper
//! truncate what it must not, or a watcher believe what is not true. So each open refuses links and
//! whatever is no regular file, and checks owner and mode on the opened descriptor.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A file or directory that could not be used.
#[derive(Debug, thiserror::Error)]
pub enum DirError {
    /// The system said no.
    #[error("cannot {verb} {}: {source}", path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It could be somebody else's.
    #[error("{} {why}: refused; choose a place of your own with --dir", path.display())]
    Refused {
        /// What.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
}

impl DirError {
    /// Wraps a system error with what was tried on what.
    #[must_use]
    pub fn io(verb: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { verb, path: path.to_owned(), source }
    }

    fn refused(path: &Path, why: &'static str) -> Self {
        Self::Refused { path: path.to_owned(), why }
    }
}

/// Makes a directory (0700), and those above it that are missing.
///
/// The umask is left alone: it is that of all threads, and of whatever they start meanwhile.
fn make(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent().filter(|parent| !parent.exists()) {
        make(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {
            return Ok(());
        }
        done => done?,
    }
    // A umask that takes the owner's own rights would lock us out of it.
    let mode = std::fs::symlink_metadata(path)?.mode();
    if mode & 0o700 == 0o700 {
        return Ok(());
    }
    std::fs::set_permissions(path, Permissions::from_mode(mode & 0o7777 | 0o700))
}

/// A directory whose files can be believed.
#[derive(Clone, Debug)]
pub struct MonitorDir {
    path: PathBuf,
    uid: u32,
    gid: u32,
    /// Who we are.
    me: u32,
}

impl MonitorDir {
    /// Opens the directory, or makes it (0700, parents too).
    ///
    /// # Errors
    /// If it cannot be made, or is refused as [`open`](Self::open) does.
    pub fn create(path: &Path) -> Result<Self, DirError> {
        if let Some(dir) = Self::open(path)? {
            return Ok(dir);
        }
        let absolute =
            std::path::absolute(path).map_err(|error| DirError::io("open", path, error))?;
        make(&absolute).map_err(|source| DirError::io("create directory", path, source))?;
        Self::open(path)?.ok_or_else(|| DirError::io("open", path, io::ErrorKind::NotFound.into()))
    }

    /// Opens the directory; `None` if there is none.
    ///
    /// # Errors
    /// If it is a symbolic link, no directory, another user's (root may act in it), or can be
    /// written by everyone.
    pub fn open(path: &Path) -> Result<Option<Self>, DirError> {
        let fail = |source| DirError::io("open", path, source);
        // Absolute, because `--cwd` moves us; without a trailing slash, which would follow a link.
        let path: PathBuf = std::path::absolute(path).map_err(fail)?.components().collect();
        let meta = match std::fs::symlink_metadata(&path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fail(error)),
        };
        let me = nix::unistd::geteuid().as_raw();
        let why = if meta.is_symlink() {
            "is a symbolic link"
        } else if !meta.is_dir() {
            "is not a directory"
        } else if meta.uid() != me && me != 0 {
            "belongs to another user"
        } else if meta.mode() & 0o002 != 0 {
            "can be written by everyone"
        } else {
            return Ok(Some(Self { path, uid: meta.uid(), gid: meta.gid(), me }));
        };
        Err(DirError::refused(&path, why))
    }

    /// Opens the directory; while there is none, what [`create`](Self::create) would make: nothing is
    /// found in it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_or_absent(path: &Path) -> Result<Self, DirError> {
        if let Some(dir) = Self::open(path)? {
            return Ok(dir);
        }
        let path = std::path::absolute(path).map_err(|error| DirError::io("open", path, error))?;
        let me = nix::unistd::geteuid().as_raw();
        Ok(Self { path, uid: me, gid: nix::unistd::getegid().as_raw(), me })
    }

    /// Absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The users whose processes can be of its jobs: the owner, and who we are (root may act in
    /// another user's directory).
    #[must_use]
    pub fn users(&self) -> [u32; 2] {
        [self.uid, self.me]
    }

    /// Refuses what stands in the place of a sentinel and is none. Nothing there is fine.
    ///
    /// # Errors
    /// If it is a link, no regular file, another user's, or can be written by everyone.
    pub fn check(&self, path: &Path) -> Result<(), DirError> {
        self.look(path).map(|_| ())
    }

    /// What is known of a sentinel without opening it; `None` if there is none.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn look(&self, path: &Path) -> Result<Option<Metadata>, DirError> {
        match std::fs::symlink_metadata(path) {
            Ok(meta) => self.accept(path, &meta).map(|()| Some(meta)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(DirError::io("examine", path, error)),
        }
    }

    fn accept(&self, path: &Path, meta: &Metadata) -> Result<(), DirError> {
        let why = if meta.is_symlink() {
            "is a symbolic link"
        } else if !meta.is_file() {
            "is not a regular file"
        } else if meta.uid() != self.uid && meta.uid() != self.me {
            "belongs to another user"
        } else if meta.mode() & 0o002 != 0 {
            "can be written by everyone"
        } else {
            return Ok(());
        };
        Err(DirError::refused(path, why))
    }

    /// Opens a sentinel that exists; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be opened, or [`check`](Self::check) would refuse it.
    pub fn open_file(&self, path: &Path, how: &mut OpenOptions) -> Result<Option<File>, DirError> {
        Ok(self.examine(path, how)?.map(|(file, _)| file))
    }

    /// [`open_file`](Self::open_file), with what was seen of the file.
    ///
    /// # Errors
    /// As there.
    pub fn examine(
        &self,
        path: &Path,
        how: &mut OpenOptions,
    ) -> Result<Option<(File, Metadata)>, DirError> {
        // NONBLOCK: opening a FIFO must not hang; on a regular file it means nothing.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = match how.custom_flags(flags).mode(0o600).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                self.check(path)?; // a link or a FIFO has a better reason than the system's
                return Err(DirError::io("open", path, error));
            }
        };
        let meta = file.metadata().map_err(|source| DirError::io("examine", path, source))?;
        self.accept(path, &meta)?;
        Ok(Some((file, meta)))
    }

    /// Opens a sentinel for reading and writing, made if need be.
    ///
    /// # Errors
    /// As [`open_file`](Self::open_file).
    pub fn create_file(&self, path: &Path) -> Result<File, DirError> {
        let mut how = OpenOptions::new();
        how.read(true).write(true).create(true);
        let file = self.open_file(path, &mut how)?;
        let file =
            file.ok_or_else(|| DirError::io("create", path, io::ErrorKind::NotFound.into()))?;
        self.give(path, &file)?;
        Ok(file)
    }

    /// Makes the file the directory owner's, where root works in another user's directory.
    ///
    /// # Errors
    /// If that is refused.
    pub fn give(&self, path: &Path, file: &File) -> Result<(), DirError> {
        if self.uid != 0 && self.me == 0 {
            std::os::unix::fs::fchown(file, Some(self.uid), Some(self.gid))
                .map_err(|source| DirError::io("give away", path, source))?;
        }
        Ok(())
    }

    /// The first `most` bytes of a sentinel; `None` if there is none.
    ///
    /// # Errors
    /// As [`open_file`](Self::open_file), or if reading fails.
    pub fn read(&self, path: &Path, most: u64) -> Result<Option<Vec<u8>>, DirError> {
        let Some(file) = self.open_file(path, OpenOptions::new().read(true))? else {
            return Ok(None);
        };
        read_all(file, most).map(Some).map_err(|source| DirError::io("read", path, source))
    }

    /// [`read`](Self::read), and what is known of the file after: what was rewritten in place meanwhile
    /// has a time that fits.
    ///
    /// # Errors
    /// As there.
    pub fn read_with(
        &self,
        path: &Path,
        most: u64,
    ) -> Result<Option<(Vec<u8>, Metadata)>, DirError> {
        let Some(file) = self.open_file(path, OpenOptions::new().read(true))? else {
            return Ok(None);
        };
        let read = read_all(&file, most).and_then(|bytes| Ok((bytes, file.metadata()?)));
        read.map(Some).map_err(|source| DirError::io("read", path, source))
    }

    /// Removes a sentinel; nothing there is fine.
    ///
    /// # Errors
    /// If it is there and cannot be removed.
    pub fn remove(&self, path: &Path) -> Result<(), DirError> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(DirError::io("remove", path, error))
            }
            _ => Ok(()),
        }
    }
}

/// The first `most` bytes of a file. Most files here are small: one read into the stack, where
/// `read_to_end` would feel its way, and an allocation of the size that is needed.
///
/// # Errors
/// The system's.
pub fn read_all(file: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut chunk = [0; 4096];
    let mut bytes = Vec::new();
    let mut file = file.take(most);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(bytes),
            read => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}

/// [`mtime_ns`] of what is at a path, links not followed; `None` if nothing is.
#[must_use]
pub fn mtime_of(path: &Path) -> Option<i128> {
    std::fs::symlink_metadata(path).ok().map(|meta| mtime_ns(&meta))
}

/// mtime in nanoseconds since the epoch, exact.
#[must_use]
pub fn mtime_ns(meta: &Metadata) -> i128 {
    i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn making_directories_changes_no_mode_of_what_other_threads_make() {
        let root = tempfile::tempdir().unwrap();
        let (file, over) = (root.path().join("file"), AtomicBool::new(false));
        let mode = || {
            let _ = std::fs::remove_file(&file);
            std::fs::write(&file, "").unwrap();
            std::fs::metadata(&file).unwrap().mode() & 0o777
        };
        let usual = mode();
        std::thread::scope(|scope| {
            for name in ["a", "b"] {
                let place = root.path().join(name);
                let over = &over;
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        let deep = MonitorDir::create(&place.join("deep")).unwrap();
                        let mode = std::fs::metadata(deep.path()).unwrap().mode();
                        assert_eq!(mode & 0o777, 0o700);
                        std::fs::remove_dir_all(&place).unwrap();
                    }
                });
            }
            let modes: Vec<u32> = (0..500).map(|_| mode()).collect();
            over.store(true, Ordering::Relaxed);
            assert!(modes.iter().all(|mode| *mode == usual), "{modes:?}");
        });
    }
}
