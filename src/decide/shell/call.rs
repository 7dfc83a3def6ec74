//! One call of a program: what it starts, what it ends, and who is called in the end.

use super::events::{Event, Target};
use super::words::{base, literal, raw};
use super::{How, wrappers};
use rable::Node;
use std::ops::Range;

/// This project's programs.
const OURS: [&str; 3] = ["sentinel-run", "sentinel-watch", "sentinel-keep"];

/// A simple command, read from left to right.
#[derive(Debug, Default)]
pub struct Resolved {
    /// Its words as they are known before it runs.
    pub words: Vec<Option<String>>,
    /// Where the program that is called in the end stands among them.
    pub at: usize,
    /// The words that only put it into the background, or keep it alive there.
    pub dropped: Vec<Range<usize>>,
    /// A word of options that does so, and what is left of it without.
    pub changed: Option<(usize, String)>,
    /// The first means by which work is left behind.
    pub how: Option<How>,
    /// The command of a detached terminal, and its name.
    pub terminal: Option<Terminal>,
}

/// What `screen` or `tmux` is to run out of sight.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    pub name: Option<String>,
    pub dir: Option<usize>,
    /// The words of the command; empty: a shell.
    pub command: Range<usize>,
}

impl Resolved {
    pub fn program(&self) -> &str {
        self.words.get(self.at).and_then(|word| word.as_deref()).map_or("", base)
    }

    pub fn is_ours(&self) -> bool {
        OURS.contains(&self.program())
    }

    /// The words of the call itself.
    pub fn own(&self) -> &[Option<String>] {
        self.words.get(self.at..).unwrap_or_default()
    }

    /// Where what one of our programs is to run begins.
    pub fn inner(&self) -> Option<usize> {
        let dashes = self.own().iter().position(|word| word.as_deref() == Some("--"))?;
        Some(self.at + dashes + 1).filter(|at| self.is_ours() && *at < self.words.len())
    }
}

/// Reads a simple command from its `from`th word on.
pub fn resolve(nodes: &[Node], from: usize) -> Resolved {
    let words: Vec<_> = nodes.iter().map(literal).collect();
    let mut call = Resolved { at: from, words, ..Resolved::default() };
    while let Some(Some(word)) = call.words.get(call.at) {
        let rest = &call.words[call.at..];
        let (how, length) = match base(word) {
            "nohup" if !asks_for_help(rest) => {
                let dashes = rest[1].as_deref() == Some("--");
                (Some(How::Nohup), 1 + usize::from(dashes))
            }
            "sudo" if sudo_b(rest) => {
                call.how = call.how.or(Some(How::Sudo));
                call.at += wrappers::length(rest).unwrap_or(1);
                continue;
            }
            "setsid" if !asks_for_help(rest) => setsid(rest),
            "daemonize" if !asks_for_help(rest) => {
                (Some(How::Daemon("daemonize")), options(rest, "acEeloupL"))
            }
            "daemon" if is_system(rest) && daemon(rest) => {
                (Some(How::Daemon("daemon")), options(rest, DAEMON_WITH_VALUE))
            }
            _ => match wrappers::length(rest) {
                Some(length) => {
                    call.at += length;
                    continue;
                }
                None => break,
            },
        };
        if how.is_some() && call.how.is_none() {
            call.how = how;
        }
        call.dropped.push(call.at..call.at + length);
        call.at += length;
    }
    match call.program() {
        "screen" if is_system(call.own()) => call.terminal = screen(call.own(), call.at),
        "tmux" if is_system(call.own()) => call.terminal = tmux(call.own(), call.at),
        "ssh" | "autossh" => {
            call.changed = ssh(call.own()).map(|(at, options)| (call.at + at, options));
        }
        "find" => {
            for at in executed(nodes, call.at) {
                let inner = resolve(nodes, at);
                call.how = call.how.or(inner.how);
                call.dropped.extend(inner.dropped);
            }
        }
        _ => {}
    }
    let how = match call.program() {
        "screen" if call.terminal.is_some() => Some(How::Screen),
        "tmux" if call.terminal.is_some() => Some(How::Tmux),
        "batch" if is_system(call.own()) && !has(call.own(), "--help") => Some(How::At),
        "at" if is_system(call.own()) && has(call.own(), "now") => Some(How::At),
        "ssh" | "autossh" if call.changed.is_some() => Some(How::Ssh),
        "start-stop-daemon" if start_stop_b(call.own()) => {
            Some(How::Daemon("start-stop-daemon -b"))
        }
        _ if call.is_ours() => {
            call.how = None;
            None
        }
        _ => None,
    };
    call.how = how.or(call.how);
    call
}

/// Where the commands begin that a `find` runs for what it finds.
pub fn executed(words: &[Node], find: usize) -> impl Iterator<Item = usize> {
    let runs = |at: &usize| matches!(raw(&words[*at]), "-exec" | "-execdir" | "-ok" | "-okdir");
    (find..words.len()).filter(runs).map(|at| at + 1).filter(|at| *at < words.len())
}

fn has(words: &[Option<String>], wanted: &str) -> bool {
    words.iter().any(|word| word.as_deref() == Some(wanted))
}

/// A name that many programs of people's own have, too.
fn is_system(words: &[Option<String>]) -> bool {
    let path = words.first().and_then(|word| word.as_deref()).unwrap_or_default();
    !path.contains('/') || path.starts_with("/usr/bin/") || path.starts_with("/bin/")
}

/// `sudo -b`: it goes to the background by itself.
fn sudo_b(words: &[Option<String>]) -> bool {
    let options =
        words[1..].iter().map_while(|word| word.as_deref().filter(|w| w.starts_with('-')));
    options.into_iter().any(|option| {
        option == "--background" || (!option.starts_with("--") && option.contains('b'))
    })
}

/// Letters of options of `daemon` whose value is the next word.
const DAEMON_WITH_VALUE: &str = "CDXPFnuRmeaLAMlboOE";

/// `daemon COMMAND`: neither asked about what runs, nor told to stay or to start it again and again.
fn daemon(words: &[Option<String>]) -> bool {
    let given = words[1..options(words, DAEMON_WITH_VALUE)].iter().flatten();
    let mut options = given.filter(|word| word.starts_with('-'));
    !asks_for_help(words)
        && options.all(|word| match word.strip_prefix("--") {
            Some(long) => long.is_empty() || long.contains('='),
            None => !word.contains(['f', 'r']),
        })
}

/// `start-stop-daemon -b`, and not for a test.
fn start_stop_b(words: &[Option<String>]) -> bool {
    let options = words[1..].iter().flatten().take_while(|word| *word != "--");
    let has = |letter: char, long: &str| {
        let mut options = options.clone();
        options.any(|word| {
            word == long
                || word.strip_prefix('-').is_some_and(|short| {
                    short
                        .split(|c| "xnpugsacrdNPIkOR".contains(c))
                        .next()
                        .is_some_and(|flags| !flags.starts_with('-') && flags.contains(letter))
                })
        })
    };
    has('b', "--background") && !has('t', "--test")
}

/// Of `ssh -f`, the word with that letter, and what is left of it. Options may also stand behind the
/// host. `ssh -f host sleep 10` ends by itself, once nothing uses its tunnel.
fn ssh(words: &[Option<String>]) -> Option<(usize, String)> {
    const WITH_VALUE: &str = "BbcDEeFIiJLlmOoPpQRSWw";
    let (mut at, mut has_host, mut found) = (1, false, None);
    while let Some(word) = words.get(at) {
        let Some(letters) = word.as_deref().and_then(|word| word.strip_prefix('-')) else {
            if has_host {
                break;
            }
            has_host = true;
            at += 1;
            continue;
        };
        let end = letters.find(|c| WITH_VALUE.contains(c));
        let (flags, value) = letters.split_at(end.unwrap_or(letters.len()));
        if flags.contains('f') {
            let left = flags.replace('f', "") + value;
            found = Some((at, if left.is_empty() { left } else { format!("-{left}") }));
        }
        at += 1 + usize::from(value.len() == 1);
    }
    let command = words.get(at).and_then(|word| word.as_deref()).unwrap_or_default();
    found.filter(|_| has_host && command != "sleep" && !command.starts_with("sleep "))
}

fn asks_for_help(words: &[Option<String>]) -> bool {
    let asked = ["--help", "--version", "-h", "-V"];
    words.len() < 2 || words[1].as_deref().is_some_and(|word| asked.contains(&word))
}

/// `setsid -w` waits for what it starts; what it starts may be ended with it.
fn setsid(words: &[Option<String>]) -> (Option<How>, usize) {
    let flags = words[1..].iter().map_while(|word| word.as_deref().filter(|w| w.starts_with('-')));
    let flags: Vec<&str> = flags.collect();
    let has = |letter: char, long: &str| {
        flags.iter().any(|flag| *flag == long || (!flag.starts_with("--") && flag.contains(letter)))
    };
    let waits = has('w', "--wait");
    ((!waits).then_some(How::Setsid), 1 + flags.len())
}

/// The length of a program's name with its options.
fn options(words: &[Option<String>], with_value: &str) -> usize {
    let mut at = 1;
    while let Some(word) = words.get(at).and_then(|word| word.as_deref()) {
        let Some(letters) = word.strip_prefix('-') else { break };
        at += 1 + usize::from(letters.len() == 1 && with_value.contains(letters));
    }
    at.min(words.len())
}

/// `screen -d -m`, `-dm`, `-dmS name`, `-Dm`.
fn screen(words: &[Option<String>], offset: usize) -> Option<Terminal> {
    let (mut at, mut detached, mut made) = (1, false, false);
    let mut terminal = Terminal::default();
    while let Some(letters) = words.get(at)?.as_deref().and_then(|word| word.strip_prefix('-')) {
        detached |= letters.contains(['d', 'D']);
        made |= letters.contains('m');
        at += 1;
        if letters.ends_with('S') {
            terminal.name.clone_from(words.get(at)?);
            at += 1;
        } else if letters.ends_with(['c', 'e', 'h', 'p', 's', 't', 'T', 'X']) {
            at += 1;
        }
        if at >= words.len() {
            break;
        }
    }
    terminal.command = offset + at.min(words.len())..offset + words.len();
    (detached && made).then_some(terminal)
}

/// `tmux new-session -d`, `tmux new -d`; `tmux new-window -d` with a command. A window that is shown, a
/// pane beside others, and keys that are sent are for somebody who looks at them.
fn tmux(words: &[Option<String>], offset: usize) -> Option<Terminal> {
    let sub = 1 + options_before(&words[1..], "LSfc");
    let name = words.get(sub)?.as_deref()?;
    let is = |short: &str, least: &str, long: &str| {
        name == short || (name.starts_with(least) && long.starts_with(name))
    };
    let window = is("neww", "new-w", "new-window");
    if !window && !is("new", "new-s", "new-session") {
        return None;
    }
    let end = words.iter().position(|word| word.as_deref() == Some(";")).unwrap_or(words.len());
    let (mut at, mut detached) = (sub + 1, false);
    let mut terminal = Terminal::default();
    while at < end
        && let Some(letters) = words[at].as_deref().and_then(|word| word.strip_prefix('-'))
    {
        detached |= letters.contains('d');
        at += 1;
        match letters.chars().last() {
            Some('n') if window => terminal.name.clone_from(words.get(at)?),
            Some('s') => terminal.name.clone_from(words.get(at)?),
            Some('c') => terminal.dir = Some(offset + at),
            Some('n' | 'x' | 'y' | 't' | 'e' | 'F') => {}
            _ => continue,
        }
        at += 1;
    }
    terminal.command = offset + at.min(end)..offset + end;
    (detached && !(window && terminal.command.is_empty())).then_some(terminal)
}

fn options_before(words: &[Option<String>], with_value: &str) -> usize {
    let mut at = 0;
    while let Some(letters) =
        words.get(at).and_then(|word| word.as_deref()).and_then(|word| word.strip_prefix('-'))
    {
        at += 1 + usize::from(letters.ends_with(|c| with_value.contains(c)));
    }
    at
}

/// Options of `kill` with which it ends nothing.
pub const ENDS_NOTHING: [&str; 10] =
    ["-0", "-l", "-L", "-STOP", "-CONT", "-USR1", "-USR2", "-WINCH", "-SIGSTOP", "-SIGCONT"];

/// Arguments that ask a program to end what runs.
const ENDS: [&str; 8] =
    ["stop", "--stop", "down", "shutdown", "--shutdown", "kill", "kill-port", "quit"];

/// Whether an argument asks a program, or a server by its address, to end what runs.
fn asks_to_end(program: &str, argument: &str) -> bool {
    match program {
        "docker" | "podman" if argument == "rm" => true,
        "ssh" if argument == "exit" => true, // `ssh -O exit`
        "curl" | "wget" | "http" => {
            let address = argument.trim_matches(['"', '\'']);
            ["/stop", "/shutdown", "/quit", "/exit"].iter().any(|end| address.ends_with(end))
        }
        _ => ENDS.contains(&argument),
    }
}

/// What a call says of the jobs of its shell.
pub fn events(call: &Resolved, words: &[Node]) -> Vec<Event> {
    let arguments: Vec<&str> = words.iter().skip(call.at + 1).map(raw).collect();
    if let Some(pid) = arguments.iter().find_map(|word| word.strip_prefix("--pid=")) {
        return over([pid].into_iter()); // `tail --pid=$pid`: until that is gone
    }
    if let Some(at) = arguments.iter().position(|word| *word == "--pid") {
        return over(arguments.get(at + 1).copied().into_iter());
    }
    match call.program() {
        "wait" => over(arguments.iter().copied().filter(|word| !word.starts_with('-'))),
        "kill" if arguments.iter().any(|word| ENDS_NOTHING.contains(word)) => Vec::new(),
        "kill" => {
            // A group is named by its leader's PID with a minus before it; a signal, too.
            let group = |word: &str| word.trim_start_matches(['"', '-']).starts_with('$');
            let signal = |word: &&str| word.starts_with('-') && !group(word);
            over(arguments.iter().copied().filter(|word| !signal(word)))
        }
        // Whom a pattern is about is not known before it runs.
        "fg" | "pkill" | "killall" => vec![Event::Over(Target::All)],
        "fuser" if arguments.iter().any(|word| word.starts_with("-k")) => {
            vec![Event::Over(Target::All)]
        }
        "" => Vec::new(),
        // `./server.sh stop`, `docker compose down`, `npx kill-port 80`
        name if !call.is_ours() && arguments.iter().any(|word| asks_to_end(name, word)) => {
            vec![Event::Called(name.to_owned()), Event::Over(Target::All)]
        }
        name => vec![Event::Called(name.to_owned())],
    }
}

fn over<'a>(arguments: impl Iterator<Item = &'a str>) -> Vec<Event> {
    let mut variables = Vec::new();
    let mut events = Vec::new();
    let mut any = false;
    for argument in arguments {
        any = true;
        match variable(argument) {
            Some("!") => events.push(Event::Over(Target::Last)),
            Some(name) => variables.push(name.to_owned()),
            // Somebody's PID, and not one of these.
            None if argument.len() > 1 && argument.bytes().all(|b| b.is_ascii_digit()) => {}
            None => return vec![Event::Over(Target::All)],
        }
    }
    if !any {
        return vec![Event::Over(Target::All)];
    }
    if !variables.is_empty() {
        events.push(Event::Over(Target::In(variables)));
    }
    events
}

/// What a loop that asks whether a process is there waits for: `while kill -0 $pid`.
pub fn polled(call: &Resolved, words: &[Node]) -> Vec<Event> {
    let asks = match call.program() {
        "pgrep" | "pidof" | "jobs" => return vec![Event::Over(Target::All)],
        "kill" => words.iter().any(|word| raw(word) == "-0"),
        "ps" => true,
        _ => false,
    };
    let arguments = words.iter().skip(call.at + 1).map(raw);
    let pids: Vec<&str> = arguments.filter(|word| variable(word).is_some()).collect();
    if asks && !pids.is_empty() { over(pids.into_iter()) } else { Vec::new() }
}

/// The variable that a word consists of: `$pid`, `"${pids[@]}"`, `-$pid`.
fn variable(word: &str) -> Option<&str> {
    let word = word.trim_matches('"').trim_start_matches('-').strip_prefix('$')?;
    let word = match word.strip_prefix('{') {
        Some(inner) => inner.strip_suffix('}')?,
        None => word,
    };
    let name = word.split('[').next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (name == "!" || (!name.is_empty() && name.chars().all(plain))).then_some(name)
}

/// The variable in which an assignment keeps the PID of the last background job.
pub fn keeps(word: &str) -> Option<Event> {
    let (name, value) = word.split_once('=')?;
    let name = name.trim_end_matches('+').split('[').next()?;
    value.contains("$!").then(|| Event::Kept(name.to_owned()))
}
