//! One healthcheck: all processes once, and whatever restarts come due meanwhile.

use super::alerts::Settings;
use super::check::{Next, Trouble, check};
use super::home::Home;
use super::{KeepError, ledger, look, order};
use crate::decide::verdict::Verdict;
use crate::os::clock::pause;
use crate::os::lock::is_locked;
use crate::protocol::ledger::{Ledger, Phase};
use crate::protocol::name::JobName;
use crate::protocol::registry::{Process, Registry};
use crate::watch::Report;
use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// So many processes are acted on at once: a hung one takes its grace to end.
const AT_ONCE: usize = 16;

/// Who looks at all does so more often than this.
const SELDOM: Duration = Duration::from_hours(25);

/// Says that somebody has looked, or is about to.
pub fn leave_mark(home: &Home) {
    if let Ok(file) = home.state().create_file(&home.looked()) {
        let _ = file.set_modified(SystemTime::now());
    }
}

/// Whether somebody looks: a keeper that stays, or one that came by not long ago.
#[must_use]
pub fn is_looked_after(home: &Home) -> bool {
    let looked = std::fs::symlink_metadata(home.looked()).and_then(|meta| meta.modified()).ok();
    let ago = looked.and_then(|at| SystemTime::now().duration_since(at).ok());
    ago.is_some_and(|ago| ago < SELDOM)
        || is_locked(home.state(), &home.keeper_lock()).unwrap_or_default()
}

/// What one pass did about a process.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Which.
    pub name: JobName,
    /// What is left to do, or what kept it from being done.
    pub next: Result<Next, Trouble>,
}

/// Looks at all of them once; acts where what is differs from what should be. Returns those acted on.
///
/// # Errors
/// If the jobs cannot be looked at at all.
pub fn pass(
    home: &Home,
    registry: &Registry,
    settings: &Settings,
) -> Result<Vec<Visit>, KeepError> {
    let todo = needing(home, registry)?;
    Ok(visit(home, &todo, settings))
}

/// One pass, and then whatever comes due within its cooldown, or waits for what was just started.
///
/// # Errors
/// As [`pass`].
pub fn healthcheck(
    home: &Home,
    registry: &Registry,
    settings: &Settings,
    tell: &mut dyn FnMut(&Visit),
) -> Result<(), KeepError> {
    let began = Instant::now();
    leave_mark(home);
    let mut visits = pass(home, registry, settings)?;
    let mut pending: Vec<(JobName, Instant)> = Vec::new();
    let mut told: HashMap<JobName, Result<Next, Trouble>> = HashMap::new();
    loop {
        let now = Instant::now();
        for visit in &visits {
            // Who waits for others is looked at often, and told of once.
            if told.insert(visit.name.clone(), visit.next.clone()).as_ref() != Some(&visit.next) {
                tell(visit);
            }
            let Ok(Some(process)) = registry.get(&visit.name) else { continue };
            let wait = match &visit.next {
                Ok(Next::In(left)) => Some((*left, process.restart_cooldown.into())),
                Ok(Next::Blocked(_)) => order::is_promised(home, process).then_some((LOOK, OTHERS)),
                _ => None,
            };
            let inside = wait.filter(|(left, most)| now + *left <= began + *most + SLACK);
            pending.extend(inside.map(|(left, _)| (visit.name.clone(), now + left)));
        }
        let Some(next) = pending.iter().map(|(_, at)| *at).min() else { return Ok(()) };
        pause(next.saturating_duration_since(now));
        let due: Vec<(JobName, Instant)> =
            pending.extract_if(.., |(_, at)| *at <= next + SOON).collect();
        // Somebody may have registered it anew while it was waited for.
        let now_there = super::registry::load(home).unwrap_or_else(|_| registry.clone());
        let todo: Vec<(JobName, Process)> = now_there
            .processes()
            .filter(|(name, _)| due.iter().any(|(due, _)| due == *name))
            .map(|(name, process)| (name.clone(), process.clone()))
            .collect();
        visits = visit(home, &todo, settings);
    }
}

/// What comes due within this is done together.
const SOON: Duration = Duration::from_millis(20);
/// What comes due so long after its cooldown is still waited for.
const SLACK: Duration = Duration::from_secs(1);
/// What waits for others is looked at this often, and so long.
const LOOK: Duration = Duration::from_millis(100);
const OTHERS: Duration = Duration::from_secs(15);

/// Those about which something is to be done, by a look that takes no lock.
///
/// # Errors
/// If the jobs cannot be looked at.
pub fn needing(home: &Home, registry: &Registry) -> Result<Vec<(JobName, Process)>, KeepError> {
    let mut ledgers = HashMap::new();
    let mut wanted = Vec::new();
    for (name, _) in registry.processes() {
        // One that cannot be read is told of by who acts on it, and is no trouble of the others.
        let ledger = ledger::read(home, name).ok();
        if ledger.as_ref().is_some_and(|ledger| ledger.phase == Phase::Up) {
            wanted.push(name.clone());
        }
        ledgers.insert(name.clone(), ledger);
    }
    let reports: HashMap<String, Report> = if wanted.is_empty() {
        HashMap::new()
    } else {
        look::peek(home, wanted)?.into_iter().map(|r| (r.name.clone(), r)).collect()
    };
    let needs = |name: &JobName, ledger: &Ledger| match &ledger.phase {
        _ if !ledger.outbox.is_empty() => true,
        Phase::Up => reports
            .get(name.as_str())
            .is_none_or(|r| r.verdict != Verdict::Running || r.run_id != ledger.run_id),
        Phase::Due { .. } => true,
        Phase::Stopped | Phase::Completed | Phase::Failed | Phase::GivenUp { .. } => {
            look::is_held(home, name)
        }
    };
    let todo = registry
        .processes()
        .filter(|(name, _)| ledgers[*name].as_ref().is_none_or(|ledger| needs(name, ledger)));
    Ok(todo.map(|(name, process)| (name.clone(), process.clone())).collect())
}

/// Acts on each, some at once.
fn visit(home: &Home, todo: &[(JobName, Process)], settings: &Settings) -> Vec<Visit> {
    let mut visits = Vec::new();
    abreast(
        todo,
        |(name, process)| check(home, (name, process), settings),
        |(name, _), next| {
            let next = next.map_err(Trouble::from);
            visits.push(Visit { name: name.clone(), next });
        },
    );
    visits
}

/// Acts on each, some at once; what came of it is told in their order, as soon as its turn comes.
pub fn abreast<I: Sync, T: Send>(
    items: &[I],
    act: impl Fn(&I) -> T + Sync,
    tell: impl FnMut(&I, T) + Send,
) {
    let begun = AtomicUsize::new(0);
    let answers = Mutex::new((tell, BTreeMap::new(), 0));
    let work = || {
        loop {
            let at = begun.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return };
            let answer = act(item);
            let Ok(mut answers) = answers.lock() else { return };
            let (tell, early, told) = &mut *answers;
            early.insert(at, answer);
            while let Some(answer) = early.remove(told) {
                tell(&items[*told], answer);
                *told += 1;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..items.len().min(AT_ONCE) {
            // Without another thread it takes longer.
            if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
}
