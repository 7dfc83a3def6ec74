//! The entries of each host's settings that call our hook, and how they are known again.

use crate::hook::host::Host;
use serde_json::{Value, json};

/// A hook of ours answers within 50 ms; a host that waits longer waits for nothing, seconds.
const PATIENCE: u32 = 5;
/// One that waits for a job waits for a day, seconds.
const A_DAY: u32 = 86_400;

/// The entries for a host: the event, and what is added to its list. `command` is what precedes
/// `hook`, quoted for a shell.
#[must_use]
pub fn entries(host: Host, command: &str) -> Vec<(&'static str, Value)> {
    let hook = format!("{command} --host {host}");
    match host {
        Host::Claude => {
            let plain = json!({"type": "command", "command": hook, "timeout": PATIENCE});
            // Without `async` a session of `claude -p` would wait for the job, too. The last two say how
            // what wakes the agent is introduced; they are not in the documentation.
            let waiting = json!({
                "type": "command", "command": format!("{hook} --wait"),
                "async": true, "asyncRewake": true, "timeout": A_DAY,
                "rewakeSummary": "A Sentinel job has ended", "rewakeMessage": "By a hook:",
            });
            let beside =
                json!({"type": "command", "command": hook, "async": true, "timeout": PATIENCE});
            vec![
                ("PreToolUse", json!({"matcher": "Bash|Monitor", "hooks": [plain]})),
                ("PostToolUse", json!({"matcher": "Bash", "hooks": [waiting]})),
                ("PostToolUseFailure", json!({"matcher": "Bash", "hooks": [beside]})),
                ("SessionStart", json!({"hooks": [plain]})),
                ("UserPromptSubmit", json!({"hooks": [plain]})),
                ("Stop", json!({"hooks": [plain]})),
            ]
        }
        Host::Codex => {
            let plain = json!({"type": "command", "command": hook, "timeout": PATIENCE});
            vec![
                ("PreToolUse", json!({"matcher": "Bash", "hooks": [plain]})),
                ("PostToolUse", json!({"matcher": "Bash", "hooks": [plain]})),
                ("SessionStart", json!({"hooks": [plain]})),
                ("UserPromptSubmit", json!({"hooks": [plain]})),
                ("Stop", json!({"hooks": [plain]})),
            ]
        }
        Host::Gemini => {
            let plain = json!({
                "name": "sentinel", "type": "command", "command": hook, "timeout": PATIENCE * 1000,
            });
            let shell = json!({"matcher": "run_shell_command", "hooks": [plain]});
            vec![
                ("BeforeTool", shell.clone()),
                ("AfterTool", shell),
                ("SessionStart", json!({"hooks": [plain]})),
                ("BeforeAgent", json!({"hooks": [plain]})),
                ("AfterAgent", json!({"hooks": [plain]})),
            ]
        }
        Host::Cursor => {
            let plain = json!({"command": hook, "timeout": PATIENCE});
            let events = [
                "beforeShellExecution",
                "afterShellExecution",
                "sessionStart",
                "beforeSubmitPrompt",
                "stop",
            ];
            events.map(|event| (event, plain.clone())).into()
        }
    }
}

/// What a host's settings need besides.
#[must_use]
pub fn besides(host: Host) -> Option<(&'static str, Value)> {
    (host == Host::Cursor).then(|| ("version", json!(1)))
}

/// Whether a command is a call of our hook and nothing else, by whatever path or with whatever options.
#[must_use]
pub fn is_ours(command: &str) -> bool {
    let words = shell_words::split(command).unwrap_or_default();
    let operators = ["|", "||", "&", "&&", ";"];
    let Some((program, rest)) = words.split_first() else { return false };
    if rest.iter().any(|word| operators.contains(&word.as_str()) || word.ends_with(';')) {
        return false;
    }
    match program.rsplit('/').next() {
        Some("sentinel-hook") => rest.iter().any(|word| word == "--host"),
        Some("sentinel-keep") => {
            let Some(at) = rest.iter().position(|word| word == "hook") else { return false };
            // Options, each with a value or without, and nothing else before it.
            let is_option = |word: &String| word.starts_with('-');
            let options =
                (0..at).all(|n| is_option(&rest[n]) || (n > 0 && is_option(&rest[n - 1])));
            options && rest[at..].iter().any(|word| word == "--host")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_are_known_again() {
        for (command, expected) in [
            ("sentinel-keep hook --host claude", true),
            ("'/opt/a b/sentinel-keep' --registry x hook --host codex --wait", true),
            ("${CLAUDE_PLUGIN_ROOT}/hooks/sentinel-hook --host claude", true),
            ("sentinel-keep healthcheck", false),
            ("logger sentinel-keep hook ran", false),
            ("sentinel-keep alerts | mail -s hook me", false),
            ("sentinel-keep hook --host claude; say done", false),
            ("sentinel-keep status hook --host x", false),
            ("my-sentinel-keep hook", false),
            ("echo 'sentinel-keep hook'", false),
        ] {
            assert_eq!(is_ours(command), expected, "{command}");
        }
    }

    /// The plugin's file says the same as what is installed, but for the way to the program.
    #[test]
    fn the_plugin_has_the_same_hooks() {
        let text = include_str!("../../skill/hooks/hooks.json");
        let plugin: Value = serde_json::from_str(text).unwrap();
        let command = "\"${CLAUDE_PLUGIN_ROOT}\"/hooks/sentinel-hook";
        let expected: serde_json::Map<String, Value> = entries(Host::Claude, command)
            .into_iter()
            .map(|(event, entry)| (event.to_owned(), json!([entry])))
            .collect();
        assert_eq!(
            plugin["hooks"],
            Value::Object(expected),
            "{}",
            json!(entries(Host::Claude, command))
        );
    }
}
