//! What justifies a beat. Evidence comes from here and from nowhere else.

use super::log::Log;
use crate::os::process::{self, Stat, Work};
use crate::os::tree;
use crate::protocol::evidence::{BeatOn, Evidence, Kind};
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
        // These are asked every time: what came in before does not count at the next look.
        let app = self.app.take();
        let output = log.look();
        let seen = std::cell::OnceCell::new();
        let tree = || seen.get_or_init(&tree).as_slice();
        // Nothing is measured while there is output. Whether it counts or not, activity tells a
        // quiet job from one that works.
        let moved = app.is_some() || output.is_some();
        let activity = if moved { None } else { self.activity(tree()) };
        if moved || activity.is_some() {
            self.moved = now;
        }
        let counting = ORDER.map(|kind| self.beat_on.counts(kind).then_some(kind));
        let (kind, detail) = counting.into_iter().flatten().find_map(|kind| {
            let detail = match kind {
                Kind::App => app.clone(),
                Kind::Output => output.clone(),
                Kind::Alive => Some("the command exists".to_owned()),
                Kind::Activity if moved => self.activity(tree()),
                Kind::Activity => activity.clone(),
                Kind::Waiting => Some(waiting(tree())),
            };
            detail.map(|detail| (kind, detail))
        })?;
        Some(Evidence { kind: kind.to_string(), detail, at: SystemTime::now() })
    }

    fn activity(&mut self, tree: &[Stat]) -> Option<String> {
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
        moved.or_else(|| gone.map(|(pid, _)| format!("process {pid} went")))
    }
}

/// What a quiet tree is taken to wait for. Here the stuck rule will judge.
fn waiting(tree: &[Stat]) -> String {
    let leaf = tree.iter().rev().find(|stat| stat.state != 'T').or(tree.last());
    leaf.map_or_else(|| "nothing of it can be seen".to_owned(), tree::describe)
}

fn measure(tree: &[Stat]) -> BTreeMap<(i32, u64), Work> {
    tree.iter().map(|stat| ((stat.pid, stat.start), process::work(stat))).collect()
}
