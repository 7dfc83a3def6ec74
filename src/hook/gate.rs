//! Before a shell command: whether it may run, and what to run instead.

use super::event::Answer;
use super::rules::Ruled;
use crate::decide::shell::{Call, Offence, Reading, read, read_background};
use crate::protocol::name::JobName;

/// What is done about a command that leaves work behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It does not run.
    #[default]
    Deny,
    /// The user is asked.
    Ask,
    /// It runs, with a word.
    Warn,
}

/// What has to be looked up to judge a command.
pub struct Facts<'a> {
    /// The kept processes of which these calls would hit a part.
    pub kept: &'a dyn Fn(&[Call]) -> Vec<JobName>,
    /// What the user's rules say of these commands.
    pub rules: &'a dyn Fn(&[String]) -> Option<Ruled>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Judged {
    /// What the host is told; none: the command runs.
    pub answer: Option<Answer>,
    /// Why it could not be judged.
    pub note: Option<String>,
    /// What it would do.
    pub reading: Reading,
}

/// Judges a command.
#[must_use]
pub fn judge(command: &str, background: bool, mode: Mode, facts: &Facts<'_>) -> Judged {
    let read = if background { read_background(command) } else { read(command) };
    let reading = match read {
        Ok(reading) => reading,
        Err(error) => {
            let note = format!("the command is let through unread: {error}");
            return Judged { note: Some(note), ..Judged::default() };
        }
    };
    let mut answer = (facts.rules)(&reading.inner).map(|ruled| match ruled {
        Ruled::Deny(why) => Answer::Deny(format!("A rule of the user's denies it: {why}")),
        Ruled::Ask(why) => Answer::Ask(format!("A rule of the user's asks first: {why}")),
    });
    // Whoever may watch could run anything by it.
    let kills_by_command = |call: &Call| {
        call.program() == "sentinel-watch"
            && call.words.iter().flatten().any(|word| word.starts_with("--kill-cmd"))
    };
    if answer.is_none() && reading.ours.iter().any(kills_by_command) {
        answer = Some(Answer::Ask("sentinel-watch --kill-cmd runs a command.".to_owned()));
    }
    if !reading.allowed && !matches!(answer, Some(Answer::Deny(_))) {
        let hit = if reading.kills.is_empty() { Vec::new() } else { (facts.kept)(&reading.kills) };
        if let Some(words) = words(&reading, &hit) {
            answer = Some(match mode {
                Mode::Deny => Answer::Deny(words),
                Mode::Ask => Answer::Ask(words),
                Mode::Warn => answer.unwrap_or(Answer::Warn(words)),
            });
        }
    }
    Judged { answer, note: None, reading }
}

/// A command line that is longer than this is not written out again, bytes.
const LONG: usize = 2000;

/// What is wrong with it and what to do, for a reader who pays by the token; `None`: nothing.
fn words(reading: &Reading, hit: &[JobName]) -> Option<String> {
    const ON_PURPOSE: &str = "(If the user wants it so: add the comment `# sentinel: allow`.)";
    let names: Vec<&str> = hit.iter().map(JobName::as_str).collect();
    let names = names.join(" ");
    // Whether what is killed is what is started anew.
    let is_about = |offence: &Offence| {
        let words = reading.kills.iter().flat_map(|call| &call.words[1..]).flatten();
        words.filter(|word| !word.starts_with('-')).any(|word| offence.text.contains(word.as_str()))
    };
    if !hit.is_empty() && !reading.offences.iter().any(is_about) {
        return Some(format!(
            "Sentinel keeps {names} alive: killed by a pattern it is restarted, and an alert raised. In place of the kill run:\n\nsentinel-keep stop {names}\n\n(`restart` instead of `stop` to have it start anew.) {ON_PURPOSE}"
        ));
    }
    let offence = reading.offences.first()?;
    if !hit.is_empty() {
        return Some(format!(
            "Sentinel keeps {names} alive: a second one would run beside it. In place of both run:\n\nsentinel-keep restart {names}\n\n{ON_PURPOSE}"
        ));
    }
    let what = format!(
        "{} would leave work behind that dies with this session or that nobody is told the end of: {}",
        offence.how, offence.text
    );
    let short = reading.instead.as_ref().filter(|instead| instead.len() <= LONG);
    let is_named = short.is_some() && !reading.jobs.is_empty();
    let jobs = if is_named { reading.jobs.join(" ") } else { "NAME".to_owned() };
    let instead = match short {
        Some(instead) => format!("Run this instead:\n\n{instead}\n\n"),
        None => "Start it as a job instead:\n\nsentinel-run --detach NAME -- COMMAND [ARG]...\n\n"
            .into(),
    };
    Some(format!(
        "{what}\n{instead}Its output is in its log. Then wait in the foreground, again as long as the exit status is 5:\n\nsentinel-watch --max-wait 100s {jobs}\n\nA bot or server that has to stay: sentinel-keep register NAME -- COMMAND, then sentinel-keep start NAME. {ON_PURPOSE}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(command: &str, background: bool, mode: Mode) -> Judged {
        let kept = |calls: &[Call]| {
            let bot = calls.iter().any(|call| call.words.contains(&Some("bot.py".into())));
            if bot { vec!["bot".parse().unwrap()] } else { Vec::new() }
        };
        let rules = |inner: &[String]| {
            let about = |text: &str| inner.iter().any(|command| command.starts_with(text));
            match () {
                () if about("rm ") => Some(Ruled::Deny("rm".into())),
                () if about("git push") => Some(Ruled::Ask("push".into())),
                () => None,
            }
        };
        judge(command, background, mode, &Facts { kept: &kept, rules: &rules })
    }

    #[test]
    fn what_is_answered() {
        use Mode::{Ask, Deny, Warn};
        for (command, background, mode, expected, word) in [
            ("ls", false, Deny, "none", ""),
            ("x &", false, Deny, "deny", "sentinel-run --detach x -- x"),
            ("x &", false, Ask, "ask", "sentinel-run --detach x -- x"),
            ("x &", false, Warn, "warn", "sentinel-run --detach x -- x"),
            ("x & # sentinel: allow", false, Deny, "none", ""),
            ("npm run dev", true, Deny, "deny", "sentinel-run --detach npm-dev -- npm run dev"),
            (
                "cd a && npm start",
                true,
                Deny,
                "deny",
                "sentinel-run --detach -C a npm-start -- npm start",
            ),
            ("make; make install", true, Deny, "deny", "bash -c 'make; make install'"),
            ("sentinel-watch build", true, Deny, "none", ""),
            ("sleep 5; sentinel-watch build", true, Deny, "none", ""),
            ("make # sentinel: allow", true, Deny, "none", ""),
            ("pkill -f bot.py", false, Deny, "deny", "sentinel-keep stop bot"),
            ("pkill -f other", false, Deny, "none", ""),
            (
                "pkill -f bot.py; nohup python3 bot.py &",
                false,
                Deny,
                "deny",
                "sentinel-keep restart bot",
            ),
            ("pkill -f bot.py; ./other &", false, Deny, "deny", "sentinel-keep stop bot"),
            ("pkill -u $USER -f bot.py", false, Deny, "deny", "sentinel-keep stop bot"),
            ("sentinel-run x -- ./rm y", false, Deny, "none", ""),
            ("kill $(pgrep -f bot.py)", false, Deny, "deny", "sentinel-keep stop bot"),
            ("pgrep -f bot.py | xargs kill -9", false, Deny, "deny", "sentinel-keep stop bot"),
            ("pgrep -f bot.py", false, Deny, "none", ""),
            ("sentinel-run x -- rm -rf y", false, Deny, "deny", "rm"),
            ("sentinel-run x -- rm -rf y # sentinel: allow", false, Warn, "deny", "rm"),
            ("sentinel-run x -- bash -c 'make && rm -rf y'", false, Deny, "deny", "rm"),
            ("sentinel-run x -- timeout 5 rm y", false, Deny, "deny", "rm"),
            ("sentinel-keep register x 'rm y; true'", false, Deny, "deny", "rm"),
            ("sentinel-watch --kill-cmd 'rm -rf y' x", false, Deny, "deny", "rm"),
            ("sentinel-watch --kill-cmd 'scancel 3' x", false, Deny, "ask", "--kill-cmd"),
            ("sentinel-run --preflight='rm y' x -- make", false, Deny, "deny", "rm"),
            ("sentinel-keep --registry r.json register x 'rm -rf y'", false, Deny, "deny", "rm"),
            (
                "sentinel-keep register --grace 3s x \"cd $D && rm -rf y\"",
                false,
                Deny,
                "deny",
                "rm",
            ),
            ("sentinel-keep register x make --note 'rm y'", false, Deny, "none", ""),
            ("sentinel-keep register x 'rm y' 480", false, Deny, "deny", "rm"),
            ("sentinel-run a -- sentinel-run b -- rm -rf z", false, Deny, "deny", "rm"),
            ("sentinel-run x -- 'rm' y", false, Deny, "deny", "rm"),
            ("sentinel-run x -- /bin/rm y", false, Deny, "deny", "rm"),
            ("sentinel-run x --preflight=\"rm $Y\" -- make", false, Deny, "deny", "rm"),
            ("sentinel-run x -- find . -exec rm {} +", false, Deny, "deny", "rm"),
            ("sentinel-run x -- bash <<< 'rm y'", false, Deny, "deny", "rm"),
            ("P=$(pgrep -f bot.py); kill $P", false, Deny, "deny", "sentinel-keep stop bot"),
            ("pgrep -f bot.py; ./t & P=$!; kill $P", false, Deny, "none", ""),
            (
                "ps aux | grep bot.py | awk '{print $2}' | xargs kill",
                false,
                Deny,
                "deny",
                "stop bot",
            ),
            (
                "nohup ./x > log 2>&1 & echo $!",
                true,
                Deny,
                "deny",
                "sentinel-run --detach x -- ./x",
            ),
            ("sentinel-run x -- git push", false, Deny, "ask", "push"),
            ("rm -rf y", false, Deny, "none", ""), // the host's own to judge
            ("echo 'unterminated &", false, Deny, "none", ""),
        ] {
            let judged = judged(command, background, mode);
            let (got, text) = match &judged.answer {
                None => ("none", ""),
                Some(Answer::Deny(text)) => ("deny", text.as_str()),
                Some(Answer::Ask(text)) => ("ask", text.as_str()),
                Some(Answer::Warn(text)) => ("warn", text.as_str()),
                Some(_) => ("other", ""),
            };
            assert!(got == expected && text.contains(word), "{command}: {got} {text}");
            assert!(text.len() < 1000, "{command}: {} bytes", text.len());
        }
        assert!(judged("echo 'unterminated &", false, Mode::Deny).note.is_some());
    }
}
