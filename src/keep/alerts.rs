//! Alerts on disk: one file each, there until somebody takes them.

use super::KeepError;
use super::home::Home;
use super::registry::replace;
use crate::protocol::alert::Alert;

/// How alerts reach people beside lying there.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Run with each alert as JSON on its standard input.
    pub command: Option<String>,
    /// The two files of seed 000 in /tmp, too.
    pub seed_flags: bool,
}

/// Puts an alert where readers look. To deliver it twice is to deliver it once.
///
/// # Errors
/// If it cannot be written.
pub fn deliver(home: &Home, _settings: &Settings, alert: &Alert) -> Result<(), KeepError> {
    let dir = home.alerts()?;
    replace(&dir, &dir.path().join(format!("{}.json", alert.id)), &alert.pack())?;
    Ok(())
}

/// Says that something other than a process is wrong.
pub fn tell_trouble(_home: &Home, _settings: &Settings, _name: &str, why: &str) {
    crate::os::say::say(format!("sentinel-keep: {why}"));
}

/// Works the queue of the alert command off; when to call it again.
#[must_use]
pub fn send(_home: &Home, _settings: &Settings) -> Option<std::time::Duration> {
    None
}
