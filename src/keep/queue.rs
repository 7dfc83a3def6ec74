//! Alerts that the alert command has not had yet, one file each, with the tries that failed.

use super::KeepError;
use super::home::Home;
use super::registry::replace;
use crate::os::dir::MonitorDir;
use crate::protocol::alert::Alert;
use crate::protocol::ledger::Moment;
use crate::protocol::text::checksum;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// More than any alert takes, bytes.
pub const MOST: u64 = 256 << 10;

/// An alert, and what came of sending it so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// What is to be sent.
    pub alert: Alert,
    /// Tries that failed.
    #[serde(default)]
    pub tries: u32,
    /// When it is to be tried again.
    #[serde(default)]
    pub due: Option<Moment>,
}

/// The file name of an alert. Its id is made of names that people wrote.
#[must_use]
pub fn file_name(alert: &Alert) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let safe: String = alert.id.chars().take(200).map(|c| if plain(c) { c } else { '_' }).collect();
    let safe = safe.trim_start_matches('.');
    // What is not the id itself could be another's as well.
    let sum = if safe == alert.id {
        String::new()
    } else {
        format!("-{:08x}", checksum(alert.id.as_bytes()))
    };
    format!("{safe}{sum}.json")
}

/// The paths of a directory's files of ours, in the order of their names: the oldest first.
///
/// # Errors
/// If it cannot be read.
pub fn files(dir: &MonitorDir) -> Result<Vec<PathBuf>, KeepError> {
    let fail =
        |source| KeepError::System { what: format!("read {}", dir.path().display()), source };
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(dir.path()) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        entries => entries.map_err(fail)?,
    };
    for entry in entries {
        let entry = entry.map_err(fail)?;
        // Hidden ones are being written, or were when somebody was killed.
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// What queues an alert: a file and its content; `None`: it is queued.
///
/// # Errors
/// If there can be no queue.
pub fn item(
    home: &Home,
    alert: &Alert,
) -> Result<Option<(MonitorDir, PathBuf, Vec<u8>)>, KeepError> {
    let dir = home.queue()?;
    let path = dir.path().join(file_name(alert));
    if read(&dir, &path).is_some_and(|item| item.alert.id == alert.id) {
        return Ok(None);
    }
    let item = Item { alert: alert.clone(), tries: 0, due: None };
    Ok(Some((dir, path, pack(&item))))
}

fn pack(item: &Item) -> Vec<u8> {
    serde_json::to_vec(item).unwrap_or_default()
}

/// What is in a file of the queue; `None`: nothing that can be sent.
#[must_use]
pub fn read(dir: &MonitorDir, path: &Path) -> Option<Item> {
    serde_json::from_slice(&dir.read(path, MOST).ok()??).ok()
}

/// Replaces an item.
///
/// # Errors
/// If it cannot be written; the old one stays.
pub fn write(dir: &MonitorDir, path: &Path, item: &Item) -> Result<(), KeepError> {
    Ok(replace(dir, path, &pack(item))?)
}
