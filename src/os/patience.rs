//! Questions to what may never answer (a dead mount, a hung manager), each with a limit.

use super::clock::pause;
use std::io;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Time between two looks at a child.
const LOOK: Duration = Duration::from_millis(4);

/// A question that is being answered, by a thread of its own.
#[derive(Debug)]
pub struct Pending<T>(Option<Receiver<T>>);

/// Asks. The thread is left to itself if nobody waits for the answer any more.
#[must_use]
pub fn ask<T: Send + 'static>(question: impl FnOnce() -> T + Send + 'static) -> Pending<T> {
    let (answer, receiver) = channel();
    let thread = std::thread::Builder::new().spawn(move || {
        let _ = answer.send(question());
    });
    Pending(thread.is_ok().then_some(receiver))
}

impl<T> Pending<T> {
    /// Whether there was room for a thread; else no answer will come.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.is_some()
    }

    /// The answer, if it comes by then.
    #[must_use]
    pub fn by(self, deadline: Instant) -> Option<T> {
        self.0?.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
    }
}

/// Whether a condition comes true within so long.
pub fn within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        pause(LOOK);
    }
}

/// How a child ended. One that does not end within the limit is killed: `None`.
///
/// # Errors
/// If it cannot be waited for.
pub fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let mut status = Ok(None);
    within(limit, || {
        status = child.try_wait();
        !matches!(status, Ok(None))
    });
    if matches!(status, Ok(None)) {
        let _ = child.kill();
        let _ = child.wait();
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn what_does_not_answer_is_not_waited_for() {
        let begun = Instant::now();
        let (moment, long) = (Duration::from_millis(50), Duration::from_secs(20));
        let mut sleep = Command::new("sleep").arg("600").spawn().unwrap();
        assert!(wait(&mut sleep, moment).unwrap().is_none());
        let (hold, never) = channel::<()>();
        assert!(ask(move || never.recv()).by(begun + moment).is_none());
        assert!(!within(moment, || false));
        assert!(begun.elapsed() < long);
        drop(hold);
        assert!(wait(&mut Command::new("true").spawn().unwrap(), long).unwrap().is_some());
        assert_eq!(ask(|| 7).by(Instant::now() + long), Some(7));
        assert!(within(long, || true));
    }
}
