//! Messages to people, on standard error. One that cannot be printed (a full disk, a closed
//! descriptor) is no reason to do anything differently; `eprintln!` would panic.

use std::fmt::Display;
use std::io::Write;

/// Prints a line.
pub fn say(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Paints over the line the cursor is in.
pub fn paint(text: &str) {
    let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
}
