//! The hosts of agents, as stories play them: what each sends to a hook, and what it takes an answer for.
//!
//! `tests/fixtures/hosts` has for each host a JSON Schema of what it sends and takes, and an event of
//! each kind. Whatever a story sends or gets is held against the schema.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};

use crate::scene::{Cmd, Done, Running, Scene};

/// For all that a host tells in the same words: how it calls the events.
#[derive(Debug)]
pub struct Host {
    pub name: &'static str,
    pub session_start: &'static str,
    pub prompt: &'static str,
    /// The events before a command: those in which it may be refused.
    pub before: &'static [&'static str],
    /// The events after one that succeeded.
    pub after: &'static [&'static str],
    pub turn_end: &'static str,
    /// What it reads as "no opinion" before a command.
    pub pass: &'static str,
}

pub const CLAUDE: Host = Host {
    name: "claude",
    session_start: "SessionStart",
    prompt: "UserPromptSubmit",
    before: &["PreToolUse"],
    after: &["PostToolUse"],
    turn_end: "Stop",
    pass: "",
};
pub const CODEX: Host = Host { name: "codex", ..CLAUDE };
pub const GEMINI: Host = Host {
    name: "gemini",
    session_start: "SessionStart",
    prompt: "BeforeAgent",
    before: &["BeforeTool"],
    after: &["AfterTool"],
    turn_end: "AfterAgent",
    pass: "{}\n",
};
pub const CURSOR: Host = Host {
    name: "cursor",
    session_start: "sessionStart",
    prompt: "beforeSubmitPrompt",
    before: &["beforeShellExecution", "preToolUse"],
    after: &["afterShellExecution", "postToolUse"],
    turn_end: "stop",
    pass: "{\"permission\":\"allow\"}\n",
};
pub const HOSTS: [Host; 4] = [CLAUDE, CODEX, GEMINI, CURSOR];

/// What a host makes of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It goes on as if nobody had been asked.
    Nothing,
    /// The command does not run, and the agent reads why.
    Deny(String),
    /// The user is asked.
    Ask(String),
    /// The agent reads it.
    Told(String),
    /// The user reads it.
    Shown(String),
    /// The turn goes on, and the agent reads why.
    GoesOn(String),
}

impl Taken {
    /// The command does not run, and the agent reads these words.
    #[track_caller]
    pub fn denies(&self, words: &str) {
        let denied = matches!(self, Self::Deny(why) if why.contains(words));
        assert!(denied, "expected a refusal with {words:?}: {self:?}");
    }

    /// What is read by whoever reads it.
    pub fn text(&self) -> &str {
        match self {
            Self::Nothing => "",
            Self::Deny(text)
            | Self::Ask(text)
            | Self::Told(text)
            | Self::Shown(text)
            | Self::GoesOn(text) => text,
        }
    }
}

// ---- events -----------------------------------------------------------------------------------

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/hosts")
}

/// An event, as it is sent.
#[derive(Clone, Debug)]
pub struct Event {
    host: &'static str,
    pub name: String,
    pub value: Value,
}

impl Host {
    /// The events of the fixtures, with the names of their files.
    pub fn events(&self) -> Vec<(String, Event)> {
        let entries = fs::read_dir(fixtures().join(self.name)).unwrap();
        let files = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<String> = files.collect();
        files.sort();
        files
            .into_iter()
            .map(|file| {
                let name = file.split('.').next().unwrap();
                (file.clone(), self.read(name, &file))
            })
            .collect()
    }

    fn read(&self, name: &str, file: &str) -> Event {
        let text = fs::read(fixtures().join(self.name).join(file)).unwrap();
        let value = serde_json::from_slice(&text).unwrap();
        Event { host: self.name, name: name.to_owned(), value }
    }

    /// The event of this name in a project, in a session.
    pub fn event(&self, name: &str, project: &Path, session: &str) -> Event {
        self.read(name, &format!("{name}.json")).at(project).of_session(session)
    }

    /// Before a command, by the event that this host has first of all.
    pub fn before(&self, project: &Path, session: &str, command: &str) -> Event {
        self.event(self.before[0], project, session).with_command(command)
    }

    /// After a command that printed this.
    pub fn after(&self, project: &Path, session: &str, command: &str, printed: &str) -> Event {
        self.event(self.after[0], project, session).with_command(command).that_printed(printed)
    }
}

impl Event {
    /// In this directory.
    pub fn at(mut self, dir: &Path) -> Self {
        let dir = dir.to_str().unwrap();
        if self.value["cwd"].as_str().is_some_and(|cwd| !cwd.is_empty()) {
            self.value["cwd"] = json!(dir);
        }
        if self.host == "cursor" {
            self.value["workspace_roots"] = json!([dir]);
        }
        self
    }

    pub fn of_session(mut self, session: &str) -> Self {
        for key in ["session_id", "conversation_id"] {
            if let Some(field) = self.value.get_mut(key) {
                *field = json!(session);
            }
        }
        self
    }

    pub fn with_command(mut self, command: &str) -> Self {
        let place = match self.value.get_mut("tool_input") {
            Some(input) => &mut input["command"],
            None => &mut self.value["command"],
        };
        *place = json!(command);
        self
    }

    pub fn with(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        self.value.pointer_mut(parent).unwrap()[key] = value.into();
        self
    }

    /// The output of the command, where and how the host has it.
    pub fn that_printed(self, text: &str) -> Self {
        match (self.host, self.name.as_str()) {
            ("claude", "PostToolUse") => self.with("/tool_response/stdout", text.trim_end()),
            ("claude", _) => self.with("/error", format!("Exit code 1\n{}", text.trim_end())),
            ("codex", _) => self.with("/tool_response", text),
            ("gemini", _) => {
                let all = format!("Output: {}\nProcess Group PGID: 48211", text.trim_end());
                self.with("/tool_response/llmContent", all)
                    .with("/tool_response/returnDisplay", text)
            }
            (_, "afterShellExecution") => self.with("/output", text),
            (_, "postToolUseFailure") => self.with("/error_message", text),
            _ => {
                let packed = json!({"output": text, "exitCode": 0}).to_string();
                self.with("/tool_output", packed)
            }
        }
    }

    /// The hook kept the turn from ending already.
    pub fn again(self) -> Self {
        let (key, value) = if self.host == "cursor" {
            ("/loop_count", json!(1))
        } else {
            ("/stop_hook_active", json!(true))
        };
        self.with(key, value)
    }
}

// ---- schemas ----------------------------------------------------------------------------------

struct Known {
    schemas: Schemas,
    index: BTreeMap<(&'static str, String), SchemaIndex>,
}

/// All that the schemas define, by host and by `EVENT.input` or `EVENT.output`.
fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        let mut index = BTreeMap::new();
        for host in &HOSTS {
            let file = format!("{}.schema.json", host.name);
            let text = fs::read(fixtures().join(&file)).unwrap();
            let whole: Value = serde_json::from_slice(&text).unwrap();
            let names: Vec<String> = whole["$defs"].as_object().unwrap().keys().cloned().collect();
            let url = format!("https://sentinel.invalid/{file}");
            compiler.add_resource(&url, whole).unwrap();
            for name in names.into_iter().filter(|name| name.contains('.')) {
                let schema = compiler.compile(&format!("{url}#/$defs/{name}"), &mut schemas);
                index.insert((host.name, name), schema.unwrap_or_else(|e| panic!("{e:#}")));
            }
        }
        Known { schemas, index }
    })
}

/// What is wrong with it, by the schema of this event's `input` or `output`.
pub fn fault(host: &Host, event: &str, side: &str, value: &Value) -> Option<String> {
    let known = known();
    let index = known.index.get(&(host.name, format!("{event}.{side}")));
    let index = index.unwrap_or_else(|| panic!("{} has no schema for {event}", host.name));
    let error = known.schemas.validate(value, *index).err()?;
    Some(format!("{} {event} {side}: {error}\n{value:#}", host.name))
}

/// The events that the schema of a host knows.
pub fn known_events(host: &Host) -> Vec<String> {
    let names = known().index.keys().filter(|(of, _)| *of == host.name);
    names.filter_map(|(_, name)| name.strip_suffix(".input").map(str::to_owned)).collect()
}

// ---- calls ------------------------------------------------------------------------------------

/// How long the last of a hook's processes may take to go.
const BOUND: Duration = Duration::from_secs(40);

/// A call of the hook under way, and our end of its standard input.
pub struct Call {
    running: Running,
    stdin: UnixStream,
}

impl Call {
    /// Its end, and that of whatever it left to be written down.
    #[track_caller]
    pub fn wait(mut self) -> Done {
        let done = self.running.wait();
        self.stdin.set_read_timeout(Some(BOUND)).unwrap();
        // It has nothing to say there: this ends when nobody has the other end any more.
        let ended = self.stdin.read(&mut [0]);
        let gone = match &ended {
            Ok(read) => *read == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        };
        assert!(gone, "something of the hook is left: {ended:?}: {}", done.told());
        done
    }

    pub fn running(&mut self) -> &mut Running {
        &mut self.running
    }
}

impl Scene {
    /// A directory with a version control's mark.
    pub fn project(&self, name: &str) -> PathBuf {
        let project = self.path(name);
        fs::create_dir_all(project.join(".git")).unwrap();
        project
    }

    /// `sentinel-keep hook`, in the environment that this host gives to its hooks in a project.
    pub fn hook(&self, host: &Host, project: &Path, options: &str) -> Cmd {
        let hook = self
            .keep(&format!("hook --host {} {options}", host.name))
            .cwd(project)
            .env("HOME", self.path("home"))
            .env("SENTINEL_DIR", self.dir())
            .with(|command| {
                command.env_remove("XDG_STATE_HOME");
            });
        match host.name {
            "claude" => hook.env("CLAUDE_PROJECT_DIR", project),
            "gemini" => hook.env("GEMINI_PROJECT_DIR", project).env("CLAUDE_PROJECT_DIR", project),
            "cursor" => hook.env("CURSOR_PROJECT_DIR", project).env("CLAUDE_PROJECT_DIR", project),
            _ => hook,
        }
    }

    /// Asks the hook about an event of a project, and hears how the host takes the answer.
    #[track_caller]
    pub fn asks(&self, host: &Host, event: &Event) -> Taken {
        let done = self.answers(host, event, "").exits(0);
        assert_eq!(done.stderr, "", "{}", done.told());
        taken(host, event, &done)
    }

    /// The same with these options, and whatever comes.
    #[track_caller]
    pub fn answers(&self, host: &Host, event: &Event, options: &str) -> Done {
        let dir = event.value["workspace_roots"][0].as_str();
        let dir = dir.or_else(|| event.value["cwd"].as_str()).unwrap_or_default().to_owned();
        let hook = self.hook(host, Path::new(&dir), &format!("--within 20s {options}"));
        begin(hook, event.value.to_string().as_bytes()).wait()
    }
}

/// Starts a hook that hears these bytes, and the end of them.
#[track_caller]
pub fn begin(hook: Cmd, bytes: &[u8]) -> Call {
    begin_with(hook, bytes, |_| ())
}

/// The same with other streams.
#[track_caller]
pub fn begin_with(hook: Cmd, bytes: &[u8], change: impl FnOnce(&mut Command)) -> Call {
    let (mut ours, its) = UnixStream::pair().unwrap();
    let running = hook.start_with(|command| {
        command.stdin(Stdio::from(OwnedFd::from(its)));
        change(command);
    });
    // One that does not want to hear all of it may be gone by then.
    let _ = ours.write_all(bytes);
    let _ = ours.shutdown(Shutdown::Write);
    Call { running, stdin: ours }
}

/// How a host takes an answer, which has to be one by its schema.
#[track_caller]
pub fn taken(host: &Host, event: &Event, done: &Done) -> Taken {
    if done.stdout.is_empty() {
        assert!(
            matches!(host.name, "claude" | "codex"),
            "{} hears nothing: {}",
            host.name,
            done.told()
        );
        return Taken::Nothing;
    }
    let value: Value = serde_json::from_str(&done.stdout)
        .unwrap_or_else(|error| panic!("no JSON: {error}: {}", done.told()));
    if let Some(fault) = fault(host, &event.name, "output", &value) {
        panic!("{fault}\n{}", done.told());
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let own = &value["hookSpecificOutput"];
    let ends = event.name == host.turn_end;
    let told = [&own["additionalContext"], &value["additional_context"]].into_iter().find_map(text);
    let shown = [&value["systemMessage"], &value["user_message"]].into_iter().find_map(text);
    let decision = [&own["permissionDecision"], &value["decision"], &value["permission"]];
    let decision = decision.into_iter().find_map(Value::as_str);
    let why = [&own["permissionDecisionReason"], &value["reason"], &value["user_message"]];
    let why = || why.into_iter().find_map(text).expect("a reason");
    match decision {
        Some("deny" | "block") if ends => Taken::GoesOn(why()),
        Some("deny" | "block") => {
            // Both are read, by the documentation or by what was seen.
            if host.name == "cursor" {
                assert_eq!(value["user_message"], value["agent_message"]);
            }
            Taken::Deny(why())
        }
        Some("ask") => Taken::Ask(why()),
        _ => match (told, shown, text(&value["followup_message"])) {
            (Some(text), ..) | (.., Some(text)) if ends => Taken::GoesOn(text),
            (Some(text), ..) => Taken::Told(text),
            (_, Some(text), _) => Taken::Shown(text),
            _ => Taken::Nothing,
        },
    }
}
