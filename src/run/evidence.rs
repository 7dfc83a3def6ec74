//! What justifies a beat. Evidence comes from here and from nowhere else.

use super::log::Log;
use crate::decide::prompt::prompt;
use crate::decide::stuck::{Rank, Reason, Waiting};
use crate::os::activity::Activity;
use crate::os::process::Stat;
use crate::os::say::say;
use crate::os::snapshot::{self, Depth};
use crate::protocol::evidence::{BeatOn, Evidence, Kind};
use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

/// Cheapest first: nothing below the first one found is looked for.
const ORDER: [Kind; 7] = [
    Kind::App,
    Kind::Progress,
    Kind::Health,
    Kind::Output,
    Kind::Alive,
    Kind::Activity,
    Kind::Waiting,
];

/// The looks at one run.
#[derive(Debug)]
pub struct Looks {
    beat_on: BeatOn,
    /// The command was given the caller's terminal.
    terminal_passed: bool,
    /// What the command said of itself since the last look.
    app: Option<String>,
    /// What probes found since the last look.
    probed: HashMap<Kind, String>,
    activity: Activity,
    /// Last time anything moved.
    moved: Instant,
    /// Last time there was output.
    output: Instant,
    waiting: Waiting,
    /// It was said that this tree cannot be seen.
    hidden_said: bool,
}

/// What one look found.
#[derive(Debug)]
pub struct Found {
    /// What justifies a beat; `None`: none is deserved.
    pub evidence: Option<Evidence>,
    /// It is not known yet whether one is: look again after [`AGAIN`](crate::decide::stuck::AGAIN).
    pub again: bool,
}

impl Looks {
    /// The beginning, before there is anything to compare with: whatever the first look finds has
    /// come since.
    #[must_use]
    pub fn begin(beat_on: &BeatOn, terminal_passed: bool, now: Instant) -> Self {
        Self {
            beat_on: beat_on.clone(),
            terminal_passed,
            app: None,
            probed: HashMap::new(),
            activity: Activity::begin(now),
            moved: now,
            output: now,
            waiting: Waiting::Unknown,
            hidden_said: false,
        }
    }

    /// The command gave a sign of its own.
    pub fn app(&mut self, what: &str) {
        self.app = Some(what.to_owned());
    }

    /// A probe found evidence.
    pub fn probed(&mut self, kind: Kind, detail: String) {
        self.probed.insert(kind, detail);
    }

    /// Time since the last output or activity.
    #[must_use]
    pub fn quiet(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.moved)
    }

    /// Why the tree can never go on, if that was found.
    #[must_use]
    pub fn stuck(&self) -> Option<&str> {
        self.waiting.stuck()
    }

    /// Looks for evidence. The tree is asked for only if it is needed; `decisive`: the run will be
    /// ended if nothing is found, so nothing is taken from earlier looks.
    pub fn look(
        &mut self,
        log: &mut Log,
        tree: impl Fn() -> Vec<Stat>,
        decisive: bool,
        now: Instant,
    ) -> Found {
        // These are asked every time: what came in before does not count at the next look.
        let app = self.app.take();
        let mut probed = std::mem::take(&mut self.probed);
        let output = log.look();
        if output.is_some() {
            self.output = now;
        }
        let seen = std::cell::OnceCell::new();
        let tree = || seen.get_or_init(&tree).as_slice();
        // Nothing is measured while there is output. Whether it counts or not, activity tells a
        // quiet job from one that works, and a stuck one from one that is between two waits.
        let moved = app.is_some() || output.is_some();
        // What was measured before there was output tells nothing of the time since: the first look
        // without output only begins to measure.
        let begins = !moved && self.activity.measured() < self.output;
        let activity = if moved { None } else { self.activity.look(tree(), self.output, now) };
        let activity = activity.filter(|_| !begins);
        let waiting = if begins {
            None
        } else if moved || activity.is_some() {
            self.moved = now;
            self.waiting = Waiting::Unknown;
            None
        } else {
            self.wait(tree(), log, decisive, now)
        };
        let counting = ORDER.map(|kind| self.beat_on.counts(kind).then_some(kind));
        let found = counting.into_iter().flatten().find_map(|kind| {
            let detail = match kind {
                Kind::App => app.clone(),
                Kind::Progress | Kind::Health => probed.remove(&kind),
                Kind::Output => output.clone(),
                Kind::Alive => Some("the command exists".to_owned()),
                Kind::Activity if moved => self.activity.look(tree(), self.output, now),
                Kind::Activity => activity.clone(),
                Kind::Waiting => waiting.clone(),
            };
            detail.map(|detail| (kind, detail))
        });
        let evidence = found.map(|(kind, detail)| Evidence {
            kind: kind.to_string(),
            detail,
            at: SystemTime::now(),
        });
        Found { evidence, again: begins || self.waiting.is_open() }
    }

    /// What a tree in which nothing moves waits for; `None`: nothing can wake it, or that is not
    /// certain yet.
    fn wait(&mut self, tree: &[Stat], log: &Log, decisive: bool, now: Instant) -> Option<String> {
        if let Some(reason) = self.waiting.lasting() {
            return Some(in_words(reason, log));
        }
        let before = self.waiting.before(now).filter(|_| !decisive);
        let asked = before.is_none();
        let look = snapshot::take(tree, self.terminal_passed, Depth::OneReason, before);
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting = waiting.seen(look, asked, || prompt(&log.tail()), now);
        let reason = self.waiting.reason()?;
        let counts = self.beat_on.counts(Kind::Waiting);
        if counts && reason.rank == Rank::Hidden && !std::mem::replace(&mut self.hidden_said, true)
        {
            say(format!("sentinel-run: warning: {reason}; so this job is never called stuck"));
        }
        Some(in_words(reason, log))
    }
}

/// What is awaited; with the prompt, if it is input.
fn in_words(reason: &Reason, log: &Log) -> String {
    match reason.input.then(|| prompt(&log.tail())).flatten() {
        Some(prompt) => format!("{}: waits for input: {prompt}", reason.who),
        None => reason.to_string(),
    }
}
