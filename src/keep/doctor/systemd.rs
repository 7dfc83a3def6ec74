//! What systemd and its logind would do to us, as far as their files and answers tell.

use super::LIMIT;
use crate::os::bounded;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where settings may be; the first overrides files of the same name in the others.
const ROOTS: [&str; 4] =
    ["/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"];

/// Whether systemd runs this machine (`sd_booted(3)`).
pub fn is_there() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// The name of the user we are.
pub fn user() -> Option<String> {
    nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.name)
}

/// Whether the user's manager starts with the machine and outlives every logout; `None`: cannot
/// be told.
pub fn lingers() -> Option<bool> {
    Path::new("/var/lib/systemd/linger").join(user()?).try_exists().ok()
}

/// What logind was told to do at a logout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logind {
    /// `KillUserProcesses=`; `None` where it is not set.
    pub kills: Option<bool>,
    /// What the file shows as the default it was built with.
    pub built: Option<bool>,
    /// `KillOnlyUsers=`; nobody: all.
    pub only: Vec<String>,
    /// `KillExcludeUsers=`.
    pub but: Vec<String>,
}

impl Logind {
    /// Whether it kills what a session of this user leaves behind; `None`: cannot be told.
    pub fn ends(&self, user: &str) -> Option<bool> {
        let named = |users: &[String]| users.iter().any(|name| name == user);
        if named(&self.but) || !(self.only.is_empty() || named(&self.only)) {
            return Some(false);
        }
        self.kills.or(self.built)
    }
}

/// The settings of logind.
pub fn logind() -> Logind {
    logind_of(&ROOTS.map(PathBuf::from))
}

fn logind_of(roots: &[PathBuf]) -> Logind {
    let mut found = Logind { kills: None, built: None, only: vec![], but: vec!["root".into()] };
    let main = roots.iter().find_map(|root| read(&root.join("logind.conf")));
    let main = main.unwrap_or_default();
    found.built = main.lines().find_map(|line| {
        let setting = line.trim().strip_prefix(['#', ';'])?.trim();
        boolean(setting.strip_prefix("KillUserProcesses")?.trim_start().strip_prefix('=')?)
    });
    apply(&mut found, &main);
    // One file of each name, sorted by it wherever it is; the later ones win.
    let mut pieces: BTreeMap<_, PathBuf> = BTreeMap::new();
    for root in roots {
        let entries = std::fs::read_dir(root.join("logind.conf.d")).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        for path in paths.filter(|path| path.extension().is_some_and(|kind| kind == "conf")) {
            pieces.entry(path.file_name().map(ToOwned::to_owned)).or_insert(path);
        }
    }
    for path in pieces.values() {
        apply(&mut found, &read(path).unwrap_or_default());
    }
    found
}

/// A file of settings; a link to /dev/null, which is how one is switched off, is an empty one.
fn read(path: &Path) -> Option<String> {
    let meta = std::fs::metadata(path).ok()?;
    if !meta.is_file() {
        return Some(String::new());
    }
    std::fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn apply(to: &mut Logind, text: &str) {
    let mut section = "";
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| section == "[Login]") else {
            continue;
        };
        match key.trim() {
            "KillUserProcesses" => to.kills = boolean(value).or(to.kills),
            "KillOnlyUsers" => extend(&mut to.only, value),
            "KillExcludeUsers" => extend(&mut to.but, value),
            _ => {}
        }
    }
}

/// Lists grow with each line; an empty one begins them anew.
fn extend(list: &mut Vec<String>, value: &str) {
    if value.trim().is_empty() {
        list.clear();
    }
    list.extend(value.split_whitespace().map(str::to_owned));
}

fn boolean(value: &str) -> Option<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}

/// `KillMode=` of a unit: what its stop ends; `None`: cannot be told.
pub fn kill_mode(unit: &str, of_user: bool) -> Option<String> {
    let manager = if of_user { "--user" } else { "--system" };
    let answer =
        systemctl(&[manager, "show", "--property=KillMode", "--value", "--", unit]).ok()?;
    Some(answer).filter(|answer| !answer.is_empty())
}

/// Whether the user's manager answers, and else why not.
pub fn user_manager() -> Result<(), String> {
    systemctl(&["--user", "show", "--property=Version", "--value"]).map(drop)
}

/// What it prints, or why it does not.
fn systemctl(args: &[&str]) -> Result<String, String> {
    let mut command = Command::new("systemctl");
    command.args(args);
    let answer = bounded::run(command, b"", LIMIT)?;
    if answer.status.success() { Ok(answer.stdout.trim().to_owned()) } else { Err(answer.words()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn whose_processes_are_ended() {
        let logind = |kills, built, only: &[&str], but: &[&str]| Logind {
            kills,
            built,
            only: names(only),
            but: names(but),
        };
        let (yes, no) = (Some(true), Some(false));
        for (settings, user, ends) in [
            (logind(yes, None, &[], &["root"]), "ann", yes),
            (logind(yes, None, &[], &["root"]), "root", no),
            (logind(yes, None, &[], &[]), "root", yes),
            (logind(yes, None, &["bob"], &[]), "ann", no),
            (logind(yes, None, &["bob"], &[]), "bob", yes),
            (logind(no, yes, &[], &[]), "ann", no),
            (logind(None, yes, &[], &[]), "ann", yes),
            (logind(None, no, &[], &[]), "ann", no),
            (logind(None, None, &[], &[]), "ann", None),
            (logind(None, None, &[], &["ann"]), "ann", no),
        ] {
            assert_eq!(settings.ends(user), ends, "{settings:?} {user}");
        }
    }

    #[test]
    fn settings_come_from_all_places_and_the_later_win() {
        let dir = tempfile::tempdir().unwrap();
        let roots = ["etc", "run", "usr"].map(|root| dir.path().join(root));
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let nothing = Logind { kills: None, built: None, only: vec![], but: names(&["root"]) };
        assert_eq!(logind_of(&roots), nothing);
        write("usr/logind.conf", "[Login]\n#KillUserProcesses=yes\n");
        assert_eq!(logind_of(&roots).built, Some(true));
        write("etc/logind.conf", "[Login]\n#KillUserProcesses=no\nKillExcludeUsers=ann\n");
        let found = logind_of(&roots);
        assert_eq!((found.kills, found.built), (None, Some(false)));
        assert_eq!(found.but, names(&["root", "ann"]));
        write("usr/logind.conf.d/50-kill.conf", "[Login]\nKillUserProcesses = yes\n");
        assert_eq!(logind_of(&roots).kills, Some(true));
        write("run/logind.conf.d/60-keep.conf", "[Login]\nKillUserProcesses=off\n");
        write("etc/logind.conf.d/40-other.conf", "[Login]\nKillUserProcesses=yes\n");
        assert_eq!(logind_of(&roots).kills, Some(false), "60 is after 50, wherever it is");
        std::os::unix::fs::symlink("/dev/null", dir.path().join("etc/logind.conf.d/60-keep.conf"))
            .unwrap();
        assert_eq!(logind_of(&roots).kills, Some(true), "/etc switches one of /run off");
        write(
            "etc/logind.conf.d/90.conf",
            "[Other]\nKillUserProcesses=no\n[Login]\nKillExcludeUsers=\n",
        );
        write("etc/logind.conf.d/95.txt", "[Login]\nKillUserProcesses=no\n");
        let found = logind_of(&roots);
        assert_eq!((found.kills, found.but), (Some(true), vec![]));
        write("etc/logind.conf.d/99.conf", "[Login]\nKillUserProcesses=perhaps\n");
        assert_eq!(logind_of(&roots).kills, Some(true), "nonsense is no setting");
    }
}
