//! What is installed: the files of `skill/` in the repository, in the program itself.

use crate::hook::host::Host;

/// A file of the skill's folder: its path in there, and its text.
pub const SKILL: [(&str, &str); 4] = [
    ("SKILL.md", include_str!("../../skill/skills/sentinel/SKILL.md")),
    ("references/hosts.md", include_str!("../../skill/skills/sentinel/references/hosts.md")),
    ("references/keep.md", include_str!("../../skill/skills/sentinel/references/keep.md")),
    (
        "references/preflight.md",
        include_str!("../../skill/skills/sentinel/references/preflight.md"),
    ),
];

/// The subagent, as Claude Code reads it.
const MONITOR: &str = include_str!("../../skill/agents/sentinel-monitor.md");

/// The subagent's file name and text for a host.
#[must_use]
pub fn monitor(host: Host) -> (&'static str, String) {
    let (head, body) = parts(MONITOR);
    let field = |name: &str| {
        let lines = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        lines.unwrap_or_default()
    };
    let (name, description) = (field("name"), field("description"));
    match host {
        Host::Claude => ("sentinel-monitor.md", MONITOR.to_owned()),
        // Each of these refuses, or passes over, what it does not know.
        Host::Gemini => (
            "sentinel-monitor.md",
            format!(
                "---\nname: {name}\ndescription: {description}\ntools: [run_shell_command]\ntimeout_mins: 120\n---\n{body}"
            ),
        ),
        Host::Cursor => (
            "sentinel-monitor.md",
            format!("---\nname: {name}\ndescription: {description}\n---\n{body}"),
        ),
        Host::Codex => (
            "sentinel-monitor.toml",
            format!(
                "name = {}\ndescription = {}\ndeveloper_instructions = '''{}'''\n",
                quoted(name),
                quoted(description),
                body.trim_start()
            ),
        ),
    }
}

/// A basic string of TOML: what JSON writes is one.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The front matter of a Markdown file, and what follows it.
fn parts(text: &str) -> (&str, &str) {
    let inner = text.strip_prefix("---\n").unwrap_or(text);
    inner.split_once("\n---\n").unwrap_or(("", inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_has_the_whole_subagent() {
        for host in Host::ALL {
            let (file, text) = monitor(host);
            assert!(file.starts_with("sentinel-monitor."), "{file}");
            for word in ["sentinel-monitor", "Waits for one or more", "sentinel-watch --max-wait"] {
                assert!(text.contains(word), "{host}: {word}");
            }
        }
        // Its end marks the end of the string in TOML.
        assert!(!parts(MONITOR).1.contains("'''"));
    }

    #[test]
    fn every_file_of_the_folder_is_in_it() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("skill/skills/sentinel");
        let mut there = Vec::new();
        for dir in [folder.clone(), folder.join("references")] {
            for entry in std::fs::read_dir(dir).unwrap().flatten() {
                if entry.path().is_file() {
                    let path = entry.path();
                    there.push(path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        there.sort();
        assert_eq!(there, SKILL.map(|(path, _)| path.to_owned()));
    }
}
