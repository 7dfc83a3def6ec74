//! Reading a command line: through all that a shell would run, with its jobs counted in each
//! environment they belong to.

mod shapes;
mod instead;
mod calls;
mod within;

pub use instead::read_background;
pub use within::REGISTER_WITH_VALUE;

use super::call::{events, executed, resolve};
use super::edit::{Edit, Text};
use super::events::{Event, Target, left};
use super::list::{Unit, only_ours, units};
use super::managed::{Managed, Names};
use super::words::raw;
use super::{Call, How, Offence, Reading, Unreadable};
use rable::{Node, NodeKind};
use shapes::{
    at_exit, companion, does_work, ended_terminal, has_pid, is_bounded, is_timer, only_file, overs,
    passes_by, plain_turns, polls, polls_by_text, text_detaches, uses,
};
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
    let (nodes, mut walk) = walked(command)?;
    Ok(reading(command, &nodes, &mut walk))
}

/// The tree of a command line, and the walk through it.
fn walked(command: &str) -> Result<(Vec<Node>, Walk), Unreadable> {
    let nodes = parse(command)?;
    let mut walk = Walk::of(command, Names::default(), 0);
    walk.whole(&nodes);
    Ok((nodes, walk))
}

/// What was found on a walk; it is taken out of it.
fn reading(command: &str, nodes: &[Node], walk: &mut Walk) -> Reading {
    let mut found = std::mem::take(&mut walk.found);
    found.allowed = is_marked(command, nodes);
    found.only_ours = only_ours(&nodes.iter().collect::<Vec<_>>());
    walk.offences.sort_by_key(|(at, _)| *at);
    found.offences = walk.offences.drain(..).map(|(_, offence)| offence).collect();
    if !found.offences.is_empty() && walk.can_be_rewritten {
        let new = walk.text.edited(0, walk.text.end(), &walk.edits);
        let new = without_end(new.trim());
        // What it was rewritten to has to stand the same test.
        if stands(&new) {
            found.instead = Some(new);
        }
    }
    found
}

/// A command line without the `;` behind it, if that ends a command.
fn without_end(line: &str) -> String {
    let bare = line.trim_end_matches(';');
    let escaped = bare.ends_with('\\') && bare.len() < line.len();
    if escaped { format!("{bare};") } else { bare.trim_end().to_owned() }
}

/// Whether nothing in it offends.
fn stands(command: &str) -> bool {
    walked(command).is_ok_and(|(_, walk)| walk.offences.is_empty())
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
        let after = command[at + MARK.len()..].chars().next();
        if after.is_some_and(char::is_alphanumeric) {
            return false; // another word
        }
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
    jobs: Vec<String>,
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
    /// Those that managed work was put in the place of.
    replaced: BTreeSet<usize>,
    companions: Vec<Companion>,
    /// Variables that hold the PID of a job, and where else such a PID is used.
    kept: Vec<(String, usize)>,
    used: Vec<usize>,
    /// Variables that are set here.
    locals: BTreeSet<String>,
    loops: Vec<Turns>,
    /// `pgrep` and `pidof` calls whose answer nobody has used yet, and those kept in a variable.
    found_by: Vec<Call>,
    found_in: Vec<(String, Call)>,
    /// Where detached terminals are ended, and which; the empty name: whichever.
    ended: Vec<(usize, String)>,
    /// Where something ends processes that it did not start itself.
    sweeps: Vec<Sweep>,
    /// How functions are called that may print a PID, where somebody reads it.
    tellers: BTreeSet<String>,
    /// Variables that hold what a command printed, a PID among it.
    printed: BTreeSet<String>,
    /// Variables that were set outside, and whose processes are ended here; and those of scripts within.
    ended_of_others: Vec<String>,
    ended_within: Vec<String>,
    /// Somebody reads its output to the end: it is the script of a `$( )`.
    is_read: bool,
    /// The function whose body is read.
    function: Option<String>,
    /// What `set` was given: `-euo pipefail`.
    set: Vec<String>,
}

/// What only tells of a background job, or lets go of it: it goes when that does.
struct Companion {
    range: Range<usize>,
    lets_go: bool,
    job: Option<usize>,
}

/// Where something ends processes that it did not start itself: all that were started before it, but in
/// other branches.
#[derive(Debug)]
struct Sweep {
    at: usize,
    spared: Vec<Range<usize>>,
}

impl Sweep {
    fn at(at: usize) -> Self {
        Self { at, spared: Vec::new() }
    }

    fn ends(&self, started: usize) -> bool {
        started < self.at && !self.spared.iter().any(|range| range.contains(&started))
    }
}

/// What makes the turns of a loop differ.
enum Turns {
    /// A variable, with the words it has in turn if they are plain.
    For(String, Option<Vec<String>>),
    /// Nothing that a name could be made of.
    Other,
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
            replaced: BTreeSet::new(),
            companions: Vec::new(),
            kept: Vec::new(),
            used: Vec::new(),
            locals: BTreeSet::new(),
            loops: Vec::new(),
            found_by: Vec::new(),
            found_in: Vec::new(),
            ended: Vec::new(),
            sweeps: Vec::new(),
            tellers: BTreeSet::new(),
            printed: BTreeSet::new(),
            ended_of_others: Vec::new(),
            ended_within: Vec::new(),
            is_read: false,
            function: None,
            set: Vec::new(),
        }
    }

    fn whole(&mut self, nodes: &[Node]) {
        let mut scope = Scope::default();
        self.list(&nodes.iter().collect::<Vec<_>>(), &mut scope);
        if self.is_read {
            self.hold(&mut scope);
        }
        self.finish(scope);
        // One that nothing here calls may be called later, in the same shell.
        for (name, events) in self.functions.clone() {
            if !self.called.contains(&name) {
                self.finish(Scope { events, at_exit: Vec::new() });
            }
        }
        let ended = std::mem::take(&mut self.ended);
        self.offences.retain(|(at, one)| {
            let is_it =
                |(end, which): &(usize, String)| at < end && one.text.contains(which.as_str());
            !matches!(one.how, How::Screen | How::Tmux) || !ended.iter().any(is_it)
        });
        let before = self.offences.len();
        let sweeps = &self.sweeps;
        self.offences.retain(|(at, one)| {
            matches!(one.how, How::Screen | How::Tmux | How::At)
                || !sweeps.iter().any(|sweep| sweep.ends(*at))
        });
        if self.offences.len() < before {
            self.can_be_rewritten = false; // it would be changed, too
        }
        self.let_companions_go();
        let new = self.text.edited(0, self.text.end(), &self.edits);
        let is_used = |name: &str| uses(&new, name);
        let lost = self.used.iter().any(|job| self.replaced.contains(job))
            || self.kept.iter().any(|(name, job)| self.replaced.contains(job) && is_used(name));
        if lost || self.tellers.iter().any(|call| new.contains(call)) {
            self.can_be_rewritten = false; // there is no such PID any more
        }
    }

    /// `disown` and `echo $!` make no sense without the job; alone, a `disown` offends itself.
    fn let_companions_go(&mut self) {
        for Companion { range, lets_go, job } in std::mem::take(&mut self.companions) {
            if job.is_some_and(|job| self.replaced.contains(&job)) {
                self.edits.push(Edit { from: range.start, to: range.end, new: String::new() });
            } else if lets_go && self.sweeps.iter().any(|sweep| sweep.ends(range.start)) {
                self.can_be_rewritten = false;
            } else if lets_go && self.offences.is_empty() {
                let text = self.text.slice(range.start, range.end);
                self.offend(range.start, How::Disown, text.trim().trim_end_matches(';'));
                self.can_be_rewritten = false;
            } else if let Some(job) = job {
                self.used.push(job);
            }
        }
    }

    /// Whoever reads a pipe to its end waits for all that can write into it.
    fn hold(&self, scope: &mut Scope) {
        let writes = |job: &Job| {
            let text = self.text.slice(job.range.start, job.range.end).replace("2>", "");
            !text.contains('>')
        };
        let jobs = scope.events.iter().filter_map(|event| match event {
            Event::Background(job) if writes(&self.jobs[*job]) => Some(Event::Held(*job)),
            _ => None,
        });
        let held: Vec<Event> = jobs.collect();
        scope.events.extend(held);
    }

    fn last_job(&self) -> Option<usize> {
        self.jobs.len().checked_sub(1)
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
            let jobs = std::mem::take(&mut job.jobs);
            if left.contains(&number) {
                let (range, how, managed) = (job.range.clone(), job.how, job.managed.take());
                let text = self.text.slice(range.start, range.end);
                if self.offences.iter().any(|(at, _)| *at == range.start) {
                    continue; // of a function that is called twice
                }
                self.offend(range.start, how, &text);
                if managed.is_some() {
                    self.replaced.insert(number);
                }
                self.replace(range, managed);
            } else {
                if nested.iter().any(|(_, offence)| !is_bounded(offence)) {
                    self.edits.extend(edits);
                    self.found.jobs.extend(jobs);
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
        self.found.jobs.extend(managed.names());
        self.edits.push(Edit { from: range.start, to: range.end, new });
    }

    fn list(&mut self, nodes: &[&Node], scope: &mut Scope) {
        let units = units(nodes);
        for (number, unit) in units.iter().enumerate() {
            if unit.background {
                let beside = units[number + 1..].iter().any(does_work);
                self.background(unit, beside, scope);
            } else {
                self.chain(unit, scope);
            }
        }
    }

    fn chain(&mut self, unit: &Unit<'_>, scope: &mut Scope) {
        for (number, node) in unit.chain.iter().enumerate() {
            let told = match companion(node) {
                Some((lets_go, file)) => self.can_go(file).then(|| (lets_go, self.last_job())),
                None => self.tells_kept(node).map(|job| (false, Some(job))),
            };
            match told.filter(|_| unit.chain.len() == 1) {
                Some((lets_go, job)) => {
                    let range = self.with_separator(unit, number);
                    self.companions.push(Companion { range, lets_go, job });
                }
                None if has_pid(node) => self.used.extend(self.last_job()),
                None => {}
            }
            self.command(node, scope);
        }
    }

    /// Whether nobody misses what a command tells in a file: nothing here names that again, and no
    /// script around this one could.
    fn can_go(&self, file: Option<&str>) -> bool {
        file.is_none() || (self.depth == 0 && !self.is_named(file))
    }

    /// Of an `echo` that only tells a PID kept in a variable, the job.
    fn tells_kept(&self, node: &Node) -> Option<usize> {
        let NodeKind::Command { words, redirects, .. } = &node.kind else { return None };
        let tells = matches!(words.first().map(raw), Some("echo" | "printf"));
        let text: String = words.iter().map(raw).collect();
        if !tells
            || !self.can_go(only_file(redirects)?)
            || text.contains("$(")
            || text.contains('`')
        {
            return None;
        }
        self.kept.iter().rev().find(|(name, _)| uses(&text, name)).map(|(_, job)| *job)
    }

    /// Whether a file is named more than once.
    fn is_named(&self, file: Option<&str>) -> bool {
        file.is_some_and(|file| self.text.whole().matches(file).count() > 1)
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
        let end = self.text.skip_blanks(end);
        let own_line = span.start > 0 && self.text.at(span.start - 1) == Some('\n');
        span.start..end + usize::from(own_line && self.text.at(end) == Some('\n'))
    }

    /// A job of a `&`; `beside` it something else is done.
    fn background(&mut self, unit: &Unit<'_>, beside: bool, scope: &mut Scope) {
        let range = unit.range();
        let sign = self.text.skip_blanks(range.end);
        let mut end = if self.text.at(sign) == Some('&') { sign + 1 } else { range.end };
        let next = self.text.at(self.text.skip_blanks(end + 1));
        if self.text.at(end) == Some('!') && matches!(next, None | Some('\n' | ';')) {
            end += 1; // zsh lets go of it so
        }
        let passes = beside && passes_by(&unit.chain);
        self.job(unit, range.start..end, How::Ampersand, passes, scope);
    }

    /// A job that goes to the background, in the range of all that it is written as. One that `passes`
    /// is no offence by itself.
    fn job(
        &mut self,
        unit: &Unit<'_>,
        range: Range<usize>,
        how: How,
        passes: bool,
        scope: &mut Scope,
    ) {
        let (offences, edits) = (self.offences.len(), self.edits.len());
        let (names, jobs) = (self.names.clone(), self.found.jobs.len());
        let mut inner = Scope::default();
        for node in &unit.chain {
            self.command(node, &mut inner);
        }
        let over = overs(&inner);
        self.finish(inner);
        if only_ours(&unit.chain) {
            return;
        }
        if is_timer(&unit.chain) || (passes && self.offences.len() == offences) {
            scope.events.extend(over); // it ends others, and then itself
            return;
        }
        let nested = self.offences.split_off(offences);
        let edits = self.edits.split_off(edits);
        let jobs = self.found.jobs.split_off(jobs);
        self.names = names; // what is in it goes with the whole
        // What the managed work leaves behind itself, it has to wait for.
        let leaves = nested.iter().any(|(_, offence)| !is_bounded(offence));
        let managed = self.managed(unit, leaves);
        let how = match nested.as_slice() {
            [(_, only)] if is_bounded(only) => only.how,
            _ => how,
        };
        self.jobs.push(Job { range, how, managed, nested, edits, jobs });
        scope.events.push(Event::Background(self.jobs.len() - 1));
    }

    /// A command; what it is made of runs in the same environment, or in one of its own.
    fn command(&mut self, node: &Node, scope: &mut Scope) {
        let before = (self.jobs.len(), self.offences.len());
        self.command_itself(node, scope);
        let (NodeKind::Subshell { redirects, .. }
        | NodeKind::BraceGroup { redirects, .. }
        | NodeKind::If { redirects, .. }
        | NodeKind::For { redirects, .. }
        | NodeKind::While { redirects, .. }) = &node.kind
        else {
            return;
        };
        if (self.jobs.len(), self.offences.len()) != before {
            self.keeps_output(redirects);
        }
    }

    fn command_itself(&mut self, node: &Node, scope: &mut Scope) {
        match &node.kind {
            NodeKind::Command { .. } | NodeKind::Pipeline { .. } => self.pipeline(node, scope),
            NodeKind::List { .. } => self.list(&[node], scope),
            NodeKind::Negation { pipeline } | NodeKind::Time { pipeline, .. } => {
                self.command(pipeline, scope);
            }
            NodeKind::If { condition, then_body, else_body, redirects } => {
                self.list(&[condition], scope);
                self.branches([&**then_body].into_iter().chain(else_body.as_deref()), scope);
                self.redirects(redirects);
            }
            NodeKind::While { condition, body, redirects }
            | NodeKind::Until { condition, body, redirects } => {
                self.list(&[condition], scope);
                let until = matches!(node.kind, NodeKind::Until { .. });
                scope.events.extend(polls(condition, until));
                let written = |node: &Node| self.text.slice(node.span.start, node.span.end);
                if polls_by_text(&written(condition), &written(body)) {
                    scope.events.push(Event::Over(Target::All));
                }
                self.turns(Turns::Other, body, scope);
                self.redirects(redirects);
            }
            NodeKind::For { var, words, body, redirects }
            | NodeKind::Select { var, words, body, redirects } => {
                words.iter().flatten().for_each(|word| self.word(word));
                self.locals.insert(var.clone());
                let turns = plain_turns(words.as_deref().unwrap_or_default());
                self.turns(Turns::For(var.clone(), turns), body, scope);
                self.redirects(redirects);
            }
            NodeKind::ForArith { body, redirects, .. } => {
                self.turns(Turns::Other, body, scope);
                self.redirects(redirects);
            }
            NodeKind::BraceGroup { body, redirects } => {
                self.list(&[body], scope);
                self.redirects(redirects);
            }
            NodeKind::Case { word, patterns, redirects } => {
                self.word(word);
                self.branches(patterns.iter().filter_map(|pattern| pattern.body.as_ref()), scope);
                self.redirects(redirects);
            }
            NodeKind::Function { name, body } => {
                let mut inner = Scope::default();
                if self.text.slice(body.span.start, body.span.end).contains("$!") {
                    self.tellers.insert(format!("$({name}"));
                }
                let outer = self.function.replace(name.clone());
                self.command(body, &mut inner);
                self.function = outer;
                let events = [inner.events, inner.at_exit].concat();
                self.functions.insert(name.clone(), events);
            }
            NodeKind::Subshell { body, redirects } => {
                let mut inner = Scope::default();
                self.list(&[body], &mut inner);
                scope.events.extend(overs(&inner));
                self.finish(inner);
                self.redirects(redirects);
            }
            NodeKind::Coproc { name, command } => {
                let unit = Unit { chain: vec![command], background: true };
                let name = name.as_deref().unwrap_or("COPROC");
                let all = self.text.whole();
                // Whoever talks with it has it end, too.
                if all.contains(&format!("{name}[")) // `{NAME[1]}>&-` has no `$`
                    || [name, &format!("{name}_PID")].iter().any(|name| uses(all, name))
                {
                    let mut inner = Scope::default();
                    self.command(command, &mut inner);
                    self.finish(inner);
                } else {
                    self.job(&unit, node.span.start..node.span.end, How::Coproc, false, scope);
                }
            }
            _ => {}
        }
    }

    /// Where the output of a whole goes to a file that is read, its jobs cannot have a log of their own.
    fn keeps_output(&mut self, redirects: &[Node]) {
        let is_output = |redirect: &&Node| match &redirect.kind {
            NodeKind::Redirect { op, .. } => op.contains('>'),
            _ => false,
        };
        if !redirects.iter().filter(is_output).all(|redirect| self.is_dispensable(redirect)) {
            self.can_be_rewritten = false;
        }
    }

    fn turns(&mut self, turns: Turns, body: &Node, scope: &mut Scope) {
        self.loops.push(turns);
        self.list(&[body], scope);
        self.loops.pop();
    }

    /// Of several branches one is taken: what one starts, another does not end.
    fn branches<'n>(&mut self, bodies: impl Iterator<Item = &'n Node>, scope: &mut Scope) {
        let mut started = Vec::new();
        let mut first = None;
        for body in bodies {
            let others = *first.get_or_insert(body.span.start)..body.span.start;
            let sweeps = self.sweeps.len();
            let mut inner = Scope::default();
            self.list(&[body], &mut inner);
            self.sweeps[sweeps..].iter_mut().for_each(|sweep| sweep.spared.push(others.clone()));
            let (left, called) = left(&inner.events, &self.functions);
            self.called.extend(called);
            scope.events.extend(overs(&inner));
            scope.at_exit.extend(inner.at_exit);
            started.extend(inner.events.into_iter().filter(|event| match event {
                Event::Background(job) => left.contains(job),
                Event::Kept(_) | Event::Set(_) | Event::Called(_) => true,
                Event::Over(_) | Event::Held(_) => false,
            }));
        }
        scope.events.extend(started);
    }

    /// One or more commands that are joined by pipes: in more, each has an environment of its own.
    fn pipeline(&mut self, node: &Node, scope: &mut Scope) {
        let unused = self.found_by.len();
        let how = match &node.kind {
            NodeKind::Pipeline { commands, .. } => {
                let mut how = None;
                self.piped_script(commands);
                for (number, command) in commands.iter().enumerate() {
                    let mut inner = Scope::default();
                    match &command.kind {
                        NodeKind::Command { .. } => {
                            how = how.or(self.simple(command, &mut inner));
                        }
                        _ => self.command(command, &mut inner),
                    }
                    scope.events.extend(overs(&inner));
                    if number + 1 < commands.len() {
                        self.hold(&mut inner);
                    }
                    self.finish(inner);
                }
                how
            }
            _ => self.simple(node, scope),
        };
        if self.depth == 0 {
            self.found_by.truncate(unused); // within, somebody outside may use it
        }
        if let Some(how) = how {
            let range = node.span.start..node.span.end;
            let text = self.text.slice(range.start, range.end);
            self.offend(range.start, how, &text);
            let alone =
                self.depth == 0 && range == (self.text.skip_blanks(0)..self.text.trimmed_end());
            let detaches = !matches!(how, How::Nohup | How::Setsid) || text_detaches(&text);
            if how == How::Ssh && !alone {
                self.can_be_rewritten = false; // what follows counts on its being connected
            } else if alone || detaches {
                let unit = Unit { chain: vec![node], background: false };
                let managed = self.managed(&unit, false);
                self.replace(range, managed);
            } else {
                // Where something follows, or takes the output, it was to be waited for.
                let within = |edit: &&Edit| edit.from >= range.start && edit.to <= range.end;
                self.edits.extend(self.strips.iter().filter(within).cloned());
            }
        }
    }

    /// A simple command; by what means it leaves work behind.
    fn simple(&mut self, node: &Node, scope: &mut Scope) -> Option<How> {
        let NodeKind::Command { assignments, words, redirects } = &node.kind else { return None };
        assignments.iter().chain(words).for_each(|word| self.word(word));
        self.redirects(redirects);
        let call = resolve(words, 0);
        self.variables(assignments, words, &call, scope);
        self.note(&call, words, 0);
        let before = self.offences.len();
        self.scripts(&call, words, redirects);
        if call.program() == "find" {
            for at in executed(words, call.at) {
                self.scripts(&resolve(words, at), words, redirects);
            }
        }
        let is_whole = self.functions.contains_key(call.program()) || call.program() == "exec";
        if self.offences.len() > before || is_whole {
            self.keeps_output(redirects);
        }
        let at = if self.function.is_some() || call.program() == "trap" {
            usize::MAX
        } else {
            node.span.start
        };
        if self.sweeps_others(&call, words) {
            self.sweeps.push(Sweep::at(at));
        }
        let ended = std::mem::take(&mut self.ended_within);
        if !ended.is_empty() && call.program() != "trap" {
            scope.events.push(Event::Over(Target::In(ended)));
        }
        match call.program() {
            "set" => self.set.extend(words[call.at + 1..].iter().map(|word| raw(word).to_owned())),
            "trap" => scope.at_exit.extend(at_exit(&call, words)),
            "tmux" | "screen" => {
                self.ended.extend(ended_terminal(&call).map(|which| (at, which)));
            }
            _ => {}
        }
        scope.events.extend(events(&call, words));
        if let Some(inner) = call.inner() {
            self.inner(words, redirects, inner);
        }
        self.strips.extend(call.dropped.iter().filter_map(|dropped| {
            let [from, to] = [dropped.start, dropped.end].map(|at| words.get(at));
            Some(Edit { from: from?.span.start, to: to?.span.start, new: String::new() })
        }));
        // Of a function of that name the body was read.
        let is_function = |word: &Node| self.functions.contains_key(raw(word));
        call.how.filter(|_| !words.first().is_some_and(is_function))
    }
}
