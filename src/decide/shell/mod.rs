//! What a shell command would leave behind when the call that runs it returns: work in the background
//! that nobody waits for, and nobody will be told the end of.
//!
//! The shell's grammar is read by a parser of it, so that `2>&1`, `a && b`, a quoted `'x &'`, the text
//! of a here-document and `$((a & b))` are what they are. What runs elsewhere (`ssh host '...'`,
//! `docker exec`) is not looked into; a script that a local shell is handed (`bash -c '...'`, `eval`)
//! is. What another manager keeps (`docker run -d`, `systemd-run`, `sbatch`) is not left behind: it has a
//! name there, and can be asked for and ended by it. What cannot be known before the command runs is let
//! through.

mod words;
mod wrappers;
mod edit;
mod managed;
mod events;
mod call;
mod list;
mod walk;

pub use walk::{REGISTER_WITH_VALUE, read, read_background};

use std::fmt;

/// What a command would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Work that would outlive the call, unmanaged, in its order.
    pub offences: Vec<Offence>,
    /// Calls that signal processes chosen by a pattern: `pkill`, `killall`, and the `pgrep` or `pidof`
    /// whose answer is killed.
    pub kills: Vec<Call>,
    /// Calls of this project's own programs.
    pub ours: Vec<Call>,
    /// Every call that is read, each as it is written, and again without what only leads to it
    /// (`timeout 60 rm x`, `rm x`).
    pub calls: Vec<String>,
    /// Those of them that this project's programs are to run.
    pub inner: Vec<String>,
    /// Nothing else is called: at most the shell's own state is changed.
    pub only_ours: bool,
    /// The whole command line, with managed work in place of what offends; none where it cannot be
    /// rewritten for certain.
    pub instead: Option<String>,
    /// The names of the jobs in it.
    pub jobs: Vec<String>,
    /// It carries the comment `# sentinel: allow`.
    pub allowed: bool,
}

/// One piece of a command line that leaves work behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offence {
    /// By what means.
    pub how: How,
    /// As it is written.
    pub text: String,
}

/// A call of a program: its words, the program's name first. One that is only known when it runs is
/// `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The words.
    pub words: Vec<Option<String>>,
}

impl Call {
    /// The program's file name.
    #[must_use]
    pub fn program(&self) -> &str {
        self.words.first().and_then(|word| word.as_deref()).map_or("", words::base)
    }
}

/// By what means work is left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// `command &`, without a `wait` for it or an end of it.
    Ampersand,
    /// `nohup`
    Nohup,
    /// `setsid`, but for one that waits (`-w`) and is waited for.
    Setsid,
    /// `disown`
    Disown,
    /// `coproc`, of which nothing is read and for which nothing waits.
    Coproc,
    /// A program whose business it is: `daemonize`, `daemon`, `start-stop-daemon -b`.
    Daemon(&'static str),
    /// `ssh -f`
    Ssh,
    /// `screen -dm`
    Screen,
    /// `tmux new-session -d`, `tmux new-window -d` with a command.
    Tmux,
    /// `at now`, `batch`
    At,
    /// `sudo -b`
    Sudo,
    /// The host's own way, `run_in_background`.
    Host,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ampersand => "a background job (`&`) that nothing here waits for",
            Self::Nohup => "`nohup`",
            Self::Setsid => "`setsid`",
            Self::Disown => "`disown`",
            Self::Coproc => "a `coproc` that nothing here reads or waits for",
            Self::Daemon(program) => return write!(f, "`{program}`"),
            Self::Ssh => "`ssh -f`",
            Self::Screen => "a detached `screen`",
            Self::Tmux => "a detached `tmux` session or window",
            Self::At => "`at now` or `batch`",
            Self::Sudo => "`sudo -b`",
            Self::Host => "the tool's own flag for the background",
        })
    }
}

/// It is no shell command that can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A row of the table: the command, whether it passes, and what it is to be replaced by.
    fn table() -> Vec<(String, bool, Option<String>)> {
        let text = include_str!("../../../tests/fixtures/commands.txt");
        let plain = |text: &str| text.replace("\\n", "\n").replace("\\\\", "\\");
        let mut rows: Vec<(String, bool, Option<String>)> = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")) {
            match line.split_once('\t').unwrap_or_else(|| panic!("{line:?}")) {
                ("pass", command) => rows.push((plain(command), true, None)),
                ("deny", command) => rows.push((plain(command), false, None)),
                (_, rest) => {
                    let instead = plain(rest.strip_prefix("=> ").unwrap());
                    rows.last_mut().unwrap().2 = (instead != "-").then_some(instead);
                }
            }
        }
        rows
    }

    #[test]
    fn what_agents_type() {
        let mut wrong = Vec::new();
        for (command, passes, instead) in table() {
            let found = match read(&command) {
                Ok(found) => found,
                Err(error) => {
                    wrong.push(format!("{command:?}\n    unreadable: {error}"));
                    continue;
                }
            };
            let let_through = found.allowed || found.offences.is_empty();
            if let_through != passes {
                wrong.push(format!("{command:?}\n    passes: {let_through}, {:?}", found.offences));
            } else if !passes && found.instead != instead {
                wrong.push(format!(
                    "{command:?}\n    instead  {:?}\n    expected {instead:?}",
                    found.instead
                ));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[ -~\n]{0,60}") {
            let _ = read(&text);
        }
    }
}
