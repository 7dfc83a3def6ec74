//! The end of a log, made safe and short for whoever pays by the token.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// So much of a log's tail is shown at the most, bytes.
const TAIL_BYTES: usize = 2048;
/// A line of the tail is cut here, characters.
const TAIL_LINE: usize = 240;
/// So much of a log is read for its tail.
const TAIL_READ: u64 = 64 * 1024;

/// The last `count` lines of a log of so many bytes.
#[must_use]
pub fn read(mut file: File, bytes: u64, count: usize) -> Vec<String> {
    let mut end = Vec::new();
    let read = file
        .seek(SeekFrom::Start(bytes.saturating_sub(TAIL_READ)))
        .and_then(|_| file.take(TAIL_READ).read_to_end(&mut end));
    if read.is_ok() { last_lines(&end, count) } else { Vec::new() }
}

/// Text of any origin as one line that is safe to print.
#[must_use]
pub fn one_line(text: &str) -> String {
    clean(text.as_bytes()).replace('\n', " ")
}

/// JSON whose texts move no cursor either: what JSON lets stand and a terminal would act on is
/// escaped.
#[must_use]
pub fn json(value: &impl serde::Serialize) -> String {
    use std::fmt::Write;
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            let _ = write!(safe, "\\u{:04x}", c as u32);
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Controls, and what turns the direction of text around.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text, cut to so many characters.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// How many lines there are, an unfinished last one included; `None` if it cannot be read.
#[must_use]
pub fn count_lines(file: &mut File) -> Option<u64> {
    let mut buffer = vec![0; 64 * 1024];
    let mut lines = 0;
    let mut last = b'\n';
    loop {
        let read = file.read(&mut buffer).ok()?;
        if read == 0 {
            return Some(lines + u64::from(last != b'\n'));
        }
        let chunk = &buffer[..read];
        #[expect(clippy::naive_bytecount, reason = "the compiler makes vector code of it")]
        let newlines = chunk.iter().filter(|b| **b == b'\n').count();
        lines += newlines as u64;
        last = chunk[read - 1];
    }
}

/// The last `count` lines of a log, at most 2 KiB in all, without anything that could move
/// a cursor.
#[must_use]
pub fn last_lines(bytes: &[u8], count: usize) -> Vec<String> {
    let text = clean(bytes);
    let mut room = TAIL_BYTES;
    let mut lines = Vec::new();
    for line in text.trim_end_matches('\n').rsplit('\n').take(count) {
        let line = cut(line.trim_end(), TAIL_LINE);
        // With its indent and its newline.
        let Some(left) = room.checked_sub(line.len() + 5) else { break };
        room = left;
        lines.push(line);
    }
    lines.reverse();
    if lines == [String::new()] { Vec::new() } else { lines }
}

/// Text as a terminal would leave it: escape sequences and control bytes gone, of a line that was
/// repainted with carriage returns only the last state, invalid UTF-8 replaced.
fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut lines: Vec<String> = Vec::new();
    for line in text.split('\n') {
        let line = line.trim_end_matches('\r');
        let last = line.rsplit('\r').next().unwrap_or_default();
        lines.push(without_escapes(last));
    }
    lines.join("\n")
}

fn without_escapes(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\t' => out.push(' '),
            // ECMA-48: CSI ends with a byte from @ to ~; OSC and its like with BEL or ESC \.
            '\u{1b}' => match chars.next() {
                Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                Some(']' | 'P' | 'X' | '^' | '_') => {
                    while let Some(c) = chars.next() {
                        if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                            break;
                        }
                    }
                }
                Some('(' | ')' | '#' | '%') => {
                    chars.next();
                }
                _ => {}
            },
            '\u{9b}' => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
            c if is_unsafe(c) => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_would_leave() {
        let table: [(&[u8], &str); 7] = [
            (b"\x1b[31mred\x1b[0m", "red"),
            (b"10%\r50%\r100%", "100%"),
            (b"dos\r\nline", "dos\nline"),
            (b"\x1b]0;title\x07x\x1b]8;;u\x1b\\y", "xy"),
            (b"a\x08\x00b\x7f", "ab"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            (b"a\tb", "a b"),
        ];
        for (bytes, expected) in table {
            assert_eq!(clean(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn the_tail_is_bounded() {
        assert_eq!(last_lines(b"a\nb\nc\n", 2), ["b", "c"]);
        assert_eq!(last_lines(b"", 5), Vec::<String>::new());
        let long = "x".repeat(9000);
        assert_eq!(last_lines(long.as_bytes(), 5)[0].chars().count(), TAIL_LINE + 1);
    }

    proptest! {
        #[test]
        fn a_tail_never_exceeds_its_room_nor_moves_a_cursor(
            bytes in prop::collection::vec(any::<u8>(), 0..5000), count in 0_usize..100,
        ) {
            let lines = last_lines(&bytes, count);
            let total: usize = lines.iter().map(|line| line.len() + 5).sum();
            prop_assert!(total <= TAIL_BYTES && lines.len() <= count);
            prop_assert!(lines.iter().all(|line| !line.chars().any(char::is_control)));
        }
    }
}
