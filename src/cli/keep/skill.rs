//! `skill install` and `skill uninstall`: the skill, the subagent and the hooks for agents' hosts.

use super::Context;
use super::hook::{HostName, ModeName};
use crate::cli::values;
use crate::hook::host::{Host, project_of};
use crate::keep::KeepError;
use crate::os::say::{print, say};
use crate::skill::place::{Scope, is_used, places};
use crate::skill::plan::{self, Change, Order};
use crate::skill::record;
use clap::Subcommand;
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub enum Skill {
    /// Put the skill, the subagent and the hooks where the hosts look for them
    Install(Install),
    /// Undo exactly that
    Uninstall(Where),
}

#[derive(Debug, clap::Args)]
pub struct Where {
    /// For which hosts [default: those that are used here]
    #[arg(long, value_enum, value_name = "HOST")]
    host: Vec<HostName>,

    /// For this project, or the one in DIR: the nearest directory with a .git, else that itself
    #[arg(
        long, value_name = "DIR", num_args = 0..=1, require_equals = true,
        default_missing_value = ".", conflicts_with = "user"
    )]
    project: Option<PathBuf>,

    /// For the user, in all projects [default]
    #[arg(long)]
    user: bool,

    /// Show what would be changed, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Also replace, or remove, files that were changed since
    #[arg(long)]
    force: bool,
}

#[derive(Debug, clap::Args)]
pub struct Install {
    #[command(flatten)]
    whom: Where,

    /// What the hook does about commands that leave work behind [default: deny]
    #[arg(long, value_enum)]
    mode: Option<ModeName>,
}

impl Skill {
    fn whom(&self) -> &Where {
        match self {
            Self::Install(install) => &install.whom,
            Self::Uninstall(whom) => whom,
        }
    }

    /// Whether it writes anything.
    pub fn acts(&self) -> bool {
        !self.whom().dry_run
    }

    pub fn run(&self, context: &Context) -> Result<u8, KeepError> {
        let whom = self.whom();
        let mode = match self {
            Self::Install(install) => install.mode,
            Self::Uninstall(_) => None,
        };
        let installs = matches!(self, Self::Install(_));
        let mut open = if whom.dry_run { None } else { Some(record::open(&context.home)?) };
        let shown = record::peek(&context.home)?;
        // All that is to be done is known before anything is: one file that cannot be understood, and
        // nothing is changed.
        let mut plans = Vec::new();
        let registry = context.home.registry();
        let registry =
            (values::standard_registry().as_deref() != Some(registry)).then_some(registry);
        for order in whom.orders(mode, registry)? {
            let plan = if installs { plan::install } else { plan::uninstall };
            let record = open.as_ref().map_or(&shown, |open| &open.record);
            plans.push((order.host, plan(&order, record)?));
        }
        let mut kept = 0;
        for (host, changes) in plans {
            if let Some(open) = &mut open {
                let done = if installs { plan::do_install } else { plan::do_uninstall };
                done(&changes, open)?;
            }
            for change in &changes {
                tell(context, host, change, whom.dry_run);
                kept += u8::from(change.kept.is_some());
            }
            if changes.is_empty() {
                context.tell(host.name(), "absent", "nothing was installed");
            } else if installs && !whom.dry_run {
                advise(host);
            }
        }
        Ok(u8::from(kept > 0))
    }
}

impl Where {
    fn scope(&self) -> Result<Scope, KeepError> {
        let Some(dir) = &self.project else { return Ok(Scope::User) };
        let dir = std::fs::canonicalize(dir).map_err(|source| KeepError::System {
            what: format!("use --project {}", dir.display()),
            source,
        })?;
        Ok(Scope::Project(project_of(&dir)))
    }

    fn orders(
        &self,
        mode: Option<ModeName>,
        registry: Option<&Path>,
    ) -> Result<Vec<Order>, KeepError> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let scope = self.scope()?;
        let mut hosts: Vec<Host> = self.host.iter().map(|name| Host::from(*name)).collect();
        if hosts.is_empty() {
            hosts.extend(Host::ALL.iter().filter(|host| is_used(**host, &scope, &variable)));
        }
        if hosts.is_empty() {
            let all = Host::ALL.map(Host::name).join(", ");
            return Err(KeepError::Usage(format!(
                "no host of agents is used here, as far as its folder tells: name it by --host, one of {all}"
            )));
        }
        hosts.sort();
        hosts.dedup();
        let command = command(&scope, mode, registry);
        let order = |host: Host| {
            let places = places(host, &scope, &variable).map_err(KeepError::Usage)?;
            Ok(Order { host, places, command: command.clone(), force: self.force })
        };
        hosts.into_iter().map(order).collect()
    }
}

/// How the hook is called: in a file that others share by its name, in one's own by its path, for a host
/// may have been started with another search path.
fn command(scope: &Scope, mode: Option<ModeName>, registry: Option<&Path>) -> String {
    let own = std::env::current_exe().ok().filter(|_| *scope == Scope::User);
    let program = own.unwrap_or_else(|| Path::new("sentinel-keep").to_owned());
    let mode = mode.map(|mode| format!(" --mode {mode}")).unwrap_or_default();
    let quoted = |path: &Path| shell_words::quote(&path.to_string_lossy()).into_owned();
    let registry = registry.filter(|_| *scope == Scope::User);
    let registry = registry.map(|path| format!(" --registry {}", quoted(path))).unwrap_or_default();
    format!("{}{registry} hook{mode}", quoted(&program))
}

fn tell(context: &Context, host: Host, change: &Change, dry_run: bool) {
    let path = change.path.display().to_string();
    if let Some(why) = &change.kept {
        say(format!("sentinel-keep: {path}: {why}"));
    }
    let did = match (dry_run, change.did()) {
        (true, "created") => "would create",
        (true, "changed") => "would change",
        (true, "removed") => "would remove",
        (_, did) => did,
    };
    context.tell(host.name(), did, &path);
    // A new file of ours is in the documentation; what happens to the user's is to be seen.
    if dry_run && !context.json && did == "would change" {
        print(change.difference().trim_end());
    }
}

/// What a host wants besides, before its hooks are heard.
fn advise(host: Host) {
    match host {
        Host::Codex => say("sentinel-keep: Codex asks you to trust each hook once: /hooks"),
        Host::Gemini => say(
            "sentinel-keep: Gemini CLI runs hooks in folders that are trusted, and asks once about a project's subagent",
        ),
        Host::Claude | Host::Cursor => {}
    }
}
