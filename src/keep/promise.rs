//! Alerts that are promised in the ledger, and delivered from there: so none is lost, whoever is
//! killed when.

use super::case::Case;
use super::ledger::now;
use super::{KeepError, alerts};
use crate::decide::hush::{Hush, hush};
use crate::os::say::say;
use crate::protocol::alert::{Alert, Cause};
use crate::protocol::ledger::Told;
use crate::protocol::{SCHEMA, clip};
use std::time::SystemTime;

impl Case<'_> {
    /// Promises an alert, or counts it where there was one of its kind just now. Giving up is always
    /// told: it needs somebody.
    pub fn raise(&mut self, cause: Cause, message: &str, action: &str, run_id: Option<String>) {
        let now = now();
        let last = self.ledger.told.get(&cause).map(|told| (now.age(&told.at), told.suppressed));
        let suppressed = match hush(last.filter(|_| cause != Cause::GivenUp)) {
            Hush::Raise { suppressed } => suppressed,
            Hush::Count => {
                if let Some(told) = self.ledger.told.get_mut(&cause) {
                    told.suppressed = told.suppressed.saturating_add(1);
                }
                return;
            }
        };
        let at = now.at;
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.ledger.told.insert(cause, Told { at: now, suppressed: 0 });
        self.ledger.outbox.push(Alert {
            schema: SCHEMA,
            id: format!("{:013}-{}-{cause}", since.as_millis(), self.name),
            at,
            name: self.name.to_string(),
            cause,
            message: clip(message, 2000),
            run_id,
            action: action.to_owned(),
            suppressed,
        });
    }

    /// What cannot be delivered stays promised, is tried again at the next healthcheck, and keeps
    /// nobody from being restarted.
    pub fn try_to_deliver(&mut self) {
        if let Err(error) = self.deliver() {
            say(format!("sentinel-keep: an alert of {} cannot be delivered: {error}", self.name));
        }
    }

    /// Delivers what was promised, and strikes it out.
    ///
    /// # Errors
    /// If an alert or the ledger cannot be written.
    pub fn deliver(&mut self) -> Result<(), KeepError> {
        if self.ledger.outbox.is_empty() {
            return Ok(());
        }
        for alert in &self.ledger.outbox {
            alerts::deliver(self.home, self.settings, alert)?;
        }
        self.ledger.outbox.clear();
        self.write()
    }
}
