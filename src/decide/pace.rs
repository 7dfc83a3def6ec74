//! How fast a run advances, by what it says of its progress.
//!
//! The newest number is compared with one that is half a minute to a minute older, not with the
//! first: a run that slows down is to say so. Only a number that grew counts: a probe that is asked
//! every ten seconds repeats itself while an epoch takes ten minutes.

use crate::protocol::progress::{Pace, Progress};
use std::time::Duration;

/// The marks that a rate is measured from are so far apart, or one step of the run if that is more.
const APART: Duration = Duration::from_secs(30);
/// From less no rate is told.
const LEAST: Duration = Duration::from_secs(1);

/// What is kept of the texts of one run. Times are those of any monotonic clock.
#[derive(Clone, Debug, Default)]
pub struct Course {
    phase: Option<Phase>,
    /// The last text had numbers.
    told: bool,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Duration,
    done: f64,
}

/// Numbers that grow towards one total.
#[derive(Clone, Debug)]
struct Phase {
    total: Option<f64>,
    older: Mark,
    newer: Mark,
    last: Mark,
}

impl Course {
    /// Hears a progress text. A smaller number or another total begins anew; a text without numbers
    /// has no pace, and forgets none.
    pub fn hear(&mut self, text: &str, now: Duration) {
        let progress = Progress::parse(text);
        self.told = progress.is_some();
        let Some(Progress { done, total }) = progress else { return };
        let mark = Mark { at: now, done };
        match &mut self.phase {
            Some(phase) if phase.total == total && phase.last.done <= done => phase.advance(mark),
            _ => self.phase = Some(Phase { total, older: mark, newer: mark, last: mark }),
        }
    }

    /// The pace now; `None`: the last text had no numbers.
    #[must_use]
    pub fn pace(&self, now: Duration) -> Option<Pace> {
        self.phase.as_ref().filter(|_| self.told).map(|phase| phase.pace(now))
    }
}

impl Phase {
    fn advance(&mut self, mark: Mark) {
        if mark.done <= self.last.done {
            return;
        }
        if mark.at.saturating_sub(self.newer.at) >= APART {
            self.older = self.newer;
            self.newer = mark;
        }
        self.last = mark;
    }

    fn pace(&self, now: Duration) -> Pace {
        let Self { total, older, last, .. } = self;
        let span = last.at.saturating_sub(older.at);
        let silence = now.saturating_sub(last.at);
        let per_s = if span < LEAST {
            None
        } else if silence > span.max(APART) * 2 {
            Some(0.0)
        } else {
            Some(brief((last.done - older.done) / span.as_secs_f64()))
        };
        // The next step is under way since the last.
        let left_s = total.zip(per_s.filter(|per_s| *per_s > 0.0)).map(|(total, per_s)| {
            ((total - last.done) / per_s - silence.as_secs_f64()).max(0.0).round()
        });
        Pace { done: last.done, total: *total, per_s, left_s }
    }
}

/// Four digits of a number: more would not be true.
fn brief(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    /// A course that was told these texts at these seconds.
    fn told<'a>(texts: impl IntoIterator<Item = (u64, &'a str)>) -> Course {
        let mut course = Course::default();
        for (at, text) in texts {
            course.hear(text, S(at));
        }
        course
    }

    fn rate(course: &Course, now: u64) -> (Option<f64>, Option<f64>) {
        let pace = course.pace(S(now)).expect("a pace");
        (pace.per_s, pace.left_s)
    }

    #[test]
    fn two_numbers_make_a_rate_and_an_end() {
        let mut course = told([(5, "10/100")]);
        assert_eq!(
            course.pace(S(6)),
            Some(Pace { done: 10.0, total: Some(100.0), per_s: None, left_s: None })
        );
        course.hear("30/100", S(15));
        assert_eq!(rate(&course, 15), (Some(2.0), Some(35.0)));
        assert_eq!(rate(&course, 25), (Some(2.0), Some(25.0)), "counted down");
        assert_eq!(rate(&course, 60), (Some(2.0), Some(0.0)), "never below nothing");
    }

    #[test]
    fn a_count_has_a_rate_and_no_end() {
        assert_eq!(rate(&told([(0, "100 rows"), (10, "200 rows")]), 10), (Some(10.0), None));
    }

    #[test]
    fn a_run_that_slows_down_says_so() {
        let mut course = Course::default();
        for second in 0..600 {
            course.hear(&format!("{}/10000", second * 10), S(second));
        }
        assert_eq!(rate(&course, 599).0, Some(10.0));
        for second in 600..661 {
            course.hear(&format!("{}/10000", 5990 + second - 599), S(second));
        }
        assert_eq!(
            rate(&course, 660).0,
            Some(1.0),
            "nothing of the fast part is left after a minute"
        );
    }

    #[test]
    fn long_steps_are_measured_from_step_to_step() {
        // Told every ten seconds, as a probe does; a step takes ten minutes.
        let mut course = Course::default();
        for second in (0..=1200).step_by(10) {
            course.hear(&format!("epoch {}/10", second / 600), S(second));
        }
        assert_eq!(rate(&course, 1200), (Some(0.001_667), Some(4799.0)));
        assert_eq!(rate(&course, 1790), (Some(0.001_667), Some(4209.0)), "between two steps");
        assert_eq!(rate(&course, 2401), (Some(0.0), None), "two steps were due");
    }

    #[test]
    fn what_advances_no_more_has_no_end() {
        let course = told([(0, "0/9"), (40, "4/9")]);
        assert_eq!(rate(&course, 120), (Some(0.1), Some(0.0)));
        assert_eq!(rate(&course, 121), (Some(0.0), None));
        let early = told([(0, "0/9"), (1, "1/9")]);
        assert_eq!(rate(&early, 61).0, Some(1.0), "a minute is given to any");
        assert_eq!(rate(&early, 62).0, Some(0.0));
    }

    #[test]
    fn a_new_phase_begins_anew() {
        for text in ["1/10", "2/20", "5%", "9 rows"] {
            let mut course = told([(0, "1/10"), (10, "9/10")]);
            course.hear(text, S(11));
            assert_eq!(rate(&course, 11), (None, None), "{text}");
        }
    }

    #[test]
    fn words_between_numbers_have_no_pace_and_forget_none() {
        let mut course = told([(0, "1/10"), (10, "2/10"), (15, "saving")]);
        assert_eq!(course.pace(S(16)), None);
        course.hear("3/10", S(20));
        assert_eq!(rate(&course, 20).0, Some(0.1));
        assert_eq!(Course::default().pace(S(1)), None);
    }

    #[test]
    fn a_burst_within_a_second_is_no_rate() {
        let mut course = Course::default();
        for n in 0..100 {
            course.hear(&format!("{n}/100"), Duration::from_millis(n));
        }
        assert_eq!(rate(&course, 500), (None, None));
    }

    proptest! {
        #[test]
        fn no_sequence_of_texts_makes_nonsense(
            texts in prop::collection::vec(("[0-9]{1,16}[/%. ]?[0-9]{0,16}", any::<u32>()), 0..30),
            now in any::<u64>(),
        ) {
            let mut course = Course::default();
            for (text, at) in texts {
                course.hear(&text, Duration::from_millis(u64::from(at)));
            }
            if let Some(pace) = course.pace(Duration::from_nanos(now)) {
                for value in [Some(pace.done), pace.total, pace.per_s, pace.left_s].into_iter().flatten() {
                    prop_assert!(value.is_finite() && value >= 0.0, "{pace:?}");
                }
            }
        }

        #[test]
        fn a_steady_run_is_told_as_it_is(
            step in 1_u32..1000, every in 1_u32..100, steps in 1_u32..200,
        ) {
            let total = step * 1000;
            let mut course = Course::default();
            for n in 0..=steps {
                course.hear(&format!("{} of {total}", n * step), S(u64::from(n * every)));
            }
            let pace = course.pace(S(u64::from(steps * every))).unwrap();
            let expected = f64::from(step) / f64::from(every);
            let per_s = pace.per_s.unwrap();
            prop_assert!((per_s / expected - 1.0).abs() < 0.001, "{per_s} for {expected}");
            let left = f64::from((1000 - steps) * every);
            prop_assert!((pace.left_s.unwrap() / left - 1.0).abs() < 0.01, "{pace:?} for {left}");
        }
    }
}
