//! The house rules that a compiler does not check.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

/// The modules that a file declares, in their order.
fn declared(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let name = |line: &str| {
        let rest = line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ")?;
        rest.strip_suffix(';').map(str::to_owned)
    };
    text.lines().filter_map(name).collect()
}

/// What a source uses, as paths below the crate: `crate::a::b` and `super::b` alike.
fn uses(text: &str, layer: &str) -> Vec<(String, Option<String>)> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let code = code.split("#[cfg(test)]").next().unwrap();
    let mut found = Vec::new();
    let word = |text: &str| {
        text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
    };
    for (at, _) in code.match_indices("crate::") {
        let mut parts = code[at..].split("::").skip(1);
        let first = word(parts.next().unwrap_or_default());
        found.push((first, parts.next().map(word)));
    }
    for (at, _) in code.match_indices("super::") {
        let inner = !code[..at].ends_with("super::") && !code[at..].starts_with("super::super::");
        let next = &code[at + "super::".len()..];
        if inner && next.starts_with(|c: char| c.is_ascii_lowercase()) {
            found.push((layer.to_owned(), Some(word(next))));
        }
    }
    found
}

#[test]
fn a_module_uses_only_what_is_declared_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let layers = declared(&src.join("lib.rs"));
    assert!(layers.len() >= 6, "{layers:?}");
    let rank = |list: &[String], name: &str| list.iter().position(|known| known == name);
    let orders: HashMap<&str, Vec<String>> = layers
        .iter()
        .map(|layer| (layer.as_str(), declared(&src.join(layer).join("mod.rs"))))
        .collect();
    let mut wrong = Vec::new();
    for file in sources(&src) {
        let inside = file.strip_prefix(&src).unwrap().to_string_lossy().replace(".rs", "");
        let mut parts = inside.split('/');
        let (layer, module) = (parts.next().unwrap(), parts.next());
        let (Some(own_layer), Some(module)) = (rank(&layers, layer), module) else { continue };
        if inside.matches('/').count() > 1 {
            continue; // inside a module `super` means something else
        }
        for (used_layer, used_module) in uses(&fs::read_to_string(&file).unwrap(), layer) {
            let Some(used) = rank(&layers, &used_layer) else { continue };
            let order = &orders[layer];
            let own = rank(order, module);
            let other = used_module.as_deref().and_then(|used| rank(order, used));
            let upward = used > own_layer
                || (used == own_layer && matches!((own, other), (Some(a), Some(b)) if b > a));
            if upward {
                wrong.push(format!("{inside} uses {used_layer}::{used_module:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "upward: {wrong:#?}");
}

#[test]
fn run_and_keep_do_not_meet_in_code() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (layer, other) in [("keep", "run"), ("run", "keep")] {
        for file in sources(&src.join(layer)) {
            let used = uses(&fs::read_to_string(&file).unwrap(), layer);
            assert!(used.iter().all(|(layer, _)| layer != other), "{}", file.display());
        }
    }
}

#[test]
fn every_file_opens_with_a_sentence() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in sources(&root.join("src")).into_iter().chain(sources(&root.join("tests"))) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{} does not say what it is for", file.display());
    }
}

/// What a program says to `--help`, asked after these words.
fn help(program: &str, words: &[&str]) -> String {
    let help = std::process::Command::new(program).args(words).arg("--help").output().unwrap();
    assert!(help.status.success(), "{program} {words:?}");
    String::from_utf8(help.stdout).unwrap()
}

/// The long options in a `--help`, but for those that every program has.
fn options(help: &str) -> BTreeSet<String> {
    let lines = help.lines().filter(|line| line.trim_start().starts_with('-'));
    let found = lines.filter_map(|line| line.split_whitespace().find(|w| w.starts_with("--")));
    // A wrapped line of the help may begin with an option, too: a set has it once.
    found
        .map(|word| word.split([',', '[']).next().unwrap_or_default().to_owned())
        .filter(|word| word != "--help" && word != "--version")
        .collect()
}

/// The rows of the table under a heading of the README, each as its cells.
fn table(heading: &str) -> Vec<Vec<String>> {
    let readme =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let section = readme.split(&format!("\n### {heading}\n")).nth(1).unwrap_or_default();
    let section = section.split("\n#").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.split('|').skip(1).map(str::to_owned).collect()).collect()
}

/// The long options in a cell.
fn documented(cell: &str) -> BTreeSet<String> {
    cell.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|word| word.len() > 2 && word.starts_with("--"))
        .map(str::to_owned)
        .collect()
}

const KEEP: &str = env!("CARGO_BIN_EXE_sentinel-keep");

#[test]
fn the_readme_lists_the_options_that_there_are() {
    for (heading, program, words, at_least) in [
        ("Options of sentinel-run", env!("CARGO_BIN_EXE_sentinel-run"), [].as_slice(), 15),
        ("Options of sentinel-watch", env!("CARGO_BIN_EXE_sentinel-watch"), &[], 15),
        ("Options of sentinel-keep", KEEP, &[], 4),
        ("Options of sentinel-keep register", KEEP, &["register"], 20),
    ] {
        let mut there = options(&help(program, words));
        if !words.is_empty() {
            there = &there - &options(&help(program, &[]));
        }
        assert!(there.len() >= at_least, "{there:?}");
        let told: BTreeSet<String> =
            table(heading).iter().flat_map(|row| documented(&row[0])).collect();
        assert_eq!(there, told, "{heading}");
    }
}

/// The long options of a command of sentinel-keep and of those below it.
fn options_of(words: &[&str]) -> BTreeSet<String> {
    let help = help(KEEP, words);
    let list = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    let list = list.split("\n\n").next().unwrap();
    let names = list.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let below = names.filter(|name| !name.is_empty() && *name != "help");
    below.flat_map(|name| options_of(&[words, &[name]].concat())).chain(options(&help)).collect()
}

#[test]
fn the_readme_lists_the_commands_that_there_are_and_their_options() {
    let general = help(KEEP, &[]);
    let list = general.split("\nCommands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    // Two blanks before a name; where a description goes on there are more.
    let names = list.lines().filter_map(|line| line.strip_prefix("  "));
    let names = names.filter(|line| !line.starts_with(' ')).map(|line| line.split(' ').next());
    let there: BTreeSet<&str> = names.flatten().filter(|name| *name != "help").collect();
    assert!(there.len() > 10, "{there:?}");
    let rows = table("Commands of sentinel-keep");
    let name = |row: &[String]| {
        row[0].trim().trim_start_matches('`').split([' ', '`']).next().unwrap().to_owned()
    };
    let told: BTreeSet<String> = rows.iter().map(|row| name(row)).collect();
    assert_eq!(there, told.iter().map(String::as_str).collect());
    assert_eq!(rows.len(), told.len(), "a command is there twice");
    for row in rows.iter().filter(|row| name(row) != "register") {
        let there = &options_of(&[&name(row)]) - &options(&general);
        assert_eq!(there, documented(&row[1]), "{}", name(row));
    }
}

#[test]
fn the_readme_lists_the_keys_of_the_registry() {
    let root = tempfile::tempdir().unwrap();
    let registry = root.path().join("home/registry.json");
    let everything = "--duration 1h --completes --no-auto-restart --backoff fixed --grace 1s \
        --failure-threshold 2 --check-interval 1s --progress-timeout 9s --progress-interval 2s \
        --max-memory 1G --max-cpu 50 --max-log 1M --beat-on app --progress-cmd true \
        --progress-file x --health-cmd true --health-http http://localhost/ --after y --tmux \
        --pre-restart true --env A=b --env-file x all -- true";
    let done = std::process::Command::new(KEEP)
        .arg("--registry")
        .arg(&registry)
        .arg("register")
        .args(everything.split_whitespace())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let written: serde_json::Value = serde_json::from_slice(&fs::read(&registry).unwrap()).unwrap();
    let there: BTreeSet<&str> =
        written["all"].as_object().unwrap().keys().map(String::as_str).collect();
    let rows = table("The registry");
    let keys = rows.iter().flat_map(|row| row[0].split('`').skip(1).step_by(2));
    assert_eq!(there, keys.collect::<BTreeSet<&str>>());
}
