//! The user's own rules about commands, where our programs would hide a command from them.
//!
//! A host matches its rules against the command line it sees: `sentinel-run build -- rm -rf /` begins
//! with `sentinel-run`. So the command behind `--` is held against them here, as if it stood alone.
//! Claude Code's form is read (`permissions.deny` and `permissions.ask` of its settings files); the
//! other hosts' rules are programs, or kept where no hook can read them.

use crate::protocol::text::cut;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// More than any settings file has, bytes.
const MOST: u64 = 4 << 20;

/// So much of a command is shown, characters.
const SHOWN: usize = 240;

/// Rules about shell commands, each with the file it is from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    deny: Vec<(String, PathBuf)>,
    ask: Vec<(String, PathBuf)>,
}

/// What a rule says of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruled {
    /// It must not run; the rule and its file.
    Deny(String),
    /// The user is asked.
    Ask(String),
}

impl Rules {
    /// The rules of a project, its user and its machine.
    #[must_use]
    pub fn of(project: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let user = variable("CLAUDE_CONFIG_DIR").map(PathBuf::from);
        let user = user.or_else(|| Some(Path::new(&variable("HOME")?).join(".claude")));
        let mut files: Vec<PathBuf> =
            user.map(|dir| dir.join("settings.json")).into_iter().collect();
        files.push(project.join(".claude/settings.json"));
        files.push(project.join(".claude/settings.local.json"));
        files.push("/etc/claude-code/managed-settings.json".into());
        let mut rules = Self::default();
        for file in files {
            if let Some(bytes) = read(&file) {
                rules.add(&bytes, &file);
            }
        }
        rules
    }

    fn add(&mut self, bytes: &[u8], file: &Path) {
        let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
        for (key, rules) in [("deny", &mut self.deny), ("ask", &mut self.ask)] {
            for rule in value["permissions"][key].as_array().into_iter().flatten() {
                let rule = rule.as_str().unwrap_or_default();
                let inner = match rule.strip_prefix("Bash(") {
                    Some(rest) => rest.strip_suffix(')'),
                    None if rule == "Bash" => Some("*"),
                    None => None,
                };
                rules.extend(inner.map(|inner| (inner.to_owned(), file.to_owned())));
            }
        }
    }

    /// What they say of these commands: the strictest.
    #[must_use]
    pub fn about(&self, commands: &[String]) -> Option<Ruled> {
        let find = |rules: &[(String, PathBuf)]| {
            rules.iter().find_map(|(rule, file)| {
                let command = commands.iter().find(|command| matches(rule, command))?;
                let command = cut(command, SHOWN);
                Some(format!("Bash({rule}) of {} is about: {command}", file.display()))
            })
        };
        find(&self.deny).map(Ruled::Deny).or_else(|| find(&self.ask).map(Ruled::Ask))
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut how = std::fs::OpenOptions::new();
    let file = how.read(true).custom_flags(libc::O_NONBLOCK).open(path).ok()?;
    file.metadata().ok()?.is_file().then_some(())?;
    crate::os::dir::read_all(file, MOST).ok()
}

/// Whether a rule is about a command. `*` is any text; a blank and `*` at the end, or `:*`, is also
/// nothing.
fn matches(rule: &str, command: &str) -> bool {
    let rule = rule.strip_suffix(":*").map_or_else(|| rule.to_owned(), |head| format!("{head} *"));
    let command = command.trim();
    if let Some(head) = rule.strip_suffix(" *").filter(|head| !head.contains('*'))
        && command == head
    {
        return true;
    }
    let mut pieces = rule.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = command.strip_prefix(first) else { return false };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else { return rest.is_empty() };
    for piece in middle {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_rule_is_about() {
        for (rule, command, expected) in [
            ("rm *", "rm -rf x", true),
            ("rm *", "rm", true),
            ("rm *", "rmdir x", false),
            ("rm:*", "rm -rf x", true),
            ("rm:*", "rmdir x", false),
            ("rm*", "rmdir x", true),
            ("git push", "git push", true),
            ("git push", "git push -f", false),
            ("git * main", "git push origin main", true),
            ("git * main", "git push origin dev", false),
            ("* --force", "git push --force", true),
            ("*", "anything", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
        ] {
            assert_eq!(matches(rule, command), expected, "{rule} {command}");
        }
    }

    #[test]
    fn the_strictest_counts() {
        let mut rules = Rules::default();
        rules.add(
            br#"{"permissions": {"deny": ["Bash(rm *)", "Read(x)"], "ask": ["Bash(git push:*)"]}}"#,
            Path::new("/s.json"),
        );
        let about = |commands: &[&str]| {
            rules.about(&commands.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
        };
        assert!(
            matches!(about(&["git push", "rm x"]), Some(Ruled::Deny(why)) if why.contains("rm *"))
        );
        assert!(matches!(about(&["git push"]), Some(Ruled::Ask(_))));
        assert_eq!(about(&["make"]), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(rule in ".{0,20}", command in ".{0,30}") {
            let _ = matches(&rule, &command);
        }
    }
}
