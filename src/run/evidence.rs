//! What justifies a beat. Evidence comes from here and from nowhere else.

use super::log::Log;
use crate::os::process::{self, Stat, Work};
use crate::os::tree;
use crate::protocol::evidence::{BeatOn, Evidence, Kind};
use crate::protocol::time::human;
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

/// Cheapest first: nothing below the first one found is looked for.
const ORDER: [Kind; 5] = [Kind::App, Kind::Output, Kind::Alive, Kind::Activity, Kind::Waiting];

/// The looks at one run.
#[derive(Debug)]
pub struct Looks {
    beat_on: BeatOn,
    /// What the command said of itself since the last look.
    app: Option<String>,
    work: BTreeMap<(i32, u64), Work>,
    /// Last time anything moved.
    moved: Instant,
}

impl Looks {
    /// The beginning, before there is anything to compare with: whatever the first look finds has
    /// come since.
    #[must_use]
    pub fn begin(beat_on: &BeatOn, now: Instant) -> Self {
        Self { beat_on: beat_on.clone(), app: None, work: BTreeMap::new(), moved: now }
    }

    /// The command gave a sign of its own.
    pub fn app(&mut self, what: &str) {
        self.app = Some(what.to_owned());
    }

    /// Time since the last output or activity.
    #[must_use]
    pub fn quiet(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.moved)
    }

    /// Looks for evidence; `None`: a beat is not deserved. The tree is asked for only if it is
    /// needed.
    pub fn look(
        &mut self,
        log: &mut Log,
        tree: impl Fn() -> Vec<Stat>,
        now: Instant,
    ) -> Option<Evidence> {
        // Both are asked every time: what came in before does not count at the next look.
        let app = self.app.take();
        let output = log.look();
        if app.is_some() || output.is_some() {
            self.moved = now;
        }
        let seen = std::cell::OnceCell::new();
        let tree = || seen.get_or_init(&tree).as_slice();
        let counting = ORDER.map(|kind| self.beat_on.counts(kind).then_some(kind));
        let (kind, detail) = counting.into_iter().flatten().find_map(|kind| {
            let detail = match kind {
                Kind::App => app.clone(),
                Kind::Output => output.clone(),
                Kind::Alive => Some("the command exists".to_owned()),
                Kind::Activity => self.activity(tree(), now),
                Kind::Waiting => Some(self.waiting(tree(), now)),
            };
            detail.map(|detail| (kind, detail))
        })?;
        Some(Evidence { kind: kind.to_string(), detail, at: SystemTime::now() })
    }

    fn activity(&mut self, tree: &[Stat], now: Instant) -> Option<String> {
        let before = std::mem::replace(&mut self.work, measure(tree));
        let name = |pid: i32| {
            let comm = tree.iter().find(|stat| stat.pid == pid).map_or("?", |stat| &stat.comm);
            format!("{comm}[{pid}]")
        };
        let moved = self.work.iter().find_map(|(id, work)| match before.get(id) {
            Some(old) if old == work => None,
            Some(old) if work.run_ns > old.run_ns => {
                let cpu = Duration::from_nanos(work.run_ns - old.run_ns).as_secs_f64() * 1e3;
                Some(format!("{} used {cpu:.1} ms of CPU", name(id.0)))
            }
            Some(_) => Some(format!("{} did I/O or was switched to", name(id.0))),
            None => Some(format!("{} came", name(id.0))),
        });
        let gone = before.keys().find(|id| !self.work.contains_key(id));
        let seen = moved.or_else(|| gone.map(|(pid, _)| format!("process {pid} went")));
        if seen.is_some() {
            self.moved = now;
        }
        seen
    }

    /// Quiet, and taken to wait for something that can still come. Here the stuck rule will judge.
    fn waiting(&self, tree: &[Stat], now: Instant) -> String {
        let quiet = human(self.quiet(now));
        let leaf = tree.iter().rev().find(|stat| stat.state != 'T').or(tree.last());
        match leaf {
            Some(stat) => format!("quiet for {quiet}: {}", tree::describe(stat)),
            None => format!("quiet for {quiet}"),
        }
    }
}

fn measure(tree: &[Stat]) -> BTreeMap<(i32, u64), Work> {
    tree.iter().map(|stat| ((stat.pid, stat.start), process::work(stat))).collect()
}
