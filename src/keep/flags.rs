//! What readers of seed 000 look for: a flag while there are alerts nobody has taken, and these
//! alerts in a text file, a line each.
//!
//! Beside the registry always, in /tmp only when asked for: whoever is on the machine can plant
//! something there. None of these files is needed by anybody of ours, so none that is refused keeps
//! an alert from being delivered; it is said once.

use super::KeepError;
use super::home::Home;
use super::registry::replace_all;
use crate::os::dir::read_all;
use crate::os::say::say;
use crate::protocol::alert::Alert;
use crate::protocol::time::rfc3339;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Once;

/// More than this of a text file is not read, bytes.
const MOST: u64 = 4 << 20;
/// A text file above this size keeps its newer half: the alerts themselves are all in `alerts/`.
const FULL: usize = 1 << 20;

/// Raises the flags for an alert. A line that is there already is not written again.
pub fn raise(home: &Home, seeds: Option<&Path>, alert: &Alert) {
    complain(beside(home, alert).map_err(|error| error.to_string()));
    if let Some(dir) = seeds {
        complain(in_public(dir, alert));
    }
}

/// What stays when alerts were taken: the flags only if some are left, and nothing but their lines.
pub fn reset(home: &Home, seeds: Option<&Path>, left: &[Alert]) {
    for path in [home.flag(), home.flag_text()] {
        complain(home.beside().remove(&path).map_err(|error| error.to_string()));
    }
    for path in seeds.iter().flat_map(|dir| public(dir)) {
        complain(remove_own(&path));
    }
    for alert in left {
        raise(home, seeds, alert);
    }
}

fn complain(done: Result<(), String>) {
    static ONCE: Once = Once::new();
    if let Err(why) = done {
        ONCE.call_once(|| {
            say(format!("sentinel-keep: {why}; the alerts are in alerts/ all the same"));
        });
    }
}

fn beside(home: &Home, alert: &Alert) -> Result<(), KeepError> {
    let dir = home.beside();
    let (flag, text) = (home.flag(), home.flag_text());
    let old = dir.read(&text, MOST)?.unwrap_or_default();
    let new = with_line(&old, &alert.line());
    let stamp = dir.read(&flag, 1)?.is_none().then(|| stamp(alert).into_bytes());
    let files = [(&text, &new), (&flag, &stamp)];
    let files =
        files.into_iter().filter_map(|(path, new)| Some((dir, path.as_path(), new.as_deref()?)));
    Ok(replace_all(&files.collect::<Vec<_>>())?)
}

/// What a flag says: since when it is there.
fn stamp(alert: &Alert) -> String {
    rfc3339(alert.at) + "\n"
}

/// A text with a line more; `None` if it has the line.
fn with_line(old: &[u8], line: &str) -> Option<Vec<u8>> {
    if old.split(|b| *b == b'\n').any(|known| known == line.as_bytes()) {
        return None;
    }
    let mut new = newer_half(old).to_vec();
    if new.last().is_some_and(|last| *last != b'\n') {
        new.push(b'\n'); // somebody else's, or cut short
    }
    new.extend_from_slice(line.as_bytes());
    new.push(b'\n');
    Some(new)
}

fn newer_half(text: &[u8]) -> &[u8] {
    if text.len() <= FULL {
        return text;
    }
    let half = &text[text.len() - FULL / 2..];
    let line = half.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1);
    &half[line..]
}

// ---- in a directory that everyone can write ---------------------------------------------------

/// The two paths of seed 000: flag and text.
fn public(dir: &Path) -> [PathBuf; 2] {
    ["flag", "txt"].map(|end| dir.join(format!("process_monitor_alert.{end}")))
}

fn in_public(dir: &Path, alert: &Alert) -> Result<(), String> {
    let [flag, text] = public(dir);
    let mut file = open_own(&text)?;
    let fail = |path: &Path| {
        let path = path.display().to_string();
        move |error: io::Error| format!("cannot write {path}: {error}")
    };
    let old = file.try_clone().and_then(|file| read_all(file, MOST)).map_err(fail(&text))?;
    if let Some(new) = with_line(&old, &alert.line()) {
        // Appended, for others may have it open; begun anew only where it had grown too large.
        match new.strip_prefix(old.as_slice()) {
            Some(more) => file.write_all(more),
            None => file.set_len(0).and_then(|()| file.write_all(&new)),
        }
        .map_err(fail(&text))?;
    }
    let mut file = open_own(&flag)?;
    if file.metadata().is_ok_and(|meta| meta.len() == 0) {
        file.write_all(stamp(alert).as_bytes()).map_err(fail(&flag))?;
    }
    Ok(())
}

/// Opens a file of ours, made if need be, where anybody could have put something of that name.
fn open_own(path: &Path) -> Result<File, String> {
    let mut how = OpenOptions::new();
    // NONBLOCK: opening a FIFO must not hang.
    how.read(true).append(true).create(true).mode(0o600);
    let opened = how.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path);
    let file = opened.map_err(|error| match std::fs::symlink_metadata(path) {
        Ok(meta) if refusal(&meta).is_some() => refused(path, &meta),
        _ => format!("cannot open {}: {error}", path.display()),
    })?;
    let meta = file.metadata().map_err(|error| format!("{}: {error}", path.display()))?;
    match refusal(&meta) {
        Some(_) => Err(refused(path, &meta)),
        None => Ok(file),
    }
}

fn remove_own(path: &Path) -> Result<(), String> {
    let fail = |error: io::Error| format!("cannot remove {}: {error}", path.display());
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(fail(error)),
        Ok(meta) if refusal(&meta).is_some() => Err(refused(path, &meta)),
        Ok(_) => std::fs::remove_file(path).map_err(fail),
    }
}

fn refused(path: &Path, meta: &Metadata) -> String {
    let why = refusal(meta).unwrap_or_default();
    format!("{} {why}: refused; whoever put it there could have it write elsewhere", path.display())
}

/// Why a file at a public place cannot be ours alone.
fn refusal(meta: &Metadata) -> Option<&'static str> {
    if meta.is_symlink() {
        Some("is a symbolic link")
    } else if !meta.is_file() {
        Some("is not a regular file")
    } else if meta.uid() != nix::unistd::geteuid().as_raw() {
        Some("belongs to another user")
    } else if meta.nlink() != 1 {
        Some("has another name elsewhere (a hard link)")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_there_once_and_whole() {
        let table: [(&[u8], Option<&[u8]>); 4] = [
            (b"", Some(b"new\n")),
            (b"old\n", Some(b"old\nnew\n")),
            (b"cut sho", Some(b"cut sho\nnew\n")),
            (b"old\nnew\nmore\n", None),
        ];
        for (old, expected) in table {
            assert_eq!(with_line(old, "new").as_deref(), expected);
        }
        let long = "a line of twenty ...\n".repeat(100_000);
        let new = with_line(long.as_bytes(), "new").unwrap();
        assert!(new.len() < FULL && new.starts_with(b"a line") && new.ends_with(b"...\nnew\n"));
    }
}
