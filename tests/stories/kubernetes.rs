//! The manifests of `examples/kubernetes`: held against the published schemas, and their command
//! lines run as they stand there, but for the paths.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::scene::{Cmd, RUN, Running, Scene, WATCH, has, skip, until};

/// From the first one whose schema has `podFailurePolicy` right to the newest one known.
const VERSIONS: [&str; 4] = ["1.29", "1.31", "1.34", "1.37"];
/// Has the reader of YAML that the checker works with.
const PYTHON: &str = "/usr/local/lib/sentinel-test-tools/bin/python";

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/kubernetes")
}

fn can_read(story: &str) -> bool {
    let able = has("kubernetes-validate") && Path::new(PYTHON).exists();
    if !able {
        skip(story, "no kubernetes-validate");
    }
    able
}

/// The documents of a file.
fn documents(scene: &Scene, file: &str) -> Vec<Value> {
    let load = "import json, sys, yaml; print(json.dumps([*yaml.safe_load_all(sys.stdin)]))";
    let text = fs::File::open(examples().join(file)).unwrap();
    let python = scene.program(PYTHON).args(["-c", load]);
    let done = python
        .start_with(|command| {
            command.stdin(text);
        })
        .wait()
        .exits(0);
    serde_json::from_str(&done.stdout).expect("an array of documents")
}

/// The pod's specification in the Job.
fn job_pod(scene: &Scene) -> (Value, Value) {
    let mut all = documents(scene, "job.yaml");
    let job = all.remove(1);
    assert_eq!(job["kind"], json!("Job"));
    let pod = job["spec"]["template"]["spec"].clone();
    (job, pod)
}

/// The words of a command in a manifest.
fn words(value: &Value) -> Vec<String> {
    let all = value.as_array().expect("a list of words");
    all.iter().map(|word| word.as_str().expect("a word").to_owned()).collect()
}

/// The value of an option of the wrapper, in seconds.
fn seconds(command: &[String], option: &str) -> u64 {
    let value = command.iter().find_map(|word| word.strip_prefix(&format!("{option}=")));
    let value =
        value.and_then(|value| value.strip_suffix('s')).and_then(|value| value.parse().ok());
    value.unwrap_or_else(|| panic!("{option} is not given in seconds: {command:?}"))
}

#[test]
fn kubernetes_accepts_the_manifests() {
    if !can_read("kubernetes_accepts_the_manifests") {
        return;
    }
    let scene = Scene::new();
    let check = |version: &str, file: &Path| {
        scene.command(&format!("kubernetes-validate --strict -k {version}")).arg(file).finish()
    };
    let mut checked = Vec::new();
    for entry in fs::read_dir(examples()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "yaml") {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let many = documents(&scene, &name).len();
        for version in VERSIONS {
            let done = check(version, &path).exits(0);
            let told = done.stdout.clone() + &done.stderr;
            assert_eq!(told.matches(" passed ").count(), many, "{}", done.told());
        }
        checked.push(name);
    }
    checked.sort();
    assert_eq!(checked, ["job.yaml", "watch.yaml"]);

    // What is wrong is found: a key that nobody knows, a value of another kind.
    let good = fs::read_to_string(examples().join("job.yaml")).unwrap();
    for (word, wrong) in
        [("backoffLimit:", "backOffLimit:"), ("periodSeconds: ", "periodSeconds: x")]
    {
        let copy = scene.path("wrong.yaml");
        assert!(good.contains(word));
        fs::write(&copy, good.replace(word, wrong)).unwrap();
        check(VERSIONS[3], &copy).exits(1).says("did not validate");
    }
}

#[test]
fn the_times_of_a_manifest_fit_each_other() {
    if !can_read("the_times_of_a_manifest_fit_each_other") {
        return;
    }
    let scene = Scene::new();
    let (_, pod) = job_pod(&scene);
    let container = &pod["containers"][0];
    let command = words(&container["command"]);
    let (grace, stale) = (seconds(&command, "--grace"), seconds(&command, "--stale"));
    // The kubelet kills after its own time: the wrapper has to be through before.
    let patience = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(patience > grace + 5, "{patience} s are not more than {grace} s and a reserve");
    // A stale job is ended and recorded by its wrapper, which beats meanwhile: the kubelet may not act
    // on the one bad answer that it can get just before.
    let probe = &container["livenessProbe"];
    let number = |key: &str| probe[key].as_u64().unwrap();
    assert!(command.contains(&"--end-if-stale".to_owned()));
    assert!(number("failureThreshold") >= 2);
    assert!(number("timeoutSeconds") <= number("periodSeconds"));
    assert!(number("periodSeconds") < stale, "a look at each of its states");
    // The files are on the volume, below its root, and where the programs are looked for.
    for (file, pod) in
        [("job.yaml", pod), ("watch.yaml", documents(&scene, "watch.yaml")[0]["spec"].clone())]
    {
        let container = &pod["containers"][0];
        let mounted = container["volumeMounts"].as_array().unwrap();
        let place = mounted.iter().find(|mount| mount["name"] == "sentinel").unwrap();
        let dir = format!("{}/jobs", place["mountPath"].as_str().unwrap());
        assert_eq!(container["env"], json!([{"name": "SENTINEL_DIR", "value": dir}]), "{file}");
        assert_eq!(pod["securityContext"]["runAsUser"], json!(10001), "{file}");
    }
}

/// The pod of the Job, with its volumes in a scene.
struct Pod {
    scene: Scene,
    container: Value,
}

impl Pod {
    /// After its init container.
    fn of(scene: Scene) -> (Self, Value) {
        let (job, pod) = job_pod(&scene);
        fs::create_dir(scene.path("programs")).unwrap();
        let this = Self { scene, container: pod["containers"][0].clone() };
        let copy = words(&pod["initContainers"][0]["command"]);
        this.exec(&copy).finish().exits(0);
        (this, job)
    }

    /// A command of a manifest: where its programs and files are is all that differs.
    fn exec(&self, command: &[String]) -> Cmd {
        let built = Path::new(RUN).parent().unwrap().to_str().unwrap();
        assert_eq!(Path::new(WATCH).parent(), Path::new(RUN).parent());
        let programs = self.scene.path("programs");
        let programs = programs.to_str().unwrap();
        let here = |word: &String| {
            word.replace("/opt/sentinel", programs).replace("/usr/local/bin", built)
        };
        let words: Vec<String> = command.iter().map(here).collect();
        let path = std::env::var("PATH").unwrap_or_default();
        let program = self.scene.program(&words[0]).args(&words[1..]);
        program.env("SENTINEL_DIR", self.scene.dir()).env("PATH", format!("{programs}:{path}"))
    }

    /// The container, as it stands in the manifest.
    fn start(&self) -> Running {
        self.start_with(&words(&self.container["args"]), |_| ())
    }

    /// The same with another command of the user's, or other times.
    fn start_with(&self, args: &[String], change: impl FnOnce(&mut Vec<String>)) -> Running {
        let mut all = words(&self.container["command"]);
        change(&mut all);
        all.extend_from_slice(args);
        self.exec(&all).start()
    }

    fn sh(&self, script: &str) -> Running {
        self.start_with(&["sh".into(), "-c".into(), script.into()], |_| ())
    }

    fn probe(&self) -> Cmd {
        self.exec(&words(&self.container["livenessProbe"]["exec"]["command"]))
    }

    #[track_caller]
    fn probe_says(&self, code: i32) {
        self.probe().finish().exits(code);
    }
}

#[test]
fn the_container_of_the_manifest_ends_with_its_verdict() {
    if !can_read("the_container_of_the_manifest_ends_with_its_verdict") {
        return;
    }
    let (pod, job) = Pod::of(Scene::new());
    let watcher =
        words(&documents(&pod.scene, "watch.yaml")[0]["spec"]["containers"][0]["command"]);
    let watcher = pod.exec(&watcher).start();
    let first = pod.start();
    pod.scene.is_up_as("load", &first);
    pod.probe_says(0);
    // A second pod of the Job, while the first one runs.
    let second = pod.start().wait().exits(75);
    assert_eq!(action(&job, second.code), "Ignore");
    let done = first.wait().exits(0);
    assert!(done.stdout.ends_with("part 5 of 5\n"), "{}", done.told());
    watcher.wait().exits(0).says("success  load");
    pod.probe_says(0);

    // What `fsGroup` makes of a volume's files before the next pod has them.
    let given = "find \"$DIR\" -type d -exec chmod g+rwxs {} + -o -exec chmod g+rw {} +";
    pod.scene.sh(given).finish().exits(0);
    for _ in 0..3 {
        let failed = pod.sh("exit 3").wait().exits(3);
        assert_eq!(action(&job, failed.code), "Count");
        pod.probe_says(1);
    }
    let refused = pod.start().wait().exits(69);
    assert_eq!(action(&job, refused.code), "FailJob");
}

/// What becomes of the Job when a pod ends so.
fn action(job: &Value, code: Option<i32>) -> String {
    let rules = job["spec"]["podFailurePolicy"]["rules"].as_array().unwrap();
    let fits = |rule: &&Value| {
        let codes = rule["onExitCodes"]["values"].as_array();
        codes.is_some_and(|codes| codes.contains(&json!(code)))
    };
    rules.iter().find(fits).map_or("Count", |rule| rule["action"].as_str().unwrap()).to_owned()
}

#[test]
fn the_container_of_the_manifest_is_stopped_or_hangs() {
    if !can_read("the_container_of_the_manifest_is_stopped_or_hangs") {
        return;
    }
    let (pod, job) = Pod::of(Scene::new());
    let patience = job["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as_u64();
    let stopped = pod.sh("sleep 995 & sleep 996");
    pod.scene.is_up_as("load", &stopped);
    stopped.signal(Signal::TERM);
    let done = stopped.wait();
    assert!(done.took < Duration::from_secs(patience.unwrap()), "{}", done.told());
    assert_eq!(pod.scene.outcome("load"), "stopped");
    pod.scene.nothing_is_left();

    // Stops itself whenever it is woken. A minute takes a second here, and the grace is short.
    let stuck = "trap 'echo asked' TERM; while :; do kill -STOP $$; done";
    let hung = pod.start_with(&["sh".into(), "-c".into(), stuck.into()], |command| {
        for (option, value) in [("--stale", "1s"), ("--grace", "3s")] {
            let place = command.iter().position(|word| word.starts_with(option)).unwrap();
            command[place] = format!("{option}={value}");
        }
        command.insert(1, "--heartbeat-interval=200ms".into());
    });
    let asked = || fs::read_to_string(pod.scene.file("load.log")).is_ok_and(|log| log == "asked\n");
    until("the wrapper has asked it to end", asked);
    // It beats while it ends it: the kubelet has no cause to interfere. If it does, nothing of what is
    // recorded changes.
    until("the probe is content", || pod.probe().finish().code == Some(0));
    hung.signal(Signal::TERM);
    hung.wait().exits(124);
    assert_eq!(pod.scene.outcome("load"), "hung");
    pod.probe_says(1);
    pod.scene.nothing_is_left();
}
