//! What is known of a tree just before it is ended: what each process waits for, and what it is.

use super::clock;
use super::process::Stat;
use super::snapshot::{self, Depth};
use crate::decide::stuck::{self, Judgement, judge};
use crate::protocol::clip;
use std::fmt::Write;

/// The size of a diagnosis, bytes; a result with it finds room on a full disk.
const SIZE: usize = 2048;
/// The part of it that is kept for the last lines of output.
const OUTPUT: usize = 400;

/// The diagnosis of a tree that was not looked at before, or of which `stuck` was found.
///
/// First what waits for what, as the stuck rule tells it; then each process with its state, threads,
/// CPU time and connections; then the end of what it printed.
#[must_use]
pub fn of(
    members: &[Stat],
    terminal_passed: bool,
    stuck: Option<&str>,
    last_output: &str,
) -> String {
    let look = snapshot::take(members, terminal_passed, Depth::All, None);
    let waits = match (stuck, judge(&look)) {
        (Some(stuck), _) => stuck.to_owned(),
        (None, Judgement::Stuck { diagnosis, .. }) => diagnosis,
        (None, Judgement::Free(_)) => stuck::in_words(&look, false),
    };
    let output = clip(last_output.trim(), OUTPUT);
    let room = SIZE - OUTPUT - 64;
    let mut text = clip(&waits, room);
    for (i, member) in members.iter().enumerate() {
        let line = describe(member);
        if text.len() + line.len() > room {
            let _ = write!(text, "; and {} more", members.len() - i);
            break;
        }
        text += if text.is_empty() { "" } else { "; " };
        text += &line;
    }
    if !output.is_empty() {
        let _ = write!(text, "; last output: {output}");
    }
    text
}

/// A process in short: `python3[42] S, 2 threads, 3.1 s CPU, connected to 127.0.0.1:5432 (tcp)`.
fn describe(stat: &Stat) -> String {
    #[expect(clippy::cast_precision_loss, reason = "seconds of CPU, far below 2^52 ticks")]
    let cpu = stat.cpu_ticks as f64 / clock::ticks_per_second() as f64;
    let threads = match stat.threads {
        0 | 1 => String::new(),
        threads => format!(", {threads} threads"),
    };
    let peers = snapshot::peers(stat.pid);
    let peers = if peers.is_empty() {
        String::new()
    } else {
        format!(", connected to {}", peers.join(" and "))
    };
    format!("{}[{}] {}{threads}, {cpu:.1} s CPU{peers}", stat.comm, stat.pid, stat.state)
}
