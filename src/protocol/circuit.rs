//! The circuit breaker's settings, as a run carries them in its files.

use serde::{Deserialize, Serialize};

/// Failures in a row that open a circuit unless said otherwise (seed 002: "three consecutive").
pub const MAX_FAILURES: u32 = 3;

/// Which history a run counts in, and when it counts as open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CircuitPolicy {
    /// `KEY.history` holds the runs that count; the job's name unless `--circuit` says otherwise.
    pub key: String,
    /// So many consecutive failures open it; 0: never.
    pub max_failures: u32,
    /// Seconds after which one trial run may start; null: only a reset closes it.
    #[serde(default)]
    pub cooldown_s: Option<f64>,
    /// Whether an open circuit refuses a start (it was asked for) or only warns.
    #[serde(default)]
    pub enforced: bool,
}

impl CircuitPolicy {
    /// The settings of a job that says nothing about its circuit.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self { key: name.to_owned(), max_failures: MAX_FAILURES, cooldown_s: None, enforced: false }
    }
}
