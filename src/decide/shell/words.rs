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
pub fn script(word: &Node) -> Option<(String, Quoting)> {
    if let Some(text) = literal(word) {
        return Some((text, Quoting::Free));
    }
    let inner = raw(word).strip_prefix('"')?.strip_suffix('"')?;
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
