//! Whether a script can be started: it, its interpreter, and what that is made of.

use super::shebang::{self, Flaw, Shebang};
use super::{Finding, cron};
use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Of a script or program, so many bytes are read.
const HEAD: u64 = 4096;

/// What is wrong, and what to do.
struct Trouble(String, String);

fn trouble<T>(what: impl Into<String>, todo: impl Into<String>) -> Result<T, Trouble> {
    Err(Trouble(what.into(), todo.into()))
}

/// Can this script be started?
pub fn examine(path: &Path) -> Vec<Finding> {
    let search = std::env::var_os("PATH").unwrap_or_default();
    let search: Vec<PathBuf> = std::env::split_paths(&search).collect();
    let name = path.display();
    vec![match look(path, &search) {
        Ok(says) => Finding::good("script", format!("{name}: {says}")),
        Err(Trouble(says, todo)) => Finding::bad("script", format!("{name}: {says}"), todo),
    }]
}

fn look(path: &Path, search: &[PathBuf]) -> Result<String, Trouble> {
    let name = path.display();
    let head = head(path)?;
    if head.starts_with(b"\x7fELF") {
        return program(path, &head);
    }
    let shebang = match shebang::read(&head) {
        Ok(shebang) => shebang,
        Err(flaw) => return Err(explain(flaw, path)),
    };
    let says = interpreter(&shebang, search)?;
    if !may_be_executed(path) {
        return trouble(
            "it is not executable",
            format!(
                "chmod +x {name}, or register its interpreter with it: `{} {name}`",
                runner(&shebang)
            ),
        );
    }
    Ok(says)
}

/// The beginning of it. Whatever else than a file may hang whoever opens it.
fn head(path: &Path) -> Result<Vec<u8>, Trouble> {
    if let Some((link, to)) = broken_link(path) {
        let says = format!("{} leads to {}, which is not there", link.display(), to.display());
        return trouble(says, "make the link anew");
    }
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) => {
            let todo = "give its path, absolute or from here";
            return trouble(crate::os::ask::plain(&error).to_lowercase(), todo);
        }
    };
    if !meta.is_file() {
        return trouble("it is no regular file", "give the path of a script or program");
    }
    let mut bytes = Vec::new();
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    match opened.and_then(|file| file.take(HEAD).read_to_end(&mut bytes)) {
        Ok(_) => Ok(bytes),
        // A program needs no right to be read, a script does.
        Err(error) => trouble(
            format!("it cannot be read: {}", crate::os::ask::plain(&error)),
            format!("chmod u+r {}", path.display()),
        ),
    }
}

fn explain(flaw: Flaw, path: &Path) -> Trouble {
    let name = path.display();
    let (says, todo) = match flaw {
        Flaw::None => (
            "it is no program, and its first line names no interpreter (#!): a shell would run it",
            format!(
                "make its first line `#!/usr/bin/env ...`, or register its interpreter with it: `... {name}`"
            ),
        ),
        Flaw::Mark => (
            "a byte order mark stands before its #!: the kernel sees none",
            format!("sed -i '1s/^\\xEF\\xBB\\xBF//' {name}"),
        ),
        Flaw::Return => (
            "its lines end in CR LF: the kernel looks for an interpreter whose name ends in CR",
            format!("sed -i 's/\\r$//' {name}"),
        ),
        Flaw::Empty => {
            ("nobody is named after its #!", "name the interpreter, as `#!/bin/sh`".to_owned())
        }
        Flaw::Long => (
            "its first line is longer than the 255 bytes that the kernel reads",
            "use `#!/usr/bin/env NAME`, or move the interpreter to a shorter path".to_owned(),
        ),
        Flaw::Unsplit => (
            "its first line gives env a name with blanks in it: no such program",
            "use `#!/usr/bin/env -S NAME ARGUMENTS`".to_owned(),
        ),
    };
    Trouble(says.to_owned(), todo)
}

/// Who would have to be named on a command line in its place.
fn runner(shebang: &Shebang) -> &str {
    shebang.sought.as_deref().unwrap_or(&shebang.interpreter)
}

/// Finds who is to run it; in words.
fn interpreter(shebang: &Shebang, search: &[PathBuf]) -> Result<String, Trouble> {
    let named = Path::new(&shebang.interpreter);
    if !named.is_absolute() {
        return trouble(
            format!("its interpreter {} is sought from the working directory", named.display()),
            "name it by an absolute path, or by `#!/usr/bin/env NAME`",
        );
    }
    sound(named)?;
    let Some(sought) = &shebang.sought else { return Ok(format!("run by {}", named.display())) };
    let mut places = search.iter().map(|dir| dir.join(sought));
    // A name with a slash is not searched for.
    let found = if sought.contains('/') {
        Some(PathBuf::from(sought))
    } else {
        places.find(|place| place.is_file() && may_be_executed(place))
    };
    let Some(found) = found else {
        // A link in a dead environment is the usual reason.
        let dead =
            search.iter().map(|dir| dir.join(sought)).find(|place| broken_link(place).is_some());
        if let Some(dead) = dead {
            sound(&dead)?;
        }
        let says = format!("its interpreter {sought} is in no directory of PATH");
        return trouble(says, format!("install {sought}, or put its directory into PATH"));
    };
    sound(&found)?;
    let by_cron = cron::PATH.split(':').any(|dir| Path::new(dir).join(sought).exists());
    let note = if by_cron {
        ""
    } else {
        ", which cron's PATH does not lead to: it is run with the PATH of its registration"
    };
    Ok(format!("run by {}{note}", found.display()))
}

/// Sees that an interpreter is whole: there, executable, its virtual environment not stale.
fn sound(interpreter: &Path) -> Result<(), Trouble> {
    let environment = environment(interpreter);
    let again = match &environment {
        Some(dir) => format!(
            "make it again: python3 -m venv --clear {}, then install what it had",
            dir.display()
        ),
        None => format!("install {}, or name another in the first line", interpreter.display()),
    };
    if let Some((link, to)) = broken_link(interpreter) {
        let what = if environment.is_some() { "stale virtual environment: " } else { "" };
        return trouble(
            format!(
                "{what}its interpreter {} leads to {}, which is not there",
                link.display(),
                to.display()
            ),
            again,
        );
    }
    if !interpreter.exists() {
        let what = match &environment {
            Some(dir) if !dir.exists() => {
                format!("; the virtual environment {} is gone", dir.display())
            }
            Some(_) => "; stale virtual environment".to_owned(),
            None => String::new(),
        };
        return trouble(
            format!("its interpreter {} is not there{what}", interpreter.display()),
            again,
        );
    }
    if !interpreter.is_file() || !may_be_executed(interpreter) {
        let says = format!("its interpreter {} cannot be executed", interpreter.display());
        return trouble(says, format!("chmod +x {}", interpreter.display()));
    }
    match environment {
        Some(dir) => fresh(&dir, interpreter).or_else(|says| trouble(says, again)),
        None => Ok(()),
    }
}

/// The virtual environment that an interpreter is of: by the mark of one, or, if all of it is
/// gone, by its name.
fn environment(interpreter: &Path) -> Option<PathBuf> {
    let bin = interpreter.parent().filter(|bin| bin.ends_with("bin"))?;
    let dir = bin.parent()?;
    let name = interpreter.file_name()?.to_string_lossy();
    let was_one = !dir.exists() && (name.starts_with("python") || name.starts_with("pypy"));
    (dir.join("pyvenv.cfg").is_file() || was_one).then(|| dir.to_owned())
}

/// Sees that a virtual environment still fits what it was made from.
fn fresh(dir: &Path, interpreter: &Path) -> Result<(), String> {
    let settings = fs::read_to_string(dir.join("pyvenv.cfg")).unwrap_or_default();
    let setting = |wanted: &str| {
        let pairs = settings.lines().filter_map(|line| line.split_once('='));
        pairs.into_iter().find(|(key, _)| key.trim() == wanted).map(|(_, value)| value.trim())
    };
    if let Some(home) = setting("home").filter(|home| !Path::new(home).is_dir()) {
        return Err(format!(
            "stale virtual environment: it was made from {home}, which is not there"
        ));
    }
    let minor = |version: &str| {
        let mut parts = version.split('.');
        Some((parts.next()?.parse::<u32>().ok()?, parts.next()?.parse::<u32>().ok()?))
    };
    let made_for = setting("version").or_else(|| setting("version_info")).and_then(minor);
    // The last link leads to a name with the version in it, python3.11.
    let real = fs::canonicalize(interpreter).unwrap_or_default();
    let real = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_now = real.strip_prefix("python").and_then(minor);
    match (made_for, is_now) {
        (Some(made_for), Some(is_now)) if made_for != is_now => Err(format!(
            "stale virtual environment: made for Python {}.{}, and its interpreter is {real} now",
            made_for.0, made_for.1
        )),
        _ => Ok(()),
    }
}

/// The last link of a chain whose end is not there, and where it leads.
fn broken_link(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let mut link = path.to_owned();
    for _ in 0..40 {
        let to = fs::read_link(&link).ok()?;
        let to = link.parent().unwrap_or(Path::new("/")).join(to);
        if fs::symlink_metadata(&to).is_err() {
            return Some((link, to));
        }
        link = to;
    }
    None
}

fn may_be_executed(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
        && fs::metadata(path).is_ok_and(|meta| meta.mode() & 0o111 != 0)
}

/// A program of the kernel's own format.
fn program(path: &Path, head: &[u8]) -> Result<String, Trouble> {
    if !may_be_executed(path) {
        return trouble("it is not executable", format!("chmod +x {}", path.display()));
    }
    match loader(head) {
        Some(loader) if !loader.exists() => trouble(
            format!("its loader {} is not there: it was made for another system", loader.display()),
            "install the libraries it was made for, or get one made for this system",
        ),
        _ => Ok("a program".to_owned()),
    }
}

/// The loader that a program asks for (`PT_INTERP` of elf(5)), if its beginning tells.
fn loader(head: &[u8]) -> Option<PathBuf> {
    const PT_INTERP: usize = 3;
    let number = |at: usize, bytes: usize| {
        let piece = head.get(at..at.checked_add(bytes)?)?;
        let little = piece.iter().rev().fold(0, |n: u64, b| n << 8 | u64::from(*b));
        usize::try_from(little).ok()
    };
    // Little-endian ones only: with 32 bits, then with 64.
    let (table, sizes, offset, length, width) = match head.get(4..6)? {
        [1, 1] => (28, 42, 4, 16, 4),
        [2, 1] => (32, 54, 8, 32, 8),
        _ => return None,
    };
    let (start, size, count) = (number(table, width)?, number(sizes, 2)?, number(sizes + 2, 2)?);
    let entries = (0..count).filter_map(|n| start.checked_add(n.checked_mul(size)?));
    let entry = entries.into_iter().find(|entry| number(*entry, 4) == Some(PT_INTERP))?;
    let from = number(entry.checked_add(offset)?, width)?;
    let name = head.get(from..from.checked_add(number(entry + length, width)?)?)?;
    let name = name.strip_suffix(b"\0")?;
    Some(PathBuf::from(String::from_utf8_lossy(name).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn put(path: &Path, text: &str, mode: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_wrong_with_scripts() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let search = [at("bin"), "/usr/bin".into(), "/bin".into()];
        put(&at("bin/mine"), "", 0o755);
        put(&at("bin/dull"), "", 0o644);
        symlink("/no/such/python3", at("bin/dead")).unwrap();
        let own = |name: &str| format!("#!{}\n", at(name).display());
        for (text, mode, good, word) in [
            ("#!/bin/sh\n", 0o755, true, "run by /bin/sh"),
            ("#!/bin/sh\n", 0o644, false, "chmod +x"),
            ("#!/bin/sh\r\n", 0o755, false, r"sed -i 's/\r$//'"),
            ("\u{feff}#!/bin/sh\n", 0o755, false, "byte order mark"),
            ("#!/no/such/sh\n", 0o755, false, "/no/such/sh is not there"),
            ("#!sh\n", 0o755, false, "absolute"),
            ("#!/usr/bin/env sh\n", 0o755, true, "/sh"),
            ("#!/usr/bin/env mine\n", 0o755, true, "cron's PATH does not lead to"),
            ("#!/usr/bin/env dull\n", 0o755, false, "in no directory of PATH"),
            ("#!/usr/bin/env dead\n", 0o755, false, "leads to /no/such/python3"),
            ("#!/usr/bin/env nobody-has-this\n", 0o755, false, "in no directory of PATH"),
            ("#!/usr/bin/env sh -e\n", 0o755, false, "env -S"),
            ("#!/usr/bin/env -S sh -e\n", 0o755, true, "/sh"),
            (&own("bin/mine"), 0o755, true, "bin/mine"),
            (&own("bin/dull"), 0o755, false, "cannot be executed"),
            (&own("bin"), 0o755, false, "cannot be executed"),
            (&own("bin/dead"), 0o755, false, "leads to /no/such/python3"),
            (&own("gone/bin/python3"), 0o755, false, "gone is gone"),
            ("print(1)\n", 0o755, false, "no interpreter"),
            ("", 0o755, false, "no interpreter"),
        ] {
            put(&at("script"), text, mode);
            let (found, said) = match look(&at("script"), &search) {
                Ok(says) => (true, says),
                Err(Trouble(says, todo)) => (false, format!("{says}; {todo}")),
            };
            assert!(found == good && said.contains(word), "{text:?} {mode:o}: {said}");
        }
        for (path, word) in [
            (at("no"), "no such file"),
            (at("bin"), "no regular"),
            ("/dev/null".into(), "no regular"),
            (at("bin/dead"), "leads to"),
        ] {
            let found = look(&path, &search).map_err(|Trouble(says, _)| says);
            assert!(found.as_ref().is_err_and(|says| says.contains(word)), "{found:?}");
        }
    }

    #[test]
    fn a_virtual_environment_that_is_stale() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let python = at("venv/bin/python3");
        put(&at("usr/bin/python3.11"), "", 0o755);
        put(&at("venv/bin/pip"), "", 0o755);
        symlink(at("usr/bin/python3.11"), &python).unwrap();
        let home = at("usr/bin").display().to_string();
        for (settings, word) in [
            (format!("home = {home}\nversion = 3.11.2\n"), None),
            (format!("home = {home}\n"), None),
            (String::new(), None),
            (format!("home = {home}\nversion = 3.9.1\n"), Some("made for Python 3.9")),
            ("home = /no/such/bin\n".to_owned(), Some("made from /no/such/bin")),
        ] {
            put(&at("venv/pyvenv.cfg"), &settings, 0o644);
            let found = sound(&python).map_err(|Trouble(says, todo)| format!("{says}; {todo}"));
            match word {
                None => assert_eq!(found, Ok(()), "{settings}"),
                Some(word) => {
                    let said = found.unwrap_err();
                    assert!(said.contains(word) && said.contains("venv --clear"), "{said}");
                }
            }
        }
        fs::remove_file(at("usr/bin/python3.11")).unwrap();
        let Err(Trouble(says, _)) = sound(&python) else { panic!("it is gone") };
        assert!(
            says.contains("stale") && says.contains("python3.11, which is not there"),
            "{says}"
        );
    }

    #[test]
    fn the_loader_of_a_program() {
        let mut file = vec![0_u8; 256];
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"\x7fELF\x02\x01");
        put(32, &[64]); // the table, its entries, how many
        put(54, &[56, 0, 2, 0]);
        put(64, &[1]); // PT_LOAD
        put(120, &[3]);
        put(120 + 8, &[200]);
        put(120 + 32, &[9]);
        put(200, b"/lib/ld1\0");
        assert_eq!(loader(&file), Some("/lib/ld1".into()));
        assert_eq!(loader(&file[..205]), None);
        let me = fs::read(std::env::current_exe().unwrap()).unwrap();
        if cfg!(all(target_os = "linux", target_env = "gnu")) {
            assert!(loader(&me[..4096]).is_some_and(|loader| loader.exists()));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(tail: Vec<u8>) {
            let _ = loader(&tail);
            let _ = loader(&[b"\x7fELF\x02\x01", &tail[..]].concat());
        }
    }
}
