//! The house rules that a compiler does not check.

use std::collections::HashMap;
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
fn every_file_opens_with_a_sentence() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in sources(&root.join("src")).into_iter().chain(sources(&root.join("tests"))) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{} does not say what it is for", file.display());
    }
}

/// The long options of a program, from its `--help`.
fn options(program: &str) -> Vec<String> {
    let help = std::process::Command::new(program).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let mut found: Vec<String> = help
        .lines()
        .filter(|line| line.trim_start().starts_with('-'))
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")))
        .map(|word| word.trim_end_matches(',').to_owned())
        .collect();
    found.sort();
    found.dedup(); // a wrapped line of the help may begin with an option, too
    found
}

/// The options in the table under a heading of the README.
fn documented(heading: &str) -> Vec<String> {
    let readme =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let section = readme.split(&format!("\n### {heading}\n")).nth(1).unwrap_or_default();
    let section = section.split("\n#").next().unwrap();
    let mut found: Vec<String> = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|cell| cell.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')))
        .filter(|word| word.starts_with("--"))
        .map(str::to_owned)
        .collect();
    found.sort();
    found
}

#[test]
fn the_readme_lists_the_options_that_there_are() {
    for (heading, program) in [
        ("Options of sentinel-run", env!("CARGO_BIN_EXE_sentinel-run")),
        ("Options of sentinel-watch", env!("CARGO_BIN_EXE_sentinel-watch")),
    ] {
        let there = options(program);
        assert!(there.len() > 15, "{there:?}");
        let mut told = documented(heading);
        told.extend(["--help".to_owned(), "--version".to_owned()]);
        told.sort();
        assert_eq!(there, told, "{heading}");
    }
}
