//! What may differ between what a document prints and what is printed now, and nothing else.

use std::sync::LazyLock;

use regex_lite::Regex;

/// Each mask with what it leaves, in the order in which they are laid on.
const MASKS: [(&str, &str); 12] = [
    // A moment: 2026-11-22T03:22:21.974Z.
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "MOMENT"),
    // The PID in what a process is called: sh[7798].
    (r"\[\d+\]", "[PID]"),
    // pid 26506, pid: 29162, (wrapper 29161).
    (r"\b(pid:?|wrapper) \d+", "$1 PID"),
    // The line of a detached start: name, PID, directory.
    (r"^([^\t]+)\t\d+\t", "$1\tPID\t"),
    (r"\buid \d+", "uid UID"),
    // A bar, 45 %, 15 of 40 steps, 2/s.
    (r"\[#*-*\]", "[BAR]"),
    (r"\b\d+(\.\d+)? ?%", "SHARE"),
    (r"\b\d+ of (\d+) ", "SO MANY of $1 "),
    (r"\b\d+(\.\d+)?/s\b", "RATE"),
    // Of memory: 4.7M.
    (r"\b\d+(\.\d+)?[KMG]\b", "SIZE"),
    // A duration: 43s, 0.0 s, 1m2s, 1m 35s.
    (r"\b\d+(\.\d+)? ?(ms|[smhd])( ?\d+(\.\d+)?(ms|[smhd]))*\b", "TIME"),
    // The last word of a cell that was cut; how much of it is left depends on the PID before it.
    (r" [^ ]*…", " …"),
];

/// The lines of a text under the masks. A table is as wide as what is masked in it: so blanks count
/// as one.
pub fn masked(text: &str) -> Vec<String> {
    static COMPILED: LazyLock<Vec<(Regex, &str)>> =
        LazyLock::new(|| MASKS.map(|(mask, left)| (Regex::new(mask).unwrap(), left)).into());
    let blanks = Regex::new(" +").unwrap();
    let mask = |line: &str| {
        let lay = |line: String, (mask, left): &(Regex, &str)| {
            mask.replace_all(&line, *left).into_owned()
        };
        let line = COMPILED.iter().fold(line.to_owned(), lay);
        blanks.replace_all(line.trim_end(), " ").into_owned()
    };
    text.lines().map(mask).collect()
}

#[test]
fn masks_hide_what_may_differ_and_nothing_else() {
    let alike = [
        ("build\t24410\t/jobs", "build\t7\t/jobs"),
        ("bot   running     2s  1    4.7M   0%", "bot  running  1m2s   1  12G  0.4 %"),
        ("sh[1] S, 0.0 s CPU; after 1m 35s", "sh[22] S, 12.5 s CPU; after 40s"),
        ("15 of 40 steps, 2/s  [##--]  42 %", "3 of 40 steps, 1.5/s  [----]  7 %"),
        ("x[29162]: waits for relea…", "x[7]: waits for releas…"),
    ];
    for (one, other) in alike {
        assert_eq!(masked(one), masked(other));
    }
    let different = [
        ("bot  running  2s  1  4.7M", "bot  running  2s  2  4.7M"),
        ("exit status 5", "exit status 0"),
        ("exit code 1 after 2s", "exit code 3 after 2s"),
        ("open after 3 failures", "open after 2 failures"),
        ("log: x.log (0 lines)", "log: x.log (1 line)"),
        ("running  build  for 5s", "running  build  for 5s, quiet for 1s"),
        ("120 pages", "119 pages"),
        ("15 of 40 steps", "15 of 41 steps"),
    ];
    for (one, other) in different {
        assert_ne!(masked(one), masked(other));
    }
}
