//! `start`, `stop`, `restart`, `deregister`: one line for each process.

use super::{Context, Entries, Names};
use crate::keep::act::{self, Done};
use crate::keep::adopt::{Description, describe, may_be_adopted};
use crate::keep::alerts::Settings;
use crate::keep::home::Home;
use crate::keep::pass::{abreast, is_looked_after};
use crate::keep::{KeepError, events, order, registry};
use crate::os::clock::pause;
use crate::os::say::say;
use crate::protocol::event::{Event, What};
use crate::protocol::name::JobName;
use crate::protocol::registry::{Process, Registry};
use crate::protocol::text::one_line;
use std::ffi::OsString;
use std::time::{Duration, Instant};

/// What comes after others is waited for so long; then the next healthcheck starts it.
const OTHERS: Duration = Duration::from_secs(15);

/// Takes a running process under watch; one that is not registered yet is registered as it runs.
pub fn adopt(context: &Context, name: &JobName, pid: i32) -> Result<u8, KeepError> {
    let stat = may_be_adopted(pid)?;
    let registry = registry::load(&context.home)?;
    if matches!(registry.get(name), Ok(None)) {
        let description = describe(pid);
        if let Some(doubt) = description.doubt() {
            say(format!("sentinel-keep: warning: {name} may not start again as it runs: {doubt}"));
        }
        let process = as_it_runs(description);
        registry::edit(&context.home, name, |registry| {
            registry.set(name, process);
            Ok(())
        })?;
    }
    let process = registry::process(&context.home, &registry::load(&context.home)?, name)?;
    act::adopt(&context.home, (name, &process), &context.settings, &stat)?;
    let comm = one_line(&stat.comm);
    context.tell(
        name.as_str(),
        "adopted",
        &format!("pid {pid} ({comm}); its exit status may stay unknown"),
    );
    Ok(0)
}

fn as_it_runs(description: Description) -> Process {
    let text = |word: &OsString| word.to_string_lossy().into_owned();
    let words: Vec<String> = description.argv.iter().map(text).collect();
    let env = description.env.iter().map(|(name, value)| (name.clone(), text(value)));
    Process {
        exec: true,
        cwd: description.cwd.map(|cwd| cwd.to_string_lossy().into_owned()),
        recorded_env: env.collect(),
        ..Process::new(shell_words::join(words))
    }
}

pub fn start(context: &Context, names: &Names) -> Result<u8, KeepError> {
    let registry = registry::load(&context.home)?;
    let code = each(context, &registry, names, known(context), act::start);
    warn(context, &registry, names);
    Ok(code)
}

pub fn restart(context: &Context, names: &Names) -> Result<u8, KeepError> {
    let registry = registry::load(&context.home)?;
    let code = each(context, &registry, names, known(context), act::restart);
    warn(context, &registry, names);
    Ok(code)
}

pub fn stop(context: &Context, names: &Names) -> Result<u8, KeepError> {
    // What runs of an entry that cannot be understood any more can be ended all the same.
    let found = |registry: &Registry, name: &JobName| match registry.get(name) {
        Err(_) => Ok(Process::new("")),
        Ok(_) => registry::process(&context.home, registry, name),
    };
    Ok(each(context, &registry::load(&context.home)?, names, found, act::stop))
}

/// Says so where nobody would see a death of what was to be started.
fn warn(context: &Context, registry: &Registry, names: &Names) {
    let known = |name: &JobName| matches!(registry.get(name), Ok(Some(_)));
    if names.chosen(registry).iter().any(known) && !is_looked_after(&context.home) {
        say(
            "sentinel-keep: nobody looks after this registry yet: see sentinel-keep install, or keep sentinel-keep healthcheck --every 1m running",
        );
    }
}

impl Names {
    /// The names that are meant; of those given twice one.
    fn chosen(&self, registry: &Registry) -> Vec<JobName> {
        if self.all {
            return registry.processes().map(|(name, _)| name.clone()).collect();
        }
        let mut chosen: Vec<JobName> = Vec::new();
        for name in &self.names {
            if !chosen.contains(name) {
                chosen.push(name.clone());
            }
        }
        chosen
    }
}

fn known(context: &Context) -> impl Fn(&Registry, &JobName) -> Result<Process, KeepError> + Sync {
    |registry, name| registry::process(&context.home, registry, name)
}

fn each(
    context: &Context,
    registry: &Registry,
    names: &Names,
    find: impl Fn(&Registry, &JobName) -> Result<Process, KeepError> + Sync,
    act: impl Fn(&Home, (&JobName, &Process), &Settings) -> Result<Done, KeepError> + Sync,
) -> u8 {
    let chosen = names.chosen(registry);
    if chosen.is_empty() && registry.bad().next().is_none() {
        context.say_empty();
    }
    let mut worst = 0;
    let mut waiting = Vec::new();
    abreast(
        &chosen,
        |name| {
            find(registry, name)
                .and_then(|process| act(&context.home, (name, &process), &context.settings))
        },
        |name, done| match done {
            Ok(Done::Waits(_)) => waiting.push(name.clone()),
            Ok(done) => tell(context, name, &done),
            Err(error) => worst = worst.max(context.fail(name.as_str(), &error)),
        },
    );
    if names.all {
        for bad in registry.bad() {
            let path = context.home.registry().to_owned();
            let error = KeepError::Entry { path, why: bad.clone() };
            worst = worst.max(context.fail(&bad.name, &error));
        }
    }
    worst.max(wait_for_others(context, registry, waiting))
}

/// Starts what comes after others as these come up.
fn wait_for_others(context: &Context, registry: &Registry, mut waiting: Vec<JobName>) -> u8 {
    let deadline = Instant::now() + OTHERS;
    let mut worst = 0;
    while !waiting.is_empty() {
        let late = Instant::now() >= deadline;
        waiting.retain(|name| {
            let mut promised = false;
            let done = registry::process(&context.home, registry, name).and_then(|process| {
                promised = order::is_promised(&context.home, &process);
                act::start(&context.home, (name, &process), &context.settings)
            });
            match done {
                Ok(Done::Waits(_)) if !late && promised => return true,
                // It did not run when this was asked for: a keeper was quicker.
                Ok(Done::AlreadyRunning(wrapper)) => tell(context, name, &Done::Started(wrapper)),
                Ok(done) => tell(context, name, &done),
                Err(error) => worst = worst.max(context.fail(name.as_str(), &error)),
            }
            false
        });
        if !waiting.is_empty() {
            pause(Duration::from_millis(50));
        }
    }
    worst
}

fn tell(context: &Context, name: &JobName, done: &Done) {
    let pid = |pid: &Option<i32>| pid.map(|pid| format!("pid {pid}")).unwrap_or_default();
    let (did, detail) = match done {
        Done::Started(wrapper) => ("started", pid(wrapper)),
        Done::Restarted(wrapper) => ("restarted", pid(wrapper)),
        Done::AlreadyRunning(wrapper) => ("running", format!("already, {}", pid(wrapper))),
        Done::Waits(why) => ("waiting", format!("{why}; the next healthcheck starts it")),
        Done::Stopped => ("stopped", String::new()),
        Done::NotRunning => ("stopped", "it did not run".to_owned()),
    };
    context.tell(name.as_str(), did, &detail);
}

pub fn deregister(context: &Context, entries: &Entries) -> Result<u8, KeepError> {
    let registry = registry::load(&context.home)?;
    let mut chosen = entries.names.clone();
    if entries.all {
        chosen = registry.processes().map(|(name, _)| name.to_string()).collect();
        chosen.extend(registry.bad().map(|bad| bad.name.clone()));
        if chosen.is_empty() {
            context.say_empty();
        }
    }
    let mut worst = 0;
    for name in chosen {
        match forget(context, &name) {
            Ok(detail) => context.tell(&name, "deregistered", detail),
            Err(error) => worst = worst.max(context.fail(&name, &error)),
        }
    }
    Ok(worst)
}

/// First the entry, so that nobody starts it again; then the process.
fn forget(context: &Context, name: &str) -> Result<&'static str, KeepError> {
    let (was, process) = registry::remove(&context.home, name)?;
    let process = process.unwrap_or_else(|| Process::new(""));
    // What has no name that a process can have never ran.
    let done = match name.parse() {
        Ok(name) => act::forget(&context.home, (&name, &process), &context.settings)?,
        Err(_) => Done::NotRunning,
    };
    if was {
        events::tell(&context.home, &Event::now(name, What::Deregistered, ""));
    }
    Ok(match (was, done) {
        (_, Done::Stopped) => "and stopped",
        (true, _) => "",
        (false, _) => "it was not registered",
    })
}
