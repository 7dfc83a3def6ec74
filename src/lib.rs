//! Sentinel: one command wrapped so that its files always tell the truth, one verdict from whoever
//! reads them, and processes kept alive by that verdict.
//!
//! A job that runs in the background is believed by what its files say. Files that are written
//! beside the work lie: a touch loop outlives a hung command, a killed wrapper looks alive for
//! ever, last week's `SUCCESS` is taken for today's. Here the one process that knows, the parent of
//! the command, writes them, beats only when there is evidence, and holds a lock that the kernel
//! frees at its death, whatever killed it.
//!
//! ```text
//! argv ─▶ cli ─lower▶ Config ─▶ run ─▶ Claim ─▶ the command                           (run)
//!                                │ look for evidence, beat, record
//!                                ▼
//!        DIR/NAME .pid .heartbeat .status .result .log .history
//!                                │ observe(job): outcome first, liveness next
//!                                ▼
//!              Facts ──judge(facts, limits)──▶ Judgement ─▶ end, record ─▶ Verdict     (watch)
//!                                                 │
//!                        decide(end, policy, past, jitter)
//!                                                 ▼
//!          Action: Done · Leave · Restart{after} · GiveUp ─▶ ledger, alert ─▶ start    (keep)
//!
//! a host's event ─▶ Event ─▶ gate(command) · news(alerts, ended jobs) ─▶ Answer         (hook)
//! ```
//!
//! Layers, lowest first; a module uses only modules of lower layers, or ones declared above it in
//! its own `mod.rs`. The list below is the order to read them in.
//!
//! | layer | holds |
//! |---|---|
//! | [`protocol`] | job names, paths, the records in the files, outcomes, history; the registry, ledgers, alerts, events |
//! | [`decide`] | pure functions: the verdict tree, silence, the stuck rule over a snapshot of the tree, the circuit, what a probe's answers are worth, prompts, pace, restarts, which alerts are kept back; what a shell command would leave behind |
//! | [`os`] | the world as small verbs: claim a job, spawn, signals, the tree, a snapshot of what it waits for, ending it |
//! | [`run`] | `sentinel-run`: one loop, wait, decide, act |
//! | [`watch`] | `sentinel-watch`: one loop, observe, judge, end |
//! | [`keep`] | `sentinel-keep`: under the lock of one process look, decide, write the ledger, act; whoever looks next goes on |
//! | [`hook`] | `sentinel-keep hook`: what a host of AI agents is answered; behind a fence, and it never breaks its host |
//! | [`skill`] | `sentinel-keep skill`: the skill, the subagent and the hooks, put where hosts look, and taken away again |
//! | [`cli`] | what was typed, lowered into what is meant; reports; exit codes |
//!
//! What holds everywhere: nothing in `os` decides; nothing in `decide` reads a clock, a file or a
//! process; a failing job is an outcome, only our own failures are errors; only the holder of the
//! claim writes; `run` and `keep` do not meet in code: `keep` starts the program `sentinel-run`, and asks
//! `watch` for the verdict.
//!
//! # Watching from a program
//!
//! ```no_run
//! use sentinel::watch::{Config, News, watch};
//!
//! let config = Config::new("/var/lib/me/jobs", ["build".parse().unwrap()]);
//! watch(&config, &mut |news| {
//!     if let News::Verdict(report) = news {
//!         println!("{} {:?}", report.verdict, report.reason);
//!     }
//! });
//! ```

// They panic where the stream cannot be written: `os::say` does not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

pub mod protocol;
pub mod decide;
pub mod os;
pub mod run;
pub mod watch;
pub mod keep;
pub mod hook;
pub mod skill;
pub mod cli;
