//! What the answers of a probe are worth: when they are evidence, and what is said of them.

use crate::protocol::evidence::Kind;
use crate::protocol::text::cut;
use crate::protocol::time::human;
use std::time::{Duration, Instant};

/// Of a text that somebody else wrote so many characters are kept.
const WORDS: usize = 120;

/// What a probe was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The job is well, or has come so far.
    Good {
        /// Another number once the work went on.
        mark: u64,
        /// In one line.
        words: String,
    },
    /// It is not well, or nobody could be asked: why, in one line.
    Bad(String),
}

/// What one probe has been told so far.
#[derive(Clone, Debug)]
pub struct Course {
    kind: Kind,
    /// From so many failures in a row on a health probe's answers are no evidence.
    threshold: u32,
    /// The last good answer, and since when it has been that one.
    last: Option<(u64, String, Instant)>,
    /// In a row, with the last one's reason.
    failures: u32,
    why: String,
}

impl Course {
    /// Before the first answer, which counts for nothing.
    #[must_use]
    pub fn new(kind: Kind, threshold: u32) -> Self {
        Self { kind, threshold, last: None, failures: 0, why: String::new() }
    }

    /// Takes an answer; what it is evidence of, in words.
    ///
    /// | | good | bad |
    /// |---|---|---|
    /// | progress | if it is the first, or differs from the last good one | never |
    /// | health | always | until as many in a row as the threshold |
    pub fn take(&mut self, answer: Answer, now: Instant) -> Option<String> {
        match answer {
            Answer::Good { mark, words } => {
                self.failures = 0;
                let words = cut(&words, WORDS);
                let same = self.last.as_ref().filter(|(last, ..)| *last == mark);
                let since = same.map_or(now, |(_, _, since)| *since);
                let counts = same.is_none() || self.kind == Kind::Health;
                self.last = Some((mark, words.clone(), since));
                counts.then_some(words)
            }
            Answer::Bad(why) => {
                self.failures = self.failures.saturating_add(1);
                self.why = cut(&why, WORDS);
                let allowed = self.kind == Kind::Health && self.failures < self.threshold;
                let Self { failures, threshold, why, .. } = self;
                allowed.then(|| format!("{why} ({failures} of {threshold} failures)"))
            }
        }
    }

    /// Whether it has had a good answer.
    #[must_use]
    pub fn was_good(&self) -> bool {
        self.last.is_some()
    }

    /// What it is evidence of.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What is wrong with it: `health: HTTP 503, 4 failures in a row`.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let Self { kind, why, failures, .. } = self;
        match failures {
            0 => None,
            1 => Some(format!("{kind}: {why}")),
            _ => Some(format!("{kind}: {why}, {failures} failures in a row")),
        }
    }

    /// Why it is no evidence just now: its trouble, or how long nothing has changed.
    #[must_use]
    pub fn silence(&self, now: Instant) -> Option<String> {
        let still = || {
            let (_, words, since) = self.last.as_ref().filter(|_| self.kind == Kind::Progress)?;
            let lasted = now.saturating_duration_since(*since);
            let lasts = lasted >= Duration::from_secs(1);
            lasts.then(|| format!("progress: {words}, unchanged for {}", human(lasted)))
        };
        self.trouble().or_else(still)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn good(mark: u64) -> Answer {
        Answer::Good { mark, words: format!("{mark} rows") }
    }

    fn bad(why: &str) -> Answer {
        Answer::Bad(why.into())
    }

    #[test]
    fn a_change_is_progress() {
        let now = Instant::now();
        let mut course = Course::new(Kind::Progress, 3);
        let table = [
            (bad("refused"), None, Some("progress: refused")),
            (good(1), Some("1 rows"), None),
            (good(1), None, None),
            (good(2), Some("2 rows"), None),
            (bad("refused"), None, Some("progress: refused")),
            (bad("refused"), None, Some("progress: refused, 2 failures in a row")),
            (good(2), None, None),
            (good(1), Some("1 rows"), None),
        ];
        assert_eq!(course.silence(now), None);
        for (answer, evidence, trouble) in table {
            assert_eq!(course.take(answer.clone(), now).as_deref(), evidence, "{answer:?}");
            assert_eq!(course.trouble().as_deref(), trouble, "{answer:?}");
        }
        let later = now + Duration::from_mins(5);
        course.take(good(1), later);
        assert_eq!(course.silence(later).as_deref(), Some("progress: 1 rows, unchanged for 5m"));
    }

    #[test]
    fn three_failures_in_a_row_are_an_illness() {
        let now = Instant::now();
        let mut course = Course::new(Kind::Health, 3);
        let table = [
            (good(0), Some("0 rows"), None),
            (good(0), Some("0 rows"), None),
            (bad("HTTP 503"), Some("HTTP 503 (1 of 3 failures)"), Some("health: HTTP 503")),
            (good(0), Some("0 rows"), None),
            (bad("HTTP 503"), Some("HTTP 503 (1 of 3 failures)"), Some("health: HTTP 503")),
            (
                bad("late"),
                Some("late (2 of 3 failures)"),
                Some("health: late, 2 failures in a row"),
            ),
            (bad("HTTP 503"), None, Some("health: HTTP 503, 3 failures in a row")),
            (bad("HTTP 500"), None, Some("health: HTTP 500, 4 failures in a row")),
            (good(0), Some("0 rows"), None),
            (bad("HTTP 503"), Some("HTTP 503 (1 of 3 failures)"), Some("health: HTTP 503")),
        ];
        for (answer, evidence, trouble) in table {
            assert_eq!(course.take(answer.clone(), now).as_deref(), evidence, "{answer:?}");
            assert_eq!(course.trouble().as_deref(), trouble, "{answer:?}");
        }
        assert_eq!(course.silence(now), course.trouble());
    }

    proptest! {
        #[test]
        fn health_counts_unless_the_last_ones_failed(
            answers in prop::collection::vec(any::<bool>(), 1..40),
            threshold in 1_u32..6,
        ) {
            let now = Instant::now();
            let many = threshold as usize;
            let mut course = Course::new(Kind::Health, threshold);
            for n in 0..answers.len() {
                let answer = if answers[n] { good(7) } else { bad("ill") };
                let ill = n + 1 >= many && !answers[n + 1 - many..=n].contains(&true);
                prop_assert_eq!(course.take(answer, now).is_some(), !ill);
            }
        }

        #[test]
        fn progress_is_the_first_answer_and_every_change(marks in prop::collection::vec(0_u64..3, 1..40)) {
            let now = Instant::now();
            let mut course = Course::new(Kind::Progress, 3);
            for n in 0..marks.len() {
                let changed = n == 0 || marks[n - 1] != marks[n];
                prop_assert_eq!(course.take(good(marks[n]), now).is_some(), changed);
            }
        }
    }
}
