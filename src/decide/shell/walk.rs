//! Reading a command line: through all that a shell would run, with its jobs counted in each
//! environment they belong to.

use super::call::{Resolved, Terminal, events, keeps, resolve};
use super::edit::{Edit, Text};
use super::events::{Event, left};
use super::managed::{Managed, Names, clean, name_for};
use super::words::{self, literal, raw};
use super::{Call, How, Offence, Reading, Unreadable, wrappers};
use rable::{ListOperator, Node, NodeKind};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Scripts in scripts in scripts: more is not looked into.
const DEEP: usize = 6;
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
    found.offences.insert(
        0,
        Offence { how: How::Host, text: crate::protocol::text::cut(command.trim(), SHOWN) },
    );
    let edits = std::mem::take(&mut walk.edits);
    let managed = match units.as_slice() {
        [one] => walk.managed(one, &edits),
        _ => walk.by_shell(&nodes.iter().collect::<Vec<_>>(), 0..walk.text.end(), &edits),
    };
    found.jobs = managed.iter().map(|managed| managed.name.clone()).collect();
    found.instead = managed.map(|managed| managed.line());
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

// ---- the shape of lists -----------------------------------------------------------------------

/// Commands joined by `&&` and `||`, up to the `;`, `&` or line break behind them.
#[derive(Debug)]
struct Unit<'n> {
    chain: Vec<&'n Node>,
    background: bool,
}

impl Unit<'_> {
    fn range(&self) -> Range<usize> {
        let from = self.chain.first().map_or(0, |node| node.span.start);
        from..self.chain.last().map_or(0, |node| node.span.end)
    }
}

fn units<'n>(nodes: &[&'n Node]) -> Vec<Unit<'n>> {
    let mut line = Vec::new();
    for node in nodes {
        flatten(node, Some(ListOperator::Semi), &mut line);
    }
    let mut units = Vec::new();
    let mut chain = Vec::new();
    for (node, operator) in line {
        chain.push(node);
        if !matches!(operator, Some(ListOperator::And | ListOperator::Or)) {
            let background = operator == Some(ListOperator::Background);
            units.push(Unit { chain: std::mem::take(&mut chain), background });
        }
    }
    if !chain.is_empty() {
        units.push(Unit { chain, background: false });
    }
    units
}

/// The parser nests lists by precedence; here they are a row, each with the operator behind it.
fn flatten<'n>(
    node: &'n Node,
    behind: Option<ListOperator>,
    line: &mut Vec<(&'n Node, Option<ListOperator>)>,
) {
    let NodeKind::List { items } = &node.kind else {
        line.push((node, behind));
        return;
    };
    for (number, item) in items.iter().enumerate() {
        let last = number + 1 == items.len();
        flatten(&item.command, item.operator.or(if last { behind } else { None }), line);
    }
}

/// Whether nothing but this project's programs is called, and what changes the shell's own state.
fn only_ours(nodes: &[&Node]) -> bool {
    const HARMLESS: [&str; 9] =
        ["cd", "export", "set", "true", ":", "echo", "printf", "mkdir", "sleep"];
    let mut any = false;
    let all = units(nodes).iter().flat_map(|unit| &unit.chain).all(|node| match &node.kind {
        NodeKind::Command { words, .. } => {
            let call = resolve(words, 0);
            any |= call.is_ours();
            call.is_ours() || HARMLESS.contains(&call.program())
        }
        _ => false,
    });
    all && any
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

    // ---- scripts within --------------------------------------------------------------------------

    /// The scripts that a call hands to a shell of this machine.
    fn scripts(&mut self, call: &Resolved, words: &[Node], redirects: &[Node]) {
        let own = call.own();
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

    /// A script in a word: where it offends, the word is written anew.
    fn script_word(&mut self, word: &Node) {
        let Some((text, quoting)) = words::script(word) else { return };
        let Some(new) = self.nested(&text, word.span.start) else { return };
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
        if self.nested(&text, word.span.start).is_none() {
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
        if self.nested(text, 0).is_some() {
            self.can_be_rewritten = false;
        }
    }

    /// Reads a script within. `None`: nothing in it offends. Else its managed form, if there is one.
    fn nested(&mut self, text: &str, at: usize) -> Option<Option<String>> {
        if self.depth >= DEEP {
            return None;
        }
        let nodes = parse(text).ok()?;
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
            return None;
        }
        self.offences.extend(walk.offences.into_iter().map(|(_, offence)| (at, offence)));
        let new = walk.text.edited(0, walk.text.end(), &walk.edits);
        Some(walk.can_be_rewritten.then(|| new.trim_end().trim_end_matches(';').to_owned()))
    }

    fn redirects(&mut self, redirects: &[Node]) {
        for redirect in redirects {
            if let NodeKind::Redirect { target, .. } = &redirect.kind {
                self.word(target);
            }
        }
    }

    /// The commands whose output, or whose file, a word stands for.
    fn word(&mut self, word: &Node) {
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
            if let Some(new) = self.nested(&text, word.span.start) {
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

    // ---- the managed form ------------------------------------------------------------------------

    /// The managed form of a unit, if it can be told for certain.
    ///
    /// Scripts within it may have been written anew, by `edits`.
    fn managed(&mut self, unit: &Unit<'_>, edits: &[Edit]) -> Option<Managed> {
        if has_here_document(&unit.chain) {
            return None;
        }
        match unit.chain.as_slice() {
            [one] => {
                if let Some(managed) = self.terminal(one).or_else(|| self.direct(one)) {
                    return Some(managed);
                }
                if let NodeKind::Pipeline { commands, .. } = &one.kind
                    && commands.iter().any(|one| is_at(one))
                {
                    return self.at(commands);
                }
            }
            [cd, one] => {
                if let (Some(dir), Some(managed)) = (self.directory(cd), self.direct(one)) {
                    return Some(Managed { dir: Some(dir), ..managed });
                }
            }
            _ => {}
        }
        self.by_shell(&unit.chain, unit.range(), edits)
    }

    /// Of `cd DIR`, the directory as it is written.
    fn directory(&self, node: &Node) -> Option<String> {
        let NodeKind::Command { assignments, words, redirects } = &node.kind else { return None };
        match words.as_slice() {
            [cd, dir] if raw(cd) == "cd" && assignments.is_empty() && redirects.is_empty() => {
                Some(raw(dir).to_owned()).filter(|dir| dir != "-")
            }
            _ => None,
        }
    }

    /// A simple command becomes the job's command itself. What it prints goes to the job's log.
    fn direct(&mut self, node: &Node) -> Option<Managed> {
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
    fn terminal(&mut self, node: &Node) -> Option<Managed> {
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
    fn at(&mut self, commands: &[Node]) -> Option<Managed> {
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

/// The body of a here-document stands apart from its command.
fn has_here_document(chain: &[&Node]) -> bool {
    let mut all = Vec::new();
    chain.iter().for_each(|node| simple_commands(node, &mut all));
    let is_one = |node: &Node| matches!(node.kind, NodeKind::HereDoc { .. });
    all.iter().any(|(_, redirects)| redirects.iter().any(is_one))
}

/// The words of the command that a chain is about: the first that does more than prepare.
fn main_words(chain: &[&Node]) -> Vec<Option<String>> {
    const PREPARES: [&str; 12] =
        ["cd", "export", "source", ".", "sleep", "echo", "set", "mkdir", "true", ":", "test", "["];
    let mut all = Vec::new();
    chain.iter().for_each(|node| simple_commands(node, &mut all));
    let mut calls = all.into_iter().map(|(words, _)| resolve(words, 0));
    let first = calls.clone().next();
    let main = calls.find(|call| !PREPARES.contains(&call.program())).or(first);
    main.map(|call| call.own().to_vec()).unwrap_or_default()
}

/// The simple commands in a command, with their redirections.
fn simple_commands<'n>(node: &'n Node, all: &mut Vec<(&'n [Node], &'n [Node])>) {
    let mut of = |nodes: &mut dyn Iterator<Item = &'n Node>| {
        nodes.for_each(|node| simple_commands(node, all));
    };
    match &node.kind {
        NodeKind::Command { words, redirects, .. } => all.push((words, redirects)),
        NodeKind::Pipeline { commands, .. } => of(&mut commands.iter()),
        NodeKind::List { items } => of(&mut items.iter().map(|item| &item.command)),
        NodeKind::Negation { pipeline: one } | NodeKind::Time { pipeline: one, .. } => {
            of(&mut [&**one].into_iter());
        }
        NodeKind::BraceGroup { body, redirects }
        | NodeKind::Subshell { body, redirects }
        | NodeKind::For { body, redirects, .. }
        | NodeKind::ForArith { body, redirects, .. }
        | NodeKind::While { body, redirects, .. }
        | NodeKind::Until { body, redirects, .. } => {
            of(&mut [&**body].into_iter());
            all.push((&[], redirects));
        }
        NodeKind::If { then_body, else_body, .. } => {
            of(&mut [&**then_body].into_iter().chain(else_body.as_deref()));
        }
        NodeKind::Case { patterns, .. } => {
            of(&mut patterns.iter().filter_map(|pattern| pattern.body.as_ref()));
        }
        _ => {}
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

/// Where in a word, from `from` on, the text of a substitution begins, and that text: the first place
/// behind an opening whose piece parses to the same commands.
fn text_of(word: &str, from: usize, command: &Node) -> Option<(usize, String)> {
    let leaves = |nodes: &[&Node]| {
        let mut line = Vec::new();
        nodes.iter().for_each(|node| flatten(node, None, &mut line));
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
