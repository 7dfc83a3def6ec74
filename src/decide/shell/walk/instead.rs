//! What to run instead: the managed form of work that would be left behind.

use super::{SHOWN, Walk, parse, read};
use crate::decide::shell::call::{Terminal, resolve};
use crate::decide::shell::edit::Edit;
use crate::decide::shell::list::{Unit, has_here_document, main_words, units};
use crate::decide::shell::managed::{Managed, Names, clean, name_for};
use crate::decide::shell::words::{self, literal, raw};
use crate::decide::shell::{How, Offence, Reading, Unreadable, wrappers};
use crate::protocol::text::cut;
use rable::{Node, NodeKind};
use std::ops::Range;

/// The same for a command that the host itself is asked to run in the background.
///
/// # Errors
/// As [`read`].
pub fn read_background(command: &str) -> Result<Reading, Unreadable> {
    let mut found = read(command)?;
    if found.only_ours {
        return Ok(found);
    }
    let nodes = parse(command)?;
    let mut walk = Walk::of(command, Names::default(), 0);
    walk.whole(&nodes);
    let units = units(&nodes.iter().collect::<Vec<_>>());
    found.offences.insert(0, Offence { how: How::Host, text: cut(command.trim(), SHOWN) });
    let edits = std::mem::take(&mut walk.edits);
    let managed = match units.as_slice() {
        [one] => walk.managed(one, &edits),
        _ => walk.by_shell(&nodes.iter().collect::<Vec<_>>(), 0..walk.text.end(), &edits),
    };
    found.jobs = managed.iter().map(|managed| managed.name.clone()).collect();
    found.instead = managed.map(|managed| managed.line());
    Ok(found)
}

impl Walk {
    /// The managed form of a unit, if it can be told for certain.
    ///
    /// Scripts within it may have been written anew, by `edits`.
    pub(super) fn managed(&self, unit: &Unit<'_>, edits: &[Edit]) -> Option<Managed> {
        if has_here_document(&unit.chain) {
            return None;
        }
        match unit.chain.as_slice() {
            [one] => {
                if let Some(managed) = Self::terminal(one).or_else(|| self.direct(one)) {
                    return Some(managed);
                }
                if let NodeKind::Pipeline { commands, .. } = &one.kind
                    && commands.iter().any(is_at)
                {
                    return Self::at(commands);
                }
            }
            [cd, one] => {
                if let (Some(dir), Some(managed)) = (Self::directory(cd), self.direct(one)) {
                    return Some(Managed { dir: Some(dir), ..managed });
                }
            }
            _ => {}
        }
        self.by_shell(&unit.chain, unit.range(), edits)
    }

    /// Of `cd DIR`, the directory as it is written.
    fn directory(node: &Node) -> Option<String> {
        let NodeKind::Command { assignments, words, redirects } = &node.kind else { return None };
        match words.as_slice() {
            [cd, dir] if raw(cd) == "cd" && assignments.is_empty() && redirects.is_empty() => {
                Some(raw(dir).to_owned()).filter(|dir| dir != "-")
            }
            _ => None,
        }
    }

    /// A simple command becomes the job's command itself. What it prints goes to the job's log.
    fn direct(&self, node: &Node) -> Option<Managed> {
        let NodeKind::Command { assignments, words, redirects } = &node.kind else { return None };
        let call = resolve(words, 0);
        let program = words.get(call.at)?;
        let only_shell = ["source", ".", "eval", "export", "set", "cd", "read", "exec", "ulimit"];
        let names_function = self.functions.contains_key(call.program());
        if only_shell.contains(&call.program())
            || names_function
            || call.how == Some(How::At)
            || !redirects.iter().all(is_output)
            || literal(program).is_some_and(|program| program.is_empty())
        {
            return None;
        }
        let is_dropped = |at: &usize| call.dropped.iter().any(|range| range.contains(at));
        let kept: Vec<usize> = (0..words.len()).filter(|at| !is_dropped(at)).collect();
        let first = kept.first().copied()?;
        let command: Vec<&str> = kept.iter().map(|at| raw(&words[*at])).collect();
        let known: Vec<_> = kept.iter().map(|at| call.words[*at].clone()).collect();
        // An exec would only replace a shell that is not there.
        let exec = usize::from(raw(&words[first]) == "exec");
        let environment: Vec<&str> = assignments.iter().map(raw).collect();
        Some(Managed {
            environment: environment.join(" "),
            dir: None,
            suffix: self.suffix(&command.join(" ")),
            name: name_of(&known[exec..]),
            command: command[exec..].join(" "),
        })
    }

    /// In a loop a job for each turn, by the variable of the loop.
    fn suffix(&self, text: &str) -> String {
        let used = |variable: &&String| {
            text.contains(&format!("${variable}")) || text.contains(&format!("${{{variable}}}"))
        };
        self.loops
            .iter()
            .rfind(used)
            .map(|variable| format!("-\"${variable}\""))
            .unwrap_or_default()
    }

    /// Anything else becomes a script.
    fn by_shell(&self, chain: &[&Node], range: Range<usize>, edits: &[Edit]) -> Option<Managed> {
        if has_here_document(chain) {
            return None;
        }
        // What only begins with `nohup` becomes no job in the job.
        let strips: Vec<&Edit> = self.strips.iter().collect();
        let begins = |edit: &&Edit| strips.iter().any(|strip| strip.from == edit.from);
        let others = edits.iter().filter(|edit| !begins(edit)).chain(strips.iter().copied());
        let edits: Vec<Edit> = others.cloned().collect();
        let (body, pipes) = match chain {
            [one] => match &one.kind {
                NodeKind::BraceGroup { body, redirects }
                | NodeKind::Subshell { body, redirects }
                    if redirects.iter().all(is_output) =>
                {
                    let span = &body.span;
                    (self.text.edited(span.start, span.end, &edits), false)
                }
                kind => {
                    let pipes = matches!(kind, NodeKind::Pipeline { .. });
                    (self.text.edited(range.start, range.end, &edits), pipes)
                }
            },
            _ => (self.text.edited(range.start, range.end, &edits), false),
        };
        let words = main_words(chain);
        let options = if pipes { "-o pipefail -c" } else { "-c" };
        Some(Managed {
            environment: String::new(),
            dir: None,
            name: name_of(&words),
            suffix: self.suffix(&body),
            command: format!("bash {options} {}", shell_words::quote(body.trim())),
        })
    }

    /// What a detached terminal would have run.
    fn terminal(node: &Node) -> Option<Managed> {
        let NodeKind::Command { assignments, words, .. } = &node.kind else { return None };
        let call = resolve(words, 0);
        let Terminal { name, dir, command } = call.terminal.as_ref()?;
        let command_words = &words[command.clone()];
        let text: Vec<&str> = command_words.iter().map(raw).collect();
        let (known, text) = match command_words {
            [] => return None,
            // One word is a script.
            [script] => {
                let (script, _) = words::script(script)?;
                let known: Vec<_> = script.split_whitespace().map(|w| Some(w.to_owned())).collect();
                (known, as_command(&script))
            }
            _ => (call.words[command.clone()].to_vec(), text.join(" ")),
        };
        let environment: Vec<&str> = assignments.iter().map(raw).collect();
        Some(Managed {
            environment: environment.join(" "),
            dir: dir.map(|at| raw(&words[at]).to_owned()),
            name: match name {
                Some(name) => clean(name),
                None => name_of(&known),
            },
            suffix: String::new(),
            command: text,
        })
    }

    /// `echo '...' | at now`: what is echoed.
    fn at(commands: &[Node]) -> Option<Managed> {
        let [echo, _] = commands else { return None };
        let NodeKind::Command { words, .. } = &echo.kind else { return None };
        let [program, script] = words.as_slice() else { return None };
        if !matches!(raw(program), "echo" | "printf") {
            return None;
        }
        let (script, _) = words::script(script)?;
        let known: Vec<_> = script.split_whitespace().map(|word| Some(word.to_owned())).collect();
        let name = name_of(&known);
        Some(Managed { name, command: as_command(&script), ..Managed::default() })
    }
}

fn is_at(node: &Node) -> bool {
    matches!(&node.kind, NodeKind::Command { words, .. } if resolve(words, 0).how == Some(How::At))
}

/// A redirection of what is printed, or of an input that is empty anyhow.
fn is_output(redirect: &Node) -> bool {
    match &redirect.kind {
        NodeKind::Redirect { op, target, fd, varfd } => {
            let output = matches!(op.as_str(), ">" | ">>" | ">|" | "&>" | "&>>" | ">&" | ">&-");
            let no_input = (op == "<" && raw(target) == "/dev/null") || (op == "<&-" && *fd <= 0);
            varfd.is_none() && (no_input || (output && *fd <= 2))
        }
        _ => false,
    }
}

/// A name for what these words do; of a script in them, for what that does.
fn name_of(words: &[Option<String>]) -> String {
    let script = wrappers::script_of_shell(words).and_then(|at| words[at].as_deref());
    if let Some(nodes) = script.and_then(|script| parse(script).ok()) {
        return name_for(&main_words(&nodes.iter().collect::<Vec<_>>()));
    }
    name_for(words)
}

/// A script as the words behind `--`: itself if it is one plain command, else for `bash -c`.
fn as_command(script: &str) -> String {
    if let Ok(nodes) = parse(script)
        && let [Node { kind: NodeKind::Command { assignments, words, redirects }, .. }] =
            nodes.as_slice()
        && assignments.is_empty()
        && redirects.is_empty()
        && words.iter().all(|word| literal(word).is_some())
    {
        return script.trim().to_owned();
    }
    format!("bash -c {}", shell_words::quote(script))
}
