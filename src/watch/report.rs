//! What is said of a job: the same facts for people and for programs.

use super::config::Config;
use super::end::Note;
use super::observe::{Observation, Recorded, Subject, Writer};
use crate::decide::circuit::{Gate, failures, gate};
use crate::decide::verdict::{Judgement, Verdict, Wrapper};
use crate::os::dir::MonitorDir;
use crate::os::{claim, history};
use crate::protocol::circuit::CircuitPolicy;
use crate::protocol::heartbeat::Heartbeat;
use crate::protocol::outcome::{Outcome, Word};
use crate::protocol::result::RunResult;
use crate::protocol::time::{human, seconds};
use serde::Serialize;
use std::fmt::Write;
use std::io::{Read, Seek, SeekFrom};
use std::time::{Duration, SystemTime};

/// So much of a log's tail is shown at the most, bytes.
const TAIL_BYTES: usize = 2048;
/// A line of the tail is cut here, characters.
const TAIL_LINE: usize = 240;
/// So much of a log is read for its tail.
const TAIL_READ: u64 = 64 * 1024;

/// The circuit, now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Circuit {
    /// No run should be started.
    pub open: bool,
    /// Failures in a row.
    pub failures: usize,
    /// Whose.
    pub key: String,
}

/// The log, now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogFile {
    /// Where.
    pub path: String,
    /// How many lines it has.
    pub lines: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// One job's report; unknown is null. The JSON of `--json` is this.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// Its exit code.
    pub exit: u8,
    /// The job.
    pub name: String,
    /// The run.
    pub run_id: Option<String>,
    /// The recorded outcome.
    pub outcome: Option<Outcome>,
    /// The command's exit code, if it exited.
    pub exit_code: Option<i32>,
    /// The signal it died of.
    pub signal: Option<String>,
    /// Why, in one line.
    pub reason: Option<String>,
    /// What was known of the tree.
    pub diagnosis: Option<String>,
    /// What the command said of its progress.
    pub progress: Option<String>,
    /// What a quiet job waits for.
    pub awaits: Option<String>,
    /// Seconds since its last output or activity.
    pub quiet_s: Option<f64>,
    /// Seconds since its start, or that it took.
    pub elapsed_s: Option<f64>,
    /// The circuit.
    pub circuit: Option<Circuit>,
    /// The log.
    pub log: Option<LogFile>,
    /// Its last lines, made safe to print.
    pub tail: Vec<String>,
    /// What the command left as JSON.
    pub output: Option<serde_json::Value>,
}

impl Report {
    /// No such job.
    #[must_use]
    pub fn missing(subject: &Subject) -> Self {
        Self::bare(subject, Verdict::Missing)
    }

    fn bare(subject: &Subject, verdict: Verdict) -> Self {
        Self {
            verdict,
            exit: verdict.exit(false),
            name: subject.name.to_string(),
            run_id: None,
            outcome: None,
            exit_code: None,
            signal: None,
            reason: None,
            diagnosis: None,
            progress: None,
            awaits: None,
            quiet_s: None,
            elapsed_s: None,
            circuit: None,
            log: None,
            tail: Vec::new(),
            output: None,
        }
    }

    /// What the last look comes to.
    #[must_use]
    pub fn of(
        dir: &MonitorDir,
        subject: &Subject,
        seen: &Observation,
        judgement: &Judgement,
        note: Note,
        config: &Config,
    ) -> Self {
        let verdict = match judgement {
            Judgement::Missing => return Self::missing(subject),
            Judgement::Ended(outcome) => Verdict::from(*outcome),
            Judgement::Lost(_) => Verdict::Failed,
            Judgement::Hung(_) => Verdict::Hung,
            Judgement::Overdue(_) => Verdict::Timeout,
            Judgement::Running => Verdict::Running,
        };
        let mut report = Self { run_id: seen.run_id.clone(), ..Self::bare(subject, verdict) };
        if let Writer::Ours(record) = &seen.writer {
            report.tell_record(record, seen, verdict);
        }
        match &seen.recorded {
            Some(Recorded::Result(result)) => report.tell_result(result),
            Some(Recorded::Past(run)) => {
                report.outcome = Some(run.outcome);
                report.exit_code = run.exit_code;
                report.signal.clone_from(&run.signal);
                report.reason = Some(format!("{} (another run has the name now)", run.reason));
                report.elapsed_s = Some(run.duration_s);
            }
            Some(Recorded::Word(word, output)) => {
                report.outcome =
                    Some(if *word == Word::Success { Outcome::Success } else { Outcome::Failed });
                report.output.clone_from(output);
                report.reason = match word {
                    Word::Success => None,
                    Word::Failed => Some("its .status says FAILED".to_owned()),
                    Word::Other(word) => Some(format!(
                        "its .status says {word:?}, which is neither SUCCESS nor FAILED"
                    )),
                };
            }
            None => report.tell_judgement(seen, judgement),
        }
        if let Some(note) = note.0 {
            report.reason = Some(match report.reason.take() {
                Some(reason) => format!("{reason}; {note}"),
                None => note,
            });
        }
        report.tell_circuit(dir, subject, seen);
        let tail =
            if verdict == Verdict::Running && !config.tail_running { 0 } else { config.tail };
        report.tell_log(dir, subject, if verdict == Verdict::Success { 0 } else { tail });
        report.exit = verdict.exit(report.circuit.as_ref().is_some_and(|circuit| circuit.open));
        report
    }

    fn tell_record(&mut self, record: &Heartbeat, seen: &Observation, verdict: Verdict) {
        self.progress.clone_from(&record.progress);
        self.elapsed_s = seen.facts.age.map(|age| age.as_secs_f64());
        if verdict == Verdict::Running {
            // The record is as old as its beat.
            let since = seen.facts.silence.unwrap_or_default().as_secs_f64();
            self.quiet_s = Some(((record.quiet_s + since) * 1000.0).round() / 1000.0);
            self.awaits = record
                .evidence
                .as_ref()
                .filter(|evidence| evidence.kind == "waiting")
                .map(|evidence| evidence.detail.clone());
            self.diagnosis.clone_from(&record.stuck);
        }
    }

    fn tell_result(&mut self, result: &RunResult) {
        self.outcome = Some(result.outcome);
        self.exit_code = result.exit_code;
        self.signal.clone_from(&result.signal);
        self.reason = Some(result.reason.clone());
        self.diagnosis.clone_from(&result.diagnosis);
        self.elapsed_s = Some(result.duration_s);
        self.output.clone_from(&result.output);
    }

    /// Nothing is recorded: because it runs, or because nobody was to end it.
    fn tell_judgement(&mut self, seen: &Observation, judgement: &Judgement) {
        self.reason = match judgement {
            Judgement::Lost(why) => {
                self.outcome = Some(Outcome::Lost);
                Some(why.clone())
            }
            Judgement::Hung(silence) => Some(format!("no beat for {}", human(*silence))),
            Judgement::Overdue(age) => Some(format!("running for {}", human(*age))),
            _ => match &seen.facts.wrapper {
                Wrapper::Elsewhere(place) => Some(format!("it runs as {place}")),
                _ => None,
            },
        };
        if self.elapsed_s.is_none() {
            self.elapsed_s = seen.facts.age.map(|age| age.as_secs_f64());
        }
    }

    fn tell_circuit(&mut self, dir: &MonitorDir, subject: &Subject, seen: &Observation) {
        let recorded = match &seen.recorded {
            Some(Recorded::Result(result)) => Some(result.circuit.clone()),
            _ => None,
        };
        let policy = recorded
            .or_else(|| match &seen.writer {
                Writer::Ours(record) => record.circuit.clone(),
                Writer::Other(_) => None,
            })
            .unwrap_or_else(|| CircuitPolicy::of(subject.name.as_str()));
        let key = claim::key_of(&policy.key, &subject.files);
        let history = history::read(dir, &subject.files.history(&key)).unwrap_or_default();
        let failures = failures(history.newest_first());
        self.circuit = Some(Circuit {
            open: gate(&failures, &policy, SystemTime::now()) == Gate::Open,
            failures: failures.len(),
            key: policy.key,
        });
    }

    fn tell_log(&mut self, dir: &MonitorDir, subject: &Subject, tail: usize) {
        let path = subject.files.log();
        let mut how = std::fs::OpenOptions::new();
        let Ok(Some(mut file)) = dir.open_file(&path, how.read(true)) else { return };
        let bytes = file.metadata().map_or(0, |meta| meta.len());
        // Counting lines reads the whole log: only for a verdict, and once.
        let lines = if self.verdict == Verdict::Running { None } else { count_lines(&mut file) };
        self.log =
            Some(LogFile { path: path.display().to_string(), lines: lines.unwrap_or(0), bytes });
        if tail > 0 {
            let start = bytes.saturating_sub(TAIL_READ);
            let mut end = Vec::new();
            let read = file
                .seek(SeekFrom::Start(start))
                .and_then(|_| file.take(TAIL_READ).read_to_end(&mut end));
            if read.is_ok() {
                self.tail = last_lines(&end, tail);
            }
        }
    }

    /// The first line: the verdict, the name, and what matters in words.
    #[must_use]
    pub fn headline(&self) -> String {
        format!("{}  {}  {}", self.verdict, self.name, self.detail()).trim_end().to_owned()
    }

    /// What matters, in words.
    #[must_use]
    pub fn detail(&self) -> String {
        let elapsed = self.elapsed_s.and_then(seconds).map(human);
        let after = elapsed.as_ref().map(|elapsed| format!(" after {elapsed}")).unwrap_or_default();
        match (self.verdict, self.outcome) {
            (Verdict::Missing, _) => "no such job".to_owned(),
            (Verdict::Running, _) => self.running(),
            (_, Some(Outcome::Failed)) => match (self.exit_code, &self.signal) {
                (Some(code), _) => format!("exit code {code}{after}"),
                (None, Some(signal)) => format!("killed by {signal}{after}"),
                (None, None) => after.trim_start().to_owned(),
            },
            (_, Some(Outcome::Lost)) => format!("lost{after}"),
            (_, Some(Outcome::Stopped)) => format!("stopped{after}"),
            _ => after.trim_start().to_owned(),
        }
    }

    fn running(&self) -> String {
        let mut parts = Vec::new();
        let span = |s: Option<f64>| s.and_then(seconds);
        if let Some(elapsed) = span(self.elapsed_s) {
            parts.push(format!("for {}", human(elapsed)));
        }
        parts.extend(self.progress.clone());
        if let Some(quiet) = span(self.quiet_s).filter(|quiet| *quiet >= Duration::from_secs(1)) {
            parts.push(format!("quiet for {}", human(quiet)));
        }
        if let Some(awaits) = &self.awaits {
            parts.push(awaits.rsplit(": ").next().unwrap_or_default().to_owned());
        }
        parts.join(", ")
    }

    /// The report for readers who pay by the token.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.headline();
        let mut add = |label: &str, value: &str| {
            let _ = write!(text, "\n{label}: {}", one_line(value));
        };
        if self.verdict == Verdict::Success {
            if let Some(output) = &self.output {
                add("output", &output.to_string());
            }
            return text;
        }
        // The headline has said these.
        let said = [
            self.exit_code.map(|code| format!("exit code {code}")),
            self.signal.as_ref().map(|signal| format!("killed by {signal}")),
        ];
        if let Some(reason) = self.reason.as_ref().filter(|r| !said.contains(&Some((*r).clone()))) {
            add("reason", reason);
        }
        if let Some(diagnosis) = &self.diagnosis {
            add("diagnosis", diagnosis);
        }
        if self.verdict != Verdict::Missing
            && let Some(circuit) = self.circuit.as_ref().filter(|circuit| circuit.open)
        {
            let key = &circuit.key;
            add(
                "circuit",
                &format!(
                    "{key} is open after {} failures in a row: stop retrying",
                    circuit.failures
                ),
            );
        }
        if self.verdict == Verdict::Running && self.tail.is_empty() {
            return text;
        }
        if let Some(log) = &self.log {
            add("log", &format!("{} ({} lines)", log.path, log.lines));
        }
        if let Some(output) = &self.output {
            add("output", &output.to_string());
        }
        for line in &self.tail {
            text += "\n    ";
            text += line;
        }
        text
    }
}

fn one_line(text: &str) -> String {
    clean(text.as_bytes()).replace('\n', " ")
}

fn count_lines(file: &mut std::fs::File) -> Option<u64> {
    let mut buffer = vec![0; 256 * 1024];
    let mut lines = 0;
    let mut last = b'\n';
    loop {
        let read = file.read(&mut buffer).ok()?;
        if read == 0 {
            return Some(lines + u64::from(last != b'\n'));
        }
        let chunk = &buffer[..read];
        #[expect(clippy::naive_bytecount, reason = "the compiler makes vector code of it")]
        let newlines = chunk.iter().filter(|b| **b == b'\n').count();
        lines += newlines as u64;
        last = chunk[read - 1];
    }
}

/// The last `count` lines of a log, at most [`TAIL_BYTES`] in all, without anything that could move
/// a cursor.
#[must_use]
pub fn last_lines(bytes: &[u8], count: usize) -> Vec<String> {
    let text = clean(bytes);
    let mut room = TAIL_BYTES;
    let mut lines = Vec::new();
    for line in text.trim_end_matches('\n').rsplit('\n').take(count) {
        let mut line: String = line.trim_end().to_owned();
        if let Some((at, _)) = line.char_indices().nth(TAIL_LINE) {
            line.truncate(at);
            line.push('…');
        }
        // With its indent and its newline.
        let Some(left) = room.checked_sub(line.len() + 5) else { break };
        room = left;
        lines.push(line);
    }
    lines.reverse();
    if lines == [String::new()] { Vec::new() } else { lines }
}

/// Text as a terminal would leave it: escape sequences and control bytes gone, of a line that was
/// repainted with carriage returns only the last state, invalid UTF-8 replaced.
fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut lines: Vec<String> = Vec::new();
    for line in text.split('\n') {
        let line = line.trim_end_matches('\r');
        let last = line.rsplit('\r').next().unwrap_or_default();
        lines.push(without_escapes(last));
    }
    lines.join("\n")
}

fn without_escapes(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\t' => out.push(' '),
            // ECMA-48: CSI ends with a byte from @ to ~; OSC and its like with BEL or ESC \.
            '\u{1b}' => match chars.next() {
                Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                Some(']' | 'P' | 'X' | '^' | '_') => {
                    while let Some(c) = chars.next() {
                        if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                            break;
                        }
                    }
                }
                Some('(' | ')' | '#' | '%') => {
                    chars.next();
                }
                _ => {}
            },
            '\u{9b}' => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
            // Controls, and what turns the direction of text around.
            c if c.is_control()
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_would_leave() {
        let table: [(&[u8], &str); 7] = [
            (b"\x1b[31mred\x1b[0m", "red"),
            (b"10%\r50%\r100%", "100%"),
            (b"dos\r\nline", "dos\nline"),
            (b"\x1b]0;title\x07x\x1b]8;;u\x1b\\y", "xy"),
            (b"a\x08\x00b\x7f", "ab"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            (b"a\tb", "a b"),
        ];
        for (bytes, expected) in table {
            assert_eq!(clean(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn the_tail_is_bounded() {
        assert_eq!(last_lines(b"a\nb\nc\n", 2), ["b", "c"]);
        assert_eq!(last_lines(b"", 5), Vec::<String>::new());
        let long = "x".repeat(9000);
        assert_eq!(last_lines(long.as_bytes(), 5)[0].chars().count(), TAIL_LINE + 1);
    }

    proptest! {
        #[test]
        fn a_tail_never_exceeds_its_room_nor_moves_a_cursor(
            bytes in prop::collection::vec(any::<u8>(), 0..5000), count in 0_usize..100,
        ) {
            let lines = last_lines(&bytes, count);
            let total: usize = lines.iter().map(|line| line.len() + 5).sum();
            prop_assert!(total <= TAIL_BYTES && lines.len() <= count);
            prop_assert!(lines.iter().all(|line| !line.chars().any(char::is_control)));
        }
    }
}
