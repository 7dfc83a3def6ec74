//! An orphan, made to see who takes it in.

use super::{patience, process};
use std::io::{self, BufRead, BufReader};
use std::process::{ChildStdin, Command, Stdio};
use std::time::Duration;

/// A process whose parent has ended. It ends with this value, and with us.
#[derive(Debug)]
pub struct Orphan {
    /// Its PID.
    pub pid: i32,
    /// It ends when this is closed.
    life: ChildStdin,
}

impl Orphan {
    /// Makes one.
    ///
    /// # Errors
    /// If no shell can be started, or it does not do as it is told.
    pub fn make(limit: Duration) -> io::Result<Self> {
        // In the background a shell gives no standard input: hence the third descriptor.
        let script = "exec 3<&0; { read -r line <&3; } >/dev/null 2>&1 & echo $!";
        let mut shell = Command::new("/bin/sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (stdin, stdout) = (shell.stdin.take(), shell.stdout.take());
        patience::wait(&mut shell, limit)?;
        let mut said = String::new();
        if let Some(stdout) = stdout {
            BufReader::new(stdout).read_line(&mut said)?;
        }
        match (said.trim().parse(), stdin) {
            (Ok(pid), Some(life)) => Ok(Self { pid, life }),
            _ => Err(io::Error::other("the shell named no child")),
        }
    }

    /// Who has taken it in; `None` if that cannot be seen.
    #[must_use]
    pub fn parent(&self) -> Option<process::Stat> {
        process::stat(process::stat(self.pid)?.ppid)
    }

    /// Has it end; whether it is gone within so long, not even a zombie.
    #[must_use]
    pub fn end(self, limit: Duration) -> bool {
        drop(self.life);
        patience::within(limit, || !process::exists(self.pid))
    }
}
