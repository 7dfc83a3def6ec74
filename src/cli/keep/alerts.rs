//! `alerts`: what nobody has taken yet.

use super::Context;
use crate::keep::KeepError;
use crate::keep::alerts::{Found, list, take};
use crate::os::out::Out;
use crate::os::say::say;
use crate::protocol::alert::Alert;
use crate::protocol::text::json;
use std::io;

pub fn run(context: &Context, taking: bool) -> Result<u8, KeepError> {
    let show = |found: &Found| show(context, found);
    if taking {
        take(&context.home, &context.settings, show)?;
    } else {
        let what = "print the alerts".to_owned();
        show(&list(&context.home)?).map_err(|source| KeepError::System { what, source })?;
    }
    Ok(0)
}

/// A line for each, all of them arrived when this returns.
fn show(context: &Context, found: &Found) -> io::Result<()> {
    for why in &found.strangers {
        say(format!("sentinel-keep: {why}"));
    }
    let line = |alert: &Alert| if context.json { json(alert) } else { alert.line() };
    let text: String = found.alerts.iter().map(|alert| line(alert) + "\n").collect();
    if text.is_empty() {
        return Ok(());
    }
    let mut out = Out::open()?;
    out.write(text.as_bytes())?;
    out.settle()
}
