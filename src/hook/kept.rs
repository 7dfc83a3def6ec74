//! Whether a kill by pattern is aimed at a kept process: `pkill`, `killall`, and what `pgrep` or `pidof`
//! find for a `kill`.

use crate::decide::shell::Call;
use crate::keep::home::Home;
use crate::keep::{adoption, ledger, look};
use crate::os::process;
use crate::os::tree;
use crate::protocol::name::JobName;
use crate::protocol::registry::Registry;
use regex_lite::{Regex, RegexBuilder};

/// What a kill matches, by the man pages of `pkill(1)` and `killall(1)`.
#[derive(Debug)]
pub struct Aim {
    pattern: Regex,
    /// The whole command line is matched, not the name.
    full: bool,
}

/// The kernel keeps so many bytes of a name.
const COMM: usize = 15;

/// A word that is only known when it runs; no command line has it.
const UNKNOWN: &str = "\0";

/// What a call aims at; empty if that cannot be told before it runs, or cannot be a kept process.
#[must_use]
pub fn aims(call: &Call) -> Vec<Aim> {
    let words: Vec<String> =
        call.words.iter().map(|word| word.clone().unwrap_or(UNKNOWN.into())).collect();
    match call.program() {
        "pkill" | "pgrep" => pkill(&words).into_iter().collect(),
        "killall" | "pidof" => killall(&words),
        _ => Vec::new(),
    }
}

fn pkill(words: &[String]) -> Option<Aim> {
    // Options with a value; whom a parent, a terminal, a file or a namespace picks is not looked up.
    let (values, narrows) = ("gGPstuUFrO", "gPstF");
    let (mut full, mut exact, mut any_case, mut pattern) = (false, false, false, None);
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        match word.strip_prefix('-').filter(|rest| !rest.is_empty()) {
            None => pattern = pattern.or(Some(word)),
            Some("-full") => full = true,
            Some("-exact") => exact = true,
            Some("-ignore-case") => any_case = true,
            Some("-signal") => {
                if words.next().is_some_and(|signal| ends_nobody(signal)) {
                    return None;
                }
            }
            Some(long) if long.starts_with('-') => {
                if long.starts_with("-parent") || long.starts_with("-inverse") {
                    return None;
                }
            }
            // -9, -TERM, -SIGUSR1
            Some(signal) if signal.starts_with(|c: char| c.is_ascii_digit()) => {
                if ends_nobody(signal) {
                    return None;
                }
            }
            Some(signal) if signal.len() > 1 && is_name(signal) => {
                if ends_nobody(signal) {
                    return None;
                }
            }
            Some(letters) => {
                full |= letters.contains('f');
                exact |= letters.contains('x');
                any_case |= letters.contains('i');
                if letters.contains('v') || letters.contains(|c| narrows.contains(c)) {
                    return None;
                }
                if letters.ends_with(|c| values.contains(c)) {
                    words.next();
                }
            }
        }
    }
    let pattern = pattern.filter(|pattern| *pattern != UNKNOWN)?;
    let pattern = if exact { format!("^(?:{pattern})$") } else { pattern.clone() };
    let pattern = RegexBuilder::new(&pattern).case_insensitive(any_case).build().ok()?;
    Some(Aim { pattern, full })
}

fn is_name(signal: &str) -> bool {
    signal.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

/// Signals that are sent to have something reloaded, shown or looked for.
fn ends_nobody(signal: &str) -> bool {
    let name = signal.strip_prefix("SIG").unwrap_or(signal);
    ["0", "HUP", "1", "USR1", "10", "USR2", "12", "WINCH", "28", "CONT", "18"].contains(&name)
}

fn killall(words: &[String]) -> Vec<Aim> {
    let (mut by_pattern, mut any_case, mut names) = (false, false, Vec::new());
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        match word.strip_prefix('-').filter(|rest| !rest.is_empty()) {
            None if word == UNKNOWN => {}
            None => names.push(word),
            Some("-regexp" | "r") => by_pattern = true,
            Some("-ignore-case" | "I") => any_case = true,
            Some("s" | "u" | "o" | "y" | "n" | "Z" | "-signal" | "-user") => drop(words.next()),
            Some("l" | "-list") => return Vec::new(),
            Some(signal) if ends_nobody(signal) => return Vec::new(),
            Some(_) => {}
        }
    }
    let pattern = |name: &String| {
        let text = if by_pattern {
            name.clone()
        } else {
            let name = crate::protocol::clip(name.rsplit('/').next().unwrap_or(name), COMM);
            format!("^{}$", regex_lite::escape(name.trim_end_matches('…')))
        };
        RegexBuilder::new(&text).case_insensitive(any_case).build().ok()
    };
    names.into_iter().filter_map(pattern).map(|pattern| Aim { pattern, full: false }).collect()
}

impl Aim {
    /// Whether it matches a process of this name and command line.
    #[must_use]
    pub fn hits(&self, comm: &str, command_line: &str) -> bool {
        self.pattern.is_match(if self.full { command_line } else { comm })
    }
}

/// The kept processes of which these calls would hit a part.
#[must_use]
pub fn hit(home: &Home, registry: &Registry, calls: &[Call]) -> Vec<JobName> {
    let aims: Vec<Aim> = calls.iter().flat_map(aims).collect();
    if aims.is_empty() {
        return Vec::new();
    }
    let is_hit = |pid: i32| {
        let comm = process::stat(pid).map(|stat| stat.comm).unwrap_or_default();
        let line = process::command_line(pid).join(" ");
        aims.iter().any(|aim| aim.hits(&comm, &line))
    };
    let names = registry.processes().map(|(name, _)| name);
    names.filter(|name| processes(home, name).into_iter().any(is_hit)).cloned().collect()
}

/// The processes of a kept process that runs.
fn processes(home: &Home, name: &JobName) -> Vec<i32> {
    if !look::is_held(home, name) {
        return Vec::new();
    }
    let wrapper = look::heartbeat(home, name).map(|record| record.pid);
    let adopted = ledger::read(home, name).ok().and_then(|ledger| ledger.adopted);
    let adopted = adopted.filter(adoption::lives).map(|adopted| adopted.pid);
    let roots = wrapper.into_iter().chain(adopted);
    roots
        .flat_map(|root| {
            let below = tree::descendants(root, &[]).into_iter().map(|stat| stat.pid);
            below.chain([root]).collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kill_matches() {
        let line = "python3 /srv/bot.py --live";
        for (command, expected) in [
            ("pkill -f bot.py", true),
            ("pkill -9 -f bot", true),
            ("pkill -KILL -f bot", true),
            ("pkill -SIGUSR1 python", false),
            ("pkill --signal HUP python", false),
            ("killall -HUP python3", false),
            ("pkill --signal TERM python3", true),
            ("pkill -xf 'python3 .*--live'", true),
            ("pkill -x python", false),
            ("pkill python", true),
            ("pkill -i PYTHON", true),
            ("pkill bot", false),
            ("pkill -u www python", true),
            ("pkill -P 12 python", false),
            ("pkill -0 python", false),
            ("pkill -f 'worker|bot'", true),
            ("pkill '['", false),
            ("killall python3", true),
            ("killall -9 python3", true),
            ("killall -s TERM python3", true),
            ("killall /usr/bin/python3", true),
            ("killall python", false),
            ("killall -r 'pyth.*'", true),
            ("killall node python3", true),
            ("pgrep -f bot.py", true),
            ("pidof python3", true),
            ("kill 12", false),
        ] {
            let words = shell_words::split(command).unwrap().into_iter().map(Some).collect();
            let hits = aims(&Call { words }).iter().any(|aim| aim.hits("python3", line));
            assert_eq!(hits, expected, "{command}");
        }
    }
}
