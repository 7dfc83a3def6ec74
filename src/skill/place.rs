//! Where each host looks for skills, subagents and hooks.

use crate::hook::host::Host;
use std::path::{Path, PathBuf};

/// For whom it is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The user, in all projects.
    User,
    /// Whoever works in this directory.
    Project(PathBuf),
}

/// The places of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The folder of the skill.
    pub skill: PathBuf,
    /// The folder of subagents.
    pub agents: PathBuf,
    /// The file with the hooks.
    pub settings: PathBuf,
}

/// The places of a host; `variable` is the environment.
///
/// # Errors
/// If the user's home is not known.
pub fn places(
    host: Host,
    scope: &Scope,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Places, String> {
    let base = match scope {
        Scope::Project(dir) => dir.clone(),
        Scope::User => PathBuf::from(variable("HOME").ok_or("HOME is not set: give --project")?),
    };
    let own = |folder: &str, moved_by: Option<&str>| match (scope, moved_by.and_then(variable)) {
        (Scope::User, Some(dir)) => PathBuf::from(dir),
        _ => base.join(folder),
    };
    let of = |folder: &Path, settings: &str| Places {
        skill: folder.join("skills/sentinel"),
        agents: folder.join("agents"),
        settings: folder.join(settings),
    };
    Ok(match host {
        Host::Claude => of(&own(".claude", Some("CLAUDE_CONFIG_DIR")), "settings.json"),
        Host::Codex => Places {
            skill: base.join(".agents/skills/sentinel"),
            ..of(&own(".codex", Some("CODEX_HOME")), "hooks.json")
        },
        Host::Gemini => of(&own(".gemini", None), "settings.json"),
        Host::Cursor => of(&own(".cursor", None), "hooks.json"),
    })
}

/// Whether a host is used here: it has a folder of its own, for the user or in the project.
#[must_use]
pub fn is_used(host: Host, scope: &Scope, variable: &dyn Fn(&str) -> Option<String>) -> bool {
    let there = |scope: &Scope| {
        places(host, scope, variable)
            .is_ok_and(|places| places.agents.parent().is_some_and(Path::is_dir))
    };
    there(scope) || there(&Scope::User)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_each_host_looks() {
        let home = |name: &str| (name == "HOME").then(|| "/home/ann".to_owned());
        let moved = |name: &str| match name {
            "HOME" => Some("/home/ann".to_owned()),
            "CLAUDE_CONFIG_DIR" => Some("/etc/c".to_owned()),
            "CODEX_HOME" => Some("/etc/x".to_owned()),
            _ => None,
        };
        let project = Scope::Project("/p".into());
        let at = |host, scope: &Scope, variable: &dyn Fn(&str) -> Option<String>| {
            let places = places(host, scope, variable).unwrap();
            [places.skill, places.agents, places.settings].map(|path| path.display().to_string())
        };
        assert_eq!(
            at(Host::Claude, &Scope::User, &home),
            [
                "/home/ann/.claude/skills/sentinel",
                "/home/ann/.claude/agents",
                "/home/ann/.claude/settings.json"
            ]
        );
        assert_eq!(at(Host::Claude, &Scope::User, &moved)[2], "/etc/c/settings.json");
        assert_eq!(at(Host::Claude, &project, &moved)[2], "/p/.claude/settings.json");
        assert_eq!(
            at(Host::Codex, &Scope::User, &moved),
            ["/home/ann/.agents/skills/sentinel", "/etc/x/agents", "/etc/x/hooks.json"]
        );
        assert_eq!(at(Host::Gemini, &project, &home)[2], "/p/.gemini/settings.json");
        assert_eq!(at(Host::Cursor, &project, &home)[2], "/p/.cursor/hooks.json");
        assert!(places(Host::Claude, &Scope::User, &|_| None).is_err());
    }
}
