//! Printing for people and programs.

use std::io::Write;

/// Prints a line at once; a reader that went away is no error of ours.
pub fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}
