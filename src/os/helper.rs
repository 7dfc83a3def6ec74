//! A command beside the run: `sh -c`, in a group of its own and without input, that is heard
//! without ever being waited for.

use super::process::{self, Stat};
use super::spawn::{Place, Spawn, SpawnError, spawn};
use super::tree;
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::stat::Mode;
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::{PipeReader, PipeWriter, Read, pipe};
use std::os::fd::{AsFd, BorrowedFd};

/// Of what it prints, so many bytes are kept.
const KEPT: usize = 64 * 1024;
/// After so many bytes it is not listened to any more.
const HEARD: u64 = 16 << 20;

/// A helper, not yet reaped.
#[derive(Debug)]
pub struct Helper {
    pid: i32,
    stdout: Stream,
    stderr: Stream,
}

/// What a helper printed.
#[derive(Debug, Default)]
pub struct Printed {
    /// The beginning of it.
    pub text: Vec<u8>,
    /// Another number for another text, however long.
    pub mark: u64,
    /// It was more than anybody will listen to.
    pub endless: bool,
}

/// Starts a command whose output is ours; its PID.
///
/// # Errors
/// If the system has no room for it.
pub fn start(
    command: &str,
    environment: Vec<OsString>,
    [stdout, stderr]: [Option<BorrowedFd<'_>>; 2],
    umask: Option<Mode>,
) -> Result<i32, SpawnError> {
    let system = |source: std::io::Error| SpawnError::System {
        program: "sh".into(),
        source: errno(&source),
    };
    let null = File::open("/dev/null").map_err(system)?;
    let command = ["sh", "-c", command].map(OsString::from);
    let stdin = Some(&null);
    spawn(&Spawn {
        command: &command,
        environment,
        stdin,
        stdout,
        stderr,
        place: Place::Group,
        umask,
    })
}

/// Kills all below a helper, then its group. It is not reaped yet, so that the number is still its
/// own.
pub fn kill(pid: i32) {
    tree::kill_pass(&mut || tree::descendants(pid, &[]));
    let _ = killpg(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL);
}

/// Kills what a helper has left behind: what was in its group, and what has its mark in the
/// environment. The PIDs of those that are our children now, and will be reaped.
#[must_use]
pub fn clear(pid: i32, mark: &str) -> HashSet<i32> {
    let mut ours = HashSet::new();
    let Some(me) = process::stat(std::process::id().cast_signed()) else { return ours };
    let is_left = |stat: &Stat| {
        stat.ppid == me.pid
            && stat.pid != pid
            && (stat.pgrp == pid || process::has_in_environment(stat.pid, mark))
            && !tree::is_other_job(stat)
    };
    tree::kill_pass(&mut || {
        let children = process::children(&me).into_iter().filter_map(process::stat);
        let left: Vec<Stat> = children.filter(is_left).collect();
        ours.extend(left.iter().map(|stat| stat.pid));
        left.into_iter().flat_map(|stat| [tree::below(&stat, &[]), vec![stat]].concat()).collect()
    });
    ours
}

impl Helper {
    /// Starts a command that is listened to.
    ///
    /// # Errors
    /// If the system has no room for it.
    pub fn start(
        command: &str,
        environment: Vec<OsString>,
        umask: Mode,
    ) -> Result<Self, SpawnError> {
        let (stdout, out) = Stream::open()?;
        let (stderr, err) = Stream::open()?;
        let outputs = [Some(out.as_fd()), Some(err.as_fd())];
        let pid = start(command, environment, outputs, Some(umask))?;
        Ok(Self { pid, stdout, stderr })
    }

    /// Starts a command whose standard output is listened to. Its standard error is ours.
    ///
    /// # Errors
    /// If the system has no room for it.
    pub fn start_heard(
        command: &str,
        environment: Vec<OsString>,
        umask: Mode,
    ) -> Result<Self, SpawnError> {
        let (stdout, out) = Stream::open()?;
        let pid = start(command, environment, [Some(out.as_fd()), None], Some(umask))?;
        Ok(Self { pid, stdout, stderr: Stream::default() })
    }

    /// Its PID and process group.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The descriptors that tell when there is something to hear.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [&self.stdout, &self.stderr].into_iter().filter_map(|s| s.reader.as_ref()).map(AsFd::as_fd)
    }

    /// Takes what was printed since, so that it is not kept from printing more.
    pub fn hear(&mut self) {
        self.stdout.hear();
        self.stderr.hear();
    }

    /// What it printed to standard output and standard error. Whoever holds these open still is
    /// not waited for.
    #[must_use]
    pub fn printed(mut self) -> [Printed; 2] {
        [&mut self.stdout, &mut self.stderr].map(|stream| {
            // At most what a pipe holds, unless somebody goes on printing.
            for _ in 0..32 {
                stream.hear();
            }
            std::mem::take(&mut stream.printed).finish(&stream.hasher)
        })
    }
}

impl Printed {
    fn finish(mut self, hasher: &DefaultHasher) -> Self {
        self.mark = hasher.finish();
        self
    }
}

/// The end of a pipe that is ours, or none.
#[derive(Debug, Default)]
struct Stream {
    reader: Option<PipeReader>,
    heard: u64,
    hasher: DefaultHasher,
    printed: Printed,
}

impl Stream {
    fn open() -> Result<(Self, PipeWriter), SpawnError> {
        let opened = pipe().and_then(|(reader, writer)| {
            rustix::io::ioctl_fionbio(&reader, true)?;
            Ok((Self { reader: Some(reader), ..Self::default() }, writer))
        });
        opened.map_err(|source| SpawnError::System { program: "sh".into(), source: errno(&source) })
    }

    fn hear(&mut self) {
        let Some(reader) = &mut self.reader else { return };
        let mut buffer = [0; 16 * 1024];
        match reader.read(&mut buffer) {
            Ok(0) => self.reader = None,
            Ok(length) => {
                let news = &buffer[..length];
                self.hasher.write(news);
                let room = KEPT.saturating_sub(self.printed.text.len()).min(length);
                self.printed.text.extend_from_slice(&news[..room]);
                self.heard += length as u64;
                if self.heard > HEARD {
                    self.printed.endless = true;
                    self.reader = None; // it is told so by EPIPE
                }
            }
            Err(error) if is_passing(&error) => {}
            Err(_) => self.reader = None,
        }
    }
}

fn is_passing(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted)
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}
