//! The man pages, held to what the programs say and do, and to the checker of their language.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::scene::{KEEP, RUN, Scene, WATCH, has, skip, until, until_some};

const PAGES: [&str; 5] =
    ["sentinel-run.1", "sentinel-watch.1", "sentinel-keep.1", "sentinel.5", "sentinel.7"];

/// What variables are for tests alone, or for the programs among themselves.
const OTHER_VARIABLES: [&str; 7] = [
    "SENTINEL_KEEP",
    "SENTINEL_KILLS",
    "SENTINEL_SEED",
    "SENTINEL_ALL_STEPS",
    "SENTINEL_MANY",
    "SENTINEL_PACKAGES",
    "SENTINEL_SLURM_TASKS",
];

/// What holds keys that are no fields: variables, and causes.
const FOREIGN: [&str; 3] = ["env", "recorded_env", "failures"];

type Words = BTreeSet<String>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join("man").join(name)).unwrap()
}

/// The lines below a heading, up to the next one of its level.
#[track_caller]
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (level, _) = heading.split_once(' ').unwrap();
    let (_, rest) = page.split_once(&format!("\n{heading}\n")).expect(heading);
    let end = [format!("\n{level} "), "\n.Sh ".to_owned()];
    let end = end.iter().filter_map(|end| rest.find(end.as_str())).min();
    &rest[..end.unwrap_or(rest.len())]
}

/// The options that items of a list are about: `.It Fl C , Fl -cwd Ar dir`.
fn item_options(lines: &[&str]) -> Words {
    let items = lines.iter().filter_map(|line| line.strip_prefix(".It Fl "));
    let flags = items.flat_map(|item| item.split("Fl "));
    flags.map(|flag| format!("-{}", flag.split(' ').next().unwrap())).collect()
}

/// What the macro marks: the words `Va` of a line `.Va a , b` or `.It Va a , b`.
fn marked(text: &str, prefixes: &[&str]) -> Words {
    let lines = text.lines().filter_map(|line| prefixes.iter().find_map(|p| line.strip_prefix(p)));
    let words = lines.flat_map(|line| line.split(' ')).filter(|word| word.len() > 1);
    words.map(str::to_owned).collect()
}

fn help(scene: &Scene, program: &str, words: &[&str]) -> String {
    scene.program(program).args(words).arg("--help").finish().exits(0).stdout
}

/// The options of a `--help`, short and long.
fn help_options(help: &str) -> Words {
    let lines = help.lines().filter(|line| ["  -", "      --"].iter().any(|p| line.starts_with(p)));
    let words = lines.flat_map(|line| line.split_whitespace().take(2));
    let options = words.filter(|word| word.starts_with('-'));
    options.map(|word| word.split([',', '[', '=']).next().unwrap().to_owned()).collect()
}

/// The commands of a `--help`.
fn help_commands(help: &str) -> Vec<String> {
    let list = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    let list = list.split("\n\n").next().unwrap_or_default();
    let names = list.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !matches!(*name, "" | "help")).map(str::to_owned).collect()
}

#[test]
fn the_pages_have_the_options_that_there_are() {
    let scene = Scene::new();
    for (program, name) in [(RUN, "sentinel-run.1"), (WATCH, "sentinel-watch.1")] {
        let page = page(name);
        let told = item_options(&page.lines().collect::<Vec<_>>());
        let there = help_options(&help(&scene, program, &[]));
        assert!(there.len() > 20, "{there:?}");
        assert_eq!(told, there, "{name}");
    }
}

#[test]
fn the_page_of_sentinel_keep_has_the_commands_that_there_are_and_their_options() {
    let scene = Scene::new();
    let general = help(&scene, KEEP, &[]);
    let common = help_options(&general);
    // Of a command that has commands below it the options of all are told together.
    let mut there = BTreeMap::from([(String::new(), common.clone())]);
    for command in help_commands(&general) {
        let text = help(&scene, KEEP, &[&command]);
        let mut options = help_options(&text);
        for below in help_commands(&text) {
            options.extend(help_options(&help(&scene, KEEP, &[&command, &below])));
        }
        there.insert(command, &options - &common);
    }
    let page = page("sentinel-keep.1");
    let mut told = BTreeMap::<String, Words>::new();
    let mut command = String::new();
    for line in section(&page, ".Sh DESCRIPTION").lines() {
        if let Some(item) = line.strip_prefix(".It Ic ") {
            item.split(' ').next().unwrap().clone_into(&mut command);
        }
        told.entry(command.clone()).or_default().extend(item_options(&[line]));
    }
    assert!(there.len() > 15, "{there:?}");
    assert_eq!(told, there);
}

#[test]
fn the_pages_have_the_exit_codes_of_the_readme() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for program in ["sentinel-run", "sentinel-watch", "sentinel-keep"] {
        let (_, table) = readme.split_once(&format!("\nOf `{program}`:\n")).unwrap();
        let table = table.trim_start().split("\n\n").next().unwrap();
        let cells = table.lines().filter_map(|row| row.strip_prefix("| ")?.split(" |").next());
        let code = |cell: &&str| cell.starts_with(|c: char| c.is_ascii_digit());
        let codes: Words = cells.filter(code).map(str::to_owned).collect();
        assert!(codes.len() >= 6, "{codes:?}");
        let page = page(&format!("{program}.1"));
        let told = section(&page, ".Sh EXIT STATUS").lines();
        let told: Words = told.filter_map(|l| l.strip_prefix(".It ")).map(str::to_owned).collect();
        assert_eq!(told, codes, "{program}");
    }
}

/// The names of variables in a text.
fn variables(text: &str) -> Words {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let known = ["SENTINEL_", "XDG_"];
    let is_one = |word: &&str| {
        known.iter().any(|start| word.starts_with(start) && word.len() > start.len())
            || ["NOTIFY_SOCKET", "WATCHDOG_USEC", "VIRTUAL_ENV"].contains(word)
    };
    words.filter(is_one).map(str::to_owned).collect()
}

#[test]
fn the_pages_have_the_variables_that_there_are() {
    let mut there = variables(&fs::read_to_string(root().join("README.md")).unwrap());
    for file in rust(&root().join("src")) {
        // A name of a variable stands alone between quotes; what is in a message, it repeats.
        let text = fs::read_to_string(file).unwrap();
        let quoted = text.split('"').filter(|word| variables(word).contains(*word));
        there.extend(quoted.map(str::to_owned));
    }
    there.retain(|name| !OTHER_VARIABLES.contains(&name.as_str()));
    assert!(there.len() > 15, "{there:?}");
    let told: Words =
        PAGES.iter().flat_map(|name| marked(&page(name), &[".Ev ", ".It Ev "])).collect();
    let missing: Vec<&String> = there.difference(&told).collect();
    assert!(missing.is_empty(), "not in the pages: {missing:?}");
    // A command to end a job by has a variable for each field of the heartbeat.
    let heartbeat = marked(section(&page("sentinel.5"), ".Ss Heartbeat"), &[".It Va "]);
    there.extend(heartbeat.iter().map(|field| format!("SENTINEL_{}", field.to_uppercase())));
    let own = told.iter().filter(|name| name.starts_with("SENTINEL_") && !name.ends_with('*'));
    let unknown: Vec<&String> = own.filter(|name| !there.contains(*name)).collect();
    assert!(unknown.is_empty(), "only in the pages: {unknown:?}");
}

fn rust(dir: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { rust(&path) } else { vec![path] }).collect()
}

/// Adds the fields of an object, and of those in it.
fn fields(value: &Value, top: &mut Words, nested: &mut Words) {
    for (key, value) in value.as_object().expect("an object") {
        top.insert(key.clone());
        if !FOREIGN.contains(&key.as_str()) && key != "output" {
            all_keys(value, nested);
        }
    }
}

fn all_keys(value: &Value, keys: &mut Words) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                keys.insert(key.clone());
                all_keys(value, keys);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| all_keys(item, keys)),
        _ => {}
    }
}

/// A part of `sentinel(5)` has these objects' fields: in its list those of the objects themselves and no
/// other, and somewhere in its text those of the objects in them.
#[track_caller]
fn are_told(heading: &str, objects: &[Value], nested_expected: &[&str]) {
    let (mut top, mut nested) = (Words::new(), Words::new());
    for object in objects {
        fields(object, &mut top, &mut nested);
    }
    let page = page("sentinel.5");
    let text = section(&page, &format!(".Ss {heading}"));
    let listed = marked(text, &[".It Va "]);
    assert_eq!(listed, top, "{heading}");
    for key in nested_expected {
        assert!(nested.contains(*key), "{heading}: no {key} in {objects:#?}");
    }
    let told = marked(text, &[".Va ", ".It Va "]);
    // A field that is told of once is not told of again.
    let told = &told | &marked(section(&page, ".Ss Heartbeat"), &[".Va "]);
    let missing: Vec<&String> = nested.difference(&told).collect();
    assert!(missing.is_empty(), "{heading}: {missing:?}");
}

#[test]
fn the_fields_of_the_files_of_a_job_are_told() {
    let scene = Scene::new();
    let options = "--heartbeat-interval 100ms --progress-interval 100ms --stale 20s";
    scene.detached("counts", &format!("{options} --progress-cmd 'echo 3/10' counts -- sleep 1000"));
    let heartbeat = until_some("a beat with a pace", || {
        scene
            .heartbeat("counts")
            .filter(|beat| beat["pace"].is_object() && beat["lock"].is_object())
    });
    let nested = ["monotonic_ns", "kind", "at", "per_s", "left_s", "enforced", "ino"];
    are_told("Heartbeat", &[heartbeat], &nested);

    let running = scene.watched("--json --once counts").exits(5).json();
    scene.stop("counts");
    scene.ran("leaves -- sh -c 'setsid sleep 1000 &'").exits(0);
    let results = [scene.result("counts"), scene.result("leaves")];
    are_told("Result", &results, &["uid", "comm", "enforced"]);
    let reports = [running, scene.watched("--json counts").exits(1).json()];
    are_told("Report", &reports, &["failures", "lines", "done"]);

    scene.ran("--reset-circuit leaves").exits(0);
    let page = page("sentinel.5");
    let told = marked(section(&page, ".Ss History"), &[".Va "]);
    let mut there = Words::new();
    scene.history("leaves").iter().for_each(|line| all_keys(line, &mut there));
    assert!(there.contains("reset"), "{there:?}");
    assert_eq!(told, there);
    scene.clear_up();
}

#[test]
fn the_fields_of_the_files_of_a_registry_are_told() {
    let scene = Scene::new();
    scene
        .kept(
            "register --duration 1h --completes --no-auto-restart --backoff fixed --grace 1s \
            --failure-threshold 2 --check-interval 1s --progress-timeout 9s --progress-interval 2s \
            --max-memory 1G --max-cpu 50 --max-log 1M --beat-on app --progress-cmd true \
            --progress-file x --health-cmd true --health-http http://localhost/ --after y --tmux \
            --pre-restart true --env A=b --env-file x all -- true",
        )
        .exits(0);
    let registry: Value = serde_json::from_slice(&fs::read(scene.registry()).unwrap()).unwrap();
    are_told("Registry", &[registry["all"].clone()], &[]);

    scene.kept("deregister all").exits(0);
    scene.kept("register --no-auto-restart dies -- false").exits(0);
    scene.kept("start dies");
    until("an alert", || {
        scene.kept("healthcheck").exits(0);
        !scene.alerts().is_empty()
    });
    let page = page("sentinel.5");
    let text = section(&page, ".Ss Beside the registry");
    let told = marked(text, &[".Va "]);
    let mut there = Words::new();
    scene.alerts().iter().for_each(|alert| all_keys(alert, &mut there));
    scene.events("died").iter().for_each(|event| all_keys(event, &mut there));
    assert!(there.len() > 10, "{there:?}");
    assert_eq!(told, there);
    for made in
        ["jobs", "state/dies.json", "state/dies.lock", "alerts", "alert.flag", "events.jsonl"]
    {
        assert!(scene.path(made).exists(), "{made}");
        let name = made.replace("dies", "NAME");
        assert!(text.contains(&name), "{name}");
    }
}

#[test]
fn the_fields_of_what_sentinel_keep_prints_are_told() {
    let scene = Scene::new();
    scene.kept("register --no-auto-restart dies -- false").exits(0);
    scene.kept("start dies");
    until("it has failed", || {
        scene.kept("healthcheck").exits(0);
        scene.phase("dies") == "failed"
    });
    let status = scene.kept("--json status dies").exits(3).json();
    are_told("Status", &[status], &["at", "cause", "diagnosis", "lasted_s"]);

    let metrics = scene.kept("metrics").exits(0).json();
    let keys = |object: &Value| -> Words { object.as_object().unwrap().keys().cloned().collect() };
    let (one, totals) = (&metrics["processes"][0], keys(&metrics["totals"]));
    are_told("Metrics", std::slice::from_ref(one), &[]);
    let page = page("sentinel.5");
    let told = marked(section(&page, ".Ss Metrics"), &[".Va "]);
    assert_eq!(told, &keys(&metrics) | &totals);
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, table) = readme.split_once("\n| field of a process | unit | meaning |\n").unwrap();
    let rows: Vec<&str> = table.lines().skip(1).take_while(|line| line.starts_with("| ")).collect();
    let field = |row: &&str| row.split('`').nth(1).unwrap().to_owned();
    assert_eq!(rows.iter().map(field).collect::<Words>(), keys(one));
    let summed = rows.iter().filter(|row| !row.contains("Not in `totals`")).map(field);
    let more = ["processes", "bad_entries", "name", "state"].map(str::to_owned);
    assert_eq!(&summed.collect::<Words>() | &more.clone().into(), &totals | &more.into());
}

/// A line of a page as it is printed.
fn plain(line: &str) -> String {
    line.replace("\\-", "-").replace("\\(dq", "\"").replace("\\e", "\\")
}

/// The commands of the examples.
fn examples(page: &str) -> Vec<String> {
    let text = section(page, ".Sh EXAMPLES").replace("\\e\n    ", "");
    let lines = text.lines().filter_map(|l| l.strip_prefix(".Dl ").unwrap_or(l).strip_prefix("$ "));
    lines.map(plain).collect()
}

#[test]
fn the_examples_are_those_of_the_readme_or_work_as_printed() {
    let mut known = fs::read_to_string(root().join("README.md")).unwrap();
    known += &fs::read_to_string(root().join("examples/containers/README.md")).unwrap();
    let mut others = Vec::new();
    let mut many = 0;
    for name in PAGES {
        let all = examples(&page(name));
        many += all.len();
        others.extend(all.into_iter().filter(|command| !known.contains(command.as_str())));
    }
    assert!(many > 20, "{many}");
    // The page's NAME is a name as any other.
    assert!(others.iter().all(|command| command.contains("NAME.status")), "{others:#?}");
    let scene = Scene::with_directory();
    for command in others {
        let waits = scene.sh(&command).cwd(scene.dir()).start();
        scene.ran("NAME -- sleep 0.1").exits(0);
        waits.wait().exits(0).says("SUCCESS");
    }
}

#[test]
fn the_checker_of_man_pages_finds_nothing() {
    if !has("mandoc") {
        return skip("the checker of man pages finds nothing", "mandoc is not installed");
    }
    let scene = Scene::new();
    for name in PAGES {
        let path = root().join("man").join(name);
        let lint = scene.command("mandoc -T lint -W style").arg(&path).finish();
        // Which other pages are installed here is no matter.
        let elsewhere = ["referenced manual not found", "outdated mandoc.db"];
        let found: Vec<&str> = lint
            .stdout
            .lines()
            .chain(lint.stderr.lines())
            .filter(|line| !elsewhere.iter().any(|words| line.contains(words)))
            .collect();
        assert!(found.is_empty(), "{found:#?}");
        let text = page(name);
        for line in text.lines().filter_map(|line| line.strip_prefix(".Xr sentinel")) {
            let mut words = line.split(' ');
            let (of, number) = (words.next().unwrap(), words.next().unwrap());
            let other = format!("sentinel{of}.{number}");
            assert!(PAGES.contains(&other.as_str()) && other != name, "{name}: {other}");
        }
        let shown =
            scene.command("mandoc -T ascii -O width=78").arg(&path).finish().exits(0).stdout;
        // Bold and underlined letters are overstruck.
        let width = |line: &&str| line.chars().count() - 2 * line.matches('\u{8}').count();
        let widest = shown.lines().max_by_key(width).unwrap();
        assert!(width(&widest) <= 80, "{name}: {widest}");
    }
}
