//! `status`: a table for people, objects for programs.

use super::Context;
use crate::keep::{KeepError, ledger, look, registry};
use crate::os::say::print;
use crate::protocol::name::JobName;
use crate::protocol::text::json;

pub fn run(context: &Context, name: Option<&JobName>) -> Result<u8, KeepError> {
    let registry = registry::load(&context.home)?;
    if let Some(name) = name {
        registry::process(&context.home, &registry, name)?;
    }
    for (each, _) in registry.processes().filter(|(each, _)| name.is_none_or(|name| name == *each))
    {
        let ledger = ledger::read(&context.home, each)?;
        let report = look::one(look::peek(&context.home, vec![each.clone()])?, each)?;
        print(&json(&serde_json::json!({"name": each, "ledger": ledger, "report": report})));
    }
    Ok(0)
}
