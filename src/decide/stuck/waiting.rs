//! What is known of the waits of a tree in which nothing moves, one look after the other.

use super::{Judgement, Reason, Snapshot, judge};
use std::time::{Duration, Instant};

/// Time between the two looks that a stuck tree takes: one alone can catch a thread between two
/// waits.
pub const AGAIN: Duration = Duration::from_millis(300);

/// For so long it stands that nobody outside has an end of what a stuck tree waits for: hardly
/// anybody can have come by one, for none of the tree can have given it away.
const ASKED: Duration = Duration::from_secs(20);

/// What is known of the waits of a tree in which nothing has moved since.
#[derive(Debug, Default)]
pub enum Waiting {
    /// It was not looked at since something moved.
    #[default]
    Unknown,
    /// It may go on, and why.
    Free(Reason),
    /// One look found no reason. It is the second that counts.
    Suspect(Snapshot),
    /// Two looks found the same waits, and no reason in either.
    Stuck {
        /// The look that proved it.
        look: Snapshot,
        /// When everybody outside was asked last.
        asked: Instant,
        /// What waits for what.
        diagnosis: String,
    },
}

impl Waiting {
    /// Why the tree may go on, if one look found that.
    #[must_use]
    pub fn reason(&self) -> Option<&Reason> {
        if let Self::Free(reason) = self { Some(reason) } else { None }
    }

    /// A reason that stands as long as nothing moves: no thread has run since, so each is in the
    /// same wait still.
    #[must_use]
    pub fn lasting(&self) -> Option<&Reason> {
        self.reason().filter(|reason| reason.lasting)
    }

    /// Why the tree can never go on, if two looks found that.
    #[must_use]
    pub fn stuck(&self) -> Option<&str> {
        if let Self::Stuck { diagnosis, .. } = self { Some(diagnosis) } else { None }
    }

    /// It is not known yet: look again after [`AGAIN`].
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Suspect(_))
    }

    /// The look of which the answers from outside may be taken over into the next one.
    #[must_use]
    pub fn before(&self, now: Instant) -> Option<&Snapshot> {
        match self {
            Self::Stuck { look, asked, .. } if now < *asked + ASKED => Some(look),
            _ => None,
        }
    }

    /// What is known after one more look. `asked`: it asked everybody outside, and took nothing
    /// over. `prompt`: the question at the end of the output, asked for if input is awaited.
    #[must_use]
    pub fn seen(
        self,
        look: Snapshot,
        asked: bool,
        prompt: impl FnOnce() -> Option<String>,
        now: Instant,
    ) -> Self {
        match (judge(&look), self) {
            (Judgement::Free(reason), _) => Self::Free(reason),
            (Judgement::Stuck { .. }, Self::Stuck { look: before, asked: then, diagnosis })
                if before.processes == look.processes =>
            {
                Self::Stuck { look, asked: if asked { now } else { then }, diagnosis }
            }
            (Judgement::Stuck { diagnosis, input }, Self::Suspect(before))
                if before.processes == look.processes =>
            {
                let diagnosis = match input.then(prompt).flatten() {
                    Some(prompt) => format!("{diagnosis}; it asks: {prompt}"),
                    None => diagnosis,
                };
                Self::Stuck { look, asked: now, diagnosis }
            }
            (Judgement::Stuck { .. }, _) => Self::Suspect(look),
        }
    }
}
