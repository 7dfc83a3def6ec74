//! What every thread of a tree waits for, as the kernel tells it: the facts for the stuck rule.
//!
//! Nothing is decided here, but the rule is asked after each thread whether it has its reason
//! already: what is not needed is not read. Whatever cannot be read stands in the snapshot as
//! hidden, which is a reason.
//!
//! To be taken by an ancestor of the tree: with Yama's `ptrace_scope` 1 nobody else may read
//! `/proc/PID/syscall`.

#[cfg(target_os = "linux")]
mod sockets;
#[cfg(target_os = "linux")]
mod holders;
#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod portable;

#[cfg(target_os = "linux")]
pub use linux::take;
#[cfg(not(target_os = "linux"))]
pub use portable::{peers, take};
#[cfg(target_os = "linux")]
pub use sockets::peers;

/// How much is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Until one reason is found why the tree may go on.
    OneReason,
    /// All of it, up to a bound, to be told to people.
    All,
}
