//! How far a command says it is: the numbers in a progress text, and the pace made of them.

use serde::{Deserialize, Serialize};

/// So much of a text is looked at, characters.
const READ: usize = 300;
/// Numbers of more digits are none of ours: up to here each is exact in a float.
const DIGITS: usize = 15;

/// The numbers in a progress text. Finite and not negative; `done` is at most `total`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// So much is done.
    pub done: f64,
    /// Of so much: above zero, 100 for a percentage. `None`: a count that nobody knows the end of.
    pub total: Option<f64>,
}

/// `pace` of a running job, in `.heartbeat` and in reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// So much is done.
    #[serde(default)]
    pub done: f64,
    /// Of so much, if that is known.
    #[serde(default)]
    pub total: Option<f64>,
    /// So much of it in a second, lately. Null: not known yet; 0: it does not advance any more.
    #[serde(default)]
    pub per_s: Option<f64>,
    /// Seconds to the expected end.
    #[serde(default)]
    pub left_s: Option<f64>,
}

impl Pace {
    /// What part of the whole is done, from 0 to 1.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let share = self.done / self.total.filter(|total| *total > 0.0)?;
        (!share.is_nan()).then(|| share.clamp(0.0, 1.0))
    }
}

impl Progress {
    /// Reads a text. The first `120/900` or `120 of 900` counts, else the first `45%`, else a whole
    /// number at the beginning, or after a label and `:` or `=`.
    ///
    /// What only looks alike (dates, times, versions, addresses, paths) is nothing, and so is more
    /// than all.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let end = text.char_indices().nth(READ).map_or(text.len(), |(at, _)| at);
        let text = &text[..end];
        let blank = |c: char| c.is_whitespace() || matches!(c, '=' | '|');
        let words: Vec<&str> =
            text.split(blank).map(bare).filter(|word| !word.is_empty()).collect();
        let after = |i: usize| words.get(i..).unwrap_or_default();
        let fraction = (0..words.len()).find_map(|i| fraction(after(i)));
        fraction
            .or_else(|| (0..words.len()).find_map(|i| percentage(after(i))))
            .or_else(|| count(text))
    }

    fn of(done: &str, total: &str) -> Option<Self> {
        let (done, total) = (number(done)?, number(total)?);
        (total > 0.0 && done <= total).then_some(Self { done, total: Some(total) })
    }
}

/// A word without what encloses it, and without a label such as `step:`.
fn bare(word: &str) -> &str {
    let word = word.trim_start_matches(['(', '[', '{', '<', '"', '\'', '#', '~']);
    let word = word.trim_end_matches([')', ']', '}', '>', '"', '\'', ',', ';', ':', '.', '!', '…']);
    match word.split_once(':') {
        Some((label, rest)) if label.chars().all(char::is_alphabetic) => rest,
        _ => word,
    }
}

/// `120/900`, `120/ 900`, `120 / 900`, `120 of 900` or `120 out of 900` at the head of these words.
fn fraction(words: &[&str]) -> Option<Progress> {
    match words {
        [done, "/" | "of", total, ..] | [done, "out", "of", total, ..] => Progress::of(done, total),
        [word, next, ..] if word.ends_with('/') => Progress::of(word.strip_suffix('/')?, next),
        [word, ..] => word.split_once('/').and_then(|(done, total)| Progress::of(done, total)),
        [] => None,
    }
}

/// `45%` or `45 %` at the head of these words.
fn percentage(words: &[&str]) -> Option<Progress> {
    match words {
        [done, "%", ..] => Progress::of(done, "100"),
        [word, ..] => Progress::of(word.strip_suffix('%')?, "100"),
        [] => None,
    }
}

/// `1200`, `1200 rows`, `rows: 1200`. Whole numbers only: a fraction with no end in sight is a
/// measured value.
fn count(text: &str) -> Option<Progress> {
    let value = match text.split_once([':', '=']) {
        Some((label, value)) if !label.contains(|c: char| c.is_ascii_digit()) => value,
        _ => text,
    };
    let word = value.split_whitespace().next()?.trim_end_matches([',', ';', '.', ':']);
    let done = number(word).filter(|_| !word.contains('.'))?;
    Some(Progress { done, total: None })
}

/// A number as people write it: `1200`, `1,200`, `1_200`, `45.5`.
fn number(word: &str) -> Option<f64> {
    let (whole, decimals) = word.split_once('.').unwrap_or((word, "0"));
    let separator = if whole.contains('_') { '_' } else { ',' };
    let mut groups = whole.split(separator);
    let first = groups.next()?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let grouped = whole.len() > first.len();
    let whole_is_fine = digits(first)
        && (!grouped || first.len() <= 3)
        && groups.all(|group| group.len() == 3 && digits(group));
    if !whole_is_fine || !digits(decimals) || word.len() > DIGITS + 6 {
        return None;
    }
    let plain: String = word.chars().filter(|c| *c != separator).collect();
    let length = plain.bytes().filter(u8::is_ascii_digit).count();
    if length > DIGITS { None } else { plain.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers(text: &str) -> Option<(f64, Option<f64>)> {
        Progress::parse(text).map(|progress| (progress.done, progress.total))
    }

    #[test]
    fn what_is_progress() {
        let of = |done, total| Some((done, Some(total)));
        for (text, expected) in [
            ("45%", of(45.0, 100.0)),
            ("45.5 %", of(45.5, 100.0)),
            ("[ 45%] Building", of(45.0, 100.0)),
            ("100%.", of(100.0, 100.0)),
            ("0%", of(0.0, 100.0)),
            ("progress=45%", of(45.0, 100.0)),
            ("120/900", of(120.0, 900.0)),
            ("120 of 900", of(120.0, 900.0)),
            ("120 out of 900 rows", of(120.0, 900.0)),
            ("  3/ 10", of(3.0, 10.0)),
            ("3 / 10", of(3.0, 10.0)),
            ("epoch 3/10, loss 0.123", of(3.0, 10.0)),
            ("epoch 3/10, step 120/900", of(3.0, 10.0)),
            ("step 120/900 (13%)", of(120.0, 900.0)),
            ("13% (step 120/900)", of(120.0, 900.0)),
            ("step:120/900", of(120.0, 900.0)),
            ("[120/900] Building x.o", of(120.0, 900.0)),
            (" 45%|####   | 450/1000 [00:12<00:14, 37.5it/s]", of(450.0, 1000.0)),
            ("0/0, then 1/2", of(1.0, 2.0)),
            ("1,200/9,000", of(1200.0, 9000.0)),
            ("1_200 of 1_000_000", of(1200.0, 1e6)),
            ("1.5/3.0 GiB", of(1.5, 3.0)),
            ("2026-11-22 12:30 120/900", of(120.0, 900.0)),
            ("24/7: 45%", of(45.0, 100.0)),
            ("1200", Some((1200.0, None))),
            ("rows: 1200", Some((1200.0, None))),
            ("rows=1200, errors=3", Some((1200.0, None))),
            ("rows done: 1,200", Some((1200.0, None))),
            ("12 files, 3.4 MiB", Some((12.0, None))),
            ("512 MiB/2 GiB", Some((512.0, None))),
            ("1238099 bytes copied", Some((1_238_099.0, None))),
        ] {
            assert_eq!(numbers(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_only_looks_like_it() {
        let words =
            "; ; ;half way;%;/;of;/ 3;x%;1/;/2;listening on port 8080;45s;1/3rd;1.2GiB/3GiB";
        let dates = "2026/11/22;11/22/2026;2026-11-22;12:30;12:30:01;time: 12:30";
        let names = "1/2/3;src/3/4;/3/4;v1/2;1.2.3;v1.2;10.0.0.1;10.0.0.0/8;10.0.0.1:80;http://1/2";
        let wrong = "0/0;5/0;24/7;130%;-5%;+5%;-3/10;3/-10;-12;NaN/3;inf%;1e3/1e4;0.5;loss: 0.123";
        let odd = "1,20/9,00;1234,567;1,,200;1._5/2;,1/2;1_000,000;٣/١٠";
        let huge = "1234567890123456;99999999999999999999999999999999999999999/1";
        for text in [words, dates, names, wrong, odd, huge].join(";").split(';') {
            assert_eq!(numbers(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_share_of_anything_is_one() {
        let share = |done, total| Pace { done, total, ..Pace::default() }.share();
        assert_eq!(share(1.0, Some(4.0)), Some(0.25));
        assert_eq!(share(9.0, Some(4.0)), Some(1.0));
        assert_eq!(share(-9.0, Some(4.0)), Some(0.0));
        assert_eq!(share(1.0, None), None);
        assert_eq!(share(1.0, Some(0.0)), None);
        assert_eq!(share(f64::NAN, Some(1.0)), None);
        assert_eq!(share(f64::INFINITY, Some(f64::INFINITY)), None);
    }

    fn is_sound(progress: Progress) -> bool {
        let within = progress.total.is_none_or(|total| total > 0.0 && progress.done <= total);
        within && (0.0..1e15).contains(&progress.done) && progress.total.is_none_or(f64::is_finite)
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            prop_assert!(Progress::parse(&text).is_none_or(is_sound));
        }

        #[test]
        fn nor_one_that_is_nearly_progress(text in "[-0-9,._/%:= ofx()]{0,30}") {
            prop_assert!(Progress::parse(&text).is_none_or(is_sound), "{text:?}");
        }

        #[test]
        fn any_fraction_is_read_among_words(done in 0_u32.., more in 1_u32.., word in "[a-z]{1,9}") {
            let total = u64::from(done) + u64::from(more);
            let (done, total_f) = (f64::from(done), f64::from(more) + f64::from(done));
            for text in [
                format!("{word} {done}/{total} {word}"),
                format!("{word}: {done} of {total}, {word}"),
                format!("({word} {done} / {total})"),
            ] {
                prop_assert_eq!(numbers(&text), Some((done, Some(total_f))), "{}", text);
            }
        }
    }
}
