//! Every command and every example of the README, of `docs/` and of the skill, run as printed.
//!
//! A reader follows a document from top to bottom. The blocks of its `console` are typed into a
//! shell, command by command, and what each prints has to be what stands there, but for what
//! [`masks`] names. Its `sh` blocks are run whole and have to succeed, in a home of their own.
//! The commands of a table of [`pairs`] are typed row by row, each side in a home of its own, and have
//! to exit as it says. The programs are the real ones. At the end all that was started is ended.

mod markdown;
mod masks;
mod pairs;
mod shell;
mod stage;

use std::fs;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use crate::keep_install;
use crate::scene::{Scene, a_moment, has, is_watched, skip};
use markdown::{Block, Example, Kind, blocks};
use masks::masked;
use pairs::{HERE, Side, sides};
use shell::{BOUND, Shell};
use stage::{Stage, missing_tool};

/// The blocks of the README that are not run, by their first line, and why.
const NOT_RUN: [(&str, &str); 11] = [
    ("cargo test", "it is what runs this"),
    ("cargo install --path .", "a release build of everything takes minutes"),
    (
        "just package",
        "it takes other targets from the network, and release builds; .ci/run runs it",
    ),
    (
        "dpkg -i target/package/sentinel-run_*_amd64.deb",
        "it is run in a root of its own, by the story of packages",
    ),
    (
        "tar -C ~/.local --strip-components=1 -xzf target/package/sentinel-run-*-x86_64-*.tar.gz",
        "it is run in a root of its own, by the story of packages",
    ),
    ("just bench", "it takes ten minutes, and the machine for itself"),
    ("scripts/install-test-tools.sh", "it installs; .ci/run begins with it"),
    (
        "SENTINEL_KILLS=1000 cargo test --test stories keep_random -- --nocapture",
        "it takes many minutes; `cargo test` runs a sample of it",
    ),
    ("cargo test --test corpus", "`cargo test` runs it"),
    (
        "array=$(sbatch --parsable array.sbatch ./simulate)",
        "it needs a cluster: a story of Slurm runs it",
    ),
    ("called stuck, a known limit:", "the end of what the corpus prints, shortened"),
];

/// Commands that change nothing. What they show comes true after a while: they are asked again
/// until it has.
const LOOKS: [&str; 6] = [
    "sentinel-keep status",
    "sentinel-keep logs",
    "sentinel-keep doctor",
    "sentinel-watch --once",
    "sentinel-watch --max-wait",
    // It lets through what it has no time to judge, which happens to a busy machine.
    "sentinel-keep hook",
];

fn readme() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

fn is_run(block: &Block) -> bool {
    let listed = NOT_RUN.iter().any(|(first, _)| block.first_line() == *first);
    !(listed && block.place.starts_with("README.md:"))
}

/// Follows all blocks of one kind of a document, in one home.
fn follow(document: &Path, kind: Kind) {
    if let Some(tool) = missing_tool() {
        skip(&format!("the {kind:?}s of {}", document.display()), &format!("no {tool}"));
        return;
    }
    // A thread of its own, for it gets a network of its own.
    let walk = || {
        let mut stage = Stage::new(kind);
        for block in blocks(document).iter().filter(|block| block.kind == kind && is_run(block)) {
            if !stage.prepare(block) {
                return;
            }
            let begun = Instant::now();
            match kind {
                Kind::Script => succeed(&stage, block),
                Kind::Session => print(&stage, block),
            }
            println!("{}: {:.1?}", block.place, begun.elapsed());
        }
    };
    let walked = thread::scope(|scope| scope.spawn(walk).join());
    walked.unwrap_or_else(|panic| resume_unwind(panic));
}

/// Runs a script to its end.
fn succeed(stage: &Stage, block: &Block) {
    let mut script = stage.bash(block).args(["-euo", "pipefail", "-c", &block.text]).start();
    let deadline = Instant::now() + BOUND;
    while script.is_running() {
        let late = Instant::now() >= deadline;
        assert!(!late, "{} did not end: {}{}", block.place, script.stdout(), script.stderr());
        a_moment();
    }
    let done = script.wait();
    assert_eq!(done.code, Some(0), "{}:\n{}", block.place, done.told());
}

/// Types the commands of a session, and compares what they print.
fn print(stage: &Stage, block: &Block) {
    let mut shell = stage.shell(block);
    for example in block.examples() {
        let printed = masked(&example.printed);
        if printed.iter().any(|line| line.contains("[BAR]")) {
            // Only a terminal gets a bar, and there it goes away again.
            let there = |line: &str| masked(line) == printed;
            let shown = stage.paints(block, &example.command, there);
            assert!(shown, "{}: `{}` has no such bar", block.place, example.command);
        } else {
            print_one(stage, &mut shell, block, &example);
        }
    }
}

fn print_one(stage: &Stage, shell: &mut Shell, block: &Block, example: &Example) {
    let looks = LOOKS.iter().any(|look| example.command.starts_with(look));
    let deadline = Instant::now() + BOUND / 2;
    let printed = masked(&example.printed);
    loop {
        let said = stage.as_printed(&shell.does(&example.command));
        let now = masked(&said);
        if now == printed {
            return;
        }
        assert!(
            looks && Instant::now() < deadline,
            "{}: $ {}\n--- printed there\n{}--- printed now\n{said}\
             --- what is to be the same there\n{printed:#?}\n--- and now\n{now:#?}",
            block.place,
            example.command,
            example.printed
        );
        a_moment();
    }
}

#[test]
fn the_examples_of_the_readme_print_what_it_says() {
    follow(&readme(), Kind::Session);
}

#[test]
fn the_commands_of_the_readme_succeed() {
    follow(&readme(), Kind::Script);
}

/// The Markdown files below a directory, in the order of their names.
fn documents(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(documents(&path));
        } else if path.extension().is_some_and(|end| end == "md") {
            all.push(path);
        }
    }
    all.sort();
    all
}

/// Peers that no other test needs: their side is run where they are.
const MAY_BE_MISSING: [&str; 2] = ["pueue", "pm2"];

/// Types the commands of one side of a table, and holds their exit statuses against it.
fn exit_as_told(side: &Side, config: &str) {
    let tool = side.tool.as_str();
    if !tool.contains(' ') && !has(tool) {
        if MAY_BE_MISSING.contains(&tool) {
            println!("the side of {tool} is not typed here, where it is not installed");
        } else {
            skip(&format!("the side of {tool} in docs/migrating.md"), "it is not installed");
        }
        return;
    }
    let mut stage = Stage::new(Kind::Script);
    stage.write("supervisord.conf", config);
    let corner = Scene::new();
    let mut systemd = None;
    if tool == "systemd-run" {
        let Some(manager) = keep_install::manager(&corner, "the side of systemd-run") else {
            return;
        };
        stage.go_to(manager.pid());
        systemd = Some(manager);
    }
    let begun = Instant::now();
    let mut shell = stage.shell_at_work();
    for typed in &side.commands {
        let looks = LOOKS.iter().any(|look| typed.command.starts_with(look));
        let deadline = Instant::now() + BOUND / 2;
        loop {
            let said = shell.does(&format!("{}\necho \"exits $?.\"", typed.command));
            if said.contains(&format!("exits {}.", typed.exits)) {
                break;
            }
            assert!(
                looks && Instant::now() < deadline,
                "{}: `{}` is to exit {}:\n{said}",
                typed.place,
                typed.command,
                typed.exits
            );
            a_moment();
        }
    }
    systemd.iter().for_each(keep_install::end);
    println!("{tool}: {} commands, {:.1?}", side.commands.len(), begun.elapsed());
}

#[test]
fn the_commands_of_those_who_migrate_exit_as_it_says() {
    let document = docs().join("migrating.md");
    if let Some(tool) = missing_tool() {
        skip("the pairs of docs/migrating.md", &format!("no {tool}"));
        return;
    }
    if is_watched("the pairs of docs/migrating.md") {
        return; // they adopt a process
    }
    let sides = sides(&document);
    let text = fs::read_to_string(&document).unwrap();
    let config = text.split("```ini\n").nth(1).and_then(|rest| rest.split("```").next());
    let config = config.expect("the configuration of supervisord").to_owned();
    assert_eq!(sides.iter().filter(|side| !side.tool.starts_with(HERE)).count(), 7);
    assert!(sides.iter().all(|side| side.commands.len() > 4));
    let ends: Vec<_> = thread::scope(|scope| {
        let all: Vec<_> =
            sides.iter().map(|side| scope.spawn(|| exit_as_told(side, &config))).collect();
        all.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    for end in ends {
        end.unwrap_or_else(|panic| resume_unwind(panic));
    }
}

#[test]
fn the_examples_of_the_documentation_print_what_it_says() {
    for document in documents(&docs()) {
        for kind in [Kind::Script, Kind::Session] {
            if blocks(&document).iter().any(|block| block.kind == kind) {
                follow(&document, kind);
            }
        }
    }
}

#[test]
fn the_commands_of_the_skill_succeed_and_print_what_it_says() {
    let skill = Path::new(env!("CARGO_MANIFEST_DIR")).join("skill");
    for document in documents(&skill) {
        let blocks = blocks(&document);
        for kind in [Kind::Script, Kind::Session] {
            if blocks.iter().any(|block| block.kind == kind) {
                follow(&document, kind);
            }
        }
    }
}

#[test]
fn what_is_not_run_is_there() {
    let blocks = blocks(&readme());
    for (first, why) in NOT_RUN {
        let there = blocks.iter().filter(|block| block.first_line() == first).count();
        assert_eq!(there, 1, "{first:?}, which is not run, for {why}");
    }
}
