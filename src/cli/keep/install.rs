//! `install` and `uninstall`: a healthcheck every few minutes.

use super::Context;
use crate::cli::values;
use crate::keep::KeepError;
use crate::keep::install::{CARRIED, Order, cron, systemd};
use crate::keep::pass::leave_mark;
use crate::os::dir::MonitorDir;
use crate::os::say::{print, say};
use crate::protocol::time::human;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub struct Install {
    /// A line in the crontab
    #[arg(long, conflicts_with = "systemd")]
    cron: bool,

    /// A timer of the user's systemd [default: where linger is on, else --cron]
    #[arg(long)]
    systemd: bool,

    /// How often to look; cron: minutes that divide the hour, or hours that divide the day
    #[arg(long, value_name = "DUR", default_value = "5m", value_parser = values::positive_duration)]
    every: Duration,

    /// Print what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
}

impl Install {
    pub fn run(&self, context: &Context) -> Result<u8, KeepError> {
        let order = self.order(context)?;
        let by_systemd =
            self.systemd || (!self.cron && systemd::lingers() && systemd::answers().is_ok());
        if self.dry_run {
            return dry_run(context, &order, by_systemd);
        }
        let desk = desk();
        let every = human(order.every);
        if by_systemd {
            let [_, timer] = systemd::install(&order)?;
            // One net is enough. Where there is no cron, there is nothing of ours in it.
            let _ = cron::uninstall(&order.registry, desk.as_ref());
            let detail = format!("every {every}: {}", timer.display());
            context.tell("systemd", "installed", &detail);
            if !systemd::lingers() {
                say(
                    "sentinel-keep: linger is off: the timer stops when you log out, and does not start with the machine; turn it on with: loginctl enable-linger",
                );
            }
        } else {
            let line = cron::line(&order).map_err(undone)?;
            let changed = cron::install(&order, desk.as_ref()).map_err(undone)?;
            systemd::uninstall(&order.registry, order.standard)?;
            let did = if changed { "installed" } else { "unchanged" };
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            context.tell("cron", did, &format!("every {every}: {line}"));
        }
        leave_mark(&context.home); // somebody will look from now on
        Ok(0)
    }

    fn order(&self, context: &Context) -> Result<Order, KeepError> {
        let program = std::env::current_exe()
            .map_err(|source| KeepError::System { what: "find myself".into(), source })?;
        let carried = |name: &str| Some((name.to_owned(), std::env::var_os(name)?));
        Ok(Order {
            program,
            registry: context.home.registry().to_owned(),
            standard: is_standard(context),
            alert_cmd: context.settings.command.clone(),
            seed_flags: context.settings.seed_flags.clone(),
            every: self.every,
            environment: CARRIED.into_iter().filter_map(carried).collect(),
        })
    }
}

fn undone(why: String) -> KeepError {
    KeepError::Undone { what: "install the line".into(), why }
}

fn is_standard(context: &Context) -> bool {
    values::standard_registry().is_some_and(|path| path == context.home.registry())
}

/// Where all of the user's sentinel-keep meet, whatever their registries.
fn desk() -> Option<MonitorDir> {
    let standard = values::standard_registry()?;
    MonitorDir::create(standard.parent()?).ok()
}

fn dry_run(context: &Context, order: &Order, by_systemd: bool) -> Result<u8, KeepError> {
    let show = |name: &str, text: String| {
        if context.json {
            context.tell(name, "would install", &text);
        } else {
            print(text.trim_end());
        }
    };
    if by_systemd {
        let name = systemd::name(&order.registry, order.standard);
        for (suffix, text) in
            [("service", systemd::service(order)), ("timer", systemd::timer(order))]
        {
            let unit = format!("{name}.{suffix}");
            show("systemd", format!("# {unit}\n{}", text.map_err(undone)?));
        }
    } else {
        let line = cron::line(order).map_err(undone)?;
        show("cron", String::from_utf8_lossy(&line).into_owned());
    }
    Ok(0)
}

/// Takes away whatever was installed for this registry.
pub fn uninstall(context: &Context) -> u8 {
    let registry = context.home.registry();
    let mut worst = 0;
    match systemd::uninstall(registry, is_standard(context)) {
        Ok(true) => context.tell("systemd", "uninstalled", ""),
        Ok(false) => context.tell("systemd", "absent", "nothing was installed"),
        Err(error) => worst = context.fail("systemd", &error),
    }
    match cron::uninstall(registry, desk().as_ref()) {
        Ok(true) => context.tell("cron", "uninstalled", ""),
        Ok(false) => context.tell("cron", "absent", "nothing was installed"),
        Err(why) if why.contains("cannot execute") => {
            context.tell("cron", "absent", "there is no crontab here");
        }
        Err(why) => {
            let error = KeepError::Undone { what: "take the line out".into(), why };
            worst = worst.max(context.fail("cron", &error));
        }
    }
    worst
}
