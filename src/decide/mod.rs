//! Facts in, decision out: total functions over plain values.
//!
//! Nothing here reads a clock, a file or a process. Time is an argument.

pub mod verdict;
pub mod pulse;
pub mod stuck;
pub mod prompt;
pub mod pace;
pub mod circuit;
pub mod probe;
pub mod restart;
pub mod hush;
pub mod shell;
