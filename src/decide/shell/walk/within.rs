//! Scripts within a command line: those that it hands to a shell of this machine, and those whose output
//! a word stands for.

use super::{Walk, parse};
use crate::decide::shell::call::Resolved;
use crate::decide::shell::edit::Edit;
use crate::decide::shell::list::{flatten, units};
use crate::decide::shell::managed::Names;
use crate::decide::shell::words::{self, literal};
use crate::decide::shell::wrappers;
use rable::{Node, NodeKind};

/// Scripts in scripts in scripts: more is not looked into.
const DEEP: usize = 6;

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
        if call.is_ours() {
            let before = self.found.calls.len();
            self.options(call, words);
            self.found.inner.extend_from_slice(&self.found.calls[before..]);
        }
        if let Some(at) = wrappers::script_of_shell(own) {
            self.script_word(&words[call.at + at]);
        } else if call.program() == "eval" {
            let scripts: Option<Vec<_>> = words[call.at + 1..].iter().map(words::script).collect();
            let text: Vec<String> = scripts.into_iter().flatten().map(|(text, _)| text).collect();
            self.fixed(&text.join(" "));
        } else if call.program() == "sentinel-keep"
            && own.get(1).and_then(|word| word.as_deref()) == Some("register")
            && call.inner().is_none()
        {
            // COMMAND is one word, and goes to `sh -c`.
            let is_script = |word: &&Node| literal(word).is_some_and(|text| text.contains(' '));
            if let Some(word) = words.iter().rfind(is_script) {
                let before = self.found.calls.len();
                self.registered(word);
                self.found.inner.extend_from_slice(&self.found.calls[before..]);
            }
        } else if wrappers::reads_script(own) {
            for redirect in redirects {
                match &redirect.kind {
                    NodeKind::HereDoc { content, .. } => self.fixed(&content.clone()),
                    NodeKind::Redirect { op, target, .. } if op == "<<<" => {
                        if let Some((text, _)) = words::script(target) {
                            self.fixed(&text);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// Commands that our programs run besides, by options: no rule of the user's sees these either.
    fn options(&mut self, call: &Resolved, words: &[Node]) {
        const OPTIONS: [&str; 7] = [
            "--kill-cmd",
            "--on-hang",
            "--preflight",
            "--progress-cmd",
            "--health-cmd",
            "--pre-restart",
            "--alert-cmd",
        ];
        let end = call.inner().unwrap_or(words.len());
        for at in call.at..end {
            let Some(word) = &call.words[at] else { continue };
            let (option, value) = word.split_once('=').unwrap_or((word, ""));
            match words.get(at + 1) {
                _ if !OPTIONS.contains(&option) => {}
                _ if !value.is_empty() => self.fixed(value),
                Some(value) => self.script_word(value),
                None => {}
            }
        }
    }

    /// A script in a word: where it offends, the word is written anew.
    fn script_word(&mut self, word: &Node) {
        let Some((text, quoting)) = words::script(word) else { return };
        let Nested::Offends(new) = self.nested(&text, word.span.start) else { return };
        match new.and_then(|new| words::quote(&new, quoting)) {
            Some(new) => {
                self.edits.push(Edit { from: word.span.start, to: word.span.end, new });
            }
            None => self.can_be_rewritten = false,
        }
    }

    /// A script that is to be kept alive: it has to stay in the foreground.
    fn registered(&mut self, word: &Node) {
        let Some((text, quoting)) = words::script(word) else { return };
        if matches!(self.nested(&text, word.span.start), Nested::Clean) {
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
    fn fixed(&mut self, text: &str) {
        if matches!(self.nested(text, 0), Nested::Offends(_)) {
            self.can_be_rewritten = false;
        }
    }

    /// Reads a script within.
    fn nested(&mut self, text: &str, at: usize) -> Nested {
        let nodes = match parse(text) {
            Ok(nodes) if self.depth < DEEP => nodes,
            _ => return Nested::Clean,
        };
        let mut walk = Self::of(text, std::mem::take(&mut self.names), self.depth + 1);
        walk.whole(&nodes);
        self.names = walk.names;
        self.found.kills.append(&mut walk.found.kills);
        self.found.ours.append(&mut walk.found.ours);
        self.found.inner.append(&mut walk.found.inner);
        self.found.calls.append(&mut walk.found.calls);
        self.found.jobs.append(&mut walk.found.jobs);
        self.found_by.append(&mut walk.found_by);
        if walk.offences.is_empty() {
            return Nested::Clean;
        }
        self.offences.extend(walk.offences.into_iter().map(|(_, offence)| (at, offence)));
        let new = walk.text.edited(0, walk.text.end(), &walk.edits);
        let new = new.trim_end().trim_end_matches(';').to_owned();
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
            let Some((at, text)) = text_of(value, from, command) else {
                self.can_be_rewritten = false;
                continue;
            };
            from = at + 1;
            // A place in the word is one in the text, if that is where the word is from.
            let whole = word.span.end > word.span.start
                && self.text.slice(word.span.start, word.span.end) == *value;
            let place = word.span.start + value[..at].chars().count();
            if let Nested::Offends(new) = self.nested(&text, word.span.start) {
                match new {
                    Some(new) if whole => {
                        let to = place + text.chars().count();
                        self.edits.push(Edit { from: place, to, new });
                    }
                    _ => self.can_be_rewritten = false,
                }
            }
        }
    }
}

/// One background job as a command that stays.
fn foreground(script: &str) -> Option<String> {
    let nodes = parse(script).ok()?;
    let mut walk = Walk::of(script, Names::default(), 0);
    walk.whole(&nodes);
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
