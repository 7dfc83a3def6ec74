//! Text for systemd's unit files (systemd.syntax(7), systemd.service(5)), written so that it is read
//! as it was meant.

use crate::protocol::text::{is_unsafe, one_line};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A word of a command line. Not for the first one: see [`program`].
#[must_use]
pub fn word(text: impl AsRef<OsStr>) -> String {
    quoted(text.as_ref(), true)
}

/// The first word of a command line: no variable is looked for in it, and little is allowed.
///
/// # Errors
/// If systemd would refuse it.
pub fn program(path: &Path) -> Result<String, String> {
    let refused = |c: char| is_unsafe(c) || matches!(c, '"' | '\'' | '\\' | '$');
    match path.to_str() {
        Some(text) if path.is_absolute() && !text.contains(refused) => {
            Ok(quoted(path.as_os_str(), false))
        }
        _ => Err(format!(
            "systemd runs no program at {}: expected an absolute path without quotes, backslashes, dollars and control characters",
            path.display()
        )),
    }
}

fn quoted(text: &OsStr, dollars: bool) -> String {
    let bare = |b: &u8| b.is_ascii_alphanumeric() || b"/_.,:=+@-".contains(b);
    let bytes = text.as_bytes();
    if !bytes.is_empty() && bytes.iter().all(bare) {
        return text.to_string_lossy().into_owned();
    }
    let mut out = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '%' => out.push_str("%%"),
                '$' if dollars => out.push_str("$$"),
                c if is_unsafe(c) => escape(&mut out, c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => out.push(c),
            }
        }
        escape(&mut out, chunk.invalid());
    }
    out.push('"');
    out
}

fn escape(out: &mut String, bytes: &[u8]) {
    use std::fmt::Write;
    for byte in bytes {
        let _ = write!(out, "\\x{byte:02x}");
    }
}

/// `Environment=` for a variable; `None` for one that systemd would leave out: it wants names as in
/// C, and no control characters but tabs and newlines.
#[must_use]
pub fn variable(name: &str, value: &OsStr) -> Option<String> {
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let named = name.chars().all(letters) && !name.starts_with(|c: char| c.is_ascii_digit());
    let text = value.to_str()?;
    let said = !text.contains(|c: char| c.is_control() && !matches!(c, '\t' | '\n'));
    let pair = || quoted(OsStr::new(&format!("{name}={text}")), false);
    (named && !name.is_empty() && said).then(|| format!("Environment={}", pair()))
}

/// A path that is the whole of a setting, where no quotes are taken off.
///
/// # Errors
/// If it cannot be written there.
pub fn path(path: &str) -> Result<String, String> {
    let refused = path.contains(char::is_control) || path.trim() != path || path.ends_with('\\');
    if refused || !path.starts_with('/') {
        return Err(format!(
            "systemd takes no path {path:?}: expected an absolute one without control characters, blanks at its ends, and a backslash at its end"
        ));
    }
    Ok(path.replace('%', "%%"))
}

/// A path of which systemd takes some characters for a pattern.
///
/// # Errors
/// As [`path`].
pub fn no_pattern(text: &str) -> Result<String, String> {
    let mut plain = String::new();
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | '\\') {
            plain.push('\\');
        }
        plain.push(c);
    }
    path(&plain)
}

/// Text for people, in one line.
#[must_use]
pub fn prose(text: &str) -> String {
    one_line(text).trim_end_matches('\\').trim().replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let table = [
            ("plain-1.0/x=y", "plain-1.0/x=y"),
            ("", r#""""#),
            ("two words", r#""two words""#),
            (";", r#"";""#),
            ("$HOME ${x} 100%", r#""$$HOME $${x} 100%%""#),
            (r#"a"b\c'd"#, r#""a\"b\\c'd""#),
            ("line\nend\t", r#""line\x0aend\x09""#),
            ("grüße", r#""grüße""#),
        ];
        for (text, expected) in table {
            assert_eq!(word(text), expected, "{text:?}");
        }
        assert_eq!(word(OsStr::from_bytes(b"a\xff")), r#""a\xff""#);
    }

    #[test]
    fn programs_variables_and_paths() {
        assert_eq!(program(Path::new("/a b/c%d")).unwrap(), r#""/a b/c%%d""#);
        for bad in ["relative", "/a\"b", "/a\\b", "/a'b", "/a$b", "/a\nb"] {
            assert!(program(Path::new(bad)).is_err(), "{bad}");
        }
        let pair = |name, value: &str| variable(name, OsStr::new(value));
        assert_eq!(pair("A", "b c$d%").as_deref(), Some(r#"Environment="A=b c$d%%""#));
        assert_eq!(pair("A_1", "x").as_deref(), Some("Environment=A_1=x"));
        for (name, value) in [("1A", "x"), ("A-B", "x"), ("", "x"), ("A", "\x1b[0m")] {
            assert_eq!(pair(name, value), None, "{name} {value}");
        }
        assert_eq!(path("/a b/50%").unwrap(), "/a b/50%%");
        assert_eq!(no_pattern("/a*[b]").unwrap(), "/a\\*\\[b]");
        for bad in ["a", "/a ", "/a\n", "/a\\"] {
            assert!(path(bad).is_err(), "{bad:?}");
        }
        assert_eq!(prose("100%\nof \\"), "100%% of");
    }
}
