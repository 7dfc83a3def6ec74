//! Text of any origin, made safe to show: no escape sequence, no repainting, no control byte.

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
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// FNV-1a: of any version of ours the same.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// The text, cut to so many characters.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Text as a terminal would leave it: escape sequences and control bytes gone, of a line that was
/// repainted with carriage returns only the last state, invalid UTF-8 replaced.
#[must_use]
pub fn clean(bytes: &[u8]) -> String {
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
}
