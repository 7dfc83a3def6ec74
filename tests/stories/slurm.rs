//! A cluster of Slurm on loopback, made for the story and gone with it: the scripts of `examples/slurm`
//! run on its nodes, and are watched from the login side.
//!
//! A node is a slurmd in namespaces of its own, with a host name and a boot of its own: to a watcher
//! it is another machine with the same file system, and one signal to its first process is a power cut.
//!
//! `SENTINEL_SLURM_TASKS` says how many tasks the array has, `SENTINEL_SEED` which are cancelled; both
//! are printed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Instant, SystemTime};

use rustix::process::Signal;
use serde_json::Value;

use crate::scene::{Cmd, RUN, Running, Scene, WATCH, can, has, is_root, skip, until, until_some};

/// What the daemons run in: another machine, to whoever looks at it. Its first process takes in orphans.
const NODE: &str = r#"hostname "$0"
mount --bind "$1" /proc/sys/kernel/random/boot_id
slurmd -D -N "$0" & sleep infinity & wait"#;

/// What is the same on every cluster. What is requeued runs again after 6 seconds instead of 2 minutes (`cred_expire`), and a
/// node is believed to be alive for 5.
const CONFIGURATION: &str = "
ClusterName=story
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
MpiDefault=none
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,default_queue_depth=1000,batch_sched_delay=0,sched_min_interval=0
MaxArraySize=1001
ReturnToService=2
SlurmdTimeout=5
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=main Nodes=ALL Default=YES State=UP PriorityTier=1
PartitionName=urgent Nodes=ALL State=UP PriorityTier=10
";

fn missing() -> Option<&'static str> {
    let tools = ["munged", "slurmctld", "slurmd", "sbatch", "unshare"];
    if let Some(tool) = tools.into_iter().find(|tool| !has(tool)) {
        return Some(tool);
    }
    let namespaces = "unshare --uts --pid --fork --mount --mount-proc true";
    (!is_root() || !can(namespaces)).then_some("right to make namespaces")
}

/// The cluster; what its users share is the directory of the examples.
struct Cluster<'a> {
    scene: &'a Scene,
    nodes: RefCell<BTreeMap<String, Running>>,
    _daemons: [Running; 2],
}

impl<'a> Cluster<'a> {
    #[track_caller]
    fn up(scene: &'a Scene, track: &str, nodes: usize, processors: usize) -> Self {
        let (dir, shared) = (scene.path("slurm"), scene.path("shared"));
        let at = |name: &str| dir.join(name).display().to_string();
        for place in ["state", "spool", "log"].map(at) {
            fs::create_dir_all(place).unwrap();
        }
        scene.sh(r#"cp -r "$0" "$1""#).arg(examples()).arg(&shared).finish().exits(0);

        let mut text = CONFIGURATION.to_owned();
        writeln!(text, "ProctrackType=proctrack/{track}").unwrap();
        writeln!(text, "SlurmctldPort={}", port()).unwrap();
        writeln!(text, "AuthInfo=socket={},cred_expire=5", at("munge")).unwrap();
        for (key, place) in [
            ("StateSaveLocation", "state"),
            ("SlurmdSpoolDir", "spool/%n"),
            ("SlurmctldPidFile", "slurmctld.pid"),
            ("SlurmdPidFile", "slurmd-%n.pid"),
            ("SlurmctldLogFile", "log/slurmctld"),
            ("SlurmdLogFile", "log/slurmd-%n"),
            ("PlugStackConfig", "plugstack.conf"),
        ] {
            writeln!(text, "{key}={}", at(place)).unwrap();
        }
        let names: Vec<String> = (1..=nodes).map(|n| format!("node{n}")).collect();
        for name in &names {
            let address = format!("NodeHostname={name} NodeAddr=127.0.0.1 Port={}", port());
            writeln!(text, "NodeName={name} {address} CPUs={processors}").unwrap();
        }
        fs::write(at("slurm.conf"), text).unwrap();
        fs::write(at("plugstack.conf"), "").unwrap();
        let key = at("munge.key");
        fs::write(&key, fs::read("/proc/sys/kernel/random/uuid").unwrap().repeat(4)).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();

        let munged = scene.program("munged").args(["--foreground", "--force"]).args([
            format!("--socket={}", at("munge")),
            format!("--key-file={key}"),
            format!("--pid-file={}", at("munged.pid")),
            format!("--log-file={}", at("log/munged")),
            format!("--seed-file={}", at("munge.seed")),
        ]);
        let munged = munged.start();
        until("munged listens", || Path::new(&at("munge")).exists());
        let controller = slurm(scene, "slurmctld -D -c -i").start();
        let mut started = BTreeMap::new();
        for name in names {
            let boot = dir.join(format!("boot-{name}"));
            fs::write(&boot, fs::read("/proc/sys/kernel/random/uuid").unwrap()).unwrap();
            let own = "unshare --uts --pid --fork --mount --mount-proc --kill-child bash -c";
            let node = slurm(scene, own).arg(NODE).arg(&name).arg(boot).start();
            started.insert(name, node);
        }
        let nodes_up = RefCell::new(started);
        let cluster = Cluster { scene, nodes: nodes_up, _daemons: [munged, controller] };
        let all = nodes.to_string();
        until("the nodes are idle", || cluster.says("sinfo -h -p main -t idle -o %D") == all);
        cluster
    }

    /// A program of Slurm, where its users work.
    fn slurm(&self, line: &str) -> Cmd {
        slurm(self.scene, line).cwd(self.scene.path("shared"))
    }

    /// What a program of Slurm answers; nothing, if it does not.
    fn says(&self, line: &str) -> String {
        self.slurm(line).finish().stdout.trim().to_owned()
    }

    /// Submits a job that runs this script of a shell, and watches it; its name here.
    #[track_caller]
    fn submit(&self, options: &str, script: &str) -> Task<'_> {
        let line = format!("sbatch --parsable {options} job.sbatch sh -c");
        let done = self.slurm(&line).arg(script).finish().exits(0);
        self.task(done.stdout.trim())
    }

    fn task(&self, id: &str) -> Task<'_> {
        Task { cluster: self, name: format!("sim-{id}"), id: id.to_owned() }
    }

    fn watch(&self, line: &str) -> Cmd {
        self.slurm(WATCH).args(["--dir", "sentinel"]).args(line.split_whitespace())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.scene.path("shared/sentinel").join(name)
    }

    /// What one of the jobs' files says.
    #[track_caller]
    fn json(&self, name: &str) -> Value {
        let bytes = fs::read(self.file(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A power cut: everything that runs there is gone at once, and nobody is told.
    fn cut(&self, name: &str) {
        drop(self.nodes.borrow_mut().remove(name).expect("a node"));
        let is_gone = || {
            let of_node = |line: String| line.contains(&format!("-N {name}"));
            !self.scene.members().iter().any(|process| of_node(process.command_line()))
        };
        until("the node is dead", is_gone);
    }

    /// slurmd dies alone: what it started lives on.
    fn orphan(&self, name: &str) {
        let daemons = self.scene.members_running(&format!("slurmd -D -N {name}"));
        assert!(!daemons.is_empty(), "a slurmd of {name}");
        for daemon in daemons {
            daemon.signal(Signal::KILL);
        }
    }
}

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.scene.path("slurm/log/slurmctld"));
            println!("{}", log.unwrap_or_default());
        }
        self.scene.clear_up();
    }
}

/// A port that nobody listens at, and none that the system gives to whoever connects.
fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() * 64 % 20_000).unwrap();
    loop {
        let port = 10_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/slurm")
}

/// A program with the cluster's configuration, and ours in its search path.
fn slurm(scene: &Scene, line: &str) -> Cmd {
    let ours = Path::new(RUN).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([ours].into_iter().chain(std::env::split_paths(&path)));
    let conf = scene.path("slurm/slurm.conf");
    scene.command(line).env("PATH", path.unwrap()).env("SLURM_CONF", conf)
}

/// A job of Slurm.
struct Task<'a> {
    cluster: &'a Cluster<'a>,
    id: String,
    name: String,
}

impl Task<'_> {
    /// Waits until its command runs.
    #[track_caller]
    fn is_up(&self) {
        until(&format!("{} runs", self.name), || started(self.cluster, &self.name));
    }

    /// A watcher on the login side, which ends what hangs by `scancel`.
    fn watch(&self, options: &str) -> Running {
        let watch = self.cluster.watch(options).args(["--start-wait", "1m", "--kill-cmd"]);
        watch.arg(r#"scancel "${SENTINEL_NAME#sim-}""#).args(["--json", &self.name]).start()
    }

    /// The runs there were, each with its outcome and reason.
    fn history(&self) -> Vec<(String, String)> {
        let text = fs::read_to_string(self.cluster.file(&format!("{}.history", self.name)));
        let text = text.unwrap_or_default();
        let runs = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let word = |run: &Value, key: &str| run[key].as_str().unwrap().to_owned();
        runs.map(|run| (word(&run, "outcome"), word(&run, "reason"))).collect()
    }

    /// Waits for so many runs to be over: their outcomes.
    #[track_caller]
    fn runs(&self, many: usize) -> Vec<String> {
        let runs = until_some(&format!("{many} runs of {}", self.name), || {
            Some(self.history()).filter(|history| history.len() >= many)
        });
        runs.into_iter().map(|(outcome, _)| outcome).collect()
    }
}

fn started(cluster: &Cluster<'_>, name: &str) -> bool {
    let bytes = fs::read(cluster.file(&format!("{name}.heartbeat"))).unwrap_or_default();
    serde_json::from_slice(&bytes).is_ok_and(|record: Value| record["child_pid"].is_u64())
}

/// The outcome and the reason that a watcher gives.
#[track_caller]
fn verdict(watcher: Running) -> (String, String) {
    let verdict = watcher.wait().json();
    let word = |key: &str| verdict[key].as_str().unwrap_or_default().to_owned();
    (word("outcome"), word("reason"))
}

#[test]
fn every_end_of_a_job_is_told_and_by_the_word_of_slurm() {
    if let Some(missing) = missing() {
        return skip("the ends of a job of Slurm", &format!("no {missing}"));
    }
    let scene = Scene::new();
    // By process group Slurm signals the batch script alone, or what it is by `exec`.
    let cluster = &Cluster::up(&scene, "pgid", 9, 4);
    let slurm = |line: &str| cluster.slurm(line).finish().exits(0);

    // Slurm looks for jobs at the end of their time every 30 seconds: these are waited for at last.
    let limited = cluster.submit("-w node1 --time=1", "exec sleep 3801");
    let warned = cluster.submit("-w node1 --time=1 --signal=B:TERM@60", "exec sleep 3801");
    for task in [&limited, &warned] {
        task.is_up();
    }
    slurm(&format!("scontrol update job={} EndTime=now+1second", limited.id));

    let again = "[ $SLURM_RESTART_COUNT ] || exec sleep 3802; echo after $SENTINEL_LAST_OUTCOME";
    let well = cluster.submit("-w node1", "echo done");
    let bad = cluster.submit("-w node1", "exit 3");
    let stubborn = cluster.submit("-w node1", "trap '' TERM; while :; do sleep 3803; done");
    let cancelled = cluster.submit("-w node2", "exec sleep 3801");
    let hung = cluster.submit("-w node2", DEADLOCK);
    let preempted = cluster.submit("-w node3 --exclusive", again);
    let requeued = cluster.submit("-w node4 --exclusive", again);
    let down = cluster.submit("-w node5", "exec sleep 3801");
    // What the scripts do not do: without `exec` nothing is recorded, below `srun` less is said.
    let wrap = |how: &str, command: &str| {
        let wrapped = format!(
            "{how} sentinel-run --dir sentinel --heartbeat-interval 2s --on-stop ./why.sh \
             sim-$SLURM_JOB_ID -- {command}; true"
        );
        let sbatch = cluster.slurm("sbatch --parsable -w node2 -o %j.out --wrap").arg(wrapped);
        cluster.task(sbatch.finish().exits(0).stdout.trim())
    };
    let bare = wrap("", r#"sh -c "trap '' TERM; while :; do sleep 3803; done""#);
    let step = wrap("srun", "sleep 3801");
    // Of the last four nodes Slurm chooses, for these are to go on elsewhere.
    let anywhere = "--exclude=node[1-5] --exclusive";
    let dead = cluster.submit(anywhere, again);
    let unwatched = cluster.submit(anywhere, again);
    let orphaned = cluster.submit(anywhere, "until [ -e release ]; do sleep 0.2; done");
    let up = [
        &bare, &step, &stubborn, &cancelled, &hung, &preempted, &requeued, &down, &dead,
        &unwatched, &orphaned,
    ];
    for task in up {
        task.is_up();
    }
    let watch = |task: &Task<'_>| task.watch("");
    let of_hung = hung.watch("--stale 7s");
    let ended = [&well, &bad].map(watch);
    let of_bare = watch(&bare);
    let told =
        [&step, &stubborn, &cancelled, &preempted, &requeued, &down, &limited, &warned].map(watch);
    let [of_dead, of_orphaned] = [&dead, &orphaned].map(watch);

    for task in [&bare, &step, &stubborn, &cancelled] {
        slurm(&format!("scancel {}", task.id));
    }
    slurm("sbatch -p urgent -w node3 --exclusive -o /dev/null --wrap true");
    slurm(&format!("scontrol requeue {}", requeued.id));
    slurm("scontrol update node=node5 state=down reason=story");
    let node = |task: &Task<'_>| cluster.says(&format!("squeue -h -j {} -o %N", task.id));
    let [dead_node, unwatched_node, orphaned_node] = [&dead, &unwatched, &orphaned].map(node);
    cluster.cut(&dead_node);
    cluster.cut(&unwatched_node);
    cluster.orphan(&orphaned_node);
    // By itself Slurm takes half a minute to see that.
    let nodes = format!("{dead_node},{unwatched_node},{orphaned_node}");
    slurm(&format!("scontrol update node={nodes} state=down reason=story"));

    let ends = [("success", "exit code 0"), ("failed", "exit code 3")];
    assert_eq!(ended.map(verdict), ends.map(|(outcome, why)| (outcome.into(), why.into())));
    // Nobody on a dead machine can say anything; who sees its lock let go can.
    let (outcome, reason) = verdict(of_dead);
    assert_eq!(outcome, "lost", "{reason}");
    assert!(reason.contains(&format!("on host {dead_node}")), "{reason}");
    assert_eq!(verdict(of_hung).0, "hung");
    let is = |task: &Task<'_>, what: &str| {
        cluster.says(&format!("scontrol -o show job {}", task.id)).contains(what)
    };
    until("--kill-cmd has cancelled what hangs", || is(&hung, " JobState=CANCELLED "));

    // Slurm gives the node up and starts the job elsewhere, where it is refused as long as it lives.
    until("Slurm has heard of the refusal", || is(&orphaned, " ExitCode=75:0 "));
    fs::write(scene.path("shared/release"), "").unwrap();
    assert_eq!(verdict(of_orphaned).0, "success");
    assert_eq!(orphaned.runs(1), ["success"]);

    // What ran again says so, and how it ended before is not forgotten, though nobody watched.
    for (task, first) in [(&preempted, "stopped"), (&requeued, "stopped"), (&dead, "lost")] {
        assert_eq!(task.runs(2), [first, "success"], "{}", task.name);
    }
    assert_eq!(unwatched.runs(2), ["lost", "success"]);
    assert!(unwatched.history()[0].1.contains(&unwatched_node), "{:?}", unwatched.history());
    let log = fs::read_to_string(cluster.file(&format!("{}.log", unwatched.name))).unwrap();
    assert_eq!(log, "after lost\n");

    assert_eq!(verdict(of_bare).0, "lost");
    let words = [
        "COMPLETING",
        "cancelled",
        "cancelled",
        "preempted, requeued",
        "requeued",
        "node failure, requeued",
        "time limit",
        "TERM before its end, 0:",
    ];
    for (watcher, word) in told.into_iter().zip(words) {
        let (outcome, reason) = verdict(watcher);
        println!("{outcome}: {reason}");
        assert_eq!(outcome, "stopped", "{word}: {reason}");
        assert!(reason.contains(&format!("; slurm: {word}")), "{word}: {reason}");
    }
}

/// Waits for what it holds itself.
const DEADLOCK: &str =
    "exec python3 -c 'import threading; l = threading.Lock(); l.acquire(); l.acquire()'";

/// When something happened, as seconds since 1970.
fn seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
}

/// Runs for some seconds once `go` is open, and says when it ended, and whether by itself.
const TASK: &str = r#"#!/bin/sh
at_end() { date +%s.%N > "ends/$SLURM_ARRAY_TASK_ID.$1"; }
trap 'at_end told; exit 1' TERM
: < go
sleep $((2 + SLURM_ARRAY_TASK_ID % 5)) & wait $! || { at_end told; exit 1; }
at_end done"#;

#[test]
fn an_array_is_watched_from_the_login_side_and_each_task_has_one_true_outcome() {
    if let Some(missing) = missing() {
        return skip("an array of Slurm", &format!("no {missing}"));
    }
    let variable = |name: &str, default| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let tasks: usize = variable("SENTINEL_SLURM_TASKS", 200);
    let seed = variable("SENTINEL_SEED", 4);
    let begun = Instant::now();
    let scene = Scene::new();
    // By ancestry, as by cgroup, each process of a task is signalled, one after the other.
    let cluster = &Cluster::up(&scene, "linuxproc", 4, tasks.div_ceil(4));
    scene.sh("cd shared && mkdir ends && mkfifo go").finish().exits(0);
    scene.script("shared/simulate", TASK);
    // As printed, but for how many they are; what is on a dead node is not to run again.
    let commands = printed().replace("200", &tasks.to_string());
    let watch = cluster.slurm("bash -c").arg(commands).env("SBATCH_NO_REQUEUE", "1");
    let watch = watch.env("SBATCH_ARRAY_INX", format!("1-{tasks}")).start();
    let array = 1; // the first job of a new cluster
    let names: Vec<String> = (1..=tasks).map(|task| format!("sim-{array}_{task}")).collect();
    // Until the watcher has seen it held, nobody knows what a free lock of another host means.
    let beginnings =
        || watch.stdout().lines().filter(|line| line.split(' ').nth(2) == Some("started")).count();
    until("all tasks are seen to run", || beginnings() == tasks);
    println!("{tasks} tasks run after {:.1?}; seed {seed}", begun.elapsed());

    let go = fs::OpenOptions::new().read(true).write(true).open(scene.path("shared/go")).unwrap();
    let mut dice = seed;
    let mut below = |end: usize| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice % 1_000_003 % end
    };
    let mut victims: Vec<usize> = Vec::new();
    let mut cancel = |many: usize| {
        while victims.len() < many {
            let task = 1 + below(tasks);
            if !victims.contains(&task) {
                cluster.slurm(&format!("scancel {array}_{task}")).finish().exits(0);
                victims.push(task);
            }
        }
    };
    cancel(5);
    let cut = SystemTime::now();
    cluster.cut("node2");
    cluster.orphan("node3");
    cancel(10);
    println!("cancelled: {victims:?}; node2 is dead, and the slurmd of node3");
    let done = watch.wait().exits(1);
    drop(go);

    // What is said, and when; and what is true.
    let said = verdicts(&done.stdout);
    let (mut count, mut latest) = (BTreeMap::<String, usize>::new(), f64::MIN);
    for (task, name) in (1..=tasks).zip(&names) {
        let result = cluster.json(&format!("{name}.result"));
        let host = cluster.json(&format!("{name}.heartbeat"))["host"].clone();
        let about = format!("{name} on {host}: {:?}: {result}", said.get(name));
        let ended = |how: &str| {
            let text = fs::read_to_string(scene.path(&format!("shared/ends/{task}.{how}"))).ok()?;
            text.trim().parse::<f64>().ok()
        };
        let outcome = result["outcome"].as_str().unwrap();
        let ended = match (outcome, ended("done")) {
            ("success", Some(at)) => at,
            ("stopped", done) => {
                assert!(victims.contains(&task), "{about}");
                assert!(about.contains("; slurm: cancelled"), "{about}");
                // It may have been done at the very moment when it was told.
                done.or_else(|| ended("told")).expect(&about)
            }
            ("lost", None) => {
                assert_eq!(host, "node2", "{about}");
                seconds(cut)
            }
            _ => panic!("{about}"),
        };
        let [(verdict, at)] = said.get(name).expect(&about)[..] else { panic!("{about}") };
        assert_eq!(verdict == "success", outcome == "success", "{about}");
        let recorded = humantime::parse_rfc3339(result["ended_at"].as_str().unwrap()).unwrap();
        assert!(outcome == "lost" || seconds(recorded) - ended < 2.0, "{about}, since {ended}");
        latest = latest.max(at - ended);
        assert!((-0.5..10.0).contains(&(at - ended)), "{about}, true since {ended}");
        let history = fs::read_to_string(cluster.file(&format!("{name}.history"))).unwrap();
        assert_eq!(history.lines().count(), 1, "{history}");
        *count.entry(outcome.to_owned()).or_default() += 1;
    }
    println!("{count:?}; the latest was told {latest:.2} s after its end");
    println!("{:.1?} in all", begun.elapsed());
    let list = cluster.watch("--list --json").finish().json_lines();
    assert_eq!(list.len(), tasks);
    assert!(list.iter().all(|job| job["verdict"] != "running"), "{list:?}");
}

/// The commands of the README, which those of the examples repeat.
fn printed() -> String {
    let of = |document: &Path| {
        let text = fs::read_to_string(document).unwrap();
        let begin = text.find("array=$(sbatch").expect("the commands");
        text[begin..].split("```").next().unwrap().to_owned()
    };
    let commands = of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    assert_eq!(commands, of(&examples().join("README.md")));
    commands
}

/// What a watcher has said of each job, and when: more than one verdict would be one too many.
fn verdicts(events: &str) -> BTreeMap<String, Vec<(&str, f64)>> {
    let mut all = BTreeMap::<String, Vec<(&str, f64)>>::new();
    for line in events.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if let [time, name, word @ ("success" | "failed" | "hung" | "timeout" | "missing"), ..] =
            words[..]
        {
            let at = seconds(humantime::parse_rfc3339(time).unwrap());
            all.entry(name.to_owned()).or_default().push((word, at));
        }
    }
    all
}
