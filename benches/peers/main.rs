//! Measures the static build beside what one would use instead, as ratios within one run.
//!
//! `cargo bench --bench peers -- [SECTION]...`; see `benches/README.md`.

mod contender;
mod directory;
mod hook;
mod idle;
mod keep;
mod keepers;
mod lab;
mod latency;
mod look;
mod memory;
mod process;
mod restart;
mod spawn;
mod survivors;
mod table;
mod throughput;
mod watch;

use std::process::{Command, ExitCode};
use std::{env, io};

use lab::Lab;
use nix::sys::signal::{SigSet, Signal};

/// A section's name and what measures and prints it.
type Section = (&'static str, fn(&Lab));

const SECTIONS: &[Section] = &[
    ("spawn", spawn::measure),
    ("latency", latency::measure),
    ("silent", latency::silent),
    ("throughput", throughput::measure),
    ("memory", memory::measure),
    ("idle", idle::measure),
    ("look", look::measure),
    ("watch", watch::measure),
    ("directory", directory::measure),
    ("survivors", survivors::measure),
    ("restart", restart::restart),
    ("hung", restart::hung),
    ("keep200", keep::measure),
    ("hook", hook::measure),
];

fn main() -> ExitCode {
    // Cargo adds `--bench` to what was asked for.
    let args: Vec<String> = env::args().skip(1).filter(|a| a != "--bench").collect();
    match words(&args)[..] {
        [latency::STAMP, file, milliseconds] => return latency::stamp(file, milliseconds),
        [how @ (restart::ALIVE | restart::DEADLOCK | restart::STOPPED), file] => {
            return restart::process(how, file);
        }
        [look::STUCK, processes] => return look::stuck(processes),
        _ => {}
    }
    if let Some(unknown) = args.iter().find(|a| !SECTIONS.iter().any(|(name, _)| name == a)) {
        let known: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
        eprintln!("no section {unknown:?}; there are: {}", known.join(" "));
        return ExitCode::from(2);
    }
    match Lab::entered() {
        Some(lab) => run(&lab, &args),
        None => guard(&args).unwrap_or_else(|error| {
            eprintln!("cannot begin: {error}");
            ExitCode::FAILURE
        }),
    }
}

fn words(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// Runs what was asked for, or everything.
fn run(lab: &Lab, asked: &[String]) -> ExitCode {
    SigSet::all().thread_unblock().expect("signals can be unblocked");
    process::adopt_orphans();
    println!("{}\n", lab.describe());
    for (name, measure) in SECTIONS {
        if asked.is_empty() || asked.iter().any(|a| a == name) {
            measure(lab);
            process::end_descendants();
        }
    }
    ExitCode::SUCCESS
}

/// Runs the bench as a child, so that an interrupt or a panic leaves neither
/// process nor directory behind.
fn guard(args: &[String]) -> io::Result<ExitCode> {
    let mut awaited = SigSet::empty();
    awaited.extend([Signal::SIGCHLD, Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM]);
    awaited.thread_block()?;
    process::adopt_orphans();

    let (places, _held) = Lab::prepare()?;
    let mut bench = Command::new(env::current_exe()?).args(args).envs(places).spawn()?;
    let code = loop {
        if awaited.wait()? != Signal::SIGCHLD {
            break ExitCode::FAILURE;
        }
        match bench.try_wait()? {
            Some(status) if status.success() => break ExitCode::SUCCESS,
            Some(_) => break ExitCode::FAILURE,
            None => {}
        }
    };
    process::end_descendants();
    Ok(code)
}
