//! Processes that run although they have no entry any more: somebody took it out of the registry by
//! hand, renamed it, or deleted the file. Nobody looks after them; so somebody is told.

use super::alerts::{Matter, Settings, raise_other};
use super::home::Home;
use super::{KeepError, adoption, ledger, look, remnant};
use crate::os::lock::is_locked;
use crate::protocol::alert::Cause;
use crate::protocol::name::JobName;
use crate::protocol::registry::Registry;
use std::time::{Duration, SystemTime};

/// Who takes an entry out by `deregister` ends its process after that; and an editor may write what it
/// writes in two steps.
const SETTLED: Duration = Duration::from_secs(10);

/// Those that run and have no entry, by name; none where another registry may have it.
#[must_use]
pub fn find(home: &Home, registry: &Registry) -> Vec<JobName> {
    if is_fresh(home) || home.is_shared() {
        return Vec::new();
    }
    let entries = std::fs::read_dir(home.state().path()).into_iter().flatten().flatten();
    let mut found: Vec<JobName> = entries
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".json")?.parse().ok())
        .filter(|name| matches!(registry.get(name), Ok(None)) && runs(home, name))
        .collect();
    found.sort();
    found
}

fn is_fresh(home: &Home) -> bool {
    let meta = std::fs::metadata(home.registry());
    let age = meta.and_then(|meta| meta.modified()).map(|at| SystemTime::now().duration_since(at));
    age.is_ok_and(|age| age.is_ok_and(|age| age < SETTLED))
}

/// Whether it runs, and nobody is ending it just now.
fn runs(home: &Home, name: &JobName) -> bool {
    let Ok(ledger) = ledger::read(home, name) else { return false };
    let runs = look::is_held(home, name)
        || remnant::lives(&ledger)
        || ledger.adopted.as_ref().is_some_and(adoption::lives);
    runs && !is_locked(home.state(), &home.lock(name)).unwrap_or(true)
}

/// What is to be said of one.
#[must_use]
pub fn words(home: &Home, name: &JobName) -> String {
    format!("{name}: {}; {}", message(home), remedy(name))
}

/// The same without its name and what to do.
#[must_use]
pub fn message(home: &Home) -> String {
    format!(
        "it runs, and has no entry in {} any more: nobody looks after it",
        home.registry().display()
    )
}

fn remedy(name: &JobName) -> String {
    format!("put its entry back, or end it with: sentinel-keep deregister {name}")
}

/// Raises an alert about one, as often as about an entry that cannot be understood.
///
/// # Errors
/// If it cannot be raised.
pub fn tell(home: &Home, settings: &Settings, name: &JobName) -> Result<(), KeepError> {
    let (message, action) = (message(home), remedy(name));
    let (name, cause) = (name.as_str(), Cause::Registry);
    raise_other(home, settings, &Matter { name, cause, message: &message, action: &action })
}
