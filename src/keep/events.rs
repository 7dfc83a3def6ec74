//! `events.jsonl`: appended by everybody, a line in one write; the last two megabytes are kept.

use super::KeepError;
use super::home::Home;
use crate::os::lock::is_at;
use crate::protocol::event::Event;
use std::fs::OpenOptions;
use std::io::Write;

/// From this size on a new file is begun; the last one is kept beside it, bytes.
const FULL: u64 = 1 << 20;

/// Appends an event. Events are for readers: one that cannot be written changes nothing.
pub fn tell(home: &Home, event: &Event) {
    let _ = append(home, event);
}

fn append(home: &Home, event: &Event) -> Result<(), KeepError> {
    let path = home.events();
    let mut how = OpenOptions::new();
    let Some((mut file, meta)) = home.beside().examine(&path, how.append(true).create(true))?
    else {
        return Ok(());
    };
    home.beside().give(&path, &file)?;
    if file.write_all(event.line().as_bytes()).is_ok()
        && meta.len() > FULL
        && file.try_lock().is_ok()
        && is_at(&file, &path)
    {
        // Whoever still has the old one open writes its line there, where it belongs in time.
        let _ = std::fs::rename(&path, path.with_extension("jsonl.1"));
    }
    Ok(())
}
