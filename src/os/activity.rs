//! What a tree does: the work of its processes, from one look to the next.

use super::process::{self, Stat, Work};
use crate::protocol::evidence::BUSY;
use crate::protocol::time::human;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// From so much of a core on, a tree without output is called busy.
const BUSY_SHARE: f64 = 0.5;

/// The work of a tree, as it was measured last.
#[derive(Debug)]
pub struct Activity {
    work: BTreeMap<(i32, u64), Work>,
    measured: Instant,
}

impl Activity {
    /// The beginning, before there is anything to compare with: every process has come since.
    #[must_use]
    pub fn begin(now: Instant) -> Self {
        Self { work: BTreeMap::new(), measured: now }
    }

    /// When it was measured last.
    #[must_use]
    pub fn measured(&self) -> Instant {
        self.measured
    }

    /// What the tree has done since it was last asked, in words; it is called busy if `output`, the
    /// time of its last one, has passed.
    pub fn look(&mut self, tree: &[Stat], output: Instant, now: Instant) -> Option<String> {
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
        let silence = now.saturating_duration_since(output);
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
}

fn measure(tree: &[Stat]) -> BTreeMap<(i32, u64), Work> {
    tree.iter().map(|stat| ((stat.pid, stat.start), process::work(stat))).collect()
}
