//! One bash that commands are typed into, one after the other, as at a terminal.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Stdio};
use std::time::{Duration, Instant};

use crate::scene::{Cmd, Running, a_moment};

/// How long one command may take. Generous: only a failing one takes so long.
pub const BOUND: Duration = Duration::from_secs(90);

/// What the shell prints after each command, and no program does.
const PROMPT: &str = "\u{1e}\n";

pub struct Shell {
    bash: Running,
    script: ChildStdin,
    said: PathBuf,
    read: usize,
}

impl Shell {
    /// Both streams go to one file, in order, as they would to a terminal.
    pub fn start(bash: Cmd, said: &Path) -> Self {
        let _ = fs::remove_file(said);
        let said = said.to_owned();
        let open = || OpenOptions::new().create(true).append(true).open(&said).unwrap();
        let mut bash = bash.start_with(|command| {
            command.stdin(Stdio::piped()).stdout(open()).stderr(open());
        });
        let script = bash.child.stdin.take().unwrap();
        Self { bash, script, said, read: 0 }
    }

    /// Has a command run to its end, and returns what was printed meanwhile.
    pub fn does(&mut self, command: &str) -> String {
        // What the command would read from its standard input is the next command.
        writeln!(self.script, "{{ {command}\n}} </dev/null; printf '\\036\\n'").unwrap();
        let deadline = Instant::now() + BOUND;
        loop {
            let over = !self.bash.is_running();
            let all = fs::read(&self.said).unwrap();
            let news = String::from_utf8_lossy(&all[self.read..]).into_owned();
            if let Some(said) = news.strip_suffix(PROMPT) {
                self.read = all.len();
                return said.to_owned();
            }
            assert!(!over, "the shell ended at `{command}`, and said: {news}");
            let late = Instant::now() >= deadline;
            assert!(!late, "`{command}` did not end within {BOUND:?}, and said: {news}");
            a_moment();
        }
    }
}
