//! What an installation, or its undo, changes: first as a plan, which may be shown, then done.
//!
//! The record is written before the files: whoever is killed in between has recorded an installation
//! that can be undone, and made none that cannot.

use super::content::{SKILL, monitor};
use super::entries::{besides, entries};
use super::place::Places;
use super::record::{Open, Record, Written};
use super::settings::{self, Wanted};
use crate::hook::host::Host;
use crate::keep::KeepError;
use crate::os::dir::read_all;
use crate::os::disk::rewrite;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// No settings file is larger, bytes.
const MOST: u64 = 16 << 20;

/// What is done with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The file.
    pub path: PathBuf,
    /// What is there; none: nothing.
    pub old: Option<String>,
    /// What will be there.
    pub new: Option<String>,
    /// Why it is left alone although it is not as wanted.
    pub kept: Option<String>,
    /// It is the user's, and merged into.
    pub merged: bool,
}

impl Change {
    /// One word for it.
    #[must_use]
    pub fn did(&self) -> &'static str {
        match (&self.old, &self.new) {
            _ if self.kept.is_some() => "kept",
            (old, new) if old == new => "unchanged",
            (None, _) => "created",
            (_, None) => "removed",
            _ => "changed",
        }
    }

    /// What is different, in the form of `diff -u`.
    #[must_use]
    pub fn difference(&self) -> String {
        let [old, new] = [&self.old, &self.new].map(|text| text.as_deref().unwrap_or_default());
        let diff = similar::TextDiff::from_lines(old, new);
        let name = |side: &Option<String>| match side {
            Some(_) => self.path.display().to_string(),
            None => "/dev/null".to_owned(),
        };
        diff.unified_diff().header(&name(&self.old), &name(&self.new)).to_string()
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Order {
    /// The host.
    pub host: Host,
    /// Where things go.
    pub places: Places,
    /// What precedes `--host`, as a shell reads it.
    pub command: String,
    /// Files that were changed since are replaced.
    pub force: bool,
}

fn left_alone(path: PathBuf, old: String, why: &str, merged: bool) -> Change {
    Change { path, new: Some(old.clone()), old: Some(old), kept: Some(why.to_owned()), merged }
}

fn fail(what: &str, path: &Path, source: io::Error) -> KeepError {
    KeepError::System { what: format!("{what} {}", path.display()), source }
}

/// The text of a file; none if there is no such file.
fn text(path: &Path) -> Result<Option<String>, KeepError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fail("read", path, error)),
    };
    let is_file = file.metadata().map_err(|error| fail("read", path, error))?.is_file();
    if !is_file {
        let what = format!("{} is no regular file; move it away", path.display());
        return Err(KeepError::Usage(what));
    }
    let bytes = read_all(file, MOST).map_err(|error| fail("read", path, error))?;
    let text = String::from_utf8(bytes);
    text.map(Some).map_err(|_| KeepError::Usage(format!("{} is no UTF-8", path.display())))
}

/// What an installation changes.
///
/// # Errors
/// If something that is there cannot be read, or a settings file not be understood.
pub fn install(order: &Order, record: &Record) -> Result<Vec<Change>, KeepError> {
    let mut changes = Vec::new();
    let (name, agent) = monitor(order.host);
    let files = SKILL.map(|(path, content)| (order.places.skill.join(path), content.to_owned()));
    for (path, content) in files.into_iter().chain([(order.places.agents.join(name), agent)]) {
        let old = text(&path)?;
        let known = record.files.get(&path);
        let is_ours = old.is_none()
            || old.as_ref() == Some(&content)
            || known.zip(old.as_ref()).is_some_and(|(known, old)| known.is_ours(old));
        changes.push(if is_ours || order.force {
            Change { path, old, new: Some(content), kept: None, merged: false }
        } else {
            let why = "it was changed, or is somebody else's; --force replaces it".to_owned();
            Change { path, new: old.clone(), old, kept: Some(why), merged: false }
        });
    }
    let wanted =
        Wanted { hooks: entries(order.host, &order.command), besides: besides(order.host) };
    let path = order.places.settings.clone();
    let old = text(&path)?;
    let new = settings::with(old.as_deref().unwrap_or_default(), &wanted)
        .map_err(|error| KeepError::Usage(format!("{}: {error}", path.display())))?;
    changes.push(Change { path, old, new: Some(new), kept: None, merged: true });
    Ok(changes)
}

/// What an undo changes.
///
/// # Errors
/// As [`install`].
pub fn uninstall(order: &Order, record: &Record) -> Result<Vec<Change>, KeepError> {
    let places = &order.places;
    let (name, _) = monitor(order.host);
    let mut files: Vec<PathBuf> = SKILL.map(|(path, _)| places.skill.join(path)).into();
    files.push(places.agents.join(name));
    // Files of an earlier version are known by the record alone.
    let recorded = record.files.keys().filter(|path| path.starts_with(&places.skill));
    files.extend(recorded.cloned());
    files.sort();
    files.dedup();
    let mut changes = Vec::new();
    for path in files {
        let Some(old) = text(&path)? else { continue };
        let known = record.files.get(&path);
        let before = known.and_then(|known| known.before.clone());
        let why = match known {
            _ if order.force => None,
            Some(known) if known.is_ours(&old) => None,
            Some(_) => Some("it was changed since; --force removes it"),
            None => Some("it was not put there from here; --force removes it"),
        };
        changes.push(match why {
            None => Change { path, old: Some(old), new: before, kept: None, merged: false },
            Some(why) => left_alone(path, old, why, false),
        });
    }
    let path = places.settings.clone();
    if let Some(old) = text(&path)? {
        let without = settings::without(&old)
            .map_err(|error| KeepError::Usage(format!("{}: {error}", path.display())))?;
        changes.extend(match record.files.get(&path) {
            Some(known) if known.is_ours(&old) => {
                let new = known.before.clone();
                Some(Change { path, old: Some(old), new, kept: None, merged: true })
            }
            None if without != old && !order.force => {
                let why = "its hooks were not put there from here; --force takes them out";
                Some(left_alone(path, old, why, true))
            }
            None if without == old => None,
            _ => {
                Some(Change { path, old: Some(old), new: Some(without), kept: None, merged: true })
            }
        });
    }
    Ok(changes)
}

/// Does what an installation changes.
///
/// # Errors
/// If something cannot be written; what was done until then is recorded.
pub fn do_install(changes: &[Change], open: &mut Open) -> Result<(), KeepError> {
    for change in changes.iter().filter(|change| change.kept.is_none()) {
        let Some(new) = &change.new else { continue };
        let record = &mut open.record;
        let known = record.files.get(&change.path);
        let is_ours = |known: &&Written| change.old.as_ref().is_some_and(|old| known.is_ours(old));
        let (before, mut after) = match known {
            // Untouched since: what was there before us is still what it was.
            Some(known) if is_ours(&known) => {
                (known.before.clone(), change.old.iter().cloned().collect())
            }
            // It has our content without our doing: a copy of the repository, a colleague's.
            None if change.old.as_ref() == Some(new) => continue,
            // Somebody changed it since: what is theirs is what was there before.
            Some(_) if change.merged => {
                let theirs = |old: &String| settings::without(old).unwrap_or_else(|_| old.clone());
                (change.old.as_ref().map(theirs), Vec::new())
            }
            _ => (change.old.clone(), Vec::new()),
        };
        after.push(new.clone());
        record.files.insert(change.path.clone(), Written { before, after });
        let missing = missing_parents(&change.path);
        let fresh = missing.iter().filter(|dir| !record.made.contains(dir)).cloned();
        let fresh: Vec<PathBuf> = fresh.collect();
        record.made.extend(fresh);
        open.save()?;
        if let Some(parent) = change.path.parent() {
            fs::create_dir_all(parent).map_err(|error| fail("make", parent, error))?;
        }
        if change.old.as_ref() != Some(new) {
            still(change)?;
            let written = rewrite(&change.path, new.as_bytes(), 0o644);
            written.map_err(|error| fail("write", &change.path, error))?;
        }
    }
    Ok(())
}

/// Does what an undo changes.
///
/// # Errors
/// If something cannot be written or removed; what was done until then is recorded.
pub fn do_uninstall(changes: &[Change], open: &mut Open) -> Result<(), KeepError> {
    for change in changes.iter().filter(|change| change.kept.is_none()) {
        let path = &change.path;
        still(change)?;
        match &change.new {
            None => fs::remove_file(path).map_err(|error| fail("remove", path, error))?,
            Some(new) if change.old.as_ref() != Some(new) => {
                rewrite(path, new.as_bytes(), 0o644).map_err(|error| fail("write", path, error))?;
            }
            Some(_) => {}
        }
        open.record.files.remove(path);
        open.save()?;
    }
    // The deepest first; one that has something else in it by now stays.
    open.record.made.sort();
    while let Some(at) =
        open.record.made.iter().rposition(|dir| fs::remove_dir(dir).is_ok() || !dir.exists())
    {
        open.record.made.remove(at);
    }
    open.save()
}

/// Sees that a file is what it was when it was planned what becomes of it: its host writes it, too.
fn still(change: &Change) -> Result<(), KeepError> {
    if text(&change.path)? == change.old {
        return Ok(());
    }
    let path = change.path.display();
    Err(KeepError::Usage(format!(
        "{path} has been changed just now, and is left as it is; try again"
    )))
}

/// The directories above a file that are not there yet.
fn missing_parents(path: &Path) -> Vec<PathBuf> {
    path.ancestors().skip(1).take_while(|dir| !dir.exists()).map(Path::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::super::place::{Scope, places};
    use super::super::record;
    use super::super::settings::tests::settings;
    use super::*;
    use crate::keep::home::Home;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        /// Whatever the settings were: there and back, once or twice, and every byte is as it was.
        #[test]
        fn an_undo_restores_the_bytes(
            text in prop::option::of(settings()),
            host in prop::sample::select(Host::ALL.to_vec()),
            again in any::<bool>(),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let home = Home::make(&dir.path().join("state/registry.json")).unwrap();
            let project = dir.path().join("project");
            let places = places(host, &Scope::Project(project.clone()), &|_| None).unwrap();
            let settings = places.settings.clone();
            if let Some(text) = &text {
                fs::create_dir_all(settings.parent().unwrap()).unwrap();
                fs::write(&settings, text).unwrap();
            }
            let order = |command: &str| Order {
                host, places: places.clone(), command: command.to_owned(), force: false,
            };
            let mut open = record::open(&home).unwrap();
            for command in ["sentinel-keep hook", "/opt/sentinel-keep hook --mode warn"].iter().take(1 + usize::from(again)) {
                let changes = install(&order(command), &open.record).unwrap();
                do_install(&changes, &mut open).unwrap();
                prop_assert!(fs::read_to_string(&settings).unwrap().contains(command));
            }
            let changes = uninstall(&order(""), &open.record).unwrap();
            do_uninstall(&changes, &mut open).unwrap();
            prop_assert_eq!(fs::read_to_string(&settings).ok(), text.clone());
            prop_assert!(open.record.files.is_empty() && open.record.made.is_empty());
            prop_assert_eq!(project.exists(), text.is_some(), "directories that were made are gone");
        }
    }
}
