//! `--on-stop`: whoever stops a run may know why, and is asked while it ends. The engine's own word
//! (preempted, requeued, cancelled) goes into `reason`.
//!
//! It runs beside the ending: the TERM comes first, and the record waits for the answer no longer
//! than the grace, and never longer than 5 seconds.

use super::record;
use crate::os::helper::{self, Helper};
use crate::os::say::say;
use crate::protocol::heartbeat::Heartbeat;
use crate::protocol::text::{clean, cut};
use nix::sys::stat::Mode;
use std::collections::HashSet;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// The record waits for the answer no longer than this.
const LIMIT: Duration = Duration::from_secs(5);
/// So much of the answer goes into `reason`, characters.
const MOST: usize = 200;
/// By what its processes are known, wherever they went.
const MARK: &str = "SENTINEL_PROBE=stop";

/// The command of `--on-stop`, and what it said.
#[derive(Debug)]
pub struct Inquiry {
    umask: Mode,
    asked: Option<(Helper, Instant)>,
    /// What it had left behind, killed and not yet reaped.
    left: HashSet<i32>,
    said: Option<String>,
}

impl Inquiry {
    /// One that was not asked yet, and has this umask then.
    #[must_use]
    pub fn new(umask: Mode) -> Self {
        Self { umask, asked: None, left: HashSet::new(), said: None }
    }

    /// Asks, of a run that is being ended with this grace.
    pub fn begin(&mut self, command: &str, record: &Heartbeat, grace: Duration, now: Instant) {
        let mut environment = record::surroundings(record);
        environment.push(MARK.into());
        let helper = Helper::start_heard(command, environment, self.umask)
            .inspect_err(|error| say(format!("sentinel-run: cannot run --on-stop: {error}")));
        self.asked = helper.ok().map(|helper| (helper, now + grace.min(LIMIT)));
    }

    /// Whether its answer is still awaited.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.asked.is_some()
    }

    /// What wakes the loop when there is something to [`hear`](Self::hear).
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.asked.iter().flat_map(|(helper, _)| helper.descriptors())
    }

    /// Its PID and what it left, which are ours and not the job's.
    pub fn pids(&self) -> impl Iterator<Item = i32> {
        self.asked.iter().map(|(helper, _)| helper.pid()).chain(self.left.iter().copied())
    }

    /// Takes what it printed since; ends it when it is late.
    pub fn hear(&mut self, now: Instant) {
        if let Some((helper, until)) = &mut self.asked {
            helper.hear();
            if now >= *until {
                self.end();
            }
        }
    }

    /// A child was reaped. Whether it was this one: then its answer is taken, and what it left
    /// behind is killed.
    pub fn reaped(&mut self, pid: i32) -> bool {
        let is_its = self.asked.as_ref().is_some_and(|(helper, _)| helper.pid() == pid);
        if is_its {
            self.left.extend(helper::clear(pid, MARK));
            self.take();
        }
        is_its || self.left.remove(&pid)
    }

    /// Waits for it no longer: what it has said so far is the answer.
    pub fn end(&mut self) {
        if let Some((helper, _)) = &self.asked {
            helper::kill(helper.pid());
            self.left.insert(helper.pid());
            self.left.extend(helper::clear(helper.pid(), MARK));
            self.take();
        }
    }

    /// What it said, to be put behind a reason.
    #[must_use]
    pub fn words(&self) -> String {
        self.said.as_ref().map(|said| format!("; {said}")).unwrap_or_default()
    }

    fn take(&mut self) {
        let Some((helper, _)) = self.asked.take() else { return };
        let [stdout, _] = helper.printed();
        self.said = first_line(&stdout.text);
    }
}

/// The first line that says something, safe to print, and not too long.
fn first_line(text: &[u8]) -> Option<String> {
    let text = clean(text);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(cut(line, MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_says_something_is_the_answer() {
        let table: [(&[u8], Option<&str>); 6] = [
            (b"preempted, requeued\nmore\n", Some("preempted, requeued")),
            (b"\n  \n\tcancelled\r\n", Some("cancelled")),
            (b"\x1b[31mtime\x07 limit\x1b[0m \xff", Some("time limit \u{fffd}")),
            (b"\x00\x01\x02\n", None),
            (b" \n", None),
            (b"", None),
        ];
        for (text, answer) in table {
            assert_eq!(first_line(text).as_deref(), answer, "{text:?}");
        }
        let long = first_line("ä".repeat(300).as_bytes()).unwrap();
        assert_eq!(long, "ä".repeat(200) + "…");
    }
}
