//! What became of the command, and what that is called.

use crate::os::signals;
use crate::os::spawn::SpawnError;
use crate::protocol::outcome::Outcome;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// The exit code for a command that was ended and exited 0.
const ENDED: u8 = 128 + 15;

/// The command so far. Its exit status can be had only once it ended.
#[derive(Debug)]
pub enum Command {
    /// It could not be executed: the exit code that stands for that, and why.
    NotExecuted(u8, String),
    /// It runs under this PID.
    Runs(i32),
    /// It ended.
    Ended(ExitStatus),
    /// It is gone, and the kernel has no status of it.
    Vanished,
}

impl From<Result<i32, SpawnError>> for Command {
    fn from(spawned: Result<i32, SpawnError>) -> Self {
        match spawned {
            Ok(pid) => Self::Runs(pid),
            Err(SpawnError::NotFound(why)) => Self::NotExecuted(127, why),
            Err(SpawnError::NotExecutable(why)) => Self::NotExecuted(126, why),
            Err(error @ SpawnError::System { .. }) => Self::NotExecuted(125, error.to_string()),
        }
    }
}

impl Command {
    /// Its PID, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        if let Self::Runs(pid) = self { Some(*pid) } else { None }
    }

    /// Whether it has ended by itself or was ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Ended(_) | Self::Vanished)
    }

    /// Its exit code, if it exited.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        match self {
            Self::NotExecuted(code, _) => Some(i32::from(*code)),
            Self::Runs(_) | Self::Vanished => None,
            Self::Ended(status) => status.code(),
        }
    }

    /// The signal it died of, by name.
    #[must_use]
    pub fn signal(&self) -> Option<String> {
        match self {
            Self::Ended(status) => status.signal().map(signals::name),
            _ => None,
        }
    }

    /// Whether it died of KILL.
    #[must_use]
    pub fn was_killed(&self) -> bool {
        matches!(self, Self::Ended(status) if status.signal() == Some(libc::SIGKILL))
    }

    /// The signal it died of, or says it did as shells do (128+N).
    #[must_use]
    pub fn died_of(&self) -> Option<i32> {
        match self {
            Self::Ended(status) => status
                .signal()
                .or(status.code().map(|code| code - 128).filter(|signal| *signal > 0)),
            _ => None,
        }
    }

    /// Whether it left a core.
    #[must_use]
    pub fn dumped_core(&self) -> bool {
        matches!(self, Self::Ended(status) if status.core_dumped())
    }

    /// How it ended, in words.
    #[must_use]
    pub fn words(&self) -> String {
        match (self, self.exit_code(), self.signal()) {
            (Self::NotExecuted(_, why), ..) => why.clone(),
            (Self::Vanished, ..) => "it ended, and its exit status is unknown".to_owned(),
            (_, Some(code), _) => format!("exit code {code}"),
            (_, None, Some(signal)) if self.dumped_core() => {
                format!("killed by {signal} (core dumped)")
            }
            (_, None, Some(signal)) => format!("killed by {signal}"),
            (_, None, None) => "the command could not be ended".to_owned(),
        }
    }

    /// The outcome of a run that nobody ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        if self.exit_code() == Some(0) { Outcome::Success } else { Outcome::Failed }
    }

    /// The exit code of `sentinel-run` after a run with this outcome: 124 as `timeout(1)` has it,
    /// 128+N as the shells do. Whatever the command made of its TERM, a run that was ended is no
    /// success to whoever asks `&&`: it counts as dead of that TERM.
    #[must_use]
    pub fn own_exit_code(&self, outcome: Outcome) -> u8 {
        if matches!(outcome, Outcome::Hung | Outcome::Timeout) {
            return 124;
        }
        let signal = match self {
            Self::Ended(status) => status.signal().map(|signal| 128 + signal),
            _ => None,
        };
        let code = signal.or(self.exit_code()).unwrap_or(125);
        match u8::try_from(code).unwrap_or(255) {
            0 if outcome != Outcome::Success => ENDED,
            code => code,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes() {
        let missing = || Command::NotExecuted(127, "command not found: x".into());
        let ended = |raw| Command::Ended(ExitStatus::from_raw(raw));
        let table = [
            (missing(), Outcome::Failed, 127, "command not found: x"),
            (ended(0), Outcome::Success, 0, "exit code 0"),
            (ended(3 << 8), Outcome::Failed, 3, "exit code 3"),
            (ended(9), Outcome::Failed, 137, "killed by SIGKILL"),
            (ended(0x80 | 0x0b), Outcome::Failed, 139, "killed by SIGSEGV (core dumped)"),
            (ended(15), Outcome::Hung, 124, "killed by SIGTERM"),
            (ended(0), Outcome::Timeout, 124, "exit code 0"),
            (ended(0), Outcome::Stopped, 143, "exit code 0"),
            (ended(7 << 8), Outcome::Stopped, 7, "exit code 7"),
        ];
        for (command, outcome, code, words) in table {
            assert_eq!(command.own_exit_code(outcome), code, "{command:?}");
            assert_eq!(command.words(), words);
        }
    }
}
