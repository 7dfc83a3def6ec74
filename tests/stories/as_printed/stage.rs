//! Where a document is followed: a home, a working directory with the files that it names, a
//! network of its own, and the programs on the search path as an installation puts them there.

use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::markdown::{Block, Kind};
use super::shell::Shell;
use crate::scene::{self, Cmd, Process, Scene, has};
use crate::servers::Postgres;

/// What stands for the home in the documents.
const ANN: &str = "/home/ann";

/// How long what was started has for its end, once asked.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the documents call and a system may be without.
const TOOLS: [&str; 7] = ["bash", "cc", "curl", "flock", "psql", "python3", "tar"];

/// Of the caller's environment what says how this repository is built.
const OF_THE_BUILD: [&str; 5] =
    ["CARGO_ENCODED_RUSTFLAGS", "CARGO_HOME", "CARGO_INCREMENTAL", "RUSTFLAGS", "RUSTUP_HOME"];

/// The files that the documents name.
const FILES: [(&str, &str); 13] = [
    (
        // A bot that dies once, if it has a bad night, and then goes on.
        "bot.py",
        "import os, sys, time\n\
         if os.path.exists('bad-night'):\n    \
             os.remove('bad-night')\n    \
             time.sleep(2)\n    \
             sys.exit(1)\n\
         while True:\n    \
             time.sleep(1)\n",
    ),
    (
        // A load that hangs after a while.
        "load.py",
        "import threading, time\n\
         time.sleep(1)\n\
         print('40 files loaded', flush=True)\n\
         lock = threading.Lock()\n\
         lock.acquire()\n\
         lock.acquire()\n",
    ),
    // A script of a virtual environment that is gone.
    ("import.py", "#!HOME/venv/bin/python3\nprint('imported')\n"),
    (
        "load.sh",
        "#!/bin/sh -e\n\
         for n in 1 2 3 4 5; do psql -qc \"insert into target values ($n)\"; sleep 0.2; done\n",
    ),
    (
        "export.sh",
        "#!/bin/sh -e\n\
         mkdir -p out/2026\n\
         for n in 1 2 3 4 5; do seq $n >out/2026/$n.csv; sleep 0.2; done\n",
    ),
    (
        // Answers every GET on port 8080.
        "server",
        "#!/usr/bin/env python3\n\
         from http.server import BaseHTTPRequestHandler, HTTPServer\n\
         class Handler(BaseHTTPRequestHandler):\n    \
             def do_GET(self):\n        \
                 self.send_response(204)\n        \
                 self.end_headers()\n\
         HTTPServer(('127.0.0.1', 8080), Handler).serve_forever()\n",
    ),
    // A crate whose build takes a while, as most do.
    ("Cargo.toml", "[package]\nname = \"greeting\"\nversion = \"0.1.0\"\nedition = \"2024\"\n"),
    (
        "build.rs",
        "use std::time::{Duration, Instant};\n\
         fn main() {\n    \
             let begun = Instant::now();\n    \
             while begun.elapsed() < Duration::from_secs(6) {\n        \
                 std::thread::sleep(Duration::from_millis(50));\n    \
             }\n\
         }\n",
    ),
    // The work of those who migrate, the wrapper and the loop that they have, what tells them.
    ("work.sh", "#!/bin/sh\nfor n in 1 2 3 4 5; do echo step $n; sleep 1; done\n"),
    ("wrapper.sh", include_str!("../../fixtures/seed-wrapper.sh")),
    ("monitor.sh", include_str!("../../fixtures/seed-monitor.sh")),
    ("tell", "#!/bin/sh\nexec cat >>told\n"),
    ("src/main.rs", "fn main() {\n    println!(\"hello\");\n}\n"),
];

/// The search path of the stage: of the caller's only where the peers are that may be missing.
fn search_path(bin: PathBuf) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let peers = std::env::split_paths(&path)
        .filter(|dir| super::MAY_BE_MISSING.iter().any(|peer| dir.join(peer).exists()));
    let usual = ["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from);
    std::env::join_paths(std::iter::once(bin).chain(usual).chain(peers)).unwrap()
}

/// A tool that is not there.
pub fn missing_tool() -> Option<&'static str> {
    TOOLS.into_iter().find(|tool| !has(tool))
}

pub struct Stage {
    scene: Scene,
    postgres: Option<Postgres>,
    /// The process among whose mounts the shells are, if not those of all.
    mounts_of: Option<u32>,
    /// Two documents may name the same port: where there is one network for all, they take turns.
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Stage {
    /// For the blocks of one kind of one document. The network is that of the calling thread.
    pub fn new(kind: Kind) -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = (!own_network()).then(|| TURN.lock().unwrap_or_else(PoisonError::into_inner));
        let stage = Self { scene: Scene::new(), postgres: None, mounts_of: None, _turn: turn };
        for dir in [".cargo/bin", "work", "textfiles"] {
            fs::create_dir_all(stage.home().join(dir)).unwrap();
        }
        fs::create_dir(stage.scene.path("tmp")).unwrap();
        let bin = stage.home().join(".cargo/bin");
        for program in [scene::RUN, scene::WATCH, scene::KEEP] {
            // A copy where the two are on different file systems.
            let link = r#"cp --link "$1" "$2" 2>/dev/null || cp "$1" "$2""#;
            stage.scene.sh(link).arg("sh").arg(program).arg(&bin).finish().exits(0);
        }
        let toolchain = Path::new(env!("CARGO")).parent().unwrap();
        for program in ["cargo", "rustc"] {
            std::os::unix::fs::symlink(toolchain.join(program), bin.join(program)).unwrap();
        }
        let home = stage.home().to_string_lossy().into_owned();
        for (name, content) in FILES {
            let file = stage.work().join(name);
            stage.scene.script(
                file.to_str().unwrap(),
                &content.replace("HOME", &home).replace("your_command --args", "./work.sh"),
            );
        }
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        std::os::unix::fs::symlink(examples, stage.work().join("examples")).unwrap();
        if kind == Kind::Session {
            fs::write(stage.work().join("bad-night"), "").unwrap();
        }
        stage
    }

    fn home(&self) -> PathBuf {
        self.scene.path("ann")
    }

    fn work(&self) -> PathBuf {
        self.home().join("work")
    }

    /// A file in the working directory.
    pub fn write(&self, name: &str, content: &str) {
        fs::write(self.work().join(name), content).unwrap();
    }

    /// A text with the home as the documents have it.
    pub fn as_printed(&self, text: &str) -> String {
        text.replace(&*self.home().to_string_lossy(), ANN)
    }

    /// What a block needs that no program on the machine gives: a database. False, with a word, if
    /// it cannot be had.
    pub fn prepare(&mut self, block: &Block) -> bool {
        if !block.text.contains("psql") || self.postgres.is_some() {
            return true;
        }
        let usual = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5432);
        self.postgres = Postgres::start_at(&block.place, usual);
        if let Some(postgres) = &self.postgres {
            postgres.sql(&self.scene, "create table target (n int)");
        }
        self.postgres.is_some()
    }

    /// From now on shells are among the mounts of this process, where a user's systemd is.
    pub fn go_to(&mut self, pid: u32) {
        self.mounts_of = Some(pid);
    }

    /// A bash in the working directory, with nothing of the caller's environment.
    fn bash_at_work(&self) -> Cmd {
        let path = search_path(self.home().join(".cargo/bin"));
        let bash = match self.mounts_of {
            None => self.scene.program("bash"),
            Some(pid) => self.scene.program("nsenter").args(["--mount", "--target"]).args([
                &pid.to_string(),
                &format!("--wdns={}", self.work().display()),
                "--",
                "bash",
            ]),
        };
        let bash = bash.with(|command| {
            command.env_clear().env("HOME", self.home()).env("PATH", path);
            command.envs(self.mounts_of.map(|_| ("XDG_RUNTIME_DIR", "/run/user/0")));
            command.env("TMPDIR", self.scene.path("tmp")).env("LANG", "C.UTF-8");
            command.env("CARGO_NET_OFFLINE", "true");
            command.envs([
                ("PGHOST", "127.0.0.1"),
                ("PGUSER", "story"),
                ("PGDATABASE", "postgres"),
            ]);
        });
        bash.cwd(self.work())
    }

    /// A bash for a block, in the working directory; or in the checkout, if it is about that.
    pub fn bash(&self, block: &Block) -> Cmd {
        let bash = self.bash_at_work();
        if !block.text.contains("--example") {
            return bash;
        }
        bash.cwd(env!("CARGO_MANIFEST_DIR")).with(|command| {
            for name in OF_THE_BUILD {
                command.envs(std::env::var_os(name).map(|value| (name, value)));
            }
            if std::env::var_os("CARGO_HOME").is_none() {
                let home = std::env::home_dir().expect("a home");
                command.env("CARGO_HOME", home.join(".cargo"));
            }
            let profile = Path::new(scene::RUN).parent().unwrap();
            command.env("CARGO_TARGET_DIR", profile.parent().unwrap());
        })
    }

    /// A bash to type into.
    pub fn shell(&self, block: &Block) -> Shell {
        Shell::start(self.bash(block), &self.scene.path("said"))
    }

    /// A bash to type into, for what stands in no block.
    pub fn shell_at_work(&self) -> Shell {
        Shell::start(self.bash_at_work(), &self.scene.path("said"))
    }

    /// Whether a command paints a line like this on a terminal. Once it has, it is ended.
    pub fn paints(&self, block: &Block, command: &str, there: impl Fn(&str) -> bool) -> bool {
        use rustix::fs::{OFlags, fcntl_setfl};
        let size = nix::pty::Winsize { ws_row: 24, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = nix::pty::openpty(Some(&size), None).expect("a pseudo terminal");
        fcntl_setfl(&pair.master, OFlags::NONBLOCK).unwrap();
        let (mut terminal, slave): (fs::File, OwnedFd) = (pair.master.into(), pair.slave);
        let bash = self.bash(block).args(["-c", command]);
        let mut bash = bash.start_with(|command| {
            command.stderr(slave);
        });
        let mut bytes = Vec::new();
        loop {
            let running = bash.is_running();
            let _ = terminal.read_to_end(&mut bytes);
            let text = String::from_utf8_lossy(&bytes);
            let mut lines = text.split("\r\x1b[K").map(str::trim_end);
            if lines.any(|line| there(&self.as_printed(line))) {
                return true;
            }
            if !running {
                return false;
            }
            scene::a_moment();
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Keepers, bots and servers are there to stay. Asked to, they end, and tidy up; then whatever
        // does not is ended.
        let mut asked: Vec<Process> = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let members = self.scene.members();
            if members.is_empty() {
                break;
            }
            for process in members {
                if !asked.contains(&process) {
                    process.signal(Signal::TERM);
                    asked.push(process);
                }
            }
            scene::a_moment();
        }
        self.scene.clear_up();
    }
}

/// Gives the calling thread, and all that it starts, a network with a loopback only. No port is
/// taken there, and none is reached by anybody else. It takes a privilege.
fn own_network() -> bool {
    use nix::sched::{CloneFlags, unshare};
    has("ip") && unshare(CloneFlags::CLONE_NEWNET).is_ok() && {
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).stdin(Stdio::null()).status();
        assert!(up.is_ok_and(|status| status.success()), "the loopback comes up");
        true
    }
}
