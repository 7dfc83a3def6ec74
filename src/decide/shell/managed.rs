//! The managed form of a piece of work: `sentinel-run --detach NAME -- COMMAND`, with a name that says
//! what it is.

use super::words::base;
use super::wrappers;
use std::collections::BTreeSet;

/// A job to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Managed {
    /// Assignments before it, as they are written.
    pub environment: String,
    /// Its working directory, as it is written.
    pub dir: Option<String>,
    /// Its name, and what tells it from others of a loop.
    pub name: String,
    pub suffix: String,
    /// The plain words that take the suffix's place in turn.
    pub turns: Option<Vec<String>>,
    /// What follows `--`.
    pub command: String,
}

impl Managed {
    /// The names of the jobs that it becomes, if they are known.
    pub fn names(&self) -> Vec<String> {
        match &self.turns {
            None => vec![self.name.clone()],
            Some(turns) => turns.iter().map(|turn| format!("{}-{turn}", self.name)).collect(),
        }
    }

    pub fn line(&self) -> String {
        let space = if self.environment.is_empty() { "" } else { " " };
        let dir = self.dir.as_ref().map(|dir| format!("-C {dir} ")).unwrap_or_default();
        format!(
            "{}{space}sentinel-run --detach {dir}{}{} -- {}",
            self.environment, self.name, self.suffix, self.command
        )
    }
}

/// Programs whose first argument is what matters, and then is a file.
const INTERPRETERS: [&str; 12] = [
    "python", "node", "bash", "sh", "zsh", "ruby", "perl", "php", "deno", "bun", "java", "Rscript",
];
/// Programs that only lead to another.
const LEADERS: [[&str; 2]; 7] = [
    ["uv", "run"],
    ["poetry", "run"],
    ["pipenv", "run"],
    ["hatch", "run"],
    ["bundle", "exec"],
    ["pnpm", "exec"],
    ["npm", "exec"],
];

/// The names that were given so far.
#[derive(Clone, Debug, Default)]
pub struct Names(BTreeSet<String>);

impl Names {
    /// This name, or one like it if it was given before.
    pub fn give(&mut self, name: &str) -> String {
        let mut unused = name.to_owned();
        for number in 2.. {
            if self.0.insert(unused.clone()) {
                break;
            }
            unused = format!("{name}-{number}");
        }
        unused
    }
}

/// A name for the work that these words do.
pub fn name_for(words: &[Option<String>]) -> String {
    clean(&name(words))
}

/// What the words do, in one or two words.
fn name(words: &[Option<String>]) -> String {
    let mut words = words;
    while let Some(length) = wrappers::length(words) {
        words = &words[length..];
    }
    let known = |at: usize| words.get(at).and_then(|word| word.as_deref());
    if LEADERS.iter().any(|[a, b]| known(0).map(base) == Some(a) && known(1) == Some(b)) {
        return name(&words[2..]);
    }
    let Some(first) = known(0).map(base) else { return String::new() };
    if matches!(first, "npx" | "uvx" | "pipx") && words.len() > 1 {
        let is_option =
            |word: &&Option<String>| word.as_deref().is_some_and(|w| w.starts_with('-'));
        let options = words[1..].iter().take_while(is_option).count();
        return name(&words[1 + options..]);
    }
    let plain = first.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let mut arguments = words[1..].iter().map_while(|word| word.as_deref());
    if INTERPRETERS.contains(&plain) {
        while let Some(argument) = arguments.next() {
            match argument {
                "-m" => return arguments.next().unwrap_or_default().to_owned(),
                "-jar" => return arguments.next().map(stem).unwrap_or_default().to_owned(),
                "-c" | "-e" => break,
                "run" | "task" if matches!(first, "bun" | "deno") => {}
                _ if argument.starts_with('-') => {}
                _ => return stem(argument).to_owned(),
            }
        }
        return first.to_owned();
    }
    // A tool with commands of its own: `cargo build`, `npm run dev`, `make test`.
    let is_command = |word: &&str| {
        word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':'))
            && word.starts_with(|c: char| c.is_ascii_alphabetic())
    };
    let commands: Vec<&str> = arguments.take_while(is_command).take(2).collect();
    match commands.as_slice() {
        ["run", what] => format!("{first}-{what}"),
        [what, ..] => format!("{}-{what}", stem(first)),
        [] => stem(first).to_owned(),
    }
}

/// A file's name without its directory and ending.
fn stem(path: &str) -> &str {
    let name = base(path.trim_end_matches('/'));
    match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && ending.len() < 5 => stem,
        _ => name,
    }
}

/// As a job may be called.
pub fn clean(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name: String = name.chars().map(|c| if plain(c) { c } else { '-' }).take(40).collect();
    let name = name.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if name.is_empty() { "job".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::name::JobName;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<Option<String>> {
        text.split(' ').map(|word| (word != "?").then(|| word.to_owned())).collect()
    }

    #[test]
    fn names_that_say_what_it_is() {
        for (line, expected) in [
            ("python3 train.py --epochs 3", "train"),
            ("/usr/bin/python3.11 -u src/bot.py", "bot"),
            ("python -m http.server 8000", "http.server"),
            ("uv run python -m pkg.main", "pkg.main"),
            ("node server.js", "server"),
            ("npm run dev", "npm-dev"),
            ("npm start", "npm-start"),
            ("cargo build --release", "cargo-build"),
            ("make -j4 all", "make"),
            ("./run.sh fast", "run-fast"),
            ("sudo -u bob env A=1 redis-server /etc/r.conf", "redis-server"),
            ("npx vite", "vite"),
            ("npx -y json-server db.json", "json-server"),
            ("bun run dev", "dev"),
            ("sleep 100", "sleep"),
            ("java -Xmx1g -jar app.jar", "app"),
            ("python3 -c x", "python3"),
            ("? x", "job"),
            ("~/bin/été", "t"),
        ] {
            assert_eq!(name_for(&words(line)), expected, "{line}");
        }
        let mut names = Names::default();
        let given: Vec<String> = (0..3).map(|_| names.give("x")).collect();
        assert_eq!(given, ["x", "x-2", "x-3"]);
    }

    proptest! {
        #[test]
        fn any_words_give_the_name_of_a_job(words in proptest::collection::vec(proptest::option::of(".{0,60}"), 0..5)) {
            let name = name_for(&words);
            prop_assert!(name.parse::<JobName>().is_ok(), "{name:?}");
        }
    }
}
