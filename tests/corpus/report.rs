//! What is printed: a table by language, each case that went wrong, and one line in the end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::case::{Case, Kind};
use super::play::End;

/// The columns, each a number of runs of cases.
const COLUMNS: [&str; 10] = [
    "stuck",
    "found",
    "missed",
    "unprovable",
    "healthy",
    "untouched",
    "killed",
    "limit",
    "broken",
    "skipped",
];

pub struct Tally {
    begun: Instant,
    languages: BTreeMap<&'static str, [u32; COLUMNS.len()]>,
    slowest: Duration,
    /// What went wrong, by its heading; with the last reason and how often.
    wrong: BTreeMap<&'static str, BTreeMap<String, (u32, String)>>,
    left: Vec<String>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            languages: BTreeMap::new(),
            slowest: Duration::ZERO,
            wrong: BTreeMap::new(),
            left: Vec::new(),
        }
    }
}

impl Tally {
    /// Counts one run of every case.
    pub fn add(&mut self, cases: &[Case], ends: Vec<End>, verbose: bool) {
        for (case, end) in cases.iter().zip(ends) {
            if verbose {
                match &end {
                    End::Found(took, why) => {
                        println!("{}: found after {:.1} s: {why}", case.name, took.as_secs_f64());
                    }
                    End::Untouched(why) => println!("{}: untouched: {why}", case.name),
                    other => println!("{}: {other:?}", case.name),
                }
            }
            let (column, wrong) = match end {
                End::Found(took, _) => {
                    self.slowest = self.slowest.max(took);
                    let bonus = case.unprovable.is_some();
                    ("found", bonus.then(|| ("found, though marked unprovable", String::new())))
                }
                End::Missed(why) => ("missed", Some(("missed", why))),
                End::Unprovable(why) => {
                    ("unprovable", Some(("missed, as expected: cannot be proved", why)))
                }
                End::Untouched(_) => {
                    let bonus = case.limit.is_some();
                    ("untouched", bonus.then(|| ("untouched, though a known limit", String::new())))
                }
                End::Killed(why) => ("killed", Some(("falsely killed", why))),
                End::CalledStuck(why) => ("killed", Some(("falsely called stuck", why))),
                End::Limit(why) => ("limit", Some(("called stuck, a known limit", why))),
                End::Broken(why) => ("broken", Some(("broken: not what it says it is", why))),
                End::Skipped(why) => ("skipped", Some(("skipped", why))),
            };
            let kind = if case.kind == Kind::Stuck { "stuck" } else { "healthy" };
            let row = self.languages.entry(case.language).or_default();
            for (count, name) in row.iter_mut().zip(COLUMNS) {
                *count += u32::from(name == column || name == kind);
            }
            if let Some((heading, why)) = wrong {
                let cases = self.wrong.entry(heading).or_default();
                let entry = cases.entry(case.name.clone()).or_default();
                *entry = (entry.0 + 1, why);
            }
        }
    }

    /// What had to be ended after everything was over.
    pub fn leftover(&mut self, left: Vec<String>) {
        self.left = left;
    }

    fn sum(&self, column: &str) -> u32 {
        let index = COLUMNS.iter().position(|name| *name == column).unwrap_or_default();
        self.languages.values().map(|row| row[index]).sum()
    }

    pub fn is_good(&self) -> bool {
        ["missed", "killed", "broken"].iter().all(|column| self.sum(column) == 0)
            && self.left.is_empty()
            && ["found", "unprovable", "untouched", "limit"]
                .iter()
                .any(|column| self.sum(column) > 0)
    }

    pub fn sentence(&self) -> String {
        let sum = |column| self.sum(column);
        format!(
            "{} stuck: {} found, {} missed, {} cannot be proved; {} healthy: {} untouched, {} \
             falsely killed, {} by a known limit; {} broken, {} skipped",
            sum("stuck"),
            sum("found"),
            sum("missed"),
            sum("unprovable"),
            sum("healthy"),
            sum("untouched"),
            sum("killed"),
            sum("limit"),
            sum("broken"),
            sum("skipped"),
        )
    }

    pub fn print(&self) {
        print!("{:8}", "");
        for name in COLUMNS {
            print!("{name:>11}");
        }
        println!();
        for (language, row) in &self.languages {
            print!("{language:8}");
            for count in row {
                print!("{count:>11}");
            }
            println!();
        }
        for (heading, cases) in &self.wrong {
            println!("\n{heading}:");
            for (name, (times, why)) in cases {
                let times = if *times > 1 { format!(" ({times} times)") } else { String::new() };
                let colon = if why.is_empty() { "" } else { ": " };
                println!("  {name}{times}{colon}{why}");
            }
        }
        if !self.left.is_empty() {
            println!("\nleft behind, and ended now:");
            for process in &self.left {
                println!("  {process}");
            }
        }
        let took = self.begun.elapsed().as_secs();
        println!("\ncorpus: {}; {took} s", self.sentence());
        if self.sum("found") > 0 {
            println!("the slowest was found after {:.1} s", self.slowest.as_secs_f64());
        }
    }
}

/// The names, and what each case is; the short form is that of the test harness.
pub fn list(cases: &[Case], terse: bool) {
    for case in cases {
        if terse {
            println!("{}: test", case.name);
        } else {
            println!("{}: {}", case.name, case.what);
        }
    }
}
