//! What is said of a job: the same facts for people and for programs.

use super::WatchError;
use super::config::Config;
use super::end::Note;
use super::observe::{Observation, Recorded, Subject, Writer};
use super::{pace, tail};
use crate::decide::circuit::{Gate, failures, gate};
use crate::decide::verdict::{Judgement, Verdict, Wrapper, judge};
use crate::os::dir::MonitorDir;
use crate::os::{claim, history};
use crate::protocol::circuit::CircuitPolicy;
use crate::protocol::evidence::{BUSY, Kind};
use crate::protocol::heartbeat::Heartbeat;
use crate::protocol::outcome::{Outcome, Word};
use crate::protocol::progress::Pace;
use crate::protocol::result::RunResult;
use crate::protocol::text;
use crate::protocol::time::{human, seconds};
use serde::Serialize;
use std::fmt::Write;
use std::time::{Duration, SystemTime};

/// In the text form values are cut, characters; the JSON form has all of them. A reader who pays by the
/// token and asks every nine minutes reads of an hour's job 1.5 KB at most until its success, and 4 KB
/// until its failure.
const PROGRESS: usize = 60;
/// The same: what a quiet job awaits.
const AWAITED: usize = 120;
/// The same: what the probes of a running job fail with.
const TROUBLE: usize = 80;
/// The same: why it ended.
const REASON: usize = 300;
/// The same: what was known of a tree that was ended.
const DIAGNOSIS: usize = 600;
/// The same: what the command left.
const OUTPUT: usize = 1000;
/// A whole report of a job that did not succeed, bytes: of the log, what there is room for.
const WHOLE: usize = 2560;
/// But so much of the log, bytes.
const LEAST_TAIL: usize = 1024;
/// The lines of a running job's log are counted up to this size, bytes.
const COUNTED_RUNNING: u64 = 16 << 20;

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
    /// How many lines it has; null for a large log of a job that still runs.
    pub lines: Option<u64>,
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
    /// How fast that goes, and when it should be over; null when the job does not run.
    pub pace: Option<Pace>,
    /// What a quiet job waits for.
    pub awaits: Option<String>,
    /// That it uses the CPU without any output; the text form alone has it.
    #[serde(skip)]
    pub busy: Option<String>,
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
        let mut report = Self::bare(subject, Verdict::Missing);
        report.reason = Some(format!("no such job in {}", subject.files.dir().display()));
        report
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
            pace: None,
            awaits: None,
            busy: None,
            quiet_s: None,
            elapsed_s: None,
            circuit: None,
            log: None,
            tail: Vec::new(),
            output: None,
        }
    }

    /// Of a run that is over, by its record alone, and without its output: for one line.
    #[must_use]
    pub fn of_record(subject: &Subject, mut result: RunResult) -> Self {
        result.output = None;
        let mut report = Self::bare(subject, Verdict::from(result.outcome));
        report.tell_result(&result);
        report
    }

    /// What one look finds now, for nothing but to be shown.
    ///
    /// # Errors
    /// As [`Subject::observe`].
    pub fn now(
        dir: &MonitorDir,
        subject: &mut Subject,
        config: &Config,
    ) -> Result<Self, WatchError> {
        let seen = subject.observe(dir, config)?;
        let judgement = judge(&seen.facts, &seen.limits);
        Ok(Self::of(dir, subject, &seen, &judgement, Note::default(), config))
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
        if config.whole {
            report.tell_circuit(dir, subject, seen);
        }
        let tail =
            if verdict == Verdict::Running && !config.tail_running { 0 } else { config.tail };
        if config.log {
            report.tell_log(dir, subject, if verdict == Verdict::Success { 0 } else { tail });
        }
        report.exit = verdict.exit(report.circuit.as_ref().is_some_and(|circuit| circuit.open));
        report
    }

    fn tell_record(&mut self, record: &Heartbeat, seen: &Observation, verdict: Verdict) {
        self.progress.clone_from(&record.progress);
        self.elapsed_s = seen.facts.age.map(|age| age.as_secs_f64());
        if verdict == Verdict::Running {
            // The record is as old as its beat. What moved at that look is not called quiet before
            // the next one is due.
            let since = seen.facts.silence.unwrap_or_default();
            self.pace = record.pace.as_ref().map(|pace| pace::later(pace, since));
            let since = since.as_secs_f64();
            let moving = record.quiet_s <= 0.0 && since <= record.interval_s * 1.5;
            let quiet = if moving { 0.0 } else { record.quiet_s + since };
            self.quiet_s = Some((quiet * 1000.0).round() / 1000.0);
            let detail = |kind: Kind| {
                let evidence = record.evidence.as_ref().filter(|_| record.stuck.is_none())?;
                (evidence.kind == kind.to_string()).then(|| evidence.detail.clone())
            };
            self.awaits = detail(Kind::Waiting);
            self.busy = detail(Kind::Activity).filter(|detail| detail.starts_with(BUSY));
            self.diagnosis.clone_from(&record.stuck);
            self.reason.clone_from(&record.trouble);
        }
    }

    fn tell_result(&mut self, result: &RunResult) {
        self.run_id = Some(result.run_id.clone());
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
                _ => self.reason.take(),
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
        // Counting reads the whole log. While the job runs, that may be asked for often.
        let countable = self.verdict != Verdict::Running || bytes <= COUNTED_RUNNING;
        let lines = if countable { tail::count_lines(&mut file) } else { None };
        self.log = Some(LogFile { path: path.display().to_string(), lines, bytes });
        if tail > 0 {
            self.tail = tail::read(file, bytes, tail);
        }
    }

    /// The first line: the verdict, the name, and what matters in words.
    #[must_use]
    pub fn headline(&self) -> String {
        let line = format!("{}  {}  {}", self.verdict, self.name, self.detail());
        text::one_line(&line).trim_end().to_owned()
    }

    /// What matters, in words.
    #[must_use]
    pub fn detail(&self) -> String {
        let elapsed = self.elapsed_s.and_then(seconds).map(human);
        let after = elapsed.as_ref().map(|elapsed| format!(" after {elapsed}")).unwrap_or_default();
        match (self.verdict, self.outcome) {
            (Verdict::Missing, _) => self.reason.clone().unwrap_or_default(),
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

    /// The last lines of the log that so many bytes have room for, at least one.
    fn newest(&self, room: usize) -> &[String] {
        let mut left = room;
        let fits = self.tail.iter().rev().take_while(|line| {
            let fits = line.len() + 5 <= left;
            left = left.saturating_sub(line.len() + 5);
            fits
        });
        let count = fits.count().max(1).min(self.tail.len());
        &self.tail[self.tail.len() - count..]
    }

    fn running(&self) -> String {
        let mut parts = Vec::new();
        let span = |s: Option<f64>| s.and_then(seconds);
        if let Some(elapsed) = span(self.elapsed_s) {
            parts.push(format!("for {}", human(elapsed)));
        }
        let short = |value: &String, most: usize| text::cut(&text::one_line(value), most);
        parts.extend(self.progress.as_ref().map(|progress| short(progress, PROGRESS)));
        if let (Some(pace), Some(text)) = (&self.pace, &self.progress) {
            parts.extend(pace::words(pace, text));
        }
        if let Some(quiet) = span(self.quiet_s).filter(|quiet| *quiet >= Duration::from_secs(1)) {
            parts.push(format!("quiet for {}", human(quiet)));
        }
        parts.extend(self.busy.clone());
        parts.extend(self.awaits.as_ref().map(|awaits| short(awaits, AWAITED)));
        parts.extend(self.diagnosis.as_ref().map(|_| "stuck".to_owned()));
        parts.join(", ")
    }

    /// The report for readers who pay by the token.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.headline();
        let mut add = |label: &str, value: &str, most: usize| {
            let value = text::cut(&text::one_line(value), most);
            let _ = write!(text, "\n{label}: {value}");
        };
        if self.verdict == Verdict::Success {
            if let Some(reason) = self.reason.as_ref().filter(|reason| *reason != "exit code 0") {
                add("reason", reason.trim_start_matches("exit code 0; "), REASON);
            }
            if let Some(output) = &self.output {
                add("output", &output.to_string(), OUTPUT);
            }
            return text;
        }
        if self.verdict == Verdict::Missing {
            return text; // the headline is all there is
        }
        // The headline has said these.
        let said = [
            self.exit_code.map(|code| format!("exit code {code}")),
            self.signal.as_ref().map(|signal| format!("killed by {signal}")),
        ];
        if let Some(reason) = self.reason.as_ref().filter(|r| !said.contains(&Some((*r).clone()))) {
            let runs = self.verdict == Verdict::Running;
            add("reason", reason, if runs { TROUBLE } else { REASON });
        }
        if let Some(diagnosis) = &self.diagnosis {
            add("diagnosis", diagnosis, DIAGNOSIS);
        }
        if let Some(circuit) = self.circuit.as_ref().filter(|circuit| circuit.open) {
            let key = &circuit.key;
            add(
                "circuit",
                &format!(
                    "{key} is open after {} failures in a row: stop retrying",
                    circuit.failures
                ),
                REASON,
            );
        }
        if self.verdict == Verdict::Running && self.tail.is_empty() {
            return text;
        }
        if let Some(output) = &self.output {
            add("output", &output.to_string(), OUTPUT);
        }
        if let Some(log) = &self.log {
            let lines = match log.lines {
                None => String::new(),
                Some(1) => " (1 line)".to_owned(),
                Some(lines) => format!(" ({lines} lines)"),
            };
            add("log", &format!("{}{lines}", log.path), usize::MAX);
        }
        for line in self.newest(WHOLE.saturating_sub(text.len()).max(LEAST_TAIL)) {
            text += "\n    ";
            text += line;
        }
        text
    }
}
