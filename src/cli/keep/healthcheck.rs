//! `healthcheck`: one pass, or a keeper that stays.

use super::Context;
use crate::keep::check::Next;
use crate::keep::keeper::Keeper;
use crate::keep::pass::{Visit, healthcheck};
use crate::keep::{KeepError, alerts, ledger, registry, send, strays};
use crate::protocol::ledger::Phase;
use crate::protocol::name::JobName;
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
    for name in strays::find(&context.home, &registry) {
        let error = KeepError::Usage(strays::words(&context.home, &name));
        worst = worst.max(context.fail(name.as_str(), &error));
        if let Err(why) = strays::tell(&context.home, &context.settings, &name) {
            worst = worst.max(context.fail(name.as_str(), &why));
        }
    }
    if let Err(why) = alerts::put_flags_right(&context.home, &context.settings) {
        context.fail("", &why);
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
        Ok(Next::In(left)) => {
            let ledger = ledger::read(&context.home, &visit.name).unwrap_or_default();
            let why = ledger.last_failure.filter(|_| ledger.down_since.is_some());
            let why = why.map(|failure| format!(": {}", failure.words())).unwrap_or_default();
            context.tell(name, "restarting", &format!("in {}{why}", human(*left)));
        }
        Ok(Next::Blocked(why)) => context.tell(name, "waiting", why),
        Ok(Next::Rest) => tell_rest(context, &visit.name),
        Err(trouble) => {
            let error = KeepError::Usage(format!("{name}: {}", trouble.why));
            let code = context.fail(name, &error);
            if !trouble.passes
                && let Err(error) =
                    alerts::about(&context.home, &context.settings, name, &trouble.why)
            {
                context.fail(name, &error);
            }
            return code;
        }
    }
    0
}

/// Why nothing more is done about a process.
fn tell_rest(context: &Context, name: &JobName) {
    let ledger = ledger::read(&context.home, name).unwrap_or_default();
    let (did, detail) = match ledger.phase {
        Phase::Completed => ("completed", String::new()),
        Phase::Failed => {
            ("failed", ledger.last_failure.map(|failure| failure.words()).unwrap_or_default())
        }
        Phase::GivenUp { why } => ("given-up", why),
        Phase::Stopped | Phase::Up | Phase::Due { .. } => ("stopped", String::new()),
    };
    context.tell(name.as_str(), did, &detail);
}
