//! The registry on disk: read by everybody, rewritten whole under its lock.

use super::KeepError;
use super::home::Home;
use crate::os::dir::{DirError, MonitorDir};
use crate::os::disk::{Draft, sync, sync_dir};
use crate::os::lock::{Locked, lock};
use crate::protocol::name::JobName;
use crate::protocol::registry::{Process, Registry};
use std::path::Path;
use std::time::Duration;

/// More than any registry that was written by hand or by us.
const MOST: u64 = 64 << 20;
/// Rewriting it takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads it; without a file there is nothing registered.
///
/// # Errors
/// If it cannot be read, is refused, or is no JSON object.
pub fn load(home: &Home) -> Result<Registry, KeepError> {
    let bytes = home.beside().read(home.registry(), MOST)?.unwrap_or_default();
    if bytes.len() as u64 >= MOST {
        let (path, size) = (home.registry().display(), MOST >> 20);
        return Err(KeepError::Usage(format!(
            "{path}: it has more than {size} MiB, and would be read in part: expected a registry"
        )));
    }
    Registry::unpack(&bytes)
        .map_err(|why| KeepError::Registry { path: home.registry().to_owned(), why })
}

/// One process of it.
///
/// # Errors
/// If there is none of this name, or its entry cannot be understood.
pub fn process(home: &Home, registry: &Registry, name: &JobName) -> Result<Process, KeepError> {
    match registry.get(name) {
        Ok(Some(process)) => Ok(process.clone()),
        Ok(None) => Err(KeepError::Unknown(name.to_string())),
        Err(why) => Err(KeepError::Entry { path: home.registry().to_owned(), why: why.clone() }),
    }
}

/// Changes the entry of one name. Nothing is written while any other entry cannot be understood, or
/// if nothing changes.
///
/// # Errors
/// As [`load`]; if an entry is bad; or if it cannot be written.
pub fn edit(
    home: &Home,
    name: &JobName,
    change: impl FnOnce(&mut Registry) -> Result<(), KeepError>,
) -> Result<(), KeepError> {
    let _lock = lock_it(home)?;
    let mut registry = load(home)?;
    if let Some(why) = registry.bad().find(|bad| bad.name != name.as_str()) {
        return Err(KeepError::Entry { path: home.registry().to_owned(), why: why.clone() });
    }
    let before = registry.pack();
    change(&mut registry)?;
    let after = registry.pack();
    if before != after {
        replace(home.beside(), home.registry(), &after)?;
    }
    Ok(())
}

/// Takes an entry out, be it understood or not, whatever the others are: whether it was there, and
/// what it said, if that could be understood.
///
/// # Errors
/// As [`load`]; or if it cannot be written.
pub fn remove(home: &Home, name: &str) -> Result<(bool, Option<Process>), KeepError> {
    let _lock = lock_it(home)?;
    let mut registry = load(home)?;
    let process = name.parse().ok().and_then(|name| registry.get(&name).ok().flatten().cloned());
    let was = registry.remove(name);
    if was {
        replace(home.beside(), home.registry(), &registry.pack())?;
    }
    Ok((was, process))
}

fn lock_it(home: &Home) -> Result<Locked, KeepError> {
    let busy = || KeepError::Busy { name: "the registry".into(), seconds: PATIENCE.as_secs() };
    lock(home.state(), &home.registry_lock(), PATIENCE)?.ok_or_else(busy)
}

/// Puts a whole new content in place of a file, safe from a full disk and a power cut.
///
/// # Errors
/// If it cannot be written; what was there stays.
pub fn replace(dir: &MonitorDir, path: &Path, bytes: &[u8]) -> Result<(), DirError> {
    replace_all(&[(dir, path, bytes)])
}

/// [`replace`] for several files, in this order and for hardly more than the price of one: the disk
/// is waited for once for their contents, and once for their names.
///
/// # Errors
/// If one cannot be written: then it and those after it are as they were.
pub fn replace_all(files: &[(&MonitorDir, &Path, &[u8])]) -> Result<(), DirError> {
    let mut drafts = Vec::new();
    if let Err(error) = publish(files, &mut drafts) {
        drafts.iter().for_each(Draft::discard);
        return Err(error);
    }
    let mut dirs: Vec<&MonitorDir> = files.iter().map(|(dir, ..)| *dir).collect();
    dirs.dedup_by_key(|dir| dir.path());
    dirs.into_iter().try_for_each(sync_dir)
}

fn publish(files: &[(&MonitorDir, &Path, &[u8])], drafts: &mut Vec<Draft>) -> Result<(), DirError> {
    for (dir, path, bytes) in files {
        let draft = Draft::begin(dir, path)?;
        let written = draft.write(bytes);
        drafts.push(draft);
        written?;
    }
    sync(&drafts.iter().collect::<Vec<_>>())?;
    drafts.iter().try_for_each(Draft::publish)
}
