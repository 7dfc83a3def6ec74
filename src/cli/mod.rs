//! What was typed, lowered once into what is meant; what comes out, and the exit codes.

pub mod values;
pub mod bar;
pub mod run;
pub mod watch;
pub mod keep;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::process::ExitCode;

/// Prints what clap has to say. Help and version are no errors; anything else is `code`.
fn explain(mut error: clap::Error, code: u8) -> ExitCode {
    // It advises to have an unknown option after `--` as a value: no name is one, and no command.
    if let Some(ContextValue::StyledStrs(mut tips)) = error.remove(ContextKind::Suggested) {
        tips.retain(|tip| !tip.to_string().contains("as a value"));
        if !tips.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
    }
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(code),
    }
}

/// Who types a command line as for `nohup` or `timeout` is told what is missing in it, where so many
/// words, options apart, came before what was refused: without them it is a wrong option.
fn with_dashes(mut error: clap::Error, before: usize) -> clap::Error {
    let guessed = error.get(ContextKind::SuggestedArg).is_some();
    let refused = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    let words = std::env::args_os().skip(1).take_while(|word| *word != *refused);
    let bare = words.filter(|word| !word.as_encoded_bytes().starts_with(b"-")).count() >= before;
    let dashed = std::env::args_os().any(|word| word == "--");
    if error.kind() == ErrorKind::UnknownArgument && !guessed && !dashed && bare {
        let tip = "the command and its arguments come after '--'";
        let tips = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tips);
    }
    error
}
