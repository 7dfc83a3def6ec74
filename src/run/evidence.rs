//! What justifies a beat. Evidence comes from here and from nowhere else.

use super::log::Log;
use crate::decide::prompt::prompt;
use crate::decide::stuck::{Judgement, Rank, Reason, Snapshot, judge};
use crate::os::process::{self, Stat, Work};
use crate::os::say::say;
use crate::os::snapshot::{self, Depth};
use crate::protocol::evidence::{BUSY, BeatOn, Evidence, Kind};
use crate::protocol::time::human;
use std::collections::{BTreeMap, HashMap};
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

/// Time between the two looks that a stuck tree takes: one alone can catch a thread between two
/// waits.
pub const AGAIN: Duration = Duration::from_millis(300);

/// From so much of a core on, a tree without output is called busy.
const BUSY_SHARE: f64 = 0.5;

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
    work: BTreeMap<(i32, u64), Work>,
    /// When the work was measured.
    measured: Instant,
    /// Last time anything moved.
    moved: Instant,
    /// Last time there was output.
    output: Instant,
    waiting: Waiting,
    /// It was said that this tree cannot be seen.
    hidden_said: bool,
}

/// What is known of the waits of a tree in which nothing has moved since.
#[derive(Debug)]
enum Waiting {
    /// It was not looked at since something moved.
    Unknown,
    /// It may go on, and why.
    Free(Reason),
    /// One look found no reason. It is the second that counts.
    Suspect(Snapshot),
    /// Two looks found the same waits, and no reason in either.
    Stuck {
        /// The look that proved it.
        look: Snapshot,
        /// When everybody outside was asked last.
        asked: Instant,
        /// What waits for what.
        diagnosis: String,
    },
}

/// For so long it stands that nobody outside has an end of what a stuck tree waits for: hardly
/// anybody can have come by one, for none of the tree can have given it away.
const ASKED: Duration = Duration::from_secs(20);

/// What one look found.
#[derive(Debug)]
pub struct Found {
    /// What justifies a beat; `None`: none is deserved.
    pub evidence: Option<Evidence>,
    /// It is not known yet whether one is: look again after [`AGAIN`].
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
            work: BTreeMap::new(),
            measured: now,
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
        match &self.waiting {
            Waiting::Stuck { diagnosis, .. } => Some(diagnosis),
            _ => None,
        }
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
        let begins = !moved && self.measured < self.output;
        let activity = if moved { None } else { self.activity(tree(), now) };
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
                Kind::Activity if moved => self.activity(tree(), now),
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
        Found { evidence, again: begins || matches!(self.waiting, Waiting::Suspect(_)) }
    }

    /// What the tree has done since it was last asked, in words.
    fn activity(&mut self, tree: &[Stat], now: Instant) -> Option<String> {
        let after = std::mem::replace(&mut self.measured, now);
        let lasted = now.saturating_duration_since(after).as_secs_f64().max(0.001);
        let before = std::mem::replace(&mut self.work, measure(tree));
        let name = |pid: i32| {
            let comm = tree.iter().find(|stat| stat.pid == pid).map_or("?", |stat| &stat.comm);
            format!("{comm}[{pid}]")
        };
        let since = |id: &(i32, u64), count: fn(&Work) -> u64| {
            let old = before.get(id).map_or(0, count);
            let new = self.work.get(id).map_or(0, count);
            Duration::from_nanos(new.saturating_sub(old)).as_secs_f64()
        };
        let used = |id: &(i32, u64)| since(id, |work| work.run_ns);
        // On a crowded machine who is busy waits for a CPU most of the time.
        let wanted = |id: &(i32, u64)| since(id, |work| work.run_ns + work.waited_ns);
        // Whoever used most of the CPU tells most.
        let most = self
            .work
            .iter()
            .filter(|(id, work)| before.get(id) != Some(work))
            .max_by(|one, other| used(one.0).total_cmp(&used(other.0)));
        let Some((id, _)) = most else {
            let gone = before.keys().find(|id| !self.work.contains_key(id));
            return gone.map(|(pid, _)| format!("process {pid} went"));
        };
        let silence = now.saturating_duration_since(self.output);
        let share = self.work.keys().map(wanted).sum::<f64>() / lasted;
        Some(if before.contains_key(id) && share >= BUSY_SHARE && silence > Duration::ZERO {
            format!(
                "{BUSY}, no output for {} ({} at {:.0} % of a core)",
                human(Duration::from_secs(silence.as_secs().max(1))),
                name(id.0),
                used(id) / lasted * 100.0
            )
        } else if !before.contains_key(id) {
            format!("{} came", name(id.0))
        } else {
            format!("{} used {:.1} ms of CPU", name(id.0), used(id) * 1e3)
        })
    }

    /// What a tree in which nothing moves waits for; `None`: nothing can wake it, or that is not
    /// certain yet.
    fn wait(&mut self, tree: &[Stat], log: &Log, decisive: bool, now: Instant) -> Option<String> {
        if let Waiting::Free(reason) = &self.waiting
            && reason.lasting
        {
            // No thread has run since, so each is in the same wait still.
            return Some(in_words(reason, log));
        }
        let before = match &self.waiting {
            Waiting::Stuck { look, asked, .. } if !decisive && now < *asked + ASKED => Some(look),
            _ => None,
        };
        let asked = before.is_none();
        let look = snapshot::take(tree, self.terminal_passed, Depth::OneReason, before);
        let judgement = judge(&look);
        self.waiting = match (judgement, std::mem::replace(&mut self.waiting, Waiting::Unknown)) {
            (Judgement::Free(reason), _) => Waiting::Free(reason),
            (Judgement::Stuck { .. }, Waiting::Stuck { look: before, asked: then, diagnosis })
                if before.processes == look.processes =>
            {
                Waiting::Stuck { look, asked: if asked { now } else { then }, diagnosis }
            }
            (Judgement::Stuck { diagnosis, input }, Waiting::Suspect(before))
                if before.processes == look.processes =>
            {
                let prompt = if input { prompt(&log.tail()) } else { None };
                let diagnosis = match prompt {
                    Some(prompt) => format!("{diagnosis}; it asks: {prompt}"),
                    None => diagnosis,
                };
                Waiting::Stuck { look, asked: now, diagnosis }
            }
            (Judgement::Stuck { .. }, _) => Waiting::Suspect(look),
        };
        let Waiting::Free(reason) = &self.waiting else { return None };
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

fn measure(tree: &[Stat]) -> BTreeMap<(i32, u64), Work> {
    tree.iter().map(|stat| ((stat.pid, stat.start), process::work(stat))).collect()
}
