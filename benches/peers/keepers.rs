//! The keepers, as data: who restarts what died, told to do so as fast as it can.
//!
//! In a line and in a file, `{dir}` stands for the keeper's directory, `{job}` for the command of
//! a process as words, and `{name}` for its name. A line is for `sh -c`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::lab::Lab;

pub struct Keeper {
    pub name: &'static str,
    /// Without these it is left out.
    programs: &'static [&'static str],
    version: &'static str,
    /// What says of a process how it is kept.
    entry: Entry,
    /// Run when all processes are known.
    prepare: &'static str,
    /// The keeper itself, which stays in the foreground; or what brings it up and returns.
    start: &'static str,
    /// By this name the keeper is known among what runs: a part of its command line.
    pub mark: &'static str,
    /// Shows the state of all processes.
    pub status: Option<&'static str>,
    /// Looks at all processes once, from outside.
    pub pass: Option<&'static str>,
}

enum Entry {
    /// This line is run.
    Line(&'static str),
    /// This is appended to the file of this name, which begins with the last.
    Part(&'static str, &'static str, &'static str),
    /// This is the file of this name, which can be executed.
    Script(&'static str, &'static str),
}

pub const SENTINEL: Keeper = Keeper {
    name: "sentinel-keep healthcheck --every 1m",
    programs: &["sentinel-keep", "sentinel-run"],
    version: "sentinel-keep --version",
    entry: Entry::Line(
        "sentinel-keep --registry {dir}/registry.json register --restart-cooldown 0 --max-restarts 100000 {name} -- {job}",
    ),
    prepare: "sentinel-keep --registry {dir}/registry.json start --all",
    start: "exec sentinel-keep --registry {dir}/registry.json healthcheck --every 1m",
    mark: "healthcheck --every",
    status: Some("sentinel-keep --registry {dir}/registry.json status"),
    pass: Some("sentinel-keep --registry {dir}/registry.json healthcheck"),
};

const SUPERVISORD: Keeper = Keeper {
    name: "supervisord",
    programs: &["supervisord", "supervisorctl"],
    version: "supervisord --version",
    entry: Entry::Part(
        "supervisord.conf",
        "[program:{name}]\ncommand={job}\nautorestart=true\nstartsecs=0\nstdout_logfile={dir}/{name}.log\nredirect_stderr=true\n",
        "[supervisord]\nnodaemon=true\nuser=root\nlogfile={dir}/supervisord.log\npidfile={dir}/supervisord.pid\nminfds=4096\n\
        [unix_http_server]\nfile={dir}/sock\n[supervisorctl]\nserverurl=unix://{dir}/sock\n\
        [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n",
    ),
    prepare: "true",
    start: "exec supervisord -s -c {dir}/supervisord.conf",
    mark: "supervisord -s -c",
    status: Some("supervisorctl -c {dir}/supervisord.conf status"),
    pass: None,
};

const PM2: Keeper = Keeper {
    name: "pm2",
    programs: &["pm2", "node"],
    version: "PM2_HOME={dir}/pm2 pm2 --version | tail -n 1",
    entry: Entry::Script("run-{name}.sh", "#!/bin/sh\nexec {job}\n"),
    // One call for all: each costs half a second.
    prepare: r#"cd {dir} && { printf '{"apps":['; comma=; for s in run-*.sh; do
        printf '%s{"name":"%s","script":"%s/%s","interpreter":"none","min_uptime":0,"max_restarts":100000}' "$comma" "$s" {dir} "$s"
        comma=,; done; printf ']}'; } > apps.json"#,
    start: "PM2_HOME={dir}/pm2 pm2 start {dir}/apps.json",
    mark: "God Daemon",
    status: Some("PM2_HOME={dir}/pm2 pm2 jlist"),
    pass: None,
};

const MONIT: Keeper = Keeper {
    name: "monit, every 1 s",
    programs: &["monit"],
    version: "monit --version",
    entry: Entry::Part(
        "monitrc",
        "check process {name} with pidfile {dir}/{name}.pid\n  start program = \"{dir}/run-{name}.sh\"\n",
        "set daemon 1\nset log {dir}/monit.log\nset pidfile {dir}/monit.pid\nset idfile {dir}/monit.id\nset statefile {dir}/monit.state\n",
    ),
    prepare: "true",
    start: "exec monit -I -c {dir}/monitrc",
    mark: "monit -I",
    status: None,
    pass: None,
};

/// A directory for each process, which is what daemontools began.
const fn by_directory(
    name: &'static str,
    programs: &'static [&'static str],
    version: &'static str,
    start: &'static str,
    mark: &'static str,
) -> Keeper {
    Keeper {
        name,
        programs,
        version,
        entry: Entry::Script("service/{name}/run", "#!/bin/sh\nexec {job}\n"),
        prepare: "true",
        start,
        mark,
        status: None,
        pass: None,
    }
}

const RUNIT: Keeper = by_directory(
    "runsvdir, runsv",
    &["runsvdir", "runsv"],
    "dpkg-query -W -f 'runit ${Version}' runit",
    "exec runsvdir {dir}/service",
    "runsvdir",
);
const S6: Keeper = by_directory(
    "s6-svscan, s6-supervise",
    &["s6-svscan", "s6-supervise"],
    "dpkg-query -W -f 's6 ${Version}' s6",
    "exec s6-svscan {dir}/service",
    "s6-svscan",
);
const DAEMONTOOLS: Keeper = by_directory(
    "svscan, supervise",
    &["svscan", "supervise"],
    "dpkg-query -W -f 'daemontools ${Version}' daemontools",
    "exec svscan {dir}/service",
    "svscan",
);

pub const KEEPERS: &[Keeper] = &[SENTINEL, SUPERVISORD, PM2, MONIT, RUNIT, S6, DAEMONTOOLS];

/// A keeper at work.
pub struct Kept {
    pub keeper: &'static Keeper,
    pub dir: PathBuf,
    pub version: String,
}

/// Those that can be had; the others are named.
pub fn present(lab: &Lab) -> Vec<&'static Keeper> {
    let has = |keeper: &&Keeper| {
        let absent = keeper.programs.iter().find(|program| lab.program(program).is_none());
        if let Some(program) = absent {
            println!("Left out: {} ({program} is absent).\n", keeper.name);
        }
        absent.is_none()
    };
    KEEPERS.iter().filter(has).collect()
}

/// Has these processes, names and commands, kept. What is started stays a descendant.
pub fn keep(
    lab: &Lab,
    keeper: &'static Keeper,
    dir: PathBuf,
    processes: &[(String, String)],
) -> Kept {
    for (name, job) in processes {
        add(lab, keeper, &dir, name, job);
    }
    run(lab, keeper.prepare, &dir);
    let text = lab.shell(&keeper.version.replace("{dir}", &dir.display().to_string())).output();
    let text = text.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let version = text.unwrap_or_default().lines().next().unwrap_or_default().to_owned();
    let start = keeper.start.replace("{dir}", &dir.display().to_string());
    // Its end is that of all descendants.
    drop(quiet(&mut lab.shell(&start)).spawn().expect("there is a shell"));
    Kept { keeper, dir, version }
}

fn add(lab: &Lab, keeper: &Keeper, dir: &Path, name: &str, job: &str) {
    let fill = |text: &str| {
        let place = dir.display().to_string();
        text.replace("{dir}", &place).replace("{name}", name).replace("{job}", job)
    };
    let write = |path: &str, text: String, mode| {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().expect("it is below")).expect("it can be made");
        fs::write(&path, text).expect("it can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    match keeper.entry {
        Entry::Line(line) => run(lab, &fill(line), dir),
        Entry::Script(path, text) => write(&fill(path), fill(text), 0o755),
        Entry::Part(path, part, head) => {
            let so_far = fs::read_to_string(dir.join(path)).unwrap_or_else(|_| fill(head));
            write(path, so_far + &fill(part), 0o600);
            // For those that start nothing in the foreground.
            let text = "#!/bin/sh\n{job} &\necho $! > {dir}/{name}.pid\n";
            write(&format!("run-{name}.sh"), fill(text), 0o755);
        }
    }
}

fn run(lab: &Lab, line: &str, dir: &Path) {
    let line = line.replace("{dir}", &dir.display().to_string());
    let status = quiet(&mut lab.shell(&line)).status().expect("there is a shell");
    assert!(status.success(), "{line} ended with {status}");
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}
