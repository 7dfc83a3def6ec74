//! The cases: what the head of each file says, and the compiled programs of those in C.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Stuck,
    Healthy,
}

#[derive(Clone, Debug)]
pub struct Case {
    /// Its path below the corpus, as in `stuck/abba.c`.
    pub name: String,
    pub file: PathBuf,
    pub kind: Kind,
    pub language: &'static str,
    pub what: String,
    pub run: String,
    pub needs: Vec<String>,
    /// A command that succeeds where it can be played: what it tries no package brings, so that it is
    /// left out elsewhere, and nothing is skipped.
    pub optional: Option<String>,
    pub outside: Option<String>,
    pub says: Option<String>,
    pub unprovable: Option<String>,
    /// Healthy, and called stuck: a limit of the rule that is known, and why it stands.
    pub limit: Option<String>,
    /// Only root can prove it, or be it; with the reason.
    pub root: Option<String>,
    flags: Vec<String>,
}

/// Extension, name, what runs it, and what must be there for that.
const LANGUAGES: [(&str, &str, &str, &str); 13] = [
    ("c", "C", "{program}", "cc"),
    ("sh", "sh", "sh {file}", "sh"),
    ("bash", "Bash", "bash {file}", "bash"),
    ("zsh", "zsh", "zsh -f {file}", "zsh"),
    ("pl", "Perl", "perl {file}", "perl"),
    ("tcl", "Tcl", "tclsh {file}", "tclsh"),
    ("py", "Python", "python3 {file}", "python3"),
    ("js", "Node", "node {file}", "node"),
    ("java", "Java", "java {file}", "java"),
    ("rb", "Ruby", "ruby {file}", "ruby"),
    ("php", "PHP", "php {file}", "php"),
    ("lua", "Lua", "lua5.4 {file}", "lua5.4"),
    ("exp", "Expect", "expect {file}", "expect"),
];

/// So many lines may be the head of a file.
const HEAD: usize = 24;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// Every case, by name. A file that is none is an error of its author.
pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for dir in ["stuck", "healthy"] {
        for entry in fs::read_dir(root().join(dir)).expect("the corpus is there").flatten() {
            let name = entry.file_name().into_string().expect("a case has a plain name");
            cases.push(read(&entry.path(), format!("{dir}/{name}")));
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

fn read(file: &Path, name: String) -> Case {
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{name}: {e}"));
    let extension = file.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let known = LANGUAGES.iter().find(|(known, ..)| *known == extension);
    let &(_, language, run, needs) = known.unwrap_or_else(|| panic!("{name}: which language?"));
    let says = |key: &str| {
        let words = text.lines().take(HEAD).find_map(|line| {
            let line = line.trim_start_matches(|c: char| c.is_whitespace() || "/#*;-".contains(c));
            line.strip_prefix(key)?.strip_prefix(':')
        });
        words.map(|words| words.trim().trim_end_matches("*/").trim().to_owned())
    };
    let list = |key| -> Vec<String> {
        says(key).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    };
    let kind = match says("corpus").as_deref() {
        Some("stuck") => Kind::Stuck,
        Some("healthy") => Kind::Healthy,
        other => panic!("{name}: corpus: stuck, or healthy? {other:?}"),
    };
    let place = if kind == Kind::Stuck { "stuck/" } else { "healthy/" };
    assert!(name.starts_with(place), "{name} says that it is {kind:?}");
    let mut tools = list("needs");
    tools.push(needs.to_owned());
    let for_user = || says("unprovable-for-user").unwrap_or_else(|| "only root can".to_owned());
    Case {
        file: file.to_owned(),
        kind,
        language,
        what: says("what").unwrap_or_else(|| panic!("{name}: what is it?")),
        run: says("run").unwrap_or_else(|| run.to_owned()),
        needs: tools,
        optional: says("optional"),
        outside: says("outside"),
        says: says("says"),
        unprovable: says("unprovable"),
        limit: says("limit"),
        root: says("as").filter(|who| who == "root").map(|_| for_user()),
        flags: list("cc"),
        name,
    }
}

/// Whether a program of this name is in the search path.
pub fn has(path: &str, tool: &str) -> bool {
    std::env::split_paths(path).any(|dir| {
        fs::metadata(dir.join(tool))
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    })
}

impl Case {
    /// Whether what no package brings is here.
    pub fn is_here(&self, path: &str) -> bool {
        self.optional.as_ref().is_none_or(|command| {
            let mut shell = Command::new("sh");
            let shell = shell.args(["-c", command]).env("PATH", path).stdin(Stdio::null());
            let tried = shell.output();
            tried.is_ok_and(|tried| tried.status.success())
        })
    }

    fn is_compiled(&self) -> bool {
        self.language == "C"
    }

    /// The words that should be in a text about it, and are not.
    pub fn missing_in(&self, text: &str) -> Option<&str> {
        self.says.as_deref().filter(|words| !text.contains(words))
    }

    /// Where the compiled program is, or would be.
    pub fn program(&self) -> PathBuf {
        let name = self.name.replace('/', "-").replace(".c", "");
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("corpus").join(name)
    }

    /// Compiles it, if the program is older than its source. An error is what the compiler said.
    fn compile(&self) -> Result<(), String> {
        let program = self.program();
        let age = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified());
        let header = root().join("corpus.h");
        let fresh = |built| {
            [&self.file, &header].iter().all(|path| age(path).is_ok_and(|made| made < built))
        };
        if age(&program).is_ok_and(fresh) {
            return Ok(());
        }
        fs::create_dir_all(program.parent().unwrap_or(Path::new("/")))
            .map_err(|e| e.to_string())?;
        // Under another name first: two runs of the corpus may compile at once.
        let draft = program.with_extension(std::process::id().to_string());
        let cc = Command::new("cc")
            .args(["-O1", "-g", "-Wall", "-Wno-unused-result", "-pthread", "-o"])
            .arg(&draft)
            .arg("-I")
            .arg(root())
            .arg(&self.file)
            .args(&self.flags)
            .arg("-lrt")
            .stdin(Stdio::null())
            .output()
            .map_err(|e| format!("cc: {e}"))?;
        if !cc.status.success() {
            return Err(format!("cc: {}", String::from_utf8_lossy(&cc.stderr).trim()));
        }
        fs::rename(&draft, &program).map_err(|e| e.to_string())
    }
}

/// Compiles what must be, a few at a time. What went wrong, if anything, for each case.
pub fn compile(cases: &[Case]) -> Vec<Option<String>> {
    let todo = Mutex::new(cases.iter().enumerate());
    let wrong = Mutex::new(vec![None; cases.len()]);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = todo.lock().unwrap().next();
                    let Some((index, case)) = next else { return };
                    if case.is_compiled() && !super::stage::interrupted() {
                        wrong.lock().unwrap()[index] = case.compile().err();
                    }
                }
            });
        }
    });
    wrong.into_inner().unwrap()
}
