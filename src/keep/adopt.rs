//! A process that runs already: whether it may be taken under watch, and how it was started.

use crate::os::process::{self, Handle, Stat};
use crate::os::tree;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The name that a stand-in shows itself with.
const KEEP: &str = "sentinel-keep";
/// What a stand-in is called with: `attend PID START`.
pub const ATTEND: &str = "attend";

/// Why a process is not taken under watch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdoptError {
    /// `/proc` is not there, or another namespace's.
    #[error("processes cannot be seen here: /proc is not that of this PID namespace; mount it")]
    Unseen,
    /// The PID is nobody's.
    #[error("there is no process {0}; see ps for those that run")]
    NoProcess(i32),
    /// The PID was given to another process meanwhile.
    #[error("process {0} has ended, and its PID is another's now")]
    Replaced(i32),
    /// It is a zombie.
    #[error("process {pid} ({comm}) has ended already; its parent has not noticed yet")]
    Ended {
        /// Its PID.
        pid: i32,
        /// Its name.
        comm: String,
    },
    /// Everything else is below it.
    #[error("process 1 is what all others depend on: it cannot be adopted")]
    Init,
    /// It is this process, or one of its ancestors.
    #[error("process {pid} ({comm}) is what runs this command: to end it would end this")]
    OwnLine {
        /// Its PID.
        pid: i32,
        /// Its name.
        comm: String,
    },
    /// It is a part of the kernel.
    #[error("process {pid} ({comm}) is a thread of the kernel: expected a program's process")]
    Kernel {
        /// Its PID.
        pid: i32,
        /// Its name.
        comm: String,
    },
    /// It may not be ended by us.
    #[error("process {pid} ({comm}) is another user's: adopt it as that user, or as root")]
    Foreign {
        /// Its PID.
        pid: i32,
        /// Its name.
        comm: String,
    },
    /// A wrapper watches it already.
    #[error(
        "process {pid} ({comm}) is under watch already: it belongs to the job {job} in {}", dir.display()
    )]
    UnderWatch {
        /// Its PID.
        pid: i32,
        /// Its name.
        comm: String,
        /// The job.
        job: String,
        /// The job's directory.
        dir: PathBuf,
    },
}

/// Whether this process may be taken under watch by a stand-in that this one starts.
///
/// # Errors
/// Why not.
pub fn may_be_adopted(pid: i32) -> Result<Stat, AdoptError> {
    pin(pid).map(|(_, stat)| stat)
}

/// The same, with a handle on the process that was examined.
///
/// # Errors
/// Why it may not be adopted.
pub fn pin(pid: i32) -> Result<(Handle, Stat), AdoptError> {
    if !process::can_be_seen() {
        return Err(AdoptError::Unseen);
    }
    // Pinned first, then examined, so that it is the one examined.
    let handle = Handle::open(pid).ok_or(AdoptError::NoProcess(pid))?;
    let stat = process::stat(pid).ok_or(AdoptError::NoProcess(pid))?;
    let comm = stat.comm.clone();
    if pid == 1 {
        return Err(AdoptError::Init);
    }
    if process::own_line().contains(&pid) {
        return Err(AdoptError::OwnLine { pid, comm });
    }
    if process::is_kernel_thread(pid) {
        return Err(AdoptError::Kernel { pid, comm });
    }
    let me = nix::unistd::geteuid();
    let foreign = !me.is_root() && process::uid(pid).is_some_and(|uid| uid != me.as_raw());
    if !stat.lives() {
        return Err(AdoptError::Ended { pid, comm });
    }
    if foreign || !handle.signal(0) {
        return Err(AdoptError::Foreign { pid, comm });
    }
    match watched_by(&stat) {
        Some(file) => Err(AdoptError::UnderWatch {
            pid,
            comm,
            job: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            dir: file.parent().unwrap_or(Path::new("")).to_owned(),
        }),
        None => Ok((handle, stat)),
    }
}

/// The `.pid` file of the job that has this process already: below its wrapper, or attended by a
/// stand-in below it.
fn watched_by(stat: &Stat) -> Option<PathBuf> {
    above(stat).find_map(|stat| tree::lock_of(&stat)).or_else(|| {
        let call = [ATTEND.to_owned(), stat.pid.to_string(), stat.start.to_string()];
        let attends = |other: &Stat| {
            other.comm == KEEP
                && other.pid != std::process::id().cast_signed()
                && process::command_line(other.pid).windows(3).any(|words| words == call)
        };
        let others = process::all().into_iter().filter_map(process::stat);
        let mut stand_ins = others.filter(attends);
        stand_ins.find_map(|other| above(&other).find_map(|stat| tree::lock_of(&stat)))
    })
}

/// A process and its ancestors.
fn above(stat: &Stat) -> impl Iterator<Item = Stat> {
    /// No tree is deeper; what changes while it is read cannot lead round in circles.
    const MOST: usize = 1000;
    let parent = |stat: &Stat| process::stat(stat.ppid).filter(|parent| parent.start <= stat.start);
    std::iter::successors(Some(stat.clone()), parent).take(MOST)
}

/// How a process was started, as far as the kernel tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// Its command line. A program may have written another one over it.
    pub argv: Vec<OsString>,
    /// Where it is now.
    pub cwd: Option<PathBuf>,
    /// Those of PATH, HOME, LANG and `VIRTUAL_ENV` that it was executed with.
    pub env: Vec<(String, OsString)>,
}

/// Describes a running process, so that it can be started again.
#[must_use]
pub fn describe(pid: i32) -> Description {
    let variable = |name: &str| Some((name.to_owned(), process::variable(pid, name)?));
    Description {
        argv: process::arguments(pid),
        cwd: process::working_directory(pid),
        env: ["PATH", "HOME", "LANG", "VIRTUAL_ENV"].into_iter().filter_map(variable).collect(),
    }
}

impl Description {
    /// Why it cannot be started again from this, if that can be seen.
    #[must_use]
    pub fn doubt(&self) -> Option<String> {
        let cwd = self.cwd.as_deref().unwrap_or(Path::new("/"));
        let Some(program) = self.argv.first().filter(|word| !word.is_empty()) else {
            return Some("its command line cannot be read".to_owned());
        };
        if !cwd.is_dir() {
            return Some(format!("its directory is gone: {}", cwd.display()));
        }
        let path = self.env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value);
        let is_file = |dir: PathBuf| cwd.join(dir).join(program).is_file();
        let found = if program.as_bytes().contains(&b'/') {
            is_file(PathBuf::new())
        } else {
            path.is_some_and(|path| std::env::split_paths(path).any(is_file))
        };
        (!found)
            .then(|| format!("no such program as its command line names: {}", program.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_started_again_is_said() {
        let of = |argv: &[&str], cwd: &str, path: Option<&str>| Description {
            argv: argv.iter().map(OsString::from).collect(),
            cwd: Some(cwd.into()),
            env: path.iter().map(|path| ("PATH".to_owned(), OsString::from(path))).collect(),
        };
        let told = [
            of(&["sh", "-c", ""], "/", Some("/nowhere:/bin")),
            of(&["/bin/sh"], "/", None),
            of(&["./sh"], "/bin", None),
        ];
        for description in told {
            assert_eq!(description.doubt(), None, "{description:?}");
        }
        let doubted = [
            (of(&[], "/", None), "cannot be read"),
            (of(&[""], "/", None), "cannot be read"),
            (of(&["sh"], "/", Some("/nowhere")), "no such program"),
            (of(&["sh"], "/", None), "no such program"),
            (of(&["nginx: worker process"], "/", Some("/bin")), "no such program"),
            (of(&["sh"], "/nowhere (deleted)", Some("/bin")), "directory is gone"),
        ];
        for (description, words) in doubted {
            assert!(description.doubt().is_some_and(|why| why.contains(words)), "{description:?}");
        }
    }
}
