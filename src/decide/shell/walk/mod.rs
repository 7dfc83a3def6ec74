//! Reading a command line: through all that a shell would run, with its jobs counted in each
//! environment they belong to.

mod instead;
mod within;

pub use instead::read_background;

use super::call::{Resolved, events, keeps, resolve};
use super::edit::{Edit, Text};
use super::events::{Event, left};
use super::list::{Unit, only_ours, units};
use super::managed::{Managed, Names};
use super::words::{self, raw};
use super::{Call, How, Offence, Reading, Unreadable};
use rable::{Node, NodeKind};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// So much of an offence is shown, characters.
const SHOWN: usize = 120;
/// What marks a command that its author answers for.
const MARK: &str = "sentinel: allow";

/// Reads a command line.
///
/// # Errors
/// If it is none, by the grammar of Bash.
pub fn read(command: &str) -> Result<Reading, Unreadable> {
    let mut walk = Walk::of(command, Names::default(), 0);
    let nodes = parse(command)?;
    walk.whole(&nodes);
    let mut found = walk.found;
    found.allowed = is_marked(command, &nodes);
    found.only_ours = only_ours(&nodes.iter().collect::<Vec<_>>());
    walk.offences.sort_by_key(|(at, _)| *at);
    found.offences = walk.offences.into_iter().map(|(_, offence)| offence).collect();
    if !found.offences.is_empty() && walk.can_be_rewritten {
        let new = walk.text.edited(0, walk.text.end(), &walk.edits);
        let new = new.trim().trim_end_matches(';').trim_end().to_owned();
        // What it was rewritten to has to stand the same test.
        if stands(&new) {
            found.instead = Some(new);
        }
    }
    Ok(found)
}

/// Whether nothing in it offends.
fn stands(command: &str) -> bool {
    parse(command).is_ok_and(|nodes| {
        let mut walk = Walk::of(command, Names::default(), 0);
        walk.whole(&nodes);
        walk.offences.is_empty()
    })
}

fn parse(command: &str) -> Result<Vec<Node>, Unreadable> {
    rable::parse(command, true).map_err(|error| Unreadable(error.to_string()))
}

/// Whether it carries the mark in a comment. The tree of a command has no comments: so where the mark
/// can be changed and the tree stays as it is, it stood in one.
fn is_marked(command: &str, nodes: &[Node]) -> bool {
    let other = "x".repeat(MARK.len());
    command.match_indices(MARK).any(|(at, _)| {
        let before = command[..at].trim_end_matches([' ', '\t']);
        let changed = format!("{}{other}{}", &command[..at], &command[at + MARK.len()..]);
        before.ends_with('#') && parse(&changed).is_ok_and(|new| new == nodes)
    })
}

// ---- the walk ---------------------------------------------------------------------------------

/// One shell environment: what happens in it, and what its EXIT trap does.
#[derive(Default)]
struct Scope {
    events: Vec<Event>,
    at_exit: Vec<Event>,
}

/// A job that goes to the background.
struct Job {
    range: Range<usize>,
    how: How,
    managed: Option<Managed>,
    /// What offends in it of its own.
    nested: Vec<(usize, Offence)>,
    edits: Vec<Edit>,
}

struct Walk {
    text: Text,
    depth: usize,
    names: Names,
    found: Reading,
    offences: Vec<(usize, Offence)>,
    edits: Vec<Edit>,
    /// What only takes `nohup` and its like away.
    strips: Vec<Edit>,
    can_be_rewritten: bool,
    jobs: Vec<Job>,
    functions: BTreeMap<String, Vec<Event>>,
    called: BTreeSet<String>,
    /// What only tells of background jobs, or lets go of them: it goes when they do.
    companions: Vec<(Range<usize>, bool)>,
    loops: Vec<String>,
    /// `pgrep` and `pidof` calls that nobody has used yet.
    found_by: Vec<Call>,
}

impl Walk {
    fn of(text: &str, names: Names, depth: usize) -> Self {
        Self {
            text: Text::new(text),
            depth,
            names,
            found: Reading::default(),
            offences: Vec::new(),
            edits: Vec::new(),
            strips: Vec::new(),
            can_be_rewritten: true,
            jobs: Vec::new(),
            functions: BTreeMap::new(),
            called: BTreeSet::new(),
            companions: Vec::new(),
            loops: Vec::new(),
            found_by: Vec::new(),
        }
    }

    fn whole(&mut self, nodes: &[Node]) {
        let mut scope = Scope::default();
        self.list(&nodes.iter().collect::<Vec<_>>(), &mut scope);
        self.finish(scope);
        // One that nothing here calls may be called later, in the same shell.
        for (name, events) in self.functions.clone() {
            if !self.called.contains(&name) {
                self.finish(Scope { events, at_exit: Vec::new() });
            }
        }
        self.let_companions_go();
    }

    /// `disown` and `echo $!` make no sense without the job; alone, a `disown` offends itself.
    fn let_companions_go(&mut self) {
        for (range, lets_go) in std::mem::take(&mut self.companions) {
            if !self.offences.is_empty() {
                self.edits.push(Edit { from: range.start, to: range.end, new: String::new() });
            } else if lets_go {
                let text = self.text.slice(range.start, range.end);
                self.offend(range.start, How::Disown, text.trim().trim_end_matches(';'));
                self.can_be_rewritten = false;
            }
        }
    }

    fn offend(&mut self, at: usize, how: How, text: &str) {
        let text = crate::protocol::text::cut(&text.replace('\n', " "), SHOWN);
        self.offences.push((at, Offence { how, text }));
    }

    /// What is left when an environment is done, offends.
    fn finish(&mut self, scope: Scope) {
        let events = [scope.events, scope.at_exit].concat();
        let (left, called) = left(&events, &self.functions);
        self.called.extend(called);
        let numbers = events.iter().filter_map(|event| match event {
            Event::Background(job) => Some(*job),
            _ => None,
        });
        let in_functions = self.functions.values().flatten().filter_map(|event| match event {
            Event::Background(job) if left.contains(job) => Some(*job),
            _ => None,
        });
        let numbers: BTreeSet<usize> = numbers.chain(in_functions).collect();
        for number in numbers {
            let job = &mut self.jobs[number];
            let nested = std::mem::take(&mut job.nested);
            let edits = std::mem::take(&mut job.edits);
            if left.contains(&number) {
                let (range, how, managed) = (job.range.clone(), job.how, job.managed.take());
                let text = self.text.slice(range.start, range.end);
                if self.offences.iter().any(|(at, _)| *at == range.start) {
                    continue; // of a function that is called twice
                }
                self.offend(range.start, how, &text);
                self.replace(range, managed);
            } else {
                if nested.iter().any(|(_, offence)| !is_bounded(offence)) {
                    self.edits.extend(edits);
                }
                self.offences.extend(nested.into_iter().filter(|(_, one)| !is_bounded(one)));
            }
        }
    }

    /// Puts managed work in the place of a piece of the text.
    fn replace(&mut self, range: Range<usize>, managed: Option<Managed>) {
        let Some(mut managed) = managed else {
            self.can_be_rewritten = false;
            return;
        };
        managed.name = self.names.give(&managed.name);
        let next = self.text.skip_blanks(range.end);
        let ends = matches!(self.text.at(next), None | Some('\n' | ')' | '#' | ';'));
        let goes_on = self.text.slice(range.end.saturating_sub(1), range.end) == "&" && !ends;
        let new = managed.line() + if goes_on { ";" } else { "" };
        self.found.jobs.push(managed.name);
        self.edits.push(Edit { from: range.start, to: range.end, new });
    }

    fn list(&mut self, nodes: &[&Node], scope: &mut Scope) {
        for unit in units(nodes) {
            if unit.background {
                self.background(&unit, scope);
            } else {
                self.chain(&unit, scope);
            }
        }
    }

    fn chain(&mut self, unit: &Unit<'_>, scope: &mut Scope) {
        for (number, node) in unit.chain.iter().enumerate() {
            if let Some(lets_go) = companion(node) {
                let range = self.with_separator(unit, number);
                self.companions.push((range, lets_go));
            }
            self.command(node, scope);
        }
    }

    /// What goes if one command of a chain goes.
    fn with_separator(&self, unit: &Unit<'_>, number: usize) -> Range<usize> {
        let span = &unit.chain[number].span;
        if let Some(next) = unit.chain.get(number + 1) {
            return span.start..next.span.start;
        }
        if number > 0 {
            return unit.chain[number - 1].span.end..span.end;
        }
        let next = self.text.skip_blanks(span.end);
        let end = if self.text.at(next) == Some(';') { next + 1 } else { span.end };
        span.start..self.text.skip_blanks(end)
    }

    fn background(&mut self, unit: &Unit<'_>, scope: &mut Scope) {
        let (offences, edits) = (self.offences.len(), self.edits.len());
        let (names, jobs) = (self.names.clone(), self.found.jobs.len());
        let mut inner = Scope::default();
        for node in &unit.chain {
            self.command(node, &mut inner);
        }
        self.finish(inner);
        if only_ours(&unit.chain) {
            return;
        }
        let nested = self.offences.split_off(offences);
        let edits = self.edits.split_off(edits);
        if nested.iter().all(|(_, offence)| is_bounded(offence)) {
            // It goes with the whole, or counts for nothing.
            self.names = names;
            self.found.jobs.truncate(jobs);
        }
        let managed = self.managed(unit, &edits);
        let how = match nested.as_slice() {
            [(_, only)] if is_bounded(only) => only.how,
            _ => How::Ampersand,
        };
        let range = unit.range();
        let sign = self.text.skip_blanks(range.end);
        let end = if self.text.at(sign) == Some('&') { sign + 1 } else { range.end };
        self.jobs.push(Job { range: range.start..end, how, managed, nested, edits });
        scope.events.push(Event::Background(self.jobs.len() - 1));
    }

    /// A command; what it is made of runs in the same environment, or in one of its own.
    fn command(&mut self, node: &Node, scope: &mut Scope) {
        match &node.kind {
            NodeKind::Command { .. } | NodeKind::Pipeline { .. } => self.pipeline(node, scope),
            NodeKind::List { .. } => self.list(&[node], scope),
            NodeKind::Negation { pipeline } | NodeKind::Time { pipeline, .. } => {
                self.command(pipeline, scope);
            }
            NodeKind::If { condition, then_body, else_body, redirects } => {
                self.list(&[condition], scope);
                self.list(&[then_body], scope);
                if let Some(body) = else_body {
                    self.list(&[body], scope);
                }
                self.redirects(redirects);
            }
            NodeKind::While { condition, body, redirects }
            | NodeKind::Until { condition, body, redirects } => {
                self.list(&[condition], scope);
                self.list(&[body], scope);
                self.redirects(redirects);
            }
            NodeKind::For { var, words, body, redirects }
            | NodeKind::Select { var, words, body, redirects } => {
                words.iter().flatten().for_each(|word| self.word(word));
                self.loops.push(var.clone());
                self.list(&[body], scope);
                self.loops.pop();
                self.redirects(redirects);
            }
            NodeKind::ForArith { body, redirects, .. }
            | NodeKind::BraceGroup { body, redirects } => {
                self.list(&[body], scope);
                self.redirects(redirects);
            }
            NodeKind::Case { word, patterns, redirects } => {
                self.word(word);
                for body in patterns.iter().filter_map(|pattern| pattern.body.as_ref()) {
                    self.list(&[body], scope);
                }
                self.redirects(redirects);
            }
            NodeKind::Function { name, body } => {
                let mut inner = Scope::default();
                self.command(body, &mut inner);
                let events = [inner.events, inner.at_exit].concat();
                self.functions.insert(name.clone(), events);
            }
            NodeKind::Subshell { body, redirects } => {
                let mut inner = Scope::default();
                self.list(&[body], &mut inner);
                self.finish(inner);
                self.redirects(redirects);
            }
            NodeKind::Coproc { command, .. } => {
                let mut inner = Scope::default();
                self.command(command, &mut inner);
                self.finish(inner);
            }
            _ => {}
        }
    }

    /// One or more commands that are joined by pipes: in more, each has an environment of its own.
    fn pipeline(&mut self, node: &Node, scope: &mut Scope) {
        let how = match &node.kind {
            NodeKind::Pipeline { commands, .. } => {
                let mut how = None;
                for command in commands {
                    let mut inner = Scope::default();
                    match &command.kind {
                        NodeKind::Command { .. } => {
                            how = how.or(self.simple(command, &mut inner));
                        }
                        _ => self.command(command, &mut inner),
                    }
                    self.finish(inner);
                }
                how
            }
            _ => self.simple(node, scope),
        };
        if let Some(how) = how {
            let range = node.span.start..node.span.end;
            let text = self.text.slice(range.start, range.end);
            self.offend(range.start, how, &text);
            let unit = Unit { chain: vec![node], background: false };
            let managed = self.managed(&unit, &[]);
            self.replace(range, managed);
        }
    }

    /// A simple command; by what means it leaves work behind.
    fn simple(&mut self, node: &Node, scope: &mut Scope) -> Option<How> {
        let NodeKind::Command { assignments, words, redirects } = &node.kind else { return None };
        assignments.iter().chain(words).for_each(|word| self.word(word));
        self.redirects(redirects);
        scope.events.extend(assignments.iter().chain(words).filter_map(|word| keeps(raw(word))));
        let call = resolve(words, 0);
        self.note(&call, words, 0);
        self.scripts(&call, words, redirects);
        if call.program() == "trap" {
            scope.at_exit.extend(at_exit(&call, words));
        }
        scope.events.extend(events(&call, words));
        if let Some(inner) = call.inner() {
            self.inner(words, inner);
        }
        self.strips.extend(call.dropped.iter().filter_map(|dropped| {
            let [from, to] = [dropped.start, dropped.end].map(|at| words.get(at));
            Some(Edit { from: from?.span.start, to: to?.span.start, new: String::new() })
        }));
        call.how
    }

    /// Remembers calls that matter beyond the background.
    fn note(&mut self, call: &Resolved, words: &[Node], from: usize) {
        for begin in BTreeSet::from([from, call.at]) {
            let text: Vec<&str> = words.iter().skip(begin).map(raw).collect();
            self.found.calls.push(text.join(" "));
        }
        let own = Call { words: call.own().to_vec() };
        if call.is_ours() {
            self.found.ours.push(own);
            return;
        }
        match call.program() {
            "pkill" | "killall" => self.found.kills.push(own),
            "pgrep" | "pidof" => self.found_by.push(own),
            "kill" if !words.iter().any(|word| raw(word) == "-0") => {
                self.found.kills.append(&mut self.found_by);
            }
            _ => {}
        }
    }

    /// What one of our programs is to run, as if it stood alone.
    fn inner(&mut self, words: &[Node], from: usize) {
        let (first, last) = (&words[from], &words[words.len() - 1]);
        let call = resolve(words, from);
        let before = self.found.calls.len();
        self.note(&call, words, from);
        self.scripts(&call, words, &[]);
        self.found.inner.extend_from_slice(&self.found.calls[before..]);
        let Some(how) = call.how else { return };
        self.offend(first.span.start, how, &self.text.slice(first.span.start, last.span.end));
        match (call.terminal.is_some(), words.get(call.at)) {
            (false, Some(program)) => self.edits.push(Edit {
                from: first.span.start,
                to: program.span.start,
                new: String::new(),
            }),
            _ => self.can_be_rewritten = false,
        }
    }
}

/// Whether it is bounded by the job it stands in: of one that is waited for or ended, `nohup` and
/// `setsid` keep nothing alive.
fn is_bounded(offence: &Offence) -> bool {
    matches!(offence.how, How::Nohup | How::Setsid)
}

/// Whether a command only tells of a background job (false), or lets go of it (true).
fn companion(node: &Node) -> Option<bool> {
    let NodeKind::Command { words, .. } = &node.kind else { return None };
    match raw(words.first()?) {
        "disown" => Some(true),
        "echo" | "printf" if words.iter().any(tells) => Some(false),
        _ => None,
    }
}

/// Whether a word has the PID of the last background job in it, and nothing that runs.
fn tells(word: &Node) -> bool {
    let NodeKind::Word { value, parts, .. } = &word.kind else { return false };
    let runs = |part: &Node| matches!(part.kind, NodeKind::CommandSubstitution { .. });
    value.contains("$!") && !parts.iter().any(runs)
}

/// What an EXIT trap does.
fn at_exit(call: &Resolved, words: &[Node]) -> Vec<Event> {
    let on_exit =
        call.own().iter().skip(2).any(|word| matches!(word.as_deref(), Some("EXIT" | "0")));
    let script = words.get(call.at + 1).and_then(words::script);
    let nodes = script.filter(|_| on_exit).and_then(|(script, _)| parse(&script).ok());
    let mut found = Vec::new();
    for node in nodes.iter().flatten() {
        for unit in units(&[node]) {
            for node in unit.chain {
                if let NodeKind::Command { words, .. } = &node.kind {
                    found.extend(events(&resolve(words, 0), words));
                }
            }
        }
    }
    found
}
