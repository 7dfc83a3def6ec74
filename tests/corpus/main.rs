//! Does the stuck rule tell stuck programs from quiet ones? Each file below `stuck/` and `healthy/`
//! is one small program that does nothing, for a reason found in the wild; each is run as a job of
//! `sentinel-run`, many at once. A stuck one must be called hung, with a diagnosis. A healthy one must
//! be neither ended nor called stuck for longer than that takes.
//!
//! `cargo test --test corpus -- [--runs N] [--load] [--user NAME] [--only PATTERN] [--stale DUR]
//! [--verbose] [--list]` prints found / missed / falsely killed, and exits 0 if nothing was missed
//! that can be proved, and no healthy program was touched but by a known limit.
//!
//! The head of a file says, in comments: `corpus: stuck` or `healthy`; `what:` it is; `run:` the
//! command line ({file}: this file, {program}: what a C file was compiled to); `needs:` programs;
//! `outside:` a companion outside the job, waited for until it created `$CORPUS_DIR/ready`; `says:`
//! words of the diagnosis, or of what is awaited; `unprovable:` why being missed is expected; `limit:`
//! why a healthy one is called stuck none the less; `as: root` with `unprovable-for-user:`; `optional:`
//! a command that succeeds where the case can be played, for what no package brings; `cc:` flags of its
//! own. The program creates `$CORPUS_DIR/up`, or
//! prints a line, just before it waits; that directory is its own, and where it works. Where it cannot
//! be here, it (or its companion) says why and exits with 77.

#[cfg(target_os = "linux")]
mod args;
#[cfg(target_os = "linux")]
mod case;
#[cfg(target_os = "linux")]
mod stage;
#[cfg(target_os = "linux")]
mod play;
#[cfg(target_os = "linux")]
mod report;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use std::process::ExitCode;

    let args = match args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(why) => {
            eprintln!("corpus: {why}");
            return ExitCode::from(2);
        }
    };
    let mut cases = case::all();
    cases.retain(|case| args.selects(&case.name));
    if args.list {
        report::list(&cases, args.terse);
        return ExitCode::SUCCESS;
    }
    if cases.is_empty() {
        // Cargo gives a filter to every test target: one that means another is no error here.
        let meant_here = !args.only.is_empty();
        return if meant_here { ExitCode::from(2) } else { ExitCode::SUCCESS };
    }
    let stage = stage::Stage::set(&args);
    let all = cases.len();
    cases.retain(|case| case.is_here(&stage.path));
    if cases.len() < all {
        println!("corpus: {} cases need what is not here and no package brings", all - cases.len());
    }
    let mut tally = report::Tally::default();
    for round in 1..=args.runs {
        let ends = play::all(&stage, &cases, round);
        if stage::interrupted() {
            eprintln!("corpus: interrupted; what was played whole:");
            tally.leftover(stage.strike());
            tally.print();
            return ExitCode::from(130);
        }
        tally.add(&cases, ends, args.verbose);
        if args.runs > 1 {
            eprintln!("corpus: {round} of {} runs: {}", args.runs, tally.sentence());
        }
    }
    tally.leftover(stage.strike());
    tally.print();
    if tally.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(not(target_os = "linux"))]
fn main() {}
