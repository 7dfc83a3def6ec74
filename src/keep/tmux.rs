//! A process in a tmux session of its own, for people to attach to.
//!
//! tmux takes few bytes for a command, and shows them to everybody; a server that runs has an
//! environment of its own. So what is to be executed lies in a file, and what tmux starts is our own
//! program, which reads it and becomes the wrapper. Two starters that know nothing of each other
//! come to nothing worse than two wrappers, of which the job's lock lets one live.

use super::home::Home;
use super::registry::replace;
use super::{KeepError, OURS_ALONE, ledger};
use crate::os::dir::MonitorDir;
use crate::os::{bounded, claim, clock, process};
use crate::protocol::files::JobFiles;
use crate::protocol::name::JobName;
use crate::protocol::text::clean;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// tmux has so long to bring a process up.
const LIMIT: Duration = Duration::from_secs(10);
/// More than tmux says, bytes.
const ANSWER: u64 = 1 << 20;
/// More than the kernel takes for a command and its environment, bytes.
const MOST: u64 = 16 << 20;
/// More than is shown of what a wrapper complains about, bytes.
const SAID: u64 = 4 << 10;
/// A variable of the session that says whose it is.
const OWNER: &str = "SENTINEL_KEEP";
/// What only tmux itself knows.
const OF_TMUX: [&str; 5] = ["TERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TMUX", "TMUX_PANE"];

/// What a pane is to execute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errand {
    /// All of its environment, but for what tmux says.
    pub environment: BTreeMap<OsString, OsString>,
    /// The command.
    pub argv: Vec<OsString>,
}

impl Errand {
    /// Settings and words, each with a NUL at its end, an empty one between them.
    fn pack(&self) -> Vec<u8> {
        let settings = self
            .environment
            .iter()
            .map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat());
        let words = self.argv.iter().map(|word| word.as_bytes().to_vec());
        let all = settings.chain([Vec::new()]).chain(words);
        all.flat_map(|each| each.into_iter().chain([0])).collect()
    }

    fn unpack(bytes: &[u8]) -> Option<Self> {
        let mut all = bytes.strip_suffix(&[0])?.split(|byte| *byte == 0);
        let mut environment = BTreeMap::new();
        for setting in all.by_ref().take_while(|setting| !setting.is_empty()) {
            let equals = setting.iter().skip(1).position(|byte| *byte == b'=')? + 1;
            let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
            environment.insert(text(&setting[..equals]), text(&setting[equals + 1..]));
        }
        let argv: Vec<OsString> = all.map(|word| OsString::from_vec(word.to_vec())).collect();
        (!argv.is_empty()).then_some(Self { environment, argv })
    }
}

/// The name of a process's session: tmux takes '.' for a separator.
#[must_use]
pub fn session(name: &JobName) -> String {
    name.as_str().replace('.', "_")
}

/// Each starter has a file of its own: one that was killed may have left a pane that still reads.
fn errand_path(home: &Home, name: &JobName, starter: u32) -> PathBuf {
    home.state().path().join(format!("{name}.tmux-{starter}"))
}

/// Where a wrapper in tmux complains.
fn said_path(home: &Home, name: &JobName) -> PathBuf {
    home.state().path().join(format!("{name}.said"))
}

// ---- the outer side --------------------------------------------------------------------------

/// Has a session execute the errand. Returns once `is_up` says so.
///
/// # Errors
/// In words: what tmux said, or what the command did before it came up.
pub fn start(
    home: &Home,
    name: &JobName,
    errand: &Errand,
    is_up: impl Fn() -> bool,
) -> Result<(), String> {
    let text = |error: crate::os::dir::DirError| error.to_string();
    home.state().remove(&said_path(home, name)).map_err(text)?;
    sweep(home, name);
    let path = errand_path(home, name, std::process::id());
    replace(home.state(), &path, &errand.pack()).map_err(text)?;
    let session = Session::of(home, name, errand);
    let done = session.open().and_then(|pane| session.wait(pane, &is_up));
    home.state().remove(&path).map_err(text)?;
    done
}

/// Removes errands that were never read, long after those who wrote them were killed.
fn sweep(home: &Home, name: &JobName) {
    let prefix = format!("{name}.tmux-");
    for entry in std::fs::read_dir(home.state().path()).into_iter().flatten().flatten() {
        let file = entry.file_name();
        let starter = file.to_str().and_then(|file| file.strip_prefix(&prefix));
        let ours = starter.is_some_and(|starter| starter.parse::<u32>().is_ok());
        let changed = || entry.metadata().ok()?.modified().ok()?.elapsed().ok();
        if ours && changed().is_some_and(|age| age > LIMIT) {
            let _ = home.state().remove(&entry.path());
        }
    }
}

/// Whose a session of our name is.
enum Owner {
    Nobody,
    We,
    Others,
}

struct Session<'a> {
    home: &'a Home,
    name: &'a JobName,
    called: String,
    /// The session and no other whose name begins so.
    target: String,
    /// Where the server's socket is, if not where the caller's would be.
    tmpdir: Option<&'a OsString>,
}

impl<'a> Session<'a> {
    fn of(home: &'a Home, name: &'a JobName, errand: &'a Errand) -> Self {
        let called = session(name);
        let tmpdir = errand.environment.get(OsStr::new("TMUX_TMPDIR"));
        Self { home, name, target: format!("={called}"), called, tmpdir }
    }

    /// The server that is there for everybody, wherever we are called from; its environment is the
    /// caller's, and none of the process's own.
    fn tmux(&self, arguments: &[&OsStr]) -> Result<bounded::Answer, String> {
        let mut command = Command::new("tmux");
        command.args(arguments).env_remove("TMUX").env_remove("TMUX_PANE");
        for name in OURS_ALONE {
            command.env_remove(name);
        }
        command.envs(self.tmpdir.map(|dir| ("TMUX_TMPDIR", dir)));
        match bounded::read(command, ANSWER, LIMIT) {
            Ok((answer, _)) => Ok(answer),
            Err(why) => Err(format!("tmux: {why}; install it, or register without --tmux")),
        }
    }

    fn ask(&self, arguments: &[&str]) -> Result<bounded::Answer, String> {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        self.tmux(&arguments)
    }

    fn owned(&self) -> OsString {
        let mut owned = OsString::from(format!("{OWNER}={}:", self.name));
        owned.push(self.home.registry());
        owned
    }

    fn owner(&self) -> Result<Owner, String> {
        let exists =
            || Ok::<_, String>(self.ask(&["has-session", "-t", &self.target])?.status.success());
        if !exists()? {
            return Ok(Owner::Nobody);
        }
        let answer = self.ask(&["show-environment", "-t", &self.target, OWNER])?;
        if answer.status.success() && answer.stdout.trim_end() == self.owned().to_string_lossy() {
            return Ok(Owner::We);
        }
        Ok(if exists()? { Owner::Others } else { Owner::Nobody })
    }

    /// A pane that carries out the errand; the PID of its process.
    fn open(&self) -> Result<i32, String> {
        let mut said = String::new();
        // The session may end, or come, between the question and the deed.
        for _ in 0..3 {
            let fresh = match self.owner()? {
                Owner::Nobody => true,
                Owner::We => {
                    self.clear()?; // which may have been all of it
                    if let Some(pane) = self.on_its_way()? {
                        return Ok(pane);
                    }
                    matches!(self.owner()?, Owner::Nobody)
                }
                Owner::Others => return Err(self.foreign()),
            };
            let answer = self.begin(fresh)?;
            let pid = answer.stdout.lines().next().and_then(|line| line.trim().parse().ok());
            match pid {
                Some(pid) if answer.status.success() => return Ok(pid),
                _ => said = answer.words(),
            }
        }
        Err(format!("tmux: {said}"))
    }

    /// A session, or a window in the one that is there: people have others beside it.
    fn begin(&self, fresh: bool) -> Result<bounded::Answer, String> {
        let place = format!("{}:", self.target);
        let mut words = if fresh {
            vec!["new-session", "-s", &self.called]
        } else {
            vec!["new-window", "-t", &place]
        };
        words.extend(["-d", "-P", "-F", "#{pane_pid}", "-n", self.name.as_str(), "-e"]);
        let mut all: Vec<OsString> = words.into_iter().map(OsString::from).collect();
        all.push(self.owned());
        all.extend(["--".into(), program().into_os_string(), "--registry".into()]);
        all.push(self.home.registry().into());
        let starter = std::process::id().to_string();
        all.extend(["in-tmux".into(), self.name.as_str().into(), starter.into()]);
        if fresh {
            // Whatever people have told tmux to do with sessions nobody looks at.
            let stay = [";", "set-option", "-t", &place, "destroy-unattached", "off"];
            all.extend(stay.map(OsString::from));
        }
        let all: Vec<&OsStr> = all.iter().map(OsString::as_os_str).collect();
        self.tmux(&all)
    }

    /// Waits until it is up, as long as this process lives.
    fn wait(&self, pane: i32, is_up: &impl Fn() -> bool) -> Result<(), String> {
        let deadline = Instant::now() + LIMIT;
        loop {
            // First the process, then the files: what it wrote last is seen.
            let lives = process::stat(pane).is_some_and(|stat| stat.lives());
            if is_up() {
                return Ok(());
            }
            if !lives || Instant::now() >= deadline {
                return Err(self.said());
            }
            clock::pause(Duration::from_millis(5));
        }
    }

    /// What the wrapper complained about last.
    fn said(&self) -> String {
        let said = self.home.state().read(&said_path(self.home, self.name), SAID);
        let said = clean(&said.ok().flatten().unwrap_or_default());
        let last = said.lines().rfind(|line| !line.trim().is_empty());
        let nothing = || {
            format!("nothing came up in the tmux session {0}; see tmux attach -t {0}", self.called)
        };
        last.map_or_else(nothing, |line| line.trim_start_matches("sentinel-run: ").to_owned())
    }

    /// Removes the panes whose process is dead, which stay where people said so.
    fn clear(&self) -> Result<(), String> {
        let format = "#{pane_dead} #{pane_id}";
        let panes = self.ask(&["list-panes", "-s", "-t", &self.target, "-F", format])?;
        for pane in panes.stdout.lines().filter_map(|line| line.strip_prefix("1 ")) {
            self.ask(&["kill-pane", "-t", pane])?;
        }
        Ok(())
    }

    /// What a starter that was killed has left on its way: a second one beside it would wait for its
    /// lock, and come up when the first is stopped.
    fn on_its_way(&self) -> Result<Option<i32>, String> {
        let panes = self.ask(&["list-panes", "-s", "-t", &self.target, "-F", "#{pane_pid}"])?;
        let jobs = self.home.jobs();
        let record = MonitorDir::open(&jobs).ok().flatten().and_then(|dir| {
            claim::read_heartbeat(&dir, &JobFiles::new(&jobs, self.name)).ok().flatten()
        });
        let mut pids = panes.stdout.lines().filter_map(|line| line.trim().parse::<i32>().ok());
        let settled = ledger::read(self.home, self.name).ok().and_then(|ledger| ledger.settled);
        let old = record.filter(|record| Some(&record.run_id) == settled.as_ref());
        Ok(pids.find(|pid| {
            // The wrapper of a run that is over goes.
            let goes = old.as_ref().is_some_and(|record| record.pid == *pid);
            !goes && self.is_ours(&process::command_line(*pid))
        }))
    }

    /// Whether a command line is that of the inner side, or of the wrapper that it becomes.
    fn is_ours(&self, words: &[String]) -> bool {
        let follow = |first: &str, second: &str| {
            words.windows(2).any(|pair| pair[0] == first && pair[1] == second)
        };
        let jobs = self.home.jobs();
        follow("in-tmux", self.name.as_str())
            || (follow("--dir", &jobs.to_string_lossy()) && follow(self.name.as_str(), "--"))
    }

    fn foreign(&self) -> String {
        format!(
            "there is a tmux session {0} already, and it is not of this process; rename it (tmux rename-session -t ={0} NAME) or end it (tmux kill-session -t ={0})",
            self.called
        )
    }
}

/// Our own program: beside the one that runs, where both were installed, else in the search path.
fn program() -> PathBuf {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name("sentinel-keep"));
    beside.filter(|path| path.exists()).unwrap_or_else(|| "sentinel-keep".into())
}

// ---- the inner side --------------------------------------------------------------------------

/// Becomes what the errand says. Returns only if that cannot be.
///
/// # Errors
/// Always: why this is still us.
pub fn carry_out(
    home: &Home,
    name: &JobName,
    starter: u32,
) -> Result<std::convert::Infallible, KeepError> {
    let undone = |why: String| KeepError::Undone { what: format!("start {name} here"), why };
    let path = errand_path(home, name, starter);
    let bytes = home.state().read(&path, MOST)?;
    let errand = bytes.and_then(|bytes| Errand::unpack(&bytes));
    let errand =
        errand.ok_or_else(|| undone("nobody asked for it: use sentinel-keep start".into()))?;
    home.state().remove(&path)?;
    let said = said_path(home, name);
    home.state().remove(&said)?;
    let said = home.state().create_file(&said)?;
    let mut command = Command::new(&errand.argv[0]);
    command.args(&errand.argv[1..]).env_clear().envs(&errand.environment);
    command.envs(OF_TMUX.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    let source = command.stderr(Stdio::from(said)).exec();
    Err(KeepError::System { what: format!("execute {}", errand.argv[0].display()), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sessions() {
        assert_eq!(session(&"my.bot-1".parse().unwrap()), "my_bot-1");
    }

    proptest! {
        #[test]
        fn an_errand_arrives_as_it_was(
            settings in proptest::collection::btree_map("[A-Z%=()]?[A-Z(]{1,5}", "[^\0]{0,20}", 0..5),
            argv in proptest::collection::vec("[^\0]{0,20}", 1..5),
        ) {
            let valid = settings.into_iter().filter(|(name, _)| !name.contains('='));
            let environment = valid.map(|(n, v)| (n.into(), v.into())).collect();
            let argv = argv.into_iter().map(OsString::from).collect();
            let errand = Errand { environment, argv };
            prop_assert_eq!(Errand::unpack(&errand.pack()), Some(errand));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Errand::unpack(&bytes);
        }
    }
}
