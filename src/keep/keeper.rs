//! The keeper that stays: `healthcheck --every`.
//!
//! ```text
//! wait ─▶ what ended? what is due? what did others change? ─▶ check, in a thread ─▶ plan
//!   ▲                                                                                │
//!   └────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! All it knows is read from the files, so it may be killed at any moment and started again. It
//! handles no signal: there is nothing to put in order, and its lock is freed by the kernel.
//!
//! It is woken by the end of a wrapper and by changes of the ledgers, and looks without being woken
//! once a second at what costs little, and at everything once in its interval.

use super::alerts::Settings;
use super::check::{Next, Trouble, check};
use super::home::Home;
use super::{KeepError, alerts, events, ledger, look, order, pass, registry, send, strays};
use crate::os::bell::{Bell, Ringer, bell};
use crate::os::dir::mtime_of;
use crate::os::lock::{Locked, lock};
use crate::os::say::say;
use crate::protocol::event::{Event, What};
use crate::protocol::ledger::Phase;
use crate::protocol::name::JobName;
use crate::protocol::registry::{Process, Registry};
use crate::watch::{Mode, Watch};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{HashMap, VecDeque};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// At least this often the ledgers and the registry are looked at.
const TICK: Duration = Duration::from_secs(1);
/// So many processes are acted on at once.
const AT_ONCE: usize = 64;
/// What could not be done is tried again after this.
const AGAIN: Duration = Duration::from_secs(2);
/// What has failed so often in a row is an alert: what a moment's want of descriptors or room keeps us
/// from is none.
const LASTING: u32 = 3;
/// A keeper that is just going may hold the lock for a moment.
const PATIENCE: Duration = Duration::from_millis(250);

/// What wakes the keeper.
#[derive(Debug)]
enum Wake {
    /// A ledger was written, by us or others.
    Changed,
    /// A check is over.
    Checked(JobName, Result<Next, Trouble>),
    /// What there was to send is sent, or is to be tried again after this.
    Sent(Option<Duration>),
}

/// What is next about a process.
#[derive(Clone, Debug, PartialEq)]
enum Plan {
    /// Nothing.
    Rest,
    /// It is under watch.
    Watch,
    /// To be checked then.
    At(Instant),
    /// It waits for others.
    Blocked,
    /// A thread is at it; true: something has happened meanwhile, so look again after it.
    Busy(bool),
}

struct Kept {
    process: Process,
    plan: Plan,
    /// When its ledger was last changed, as far as it was read.
    ledger: Option<i128>,
    /// The last trouble that was told.
    told: Option<String>,
    /// Checks in a row that came to nothing.
    failed: u32,
}

/// The keeper of one registry.
pub struct Keeper<'a> {
    home: &'a Home,
    settings: &'a Settings,
    every: Duration,
    kept: HashMap<JobName, Kept>,
    registry: Registry,
    registry_mtime: Option<i128>,
    watch: Watch,
    bell: Bell<Wake>,
    ringer: Ringer<Wake>,
    waiting: VecDeque<JobName>,
    busy: usize,
    next_tick: Instant,
    next_pass: Instant,
    /// When alerts are to be sent; `None`: a thread is at it, or there are none.
    next_send: Option<Instant>,
    _ledgers: Option<RecommendedWatcher>,
    _lock: Locked,
}

impl<'a> Keeper<'a> {
    /// Takes the post, of which there is one for each registry.
    ///
    /// # Errors
    /// If another has it, or the registry cannot be read.
    pub fn open(
        home: &'a Home,
        settings: &'a Settings,
        every: Duration,
    ) -> Result<Self, KeepError> {
        let lock = take_post(home)?;
        let registry = registry::load(home)?;
        let system = |source| KeepError::System { what: "wait for events".into(), source };
        let (bell, ringer) = bell().map_err(system)?;
        let now = Instant::now();
        Ok(Self {
            home,
            settings,
            every,
            kept: HashMap::new(),
            registry,
            registry_mtime: None,
            watch: Watch::open(look::config(home, [], Mode::Wait { any: false }))?,
            _ledgers: follow(home, &ringer),
            bell,
            ringer,
            waiting: VecDeque::new(),
            busy: 0,
            next_tick: now,
            next_pass: now,
            next_send: Some(now),
            _lock: lock,
        })
    }

    /// Keeps, for ever.
    pub fn run(&mut self) -> ! {
        events::tell(
            self.home,
            &Event::now("", What::KeeperStarted, format!("pid {}", std::process::id())),
        );
        loop {
            self.tick();
            let ended = self.watch.round(&mut |_| {});
            for done in ended {
                self.begin(&done.name);
            }
            self.begin_due();
            self.begin_waiting();
            self.wait();
        }
    }

    /// Sleeps until something happens or is due.
    fn wait(&mut self) {
        let due = self.kept.values().filter_map(|kept| match kept.plan {
            Plan::At(at) => Some(at),
            _ => None,
        });
        let deadline = due.chain(self.next_send).chain([self.next_tick, self.next_pass]).min();
        self.watch.wait(deadline, &[self.bell.as_fd()]);
        let mut changed = false;
        for wake in self.bell.answer().collect::<Vec<_>>() {
            match wake {
                Wake::Changed => changed = true,
                Wake::Checked(name, how) => self.checked(&name, how),
                Wake::Sent(again) => {
                    // A check that ended meanwhile may have left more.
                    let again = again.map(|again| Instant::now() + again);
                    self.next_send = self.next_send.into_iter().chain(again).min();
                }
            }
        }
        if changed {
            self.read_ledgers();
        }
    }

    /// What is looked at without being told.
    fn tick(&mut self) {
        let now = Instant::now();
        if now >= self.next_tick {
            self.next_tick = now + TICK;
            self.read_registry();
            self.read_ledgers();
        }
        if now >= self.next_pass {
            self.next_pass = now + self.every;
            pass::leave_mark(self.home);
            self.next_send.get_or_insert(now); // what others left in the queue
            match pass::needing(self.home, &self.registry) {
                Ok(todo) => todo.iter().for_each(|(name, _)| self.begin(name)),
                Err(error) => say(format!("sentinel-keep: {error}")),
            }
            self.tell_strays();
            let _ = alerts::put_flags_right(self.home, self.settings);
        }
        if self.next_send.is_some_and(|at| now >= at) {
            self.send();
        }
    }

    /// Tells of what runs without an entry. While the registry cannot be understood, nobody knows.
    fn tell_strays(&self) {
        let Ok(registry) = registry::load(self.home) else { return };
        for name in strays::find(self.home, &registry) {
            if let Err(error) = strays::tell(self.home, self.settings, &name) {
                say(format!("sentinel-keep: {}; {error}", strays::words(self.home, &name)));
            }
        }
    }

    /// Takes over what others have written into the registry. While it cannot be understood, what
    /// was understood last is kept.
    fn read_registry(&mut self) {
        let mtime = mtime_of(self.home.registry());
        if mtime.is_some() && mtime == self.registry_mtime {
            return;
        }
        let changed = self.registry_mtime != mtime;
        self.registry_mtime = mtime;
        self.next_send.get_or_insert_with(Instant::now);
        match registry::load(self.home) {
            Ok(registry) => self.registry = registry,
            Err(error) if changed => {
                alerts::tell_trouble(self.home, self.settings, "", &error.to_string());
            }
            Err(_) => {}
        }
        for bad in self.registry.bad().filter(|_| changed) {
            let why = format!("{}: {bad}", self.home.registry().display());
            alerts::tell_trouble(self.home, self.settings, &bad.name, &why);
        }
        let registry = &self.registry;
        let watch = &mut self.watch;
        // An entry that was spoilt is kept as it was understood last.
        self.kept.retain(|name, _| {
            let stays = !matches!(registry.get(name), Ok(None));
            if !stays {
                watch.remove(name);
            }
            stays
        });
        for (name, process) in self.registry.processes() {
            let new = || Kept {
                process: process.clone(),
                plan: Plan::Rest,
                ledger: None,
                told: None,
                failed: 0,
            };
            self.kept.entry(name.clone()).or_insert_with(new).process = process.clone();
        }
    }

    /// Plans anew for those whose ledger was written.
    fn read_ledgers(&mut self) {
        let changed = |(name, kept): (&JobName, &Kept)| {
            let mtime = mtime_of(&self.home.ledger(name));
            // What a thread writes that is at it, it tells at its end.
            (mtime != kept.ledger && !matches!(kept.plan, Plan::Busy(_))).then(|| name.clone())
        };
        let changed: Vec<JobName> = self.kept.iter().filter_map(changed).collect();
        for name in &changed {
            self.plan(name);
        }
    }

    /// What is next about a process, by its ledger: the one truth, whoever wrote it.
    fn plan(&mut self, name: &JobName) {
        let Some(kept) = self.kept.get_mut(name) else { return };
        let now = Instant::now();
        // Before it is read: what is written after that is news.
        kept.ledger = mtime_of(&self.home.ledger(name));
        kept.plan = match ledger::read(self.home, name) {
            Err(_) => Plan::At(now + AGAIN),
            Ok(ledger) => match &ledger.phase {
                Phase::Up => Plan::Watch,
                Phase::Due { at, .. } => Plan::At(now + at.left(&ledger::now())),
                Phase::Stopped | Phase::Completed | Phase::Failed | Phase::GivenUp { .. } => {
                    Plan::Rest
                }
            },
        };
        match kept.plan {
            Plan::Watch => self.watch.add(name),
            _ => self.watch.remove(name),
        }
    }

    fn begin_due(&mut self) {
        let now = Instant::now();
        let mut due = Vec::new();
        for (name, kept) in &self.kept {
            let ready = match kept.plan {
                Plan::At(at) => at <= now,
                Plan::Blocked => {
                    matches!(order::waits_for(self.home, &self.registry, &kept.process), Ok(None))
                }
                Plan::Rest | Plan::Watch | Plan::Busy(_) => false,
            };
            if ready {
                due.push(name.clone());
            }
        }
        for name in &due {
            self.begin(name);
        }
    }

    /// Has a process checked, as soon as there is a thread for it.
    fn begin(&mut self, name: &JobName) {
        let Some(kept) = self.kept.get_mut(name) else { return };
        if let Plan::Busy(again) = &mut kept.plan {
            *again = true;
            return;
        }
        kept.plan = Plan::Busy(false);
        self.waiting.push_back(name.clone());
    }

    fn begin_waiting(&mut self) {
        while self.busy < AT_ONCE
            && let Some(name) = self.waiting.pop_front()
        {
            let Some(kept) = self.kept.get(&name) else { continue };
            let (home, settings) = (self.home.clone(), self.settings.clone());
            let (process, ringer) = (kept.process.clone(), self.ringer.clone());
            let checked = name.clone();
            let work = move || {
                let next = check(&home, (&checked, &process), &settings);
                ringer.ring(Wake::Checked(checked, next.map_err(Trouble::from)));
            };
            self.busy += 1;
            if let Err(error) = std::thread::Builder::new().spawn(work) {
                let why = format!("there is no thread for it: {error}");
                self.checked(&name, Err(Trouble { why, passes: true }));
            }
        }
    }

    /// A check is over: what is next?
    fn checked(&mut self, name: &JobName, how: Result<Next, Trouble>) {
        self.busy -= 1;
        self.next_send.get_or_insert_with(Instant::now);
        let Some(kept) = self.kept.get_mut(name) else { return };
        let again = kept.plan == Plan::Busy(true);
        match how {
            Ok(Next::Blocked(_)) if !again => kept.plan = Plan::Blocked,
            Ok(_) if again => kept.plan = Plan::At(Instant::now()),
            Ok(next) => {
                (kept.told, kept.failed) = (None, 0);
                self.plan(name);
                if let Next::In(left) = next {
                    self.put_off(name, Instant::now() + left);
                }
            }
            Err(trouble) => {
                kept.plan = Plan::At(Instant::now() + AGAIN);
                if kept.told.as_ref() != Some(&trouble.why) {
                    say(format!("sentinel-keep: {name}: {}", trouble.why));
                }
                kept.told = Some(trouble.why.clone());
                kept.failed = kept.failed.saturating_add(u32::from(!trouble.passes));
                if kept.failed == LASTING && !trouble.passes {
                    self.tell(name, &trouble);
                }
            }
        }
    }

    fn tell(&self, name: &JobName, trouble: &Trouble) {
        let told = alerts::about(self.home, self.settings, name.as_str(), &trouble.why);
        if let Err(error) = told {
            say(format!("sentinel-keep: {error}"));
        }
    }

    /// What was looked at just now is not looked at again before this, and not watched.
    fn put_off(&mut self, name: &JobName, at: Instant) {
        let Some(kept) = self.kept.get_mut(name) else { return };
        if matches!(kept.plan, Plan::Watch | Plan::At(_)) {
            kept.plan = Plan::At(at);
            self.watch.remove(name);
        }
    }

    /// Has the alert command run for what is in the queue.
    fn send(&mut self) {
        self.next_send = None;
        if self.settings.command.is_none() {
            return;
        }
        let (home, settings, ringer) =
            (self.home.clone(), self.settings.clone(), self.ringer.clone());
        let work = move || ringer.ring(Wake::Sent(send::send(&home, &settings)));
        if std::thread::Builder::new().spawn(work).is_err() {
            self.next_send = Some(Instant::now() + AGAIN);
        }
    }
}

fn take_post(home: &Home) -> Result<Locked, KeepError> {
    let path = home.keeper_lock();
    let Some(lock) = lock(home.state(), &path, PATIENCE)? else {
        let pid = home.state().read(&path, 32)?.unwrap_or_default();
        let pid = String::from_utf8_lossy(&pid).trim().to_owned();
        let by = if pid.is_empty() { String::new() } else { format!(" (pid {pid})") };
        return Err(KeepError::AlreadyKept { registry: home.registry().display().to_string(), by });
    };
    // For people; the lock is what counts.
    let _ = lock.file.set_len(0);
    let _ = lock.file.write_all_at(format!("{}\n", std::process::id()).as_bytes(), 0);
    Ok(lock)
}

/// Rings when a ledger changes. Where that cannot be had, they are looked at once a second.
fn follow(home: &Home, ringer: &Ringer<Wake>) -> Option<RecommendedWatcher> {
    let ringer = ringer.clone();
    let handler = move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        let is_ledger = |path: &std::path::PathBuf| {
            path.extension().is_some_and(|extension| extension == "json")
        };
        if !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(is_ledger) {
            ringer.ring(Wake::Changed);
        }
    };
    // notify panics where its thread cannot be had (8.2): see first whether there is room for one.
    std::thread::Builder::new().spawn(|| {}).ok()?.join().ok()?;
    let mut watcher = notify::recommended_watcher(handler).ok()?;
    watcher.watch(home.state().path(), RecursiveMode::NonRecursive).ok()?;
    Some(watcher)
}
