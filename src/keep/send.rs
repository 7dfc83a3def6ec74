//! The alert command: run once for each alert, which it reads as JSON on its standard input.
//!
//! One sender at a time works the queue off, the oldest first. An item is removed once it was sent,
//! or failed for the last time; until then it holds its tries, so that whoever comes after a sender
//! that was killed goes on.

use super::alerts::{Matter, Settings, raise_other};
use super::home::Home;
use super::ledger::now;
use super::queue::{self, Item};
use super::{KeepError, OURS_ALONE};
use crate::os::bounded;
use crate::os::clock::pause;
use crate::os::dir::MonitorDir;
use crate::os::lock::lock;
use crate::os::say::say;
use crate::protocol::alert::Cause;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The command has so long.
const MOST: Duration = Duration::from_secs(10);
/// After the first failure it is tried again after the first of these, and so on; then no more.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];
/// Somebody else sends, or the disk takes nothing: look again then.
const LATER: Duration = Duration::from_secs(5);
/// While work is done that may raise alerts, the queue is looked at so often.
const LOOK: Duration = Duration::from_millis(250);

enum Sent {
    All,
    Busy,
    Again(Duration),
}

/// Sends what is due. Returns when to call it again; `None`: after the next alert.
#[must_use]
pub fn send(home: &Home, settings: &Settings) -> Option<Duration> {
    match work_off(home, settings) {
        Ok(Sent::All) => None,
        Ok(Sent::Busy) => Some(LATER),
        Ok(Sent::Again(after)) => Some(after),
        Err(error) => {
            say(format!("sentinel-keep: cannot send alerts: {error}"));
            Some(LATER)
        }
    }
}

/// Sends all there is, further tries included, for at most so long; what is left then is sent by the
/// next one who sends.
pub fn send_all(home: &Home, settings: &Settings, most: Duration) {
    let deadline = Instant::now() + most;
    loop {
        match work_off(home, settings) {
            Ok(Sent::Again(after)) if Instant::now() + after < deadline => pause(after),
            Ok(_) => return,
            Err(error) => return say(format!("sentinel-keep: cannot send alerts: {error}")),
        }
    }
}

/// Sends beside some work, and afterwards, for at most so long, what is left.
pub fn beside<T>(home: &Home, settings: &Settings, most: Duration, work: impl FnOnce() -> T) -> T {
    if settings.command.is_none() {
        return work();
    }
    let (done, over) = channel::<()>();
    let done_work = std::thread::scope(|scope| {
        let sender = move || loop {
            let after = send(home, settings).map_or(LOOK, |after| after.min(LOOK));
            if over.recv_timeout(after) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        };
        // Without a thread the alerts wait for the end of the work.
        let thread = std::thread::Builder::new().spawn_scoped(scope, sender);
        let done_work = work();
        drop((done, thread));
        done_work
    });
    send_all(home, settings, most);
    done_work
}

fn work_off(home: &Home, settings: &Settings) -> Result<Sent, KeepError> {
    let Some(command) = &settings.command else { return Ok(Sent::All) };
    let dir = home.queue()?;
    if queue::files(&dir)?.is_empty() {
        return Ok(Sent::All);
    }
    let Some(_lock) = lock(home.state(), &home.send_lock(), Duration::ZERO)? else {
        return Ok(Sent::Busy);
    };
    // What is queued while we send is sent, too: whoever queued it finds us at it, and goes away.
    while let Some((path, mut item)) = oldest(&dir)? {
        let left = item.due.as_ref().map_or(Duration::ZERO, |due| due.left(&now()));
        if !left.is_zero() {
            return Ok(Sent::Again(left));
        }
        if let Err(why) = run(command, &item) {
            // A command that fails for one alert fails for the next: these wait, and in order.
            if let Some(after) = put_off((&dir, &path), &mut item)? {
                return Ok(Sent::Again(after));
            }
            raise_other(home, settings, &failed(&item, &why, command).as_matter())?;
        }
        dir.remove(&path)?;
    }
    Ok(Sent::All)
}

/// The oldest alert that can be sent. What is none is left alone.
fn oldest(dir: &MonitorDir) -> Result<Option<(PathBuf, Item)>, KeepError> {
    let read = |path: PathBuf| queue::read(dir, &path).map(|item| (path, item));
    Ok(queue::files(dir)?.into_iter().find_map(read))
}

fn run(command: &str, item: &Item) -> Result<(), String> {
    let mut sh = Command::new("sh");
    sh.args(["-c", command]);
    for name in OURS_ALONE {
        sh.env_remove(name);
    }
    let answer = bounded::run(sh, &item.alert.pack(), MOST)?;
    if answer.status.success() { Ok(()) } else { Err(answer.words()) }
}

/// Writes down a failure, and when to try again; `None`: no more.
fn put_off(
    (dir, path): (&MonitorDir, &Path),
    item: &mut Item,
) -> Result<Option<Duration>, KeepError> {
    let Some(after) = AGAIN.get(item.tries as usize).copied() else { return Ok(None) };
    item.tries += 1;
    item.due = Some(now().later(after));
    queue::write(dir, path, item)?;
    Ok(Some(after))
}

struct Failed {
    message: String,
    action: String,
}

fn failed(item: &Item, why: &str, command: &str) -> Failed {
    let tries = AGAIN.len() + 1;
    Failed {
        message: format!("the alert command failed {tries} times: {why}"),
        action: format!(
            "{} was not sent; it is in alerts/ all the same; mend --alert-cmd {command:?}",
            item.alert.id
        ),
    }
}

impl Failed {
    fn as_matter(&self) -> Matter<'_> {
        Matter {
            name: "alert-command",
            cause: Cause::AlertCommand,
            message: &self.message,
            action: &self.action,
        }
    }
}
