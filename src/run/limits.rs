//! `--max-memory` and `--max-cpu`: over the whole tree, in two looks a second apart, or by the
//! kernel.
//!
//! Memory is PSS, which counts what is shared once: the sum over a tree that forks is then what the
//! machine really gives it, where RSS would count the same page for each process.
//!
//! Where the run has a cgroup with the memory controller, the kernel holds the limit (`memory.max`)
//! and ends the tree. What a cgroup uses is not looked at: that counts the page cache, which the
//! kernel takes back before it ends anything, so only the kernel knows when there is too much.

use crate::os::cgroup::Cgroup;
use crate::os::clock::ticks_per_second;
use crate::os::process::{self, Stat};
use crate::os::reap::Reaped;
use std::time::{Duration, Instant};

/// Time between two looks.
pub const LOOK: Duration = Duration::from_secs(1);

/// What a tree may use.
#[derive(Debug)]
pub struct TreeLimits {
    memory: Option<u64>,
    cpu: Option<f64>,
    last_cpu: Option<Cpu>,
    exceeded_before: bool,
}

/// CPU seconds at one look.
#[derive(Clone, Copy, Debug)]
struct Cpu {
    at: Instant,
    seconds: f64,
    /// Which sum it is: only what was counted alike can be compared.
    by_cgroup: bool,
}

impl TreeLimits {
    /// The limits, if there is one.
    #[must_use]
    pub fn new(memory: Option<u64>, cpu: Option<f64>) -> Option<Self> {
        let any = memory.is_some() || cpu.is_some();
        any.then_some(Self { memory, cpu, last_cpu: None, exceeded_before: false })
    }

    /// Which limit the tree is above, now and at the last look; or that the kernel says so.
    pub fn look(
        &mut self,
        tree: &[Stat],
        cgroup: Option<&Cgroup>,
        dead: &Used,
        now: Instant,
    ) -> Option<String> {
        if let Some(reason) = self.ended_by_the_kernel(cgroup) {
            return Some(reason);
        }
        // What left the cgroup is of the tree all the same: then only the processes tell the sum.
        let cgroup = cgroup.filter(|cgroup| tree.iter().all(|stat| cgroup.holds(stat.pid)));
        let excess = self.memory_excess(tree, cgroup).or(self.cpu_excess(tree, cgroup, dead, now));
        let before = std::mem::replace(&mut self.exceeded_before, excess.is_some());
        excess.filter(|_| before)
    }

    /// The reason, if the tree came to the limit that the kernel holds.
    #[must_use]
    pub fn ended_by_the_kernel(&self, cgroup: Option<&Cgroup>) -> Option<String> {
        let limit = self.memory?;
        cgroup?
            .was_out_of_memory()
            .then(|| format!("--max-memory: the kernel ended it at {} MiB (cgroup)", limit >> 20))
    }

    fn memory_excess(&self, tree: &[Stat], cgroup: Option<&Cgroup>) -> Option<String> {
        let limit = self.memory?;
        if cgroup.is_some_and(Cgroup::limits_memory) {
            return None;
        }
        let used: u64 = tree.iter().map(|stat| process::memory(stat.pid)).sum();
        (used > limit).then(|| {
            format!("--max-memory: the tree used {} MiB of {} MiB (PSS)", used >> 20, limit >> 20)
        })
    }

    fn cpu_excess(
        &mut self,
        tree: &[Stat],
        cgroup: Option<&Cgroup>,
        dead: &Used,
        now: Instant,
    ) -> Option<String> {
        let limit = self.cpu?;
        let counted = cgroup.and_then(Cgroup::cpu);
        let by_cgroup = counted.is_some();
        let seconds = counted.unwrap_or_else(|| cpu_of(tree) + dead.cpu).as_secs_f64();
        let before = self.last_cpu.replace(Cpu { at: now, seconds, by_cgroup })?;
        if before.by_cgroup != by_cgroup {
            return None;
        }
        let lasted = now.saturating_duration_since(before.at).as_secs_f64();
        let percent = (seconds - before.seconds) / lasted.max(0.001) * 100.0;
        let by = if by_cgroup { " (cgroup)" } else { "" };
        (percent > limit).then(|| {
            format!("--max-cpu: the tree used {percent:.0} % of a core, more than {limit:.0} %{by}")
        })
    }
}

/// CPU time of the living, with the children they waited for. What dies moves from this sum into
/// that of the dead, the orphans that we reaped.
fn cpu_of(tree: &[Stat]) -> Duration {
    let living: u64 = tree.iter().map(|stat| stat.cpu_ticks).sum();
    let per_second = u64::try_from(ticks_per_second()).unwrap_or(100).max(1);
    Duration::from_millis(living.saturating_mul(1000) / per_second)
}

/// What those of the tree have used that are dead and reaped.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// CPU time.
    pub cpu: Duration,
    /// The largest resident set of any of them, bytes.
    pub max_rss: u64,
}

impl Used {
    /// One more of them.
    pub fn add(&mut self, reaped: &Reaped) {
        self.cpu += reaped.cpu;
        self.max_rss = self.max_rss.max(reaped.max_rss);
    }
}
