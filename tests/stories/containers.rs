//! The wrapper as the first process of a real container, and a watcher outside of it.
//!
//! The containers are those of an ordinary user. He is one of a corner: a mount and a PID namespace in
//! which `/etc` knows him, and there is a cgroup v2. The image is built from the example's
//! `Containerfile`; what it is based on is unpacked once for all stories.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::json;

use crate::scene::{Cmd, Done, RUN, Scene, WATCH, can, has, is_root, skip, until};

/// A small Debian; `scripts/install-test-tools.sh` makes it.
const DEBIAN: &str = "/var/cache/sentinel-test-tools/debian.tar";
/// The user whose containers these are.
const USER: u32 = 61235;

/// `$1` is the home of the user, the rest makes the corner. It ends, and all in it, when the test
/// process does: then the pipe closes that this reads from.
const GUARD: &str = r#"
home=$1
shift
unshare --mount --pid --fork --kill-child --mount-proc "$@" "$home" </dev/null >"$home/log" 2>&1 &
corner=$!
echo $corner >"$home/started" && mv "$home/started" "$home/corner.pid"
read -r _
kill -s KILL $corner
wait $corner
rm -rf "$home"
"#;

/// Makes the corner in the home `$1`. Its first process then waits for whatever is orphaned there.
const CORNER: &str = r#"
set -e
mount --make-rshared /
mount -t cgroup2 none /sys/fs/cgroup
cd "$1"
mkdir etc run
echo "story:x:$0:$0::$1:/bin/sh" | cat /etc/passwd - >etc/passwd
echo "story:x:$0:" | cat /etc/group - >etc/group
echo story:200000:65536 | tee etc/subuid >etc/subgid
for file in passwd group subuid subgid; do mount --bind etc/$file /etc/$file; done
chown $0:$0 . run
# The engine keeps a process that holds its namespaces: begun here, it is of no story.
setpriv --reuid $0 --regid $0 --clear-groups env HOME="$1" XDG_RUNTIME_DIR="$1/run" \
    STORAGE_DRIVER=overlay podman unshare true
touch ready
while :; do sleep 3600 & wait; done
"#;

/// An engine with an image.
struct Engine {
    home: PathBuf,
    /// Its first process, as its number is here.
    corner: u32,
    /// Closed with this process.
    _guard: (Child, ChildStdin),
}

/// The engine, if there can be one here; else it is said.
fn engine(story: &str) -> Option<&'static Engine> {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    let missing = ["podman", "crun", "newuidmap", "nsenter", "setpriv", "strip"]
        .into_iter()
        .find(|tool| !has(tool));
    if let Some(tool) = missing {
        skip(story, &format!("no {tool}"));
    } else if !Path::new(DEBIAN).exists() {
        skip(story, &format!("no {DEBIAN}"));
    } else if !is_root()
        || !can("unshare --mount --pid --fork --mount-proc mount -t cgroup2 none /sys/fs/cgroup")
    {
        skip(story, "needs root, and a cgroup v2 to mount");
    } else {
        return Some(ENGINE.get_or_init(Engine::start));
    }
    None
}

impl Engine {
    fn start() -> Self {
        let home = tempfile::Builder::new().prefix("sentinel-podman-").tempdir().unwrap().keep();
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "guard"]).arg(&home);
        guard.args(["sh", "-c", CORNER, &USER.to_string()]).current_dir("/");
        guard.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut guard = guard.spawn().expect("a shell can be started");
        let pipe = guard.stdin.take().unwrap();
        until("the corner is made", || {
            let log = || fs::read_to_string(home.join("log")).unwrap_or_default();
            assert!(guard.try_wait().unwrap().is_none(), "no corner: {}", log());
            home.join("ready").exists()
        });
        let pid = fs::read_to_string(home.join("corner.pid")).unwrap();
        let pid = pid.trim();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        let corner = children.trim().parse().expect("the corner has one first process");
        let engine = Self { home, corner, _guard: (guard, pipe) };
        engine.make_image();
        engine
    }

    /// As the README of the example does it, on a base of our own.
    fn make_image(&self) {
        let scene = Scene::new();
        let context = self.home.join("context");
        fs::create_dir(&context).unwrap();
        for program in [RUN, WATCH] {
            let name = Path::new(program).file_name().unwrap();
            scene.command("strip -o").arg(context.join(name)).arg(program).finish().exits(0);
        }
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/containers");
        fs::copy(example.join("Containerfile"), self.home.join("Containerfile")).unwrap();
        let import = format!("podman import -q {DEBIAN} localhost/debian");
        self.program(&scene, &self.home, &import).finish().exits(0);
        let build = "podman build --format docker -t sentinel -f Containerfile \
                     --build-arg BASE=localhost/debian context";
        self.program(&scene, &self.home, build).finish().exits(0);
    }

    /// A program of the user's, in the corner.
    fn program(&self, scene: &Scene, cwd: &Path, line: &str) -> Cmd {
        let (home, cwd) = (self.home.display(), cwd.display());
        scene.command(&format!(
            "nsenter --target {} --mount --pid setpriv --reuid {USER} --regid {USER} --clear-groups \
             env -C {cwd} HOME={home} XDG_RUNTIME_DIR={home}/run STORAGE_DRIVER=overlay {line}",
            self.corner
        ))
    }
}

/// A job in a container of its own, with its files outside.
struct Container {
    engine: &'static Engine,
    scene: Scene,
    name: String,
}

impl Container {
    fn of(story: &str) -> Option<Self> {
        let engine = engine(story)?;
        let scene = Scene::with_directory();
        for dir in [scene.root().to_owned(), scene.dir()] {
            chown(dir, Some(USER), Some(USER)).unwrap();
        }
        let name = scene.root().file_name().unwrap().to_str().unwrap().to_owned();
        Some(Self { engine, scene, name })
    }

    fn podman(&self, line: &str) -> Cmd {
        self.engine.program(&self.scene, self.scene.root(), &format!("podman {line}"))
    }

    /// `podman run`: its options, the image, and the command are in the line.
    fn run(&self, line: &str) -> Cmd {
        // Limits that a user without privileges can have, and no network of its own.
        self.podman(&format!(
            "run --name {} --replace --ulimit nofile=1024:1024 --ulimit nproc=2000:2000 --net none \
             -v {}:/sentinel {line}",
            self.name,
            self.scene.dir().display()
        ))
    }

    /// A watcher outside the container: the user, with the very same program.
    fn watch(&self, line: &str) -> Cmd {
        let program = self.engine.home.join("context/sentinel-watch");
        let line = format!("{} --dir {} {line}", program.display(), self.scene.dir().display());
        self.engine.program(&self.scene, self.scene.root(), &line)
    }

    /// What the engine's own look at its health says.
    fn health(&self) -> Done {
        self.podman(&format!("healthcheck run {}", self.name)).finish()
    }

    /// The same container once more, until its command runs.
    #[track_caller]
    fn start_again(&self) {
        let last = self.scene.history("job").pop().expect("it has run")["run_id"].clone();
        self.podman(&format!("start {}", self.name)).finish().exits(0);
        until("the command runs again", || {
            let record = self.scene.heartbeat("job");
            record.is_some_and(|record| record["run_id"] != last && record["child_pid"].is_u64())
        });
    }

    #[track_caller]
    fn is_over(&self, exit: i32) {
        let waited = self.podman(&format!("wait {}", self.name)).finish().exits(0);
        assert_eq!(waited.stdout, format!("{exit}\n"), "{}", waited.told());
    }

    fn outcomes(&self) -> Vec<String> {
        let past = self.scene.history("job");
        past.iter().map(|run| run["outcome"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.podman(&format!("rm --force --time 0 {}", self.name)).finish();
    }
}

#[test]
fn in_a_container_it_is_the_first_process_and_its_end_is_that_of_its_command() {
    let name = "in_a_container_it_is_the_first_process_and_its_end_is_that_of_its_command";
    let Some(container) = Container::of(name) else { return };
    let watcher = container.watch("--start-wait 40s job").start();
    let success = container.run("sentinel sh -c 'echo part 1 of 1'").finish().exits(0);
    assert_eq!(success.stdout, "part 1 of 1\n", "{}", success.told());
    watcher.wait().exits(0).says("success  job");

    // Orphans, which die as zombies of the first process; the command waits until none is there.
    let orphans = r#"
        for n in 1 2 3 4 5; do (setsid sh -c "sleep 0.05 & sleep 0.01 & exit 0" &); done
        sleep 0.1
        for n in $(seq 300); do
            cat /proc/[0-9]*/stat 2>/dev/null | grep -q -e ") Z " -e "(sleep)" || exit 5
            sleep 0.1
        done
        exit 6"#;
    container.run("sentinel sh -c").arg(orphans).finish().exits(5);
    assert_eq!(container.scene.read("job.pid"), "1\n");
    container.watch("job").finish().exits(1).says("failed  job  exit code 5");
    assert_eq!(container.outcomes(), ["success", "failed"]);
}

#[test]
fn a_container_is_stopped_or_killed_and_the_watcher_outside_is_told() {
    let name = "a_container_is_stopped_or_killed_and_the_watcher_outside_is_told";
    let Some(container) = Container::of(name) else { return };
    let scene = &container.scene;
    container.run("-d sentinel sh -c 'setsid sleep 992 & sleep 993'").finish().exits(0);
    scene.is_up("job");
    container.health().exits(0);
    let watcher = container.watch("job").start();
    // Ten seconds after TERM the engine would kill.
    let stopped = container.podman(&format!("stop {}", container.name)).finish().exits(0);
    assert!(stopped.took < Duration::from_secs(8), "{}", stopped.told());
    watcher.wait().exits(1).says("stopped");
    assert_eq!(scene.result("job")["signal"], json!("SIGTERM"));
    assert_eq!(scene.result("job")["survivors"], json!([]));
    assert_eq!(scene.heartbeat("job").unwrap()["pid"], json!(1));

    // Its first process is given no time.
    container.start_again();
    let watcher = container.watch("job").start();
    container.podman(&format!("kill --signal KILL {}", container.name)).finish().exits(0);
    watcher.wait().exits(1).says("failed  job").says("lost");
    container.is_over(137);
    assert_eq!(container.outcomes(), ["stopped", "lost"]);

    // Nobody watches, and another container takes its place: that one writes it down.
    container.start_again();
    container.podman(&format!("kill {}", container.name)).finish().exits(0);
    container.is_over(137);
    container.run("sentinel true").finish().exits(0).says("the last run of job lost its wrapper");
    assert_eq!(container.outcomes(), ["stopped", "lost", "lost", "success"]);
}

/// Looks often. Its command is stopped and stays so.
const HUNG: &str = "--entrypoint sentinel-run sentinel --heartbeat-interval 200ms --stale 1s \
                    --grace 1s job -- sh -c 'kill -STOP $$; sleep 3600'";

#[test]
fn a_hung_container_is_ended_by_its_engine_and_recorded_as_hung() {
    let name = "a_hung_container_is_ended_by_its_engine_and_recorded_as_hung";
    let Some(container) = Container::of(name) else { return };
    let scene = &container.scene;
    container.run(&format!("-d {HUNG}")).finish().exits(0);
    until("the engine finds it ill", || container.health().code == Some(1));
    // Its number 1 is somebody else here.
    let told = container.watch("--once job").finish().exits(3);
    told.says("another PID namespace").says("--kill-cmd");
    assert_eq!(scene.status("job"), None);
    // The name of the host is that of the container. Asked by the engine, the wrapper records itself.
    container.watch("job --kill-cmd").arg(r#"podman stop "$SENTINEL_HOST""#).finish().exits(3);
    container.is_over(124);
    assert_eq!(scene.outcome("job"), "hung");

    // A first process that was killed records nothing: the watcher does.
    container.start_again();
    container.watch("job --kill-cmd").arg(r#"podman kill "$SENTINEL_HOST""#).finish().exits(3);
    container.is_over(137);
    assert_eq!(container.outcomes(), ["hung", "hung"]);
}

#[test]
fn in_the_pid_namespace_of_the_watcher_a_container_is_ended_like_any_job() {
    let name = "in_the_pid_namespace_of_the_watcher_a_container_is_ended_like_any_job";
    let Some(container) = Container::of(name) else { return };
    container.run(&format!("-d --pid host {HUNG}")).finish().exits(0);
    container.watch("job").finish().exits(3).says("hung  job");
    container.is_over(124);
    assert_ne!(container.scene.read("job.pid"), "1\n");
    assert_eq!(container.outcomes(), ["hung"]);
}
