//! What `sentinel-watch` does with a directory: watch some jobs, list all, close circuits.

use super::WatchError;
use super::config::{Config, Mode};
use super::news::{News, Tell};
use super::observe::Subject;
use super::report::Report;
use super::set::Watch;
use crate::decide::circuit::failures;
use crate::decide::verdict::Verdict;
use crate::os::dir::{DirError, MonitorDir};
use crate::os::{claim, history};
use crate::protocol::files::JobFiles;
use crate::protocol::history::Line;
use crate::protocol::name::JobName;
use std::collections::HashMap;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

/// Watches until every job (or, with `any`, one of them) has its verdict. The exit codes, in the
/// order of the jobs that were reported.
pub fn watch(config: &Config, tell: &mut Tell<'_>) -> Vec<u8> {
    let mut watch = match Watch::open(config.clone()) {
        Ok(watch) => watch,
        Err(error) => {
            tell(News::Failed(&error));
            return vec![2];
        }
    };
    let began = Instant::now();
    let deadline = config.max_wait.and_then(|wait| began.checked_add(wait));
    let mut next_tick = config.tick.and_then(|tick| began.checked_add(tick));
    let mut exits = HashMap::new();
    loop {
        exits.extend(watch.round(tell).into_iter().map(|done| (done.name, done.exit)));
        let enough = config.mode == Mode::Wait { any: true } && !exits.is_empty();
        if enough || watch.is_empty() {
            break;
        }
        let now = Instant::now();
        if deadline.is_some_and(|deadline| now >= deadline) {
            exits.extend(watch.last_round(tell).into_iter().map(|done| (done.name, done.exit)));
            break;
        }
        if next_tick.is_some_and(|tick| now >= tick) {
            next_tick = config.tick.and_then(|tick| now.checked_add(tick));
            watch.tell_waiting(tell);
        }
        watch.wait(deadline.into_iter().chain(next_tick).min(), &[]);
    }
    config.names.iter().filter_map(|name| exits.get(name).copied()).collect()
}

/// Every job of the directory, by name, as one look finds it.
///
/// # Errors
/// If the directory cannot be read.
pub fn list(config: &Config, tell: &mut Tell<'_>) -> Result<(), WatchError> {
    let Some(dir) = MonitorDir::open(&config.dir)? else { return Ok(()) };
    let entries =
        std::fs::read_dir(dir.path()).map_err(|source| DirError::io("list", dir.path(), source))?;
    let mut names: Vec<JobName> = entries
        .flatten()
        .filter_map(|entry| JobFiles::job_of(entry.file_name().to_str()?))
        .collect();
    names.sort_unstable();
    names.dedup();
    each_in_order(
        &names,
        |name| peek(&dir, name, config),
        |found| match found {
            Ok(report) if report.verdict == Verdict::Missing => {}
            Ok(report) => tell(News::Verdict(&report)),
            Err(error) => tell(News::Failed(&error)),
        },
    );
    Ok(())
}

/// What one look finds. Of a run that is over, its record alone is read, if that is enough.
fn peek(dir: &MonitorDir, name: &JobName, config: &Config) -> Result<Report, WatchError> {
    let mut subject = Subject::new(dir.path(), name);
    if !config.whole
        && let Some(result) = subject.record_alone(dir)?
    {
        return Ok(Report::of_record(&subject, result));
    }
    Report::now(dir, &mut subject, config)
}

/// Acts on each, by as many threads as there are processors if they are many, and takes what comes of
/// it in their order, while the threads go on; they are ahead by some batches, and no more, for a report
/// may be large. What no thread can be had for is done here.
fn each_in_order<T: Sync, R: Send>(
    all: &[T],
    act: impl Fn(&T) -> R + Sync,
    mut take: impl FnMut(R),
) {
    const BATCH: usize = 50;
    const AHEAD: usize = 4;
    // A few are done sooner than a thread is made.
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let workers = if all.len() > 4 * BATCH { processors } else { 1 };
    let act = &act;
    std::thread::scope(|scope| {
        let start = |first: usize| {
            let (sender, receiver) = sync_channel(AHEAD);
            let does = move || {
                for batch in all.chunks(BATCH).skip(first).step_by(workers) {
                    if sender.send(batch.iter().map(act).collect::<Vec<R>>()).is_err() {
                        return;
                    }
                }
            };
            let thread = std::thread::Builder::new().spawn_scoped(scope, does);
            thread.ok().map(|_| receiver)
        };
        let started: Vec<_> =
            (0..workers).map(|first| if workers > 1 { start(first) } else { None }).collect();
        for (batch, worker) in all.chunks(BATCH).zip(started.iter().cycle()) {
            match worker.as_ref().map(Receiver::recv) {
                Some(Ok(done)) => done.into_iter().for_each(&mut take),
                _ => batch.iter().map(act).for_each(&mut take),
            }
        }
    });
}

/// A circuit's key, and how many failures in a row were forgotten.
pub type Closed = (JobName, Option<usize>);

/// Closes the circuit of each job: its key and how many failures it had, `None` for a job there
/// never was.
///
/// # Errors
/// If a history cannot be written.
pub fn reset_circuits(config: &Config) -> Result<Vec<Closed>, WatchError> {
    let mut closed = Vec::new();
    let dir = MonitorDir::open(&config.dir)?;
    for name in &config.names {
        let Some(dir) = &dir else {
            closed.push((name.clone(), None));
            continue;
        };
        let files = JobFiles::new(dir.path(), name);
        let record = claim::read_heartbeat(dir, &files)?;
        let known = record.is_some();
        let key = record.and_then(|record| record.circuit).map(|circuit| circuit.key);
        let key = claim::key_of(key.as_deref().unwrap_or(name.as_str()), &files);
        let path = files.history(&key);
        let history = history::read(dir, &path)?;
        if !known && history.0.is_empty() {
            closed.push((name.clone(), None));
            continue;
        }
        history::append(dir, &path, &Line::reset_now())?;
        closed.push((key, Some(failures(history.newest_first()).len())));
    }
    Ok(closed)
}
