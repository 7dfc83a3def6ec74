//! The end of a log, made safe and short for whoever pays by the token.

use crate::protocol::text::{clean, cut};
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
