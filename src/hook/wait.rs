//! After a command that started jobs: a hook that stays beside the session, waits for the first of them to
//! end, and wakes the agent.
//!
//! The order of the steps:
//!   1. What was started is found out behind a fence, as in any hook.
//!   2. The right to wait for a run is a lock: one hook wakes for it, and tells by the lock that it will.
//!   3. The verdict comes; the agent has a moment to read it itself.
//!   4. It is passed on. Only if that succeeded it counts as told.

use super::awaited::{wait_lock, wait_path};
use super::event::What;
use super::memory;
use super::news;
use super::serve::{EVENT, Hook, SAID, record, variable};
use crate::decide::shell::read;
use crate::decide::verdict::Verdict;
use crate::keep::home::Home;
use crate::os::clock::pause;
use crate::os::fence::{self, Heard, behind};
use crate::os::lock::Locked;
use crate::protocol::name::JobName;
use crate::watch::{self, Config, News, Report};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// To find out what was started a hook has longer here: nobody waits for it.
const FINDS: Duration = Duration::from_secs(2);
/// An agent that watches the job itself has the verdict at the same moment, and its hook tells us so, a
/// little later. So long it has before it is woken.
pub const READS_IT: Duration = Duration::from_secs(2);
/// So often is looked whether it has.
const LOOKS: Duration = Duration::from_millis(50);
/// So often is looked whether the host is still there.
const PIECE: Duration = Duration::from_secs(5);
/// So long a hook waits: the limit that it is installed with.
const MOST: Duration = Duration::from_hours(24);

/// What is to be waited for.
#[derive(Debug, Serialize, Deserialize)]
struct Found {
    project: PathBuf,
    jobs: Vec<(JobName, PathBuf)>,
}

impl Hook<'_> {
    /// Waits, and wakes the agent by what is written on standard error; whether it did.
    #[must_use]
    pub fn wait(&self, reads_it: Duration) -> bool {
        self.first_end(reads_it).is_some()
    }

    fn first_end(&self, reads_it: Duration) -> Option<()> {
        let bytes = fence::read_stdin(EVENT, SAID).ok()?;
        let heard = behind(Instant::now() + FINDS, |voice| {
            let out = self.find(&bytes).and_then(|found| serde_json::to_string(&found).ok());
            let _ =
                voice.answer(&fence::Answer { out: out.unwrap_or_default(), ..Default::default() });
        });
        let Ok(Heard::Answer(answer, _)) = heard else { return None };
        let Found { project, jobs } = serde_json::from_str(&answer.out).ok()?;
        let home = Home::open(&self.registry).ok()?;
        let (dir, waiting) = claim(&home, jobs)?;
        let report = watch_for(&dir, waiting.iter().map(|(name, ..)| name.clone()))?;
        let woken = wake(&home, &project, &report, reads_it);
        // Of what still runs the next hook takes over the right.
        for (_, path, lock) in waiting {
            let _ = std::fs::remove_file(path);
            drop(lock);
        }
        woken
    }

    /// The jobs that a command started, and those that this session started before and that still run:
    /// one hook tells one end, and the next takes over the others.
    fn find(&self, bytes: &[u8]) -> Option<Found> {
        let event = self.host.hear(bytes, &variable).ok()?;
        let What::After { command, output } = &event.what else { return None };
        let reading = read(command).unwrap_or_default();
        let mut jobs = self.started(&event, &reading, output);
        if let Some(open) = patiently(|| self.remember(&event, &reading, output).ok()).flatten() {
            let _ = open.save();
        }
        let home = Home::open(&self.registry).ok()?;
        let known = patiently(|| memory::open(&home, &event.project).ok())?.memory.jobs;
        let own = known.into_iter().filter(|job| job.session == event.session);
        jobs.extend(own.filter(news::runs).map(|job| (job.name, job.dir)));
        Some(Found { project: event.project, jobs })
    }
}

/// Tells a verdict that the agent does not know yet.
fn wake(home: &Home, project: &Path, report: &Report, reads_it: Duration) -> Option<()> {
    let run = report.run_id.clone()?;
    let by = Instant::now() + reads_it;
    let mut open = loop {
        let open = patiently(|| memory::open(home, project).ok())?;
        if open.memory.has_told(&run) {
            return None;
        }
        if Instant::now() >= by {
            break open;
        }
        drop(open);
        pause(LOOKS);
    };
    let text = format!("Sentinel: a job of this session has ended.\n{}\n", report.text());
    let mut stderr = std::io::stderr();
    stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()).ok()?;
    open.memory.tell(&run);
    let _ = open.save();
    Some(())
}

type Waiting = (JobName, PathBuf, Locked);

/// Takes the right to wait for those of them that nobody waits for, in one directory: that is what is
/// watched.
fn claim(home: &Home, jobs: Vec<(JobName, PathBuf)>) -> Option<(PathBuf, Vec<Waiting>)> {
    let mut place: Option<PathBuf> = None;
    let mut waiting = Vec::new();
    for job in jobs {
        if place.as_ref().is_some_and(|place| *place != job.1) {
            continue;
        }
        let Some(run) = record(&job).map(|record| record.run_id) else { continue };
        if let Ok(Some(lock)) = wait_lock(home, &run) {
            place = Some(job.1);
            waiting.push((job.0, wait_path(home, &run), lock));
        }
    }
    Some((place?, waiting))
}

/// The first verdict; `None`: there is nobody left to be told of it.
fn watch_for(dir: &Path, names: impl IntoIterator<Item = JobName>) -> Option<Report> {
    let config = Config {
        mode: watch::Mode::Wait { any: true },
        max_wait: Some(PIECE),
        start_wait: Duration::ZERO,
        ..Config::new(dir, names)
    };
    let until = Instant::now() + MOST;
    while Instant::now() < until && somebody_listens() {
        let mut verdict: Option<Report> = None;
        watch::watch(&config, &mut |news| {
            if let News::Verdict(report) = news
                && report.verdict != Verdict::Running
            {
                verdict = verdict.take().or_else(|| Some(report.clone()));
            }
        });
        if verdict.is_some() {
            return verdict.filter(|report| report.verdict != Verdict::Missing);
        }
    }
    None
}

/// Whether standard error still has a reader: the host may be gone.
fn somebody_listens() -> bool {
    let stderr = std::io::stderr();
    let mut fds = [PollFd::new(stderr.as_fd(), PollFlags::empty())];
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
    let _ = poll(&mut fds, PollTimeout::ZERO);
    !fds[0].revents().is_some_and(|events| events.intersects(gone))
}

/// Other hooks have the memory for milliseconds.
fn patiently<T>(mut get: impl FnMut() -> Option<T>) -> Option<T> {
    (0..100).find_map(|_| get())
}
