//! The hosts: how each tells what happens, and how each wants to be answered.
//!
//! Sources: for Claude Code its hooks reference and the types of its agent SDK (2.1.332); for Codex the
//! JSON schemas embedded in its release 0.171; for Gemini CLI `packages/core/src/hooks/types.ts` and
//! `docs/hooks/reference.md`; for Cursor its hooks page of September 2026, and where that is silent,
//! what others saw of 3.9.

use super::event::{Answer, Event, What};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A host of agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// Claude Code.
    Claude,
    /// `OpenAI`'s Codex CLI.
    Codex,
    /// Google's Gemini CLI.
    Gemini,
    /// Cursor, the editor and its command line.
    Cursor,
}

/// Why a host was not understood.
#[derive(Debug, thiserror::Error)]
pub enum Unheard {
    /// It is no JSON object.
    #[error("standard input is no JSON object: expected the hook event of {0}")]
    NoObject(Host),
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl Host {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Claude, Self::Codex, Self::Gemini, Self::Cursor];

    /// As it is written on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Cursor => "cursor",
        }
    }

    /// Whether it can ask its user about a command. Codex calls that an error and runs the command;
    /// Gemini CLI, without a terminal, waits for an answer for ever.
    #[must_use]
    pub fn can_ask(self) -> bool {
        !matches!(self, Self::Codex | Self::Gemini)
    }

    /// Whether a hook of it can wake an idle session.
    #[must_use]
    pub fn can_wake(self) -> bool {
        self == Self::Claude
    }

    /// Reads an event. Fields that are not known here are passed over.
    ///
    /// # Errors
    /// If it is no JSON object.
    pub fn hear(
        self,
        bytes: &[u8],
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Event, Unheard> {
        // Cursor writes a byte order mark on some systems.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
        if !value.is_object() {
            return Err(Unheard::NoObject(self));
        }
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let name = text("hook_event_name");
        let session = match self {
            Self::Cursor => text("conversation_id"),
            _ => text("session_id"),
        };
        let root = value["workspace_roots"][0].as_str().unwrap_or_default();
        let cwd = [text("cwd"), root.to_owned()].into_iter().find(|dir| !dir.is_empty());
        let cwd = cwd.map_or_else(|| std::env::current_dir().unwrap_or_default(), PathBuf::from);
        let given = match self {
            Self::Claude => variable("CLAUDE_PROJECT_DIR"),
            Self::Codex => None,
            Self::Gemini => variable("GEMINI_PROJECT_DIR"),
            Self::Cursor if root.is_empty() => variable("CURSOR_PROJECT_DIR"),
            Self::Cursor => Some(root.to_owned()),
        };
        let given = given.filter(|dir| Path::new(dir).is_absolute()).map(PathBuf::from);
        let project = given.unwrap_or_else(|| project_of(&cwd));
        let what = self.what(&name, &value);
        Ok(Event { name, session, cwd, project, what })
    }

    fn what(self, name: &str, value: &Value) -> What {
        let command = || command(value).unwrap_or_default();
        // What is told to a subagent is not told to the agent: Codex has a prompt for each of them.
        let is_subagent = value["agent_id"].as_str().is_some_and(|id| !id.is_empty());
        match (self, name) {
            (_, "SessionStart" | "UserPromptSubmit" | "Stop") if is_subagent => What::Other,
            (Self::Claude | Self::Codex | Self::Gemini, "SessionStart")
            | (Self::Cursor, "sessionStart") => What::SessionStart,
            (Self::Claude | Self::Codex, "UserPromptSubmit")
            | (Self::Gemini, "BeforeAgent")
            | (Self::Cursor, "beforeSubmitPrompt") => What::Prompt,
            (Self::Claude | Self::Codex, "PreToolUse")
            | (Self::Gemini, "BeforeTool")
            | (Self::Cursor, "preToolUse" | "beforeShellExecution") => {
                if command().is_empty() {
                    return What::Other;
                }
                let input = &value["tool_input"];
                let flag = |key: &str| input[key].as_bool() == Some(true);
                let background = flag("run_in_background") || flag("is_background");
                What::Before { command: command(), background }
            }
            (Self::Claude | Self::Codex, "PostToolUse" | "PostToolUseFailure")
            | (Self::Gemini, "AfterTool")
            | (Self::Cursor, "postToolUse" | "afterShellExecution" | "postToolUseFailure") => {
                if command().is_empty() {
                    return What::Other;
                }
                What::After { command: command(), output: output(value) }
            }
            (Self::Claude | Self::Codex, "Stop")
            | (Self::Gemini, "AfterAgent")
            | (Self::Cursor, "stop") => {
                let loops = value["loop_count"].as_u64().unwrap_or(0) > 0;
                let again = loops || value["stop_hook_active"].as_bool() == Some(true);
                // A turn that a person broke off is not gone on with.
                match value["status"].as_str() {
                    Some("aborted" | "error") => What::Other,
                    _ => What::TurnEnd { again },
                }
            }
            _ => What::Other,
        }
    }

    /// What is printed. Claude Code and Codex take silence for "no opinion"; Gemini CLI an empty
    /// object. Cursor blocks what is not answered by its schema.
    #[must_use]
    pub fn say(self, event: &str, answer: &Answer) -> String {
        let value = match self {
            Self::Claude | Self::Codex => self.say_claude(event, answer),
            Self::Gemini => Some(Self::say_gemini(event, answer)),
            Self::Cursor => Some(Self::say_cursor(event, answer)),
        };
        value.map(|value| value.to_string()).unwrap_or_default()
    }

    fn say_claude(self, event: &str, answer: &Answer) -> Option<Value> {
        let decided = |how: &str, why: &str| {
            json!({"hookSpecificOutput": {
                "hookEventName": event, "permissionDecision": how, "permissionDecisionReason": why,
            }})
        };
        let context = |text: &str| json!({"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}});
        Some(match answer {
            Answer::Nothing => return None,
            Answer::Ask(why) if self.can_ask() => decided("ask", why),
            Answer::Deny(why) | Answer::Ask(why) => decided("deny", why),
            Answer::Warn(text) => {
                let mut value = context(text);
                value["systemMessage"] = json!(text);
                value
            }
            Answer::Tell(text) => context(text),
            // Feedback that is no error; Codex knows the older form only.
            Answer::GoOn(text) if self == Self::Claude => context(text),
            Answer::GoOn(text) => json!({"decision": "block", "reason": text}),
            Answer::Notice(text) => json!({"systemMessage": text}),
        })
    }

    fn say_gemini(event: &str, answer: &Answer) -> Value {
        match answer {
            Answer::Nothing => json!({}),
            Answer::Deny(why) | Answer::Ask(why) | Answer::GoOn(why) => {
                json!({"decision": "deny", "reason": why})
            }
            Answer::Warn(text) | Answer::Notice(text) => json!({"systemMessage": text}),
            Answer::Tell(text) => {
                json!({"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}})
            }
        }
    }

    fn say_cursor(event: &str, answer: &Answer) -> Value {
        let permission = |how: &str, text: &str| {
            // The model was seen to read the first, the documentation says the second.
            json!({"permission": how, "user_message": text, "agent_message": text})
        };
        match (event, answer) {
            (_, Answer::Nothing) if asks_permission(event) => json!({"permission": "allow"}),
            // On preToolUse a question is accepted and not asked.
            (_, Answer::Deny(why)) | ("preToolUse", Answer::Ask(why)) => permission("deny", why),
            (_, Answer::Ask(why)) => permission("ask", why),
            (_, Answer::Warn(text)) => permission("allow", text),
            ("beforeSubmitPrompt", Answer::Tell(text)) => {
                json!({"continue": true, "additional_context": text})
            }
            ("beforeSubmitPrompt", _) => json!({"continue": true}),
            (_, Answer::Tell(text)) => json!({"additional_context": text}),
            (_, Answer::GoOn(text)) => json!({"followup_message": text}),
            (_, Answer::Nothing | Answer::Notice(_)) => json!({}),
        }
    }

    /// What is printed when nothing is known, not even the event: nothing is kept from running.
    #[must_use]
    pub fn let_through(self) -> String {
        self.say("", &Answer::Nothing)
    }
}

/// Whether Cursor takes anything but a permission for a "no" there. An event without a name may be
/// such a one.
fn asks_permission(event: &str) -> bool {
    [
        "",
        "preToolUse",
        "beforeShellExecution",
        "beforeMCPExecution",
        "beforeReadFile",
        "beforeTabFileRead",
        "subagentStart",
    ]
    .contains(&event)
}

/// The command of a shell tool, where each host has it.
fn command(value: &Value) -> Option<String> {
    // Cursor's shell events name no tool.
    let tool = value["tool_name"].as_str().unwrap_or("Shell");
    let shells = ["Bash", "Monitor", "Shell", "run_shell_command", "exec_command"];
    let input = &value["tool_input"];
    let found = [&input["command"], &input["cmd"], &value["command"]];
    let found = found.into_iter().find_map(Value::as_str)?;
    shells.contains(&tool).then(|| found.to_owned())
}

/// What a command printed: a text, or an object with texts in it, by host and version.
fn output(value: &Value) -> String {
    let mut text = String::new();
    for key in ["tool_response", "tool_output", "output", "error", "error_message"] {
        gather(&value[key], &mut text);
    }
    text
}

/// Where in an object what a command printed is.
const OUTPUTS: [&str; 4] = ["stdout", "stderr", "output", "llmContent"];

fn gather(value: &Value, text: &mut String) {
    match value {
        // An object that was packed as a text.
        Value::String(packed) if packed.starts_with('{') => {
            match serde_json::from_str::<Value>(packed) {
                Ok(inner) if OUTPUTS.iter().any(|key| inner[key].is_string()) => {
                    gather(&inner, text);
                }
                _ => *text += &(packed.clone() + "\n"),
            }
        }
        // Gemini CLI puts a word before the first line of what was printed.
        Value::String(plain) => {
            for line in plain.lines() {
                *text += line.strip_prefix("Output: ").unwrap_or(line);
                text.push('\n');
            }
        }
        Value::Object(fields) => {
            for key in OUTPUTS {
                fields.get(key).into_iter().for_each(|field| gather(field, text));
            }
        }
        _ => {}
    }
}

/// The project that a directory is in: the nearest above it with a version control's mark, else itself.
#[must_use]
pub fn project_of(cwd: &Path) -> PathBuf {
    let marked = |dir: &&Path| [".git", ".hg", ".jj"].iter().any(|mark| dir.join(mark).exists());
    cwd.ancestors().find(marked).unwrap_or(cwd).to_owned()
}
