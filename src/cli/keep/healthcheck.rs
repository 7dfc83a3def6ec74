//! `healthcheck`: one pass, or a keeper that stays.

use super::Context;
use crate::keep::check::Next;
use crate::keep::keeper::Keeper;
use crate::keep::pass::{Visit, healthcheck};
use crate::keep::{KeepError, registry};
use crate::protocol::time::human;
use std::time::Duration;

pub fn run(context: &Context, every: Option<Duration>) -> Result<u8, KeepError> {
    if let Some(every) = every {
        Keeper::open(&context.home, &context.settings, every)?.run();
    }
    let registry = registry::load(&context.home)?;
    let mut worst = 0;
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
