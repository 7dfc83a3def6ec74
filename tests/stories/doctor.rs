//! What the doctor finds, on machines as they are and as they should not be.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::scene::{KEEP, Mount, Process, Running, Scene, can, has, is_root, skip, until};

/// Asks the doctor about a directory and scripts, by a command line that the program is put behind
/// (`unshare …`).
#[track_caller]
fn asking(scene: &Scene, prefix: &str, at: &Path, scripts: &[PathBuf]) -> Running {
    let mut me = PathBuf::from(KEEP);
    if prefix.contains(NOBODY) {
        me = scene.path("sentinel-keep"); // where we build may be nobody else's business
        if !me.exists() {
            scene.copy(KEEP, "sentinel-keep");
        }
    }
    let line = format!("exec {prefix} {} --json --registry \"$0\" doctor \"$@\"", me.display());
    scene.sh(&line).arg(at.join("registry.json")).args(scripts).start()
}

/// What it says.
#[track_caller]
fn answer(asking: Running) -> Vec<Value> {
    let done = asking.wait();
    let found = done.json_lines();
    assert!(found.len() >= 10, "{}", done.told());
    for finding in &found {
        assert_eq!(finding["good"] == json!(true), finding["todo"].is_null(), "{finding}");
    }
    let wrong = found.iter().any(|finding| finding["good"] == json!(false));
    done.exits(i32::from(wrong));
    found
}

#[track_caller]
fn asked(scene: &Scene, prefix: &str, at: &Path, scripts: &[PathBuf]) -> Vec<Value> {
    answer(asking(scene, prefix, at, scripts))
}

/// What was found of one thing: whether it is good, and the words.
#[track_caller]
fn of(findings: &[Value], check: &str) -> (Option<bool>, String) {
    let mut of = findings.iter().filter(|finding| finding["check"] == json!(check));
    let found = of.next().unwrap_or_else(|| panic!("nothing on {check} in {findings:#?}"));
    assert!(of.next().is_none(), "more than one line on {check}");
    let words = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    (found["good"].as_bool(), format!("{}; {}", words("says"), words("todo")))
}

#[track_caller]
fn says(findings: &[Value], check: &str, good: impl Into<Option<bool>>, word: &str) {
    let (found, words) = of(findings, check);
    assert_eq!(found, good.into(), "{check}: {words}");
    assert!(words.contains(word), "{check}: {words}");
}

#[test]
fn the_doctor_leaves_a_machine_as_it_is() {
    let scene = Scene::new();
    let home = scene.path("home");
    fs::create_dir(&home).unwrap();
    let found = asked(&scene, "", &home.join("state/sentinel"), &[]);
    for check in ["locks", "rename", "sync", "events"] {
        says(&found, check, true, "");
    }
    says(&found, "directory", true, "can be made");
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
    for check in ["logout", "cron", "systemd-user", "reboot", "reaper", "waits", "inotify"] {
        of(&found, check);
    }
    scene.nothing_is_left();
}

#[test]
fn a_directory_that_others_may_write_is_found() {
    let scene = Scene::new();
    let open = scene.path("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let file = scene.path("file");
    fs::write(&file, "").unwrap();
    let (open, file) = (asking(&scene, "", &open, &[]), asking(&scene, "", &file, &[]));
    says(&answer(open), "directory", false, "everyone");
    says(&answer(file), "directory", false, "not a directory");
}

#[test]
fn a_full_and_a_read_only_disk_are_found() {
    let scene = Scene::new();
    let disk = scene.path("disk");
    let Some(_mount) = Mount::at(&disk, "mount -t tmpfs -o size=512k,mode=700 none") else {
        return skip("a_full_and_a_read_only_disk_are_found", "no file system can be mounted");
    };
    let found = asked(&scene, "", &disk, &[]);
    says(&found, "locks", true, "");
    says(&found, "space", false, "only 0 MiB");
    says(&found, "file-system", false, "tmpfs");
    let mut filler = fs::File::create(disk.join("filler")).unwrap();
    for size in [65536, 4096, 64, 1] {
        while filler.write_all(&vec![b'x'; size]).is_ok() {}
    }
    drop(filler);
    says(&asked(&scene, "", &disk, &[]), "writing", false, "No space left");
    assert!(can(&format!("mount -o remount,ro {}", disk.display())));
    let found = asked(&scene, "", &disk, &[]);
    says(&found, "directory", false, "read-only");
    assert_eq!(fs::read_dir(&disk).unwrap().count(), 1, "only the filler is there");
}

#[test]
fn a_file_system_with_a_server_is_told_and_does_not_hang_the_doctor() {
    let name = "a_file_system_with_a_server_is_told_and_does_not_hang_the_doctor";
    if !is_root() || !has("bindfs") || !Path::new("/dev/fuse").exists() {
        return skip(name, "bindfs is not installed, or may not mount");
    }
    let scene = Scene::with_directory();
    let seen = scene.path("seen");
    let Some(mount) = Mount::at(&seen, &format!("bindfs {}", scene.dir().display())) else {
        return skip(name, "bindfs may not mount");
    };
    let [server] = scene.members()[..] else { panic!("the file system has one server") };
    let found = asked(&scene, "", &seen, &[]);
    says(&found, "file-system", None, "fuse");
    says(&found, "rename", true, "");
    assert_eq!(fs::read_dir(scene.dir()).unwrap().count(), 0);
    server.signal(Signal::STOP);
    until("the server is stopped", || server.state() == Some('T'));
    let goes_on = GoesOn(server);
    let found = asked(&scene, "", &seen, &[seen.join("script")]);
    says(&found, "directory", None, "no answer");
    says(&found, "script", None, "no answer");
    says(&found, "waits", true, "");
    drop(goes_on);
    mount.unmount();
    until("the file system's server has ended", || scene.members().is_empty());
}

/// A stopped process that goes on with the end of this.
struct GoesOn(Process);

impl Drop for GoesOn {
    fn drop(&mut self) {
        self.0.signal(Signal::CONT);
    }
}

const NOBODY: &str = "setpriv --reuid 65534 --regid 65534 --clear-groups";

#[test]
fn hidden_processes_are_told() {
    let name = "hidden_processes_are_told";
    let private = "unshare --mount mount -t proc -o hidepid=2 proc /proc";
    if !is_root() || !can(private) || !can(&format!("{NOBODY} true")) {
        return skip(name, "needs root, setpriv, and a /proc of its own");
    }
    let scene = Scene::new();
    fs::set_permissions(scene.root(), fs::Permissions::from_mode(0o755)).unwrap();
    let script = format!("mount -t proc -o hidepid=2 proc /proc; exec {NOBODY} \"$@\"");
    let prefix = format!("unshare --mount sh -c '{script}' sh");
    // The numbers of another namespace name strangers.
    let namespace = asking(&scene, "unshare --pid --fork --kill-child", scene.root(), &[]);
    let found = asked(&scene, &prefix, scene.root(), &[]);
    says(&found, "proc", false, "hidepid");
    says(&found, "waits", true, "");
    says(&found, "directory", false, "belongs to another user");
    says(&found, "reaper", true, "");
    says(&answer(namespace), "proc", false, "another PID namespace");
}

#[test]
fn no_room_for_a_process_is_told() {
    let name = "no_room_for_a_process_is_told";
    // Somebody of whom there is nothing else to count.
    let alone = NOBODY.replace("65534", "61234");
    let few = format!("{alone} prlimit --nproc=1");
    if !is_root() || !can(&format!("{few} true")) {
        return skip(name, "needs root, setpriv, and prlimit");
    }
    let scene = Scene::new();
    fs::set_permissions(scene.root(), fs::Permissions::from_mode(0o755)).unwrap();
    let me = scene.copy(KEEP, "sentinel-keep");
    let line =
        format!("{few} {} --json --registry {}/r doctor", me.display(), scene.root().display());
    let found = scene.command(&line).finish().exits(1).json_lines();
    says(&found, "processes", false, "1 of 1");
    says(&found, "reaper", None, "no room for one more thread");
}

#[test]
fn a_first_process_that_reaps_nobody_is_found() {
    let name = "a_first_process_that_reaps_nobody_is_found";
    let private = "unshare --pid --fork --kill-child --mount-proc";
    if !has("perl") || !can(&format!("{private} true")) {
        return skip(name, "needs perl, and a PID namespace");
    }
    let scene = Scene::new();
    let waits_for_one =
        "my $child = fork // die; exec @ARGV or die unless $child; waitpid $child, 0; exit $? >> 8";
    let perl = format!("{private} perl -e '{waits_for_one}'");
    let (below, first) =
        (asking(&scene, &perl, scene.root(), &[]), asking(&scene, private, scene.root(), &[]));
    says(&answer(below), "reaper", false, "PID 1 (perl)");
    says(&answer(first), "reaper", None, "this very program");
}

#[test]
fn a_session_is_ended_at_logout_or_not() {
    let name = "a_session_is_ended_at_logout_or_not";
    let own = ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
    let own = own.map(Path::new).into_iter().find(|dir| dir.join("cgroup.procs").exists());
    let scene = Scene::new();
    let session = format!("user.slice/user-65534.slice/session-{}.scope", std::process::id());
    let group = own.map(|own| Group::make(own, &session));
    let Some(group) = group.flatten().filter(|_| can(&format!("unshare --mount {NOBODY} true")))
    else {
        return skip(name, "needs root, setpriv, and the right to make a cgroup");
    };
    fs::set_permissions(scene.root(), fs::Permissions::from_mode(0o755)).unwrap();
    let table = [
        ("KillUserProcesses=yes", Some(false), "loginctl enable-linger nobody"),
        ("KillUserProcesses=yes\nKillExcludeUsers=nobody", Some(true), "leaves alone"),
        ("#KillUserProcesses=no", Some(true), "leaves alone"),
        ("# nothing", None, "not set"),
    ];
    let ask = |(n, (settings, ..)): (usize, &(&str, Option<bool>, &str))| {
        let file = |kind: &str| scene.path(&format!("{kind}{n}")).display().to_string();
        fs::write(file("settings"), format!("[Login]\n{settings}\n")).unwrap();
        let stage = format!(
            r#"mount -t tmpfs none /run && mkdir /run/systemd /run/systemd/system
            mount -t tmpfs none /usr/lib/systemd
            mount -t tmpfs none /etc/systemd && cp {} /etc/systemd/logind.conf
            echo $$ > {}/cgroup.procs
            exec "$@""#,
            file("settings"),
            group.0.display()
        );
        fs::write(file("stage"), stage).unwrap();
        asking(&scene, &format!("unshare --mount sh {} {NOBODY}", file("stage")), scene.root(), &[])
    };
    let asking: Vec<Running> = table.iter().enumerate().map(ask).collect();
    for ((_, good, word), asking) in table.into_iter().zip(asking) {
        let found = answer(asking);
        says(&found, "logout", good, word);
        assert!(of(&found, "logout").1.contains("session-"));
    }
}

/// A cgroup, removed with the story.
struct Group(PathBuf);

impl Group {
    fn make(below: &Path, name: &str) -> Option<Self> {
        fs::create_dir_all(below.join(name)).ok()?;
        Some(Self(below.join(name)))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Those above stay if somebody else is in them.
        for dir in self.0.ancestors().take(3) {
            let _ = fs::remove_dir(dir);
        }
    }
}

#[test]
fn a_running_cron_is_found() {
    let name = "a_running_cron_is_found";
    let private = "unshare --mount --pid --fork --kill-child --mount-proc";
    if !is_root() || !can(&format!("{private} true")) {
        return skip(name, "needs root, and a PID namespace");
    }
    let scene = Scene::new();
    scene.script("bin/crontab", "#!/bin/sh\n");
    scene.copy("/bin/sleep", "bin/cron");
    let bin = scene.path("bin");
    let stage = |daemon: &str| {
        let start =
            if daemon.is_empty() { String::new() } else { format!("{daemon} & sleep 0.2;") };
        let path = format!("PATH={}:$PATH", bin.display());
        format!("{private} sh -c '{path}; mount -t tmpfs none /run; {start} \"$@\"' sh")
    };
    let without = asking(&scene, &stage(""), scene.root(), &[]);
    let called_so = asking(&scene, &stage("cron 982"), scene.root(), &[]);
    let real = Path::new("/usr/sbin/cron").exists();
    let with = real.then(|| asking(&scene, &stage("/usr/sbin/cron -f"), scene.root(), &[]));
    let found = answer(without);
    says(&found, "cron", false, "no cron daemon runs");
    says(&found, "reboot", false, "after a reboot");
    for found in [Some(called_so), with].into_iter().flatten().map(answer) {
        says(&found, "cron", true, "cron runs");
        says(&found, "reboot", true, "install --cron");
        says(&found, "path", true, &bin.display().to_string());
    }
    if !real {
        skip(name, "there is no real cron here: only one that is called so was found");
    }
}

#[test]
fn scripts_that_the_kernel_refuses_are_found() {
    let scene = Scene::new();
    scene.sh("mkdir venv && cd venv && mkdir -p bin lib").finish().exits(0);
    fs::write(scene.path("venv/pyvenv.cfg"), "home = /opt/python3.9/bin\nversion = 3.9.2\n")
        .unwrap();
    symlink("/opt/python3.9/bin/python3.9", scene.path("venv/bin/python")).unwrap();
    let stale = format!("#!{}\nprint(1)\n", scene.path("venv/bin/python").display());
    let gone = format!("#!{}\nprint(1)\n", scene.path("gone/bin/python").display());
    let table = [
        ("good.sh", "#!/bin/sh\nexit 0\n", ""),
        ("env.sh", "#!/usr/bin/env sh\nexit 0\n", ""),
        ("stale.py", &stale, "stale virtual environment"),
        ("gone.py", &gone, "is gone"),
        ("dos.sh", "#!/bin/sh\r\nexit 0\r\n", "CR LF"),
        ("bare.py", "print(1)\n", "no interpreter"),
        ("nobody.sh", "#!/usr/bin/env no-such-program\n", "no-such-program"),
        ("plain.sh", "#!/bin/sh\nexit 0\n", "chmod +x"),
    ];
    let mut scripts = Vec::new();
    for (name, text, _) in table {
        scripts.push(scene.script(name, text));
    }
    fs::set_permissions(&scripts[7], fs::Permissions::from_mode(0o644)).unwrap();
    let found = asked(&scene, "", scene.root(), &scripts);
    let found: Vec<&Value> = found.iter().filter(|f| f["check"] == json!("script")).collect();
    assert_eq!(found.len(), table.len());
    for (((name, _, word), script), finding) in table.iter().zip(&scripts).zip(found) {
        let said = format!("{}; {}", finding["says"], finding["todo"]);
        assert!(said.contains(name) && said.contains(word), "{said}");
        // The kernel has the last word.
        let started = Command::new(script).stderr(Stdio::null()).status();
        let runs = started.is_ok_and(|status| status.success());
        assert_eq!(finding["good"], json!(runs), "{said}");
    }
}
