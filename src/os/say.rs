//! Lines on standard output and standard error. One that cannot be printed (a full disk, a closed
//! descriptor, a reader that went away) is no reason to do anything differently; `println!` and
//! `eprintln!` would panic.

use std::fmt::Display;
use std::io::Write;

/// Prints a line of results, on standard output and at once.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// Prints a line for people, on standard error.
pub fn say(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Paints over the line the cursor is in.
pub fn paint(text: &str) {
    let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
}
