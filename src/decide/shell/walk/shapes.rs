//! Shapes of commands that mean more than they say: a watchdog, a poll, an `echo $!`, an EXIT trap.

use super::{Scope, parse};
use crate::decide::shell::call::{ENDS_NOTHING, Resolved, events, polled, resolve};
use crate::decide::shell::events::Event;
use crate::decide::shell::list::{Unit, simple_commands, simple_programs, units};
use crate::decide::shell::words::{self, raw};
use crate::decide::shell::{How, Offence, wrappers};
use rable::{Node, NodeKind};

/// Whether it is bounded by the job it stands in: of one that is waited for or ended, `nohup` and
/// `setsid` keep nothing alive.
pub fn is_bounded(offence: &Offence) -> bool {
    matches!(offence.how, How::Nohup | How::Setsid)
}

/// Whether a command only tells of a background job (false), or lets go of it (true); and the file that
/// it tells.
pub fn companion(node: &Node) -> Option<(bool, Option<&str>)> {
    let NodeKind::Command { assignments, words, redirects } = &node.kind else { return None };
    if words.is_empty() && !assignments.is_empty() {
        return assignments.iter().all(|word| raw(word).ends_with("=$!")).then_some((false, None));
    }
    let file = only_file(redirects)?;
    match raw(words.first()?) {
        "export" | "local" | "declare" | "readonly" if words.len() > 1 => {
            words[1..].iter().all(|word| raw(word).ends_with("=$!")).then_some((false, None))
        }
        "disown" => Some((true, None)),
        "echo" | "printf" if words.iter().any(tells) => Some((false, file)),
        _ => None,
    }
}

/// The file of a command that is redirected once, or not at all; `None`: there is more to it.
#[expect(clippy::option_option, reason = "no file is not the same as no such command")]
pub fn only_file(redirects: &[Node]) -> Option<Option<&str>> {
    match redirects {
        [] => Some(None),
        [Node { kind: NodeKind::Redirect { target, .. }, .. }] => Some(Some(raw(target))),
        _ => None,
    }
}

/// Whether a command uses the PID of the last background job for more than to keep it, wait for it or
/// end it.
pub fn has_pid(node: &Node) -> bool {
    if let NodeKind::Pipeline { commands, .. } = &node.kind {
        return commands.iter().any(has_pid);
    }
    let NodeKind::Command { words, .. } = &node.kind else { return false };
    let about = words.first().map(raw).unwrap_or_default();
    let ends = about != "kill" || !words.iter().any(|word| ENDS_NOTHING.contains(&raw(word)));
    !(ends && ["wait", "kill", "local", "export", "declare", "trap"].contains(&about))
        && words.iter().any(|word| raw(word).contains("$!"))
}

/// Whether a text uses a variable.
pub fn uses(text: &str, name: &str) -> bool {
    [format!("${name}"), format!("${{{name}")].iter().any(|form| {
        text.match_indices(form.as_str()).any(|(at, _)| {
            let next = text[at + form.len()..].chars().next();
            !next.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
        })
    })
}

/// What ends jobs in an environment within; it ends those outside, too.
pub fn overs(scope: &Scope) -> Vec<Event> {
    scope.events.iter().filter(|event| matches!(event, Event::Over(_))).cloned().collect()
}

/// Whether it only waits for a time and then ends something.
pub fn is_timer(chain: &[&Node]) -> bool {
    let programs: Vec<String> = simple_programs(chain);
    let harmless = [
        "sleep", "kill", "pkill", "echo", "printf", "date", "test", "[", "curl", "nc", "true", ":",
        "wait",
    ];
    programs.iter().any(|program| program == "kill" || program == "pkill")
        && programs.iter().all(|program| harmless.contains(&program.as_str()))
}

/// So long something may run beside other work, seconds: whatever becomes of it, little is left behind.
const PASSING: f64 = 60.0;

/// Whether it is over soon: bounded by `timeout`, or a look at what is started here in a moment
/// (`sleep 2; curl localhost:8000`).
pub fn passes_by(chain: &[&Node]) -> bool {
    const CLIENTS: [&str; 5] = ["curl", "wget", "nc", "open", "xdg-open"];
    const BESIDE: [&str; 13] = [
        "cd", "export", "source", ".", "echo", "printf", "date", "head", "grep", "jq", "cat",
        "tee", "true",
    ];
    let mut calls = Vec::new();
    for node in chain {
        simple_commands(node, &mut calls);
    }
    let calls = calls.into_iter().map(|(words, _)| words);
    let calls: Vec<&[Node]> = calls.filter(|words| !words.is_empty()).collect();
    let is_one = |words: &[Node], programs: &[&str]| programs.contains(&raw(&words[0]));
    let is_limited = |words: &&[Node]| {
        let known: Vec<_> = words.iter().map(words::literal).collect();
        is_one(words, &["timeout", "gtimeout"])
            && wrappers::length(&known).is_some_and(|length| is_short(&words[length - 1]))
    };
    let ends = |words: &&[Node]| {
        is_limited(words)
            || is_one(words, &CLIENTS)
            || is_one(words, &BESIDE)
            || (is_one(words, &["sleep"]) && words[1..].iter().all(is_short))
    };
    let asks_later = calls.first().is_some_and(|words| is_one(words, &["sleep"]))
        && calls.iter().any(|words| is_one(words, &CLIENTS));
    let loops =
        |node: &&Node| ["while ", "until "].iter().any(|word| node.to_string().contains(word));
    (asks_later || calls.iter().any(is_limited))
        && calls.iter().all(ends)
        && !chain.iter().any(loops)
}

/// Whether a time as `timeout` and `sleep` take it is so short.
fn is_short(time: &Node) -> bool {
    let time = raw(time);
    let number = time.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &time[number.len()..] {
        "" | "s" => 1.0,
        "m" => 60.0,
        _ => return false,
    };
    number.parse::<f64>().is_ok_and(|number| number > 0.0 && number * unit <= PASSING)
}

/// Whether a unit does more in the foreground than to wait a while and to say so.
pub fn does_work(unit: &Unit<'_>) -> bool {
    let idle = ["sleep", "echo", "printf", "disown", "true", ":"];
    !unit.background
        && simple_programs(&unit.chain).iter().any(|program| !idle.contains(&program.as_str()))
}

/// The words of a loop if they can be part of a name as they are.
pub fn plain_turns(words: &[Node]) -> Option<Vec<String>> {
    let is_plain = |text: &str| {
        !text.is_empty()
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
    };
    let mut turns = Vec::new();
    for word in words {
        let NodeKind::Word { value, parts, .. } = &word.kind else { return None };
        match parts.as_slice() {
            // Numbers, whichever: nobody counts them here.
            [Node { kind: NodeKind::BraceExpansion { content }, .. }]
                if content.chars().all(|c| c.is_ascii_alphanumeric() || "{},.-_".contains(c)) => {}
            [Node { kind: NodeKind::CommandSubstitution { .. }, .. }]
                if value.trim_matches('"').starts_with("$(seq ") => {}
            _ => turns
                .push(words::literal(word).filter(|text| is_plain(text) && !turns.contains(text))?),
        }
    }
    Some(turns)
}

/// What a condition asks whether it is still there: `while kill -0 $pid`, `until ! pgrep x`.
pub fn polls(condition: &Node, until: bool) -> Vec<Event> {
    let mut found = Vec::new();
    for node in units(&[condition]).into_iter().flat_map(|unit| unit.chain) {
        let (node, negated) = match &node.kind {
            NodeKind::Negation { pipeline } => (&**pipeline, true),
            _ => (node, false),
        };
        if negated == until {
            let mut calls = Vec::new();
            simple_commands(node, &mut calls);
            found
                .extend(calls.into_iter().flat_map(|(words, _)| polled(&resolve(words, 0), words)));
        }
    }
    found
}

/// Whether a loop asks for a process in another way than by a call in its condition.
pub fn polls_by_text(condition: &str, body: &str) -> bool {
    ["/proc/$", "jobs"].iter().any(|way| condition.contains(way))
        || (["kill -0", "ps -p", "/proc/$"].iter().any(|way| body.contains(way))
            && ["break", "exit", "return"].iter().any(|end| body.contains(end)))
}

/// Which detached terminal a call ends; the empty name: whichever.
pub fn ended_terminal(call: &Resolved) -> Option<String> {
    let words: Vec<&str> = call.own().iter().map(|word| word.as_deref().unwrap_or("")).collect();
    if words.contains(&"kill-server") {
        return Some(String::new());
    }
    words.iter().find(|word| ["kill-session", "kill-window", "quit"].contains(*word))?;
    let option = |word: &&str| ["-t", "-S", "-X"].contains(word);
    let target = words.iter().position(|word| option(word) && *word != "-X");
    let name = target.and_then(|at| words.get(at + 1)).unwrap_or(&"");
    Some(name.rsplit(':').next().unwrap_or_default().to_owned())
}

/// `setsid -f` goes to the background by itself.
pub fn text_detaches(text: &str) -> bool {
    let mut words = text.split_whitespace();
    words.any(|word| word.rsplit('/').next() == Some("setsid"))
        && words
            .next()
            .is_some_and(|word| word == "--fork" || (word.starts_with('-') && word.contains('f')))
}

/// Whether a word has the PID of the last background job in it, and nothing that runs.
pub fn tells(word: &Node) -> bool {
    let NodeKind::Word { value, parts, .. } = &word.kind else { return false };
    let runs = |part: &Node| matches!(part.kind, NodeKind::CommandSubstitution { .. });
    value.contains("$!") && !parts.iter().any(runs)
}

/// What an EXIT trap does.
pub fn at_exit(call: &Resolved, words: &[Node]) -> Vec<Event> {
    let is_exit = |word: &str| {
        word.eq_ignore_ascii_case("EXIT") || word.eq_ignore_ascii_case("RETURN") || word == "0"
    };
    let on_exit = call.own().iter().skip(2).flatten().any(|word| is_exit(word));
    let first = call.at + 1 + usize::from(call.own().get(1) == Some(&Some("--".to_owned())));
    let script = words.get(first).filter(|_| on_exit).map(|word| words::script(word).0);
    let nodes = script.and_then(|script| parse(&script).ok());
    let nodes = nodes.unwrap_or_default();
    let mut all = Vec::new();
    for node in &nodes {
        simple_commands(node, &mut all);
    }
    all.into_iter().flat_map(|(words, _)| events(&resolve(words, 0), words)).collect()
}
