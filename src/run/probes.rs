//! The probes: who else can say whether the job gets on, asked again and again beside the run.
//!
//! ```text
//! idle ──due──▶ under way ──answer──▶ idle
//!                   │                  ▲
//!                   └─out of time──▶ late (killed; a thread is let be)
//! ```
//!
//! Nothing here waits. Each probe is asked at start and then once an interval, one of health every
//! second until it has first succeeded; and none is asked while its last answer is still awaited. Its
//! processes are children of the wrapper and none of
//! the job's: whoever looks at the tree spares them.

use super::config::{Config, Probe};
use super::record;
use crate::decide::probe::{Answer, Course};
use crate::os::ask;
use crate::os::bell::{Bell, Ringer, bell};
use crate::os::helper::{self, Helper, Printed};
use crate::os::process::Stat;
use crate::os::{signals, tree};
use crate::protocol::evidence::Kind;
use crate::protocol::heartbeat::Heartbeat;
use crate::protocol::text::clean;
use crate::protocol::time::human;
use nix::sys::stat::Mode;
use std::collections::HashSet;
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// The longest any probe may take, however seldom it is asked.
const LIMIT: Duration = Duration::from_secs(30);

/// A health probe is asked this often until it has first succeeded: what was started just now is not
/// well yet, and somebody may wait for it.
const FIRST: Duration = Duration::from_secs(1);

/// Evidence that a probe brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Of what.
    pub kind: Kind,
    /// In words.
    pub detail: String,
}

/// The probes of one run.
#[derive(Debug)]
pub struct Probes {
    asked: Vec<Asked>,
    /// How the threads answer, each with the number of its probe.
    bell: Option<(Bell<Told>, Ringer<Told>)>,
    interval: Duration,
    /// Of their commands, without what differs from one to the next.
    environment: Vec<OsString>,
    umask: Mode,
    /// What ended commands had left behind, killed and not yet reaped.
    left: HashSet<i32>,
    found: Vec<Finding>,
    /// The run is being ended: nobody is asked any more.
    over: bool,
}

type Told = (usize, Answer);

#[derive(Debug)]
struct Asked {
    probe: Probe,
    course: Course,
    phase: Phase,
    /// When a failure was counted last, before the first success.
    failed: Option<Instant>,
}

#[derive(Debug)]
enum Phase {
    Idle {
        due: Instant,
    },
    UnderWay {
        since: Instant,
        by: By,
    },
    /// Out of time, which counts as a failure, and as another one with each interval.
    Late {
        since: Instant,
        by: By,
        again: Instant,
    },
}

/// Who asks.
#[derive(Debug)]
enum By {
    Command(Box<Helper>),
    Thread,
}

impl Probes {
    /// The probes that are asked for. What there are none of costs nothing.
    ///
    /// # Errors
    /// If there is no descriptor left.
    pub fn new(config: &Config, record: &Heartbeat, umask: Mode) -> std::io::Result<Self> {
        let now = Instant::now();
        let ask = |probe: &Probe| Asked {
            probe: probe.clone(),
            course: Course::new(probe.kind(), config.failure_threshold),
            phase: Phase::Idle { due: now },
            failed: None,
        };
        let asked: Vec<Asked> = config.probes.iter().map(ask).collect();
        let threads = asked.iter().any(|asked| asked.probe.command().is_none());
        let commands = asked.iter().any(|asked| asked.probe.command().is_some());
        Ok(Self {
            asked,
            bell: if threads { Some(bell()?) } else { None },
            interval: config.probe_interval,
            environment: if commands { record::surroundings(record) } else { Vec::new() },
            umask,
            left: HashSet::new(),
            found: Vec::new(),
            over: false,
        })
    }

    /// When something is due.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        let limit = self.limit();
        let next = self.asked.iter().map(|asked| match &asked.phase {
            Phase::Idle { due } => *due,
            Phase::UnderWay { since, .. } => *since + limit,
            Phase::Late { again, .. } => *again,
        });
        next.min().filter(|_| !self.over)
    }

    /// What wakes the loop when there is something to [`hear`](Self::hear).
    #[must_use]
    pub fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let bell = self.bell.as_ref().map(|(bell, _)| bell.as_fd());
        self.helpers().flat_map(Helper::descriptors).chain(bell).collect()
    }

    /// The PIDs of the probes' commands and of what they left, which are ours and not the job's.
    #[must_use]
    pub fn pids(&self) -> Vec<i32> {
        self.helpers().map(Helper::pid).chain(self.left.iter().copied()).collect()
    }

    /// Takes what the commands printed and what the threads answered.
    pub fn hear(&mut self, now: Instant) {
        for asked in &mut self.asked {
            if let Phase::UnderWay { by: By::Command(helper), .. }
            | Phase::Late { by: By::Command(helper), .. } = &mut asked.phase
            {
                helper.hear();
            }
        }
        let told: Vec<Told> = match &mut self.bell {
            Some((bell, _)) => bell.answer().collect(),
            None => return,
        };
        for (at, answer) in told {
            let late = matches!(self.asked[at].phase, Phase::Late { .. });
            self.idle(at, now);
            // That it came too late was counted; what it still has to say may be good.
            if !late || matches!(answer, Answer::Good { .. }) {
                self.take(at, answer, now);
            }
        }
    }

    /// A child was reaped. Whether it was a probe's: then its answer is taken, and what it left
    /// behind is killed.
    pub fn reaped(&mut self, pid: i32, status: i32, now: Instant) -> bool {
        if self.left.remove(&pid) {
            return true;
        }
        let is_its = |asked: &Asked| asked.helper().is_some_and(|helper| helper.pid() == pid);
        let Some(at) = self.asked.iter().position(is_its) else { return false };
        self.left.extend(helper::clear(pid, &self.asked[at].probe.mark()));
        let phase = self.idle(at, now);
        if let Phase::UnderWay { by: By::Command(helper), .. } = phase {
            let answer = self.asked[at].probe.read(ExitStatus::from_raw(status), helper.printed());
            if !self.over {
                self.take(at, answer, now);
            }
        }
        true
    }

    /// Asks who is due, and gives up who is out of time.
    pub fn step(&mut self, tree: impl Fn() -> Vec<Stat>, now: Instant) {
        if self.over {
            return;
        }
        for at in 0..self.asked.len() {
            let limit = self.limit();
            match &mut self.asked[at].phase {
                Phase::Idle { due } if now >= *due => self.ask(at, &tree, now),
                Phase::UnderWay { since, .. } if now >= *since + limit => {
                    let since = *since;
                    self.give_up(at, since, now);
                }
                Phase::Late { since, again, .. } if now >= *again => {
                    *again = now + self.interval;
                    let lasted = now.saturating_duration_since(*since);
                    self.take(at, no_answer(lasted), now);
                }
                _ => {}
            }
        }
    }

    /// The evidence that came in since.
    pub fn found(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.found)
    }

    /// What is wrong with the probes that are not of this kind of evidence, which says so itself.
    #[must_use]
    pub fn troubles(&self, but: &str) -> String {
        let others = self.asked.iter().filter(|asked| asked.course.kind().to_string() != but);
        appended(others.filter_map(|asked| asked.course.trouble()))
    }

    /// What is wrong with any of them.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let troubles: Vec<String> =
            self.asked.iter().filter_map(|asked| asked.course.trouble()).collect();
        (!troubles.is_empty()).then(|| troubles.join("; "))
    }

    /// Why none of them brings evidence just now.
    #[must_use]
    pub fn silence(&self, now: Instant) -> String {
        appended(self.asked.iter().filter_map(|asked| asked.course.silence(now)))
    }

    /// Ends the commands, and asks nobody any more. They are reaped like everybody else.
    pub fn stop(&mut self) {
        self.over = true;
        self.helpers().for_each(|helper| helper::kill(helper.pid()));
    }

    fn limit(&self) -> Duration {
        self.interval.min(LIMIT)
    }

    fn helpers(&self) -> impl Iterator<Item = &Helper> {
        self.asked.iter().filter_map(Asked::helper)
    }

    fn ask(&mut self, at: usize, tree: &impl Fn() -> Vec<Stat>, now: Instant) {
        let asked = &self.asked[at];
        let by = match asked.probe.command() {
            Some(command) => {
                let mut environment = self.environment.clone();
                environment.push(asked.probe.mark().into());
                environment.push(format!("SENTINEL_PIDS={}", tree::pids(&tree())).into());
                let helper = Helper::start(command, environment, self.umask);
                helper.map(Box::new).map(By::Command).map_err(|error| error.to_string())
            }
            None => self.ask_by_thread(at).map(|()| By::Thread).map_err(|e| e.to_string()),
        };
        match by {
            Ok(by) => self.asked[at].phase = Phase::UnderWay { since: now, by },
            Err(why) => {
                self.asked[at].phase = Phase::Idle { due: now + self.interval };
                self.take(at, Answer::Bad(why), now);
            }
        }
    }

    fn ask_by_thread(&self, at: usize) -> std::io::Result<()> {
        let Some((_, ringer)) = &self.bell else { return Ok(()) };
        let (ringer, limit) = (ringer.clone(), self.limit());
        let probe = self.asked[at].probe.clone();
        let ask = move || ringer.ring((at, probe.ask(limit)));
        std::thread::Builder::new().name("probe".into()).spawn(ask).map(|_| ())
    }

    fn give_up(&mut self, at: usize, since: Instant, now: Instant) {
        let again = now + self.interval;
        if let Phase::UnderWay { by, .. } = self.idle(at, now) {
            if let By::Command(helper) = &by {
                helper::kill(helper.pid());
            }
            self.asked[at].phase = Phase::Late { since, by, again };
        }
        self.take(at, no_answer(now.saturating_duration_since(since)), now);
    }

    /// It is not under way any more; as what it was.
    fn idle(&mut self, at: usize, now: Instant) -> Phase {
        let asked = &mut self.asked[at];
        let interval = if asked.is_new() { self.interval.min(FIRST) } else { self.interval };
        let phase = &mut asked.phase;
        let due = match phase {
            Phase::Idle { due } => *due,
            Phase::UnderWay { since, .. } | Phase::Late { since, .. } => now.max(*since + interval),
        };
        std::mem::replace(phase, Phase::Idle { due })
    }

    fn take(&mut self, at: usize, answer: Answer, now: Instant) {
        let asked = &mut self.asked[at];
        if asked.is_new() {
            match (&answer, &mut asked.phase) {
                // That it is asked more often makes no more failures.
                (Answer::Bad(_), _) if asked.failed.is_some_and(|at| now < at + self.interval) => {
                    return;
                }
                (Answer::Bad(_), _) => asked.failed = Some(now),
                (Answer::Good { .. }, Phase::Idle { due }) => *due = now + self.interval,
                _ => {}
            }
        }
        let kind = asked.course.kind();
        self.found.extend(asked.course.take(answer, now).map(|detail| Finding { kind, detail }));
    }
}

impl Asked {
    /// Whether somebody waits for its first success.
    fn is_new(&self) -> bool {
        self.course.kind() == Kind::Health && !self.course.was_good()
    }

    fn helper(&self) -> Option<&Helper> {
        match &self.phase {
            Phase::UnderWay { by: By::Command(helper), .. }
            | Phase::Late { by: By::Command(helper), .. } => Some(helper),
            _ => None,
        }
    }
}

impl Probe {
    fn command(&self) -> Option<&str> {
        match self {
            Self::ProgressCommand(command) | Self::HealthCommand(command) => Some(command),
            Self::ProgressFiles(_) | Self::HealthAddress(_) => None,
        }
    }

    /// By what its processes are known, wherever they went.
    fn mark(&self) -> String {
        format!("SENTINEL_PROBE={}", self.kind())
    }

    /// The answer of a thread's probe.
    fn ask(&self, limit: Duration) -> Answer {
        match self {
            Self::ProgressFiles(pattern) => match ask::files(pattern) {
                Ok(files) => Answer::Good { mark: files.mark(), words: words(&files) },
                Err(error) => Answer::Bad(ask::plain(&error)),
            },
            Self::HealthAddress(address) => match ask::status(address, limit) {
                Ok(status) if (200..400).contains(&status) => {
                    Answer::Good { mark: 0, words: format!("HTTP {status}") }
                }
                Ok(status) => Answer::Bad(format!("HTTP {status}")),
                Err(why) => Answer::Bad(why),
            },
            Self::ProgressCommand(_) | Self::HealthCommand(_) => {
                Answer::Bad("a command has no thread".into())
            }
        }
    }

    /// The answer of a command: a progress probe's is what it printed, if it succeeded; a health
    /// probe's, whether it did.
    fn read(&self, status: ExitStatus, [stdout, stderr]: [Printed; 2]) -> Answer {
        if self.kind() == Kind::Progress && stdout.endless {
            return Answer::Bad("it printed more than 16 MiB".into());
        }
        if status.success() {
            let words = first_line(&stdout.text).unwrap_or_else(|| match self.kind() {
                Kind::Progress => "no output".into(),
                _ => "exit code 0".into(),
            });
            return Answer::Good { mark: stdout.mark, words };
        }
        let said = message(&stderr.text).or_else(|| message(&stdout.text));
        Answer::Bad(said.unwrap_or_else(|| match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, signal) => format!("killed by {}", signals::name(signal.unwrap_or(0))),
        }))
    }
}

fn no_answer(lasted: Duration) -> Answer {
    Answer::Bad(format!("has not answered for {}", human(lasted)))
}

fn appended(texts: impl Iterator<Item = String>) -> String {
    texts.fold(String::new(), |all, text| all + "; " + &text)
}

fn words(files: &ask::Files) -> String {
    let plural = if files.count == 1 { "" } else { "s" };
    format!("{} file{plural}, {}", files.count, size(files.bytes))
}

/// Bytes for people: `512 B`, `3.4 MiB`.
fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let unit = bytes.max(1).ilog2() / 10;
    if unit == 0 {
        return format!("{bytes} B");
    }
    let tenths = u128::from(bytes) * 10 / (1 << (10 * unit));
    format!("{}.{} {}", tenths / 10, tenths % 10, units[unit as usize - 1])
}

fn first_line(text: &[u8]) -> Option<String> {
    let text = clean(text);
    text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

/// What a failing program most likely wanted to say: its last line that is no continuation.
fn message(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let begins = |line: &&str| !line.trim().is_empty() && !line.starts_with([' ', '\t']);
    let line = text.lines().rev().find(begins)?;
    first_line(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One that is asked every minute.
    fn probes(asked: Asked) -> Probes {
        Probes {
            asked: vec![asked],
            bell: None,
            interval: Duration::from_mins(1),
            environment: Vec::new(),
            umask: Mode::empty(),
            left: HashSet::new(),
            found: Vec::new(),
            over: false,
        }
    }

    fn printed(text: &str) -> Printed {
        Printed { text: text.into(), mark: text.len() as u64, endless: false }
    }

    #[test]
    fn what_a_command_answers() {
        let progress = Probe::ProgressCommand("p".into());
        let health = Probe::HealthCommand("h".into());
        let good = |mark, words: &str| Answer::Good { mark, words: words.into() };
        let bad = |why: &str| Answer::Bad(why.into());
        let psql = "psql: error: connection refused\n\tIs the server running?\n";
        let python = "Traceback (most recent call last):\n  File \"x\"\nOSError: gone\n";
        let table = [
            (&progress, 0, "\n\x1b[32m42\x1b[0m rows\nmore", "", good(22, "42 rows")),
            (&progress, 0, "", "noise", good(0, "no output")),
            (&progress, 1 << 8, "42", psql, bad("psql: error: connection refused")),
            (&progress, 1 << 8, "42", python, bad("OSError: gone")),
            (&progress, 9, "", "", bad("killed by SIGKILL")),
            (&health, 0, "", "", good(0, "exit code 0")),
            (&health, 2 << 8, "/tmp:5432 - no response\n", "", bad("/tmp:5432 - no response")),
            (&health, 3 << 8, "", " \n", bad("exit code 3")),
        ];
        for (probe, status, stdout, stderr, answer) in table {
            let read = probe.read(ExitStatus::from_raw(status), [printed(stdout), printed(stderr)]);
            assert_eq!(read, answer, "{probe:?} {status} {stdout:?} {stderr:?}");
        }
        let endless = || Printed { endless: true, ..Printed::default() };
        let status = ExitStatus::from_raw(0);
        let too_much = bad("it printed more than 16 MiB");
        assert_eq!(progress.read(status, [endless(), printed("")]), too_much);
        assert_eq!(health.read(status, [endless(), printed("")]), good(0, "exit code 0"));
    }

    #[test]
    fn sizes() {
        let table = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (3_600_000, "3.4 MiB"),
            (u64::MAX, "15.9 EiB"),
        ];
        for (bytes, expected) in table {
            assert_eq!(size(bytes), expected);
        }
    }

    #[test]
    fn nobody_is_asked_twice_at_once_and_who_stays_away_fails_once_an_interval() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let asked = Asked {
            probe: Probe::HealthAddress("http://localhost/".into()),
            course: Course::new(Kind::Health, 3),
            phase: Phase::UnderWay { since: begin, by: By::Thread },
            failed: None,
        };
        let mut probes = probes(asked);
        assert_eq!(probes.next(), Some(at(30)));
        let found = |probes: &mut Probes, seconds| {
            probes.step(Vec::new, at(seconds));
            probes.found().into_iter().map(|found| found.detail).collect::<Vec<_>>().join("|")
        };
        let table = [
            (29, "", 30),
            (30, "has not answered for 30s (1 of 3 failures)", 90),
            (60, "", 90),
            (90, "has not answered for 1m 30s (2 of 3 failures)", 150),
            (150, "", 210),
        ];
        for (seconds, evidence, next) in table {
            assert_eq!(found(&mut probes, seconds), evidence, "{seconds}");
            assert_eq!(probes.next(), Some(at(next)), "{seconds}");
        }
        let silence = "; health: has not answered for 2m 30s, 3 failures in a row";
        assert_eq!(probes.silence(at(150)), silence);
        assert_eq!(probes.troubles("health"), "");
        // It comes back: from now on it may be asked again.
        let phase = probes.idle(0, at(160));
        assert!(matches!(phase, Phase::Late { .. }) && probes.next() == Some(at(160)));
        probes.stop();
        assert_eq!(probes.next(), None);
    }

    #[test]
    fn what_is_not_well_yet_is_asked_every_second_and_fails_once_an_interval() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let asked = Asked {
            probe: Probe::HealthAddress("http://localhost/".into()),
            course: Course::new(Kind::Health, 3),
            phase: Phase::Idle { due: begin },
            failed: None,
        };
        let mut probes = probes(asked);
        let mut answered = |seconds, answer: Answer| {
            probes.asked[0].phase = Phase::UnderWay { since: at(seconds), by: By::Thread };
            probes.idle(0, at(seconds));
            probes.take(0, answer, at(seconds));
            let found = probes.found().into_iter().map(|found| found.detail).collect::<String>();
            (found, probes.next())
        };
        let refused = || Answer::Bad("refused".into());
        let well = || Answer::Good { mark: 0, words: "HTTP 200".into() };
        let table = [
            (0, refused(), "refused (1 of 3 failures)", 1),
            (1, refused(), "", 2),
            (59, refused(), "", 60),
            (60, refused(), "refused (2 of 3 failures)", 61),
            (61, well(), "HTTP 200", 121),
            (121, refused(), "refused (1 of 3 failures)", 181),
            (181, refused(), "refused (2 of 3 failures)", 241),
        ];
        for (seconds, answer, found, next) in table {
            assert_eq!(answered(seconds, answer), (found.to_owned(), Some(at(next))), "{seconds}");
        }
    }
}
