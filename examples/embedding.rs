//! Watch a job from a Rust program, without running `sentinel-watch`.
//!
//! ```sh
//! sentinel-run --dir ~/jobs --detach nap -- sleep 3
//! cargo run --example embedding -- ~/jobs nap
//! ```
//!
//! What is judged is also done: a hung or overdue job is ended, and its outcome recorded. Set
//! `config.kill` to `Kill::Never` to be told only.

use sentinel::decide::verdict::Verdict;
use sentinel::watch::{Config, News, watch};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, name] = arguments.as_slice() else {
        eprintln!("usage: embedding DIR NAME");
        return ExitCode::from(2);
    };
    let name = match name.parse() {
        Ok(name) => name,
        Err(error) => {
            eprintln!("embedding: {error}");
            return ExitCode::from(2);
        }
    };

    let mut config = Config::new(dir, [name]);
    config.max_wait = Some(Duration::from_mins(10)); // then the verdict is `running`
    config.tick = Some(Duration::from_secs(1));

    // `watch` returns when each job has its verdict; on the way it calls this function, on this
    // thread.
    let mut succeeded = false;
    watch(&config, &mut |news| match news {
        News::Waiting(jobs, first) => println!("... {jobs} to go; {}", first.headline()),
        News::Verdict(report) => {
            succeeded = report.verdict == Verdict::Success;
            println!("{}: {}", report.name, report.verdict);
            if let Some(reason) = &report.reason {
                println!("reason: {reason}");
            }
            if let Some(output) = &report.output {
                println!("it left: {output}");
            }
            for line in &report.tail {
                println!("    {line}");
            }
        }
        News::Failed(error) => eprintln!("embedding: {error}"),
        News::Event { .. } => {} // only with `config.events`
    });
    if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
