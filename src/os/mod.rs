//! The world as small verbs: files, locks, clocks, processes, signals.
//!
//! Nothing here decides. Linux and portable POSIX stand side by side behind the same names; where
//! a platform cannot know something it says "unknown", and unknown is never taken for dead.

pub mod say;
pub mod out;
pub mod clock;
pub mod bell;
pub mod patience;
pub mod dir;
pub mod lock;
pub mod disk;
pub mod trial;
pub mod process;
pub mod volume;
pub mod tree;
pub mod activity;
pub mod holdings;
pub mod snapshot;
pub mod diagnosis;
pub mod orphans;
pub mod orphan;
pub mod signals;
pub mod spawn;
pub mod helper;
pub mod bounded;
pub mod ask;
pub mod reap;
pub mod status;
pub mod cgroup;
pub mod oom;
pub mod notify_socket;
pub mod history;
pub mod claim;
pub mod usage;
pub mod settle;
pub mod detach;
pub mod fence;
