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
