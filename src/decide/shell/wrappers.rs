//! Programs that run another: where on their command line that begins.

/// How the command line of such a program is read, up to the command.
struct Wrapper {
    name: &'static str,
    /// Letters of options whose value is the next word.
    with_value: &'static str,
    /// The same for long options.
    long: &'static [&'static str],
    /// So many words stand between the options and the command.
    operands: usize,
}

const fn wrapper(
    name: &'static str,
    with_value: &'static str,
    long: &'static [&'static str],
    operands: usize,
) -> Wrapper {
    Wrapper { name, with_value, long, operands }
}

/// From their man pages.
const WRAPPERS: [Wrapper; 28] = [
    wrapper("env", "uCS", &["unset", "chdir"], 0),
    wrapper("sudo", "ugpCTRrtDhU", &["user", "group", "prompt", "host", "chdir", "chroot"], 0),
    wrapper("doas", "uC", &[], 0),
    wrapper("nice", "n", &["adjustment"], 0),
    wrapper("ionice", "cnpPu", &["class", "classdata"], 0),
    wrapper("timeout", "ks", &["kill-after", "signal"], 1),
    wrapper("gtimeout", "ks", &["kill-after", "signal"], 1), // on macOS
    wrapper("stdbuf", "ioe", &["input", "output", "error"], 0),
    wrapper("time", "fo", &["format", "output"], 0),
    wrapper("command", "", &[], 0),
    wrapper("builtin", "", &[], 0),
    wrapper("exec", "a", &[], 0),
    wrapper("xargs", "IELnPsda", &["max-args", "max-procs", "max-lines", "delimiter"], 0),
    wrapper("taskset", "", &[], 1),
    wrapper("chrt", "TPD", &[], 1),
    wrapper("flock", "wE", &["timeout", "wait", "conflict-exit-code"], 1),
    wrapper("numactl", "NmCpi", &[], 0),
    wrapper("unbuffer", "", &[], 0),
    wrapper("chronic", "", &[], 0),
    wrapper("caffeinate", "tw", &[], 0),
    wrapper("xvfb-run", "nsefpw", &[], 0),
    wrapper("dbus-run-session", "", &[], 0),
    wrapper("setarch", "", &[], 1),
    wrapper("busybox", "", &[], 0),
    wrapper("catchsegv", "", &[], 0),
    wrapper("runuser", "ugGsT", &["user", "group", "supp-group", "shell"], 0),
    wrapper("watch", "nd", &["interval"], 0),
    wrapper("sshpass", "fdpP", &[], 0),
];

/// Of how many words the wrapper at the beginning of a command line consists, itself included;
/// `None`: there is none, or it runs nothing. A word that is not known before it is expanded is
/// `None`.
pub fn length(words: &[Option<String>]) -> Option<usize> {
    let name = super::words::base(words.first()?.as_deref()?);
    let wrapper = WRAPPERS.iter().find(|wrapper| wrapper.name == name)?;
    // With `-c` it runs a script.
    if script_of_shell(words).is_some() {
        return None;
    }
    let mut at = 1;
    while let Some(Some(word)) = words.get(at) {
        if word == "--" {
            at += 1;
            break;
        }
        if name == "command" && matches!(word.as_str(), "-v" | "-V") {
            return None; // only asks where it is
        }
        if name == "env" && is_assignment(word) || name == "sudo" && is_assignment(word) {
            at += 1;
        } else if let Some(long) = word.strip_prefix("--") {
            at += 1 + usize::from(wrapper.long.contains(&long));
        } else if let Some(short) = word.strip_prefix('-').filter(|short| !short.is_empty()) {
            // The last letter of a cluster takes the next word; one before takes the rest of its own.
            let takes = short.find(|c| wrapper.with_value.contains(c));
            at += 1 + usize::from(takes.is_some_and(|place| place + 1 == short.len()));
        } else {
            break;
        }
    }
    at += wrapper.operands;
    (at < words.len()).then_some(at)
}

fn is_assignment(word: &str) -> bool {
    let name = word.split('=').next().unwrap_or_default();
    word.contains('=')
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Where the script is on the command line of a shell, after `-c`.
pub fn script_of_shell(words: &[Option<String>]) -> Option<usize> {
    let name = super::words::base(words.first()?.as_deref()?);
    let value_of = match name {
        "bash" | "sh" | "dash" | "zsh" | "ksh" | "ash" | "fish" => "oO",
        // Their options may stand behind the name of the user.
        "su" | "runuser" => return Some(command_of_su(words)? + 1).filter(|at| *at < words.len()),
        "flock" => return Some(command_of_su(words)? + 1).filter(|at| *at < words.len()),
        _ => return None,
    };
    let mut at = 1;
    let mut asked = false;
    while let Some(Some(word)) = words.get(at) {
        let Some(letters) = word.strip_prefix(['-', '+']).filter(|rest| !rest.is_empty()) else {
            break;
        };
        if letters.starts_with('-') {
            at += 1;
            continue;
        }
        if letters.contains('n') {
            return None; // it is only checked
        }
        asked |= letters.contains('c');
        at += 1 + usize::from(letters.ends_with(|c| value_of.contains(c)));
    }
    (asked && at < words.len()).then_some(at)
}

fn command_of_su(words: &[Option<String>]) -> Option<usize> {
    words.iter().position(|word| matches!(word.as_deref(), Some("-c" | "--command")))
}

/// Whether a shell is to read its script from standard input: it has no operand.
pub fn reads_script(words: &[Option<String>]) -> bool {
    let Some(Some(name)) = words.first() else { return false };
    matches!(super::words::base(name), "bash" | "sh" | "dash" | "zsh" | "ksh" | "ash")
        && words[1..].iter().all(|word| {
            word.as_deref().is_some_and(|word| {
                word.starts_with("--") || word.starts_with('-') && !word.contains(['c', 'n'])
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Option<String>> {
        text.split(' ').map(|word| (word != "?").then(|| word.to_owned())).collect()
    }

    #[test]
    fn where_the_command_begins() {
        for (line, expected) in [
            ("env A=1 B=2 x", Some(3)),
            ("env -u HOME -i x", Some(4)),
            ("sudo -u bob -E x", Some(4)),
            ("/usr/bin/sudo x", Some(1)),
            ("timeout -k 5 30 x", Some(4)),
            ("timeout --signal=KILL 30 x", Some(3)),
            ("nice -n10 x", Some(2)),
            ("nice -n 10 x", Some(3)),
            ("nice x", Some(1)),
            ("command -v nohup", None),
            ("command -- x", Some(2)),
            ("xargs -n 1 -P4 x", Some(4)),
            ("time", None),
            ("x y", None),
            ("? y", None),
        ] {
            assert_eq!(length(&words(line)), expected, "{line}");
        }
    }

    #[test]
    fn where_the_script_is() {
        for (line, expected) in [
            ("bash -c s", Some(2)),
            ("bash -lc s a", Some(2)),
            ("bash -o pipefail -c s", Some(4)),
            ("sh -e -c s", Some(3)),
            ("bash --norc -c s", Some(3)),
            ("su - bob -c s", Some(4)),
            ("flock f -c s", Some(3)),
            ("bash script -c x", None),
            ("bash", None),
            ("python -c s", None),
            ("bash -n -c s", None),
            ("bash -nc s", None),
        ] {
            assert_eq!(script_of_shell(&words(line)), expected, "{line}");
        }
        assert!(reads_script(&words("bash")) && reads_script(&words("sh -s -e")));
        assert!(!reads_script(&words("bash x.sh")) && !reads_script(&words("cat")));
        assert!(!reads_script(&words("bash -n")) && reads_script(&words("bash --norc")));
    }
}
