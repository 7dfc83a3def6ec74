//! The first line of a script, as the kernel and env(1) read it.

/// Longer first lines are cut by the kernel (`BINPRM_BUF_SIZE`).
pub const LONGEST: usize = 255;

/// Who is to run a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shebang {
    /// The program that the kernel starts.
    pub interpreter: String,
    /// The program that it is to look for, if it is `env`.
    pub sought: Option<String>,
}

/// What is wrong with a first line before any file is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It does not begin with `#!`.
    None,
    /// Invisible bytes stand before it (a byte order mark).
    Mark,
    /// It ends with a carriage return, which is part of the name then.
    Return,
    /// It names nobody.
    Empty,
    /// It is longer than the kernel reads.
    Long,
    /// It gives arguments to what env is to look for: all is one name to it without `-S`.
    Unsplit,
}

/// Reads the beginning of a script.
pub fn read(head: &[u8]) -> Result<Shebang, Flaw> {
    let head = match head.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) if rest.starts_with(b"#!") => return Err(Flaw::Mark),
        _ => head,
    };
    let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
    let rest = line.strip_prefix(b"#!").ok_or(Flaw::None)?;
    if line.ends_with(b"\r") {
        return Err(Flaw::Return);
    }
    if line.len() > LONGEST {
        return Err(Flaw::Long);
    }
    let text = String::from_utf8_lossy(rest);
    let text = text.trim_matches([' ', '\t']);
    let (interpreter, argument) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    if interpreter.is_empty() {
        return Err(Flaw::Empty);
    }
    let is_env = interpreter.rsplit('/').next() == Some("env");
    let sought = if is_env { sought(argument.trim())? } else { None };
    Ok(Shebang { interpreter: interpreter.to_owned(), sought })
}

/// What env would look for. The kernel gives it all that follows as one argument.
fn sought(argument: &str) -> Result<Option<String>, Flaw> {
    let split =
        ["-S", "--split-string=", "-vS"].iter().find_map(|option| argument.strip_prefix(option));
    let Some(words) = split else {
        return match argument {
            "" => Ok(None),
            name if name.contains([' ', '\t']) => Err(Flaw::Unsplit),
            name => Ok(Some(name.to_owned())),
        };
    };
    let mut words = words.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            // These take the next word.
            "-u" | "--unset" | "-C" | "--chdir" => drop(words.next()),
            word if word.starts_with('-') || word.contains('=') => {}
            word => return Ok(Some(word.trim_matches(['"', '\'']).to_owned())),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines() {
        let long = format!("#!/{}\n", "x".repeat(300));
        let good = |interpreter: &str, sought: Option<&str>| {
            Ok(Shebang { interpreter: interpreter.into(), sought: sought.map(str::to_owned) })
        };
        for (head, expected) in [
            ("#!/bin/sh\necho", good("/bin/sh", None)),
            ("#! /bin/sh -e\n", good("/bin/sh", None)),
            ("#!\t/bin/sh", good("/bin/sh", None)),
            ("#!/usr/bin/env python3\n", good("/usr/bin/env", Some("python3"))),
            ("#!/usr/bin/env -S python3 -u\n", good("/usr/bin/env", Some("python3"))),
            ("#!/usr/bin/env -Spython3 -u\n", good("/usr/bin/env", Some("python3"))),
            ("#!/usr/bin/env -S -i A=b -u C perl -w\n", good("/usr/bin/env", Some("perl"))),
            ("#!/usr/bin/env -S -i\n", good("/usr/bin/env", None)),
            ("#!/usr/bin/env python3 -u\n", Err(Flaw::Unsplit)),
            ("#!/usr/bin/environment x y\n", good("/usr/bin/environment", None)),
            ("#!/bin/sh\r\necho\r\n", Err(Flaw::Return)),
            ("\u{feff}#!/bin/sh\n", Err(Flaw::Mark)),
            ("#!\n/bin/sh", Err(Flaw::Empty)),
            ("#!   \n", Err(Flaw::Empty)),
            ("print(1)\n", Err(Flaw::None)),
            ("\n#!/bin/sh\n", Err(Flaw::None)),
            ("", Err(Flaw::None)),
            (&long, Err(Flaw::Long)),
        ] {
            assert_eq!(read(head.as_bytes()), expected, "{head:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(tail: Vec<u8>) {
            let _ = read(&tail);
            let _ = read(&[b"#!/usr/bin/env ", &tail[..]].concat());
        }
    }
}
