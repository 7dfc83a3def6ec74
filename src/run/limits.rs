//! `--max-memory` and `--max-cpu`: over the whole tree, in two looks a second apart.
//!
//! Memory is PSS, which counts what is shared once: the sum over a tree that forks is then what the
//! machine really gives it, where RSS would count the same page for each process.

use crate::os::clock::ticks_per_second;
use crate::os::process::{self, Stat};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::time::{Duration, Instant};

/// Time between two looks.
pub const LOOK: Duration = Duration::from_secs(1);

/// What a tree may use.
#[derive(Debug)]
pub struct TreeLimits {
    memory: Option<u64>,
    cpu: Option<f64>,
    last_cpu: Option<(Instant, f64)>,
    exceeded_before: bool,
}

impl TreeLimits {
    /// The limits, if there is one.
    #[must_use]
    pub fn new(memory: Option<u64>, cpu: Option<f64>) -> Option<Self> {
        let any = memory.is_some() || cpu.is_some();
        any.then_some(Self { memory, cpu, last_cpu: None, exceeded_before: false })
    }

    /// Which limit the tree is above, now and at the last look.
    pub fn look(&mut self, tree: &[Stat], now: Instant) -> Option<String> {
        let excess = self.memory_excess(tree).or(self.cpu_excess(tree, now));
        let before = std::mem::replace(&mut self.exceeded_before, excess.is_some());
        excess.filter(|_| before)
    }

    fn memory_excess(&self, tree: &[Stat]) -> Option<String> {
        let limit = self.memory?;
        let used: u64 = tree.iter().map(|stat| process::memory(stat.pid)).sum();
        (used > limit).then(|| {
            format!("--max-memory: the tree used {} MiB of {} MiB (PSS)", used >> 20, limit >> 20)
        })
    }

    fn cpu_excess(&mut self, tree: &[Stat], now: Instant) -> Option<String> {
        let limit = self.cpu?;
        // The living with the children they waited for, and the orphans that we did: what dies
        // moves from one sum into the other.
        let living: u64 = tree.iter().map(|stat| stat.cpu_ticks).sum();
        #[expect(clippy::cast_precision_loss, reason = "seconds of CPU, far below 2^52 ticks")]
        let total = living as f64 / ticks_per_second() as f64 + cpu_of_reaped();
        let (then, before) = self.last_cpu.replace((now, total))?;
        let seconds = now.saturating_duration_since(then).as_secs_f64();
        let percent = (total - before) / seconds.max(0.001) * 100.0;
        (percent > limit).then(|| {
            format!("--max-cpu: the tree used {percent:.0} % of a core, more than {limit:.0} %")
        })
    }
}

/// CPU seconds of all that this process has reaped.
#[must_use]
pub fn cpu_of_reaped() -> f64 {
    getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0.0, |usage| {
        let microseconds =
            usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Duration::from_micros(microseconds.unsigned_abs()).as_secs_f64()
    })
}

/// The largest resident set of any process this process has reaped, bytes.
#[must_use]
pub fn max_rss_of_reaped() -> Option<u64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?;
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    u64::try_from(usage.max_rss()).ok().map(|rss| rss * unit)
}
