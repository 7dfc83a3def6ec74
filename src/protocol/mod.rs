//! What stands in the files: names, paths, and the records, to and from their bytes.
//!
//! Pure values. Everything that is read here may come from a hostile or half-written file, so
//! reading never panics and tolerates unknown fields; writing has one form.

pub mod text;
pub mod name;
pub mod outcome;
pub mod time;
pub mod circuit;
pub mod files;
pub mod evidence;
pub mod progress;
pub mod heartbeat;
pub mod result;
pub mod history;
pub mod sentence;
pub mod registry;
pub mod alert;
pub mod ledger;
pub mod exposition;
pub mod event;

/// Version of the protocol that this crate writes.
pub const SCHEMA: u32 = 1;

/// Cuts `text` so that its JSON form takes at most `room` bytes, with `…` where it was cut.
#[must_use]
pub fn clip(text: &str, room: usize) -> String {
    if json_len(text) <= room {
        return text.to_owned();
    }
    let mut used = '…'.len_utf8();
    let mut cut = String::new();
    for c in text.chars() {
        used += json_char_len(c);
        if used > room {
            break;
        }
        cut.push(c);
    }
    if room >= '…'.len_utf8() {
        cut.push('…');
    }
    cut
}

/// Bytes that `text` takes inside a JSON string, quotes excluded.
fn json_len(text: &str) -> usize {
    text.chars().map(json_char_len).sum()
}

fn json_char_len(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        c if (c as u32) < 0x20 => 6,
        c => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_clipped_text_fits_its_room(text in ".*", room in 0_usize..64) {
            let json = serde_json::to_string(&clip(&text, room)).unwrap();
            prop_assert!(json.len() <= room + 2, "{json}");
        }
    }
}
