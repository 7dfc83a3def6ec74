//! What a watcher has to tell while it goes on.

use super::WatchError;
use super::report::Report;
use crate::protocol::heartbeat::{Heartbeat, STALE_BEATS};
use crate::protocol::name::JobName;
use crate::protocol::time::{human, seconds};
use std::time::Duration;

/// A beat is due this often in a record that does not say.
const BEAT: Duration = Duration::from_secs(1);

/// One piece of news.
#[derive(Debug)]
pub enum News<'a> {
    /// The verdict of a job.
    Verdict(&'a Report),
    /// A job could not be judged.
    Failed(&'a WatchError),
    /// A change of state on the way (`--events`).
    Event {
        /// The job.
        name: &'a JobName,
        /// `started`, `quiet`, `stuck` or `resumed`.
        state: &'static str,
        /// In words.
        detail: String,
    },
    /// Time to show that the wait goes on: for so many jobs, of which this is the first.
    Waiting(usize, &'a Report),
}

/// Where the news go.
pub type Tell<'a> = dyn FnMut(News<'_>) + 'a;

/// The state of a running job and its detail, if it is another than the one told last.
#[must_use]
pub fn change(
    told: Option<&'static str>,
    record: &Heartbeat,
    report: &Report,
) -> Option<(&'static str, String)> {
    let interval = seconds(record.interval_s).unwrap_or(BEAT);
    let quiet = report.quiet_s.and_then(seconds).unwrap_or_default();
    let state = if record.stuck.is_some() {
        "stuck"
    } else if quiet > interval.saturating_mul(STALE_BEATS) {
        "quiet"
    } else {
        "moving"
    };
    let state = match (told, state) {
        (None, _) => "started",
        (Some("quiet" | "stuck"), "moving") => "resumed",
        (Some(told), state) if told == state || state == "moving" => return None,
        (Some(_), state) => state,
    };
    let detail = match state {
        "started" => format!("run {} pid {}", record.run_id, record.pid),
        "stuck" => record.stuck.clone().unwrap_or_default(),
        "quiet" => report.awaits.clone().unwrap_or_else(|| format!("for {}", human(quiet))),
        _ => record.evidence.as_ref().map(|e| e.detail.clone()).unwrap_or_default(),
    };
    Some((state, detail))
}
