//! `attend`: not for people. It is what the wrapper of an adopted process runs.

use crate::cli::values::{duration, positive_duration};
use crate::keep::attend::{Config, Ended, attend};
use crate::os::say::say;
use crate::os::signals;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub struct Attend {
    /// The adopted process
    pid: i32,

    /// Its start, in ticks of the machine's boot clock
    start: u64,

    /// Time between two looks at its tree
    #[arg(long, value_name = "DUR", value_parser = positive_duration)]
    interval: Duration,

    /// The --grace of the wrapper
    #[arg(long, value_name = "DUR", value_parser = duration)]
    grace: Duration,

    /// End what outlives it
    #[arg(long)]
    kill_survivors: bool,
}

impl Attend {
    /// To the end of the adopted process, which it makes its own.
    pub fn run(&self) -> ExitCode {
        /// What `timeout(1)` exits with when it fails itself.
        const OWN_FAILURE: u8 = 125;
        let Self { pid, start, interval, grace, kill_survivors } = *self;
        match attend(&Config { pid, start, interval, grace, kill_survivors }) {
            Ok(Ended::Code(code)) => ExitCode::from(code),
            Ok(Ended::Signal(signal)) => {
                signals::die_of(signal);
                ExitCode::from(u8::try_from(128 + signal).unwrap_or(OWN_FAILURE))
            }
            Err(error) => {
                say(format!("sentinel-keep: {error}"));
                ExitCode::from(OWN_FAILURE)
            }
        }
    }
}
