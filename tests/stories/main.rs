//! What the three programs do, told from outside: each test starts the real binaries, looks at
//! files, exit codes and processes, and knows nothing of the code.
//!
//! Stories wait for conditions, not for times. A story whose tool or privilege is missing says
//! so and returns; where the variable `SENTINEL_SKIP_LOG` names a file, it is listed there.

#![cfg(target_os = "linux")]

mod scene;
mod hosts;

mod adopted;
mod agent;
mod any_bytes;
mod as_pid_one;
mod as_printed;
mod circuit;
mod claims;
mod clocks;
mod completions;
mod containers;
mod crowd;
mod detach;
mod disks;
mod doctor;
mod elsewhere;
mod embedded;
mod ending;
mod evidence;
mod hook_hosts;
mod hook_news;
mod hook_rough;
mod hook_wait;
mod hostile;
mod hygiene;
mod interop;
mod keep_alert_examples;
mod keep_alerts;
mod keep_logs;
mod keep_install;
mod keep_tmux;
mod keep_commands;
mod keep_crowd;
mod keep_disk;
mod keep_dying;
mod keep_ending;
mod keep_environment;
mod keep_hung;
mod keep_keeper;
mod keep_killed;
mod keep_many;
mod keep_order;
mod keep_random;
mod keep_refused;
mod keep_registry;
mod killed_at_every_step;
mod kubernetes;
mod limits;
mod keep_edges;
mod lost;
mod man_pages;
mod metrics;
mod notify;
mod on_stop;
mod outcomes;
mod pace;
mod package;

mod probes;
mod real_probes;
mod rough_callers;
mod servers;
mod skill_install;
mod slurm;
mod skill_valid;
mod strangers;
mod stuck;
mod tokens;
mod watching;
