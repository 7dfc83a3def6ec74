//! `logs` and `events`: the end of a file, and what is added to it.

use super::Context;
use crate::cli::values;
use crate::keep::follow::{Follow, FollowError};
use crate::keep::home::Home;
use crate::keep::{KeepError, registry};
use crate::os::out::Out;
use crate::os::say::say;
use crate::protocol::files::JobFiles;
use crate::protocol::name::JobName;
use crate::protocol::text::json;
use std::io;
use std::time::Duration;

/// How often a file is looked at for more.
const LOOK: Duration = Duration::from_millis(250);
/// A line is not waited for longer than this, bytes.
const LONGEST: usize = 1 << 20;

/// How much to print, and for how long.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Extent {
    /// Print what is added, too, until interrupted
    #[arg(short, long)]
    follow: bool,

    /// Begin with the last N lines
    #[arg(short = 'n', long, value_name = "N", value_parser = values::whole::<u64>)]
    lines: Option<u64>,
}

pub fn logs(context: &Context, name: &JobName, extent: Extent) -> Result<u8, KeepError> {
    if let Ok(None) = registry::load(&context.home)?.get(name) {
        return Err(KeepError::Unknown(name.to_string()));
    }
    let dir = context.home.jobs();
    let files = JobFiles::new(&dir, name);
    if !extent.follow && !files.log().exists() {
        say(format!("sentinel-keep: {name} has no log; it was never started"));
    }
    let paths = (files.log(), files.previous_log());
    let follow = Follow::begin(&dir, paths, extent.lines.unwrap_or(20), false)?;
    if !context.json {
        return pass_on(follow, extent.follow, |bytes, out| out.write(bytes));
    }
    let mut lines = Lines::default();
    pass_on(follow, extent.follow, |bytes, out| {
        lines.each(bytes, |line| {
            let line = String::from_utf8_lossy(line);
            let line = serde_json::json!({"name": name, "line": line});
            out.write((json(&line) + "\n").as_bytes())
        })
    })
}

pub fn events(home: &Home, extent: Extent) -> Result<u8, KeepError> {
    let path = home.events();
    let paths = (path.clone(), path.with_extension("jsonl.1"));
    let follow =
        Follow::begin(home.beside().path(), paths, extent.lines.unwrap_or(u64::MAX), true)?;
    let mut lines = Lines::default();
    pass_on(follow, extent.follow, |bytes, out| {
        lines.each(bytes, |line| {
            // One that was cut short by a full disk is none.
            if serde_json::from_slice::<serde::de::IgnoredAny>(line).is_err() {
                return Ok(());
            }
            out.write(&[line, b"\n"].concat())
        })
    })
}

/// Prints what there is, and goes on until nobody reads it any more. No bytes at all are the end.
fn pass_on(
    mut follow: Follow,
    stay: bool,
    mut print: impl FnMut(&[u8], &mut Out) -> io::Result<()>,
) -> Result<u8, KeepError> {
    let fail = |source| KeepError::System { what: "print".to_owned(), source };
    let mut out = Out::open().map_err(fail)?;
    loop {
        match follow.more(&mut |bytes| print(bytes, &mut out)) {
            Ok(()) if stay && !out.is_closed_within(LOOK) => {}
            Ok(()) if stay => return Ok(0),
            Ok(()) => return print(&[], &mut out).map(|()| 0).map_err(fail),
            Err(FollowError::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                return Ok(0);
            }
            Err(FollowError::Print(error)) => return Err(fail(error)),
            Err(FollowError::Dir(error)) => return Err(error.into()),
        }
    }
}

/// Pieces of text, put together to lines.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn each(
        &mut self,
        bytes: &[u8],
        mut tell: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.0.extend_from_slice(piece);
            let whole = self.0.strip_suffix(b"\n");
            if let Some(line) = whole.or((self.0.len() > LONGEST).then_some(&self.0)) {
                tell(line)?;
                self.0.clear();
            }
        }
        if bytes.is_empty() && !self.0.is_empty() {
            tell(&std::mem::take(&mut self.0))?;
        }
        Ok(())
    }
}
