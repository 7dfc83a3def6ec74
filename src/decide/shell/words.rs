//! What words of a shell say before anything in them is expanded.

use rable::{Node, NodeKind};

/// What a word stands for, if nothing in it is expanded but quotes.
pub fn literal(word: &Node) -> Option<String> {
    let NodeKind::Word { parts, .. } = &word.kind else { return None };
    let mut text = String::new();
    for part in parts {
        match &part.kind {
            NodeKind::AnsiCQuote { decoded, .. } => text += decoded,
            NodeKind::WordLiteral { value } => match shell_words::split(value).ok()?.as_slice() {
                [one] => text += one,
                _ => return None,
            },
            _ => return None,
        }
    }
    Some(text)
}

/// A word as it is written.
pub fn raw(word: &Node) -> &str {
    match &word.kind {
        NodeKind::Word { value, .. } => value,
        _ => "",
    }
}

/// How a script was quoted as one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoting {
    /// It can be quoted anew.
    Free,
    /// In double quotes: what is expanded in it has to stay so.
    Double,
    /// It cannot be written anew for certain.
    Fixed,
}

/// The script in a word, as for `sh -c`. In double quotes what the outer shell expands stands as it
/// is: only the commands matter.
pub fn script(word: &Node) -> (String, Quoting) {
    literal(word)
        .map(|text| (text, Quoting::Free))
        .or_else(|| double_quoted(raw(word)))
        .unwrap_or_else(|| (unquoted(raw(word)), Quoting::Fixed))
}

/// A script in one pair of double quotes.
fn double_quoted(word: &str) -> Option<(String, Quoting)> {
    let inner = word.strip_prefix('"')?.strip_suffix('"')?;
    let mut text = String::new();
    let mut quoting = Quoting::Double;
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if matches!(chars.peek(), Some('$' | '`')) => {
                quoting = Quoting::Fixed;
                text.extend(chars.next());
            }
            '\\' if matches!(chars.peek(), Some('"' | '\\')) => text.extend(chars.next()),
            // A command, or several pieces.
            '`' | '"' => return None,
            c => text.push(c),
        }
    }
    Some((text, quoting))
}

/// A word of several pieces without the quotes around them; those within a piece stay.
pub fn unquoted(word: &str) -> String {
    let mut text = String::new();
    let mut chars = word.chars().peekable();
    let (mut quote, mut depth) = (None, 0_usize);
    while let Some(c) = chars.next() {
        match (c, quote) {
            // Within `$( )` everything is as it is.
            ('(', _) if depth > 0 || text.ends_with('$') => {
                depth += 1;
                text.push(c);
            }
            (')', _) if depth > 0 => {
                depth -= 1;
                text.push(c);
            }
            _ if depth > 0 => text.push(c),
            ('\'', None) => quote = Some('\''),
            ('"', None) => quote = Some('"'),
            (c, Some(open)) if c == open => quote = None,
            ('\\', None | Some('"')) => match chars.next() {
                Some(next) if quote.is_none() || "\"\\$`".contains(next) => text.push(next),
                Some(next) => text.extend(['\\', next]),
                None => {}
            },
            (c, _) => text.push(c),
        }
    }
    text
}

/// A script as one word again.
pub fn quote(script: &str, quoting: Quoting) -> Option<String> {
    match quoting {
        Quoting::Free => Some(shell_words::quote(script).into_owned()),
        Quoting::Double => {
            Some(format!("\"{}\"", script.replace('\\', "\\\\").replace('"', "\\\"")))
        }
        Quoting::Fixed => None,
    }
}

/// The file name at the end of a path.
pub fn base(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}
