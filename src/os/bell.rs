//! A queue whose messages wake a `poll`: how threads reach a loop that also waits for descriptors.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// The loop's end.
#[derive(Debug)]
pub struct Bell<T> {
    queue: Receiver<T>,
    wire: UnixStream,
}

/// An end for each thread.
#[derive(Debug)]
pub struct Ringer<T> {
    queue: Sender<T>,
    wire: Arc<UnixStream>,
}

impl<T> Clone for Ringer<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), wire: Arc::clone(&self.wire) }
    }
}

/// A bell and its first ringer.
///
/// # Errors
/// If there is no descriptor left.
pub fn bell<T>() -> io::Result<(Bell<T>, Ringer<T>)> {
    let (far, wire) = UnixStream::pair()?;
    wire.set_nonblocking(true)?;
    far.set_nonblocking(true)?;
    let (sender, queue) = channel();
    Ok((Bell { queue, wire }, Ringer { queue: sender, wire: Arc::new(far) }))
}

impl<T> Ringer<T> {
    /// Sends a message. A loop that has ended needs none.
    pub fn ring(&self, message: T) {
        if self.queue.send(message).is_ok() {
            // A full wire wakes as well.
            let _ = (&*self.wire).write(&[1]);
        }
    }
}

impl<T> Bell<T> {
    /// All messages since.
    pub fn answer(&mut self) -> impl Iterator<Item = T> {
        let mut rung = [0; 64];
        while matches!(self.wire.read(&mut rung), Ok(n) if n == rung.len()) {}
        self.queue.try_iter()
    }
}

impl<T> AsFd for Bell<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wire.as_fd()
    }
}
