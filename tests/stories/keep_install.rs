//! The net below the keeper, over the real cron and the real systemd; and a process handed over to
//! systemd altogether.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::scene::{
    Cmd, Done, KEEP, Process, Running, Scene, a_moment, can, has, is_root, skip, until, until_some,
};

/// What a shell, cron and systemd each take apart in their own way.
const NASTY: [&str; 18] = [
    "",
    " two  words ",
    "$HOME ${HOME} $$ $",
    "100% %h %% %n",
    "it's \"quoted\" `too`",
    "back\\slash\\\\n \\",
    ";",
    "a;b",
    "#no comment",
    "line\nend\r\ttab",
    "grüße 日本 \u{1f600}",
    "\u{1b}[31m\u{7f}",
    "*?[a]",
    "~/x",
    "-flag=x",
    "!@:+",
    "{a,b}",
    "<>|&",
];

/// Writes its arguments, a NUL after each.
const TELL: &str = r#"printf '%s\0' "$@" > told.new && mv told.new told"#;

/// Another one that systemd would take apart.
const PREPARE: &str = r#"printf '50%% "$HOME" \ %s' "$0" > prepared"#;

/// Mounts for one story, over what belongs to the machine.
pub struct Stage<'a> {
    scene: &'a Scene,
    /// The program on it; its mounts are seen by what is started by [`at`](Self::at).
    main: Running,
    groups: Vec<PathBuf>,
}

impl<'a> Stage<'a> {
    fn of(scene: &'a Scene, script: &str, groups: Vec<PathBuf>) -> Self {
        let unshare = scene.program("unshare").args(["--mount", "--propagation", "private"]);
        let main = at_home(scene, unshare.args(["sh", "-ec", script])).start();
        Self { scene, main, groups }
    }

    /// A program among the mounts.
    fn at(&self, program: &str) -> Cmd {
        let pid = self.main.pid().to_string();
        let wd = format!("--wdns={}", self.scene.root().display());
        let enter = self.scene.program("nsenter").args(["--mount", "--target", &pid, &wd]);
        at_home(self.scene, enter.args(["--", program]))
    }

    /// Whose mounts they are.
    pub fn pid(&self) -> u32 {
        self.main.pid()
    }

    fn keep(&self, words: &[&str]) -> Done {
        self.at(KEEP).arg("--registry").arg(self.scene.registry()).args(words).finish()
    }
}

fn at_home(scene: &Scene, command: Cmd) -> Cmd {
    let home = scene.path("ho me");
    fs::create_dir_all(&home).unwrap();
    let command = command.env("HOME", home).env("XDG_RUNTIME_DIR", "/run/user/0");
    command.with(|command| {
        command.env_remove("XDG_STATE_HOME").env_remove("XDG_CONFIG_HOME");
    })
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.main.child.kill();
            self.scene.clear_up();
        }
        let _ = self.main.child.wait();
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline && !self.groups.iter().all(|group| is_removed(group)) {
            a_moment();
        }
    }
}

fn is_removed(group: &Path) -> bool {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            is_removed(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
    !group.exists()
}

fn killed(scene: &Scene, name: &str) -> Process {
    let wrapper = scene.wrapper(name);
    wrapper.signal(Signal::KILL);
    wrapper.is_gone();
    wrapper
}

// ---- cron ------------------------------------------------------------------------------------

const CRON: &str = "
    mount -t tmpfs none /run
    mount -t tmpfs -o mode=1730 none /var/spool/cron/crontabs
    chgrp crontab /var/spool/cron/crontabs
    mount -t tmpfs none /etc/cron.d
    mount --bind /dev/null /etc/crontab
    touch staged
    exec cron -f";

fn cron<'a>(scene: &'a Scene, name: &str) -> Option<Stage<'a>> {
    if !has("cron") || !has("crontab") {
        skip(name, "cron is not installed");
        return None;
    }
    if !is_root() || !can("unshare --mount true") {
        skip(name, "needs root, and mounts of its own");
        return None;
    }
    let stage = Stage::of(scene, CRON, Vec::new());
    until("cron is there", || {
        scene.path("staged").exists()
            && stage.at("test").args(["-e", "/run/crond.pid"]).finish().code == Some(0)
    });
    // Cron compares whole seconds: what is written in the one in which it began, it never reads.
    let began = second();
    until("another second has begun", || second() > began);
    Some(stage)
}

fn second() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

const USERS: &str = "MAILTO=\"\"\n# of mine, 50% of it\n17 3 * * * echo \\%d # sentinel-keep\n";

#[test]
fn cron_starts_again_what_died() {
    let scene = Scene::new();
    let Some(stage) = cron(&scene, "cron_starts_again_what_died") else { return };
    let crontab = || stage.at("crontab").arg("-l").finish();
    let mine = scene.path("mine");
    fs::write(&mine, USERS).unwrap();
    stage.at("crontab").arg(&mine).finish().exits(0);
    stage.keep(&["register", "bot", "--grace", "1s", "--", "sleep", "981"]).exits(0);
    stage.keep(&["start", "bot"]).exits(0);
    let dead = killed(&scene, "bot");
    let began = Instant::now();

    stage.keep(&["install", "--cron", "--every", "7m"]).exits(1).says("20 or 30 minutes");
    stage.keep(&["install", "--every", "5m"]).exits(0).says("installed").says("*/5 * * * *");
    // Where every character has a meaning for somebody.
    let odd = scene.path("it's 50% \\% odd");
    fs::create_dir(&odd).unwrap();
    let alert = format!("{} --alert '%' \\\\%", "true");
    let other = stage.at(KEEP).arg("--registry").arg(odd.join("r.json"));
    other.args(["--alert-cmd", &alert, "install", "--cron", "--every", "1m"]).finish().exits(0);
    let install = ["install", "--cron", "--every", "1m"];
    stage.keep(&install).exits(0).says("installed");
    let all = crontab().stdout;
    assert!(all.starts_with(USERS) && all.lines().count() == 5, "{all}");
    stage.keep(&install).exits(0).says("unchanged");
    assert_eq!(crontab().stdout, all);

    let home = scene.path("ho me");
    let revived = loop {
        if let Some(wrapper) = scene.successor("bot", dead) {
            break wrapper;
        }
        assert!(began.elapsed() < Duration::from_secs(130), "cron did not start it: {all}");
        a_moment();
    };
    let environ = fs::read(format!("/proc/{}/environ", revived.pid)).unwrap();
    let environ = String::from_utf8_lossy(&environ).into_owned();
    assert!(environ.contains(&format!("HOME={}", home.display())), "{environ}");
    // The other line did as it should in the same minute: its registry has been looked at.
    until("the other registry is looked at", || odd.join("state").is_dir());
    stage.keep(&["status", "bot"]).exits(0);

    stage.keep(&["uninstall"]).exits(0).says("uninstalled  cron");
    assert_eq!(crontab().stdout.lines().count(), 4);
    let other = stage.at(KEEP).arg("--registry").arg(odd.join("r.json"));
    other.arg("uninstall").finish().exits(0);
    assert_eq!(crontab().stdout, USERS);
    stage.keep(&["uninstall"]).exits(0).says("nothing was installed");
    stage.keep(&["stop", "bot"]).exits(0);
    stage.main.signal(Signal::TERM);
}

#[test]
fn a_crontab_that_cannot_be_read_is_not_replaced() {
    let scene = Scene::new();
    let install = |script: &str| {
        let crontab = scene.script("bin/crontab", &format!("#!/bin/sh\n{script}\n"));
        let path = std::env::join_paths([
            crontab.parent().unwrap(),
            Path::new("/usr/bin"),
            Path::new("/bin"),
        ]);
        at_home(&scene, scene.keep("install --cron")).env("PATH", path.unwrap()).finish()
    };
    let write = "[ \"$1\" = -l ] || { cat > written; exit; }; ";
    install(&format!("{write} echo 'You (me) are not allowed' >&2; exit 1"))
        .exits(1)
        .says("not allowed");
    install(&format!("{write} head -c 20000000 /dev/zero")).exits(1).says("longer");
    assert!(!scene.path("written").exists());
    install(&format!("{write} echo 'no crontab for me' >&2; exit 1")).exits(0).says("installed");
    assert_eq!(fs::read_to_string(scene.path("written")).unwrap().lines().count(), 1);
    // As in a crontab that is not of this locale.
    install(&format!("{write} head -c 100000 /dev/zero | tr '\\0' '\\377'; echo")).exits(0);
    let written = fs::read(scene.path("written")).unwrap();
    assert!(written.starts_with(&vec![0xff; 100_000]), "other lines stay, byte for byte");
    install("echo 'bad minute' >&2; exit 1").exits(1).says("bad minute");
}

#[test]
fn what_would_be_installed_is_shown_first() {
    let scene = Scene::new();
    let shown = |words: &[&str]| {
        let keep = at_home(&scene, scene.keep("install --dry-run").args(words));
        keep.env("SENTINEL_ALERT_CMD", "notify me").env("PATH", "/bin:/usr/bin").finish()
    };
    shown(&["--cron"])
        .exits(0)
        .says("*/5 * * * * /usr/bin/env PATH=/bin:/usr/bin")
        .says("--alert-cmd 'notify me' healthcheck");
    let units = shown(&["--systemd", "--every", "90s"]).exits(0);
    units.says("--alert-cmd \"notify me\" healthcheck").says("OnUnitActiveSec=90000ms");
    let json = shown(&["--cron", "--json"]).exits(0).json();
    assert_eq!(json["did"], "would install");
    shown(&["--systemd", "--every", "10ms"]).exits(1).says("1s or more");
    shown(&["--systemd", "--cron"]).exits(2);
    assert!(!scene.path("ho me/.config").exists());
}

// ---- systemd ---------------------------------------------------------------------------------

/// A systemd of a user's own.
pub fn manager<'a>(scene: &'a Scene, name: &str) -> Option<Stage<'a>> {
    let program = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];
    let Some(program) = program.into_iter().find(|path| Path::new(path).exists()) else {
        skip(name, "systemd is not installed");
        return None;
    };
    if !is_root() || !has("systemctl") || !can("unshare --mount true") {
        skip(name, "needs root, systemctl, and mounts of its own");
        return None;
    }
    let id = scene.root().file_name().unwrap().to_owned();
    let top = Path::new("/sys/fs/cgroup");
    let trees = [top.join("systemd"), top.join("unified"), top.to_owned()];
    let trees = trees.into_iter().filter(|tree| tree.join("cgroup.procs").exists());
    let groups: Vec<PathBuf> = trees.map(|tree| tree.join(&id)).collect();
    if groups.is_empty() || groups.iter().any(|group| fs::create_dir(group).is_err()) {
        for group in &groups {
            let _ = fs::remove_dir(group);
        }
        skip(name, "no cgroup can be made");
        return None;
    }
    let join = |group: &PathBuf| format!("echo $$ > '{}/cgroup.procs'", group.display());
    let join: Vec<String> = groups.iter().map(join).collect();
    let join = join.join("\n");
    let script = format!(
        "mount -t tmpfs none /run
        mkdir -p /run/systemd/system && mkdir -p -m 700 /run/user/0
        mount -t tmpfs none /var/lib/systemd && mkdir /var/lib/systemd/linger
        touch \"/var/lib/systemd/linger/$(id -un)\"
        {join}
        exec {program} --user"
    );
    let stage = Stage::of(scene, &script, groups);
    until("the manager answers", || systemctl(&stage, "show --property=Version").code == Some(0));
    Some(stage)
}

fn systemctl(stage: &Stage<'_>, line: &str) -> Done {
    stage.at("systemctl").arg("--user").args(line.split(' ')).finish()
}

fn property(stage: &Stage<'_>, unit: &str, name: &str) -> String {
    let shown = systemctl(stage, &format!("show --value --property={name} {unit}"));
    shown.stdout.trim().to_owned()
}

pub fn end(stage: &Stage<'_>) {
    systemctl(stage, "exit");
}

/// systemd says on standard error what it does not understand, and exits with 0.
fn is_understood(stage: &Stage<'_>, unit: &Path) {
    // Whether the man pages that it names are installed here is no matter.
    let verify = stage.at("systemd-analyze").args(["--user", "--man=no", "verify"]).arg(unit);
    let verified = verify.finish().exits(0);
    assert_eq!(verified.stderr, "", "{}", fs::read_to_string(unit).unwrap());
}

#[test]
fn a_timer_of_systemd_starts_again_what_died() {
    let scene = Scene::new();
    let Some(stage) = manager(&scene, "a_timer_of_systemd_starts_again_what_died") else { return };
    stage.keep(&["register", "bot", "--grace", "1s", "--", "sleep", "982"]).exits(0);
    stage.keep(&["start", "bot"]).exits(0);
    let dead = killed(&scene, "bot");
    stage.keep(&["install", "--every", "5m"]).exits(0).says("installed  systemd");
    stage.keep(&["install", "--every", "2s"]).exits(0).says("every 2s").never_says("linger is off");

    let units = scene.path("ho me/.config/systemd/user");
    let unit = |suffix: &str| {
        let paths = fs::read_dir(&units).unwrap().map(|entry| entry.unwrap().path());
        let mut found: Vec<PathBuf> =
            paths.filter(|path| path.extension().is_some_and(|kind| kind == suffix)).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    };
    let (service, timer) = (unit("service"), unit("timer"));
    is_understood(&stage, &service);
    is_understood(&stage, &timer);
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let (service, timer) = (name(&service), name(&timer));
    assert!(service.starts_with("sentinel-keep-sentinel-story-"), "{service}");

    let revived = until_some("the timer started it", || scene.successor("bot", dead));
    let group = fs::read_to_string(format!("/proc/{}/cgroup", revived.pid)).unwrap();
    assert!(group.contains(&service), "started by the service: {group}");
    // Its service ends, begins and ends again: it stays.
    let ends = |stage: &Stage<'_>| {
        property(stage, &service, "InactiveEnterTimestampMonotonic").parse::<u64>().unwrap_or(0)
    };
    for _ in 0..2 {
        let last = ends(&stage);
        until("the service ended once more", || ends(&stage) > last);
        assert!(revived.alive(), "what it started ended with it");
    }
    assert_eq!(property(&stage, &service, "Result"), "success");
    scene.runs_once("sleep 982");

    stage.keep(&["uninstall"]).exits(0).says("uninstalled  systemd");
    let left: Vec<_> =
        fs::read_dir(&units).unwrap().flatten().filter(|e| e.path().is_file()).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(property(&stage, &timer, "ActiveState"), "inactive");
    assert!(!units.join("timers.target.wants").join(&timer).exists());
    stage.keep(&["uninstall"]).exits(0).says("nothing was installed");
    stage.keep(&["stop", "bot"]).exits(0);
    end(&stage);
}

#[test]
fn systemd_keeps_the_keeper_of_the_package() {
    let scene = Scene::new();
    let Some(stage) = manager(&scene, "systemd_keeps_the_keeper_of_the_package") else { return };
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/sentinel-keeper.service");
    let text = fs::read_to_string(unit).unwrap();
    let ours = format!("{KEEP} --registry {}", scene.registry().display());
    let text = text.replace("/usr/bin/sentinel-keep", &ours).replace("Sec=10\n", "Sec=10ms\n");
    let units = scene.path("ho me/.config/systemd/user");
    fs::create_dir_all(&units).unwrap();
    let unit = "sentinel-keeper.service";
    fs::write(units.join(unit), text).unwrap();
    is_understood(&stage, &units.join(unit));
    stage.keep(&["register", "bot", "--", "sleep", "984"]).exits(0);
    stage.keep(&["start", "bot"]).exits(0);
    systemctl(&stage, &format!("start {unit}")).exits(0);
    let keeper = || Process::of(property(&stage, unit, "MainPID").parse().unwrap());
    let first = keeper().expect("it stays");

    let dead = killed(&scene, "bot");
    let bot = until_some("the keeper started it", || scene.successor("bot", dead));
    first.signal(Signal::KILL);
    until("systemd started another keeper", || keeper().is_some_and(|keeper| keeper != first));
    systemctl(&stage, &format!("stop {unit}")).exits(0);
    assert!(keeper().is_none() && bot.alive(), "what it started ends with nobody");
    scene.runs_once("sleep 984");
    stage.keep(&["stop", "bot"]).exits(0);
    end(&stage);
}

#[test]
fn a_unit_in_the_way_is_not_replaced() {
    let scene = Scene::new();
    let Some(stage) = manager(&scene, "a_unit_in_the_way_is_not_replaced") else { return };
    let units = scene.path("ho me/.config/systemd/user");
    fs::create_dir_all(&units).unwrap();
    fs::write(units.join("sentinel-keep.timer"), "[Timer]\n").unwrap();
    let standard = |word: &str| stage.at(KEEP).arg(word).finish();
    standard("install").exits(1).says("is not ours");
    standard("uninstall").exits(0).says("absent  systemd");
    assert_eq!(fs::read_to_string(units.join("sentinel-keep.timer")).unwrap(), "[Timer]\n");
    assert!(!units.join("sentinel-keep.service").exists());
    fs::remove_file(units.join("sentinel-keep.timer")).unwrap();
    standard("install").exits(0).says("sentinel-keep.timer");
    standard("uninstall").exits(0);
    end(&stage);
}

/// An exported process, under way.
fn exported(stage: &Stage<'_>, name: &str) -> String {
    let unit = format!("sentinel-{name}.service");
    let units = stage.scene.path("ho me/.config/systemd/user");
    fs::create_dir_all(&units).unwrap();
    let text = stage.keep(&["export", "systemd", name]).exits(0).stdout;
    fs::write(units.join(&unit), text).unwrap();
    is_understood(stage, &units.join(&unit));
    stage.keep(&["deregister", name]).exits(0);
    systemctl(stage, "daemon-reload").exits(0);
    systemctl(stage, &format!("enable --now {unit}")).exits(0);
    assert_eq!(property(stage, &unit, "ActiveState"), "active");
    unit
}

#[test]
fn systemd_gives_a_process_what_it_was_registered_with() {
    let scene = Scene::new();
    let name = "systemd_gives_a_process_what_it_was_registered_with";
    let Some(stage) = manager(&scene, name) else { return };
    let place = scene.path("50% of a place");
    fs::create_dir(&place).unwrap();
    fs::write(place.join("va[r]s"), "OWN=the file's\nFROM_FILE=\"yes\"\n").unwrap();
    let script = format!("{TELL}; sleep 983; true"); // a shell leaves odd variables out
    let values = [
        "OWN=mine",
        "ODD=a $b ${c} 50% \"'\\ ü",
        "LINES=a\nb\tc",
        "ESCAPE=\u{1b}[0m",
        "my-var=x y",
    ];
    let register = stage.at(KEEP).arg("--registry").arg(scene.registry());
    let register = register.args([
        "register",
        "bot",
        "--grace",
        "1s",
        "--env-file",
        "va[r]s",
        "--after",
        "other",
        "--pre-restart",
        PREPARE,
        "--cwd",
    ]);
    let register = register.arg(&place).args(values.iter().flat_map(|value| ["--env", *value]));
    register.args(["--", "sh", "-c", &script, "sh"]).args(NASTY).finish().exits(0);
    let unit = exported(&stage, "bot");
    until("it told", || place.join("told").exists());
    let parts = |path: PathBuf| -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        text.split_terminator('\0').map(str::to_owned).collect()
    };
    assert_eq!(parts(place.join("told")), NASTY);
    let prepared = fs::read_to_string(place.join("prepared")).unwrap();
    assert_eq!(prepared, "50% \"$HOME\" \\ /bin/sh");
    let child = scene.heartbeat("bot").unwrap()["child_pid"].clone();
    let env = parts(format!("/proc/{child}/environ").into());
    for value in values.into_iter().chain(["FROM_FILE=yes"]) {
        assert!(env.iter().any(|line| line == value), "{value:?} is not in {env:?}");
    }
    assert!(env.iter().any(|line| line.starts_with("PATH=")), "{env:?}");
    systemctl(&stage, &format!("stop {unit}")).exits(0);
    assert_eq!(property(&stage, &unit, "Result"), "success");
    assert_eq!(scene.outcome("bot"), "stopped");
    scene.heartbeat("bot").expect("its files are where they were");
    end(&stage);
}

#[test]
fn systemd_keeps_an_exported_process() {
    let scene = Scene::new();
    let Some(stage) = manager(&scene, "systemd_keeps_an_exported_process") else { return };
    let script = "while [ ! -e hang ]; do echo on; sleep 0.1; done; rm hang; exec sleep 984";
    let line = "register bot --grace 1s --beat-on output --check-interval 300ms \
                --progress-timeout 1s --backoff fixed --restart-cooldown 1s -- sh -c";
    let words: Vec<&str> = line.split_whitespace().chain([script]).collect();
    stage.keep(&words).exits(0);
    let unit = exported(&stage, "bot");
    let restarts = |many: &str| {
        until(&format!("restart {many}"), || {
            property(&stage, &unit, "NRestarts") == many
                && property(&stage, &unit, "ActiveState") == "active"
        });
    };
    let first = scene.wrapper("bot");
    fs::write(scene.path("hang"), "").unwrap();
    first.is_gone();
    restarts("1");
    assert_eq!(scene.history("bot")[0]["outcome"], "hung");
    assert_eq!(scene.members_running("sleep 984"), []);

    // The wrapper itself can do nothing any more: that is what the watchdog is for.
    let second = scene.wrapper("bot");
    second.signal(Signal::STOP);
    until("the watchdog", || property(&stage, &unit, "Result") == "watchdog" || !second.alive());
    second.is_gone();
    restarts("2");
    let of_script =
        scene.members().into_iter().filter(|p| p.command_line().starts_with("sh -c while"));
    assert_eq!(of_script.count(), 1, "it runs once");

    // Somebody ends it, but not systemd.
    let third = scene.wrapper("bot");
    third.signal(Signal::TERM);
    third.is_gone();
    restarts("3");
    systemctl(&stage, &format!("stop {unit}")).exits(0);
    assert_eq!(property(&stage, &unit, "ActiveState"), "inactive");
    end(&stage);
}
