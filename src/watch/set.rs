//! The jobs under watch: rounds of looks, and the wait between them.

use super::WatchError;
use super::changes::Wake;
use super::config::{Config, Mode};
use super::entry::Entry;
use super::look::{Lookout, STARVED, TICK};
use super::news::{News, Tell};
use crate::os::bell::{Bell, bell};
use crate::os::dir::DirError;
use crate::protocol::name::JobName;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::resource::{Resource, getrlimit};
use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Of the descriptors this process may have, one in so many holds a job's wrapper.
const SHARE: u64 = 4;

/// A set of jobs that are watched until each has its verdict. Jobs may come and go at any time.
///
/// ```no_run
/// use sentinel::watch::{Config, News, Watch};
///
/// # fn main() -> Result<(), sentinel::watch::WatchError> {
/// let mut watch = Watch::open(Config::new("/var/lib/me/jobs", []))?;
/// watch.add(&"build".parse().unwrap());
/// while !watch.is_empty() {
///     watch.wait(None, &[]);
///     for done in watch.round(&mut |news| println!("{news:?}")) {
///         println!("{} is over: {}", done.name, done.exit);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Watch {
    lookout: Lookout,
    /// By their numbers, which only grow.
    jobs: BTreeMap<u64, Entry>,
    /// The numbers, by name.
    ids: HashMap<JobName, u64>,
    next_id: u64,
    /// So many wrappers are held by a descriptor; the others are watched by their files.
    most_handles: usize,
    bell: Bell<Wake>,
    looked: Instant,
}

/// A job that is no longer watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The job.
    pub name: JobName,
    /// The exit code of its verdict; 2 if it could not be judged.
    pub exit: u8,
}

impl Watch {
    /// Begins to watch the jobs that the config names; there may be none. Of the config, `max_wait`
    /// and `tick` are for the caller to keep.
    ///
    /// # Errors
    /// If the directory is refused, or there is no descriptor left.
    pub fn open(mut config: Config) -> Result<Self, WatchError> {
        let (bell, ringer) =
            bell().map_err(|source| DirError::io("wait for", &config.dir, source))?;
        let names = std::mem::take(&mut config.names);
        let lookout = Lookout::open(config, ringer)?;
        let mut watch = Self {
            lookout,
            jobs: BTreeMap::new(),
            ids: HashMap::new(),
            next_id: 0,
            most_handles: most_handles(),
            bell,
            looked: Instant::now(),
        };
        for name in &names {
            watch.add(name);
        }
        Ok(watch)
    }

    /// Begins to watch the run that this job has now. A job that is watched already stays as it is;
    /// one whose verdict was given is watched anew.
    pub fn add(&mut self, name: &JobName) {
        if !self.ids.contains_key(name) {
            self.begin(name);
        }
    }

    /// Watches this job no longer. If it is just being ended, it comes to its end all the same.
    pub fn remove(&mut self, name: &JobName) {
        if let Some(job) = self.ids.remove(name).and_then(|id| self.jobs.remove(&id)) {
            self.lookout.forget(&job);
        }
    }

    /// Whether nothing is watched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Looks at what is due, and tells what there is to tell. The jobs that got their verdict, in
    /// the order they were added; with `any`, no more than the first.
    pub fn round(&mut self, tell: &mut Tell<'_>) -> Vec<Done> {
        let Self { lookout, jobs, ids, .. } = self;
        let now = Instant::now();
        lookout.now = now;
        let held = jobs.values().filter(|job| job.pollable().is_some()).count();
        lookout.handles = self.most_handles.saturating_sub(held);
        let any = lookout.config.mode == Mode::Wait { any: true };
        let mut done = Vec::new();
        jobs.retain(|_, job| {
            let due = job.next_look().is_some_and(|at| at <= now);
            if !due || (any && !done.is_empty()) {
                return true;
            }
            let Some(exit) = lookout.look(job, tell) else { return true };
            lookout.forget(job);
            ids.remove(&job.subject.name);
            done.push(Done { name: job.subject.name.clone(), exit });
            false
        });
        done
    }

    /// Tells of every job as it is, and watches none any longer.
    pub fn last_round(&mut self, tell: &mut Tell<'_>) -> Vec<Done> {
        let Self { lookout, jobs, .. } = self;
        let last = |mut job: Entry| {
            let exit = lookout.last_look(&mut job, tell);
            lookout.forget(&job);
            Done { name: job.subject.name, exit }
        };
        self.ids.clear();
        std::mem::take(jobs).into_values().map(last).collect()
    }

    /// Tells that the wait goes on.
    pub fn tell_waiting(&mut self, tell: &mut Tell<'_>) {
        let jobs = self.jobs.len();
        let first = self.jobs.values_mut().next().and_then(|job| self.lookout.glance(job));
        if let Some(report) = first {
            tell(News::Waiting(jobs, &report));
        }
    }

    /// Sleeps until a job changes or a look is due, until the deadline, or until one of these
    /// descriptors is readable (or closed): for each of them, whether it is. With no job, no
    /// deadline and no descriptor it sleeps for ever.
    ///
    /// When this process was stopped, or its owner was busy for long, the jobs do not pay for it:
    /// the time is not counted as their silence.
    pub fn wait(&mut self, deadline: Option<Instant>, others: &[BorrowedFd<'_>]) -> Vec<bool> {
        let rest = self.rest(deadline);
        let readable = self.sleep(rest, others);
        for wake in self.bell.answer().collect::<Vec<_>>() {
            // Of a job that is no longer watched there is nothing to hear.
            match wake {
                Wake::Changed(id) => self.with(id, Entry::is_heard),
                Wake::Concluded(id, how) => self.with(id, |job| job.conclude(how)),
            }
        }
        // Looks are never further apart than planned, unless somebody stopped or starved us.
        let gap = self.looked.elapsed();
        if let Some(rest) = rest
            && gap > rest + TICK.min(rest) + STARVED
        {
            for job in self.jobs.values_mut() {
                job.subject.credit(gap.saturating_sub(rest));
            }
        }
        self.looked = Instant::now();
        readable
    }

    fn begin(&mut self, name: &JobName) {
        if self.jobs.is_empty() {
            self.looked = Instant::now(); // before, there was nothing to look at
        }
        self.jobs.insert(self.next_id, Entry::new(self.next_id, self.lookout.path(), name));
        self.ids.insert(name.clone(), self.next_id);
        self.next_id += 1;
    }

    fn with(&mut self, id: u64, act: impl FnOnce(&mut Entry)) {
        if let Some(job) = self.jobs.get_mut(&id) {
            act(job);
        }
    }

    /// How long there is nothing to do; `None`: for ever.
    fn rest(&self, deadline: Option<Instant>) -> Option<Duration> {
        let now = Instant::now();
        let looks = self.jobs.values().filter_map(Entry::next_look);
        let tick = (!self.jobs.is_empty()).then(|| now + TICK);
        let due = looks.chain(deadline).chain(tick).min()?;
        Some(due.saturating_duration_since(now))
    }

    /// One poll over all there is.
    fn sleep(&mut self, rest: Option<Duration>, others: &[BorrowedFd<'_>]) -> Vec<bool> {
        let watch = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut polled = vec![watch(self.bell.as_fd())];
        polled.extend(others.iter().copied().map(watch));
        polled.extend(self.jobs.values().filter_map(Entry::pollable).map(watch));
        // Rounded up: waking a moment early would be a round for nothing.
        let timeout = rest.map_or(Ok(PollTimeout::NONE), |rest| {
            PollTimeout::try_from(rest + Duration::from_micros(999))
        });
        let _ = nix::poll::poll(&mut polled, timeout.unwrap_or(PollTimeout::MAX));
        let mut readable: Vec<bool> = polled[1..].iter().map(|fd| fd.any() == Some(true)).collect();
        let ended = readable.split_off(others.len());
        let held = self.jobs.values_mut().filter(|job| job.pollable().is_some());
        for (job, _) in held.zip(ended).filter(|(_, ended)| *ended) {
            job.is_left();
        }
        readable
    }
}

fn most_handles() -> usize {
    let soft = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
    usize::try_from(soft / SHARE).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::Kill;
    use std::fs;
    use std::path::Path;

    /// A job of another writer, which this process runs, and which no descriptor can be held of.
    fn begin_job(dir: &Path, name: &str) {
        let _ = fs::remove_file(dir.join(format!("{name}.status")));
        fs::write(dir.join(format!("{name}.pid")), std::process::id().to_string()).unwrap();
        fs::write(dir.join(format!("{name}.heartbeat")), "").unwrap();
    }

    fn end_job(dir: &Path, name: &str) {
        fs::write(dir.join(format!("{name}.status")), "FAILED\n").unwrap();
    }

    #[test]
    fn nothing_is_kept_of_jobs_that_came_and_went() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::new(dir.path(), []);
        config.kill = Kill::Never; // or it would count the failures
        let mut watch = Watch::open(config).unwrap();
        let names: Vec<JobName> = (0..8).map(|n| format!("job{n}").parse().unwrap()).collect();
        for n in 0..100_000 {
            watch.add(&names[n % 8]);
            watch.remove(&names[(n + 5) % 8]);
        }
        for name in &names {
            watch.remove(name);
        }
        for turn in 0..100 {
            for name in &names {
                begin_job(dir.path(), name.as_str());
                watch.add(name);
            }
            assert_eq!(watch.round(&mut |_| {}), []);
            // None where the user may have no more inotify instances.
            assert!([0, 8].contains(&watch.lookout.followed()), "turn {turn}");
            watch.remove(&names[0]);
            for name in &names {
                end_job(dir.path(), name.as_str());
            }
            watch.jobs.values_mut().for_each(Entry::is_heard);
            let done = watch.round(&mut |_| {});
            assert!(done.iter().map(|done| &done.name).eq(&names[1..]), "{done:?}");
            assert!(done.iter().all(|done| done.exit == 1), "{done:?}");
            let kept = (watch.jobs.len(), watch.ids.len(), watch.lookout.followed());
            assert_eq!(kept, (0, 0, 0), "turn {turn}");
        }
        assert!(watch.ids.capacity() <= 16, "{}", watch.ids.capacity());
    }
}
