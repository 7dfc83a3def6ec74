//! The place where things are measured: its directories, its programs, and jobs in it.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{env, fs};

use tempfile::TempDir;

use crate::contender::{Contender, Start};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");
const DISK: &str = "SENTINEL_BENCH_DISK";
const SHM: &str = "SENTINEL_BENCH_SHM";

/// Variables that name the directories.
pub type Places = [(&'static str, OsString); 2];

pub struct Lab {
    disk: PathBuf,
    shm: PathBuf,
    bins: PathBuf,
}

/// A command to be wrapped, and where.
pub struct Job<'a> {
    pub dir: &'a Path,
    pub name: &'a str,
    pub command: &'a [&'a str],
}

/// A job that was started.
pub enum Started {
    /// The contender itself, which ends with the job.
    Foreground(Child),
    /// What it printed for the job to be named by.
    Background(String),
}

impl Lab {
    /// Makes the directories, which last as long as the second value. With the
    /// first in its environment a child has entered them.
    pub fn prepare() -> io::Result<(Places, [TempDir; 2])> {
        let disk =
            tempfile::Builder::new().prefix("bench-").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let shm = tempfile::Builder::new().prefix("sentinel-bench-").tempdir_in("/dev/shm")?;
        Ok(([(DISK, disk.path().into()), (SHM, shm.path().into())], [disk, shm]))
    }

    /// The directories, if this process was put into them.
    pub fn entered() -> Option<Self> {
        let built = format!(
            "{}/../{}-unknown-linux-musl/release",
            env!("CARGO_TARGET_TMPDIR"),
            env::consts::ARCH
        );
        Some(Self {
            disk: env::var_os(DISK)?.into(),
            shm: env::var_os(SHM)?.into(),
            bins: env::var_os("SENTINEL_BIN_DIR").map_or_else(|| built.into(), PathBuf::from),
        })
    }

    /// The machine, in a line.
    pub fn describe(&self) -> String {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        format!(
            "Linux {}, {} CPUs, load {}, binaries in {}",
            read("/proc/sys/kernel/osrelease").trim(),
            std::thread::available_parallelism().map_or(0, usize::from),
            read("/proc/loadavg").split_whitespace().next().unwrap_or("unknown"),
            self.bins.display(),
        )
    }

    /// A new directory on disk.
    pub fn on_disk(&self, name: &str) -> PathBuf {
        make(self.disk.join(name))
    }

    /// A new directory in memory.
    pub fn in_memory(&self, name: &str) -> PathBuf {
        make(self.shm.join(name))
    }

    /// Those of `contenders` that can be had. The others are named.
    pub fn present<'c, T>(
        &self,
        contenders: &'c [T],
        contender: impl Fn(&T) -> &Contender,
    ) -> Vec<&'c T> {
        contenders
            .iter()
            .filter(|entry| {
                let Contender { name, start, wait, .. } = contender(entry);
                let absent = [Some(start.line()), *wait]
                    .into_iter()
                    .flatten()
                    .filter_map(|line| line.split_whitespace().next())
                    .find(|word| *word != "{job}" && self.program(word).is_none());
                if let Some(program) = absent {
                    println!("Left out: {name} ({program} is absent).\n");
                }
                absent.is_none()
            })
            .collect()
    }

    /// A line for the shell, which finds our programs first.
    pub fn shell(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]).env("PATH", self.path());
        command
    }

    /// The search path, with our programs first.
    fn path(&self) -> OsString {
        let path = env::var_os("PATH").unwrap_or_default();
        let dirs = [self.bins.clone()].into_iter().chain(env::split_paths(&path));
        env::join_paths(dirs).expect("no ':' in a path")
    }

    /// Where a program is.
    pub fn program(&self, word: &str) -> Option<PathBuf> {
        let dirs: Vec<PathBuf> = if word.starts_with("sentinel-") {
            vec![self.bins.clone()]
        } else {
            env::split_paths(&env::var_os("PATH")?).collect()
        };
        dirs.iter().map(|dir| dir.join(word)).find(|path| path.is_file())
    }

    /// The command that `line` stands for. Programs are looked up here, not by who runs them.
    pub fn command(&self, line: &str, job: &Job, id: &str) -> Command {
        let mut words: Vec<String> = Vec::new();
        for word in line.split_whitespace() {
            if word == "{job}" {
                words.extend(job.command.iter().map(ToString::to_string));
            } else {
                words.push(fill(word, job, id));
            }
        }
        let program = self.program(&words[0]).unwrap_or_else(|| PathBuf::from(&words[0]));
        let mut command = Command::new(program);
        command
            .args(&words[1..])
            .env("PATH", self.path())
            .env("NQDIR", job.dir.join(format!("nq-{}", job.name)))
            .env("TS_SOCKET", self.shm.join("tsp"))
            .env("TS_SLOTS", "1000")
            .env("TMPDIR", job.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Starts a job. What it prints goes to `stdout`, where the contender has no log of its own.
    pub fn start(&self, contender: &Contender, job: &Job, stdout: Stdio) -> Started {
        let mut command = self.command(contender.start.line(), job, "");
        let mut starter = match contender.start {
            Start::Foreground(_) => return Started::Foreground(spawn(command.stdout(stdout))),
            Start::Background(_) => spawn(command.stdout(Stdio::piped())),
        };
        let mut line = String::new();
        // One line, not all: what is left in the background may hold the pipe.
        let pipe = starter.stdout.take().expect("it was piped");
        BufReader::new(pipe).read_line(&mut line).expect("a line of text");
        must_succeed(&mut starter, contender);
        let id = line.split_whitespace().next();
        Started::Background(id.unwrap_or_default().to_owned())
    }

    /// Returns when the job is over and the contender says so.
    pub fn wait(&self, contender: &Contender, job: &Job, started: Started) {
        let (id, mut last) = match started {
            Started::Foreground(child) => (String::new(), Some(child)),
            Started::Background(id) => (id, None),
        };
        if let Some(line) = contender.wait {
            last = Some(spawn(&mut self.command(line, job, &id)));
        }
        must_succeed(&mut last.expect("something waits for the job"), contender);
    }
}

fn fill(word: &str, job: &Job, id: &str) -> String {
    word.replace("{dir}", &job.dir.display().to_string())
        .replace("{name}", job.name)
        .replace("{here}", HERE)
        .replace("{id}", id)
}

fn spawn(command: &mut Command) -> Child {
    command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"))
}

fn must_succeed(child: &mut Child, contender: &Contender) {
    let status = child.wait().expect("a child of this process");
    assert!(status.success(), "{} ended with {status}", contender.name);
}

fn make(dir: PathBuf) -> PathBuf {
    fs::create_dir_all(&dir).expect("a directory can be made");
    dir
}
