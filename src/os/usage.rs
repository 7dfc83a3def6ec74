//! What a running job uses: memory and CPU of its tree, the wrapper left out.

use super::claim;
use super::clock::ticks_per_second;
use super::process::{self, Stat};
use super::tree;
use crate::protocol::evidence::Kind;
use crate::protocol::heartbeat::Heartbeat;

/// What a tree uses, at one look.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Bytes: PSS, where a page that several share counts once.
    pub memory: u64,
    /// CPU seconds of its processes, and of the children they waited for.
    pub cpu_s: f64,
    /// CPU seconds of the dead whose parent is the wrapper: the tree's orphans, and the commands of
    /// the probes.
    pub dead_cpu_s: f64,
    /// How many processes it has.
    pub processes: usize,
}

/// Looks at the tree of a run; `None` if it has ended, or is of another machine or PID namespace, or
/// the platform does not tell.
#[must_use]
pub fn usage(record: &Heartbeat) -> Option<Usage> {
    if cfg!(not(target_os = "linux")) {
        return None;
    }
    let mut wrapper = claim::live_wrapper(record)?;
    let mut used = Usage::default();
    // Whom it waits for meanwhile would be counted twice, or not at all.
    for _ in 0..5 {
        used = sum(&tree::with_the_dead(&wrapper, &probes(&wrapper, record)));
        used.dead_cpu_s = seconds(wrapper.waited_ticks);
        // It may have ended, and what was below it is not its tree any more.
        let before = std::mem::replace(&mut wrapper, claim::live_wrapper(record)?);
        if before.waited_ticks == wrapper.waited_ticks {
            break;
        }
    }
    Some(used)
}

/// Looks at a process and all below it; `None` if it has ended, or the platform does not tell.
#[must_use]
pub fn of_tree(pid: i32, start: u64) -> Option<Usage> {
    let root = process::find(pid, start).filter(|_| cfg!(target_os = "linux"))?;
    let mut tree = tree::with_the_dead(&root, &[]);
    tree.push(process::find(pid, start)?);
    Some(sum(&tree))
}

fn sum(tree: &[Stat]) -> Usage {
    let living = tree.iter().filter(|stat| stat.lives());
    Usage {
        memory: living.clone().map(|stat| process::memory(stat.pid)).sum(),
        cpu_s: seconds(tree.iter().map(|stat| stat.cpu_ticks).sum()),
        dead_cpu_s: 0.0,
        processes: living.count(),
    }
}

/// The commands of its probes, and of `--on-stop`: children of the wrapper, and none of the job's.
fn probes(wrapper: &Stat, record: &Heartbeat) -> Vec<i32> {
    let kinds = [Kind::Progress.to_string(), Kind::Health.to_string(), "stop".to_owned()];
    let marks = kinds.map(|kind| format!("SENTINEL_PROBE={kind}"));
    let is_probe = |pid: &i32| marks.iter().any(|mark| process::has_in_environment(*pid, mark));
    let others =
        process::children(wrapper).into_iter().filter(|pid| Some(*pid) != record.child_pid);
    others.filter(is_probe).collect()
}

#[expect(clippy::cast_precision_loss, reason = "no tree uses 2^52 ticks")]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / ticks_per_second().max(1) as f64
}
