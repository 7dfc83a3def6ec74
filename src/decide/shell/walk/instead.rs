//! What to run instead: the managed form of work that would be left behind.

use super::shapes::uses;
use super::{SHOWN, Turns, Walk, parse, reading, walked};
use crate::decide::shell::call::{Terminal, resolve};
use crate::decide::shell::list::{Unit, has_here_document, main_words, units};
use crate::decide::shell::managed::{Managed, clean, name_for};
use crate::decide::shell::words::{self, literal, raw};
use crate::decide::shell::{How, Offence, Reading, Unreadable, wrappers};
use crate::protocol::text::cut;
use rable::{Node, NodeKind};
use std::ops::Range;

/// The same for a command that the host itself is asked to run in the background.
///
/// # Errors
/// As [`super::read`].
pub fn read_background(command: &str) -> Result<Reading, Unreadable> {
    let (nodes, mut walk) = walked(command)?;
    let mut found = reading(command, &nodes, &mut walk);
    if found.only_ours || nodes.is_empty() {
        return Ok(found);
    }
    let units = units(&nodes.iter().collect::<Vec<_>>());
    found.offences.insert(0, Offence { how: How::Host, text: cut(command.trim(), SHOWN) });
    let managed = match units.as_slice() {
        // It goes to the background by itself as well.
        _ if found.offences.len() > 1 => return Ok(found),
        [one] => walk.managed(one, false),
        _ => walk.by_shell(&nodes.iter().collect::<Vec<_>>(), 0..walk.text.end(), false),
    };
    found.jobs = managed.iter().flat_map(Managed::names).collect();
    found.instead = managed.map(|managed| managed.line()).filter(|line| super::stands(line));
    Ok(found)
}

impl Walk {
    /// The managed form of a unit, if it can be told for certain. If it `leaves` work behind itself, it
    /// waits for that.
    pub(super) fn managed(&self, unit: &Unit<'_>, leaves: bool) -> Option<Managed> {
        if has_here_document(&unit.chain)
            || self.is_repeated()
            || self.reads_nohup_out()
            || self.uses_what_goes(unit)
        {
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
        self.by_shell(&unit.chain, unit.range(), leaves)
    }

    /// Whether it stands in a function that is called more than once, or with arguments: each call would
    /// have to be a job with a name of its own.
    pub(super) fn is_repeated(&self) -> bool {
        let Some(name) = &self.function else { return false };
        let text = self.text.whole();
        text.matches(name.as_str()).count() > 2 || POSITIONAL.iter().any(|form| text.contains(form))
    }

    /// Whether something reads the file that `nohup` writes where nobody names another.
    fn reads_nohup_out(&self) -> bool {
        let text = self.text.whole();
        text.contains("nohup.out")
            && !["> nohup.out", ">nohup.out"].iter().any(|to| text.contains(to))
    }

    /// Whether it uses a descriptor of this shell, or a detached terminal that is used again here: a job
    /// has neither.
    fn uses_what_goes(&self, unit: &Unit<'_>) -> bool {
        let range = unit.range();
        let text = self.text.slice(range.start, range.end);
        let digits = ["3", "4", "5", "6", "7", "8", "9"];
        let shared = |digit: &&str| {
            text.contains(&format!(">&{digit}")) || text.contains(&format!("<&{digit}"))
        };
        let all = self.text.whole();
        let uses =
            ["capture-pane", "send-keys", "pipe-pane", "split-window", "new-window", "-X ", "-L "];
        let terminal = |program: &&str| text.split_whitespace().any(|word| word == *program);
        let again = |word: &str| {
            all.matches(word).count() > usize::from(word == "new-window" && text.contains(word))
        };
        digits.iter().any(shared)
            || (["tmux", "screen"].iter().any(terminal) && uses.iter().any(|word| again(word)))
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
            || words.iter().any(|word| ["<(", ">("].iter().any(|open| raw(word).contains(open)))
            || matches!(call.how, Some(How::At | How::Sudo | How::Screen | How::Tmux))
            || !redirects.iter().all(|redirect| self.is_dispensable(redirect))
            || literal(program).is_some_and(|program| program.is_empty())
        {
            return None;
        }
        let is_dropped = |at: &usize| call.dropped.iter().any(|range| range.contains(at));
        let kept: Vec<usize> = (0..words.len()).filter(|at| !is_dropped(at)).collect();
        // These are the shell's own, and nothing without it.
        let of_shell = ["exec", "command", "builtin"].contains(&raw(&words[*kept.first()?]));
        let kept: Vec<usize> = kept.into_iter().filter(|at| !of_shell || *at >= call.at).collect();
        let written = |at: &usize| match &call.changed {
            Some((changed, left)) if changed == at => left,
            _ => raw(&words[*at]),
        };
        let command: Vec<&str> = kept.iter().map(written).filter(|word| !word.is_empty()).collect();
        let known: Vec<_> = kept.iter().map(|at| call.words[*at].clone()).collect();
        let environment: Vec<&str> = assignments.iter().map(raw).collect();
        let (suffix, turns) = self.suffix()?;
        Some(Managed {
            environment: environment.join(" "),
            suffix,
            turns,
            name: name_of(&known),
            command: command.join(" "),
            ..Managed::default()
        })
    }

    /// In a loop a job for each turn: what tells their names apart, and what that is in turn if it is
    /// known. `None`: no names can be made.
    fn suffix(&self) -> Option<(String, Option<Vec<String>>)> {
        let turn = |turns: &Turns| match turns {
            Turns::For(variable, Some(_)) => Some(format!("-\"${variable}\"")),
            _ => None,
        };
        let suffix: String = self.loops.iter().map(turn).collect::<Option<_>>()?;
        let known = match self.loops.as_slice() {
            [] => None,
            [Turns::For(_, Some(words))] => Some(words.clone()),
            _ => Some(Vec::new()),
        };
        Some((suffix, known))
    }

    /// Anything else becomes a script.
    fn by_shell(&self, chain: &[&Node], range: Range<usize>, leaves: bool) -> Option<Managed> {
        if has_here_document(chain) {
            return None;
        }
        let written = |from, to| self.text.edited(from, to, &self.strips);
        let (body, pipes) = match chain {
            [one] => match &one.kind {
                NodeKind::BraceGroup { body, redirects }
                | NodeKind::Subshell { body, redirects }
                    if redirects.iter().all(|redirect| self.is_dispensable(redirect)) =>
                {
                    (written(body.span.start, body.span.end), false)
                }
                NodeKind::Pipeline { .. } => (written(range.start, range.end), true),
                _ => (written(range.start, range.end), false),
            },
            _ => (written(range.start, range.end), false),
        };
        let body = body.trim();
        let body = match leaves {
            true if body.ends_with('&') => format!("{body} wait"),
            true => format!("{body}; wait"),
            false => body.to_owned(),
        };
        let (suffix, turns) = self.suffix()?;
        // `set -e` before it is meant for it, too.
        let plain = |word: &String| word.starts_with('-') && word.len() > 1 || word == "pipefail";
        if !self.set.iter().all(plain) || self.set.iter().any(|word| word == "--") {
            return None;
        }
        let mut options = self.set.clone();
        if pipes && !options.iter().any(|word| word == "pipefail") {
            options.extend(["-o", "pipefail"].map(str::to_owned));
        }
        options.push("-c".to_owned());
        let options = options.join(" ");
        Some(Managed {
            environment: self.passed_on(&body)?,
            name: name_of(&main_words(chain)),
            suffix,
            turns,
            command: format!("bash {options} {}", shell_words::quote(&body)),
            ..Managed::default()
        })
    }

    /// What a script of its own has to be given: the variables that this command line has set. `None`:
    /// it uses what cannot be given.
    fn passed_on(&self, body: &str) -> Option<String> {
        let is_word = |name: &String| {
            body.split(|c: char| !c.is_ascii_alphanumeric() && !"_-.".contains(c))
                .any(|word| word == name)
        };
        if self.functions.keys().any(is_word)
            || POSITIONAL.iter().chain(&OF_ITS_SHELL).any(|form| body.contains(form))
        {
            return None;
        }
        // What was read from a file, or changes how words are read, is not known here.
        let changes = ["source", ".", "eval", "alias", "getopts", "let", "readonly", "mapfile"];
        let all = self.text.whole();
        let unknown = all.split_whitespace().any(|word| changes.contains(&word));
        let is_set = all.split_whitespace().any(|word| word == "shopt");
        if is_set || body.contains('$') && (unknown || all.contains("IFS=") || all.contains("((")) {
            return None;
        }
        let used: Vec<&String> = self.locals.iter().filter(|name| uses(body, name)).collect();
        let is_list = |name: &&String| {
            body.contains(&format!("${{{name}[")) || body.contains(&format!("${{#{name}["))
        };
        // One that it sets itself may mean another thing by it.
        let sets = |name: &&String| body.contains(&format!("{name}="));
        if used.iter().any(|name| is_list(name) || sets(name)) {
            return None;
        }
        let given: Vec<String> = used.iter().map(|name| format!("{name}=\"${name}\"")).collect();
        Some(given.join(" "))
    }

    /// Whether nothing is lost if a redirection goes, for the output is in the job's log: one to nowhere,
    /// to another descriptor, or to a log that nothing else here reads.
    pub(super) fn is_dispensable(&self, redirect: &Node) -> bool {
        let NodeKind::Redirect { op, target, fd, varfd } = &redirect.kind else { return false };
        let to = raw(target).trim_matches(['"', '\'']);
        let output =
            matches!(op.as_str(), ">" | ">>" | ">|" | "&>" | "&>>" | ">&" | ">&-") && *fd <= 2;
        let no_input = (op == "<" && to == "/dev/null") || (op == "<&-" && *fd <= 0);
        let is_log =
            [".log", ".out", ".err", "/log"].iter().any(|end| to.ends_with(end)) || to == "log";
        let is_log = is_log && self.nobody_looks(redirect.span.end);
        let nowhere = to == "/dev/null" || op == ">&-" || to.bytes().all(|b| b.is_ascii_digit());
        varfd.is_none()
            && (no_input || (output && (nowhere || (is_log && !self.is_named(Some(to))))))
    }

    /// Whether nothing from a place on reads files, as far as its programs tell.
    fn nobody_looks(&self, from: usize) -> bool {
        const BLIND: [&str; 20] = [
            "echo", "printf", "sleep", "disown", "wait", "curl", "head", "true", ":", "done", "fi",
            "}", ")", "kill", "pkill", "date", "pgrep", "jobs", "exit", "wget",
        ];
        let rest = self.text.slice(from, self.text.end()).replace("2>&1", "").replace(">&2", "");
        let mut pieces = rest.split(['&', '|', ';', '\n', '(', ')']).map(str::trim);
        pieces.all(|piece| {
            let first = piece.split_whitespace().next().unwrap_or_default();
            first.is_empty()
                || first.starts_with('#')
                || first.starts_with(['<', '>', '"', '\''])
                || first.contains('=')
                || BLIND.contains(&first)
                || first.bytes().all(|b| b.is_ascii_digit())
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
                let (script, _) = words::script(script);
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
            command: text,
            ..Managed::default()
        })
    }

    /// `echo '...' | at now`: what is echoed.
    fn at(commands: &[Node]) -> Option<Managed> {
        let [echo, at] = commands else { return None };
        if at.to_string().contains('+') {
            return None; // later than now
        }
        let NodeKind::Command { words, .. } = &echo.kind else { return None };
        let [program, script] = words.as_slice() else { return None };
        if !matches!(raw(program), "echo" | "printf") {
            return None;
        }
        let (script, _) = words::script(script);
        let known: Vec<_> = script.split_whitespace().map(|word| Some(word.to_owned())).collect();
        let name = name_of(&known);
        Some(Managed { name, command: as_command(&script), ..Managed::default() })
    }
}

/// What a function or script was given.
const POSITIONAL: [&str; 14] =
    ["$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$@", "$*", "$#", "${1", "${@"];
/// What another shell has another of.
const OF_ITS_SHELL: [&str; 5] = ["$$", "$?", "$0", "${!", "$!"];

fn is_at(node: &Node) -> bool {
    matches!(&node.kind, NodeKind::Command { words, .. } if resolve(words, 0).how == Some(How::At))
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
