//! What was typed after `--`: our own options, and those that Cargo's test targets share.

use std::time::Duration;

pub struct Args {
    pub runs: u32,
    pub load: bool,
    pub user: Option<String>,
    pub stale: Duration,
    pub verbose: bool,
    pub list: bool,
    pub terse: bool,
    /// Any of these is in the name; having none selects all.
    pub only: Vec<String>,
    filters: Vec<String>,
    skip: Vec<String>,
    exact: bool,
    none: bool,
}

impl Args {
    pub fn selects(&self, name: &str) -> bool {
        let matches =
            |pattern: &String| if self.exact { name == pattern } else { name.contains(&**pattern) };
        let any = |patterns: &[String]| patterns.is_empty() || patterns.iter().any(matches);
        !self.none && any(&self.only) && any(&self.filters) && !self.skip.iter().any(matches)
    }
}

pub fn parse(words: impl Iterator<Item = String>) -> Result<Args, String> {
    let mut args = Args {
        runs: 1,
        load: false,
        user: None,
        stale: Duration::from_secs(5),
        verbose: false,
        list: false,
        terse: false,
        only: Vec::new(),
        filters: Vec::new(),
        skip: Vec::new(),
        exact: false,
        none: false,
    };
    let mut words = words;
    while let Some(word) = words.next() {
        let (key, joined) = match word.split_once('=') {
            Some((key, value)) if word.starts_with("--") => (key, Some(value.to_owned())),
            _ => (&*word, None),
        };
        let mut value =
            || joined.clone().or_else(|| words.next()).ok_or(format!("{key} needs a value"));
        match key {
            "--runs" => {
                let wanted = value()?;
                args.runs = wanted.parse().map_err(|_| format!("bad number {wanted:?}"))?;
            }
            "--load" => args.load = true,
            "--user" => args.user = Some(value()?),
            "--only" => args.only.push(value()?),
            "--stale" => {
                let wanted = value()?;
                let typed = humantime::parse_duration(&wanted);
                args.stale = typed.map_err(|error| format!("{wanted:?}: {error}"))?;
            }
            "--verbose" | "-v" => args.verbose = true,
            "--list" => args.list = true,
            // The test harness has these.
            "--exact" => args.exact = true,
            "--skip" => args.skip.push(value()?),
            "--format" => args.terse = value()? == "terse",
            "--ignored" | "--bench" => args.none = true,
            "--test-threads" | "--color" | "--logfile" | "--shuffle-seed" | "-Z" => drop(value()?),
            flag if flag.starts_with('-') => {
                const OTHERS: [&str; 9] = [
                    "--quiet",
                    "-q",
                    "--nocapture",
                    "--no-capture",
                    "--include-ignored",
                    "--show-output",
                    "--test",
                    "--report-time",
                    "--shuffle",
                ];
                if !OTHERS.contains(&flag) {
                    return Err(format!("unknown option {flag}"));
                }
            }
            _ => args.filters.push(word),
        }
    }
    Ok(args)
}
