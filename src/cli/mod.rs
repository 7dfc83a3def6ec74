//! What was typed, lowered once into what is meant; what comes out, and the exit codes.

pub mod values;
pub mod bar;
pub mod run;
pub mod watch;
pub mod keep;

use clap::error::ErrorKind;
use std::process::ExitCode;

/// Prints what clap has to say. Help and version are no errors; anything else is `code`.
fn explain(error: &clap::Error, code: u8) -> ExitCode {
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(code),
    }
}
