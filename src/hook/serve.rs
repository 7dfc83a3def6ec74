//! One call of a hook, from what the host tells to what it is answered.
//!
//! The order of the steps:
//!   1. The work is done behind a fence, up to a whole answer.
//!   2. The answer is passed on to the host.
//!   3. Only then is it written down that something was told: killed in between, it is told again.

use super::awaited::is_awaited;
use super::event::{Answer, Event, What};
use super::gate::{Facts, Mode, judge};
use super::host::Host;
use super::memory::{self, Open, Started};
use super::rules::Rules;
use super::{kept, news};
use crate::decide::shell::{Call, Reading, read};
use crate::keep::home::Home;
use crate::keep::{KeepError, registry};
use crate::os::claim;
use crate::os::dir::MonitorDir;
use crate::os::fence::{self, Heard, behind};
use crate::os::say::say;
use crate::protocol::files::JobFiles;
use crate::protocol::heartbeat::Heartbeat;
use crate::protocol::name::JobName;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// So long a hook takes at most, from the event to its answer: a host waits for it before each command.
pub const MOST: Duration = Duration::from_millis(45);
/// An event is not longer, bytes; a command line has at most 2 MiB.
pub(super) const EVENT: usize = 8 << 20;
/// A host that does not close the pipe has said by then what it had to say; itself it waits longer.
pub(super) const SAID: Duration = Duration::from_secs(3);
/// A job that is known by what was printed began so long ago at most: no call takes longer.
const RECENT: Duration = Duration::from_mins(15);

/// The jobs that a call of one of our programs is about; the second is the caller's directory.
pub type About<'a> = dyn Fn(&Call, &Path) -> Vec<(JobName, PathBuf)> + 'a;

/// What a hook is called with.
pub struct Hook<'a> {
    /// Who calls.
    pub host: Host,
    /// What is done about commands that leave work behind.
    pub mode: Mode,
    /// The registry.
    pub registry: PathBuf,
    /// The usual monitor directory.
    pub jobs: PathBuf,
    /// How our own command lines are read.
    pub about: &'a About<'a>,
}

/// What came of the work behind the fence.
#[derive(Default)]
struct Work {
    answer: Option<Answer>,
    note: Option<String>,
    /// What is to be written down once the answer was passed on.
    memory: Option<Open>,
}

impl Hook<'_> {
    /// Answers one event on standard input, within so long of hearing it. Whatever goes wrong, the host
    /// goes on.
    pub fn serve(&self, within: Duration) {
        let bytes = fence::read_stdin(EVENT, SAID).unwrap_or_default();
        let heard = behind(Instant::now() + within, |voice| {
            let (event, work) = self.work(&bytes);
            let out = self.host.say(&event, &work.answer.unwrap_or(Answer::Nothing));
            let err = work.note.unwrap_or_default();
            if voice.answer(&fence::Answer { out, err })
                && let Some(memory) = work.memory
            {
                let _ = memory.save();
            }
        });
        let (out, err, receipt) = match heard {
            Ok(Heard::Answer(answer, receipt)) => (answer.out, answer.err, Some(receipt)),
            Ok(Heard::Late) => {
                let why = "it took too long to judge this: let through";
                (self.host.let_through(), why.to_owned(), None)
            }
            Ok(Heard::Died) => {
                let why = "the judge of this died: let through";
                (self.host.let_through(), why.to_owned(), None)
            }
            Err(error) => (self.host.let_through(), format!("let through unread: {error}"), None),
        };
        if !err.is_empty() {
            say(format!("sentinel-keep hook: {err}"));
        }
        let mut stdout = std::io::stdout().lock();
        let arrived =
            out.is_empty() || writeln!(stdout, "{out}").and_then(|()| stdout.flush()).is_ok();
        if let Some(receipt) = receipt.filter(|_| arrived) {
            receipt.sign();
        }
    }

    /// The host's name for the event, and what is to be said.
    fn work(&self, bytes: &[u8]) -> (String, Work) {
        let event = match self.host.hear(bytes, &variable) {
            Ok(event) => event,
            Err(error) => {
                return (String::new(), Work { note: Some(error.to_string()), ..Work::default() });
            }
        };
        let work = match &event.what {
            What::Before { command, background } => self.before(&event, command, *background),
            What::After { command, output } => self.after(&event, command, output),
            What::SessionStart | What::Prompt => self.news(&event),
            What::TurnEnd { again } => self.turn_end(&event, *again),
            What::Other => Work::default(),
        };
        (event.name, work)
    }

    fn before(&self, event: &Event, command: &str, background: bool) -> Work {
        let kept = |calls: &[Call]| {
            let found = Home::open(&self.registry).and_then(|home| {
                let registry = registry::load(&home)?;
                Ok(kept::hit(&home, &registry, calls))
            });
            found.unwrap_or_default()
        };
        let rules = |inner: &[String]| match self.host {
            Host::Claude if !inner.is_empty() => Rules::of(&event.project, &variable).about(inner),
            _ => None,
        };
        let judged = judge(command, background, self.mode, &Facts { kept: &kept, rules: &rules });
        let runs = !matches!(judged.answer, Some(Answer::Deny(_)));
        let memory = if runs { self.remember(event, &judged.reading, "") } else { Ok(None) };
        let (memory, note) = noted(memory, judged.note);
        Work { answer: judged.answer, note, memory }
    }

    fn after(&self, event: &Event, command: &str, output: &str) -> Work {
        let reading = read(command).unwrap_or_default();
        let (memory, note) = noted(self.remember(event, &reading, output), None);
        Work { answer: None, note, memory }
    }

    /// Remembers the jobs that a command starts, by what it says or by what it printed, and the ends
    /// that the agent has read in what it printed.
    pub(super) fn remember(
        &self,
        event: &Event,
        reading: &Reading,
        output: &str,
    ) -> Result<Option<Open>, KeepError> {
        let started = self.started(event, reading, output);
        let seen = self.seen(event, reading, output);
        if started.is_empty() && seen.is_empty() {
            return Ok(None);
        }
        let mut open = memory::open(&Home::open(&self.registry)?, &event.project)?;
        let at = SystemTime::now();
        for (name, dir) in started {
            // What was remembered before the command ran is not made later after it.
            let known = |job: &&Started| {
                (&job.session, &job.dir, &job.name) == (&event.session, &dir, &name)
            };
            let before = open.memory.jobs.iter().find(known).map(|job| job.at);
            let is_after = matches!(event.what, What::After { .. });
            let at = before.filter(|_| is_after).unwrap_or(at);
            open.memory.start(Started { session: event.session.clone(), dir, name, at });
        }
        open.memory.tell_all(&seen);
        Ok(Some(open))
    }

    pub(super) fn started(
        &self,
        event: &Event,
        reading: &Reading,
        output: &str,
    ) -> Vec<(JobName, PathBuf)> {
        let runs = reading.ours.iter().filter(|call| call.program() == "sentinel-run");
        let mut found: Vec<_> = runs.flat_map(|call| (self.about)(call, &event.cwd)).collect();
        // `NAME PID DIR`, as a detached start prints it.
        for line in output.lines() {
            // A host with a terminal in between turns tabs into blanks.
            let Some((name, rest)) = line.split_once(char::is_whitespace) else { continue };
            let Some((pid, dir)) = rest.trim_start().split_once(char::is_whitespace) else {
                continue;
            };
            let (Ok(name), Ok(pid)) = (name.parse::<JobName>(), pid.parse::<i32>()) else {
                continue;
            };
            let job = (name, PathBuf::from(dir.trim()));
            // Anything may be printed, a README for one.
            let just_now = |at| SystemTime::now().duration_since(at).is_ok_and(|age| age < RECENT);
            if job.1.is_absolute()
                && !found.contains(&job)
                && record(&job).is_some_and(|it| it.pid == pid && just_now(it.started_at))
            {
                found.push(job);
            }
        }
        found
    }

    /// The runs whose end the agent has read in what a watcher, or a wrapper in the foreground, printed.
    fn seen(&self, event: &Event, reading: &Reading, output: &str) -> Vec<String> {
        let ours = reading.ours.iter().filter(|call| call.program() != "sentinel-keep");
        let jobs = ours.flat_map(|call| (self.about)(call, &event.cwd));
        let seen = jobs.filter(|(name, _)| output.lines().any(|line| tells_end(line, name)));
        seen.filter_map(|job| Some(record(&job)?.run_id)).collect()
    }

    fn news(&self, event: &Event) -> Work {
        let opened = Home::open(&self.registry).and_then(|home| {
            let open = memory::open(&home, &event.project)?;
            Ok((home, open))
        });
        let (home, mut open) = match opened {
            Ok(opened) => opened,
            Err(error) => return Work { note: Some(error.to_string()), ..Work::default() },
        };
        let now = SystemTime::now();
        let told = news::since_last_look(&home, &self.jobs, &open.memory, now);
        open.memory.tell_all(&told.ids);
        open.memory.looked_at = now;
        let answer = (!told.text.is_empty()).then_some(Answer::Tell(told.text));
        Work { answer, note: None, memory: Some(open) }
    }

    fn turn_end(&self, event: &Event, again: bool) -> Work {
        let opened = Home::open(&self.registry)
            .and_then(|home| memory::open(&home, &event.project).map(|open| (home, open)));
        let (home, mut open) = match opened {
            Ok(opened) => opened,
            Err(error) => return Work { note: Some(error.to_string()), ..Work::default() },
        };
        let is_awaited = |run: &str| can_be_woken() && is_awaited(&home, run);
        let end = news::at_turn_end(&self.jobs, &open.memory, &event.session, &is_awaited);
        // A turn is lengthened for what still runs once, not again and again.
        let running = if again { news::Told::default() } else { end.running };
        let text = [end.failed.text, running.text].join("\n").trim().to_owned();
        let ids = [end.failed.ids, running.ids].concat();
        open.memory.tell_all(&ids);
        let answer = match (text.is_empty(), end.awaited.as_slice()) {
            (false, _) => Some(Answer::GoOn(text)),
            (true, []) => None,
            (true, awaited) if !again => {
                let names = awaited.join(", ");
                Some(Answer::Notice(format!("Sentinel: {names} still runs; its end will be told.")))
            }
            (true, _) => None,
        };
        let memory = (!ids.is_empty()).then_some(open);
        Work { answer, note: None, memory }
    }
}

/// A memory that could not be had is no reason to hold anything up, but one to say so.
fn noted(
    memory: Result<Option<Open>, KeepError>,
    note: Option<String>,
) -> (Option<Open>, Option<String>) {
    match memory {
        Ok(memory) => (memory, note),
        Err(error) => (None, note.or_else(|| Some(format!("not remembered: {error}")))),
    }
}

/// Whether a line is a verdict on a job, or the closing line of its wrapper.
fn tells_end(line: &str, name: &JobName) -> bool {
    let of_watcher = ["success", "failed", "hung", "timeout"].iter().any(|verdict| {
        line.starts_with(&format!("{verdict}  {name}  "))
            || (line.starts_with(&format!("{{\"verdict\":\"{verdict}\""))
                && line.contains(&format!("\"name\":\"{name}\"")))
    });
    let outcomes = ["success", "failed", "hung", "timeout", "stopped"];
    let of_wrapper = || {
        line.strip_prefix("sentinel-run: ")
            .and_then(|rest| rest.strip_prefix(name.as_str())?.strip_prefix(' ')?.split(':').next())
            .is_some_and(|word| outcomes.contains(&word))
    };
    of_watcher || of_wrapper()
}

/// The record of a job's run, if there is one.
pub(super) fn record((name, dir): &(JobName, PathBuf)) -> Option<Heartbeat> {
    let dir = MonitorDir::open(dir).ok()??;
    claim::read_heartbeat(&dir, &JobFiles::new(dir.path(), name)).ok()?
}

/// Whether a hook that waits can still wake the agent after its turn: not in `claude -p`, where it is
/// ended half a minute later.
fn can_be_woken() -> bool {
    variable("CLAUDE_CODE_SESSION_ATTENDED").as_deref() != Some("0")
        && variable("CLAUDE_CODE_ENTRYPOINT").as_deref() != Some("sdk-cli")
}

pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_that_an_agent_has_read() {
        let name: JobName = "build".parse().unwrap();
        for (line, expected) in [
            ("failed  build  exit code 3 after 1s", true),
            ("success  build  after 3s", true),
            ("running  build  for 3s", false),
            ("failed  build-2  exit code 3 after 1s", false),
            ("{\"verdict\":\"hung\",\"exit\":3,\"name\":\"build\"}", true),
            ("{\"verdict\":\"running\",\"exit\":5,\"name\":\"build\"}", false),
            ("sentinel-run: build failed: exit code 3 after 1s", true),
            ("sentinel-run: build-2 failed: exit code 3 after 1s", false),
            ("sentinel-run: build is already running", false),
        ] {
            assert_eq!(tells_end(line, &name), expected, "{line}");
        }
    }
}
