//! `export`: a process for another keeper.

use super::Context;
use crate::keep::{KeepError, export, launch, registry};
use crate::os::say::print;
use crate::protocol::name::JobName;
use crate::protocol::text::json;

#[derive(Debug, clap::Subcommand)]
pub enum Export {
    /// A unit file for a user's systemd, with how to install it
    Systemd {
        /// Which process
        name: JobName,
    },
}

pub fn run(context: &Context, what: &Export) -> Result<u8, KeepError> {
    let Export::Systemd { name } = what;
    let registry = registry::load(&context.home)?;
    let process = registry::process(&context.home, &registry, name)?;
    let unit = export::systemd(&context.home, name, &process, &launch::wrapper())
        .map_err(|why| KeepError::Undone { what: format!("export {name}"), why })?;
    if context.json {
        let file = format!("sentinel-{name}.service");
        print(&json(&serde_json::json!({"name": name, "file": file, "unit": unit})));
    } else {
        print(unit.trim_end());
    }
    Ok(0)
}
