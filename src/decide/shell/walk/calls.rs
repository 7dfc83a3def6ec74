//! What single calls tell: which variables they set, which jobs of ours they start, whom they would kill.

use super::shapes::uses;
use super::{Scope, Walk};
use crate::decide::shell::Call;
use crate::decide::shell::call::{Resolved, events, executed, keeps, resolve};
use crate::decide::shell::edit::Edit;
use crate::decide::shell::events::{Event, Target};
use crate::decide::shell::words::raw;
use rable::Node;
use std::collections::BTreeSet;

impl Walk {
    /// Remembers what is kept in variables.
    pub(super) fn variables(
        &mut self,
        assignments: &[Node],
        words: &[Node],
        call: &Resolved,
        scope: &mut Scope,
    ) {
        let declares = ["local", "export", "declare", "typeset", "readonly"];
        let reads = ["read", "mapfile", "readarray"].contains(&call.program());
        let given = words.iter().skip(call.at + 1);
        let set = assignments.iter().filter(|_| words.is_empty());
        let set = set.chain(given.filter(|_| reads || declares.contains(&call.program())));
        for word in set.map(raw) {
            let name = word.split(['=', '+', '[']).next().unwrap_or_default();
            let value = word.split_once('=').map(|(_, value)| value).unwrap_or_default();
            if !name.starts_with('-') && !name.is_empty() {
                self.locals.insert(name.to_owned());
            }
            let calls = self.found_by.drain(..).map(|call| (name.to_owned(), call));
            self.found_in.extend(calls);
            if value.contains("$(")
                && (value.contains("$!") || self.tellers.iter().any(|call| value.contains(call)))
            {
                self.printed.insert(name.to_owned());
            }
            match keeps(word) {
                Some(kept) => {
                    self.kept.extend(self.last_job().map(|job| (name.to_owned(), job)));
                    scope.events.push(kept);
                }
                // A file may hold the PID of a job.
                None if ["cat ", "<"].iter().any(|from| value.contains(from)) => {}
                None if !reads => scope.events.push(Event::Set(name.to_owned())),
                None => {}
            }
        }
    }

    /// Whether a call ends processes wherever they were started, or those of variables that this script
    /// was given; the latter are remembered.
    pub(super) fn sweeps_others(&mut self, call: &Resolved, words: &[Node]) -> bool {
        if call.program() != "kill" {
            let sweeps = events(call, words).contains(&Event::Over(Target::All));
            return sweeps && !matches!(call.program(), "wait" | "fg");
        }
        let mut sweeps = false;
        for event in events(call, words) {
            match event {
                Event::Over(Target::All) => sweeps = true,
                Event::Over(Target::In(variables)) => {
                    sweeps |= variables.iter().any(|name| self.printed.contains(name));
                    let given = variables.into_iter().filter(|name| !self.locals.contains(name));
                    self.ended_of_others.extend(given);
                }
                _ => {}
            }
        }
        sweeps
    }

    /// Remembers calls that matter beyond the background.
    pub(super) fn note(&mut self, call: &Resolved, words: &[Node], from: usize) {
        let known =
            |at: usize| call.words[at].clone().unwrap_or_else(|| raw(&words[at]).to_owned());
        let mut begins = BTreeSet::from([from, call.at]);
        if call.program() == "find" {
            begins.extend(executed(words, call.at));
        }
        for begin in begins.into_iter().filter(|begin| *begin < words.len()) {
            let as_written: Vec<&str> = words.iter().skip(begin).map(raw).collect();
            let mut as_meant: Vec<String> = (begin..words.len()).map(known).collect();
            let meant = as_meant.join(" ");
            let program = as_meant.remove(0);
            // Of the system's own programs a rule may give the name alone.
            let of_system = ["/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/", "/usr/local/bin/"]
                .iter()
                .find_map(|dir| program.strip_prefix(dir));
            as_meant.insert(0, of_system.unwrap_or(&program).to_owned());
            let texts = BTreeSet::from([as_written.join(" "), meant, as_meant.join(" ")]);
            self.found.calls.extend(texts);
        }
        let own = Call { words: call.own().to_vec() };
        if call.is_ours() {
            let before = own.words.iter().flatten().take_while(|word| *word != "--");
            for word in before.skip(1).filter(|word| !word.starts_with('-')) {
                self.names.give(word);
            }
            self.found.ours.push(own);
            return;
        }
        match call.program() {
            "pkill" | "killall" => self.found.kills.push(own),
            "pgrep" | "pidof" => self.found_by.push(own),
            // `ps aux | grep x | ... | xargs kill`
            "grep" => {
                let pattern =
                    own.words.iter().skip(1).flatten().find(|word| !word.starts_with('-'));
                let words = ["pgrep", "-f"].map(|word| Some(word.to_owned()));
                let words = words.into_iter().chain([pattern.cloned()]).collect();
                self.found_by.extend(pattern.is_some().then_some(Call { words }));
            }
            "kill" if !words.iter().any(|word| matches!(raw(word), "-0" | "-l" | "-L")) => {
                self.found.kills.append(&mut self.found_by);
                let used = |name: &str| words.iter().any(|word| uses(raw(word), name));
                let found = self.found_in.iter().filter(|(name, _)| used(name));
                self.found.kills.extend(found.map(|(_, call)| call.clone()));
            }
            _ => {}
        }
    }

    /// What one of our programs is to run, as if it stood alone.
    pub(super) fn inner(&mut self, words: &[Node], redirects: &[Node], from: usize) {
        let (first, last) = (&words[from], &words[words.len() - 1]);
        let call = resolve(words, from);
        let before = self.found.calls.len();
        self.note(&call, words, from);
        self.scripts(&call, words, redirects);
        self.found.inner.extend_from_slice(&self.found.calls[before..]);
        if let Some(next) = call.inner() {
            self.inner(words, redirects, next);
        }
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
