//! Where a job's sentinels are.

use super::name::JobName;
use std::path::{Path, PathBuf};

/// Paths of one job's files in a monitor directory.
#[derive(Clone, Debug)]
pub struct JobFiles {
    dir: PathBuf,
    name: JobName,
}

impl JobFiles {
    /// The files of `name` in `dir`.
    #[must_use]
    pub fn new(dir: &Path, name: &JobName) -> Self {
        Self { dir: dir.to_owned(), name: name.clone() }
    }

    /// The job.
    #[must_use]
    pub fn name(&self) -> &JobName {
        &self.name
    }

    /// The monitor directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn with(&self, suffix: &str) -> PathBuf {
        let name = self.name.as_str();
        let length = self.dir.as_os_str().len() + name.len() + suffix.len() + 2;
        let mut path = PathBuf::with_capacity(length);
        path.push(&self.dir);
        path.push(name);
        path.as_mut_os_string().push(".");
        path.as_mut_os_string().push(suffix);
        path
    }

    /// The wrapper's PID; its lock is the proof of life.
    #[must_use]
    pub fn pid(&self) -> PathBuf {
        self.with("pid")
    }

    /// Its mtime is the last beat.
    #[must_use]
    pub fn heartbeat(&self) -> PathBuf {
        self.with("heartbeat")
    }

    /// Standard output and error of the command.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.with("log")
    }

    /// The previous run's log.
    #[must_use]
    pub fn previous_log(&self) -> PathBuf {
        self.with("log.1")
    }

    /// Where the command may leave JSON of its own.
    #[must_use]
    pub fn output(&self) -> PathBuf {
        self.with("output")
    }

    /// The record of the ended run.
    #[must_use]
    pub fn result(&self) -> PathBuf {
        self.with("result")
    }

    /// One word, written last.
    #[must_use]
    pub fn status(&self) -> PathBuf {
        self.with("status")
    }

    /// The finished runs of circuit `key`.
    #[must_use]
    pub fn history(&self, key: &JobName) -> PathBuf {
        self.dir.join(format!("{key}.history"))
    }

    /// Lock of the one trial run of a half-open circuit.
    #[must_use]
    pub fn trial(&self, key: &JobName) -> PathBuf {
        self.dir.join(format!(".{key}.trial"))
    }

    /// What a watcher has decided about the run before it has it ended from outside.
    #[must_use]
    pub fn sentence(&self) -> PathBuf {
        self.dir.join(format!(".{}.sentence", self.name))
    }

    /// The temporary name of `path`: hidden, so it is never taken for a job's file; fixed, because
    /// only the holder of the claim (or of the history's lock) writes it.
    #[must_use]
    pub fn draft(path: &Path) -> PathBuf {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.with_file_name(format!(".{name}.tmp"))
    }

    /// Every file of the job that a start touches, for checks before any of them is changed.
    #[must_use]
    pub fn all(&self) -> [PathBuf; 7] {
        [
            self.pid(),
            self.heartbeat(),
            self.log(),
            self.previous_log(),
            self.output(),
            self.result(),
            self.status(),
        ]
    }

    /// The job a directory entry belongs to, if its name is that of a sentinel.
    #[must_use]
    pub fn job_of(entry: &str) -> Option<JobName> {
        let stem = ["pid", "heartbeat", "status"]
            .iter()
            .find_map(|suffix| entry.strip_suffix(suffix)?.strip_suffix('.'))?;
        stem.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_name_their_job() {
        let job = |entry| JobFiles::job_of(entry).map(|name| name.to_string());
        assert_eq!(job("build.pid").as_deref(), Some("build"));
        assert_eq!(job("a.b.status").as_deref(), Some("a.b"));
        assert_eq!(job("build.log"), None);
        assert_eq!(job(".build.status.tmp"), None);
        assert_eq!(job(".pid"), None);
        assert_eq!(JobFiles::draft(Path::new("/d/a.status")), Path::new("/d/.a.status.tmp"));
    }
}
