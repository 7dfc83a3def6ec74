//! Alerts on disk: one file each, there until somebody takes them.
//!
//! One lock orders who delivers and who takes, so that the flags say what is there; it is never
//! held while anybody is waited for, least of all a reader.

use super::home::Home;
use super::ledger::now;
use super::registry::{replace, replace_all};
use super::{KeepError, flags, queue};
use crate::decide::hush::{COOLDOWN, Hush, hush};
use crate::os::dir::MonitorDir;
use crate::os::disk::sync_dir;
use crate::os::lock::{Locked, lock};
use crate::os::say::say;
use crate::protocol::alert::{Alert, Cause};
use crate::protocol::ledger::Told;
use crate::protocol::registry::Registry;
use crate::protocol::{SCHEMA, clip};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A delivery takes milliseconds; two hundred at once take their turns.
const PATIENCE: Duration = Duration::from_secs(20);
/// Whoever takes alerts prints them first, perhaps into a pipe that nobody reads.
const TAKING: Duration = Duration::from_secs(5);
/// More is not remembered of alerts that belong to no process, bytes.
const REMEMBERED: u64 = 1 << 20;

/// How alerts reach people beside lying there.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Run with each alert as JSON on its standard input.
    pub command: Option<String>,
    /// Where the two files of seed 000 are written, too: /tmp.
    pub seed_flags: Option<PathBuf>,
}

impl Settings {
    fn seeds(&self) -> Option<&Path> {
        self.seed_flags.as_deref()
    }
}

fn order(home: &Home) -> Result<Locked, KeepError> {
    let busy = || KeepError::Busy { name: "alerts".into(), seconds: PATIENCE.as_secs() };
    lock(home.state(), &home.alerts_lock(), PATIENCE)?.ok_or_else(busy)
}

/// Puts an alert where readers look. To deliver it twice is to deliver it once.
///
/// # Errors
/// If it cannot be written.
pub fn deliver(home: &Home, settings: &Settings, alert: &Alert) -> Result<(), KeepError> {
    let _order = order(home)?;
    put(home, settings, alert, settings.command.is_some())
}

/// The queue first: an alert that is there has been queued, however we ended.
fn put(home: &Home, settings: &Settings, alert: &Alert, send: bool) -> Result<(), KeepError> {
    let dir = MonitorDir::create(home.alerts()?.path())?;
    let path = dir.path().join(queue::file_name(alert));
    if read(&dir, &path).ok().is_none_or(|known| known.id != alert.id) {
        let packed = alert.pack();
        let itself = (&dir, path.as_path(), packed.as_slice());
        let item = if send { queue::item(home, alert)? } else { None };
        match &item {
            Some((dir, path, bytes)) => replace_all(&[(dir, path, bytes), itself])?,
            None => replace_all(&[itself])?,
        }
    }
    flags::raise(home, settings.seeds(), alert);
    Ok(())
}

// ---- reading and taking -----------------------------------------------------------------------

/// What is in `alerts/`.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The alerts nobody has taken, oldest first.
    pub alerts: Vec<Alert>,
    /// What else is there, and why it is no alert.
    pub strangers: Vec<String>,
    paths: Vec<PathBuf>,
}

fn read(dir: &MonitorDir, path: &Path) -> Result<Alert, String> {
    let bytes = dir.read(path, queue::MOST).map_err(|error| error.to_string())?;
    let bytes = bytes.ok_or_else(|| format!("{} is gone", path.display()))?;
    Alert::unpack(&bytes).ok_or_else(|| {
        format!("{} is no alert, and left alone; remove it, or mend it", path.display())
    })
}

/// The alerts nobody has taken.
///
/// # Errors
/// If their directory cannot be read.
pub fn list(home: &Home) -> Result<Found, KeepError> {
    let dir = home.alerts()?;
    let mut alerts = Vec::new();
    let mut found = Found::default();
    for path in queue::files(&dir)? {
        match read(&dir, &path) {
            Ok(alert) => alerts.push((alert, path)),
            Err(_) if !path.is_symlink() && !path.exists() => {} // taken meanwhile
            Err(why) => found.strangers.push(why),
        }
    }
    alerts.sort_by_key(|(alert, _)| alert.at);
    (found.alerts, found.paths) = alerts.into_iter().unzip();
    Ok(found)
}

/// Shows the alerts, then removes those that were shown: one that arrives meanwhile stays, and if
/// they cannot be shown all stay.
///
/// # Errors
/// If they cannot be shown or removed, or somebody else is taking them.
pub fn take(
    home: &Home,
    settings: &Settings,
    show: impl FnOnce(&Found) -> io::Result<()>,
) -> Result<(), KeepError> {
    let busy = || KeepError::Busy { name: "alerts --take".into(), seconds: TAKING.as_secs() };
    let _taking = lock(home.state(), &home.taking_lock(), TAKING)?.ok_or_else(busy)?;
    let found = list(home)?;
    show(&found).map_err(|source| KeepError::System {
        what: "print the alerts, so none was taken".into(),
        source,
    })?;
    let _order = order(home)?;
    let dir = home.alerts()?;
    for path in &found.paths {
        dir.remove(path)?;
    }
    if !found.paths.is_empty() {
        sync_dir(&dir)?;
    }
    flags::reset(home, settings.seeds(), &list(home)?.alerts);
    Ok(())
}

/// Takes flags away that tell of no alert: whoever took the alerts was killed before it could.
///
/// # Errors
/// If what is there cannot be seen.
pub fn put_flags_right(home: &Home, settings: &Settings) -> Result<(), KeepError> {
    let is_stale = || {
        let nothing = queue::files(&home.alerts()?)?.is_empty();
        Ok::<_, KeepError>(nothing && home.flag().symlink_metadata().is_ok())
    };
    if is_stale()? {
        let _order = order(home)?;
        if is_stale()? {
            flags::reset(home, settings.seeds(), &[]);
        }
    }
    Ok(())
}

// ---- alerts of no process's own ---------------------------------------------------------------

/// Something to know that is in no process's ledger.
#[derive(Clone, Copy, Debug)]
pub struct Matter<'a> {
    /// What it concerns.
    pub name: &'a str,
    /// Which kind it is of.
    pub cause: Cause,
    /// One line for people.
    pub message: &'a str,
    /// What is done about it.
    pub action: &'a str,
}

/// Raises an alert that belongs to no process, or counts it where there was the same just now: of a
/// registry that cannot be understood the same words, of a failing alert command any.
///
/// # Errors
/// If it cannot be written.
pub fn raise_other(home: &Home, settings: &Settings, matter: &Matter) -> Result<(), KeepError> {
    let _order = order(home)?;
    let now = now();
    let bytes = home.state().read(&home.told(), REMEMBERED)?.unwrap_or_default();
    // Damaged from outside: an alert too many is better than one too few.
    let mut told: BTreeMap<String, Told> = serde_json::from_slice(&bytes).unwrap_or_default();
    let key = match matter.cause {
        Cause::AlertCommand => matter.cause.to_string(),
        cause => format!("{cause} {} {}", clip(matter.name, 200), clip(matter.message, 500)),
    };
    let last = told.get(&key).map(|told| (now.age(&told.at), told.suppressed));
    match hush(last) {
        Hush::Count => {
            if let Some(told) = told.get_mut(&key) {
                told.suppressed = told.suppressed.saturating_add(1);
            }
        }
        Hush::Raise { suppressed } => {
            let since = now.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let alert = Alert {
                schema: SCHEMA,
                id: format!("{:013}-{}-{}", since.as_millis(), matter.name, matter.cause),
                at: now.at,
                name: clip(matter.name, 200),
                cause: matter.cause,
                message: clip(matter.message, 2000),
                run_id: None,
                action: matter.action.to_owned(),
                suppressed,
            };
            // What tells that the command fails is nothing for the command.
            let send = settings.command.is_some() && matter.cause != Cause::AlertCommand;
            put(home, settings, &alert, send)?;
            told.insert(key, Told { at: now.clone(), suppressed: 0 });
        }
    }
    told.retain(|_, told| told.suppressed > 0 || now.age(&told.at) < COOLDOWN);
    let bytes = serde_json::to_vec(&told).unwrap_or_default();
    Ok(replace(home.state(), &home.told(), &bytes)?)
}

/// Raises an alert for each entry of the registry that cannot be understood, or for the whole of it.
///
/// # Errors
/// As [`raise_other`].
pub fn about_registry(
    home: &Home,
    settings: &Settings,
    loaded: Result<&Registry, &KeepError>,
) -> Result<(), KeepError> {
    match loaded {
        Err(why) => about(home, settings, "", &why.to_string()),
        Ok(registry) => registry.bad().try_for_each(|bad| {
            let why = format!("{}: {bad}", home.registry().display());
            about(home, settings, &bad.name, &why)
        }),
    }
}

/// Tells of what keeps an entry from being looked after; without a name, of what keeps all of them.
///
/// # Errors
/// If it cannot be told.
pub fn about(home: &Home, settings: &Settings, name: &str, message: &str) -> Result<(), KeepError> {
    let name = if name.is_empty() { "registry" } else { name };
    let action = "mend it; until then nobody may be looking after it";
    raise_other(home, settings, &Matter { name, cause: Cause::Registry, message, action })
}

/// Says that something is wrong with the registry or an entry of it, and raises an alert.
pub fn tell_trouble(home: &Home, settings: &Settings, name: &str, why: &str) {
    say(format!("sentinel-keep: {why}"));
    if let Err(error) = about(home, settings, name, why) {
        say(format!("sentinel-keep: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn scene() -> (tempfile::TempDir, Home) {
        let root = tempfile::tempdir().unwrap();
        let home = Home::make(&root.path().join("home/registry.json")).unwrap();
        (root, home)
    }

    fn alert(id: &str) -> Alert {
        Alert {
            schema: SCHEMA,
            id: id.to_owned(),
            at: SystemTime::UNIX_EPOCH,
            name: "bot".to_owned(),
            cause: Cause::Exit,
            message: format!("message of {id}"),
            run_id: None,
            action: "none".to_owned(),
            suppressed: 0,
        }
    }

    #[test]
    fn of_two_hundred_delivered_at_once_none_is_lost_or_taken_unseen() {
        let (root, home) = scene();
        let seeds = root.path().join("tmp");
        std::fs::create_dir(&seeds).unwrap();
        let settings = Settings { command: Some("true".into()), seed_flags: Some(seeds.clone()) };
        let turn = AtomicUsize::new(0);
        let mut seen = BTreeSet::new();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    while let n @ 0..200 = turn.fetch_add(1, Ordering::Relaxed) {
                        deliver(&home, &settings, &alert(&format!("{n:03}"))).unwrap();
                    }
                });
            }
            for round in 0.. {
                if seen.len() == 200 {
                    break;
                }
                let mut shown = Vec::new();
                let failing = round % 2 == 1;
                let done = take(&home, &settings, |found| {
                    shown = found.alerts.iter().map(|alert| alert.id.clone()).collect();
                    if failing { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
                });
                assert_eq!(done.is_err(), failing);
                if failing {
                    let left = list(&home).unwrap().alerts;
                    assert!(shown.iter().all(|id| left.iter().any(|alert| alert.id == *id)));
                } else {
                    assert!(shown.into_iter().all(|id| seen.insert(id)), "taken twice");
                }
            }
        });
        assert!(list(&home).unwrap().alerts.is_empty());
        assert!(!home.flag().exists() && !home.flag_text().exists());
        assert_eq!(std::fs::read_dir(&seeds).unwrap().count(), 0);
        assert_eq!(queue::files(&home.queue().unwrap()).unwrap().len(), 200);
    }

    #[test]
    fn alerts_that_differ_only_in_what_no_file_name_holds_are_all_there() {
        let (_root, home) = scene();
        let settings = Settings { command: Some("true".into()), seed_flags: None };
        let long = "x".repeat(300);
        let ids =
            ["1-ä".into(), "1-ö".into(), "1-_".into(), format!("{long}1"), format!("{long}2")];
        for id in &ids {
            deliver(&home, &settings, &alert(id)).unwrap();
        }
        assert_eq!(list(&home).unwrap().alerts.len(), ids.len());
        assert_eq!(queue::files(&home.queue().unwrap()).unwrap().len(), ids.len());
    }

    #[test]
    fn to_deliver_twice_is_to_deliver_once() {
        let (_root, home) = scene();
        let settings = Settings { command: Some("true".into()), seed_flags: None };
        let first = alert("../../evil name");
        deliver(&home, &settings, &first).unwrap();
        for path in queue::files(&home.queue().unwrap()).unwrap() {
            std::fs::remove_file(path).unwrap(); // sent meanwhile
        }
        deliver(&home, &settings, &first).unwrap();
        assert_eq!(list(&home).unwrap().alerts, std::slice::from_ref(&first));
        assert!(queue::files(&home.queue().unwrap()).unwrap().is_empty());
        let text = std::fs::read_to_string(home.flag_text()).unwrap();
        assert_eq!(text, first.line() + "\n");
    }

    #[test]
    fn alerts_of_no_process_are_hushed_by_their_words_or_their_cause() {
        let (_root, home) = scene();
        let settings = Settings { command: Some("true".into()), seed_flags: None };
        let raise = |name, cause, message| {
            raise_other(&home, &settings, &Matter { name, cause, message, action: "none" })
                .unwrap();
            list(&home).unwrap().alerts.len()
        };
        assert_eq!(raise("a/../b", Cause::Registry, "one"), 1);
        assert_eq!(raise("a/../b", Cause::Registry, "one"), 1);
        assert_eq!(raise("a/../b", Cause::Registry, "two"), 2);
        assert_eq!(raise("c", Cause::Registry, "two"), 3);
        assert_eq!(queue::files(&home.queue().unwrap()).unwrap().len(), 3);
        assert_eq!(raise("command", Cause::AlertCommand, "one"), 4);
        assert_eq!(raise("command", Cause::AlertCommand, "two"), 4);
        assert_eq!(queue::files(&home.queue().unwrap()).unwrap().len(), 3);
        // A quarter of an hour later, as if in another boot.
        let bytes = std::fs::read(home.told()).unwrap();
        let mut told: BTreeMap<String, Told> = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(told["alert-command"].suppressed, 1);
        for told in told.values_mut() {
            told.at = told.at.earlier(COOLDOWN);
        }
        std::fs::write(home.told(), serde_json::to_vec(&told).unwrap()).unwrap();
        assert_eq!(raise("command", Cause::AlertCommand, "three"), 5);
        // A clock that was a year ahead, until a reboot, hushes nobody for a year.
        let bytes = std::fs::read(home.told()).unwrap();
        let mut told: BTreeMap<String, Told> = serde_json::from_slice(&bytes).unwrap();
        for told in told.values_mut() {
            told.at = told.at.later(Duration::from_hours(24 * 365));
            told.at.boot_id = "another".into();
        }
        std::fs::write(home.told(), serde_json::to_vec(&told).unwrap()).unwrap();
        assert_eq!(raise("command", Cause::AlertCommand, "four"), 6);
        assert_eq!(list(&home).unwrap().alerts[4].suppressed, 1);
    }
}
