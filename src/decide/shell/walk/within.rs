//! Scripts within a command line: those that it hands to a shell of this machine, and those whose output
//! a word stands for.

use super::{Sweep, Walk, parse, walked, without_end};
use crate::decide::shell::call::{Resolved, resolve};
use crate::decide::shell::edit::Edit;
use crate::decide::shell::list::{flatten, units};
use crate::decide::shell::words::{self, raw};
use crate::decide::shell::wrappers;
use rable::{Node, NodeKind};

/// The options of `sentinel-keep register` whose value is the next word.
pub const REGISTER_WITH_VALUE: [&str; 26] = [
    "--registry",
    "--alert-cmd",
    "--duration",
    "--max-restarts",
    "--restart-cooldown",
    "--backoff",
    "--failure-threshold",
    "--grace",
    "--check-interval",
    "--progress-timeout",
    "--stale",
    "--progress-interval",
    "--max-memory",
    "--max-cpu",
    "--max-log",
    "--cwd",
    "-C",
    "--env",
    "--env-file",
    "--after",
    "--pre-restart",
    "--beat-on",
    "--progress-cmd",
    "--progress-file",
    "--health-cmd",
    "--health-http",
];

/// Scripts in scripts in scripts: more is not looked into.
const DEEP: usize = 6;

/// Where a script within runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Here,
    /// Somebody reads its output to the end.
    Read,
    /// Of a trap: after all that follows.
    Later,
}

/// What a script within comes to.
enum Nested {
    /// Nothing in it offends.
    Clean,
    /// Something does; its managed form, if there is one.
    Offends(Option<String>),
}

impl Walk {
    /// The scripts that a call hands to a shell of this machine.
    pub(super) fn scripts(&mut self, call: &Resolved, words: &[Node], redirects: &[Node]) {
        let own = call.own();
        let begin = words.first().map_or(0, |word| word.span.start);
        let before = self.offences.len();
        if call.is_ours() {
            let before = self.found.calls.len();
            self.options(call, words);
            self.found.inner.extend_from_slice(&self.found.calls[before..]);
        }
        if let Some(at) = wrappers::script_of_shell(own) {
            self.script_word(&words[call.at + at]);
            // Run more than once, its jobs would need names of their own.
            let by_other =
                words[..call.at].iter().any(|word| matches!(raw(word), "xargs" | "find"));
            if self.offences.len() > before
                && (by_other || !self.loops.is_empty() || self.is_repeated())
            {
                self.can_be_rewritten = false;
            }
        } else if call.program() == "eval" {
            let scripts = words[call.at + 1..].iter().map(|word| words::script(word).0);
            self.fixed(&scripts.collect::<Vec<_>>().join(" "), begin, Place::Here);
        } else if call.program() == "trap" {
            if let Some(script) = words.get(call.at + 1) {
                self.fixed(&words::script(script).0, begin, Place::Later);
            }
        } else if call.program() == "sentinel-keep" && call.inner().is_none() {
            if let Some(at) = registered(own) {
                let before = self.found.calls.len();
                self.registered(&words[call.at + at]);
                self.found.inner.extend_from_slice(&self.found.calls[before..]);
            }
        } else if wrappers::reads_script(own) {
            for redirect in redirects {
                match &redirect.kind {
                    NodeKind::HereDoc { content, .. } => {
                        self.fixed(&content.clone(), begin, Place::Here);
                    }
                    NodeKind::Redirect { op, target, .. } if op == "<<<" => {
                        self.fixed(&words::script(target).0, begin, Place::Here);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Commands that our programs run besides, by options: no rule of the user's sees these either.
    fn options(&mut self, call: &Resolved, words: &[Node]) {
        const OPTIONS: [&str; 8] = [
            "--kill-cmd",
            "--on-hang",
            "--on-stop",
            "--preflight",
            "--progress-cmd",
            "--health-cmd",
            "--pre-restart",
            "--alert-cmd",
        ];
        let end = call.inner().unwrap_or(words.len());
        for at in call.at..end {
            let word = raw(&words[at]);
            let (option, value) = word.split_once('=').unwrap_or((word, ""));
            match words.get(at + 1) {
                _ if !OPTIONS.contains(&option) => {}
                _ if !value.is_empty() => {
                    self.fixed(&words::unquoted(value), words[at].span.start, Place::Here);
                }
                Some(value) => self.script_word(value),
                None => {}
            }
        }
    }

    /// `echo '...' | bash`: what is echoed is a script.
    pub(super) fn piped_script(&mut self, commands: &[Node]) {
        let [.., echo, shell] = commands else { return };
        let (NodeKind::Command { words: echo, .. }, NodeKind::Command { words: shell, .. }) =
            (&echo.kind, &shell.kind)
        else {
            return;
        };
        let shell = resolve(shell, 0);
        if let [program, script] = echo.as_slice()
            && matches!(raw(program), "echo" | "printf")
            && wrappers::reads_script(shell.own())
        {
            self.fixed(&words::script(script).0, program.span.start, Place::Here);
        }
    }

    /// A script in a word: where it offends, the word is written anew.
    fn script_word(&mut self, word: &Node) {
        let (text, quoting) = words::script(word);
        let Nested::Offends(new) = self.nested(&text, word.span.start, Place::Here) else { return };
        match new.and_then(|new| words::quote(&new, quoting)) {
            Some(new) => {
                self.edits.push(Edit { from: word.span.start, to: word.span.end, new });
            }
            None => self.can_be_rewritten = false,
        }
    }

    /// A script that is to be kept alive: it has to stay in the foreground.
    fn registered(&mut self, word: &Node) {
        let (text, quoting) = words::script(word);
        if matches!(self.nested(&text, word.span.start, Place::Here), Nested::Clean) {
            return;
        }
        match foreground(&text).and_then(|new| words::quote(&new, quoting)) {
            Some(new) => {
                self.edits.push(Edit { from: word.span.start, to: word.span.end, new });
            }
            None => self.can_be_rewritten = false,
        }
    }

    /// A script that stands where it cannot be written anew.
    fn fixed(&mut self, text: &str, at: usize, place: Place) {
        if matches!(self.nested(text, at, place), Nested::Offends(_)) {
            self.can_be_rewritten = false;
        }
    }

    /// Reads a script within.
    fn nested(&mut self, text: &str, at: usize, place: Place) -> Nested {
        let is_later = place == Place::Later || self.function.is_some();
        let nodes = match parse(text) {
            Ok(nodes) if self.depth < DEEP => nodes,
            _ => return Nested::Clean,
        };
        let mut walk = Self::of(text, std::mem::take(&mut self.names), self.depth + 1);
        walk.is_read = place == Place::Read;
        walk.whole(&nodes);
        self.names = walk.names;
        self.found.kills.append(&mut walk.found.kills);
        self.found.ours.append(&mut walk.found.ours);
        self.found.inner.append(&mut walk.found.inner);
        self.found.calls.append(&mut walk.found.calls);
        self.found.jobs.append(&mut walk.found.jobs);
        self.found_by.append(&mut walk.found_by);
        self.ended_within.append(&mut walk.ended_of_others);
        if !walk.sweeps.is_empty() {
            self.sweeps.push(Sweep::at(if is_later { usize::MAX } else { at }));
        }
        if walk.offences.is_empty() {
            return Nested::Clean;
        }
        self.offences.extend(walk.offences.into_iter().map(|(_, offence)| (at, offence)));
        let new = walk.text.edited(0, walk.text.end(), &walk.edits);
        let new = without_end(new.trim_end());
        Nested::Offends(walk.can_be_rewritten.then_some(new))
    }

    pub(super) fn redirects(&mut self, redirects: &[Node]) {
        for redirect in redirects {
            if let NodeKind::Redirect { target, .. } = &redirect.kind {
                self.word(target);
            }
        }
    }

    /// The commands whose output, or whose file, a word stands for.
    pub(super) fn word(&mut self, word: &Node) {
        let NodeKind::Word { value, parts, .. } = &word.kind else { return };
        let mut from = 0;
        for part in parts {
            let (NodeKind::CommandSubstitution { command, .. }
            | NodeKind::ProcessSubstitution { command, .. }) = &part.kind
            else {
                continue;
            };
            let Some((at, text)) = text_of(value, from, command) else { continue };
            from = at + 1;
            // A place in the word is one in the text, if that is where the word is from.
            let whole = word.span.end > word.span.start
                && self.text.slice(word.span.start, word.span.end) == *value;
            let place = word.span.start + value[..at].chars().count();
            let place_of = match part.kind {
                NodeKind::CommandSubstitution { .. } => Place::Read,
                _ => Place::Here,
            };
            if let Nested::Offends(new) = self.nested(&text, word.span.start, place_of) {
                match new {
                    // Whoever takes the PID that it prints would take something else.
                    Some(new) if whole && !text.contains("$!") => {
                        let to = place + text.chars().count();
                        self.edits.push(Edit { from: place, to, new });
                    }
                    _ => self.can_be_rewritten = false,
                }
            }
        }
    }
}

/// Which word of `sentinel-keep register NAME COMMAND` is the command, which goes to `sh -c`.
fn registered(own: &[Option<String>]) -> Option<usize> {
    let register = own.iter().position(|word| word.as_deref() == Some("register"))?;
    let mut operands = Vec::new();
    let mut at = register + 1;
    while at < own.len() {
        match own[at].as_deref() {
            Some(option) if option.starts_with('-') && option.len() > 1 => {
                at += usize::from(REGISTER_WITH_VALUE.contains(&option));
            }
            _ => operands.push(at),
        }
        at += 1;
    }
    operands.get(1).copied()
}

/// One background job as a command that stays.
fn foreground(script: &str) -> Option<String> {
    let (nodes, walk) = walked(script).ok()?;
    match units(&nodes.iter().collect::<Vec<_>>()).as_slice() {
        [one] => Some(walk.text.edited(one.range().start, one.range().end, &walk.strips)),
        _ => None,
    }
}

/// Where in a word, from `from` on, the text of a substitution begins, and that text: the first place
/// behind an opening whose piece parses to the same commands.
fn text_of(word: &str, from: usize, command: &Node) -> Option<(usize, String)> {
    let leaves = |nodes: &[&Node]| {
        let mut line = Vec::new();
        for node in nodes {
            flatten(node, None, &mut line);
        }
        line.into_iter().map(|(node, _)| node.clone()).collect::<Vec<_>>()
    };
    let expected = leaves(&[command]);
    for (at, _) in word.char_indices().filter(|(at, _)| *at >= from) {
        let open = ["$(", "<(", ">(", "`"].iter().find(|open| word[at..].starts_with(**open));
        let Some(open) = open else { continue };
        let begin = at + open.len();
        let text: String = word[begin..].chars().take(command.span.end).collect();
        if parse(&text).is_ok_and(|nodes| leaves(&nodes.iter().collect::<Vec<_>>()) == expected) {
            return Some((begin, text));
        }
    }
    None
}
