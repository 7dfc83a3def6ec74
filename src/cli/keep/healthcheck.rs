//! `healthcheck`: one pass, or a keeper that stays.

use super::Context;
use crate::keep::check::Next;
use crate::keep::keeper::Keeper;
use crate::keep::pass::{Visit, healthcheck};
use crate::keep::{KeepError, alerts, registry, send};
use crate::protocol::time::human;
use std::time::Duration;

/// Alerts that the alert command did not take are sent again for so long; then by the next one.
const SENDING: Duration = Duration::from_mins(1);

pub fn run(context: &Context, every: Option<Duration>) -> Result<u8, KeepError> {
    if let Some(every) = every {
        Keeper::open(&context.home, &context.settings, every)?.run();
    }
    send::beside(&context.home, &context.settings, SENDING, || once(context))
}

fn once(context: &Context) -> Result<u8, KeepError> {
    let loaded = registry::load(&context.home);
    let mut worst = 0;
    if let Err(why) = alerts::about_registry(&context.home, &context.settings, loaded.as_ref()) {
        worst = context.fail("", &why); // and no reason to leave anything dead
    }
    let registry = loaded?;
    for why in registry.bad() {
        let path = context.home.registry().to_owned();
        let error = KeepError::Entry { path, why: why.clone() };
        worst = worst.max(context.fail(&why.name, &error));
    }
    healthcheck(&context.home, &registry, &context.settings, &mut |visit| {
        worst = worst.max(tell(context, visit));
    })?;
    Ok(worst)
}

fn tell(context: &Context, visit: &Visit) -> u8 {
    let name = visit.name.as_str();
    match &visit.next {
        Ok(Next::Watch) => context.tell(name, "running", ""),
        Ok(Next::In(left)) => context.tell(name, "waiting", &format!("for {}", human(*left))),
        Ok(Next::Blocked(why)) => context.tell(name, "waiting", why),
        Ok(Next::Rest) => context.tell(name, "resting", ""),
        Err(why) => return context.fail(name, &KeepError::Usage(format!("{name}: {why}"))),
    }
    0
}
