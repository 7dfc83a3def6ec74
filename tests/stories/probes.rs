//! Probes: what somebody else can say of a job is evidence, and none of it is the job's own doing.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::scene::{Mount, Running, Scene, has, is_root, skip, until};

const QUICK: &str = "--heartbeat-interval 100ms --grace 300ms";
/// Each probe has as long to answer: on a busy machine, too, that must do for what does answer.
const OFTEN: &str = "--progress-interval 400ms";

fn start(scene: &Scene, options: &str, probe: [&str; 2], command: &str) -> Running {
    let often = if options.contains("--progress-interval") { "" } else { OFTEN };
    let run = scene.run(&format!("{QUICK} {often} {options}")).args(probe);
    let wrapper = run.args(["job", "--", "sh", "-c", command]).start();
    scene.is_up_as("job", &wrapper);
    wrapper
}

#[track_caller]
fn end(scene: &Scene, wrapper: Running) {
    scene.stop("job");
    wrapper.wait();
    scene.nothing_is_left();
}

/// Waits until the heartbeat's evidence has these words.
#[track_caller]
fn evidence(scene: &Scene, kind: &str, words: &str) {
    until(&format!("{kind}: {words}"), || {
        scene.heartbeat("job").is_some_and(|record| {
            record["evidence"]["kind"] == json!(kind)
                && record["evidence"]["detail"].as_str().is_some_and(|it| it.contains(words))
        })
    });
}

/// A watcher finds it hung and ends it; the reason in the result.
#[track_caller]
fn becomes_hung(scene: &Scene, wrapper: Running) -> String {
    scene.watched("--poll-interval 200ms job").exits(3);
    wrapper.wait().exits(124);
    let result = scene.result("job");
    assert_eq!(result["outcome"], json!("hung"));
    scene.nothing_is_left();
    result["reason"].as_str().unwrap().to_owned()
}

/// How often a probe was asked that leaves a line each time.
fn asked(scene: &Scene) -> usize {
    fs::read_to_string(scene.path("asked")).unwrap_or_default().lines().count()
}

/// A server that answers every GET with this status; 0: it accepts, and never answers.
struct Server {
    address: SocketAddr,
    status: Arc<AtomicU16>,
    answered: Arc<AtomicUsize>,
}

impl Server {
    fn start(first: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let status = Arc::new(AtomicU16::new(first));
        let answered = Arc::new(AtomicUsize::new(0));
        let (current, count) = (Arc::clone(&status), Arc::clone(&answered));
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for mut stream in listener.incoming().flatten() {
                let status = current.load(Ordering::SeqCst);
                if status == 0 {
                    held.push(stream);
                    count.fetch_add(1, Ordering::SeqCst);
                    continue;
                }
                let mut request = [0; 4096];
                let _ = stream.read(&mut request);
                let location = "Location: http://127.0.0.1:1/\r\nContent-Length: 0\r\n";
                let _ = write!(stream, "HTTP/1.1 {status} Told\r\n{location}\r\n");
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { address, status, answered }
    }

    fn url(&self) -> String {
        format!("http://{}/health", self.address)
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }
}

#[test]
fn a_counter_that_grows_is_progress() {
    let scene = Scene::new();
    let count = "n=0; while :; do n=$((n+1)); echo $n rows > n.new; mv n.new n; sleep 0.05; done";
    let wrapper = start(&scene, "--stale 20s", ["--progress-cmd", "cat n"], count);
    evidence(&scene, "progress", "rows");
    scene.beats("job", 5);
    let progress = scene.heartbeat("job").unwrap()["progress"].clone();
    assert!(progress.as_str().is_some_and(|text| text.ends_with(" rows")), "{progress}");
    scene.watched("--once job").exits(5);
    end(&scene, wrapper);
}

#[test]
fn a_job_that_is_busy_and_gets_nowhere_is_hung() {
    let scene = Scene::new();
    // It talks and computes all the time, and the count stands still.
    let probe = ["--progress-cmd", "echo 42 rows"];
    let wrapper = start(&scene, "--stale 2s", probe, "while :; do echo noise; done");
    let reason = becomes_hung(&scene, wrapper);
    assert!(
        reason.contains("no beat for") && reason.contains("progress: 42 rows, unchanged for"),
        "{reason}"
    );
}

#[test]
fn a_progress_probe_that_fails_is_no_evidence_and_says_why() {
    let scene = Scene::new();
    let command = "echo ask >> asked; echo 7; echo 'no such table: rows' >&2; exit 4";
    let wrapper = start(&scene, "--stale 2s", ["--progress-cmd", command], "sleep 981");
    let reason = becomes_hung(&scene, wrapper);
    assert!(reason.contains("progress: no such table: rows, "), "{reason}");
    assert!(reason.contains(" failures in a row"), "{reason}");
    assert!(asked(&scene) > 2);
}

#[test]
fn a_failing_probe_is_mentioned_beside_other_evidence() {
    let scene = Scene::new();
    let probe = ["--progress-cmd", "echo refused >&2; exit 1"];
    let wrapper = start(&scene, "--stale 20s --beat-on auto,alive", probe, "sleep 982");
    evidence(&scene, "alive", "the command exists; progress: refused, ");
    end(&scene, wrapper);
}

#[test]
fn files_that_grow_are_progress() {
    let scene = Scene::new();
    let write = "mkdir out; i=0; while [ ! -e stop ]; do i=$((i+1)); head -c 700 /dev/zero >> \
                 out/part-$((i%3)).csv; sleep 0.05; done; sleep 983";
    let probe = ["--progress-file", "out/*.csv"];
    let wrapper = start(&scene, "--stale 2s", probe, write);
    evidence(&scene, "progress", "3 files, ");
    scene.beats("job", 3);
    let progress = scene.heartbeat("job").unwrap()["progress"].clone();
    assert!(progress.as_str().is_some_and(|text| text.contains("KiB")), "{progress}");
    fs::write(scene.path("stop"), "").unwrap();
    let reason = becomes_hung(&scene, wrapper);
    assert!(reason.contains("progress: 3 files, "), "{reason}");
}

#[test]
fn patterns_start_where_the_command_works() {
    let scene = Scene::new();
    fs::create_dir(scene.path("work")).unwrap();
    let probe = ["--progress-file", "*.part"];
    let write = "echo one > a.part; exec sleep 984";
    let wrapper = start(&scene, "--stale 20s -C work", probe, write);
    evidence(&scene, "progress", "1 file, 4 B");
    end(&scene, wrapper);
}

#[test]
fn health_counts_until_it_fails_three_times_and_again_when_it_is_back() {
    let scene = Scene::new();
    fs::write(scene.path("well"), "").unwrap();
    let command = "echo ask >> asked; test -e well || { echo 'no answer' >&2; exit 1; }";
    let wrapper = start(&scene, "--stale 20s", ["--health-cmd", command], "sleep 985");
    evidence(&scene, "health", "exit code 0");
    scene.beats("job", 3);
    fs::remove_file(scene.path("well")).unwrap();
    evidence(&scene, "health", "no answer (");
    // Asked on, and not one beat more.
    let ill = asked(&scene) + 4;
    until("it has failed for long", || asked(&scene) >= ill);
    let last = scene.last_beat("job");
    until("it was asked again and again", || asked(&scene) >= ill + 5);
    assert_eq!(scene.last_beat("job"), last);
    fs::write(scene.path("well"), "").unwrap();
    scene.beats("job", 3);
    evidence(&scene, "health", "exit code 0");
    end(&scene, wrapper);
}

#[test]
fn how_many_failures_are_an_illness_can_be_said() {
    let scene = Scene::new();
    let patient = "--failure-threshold 5 --progress-interval 100ms --stale 20s";
    let wrapper = start(&scene, patient, ["--health-cmd", "echo ill >&2; false"], "exec sleep 992");
    evidence(&scene, "health", "ill (4 of 5 failures)");
    until("it is ill", || {
        let record = scene.heartbeat("job").unwrap();
        let asked_on = record["trouble"].as_str().is_some_and(|it| it.contains("health: ill, "));
        asked_on && record["evidence"]["detail"] == json!("ill (4 of 5 failures)")
    });
    end(&scene, wrapper);
    // The first failure is an illness: nothing is left to count.
    let strict = "--failure-threshold 1 --stale 1500ms --end-if-stale";
    let wrapper = start(&scene, strict, ["--health-cmd", "echo ill >&2; false"], "exec sleep 992");
    wrapper.wait().exits(124);
    assert_eq!(scene.heartbeat("job").unwrap()["evidence"]["kind"], json!("started"));
    scene.ran("--failure-threshold 0 job -- true").exits(125).says("expected more than 0");
}

#[test]
fn a_server_is_well_while_it_answers_well() {
    let server = Server::start(200);
    let scene = Scene::new();
    let url = server.url();
    let wrapper = start(&scene, "--stale 2s", ["--health-http", &url], "sleep 986");
    evidence(&scene, "health", "HTTP 200");
    server.answers(302); // an answer, not a way to go
    evidence(&scene, "health", "HTTP 302");
    scene.beats("job", 3);
    server.answers(503);
    let reason = becomes_hung(&scene, wrapper);
    assert!(reason.contains("; health: HTTP 503, "), "{reason}");
}

#[test]
fn a_server_that_accepts_and_never_answers_is_ill() {
    let server = Server::start(0);
    let scene = Scene::new();
    let url = server.url();
    let wrapper = start(&scene, "--stale 2s", ["--health-http", &url], "sleep 987");
    let reason = becomes_hung(&scene, wrapper);
    assert!(reason.contains("; health: "), "{reason}");
    assert!(
        reason.contains("no answer in time") || reason.contains("has not answered"),
        "{reason}"
    );
    assert!(server.answered.load(Ordering::SeqCst) > 2);
}

#[test]
fn a_server_that_is_not_there_is_ill() {
    let scene = Scene::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}/");
    let wrapper = start(&scene, "--stale 2s", ["--health-http", &url], "sleep 988");
    let reason = becomes_hung(&scene, wrapper);
    assert!(reason.to_lowercase().contains("refused"), "{reason}");
}

#[test]
fn a_probe_that_hangs_is_killed_and_asked_again_and_holds_nothing_up() {
    let scene = Scene::new();
    // With a child that ignores TERM, in a session of its own.
    let hang = "echo ask >> asked; setsid sh -c 'trap \"\" TERM; sleep 989; :' & sleep 990";
    let wrapper =
        start(&scene, "--stale 20s --beat-on auto,alive", ["--health-cmd", hang], "sleep 991");
    evidence(&scene, "alive", "health: has not answered for 0.");
    until("it was asked again", || asked(&scene) >= 4);
    let many = scene.members().iter().filter(|it| it.command_line() == "sleep 990").count();
    assert!(many <= 1, "{many} at once");
    scene.beats("job", 3);
    end(&scene, wrapper);
}

#[test]
fn a_probe_under_way_does_not_delay_the_end() {
    let scene = Scene::new();
    let run = scene.run("--heartbeat-interval 100ms --progress-interval 30s");
    let run = run.args(["--progress-cmd", "echo > begun; sleep 992", "job", "--", "sh", "-c"]);
    run.arg("until [ -e begun ]; do sleep 0.02; done; exit 3").finish().exits(3);
    let result = scene.result("job");
    assert_eq!(result["survivors"], json!([]));
    assert_eq!(result["outcome"], json!("failed"));
    assert!(result["duration_s"].as_f64().unwrap() < 20.0, "{result}");
    scene.nothing_is_left();
}

#[test]
fn a_probe_that_prints_without_end_is_cut_off() {
    let scene = Scene::new();
    let flood = "echo ask >> asked; head -c 100000000 /dev/zero | tr '\\0' x";
    let options = "--stale 40s --beat-on auto,alive --progress-interval 10s";
    let wrapper = start(&scene, options, ["--progress-cmd", flood], "sleep 993");
    evidence(&scene, "alive", "progress: it printed more than 16 MiB");
    let wrapper_pid = wrapper.pid();
    let status = fs::read_to_string(format!("/proc/{wrapper_pid}/status")).unwrap();
    let rss = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = rss.trim().trim_end_matches(" kB").trim().parse().unwrap();
    assert!(kib < 40_000, "the wrapper took {kib} KiB");
    end(&scene, wrapper);
}

#[test]
fn a_long_answer_counts_to_its_last_byte() {
    let scene = Scene::new();
    // A MiB that never changes, and then what does.
    let long = "head -c 1000000 /dev/zero | tr '\\0' x; cat n";
    let count = "n=0; while :; do n=$((n+1)); echo $n > n.new; mv n.new n; sleep 0.05; done";
    let wrapper = start(&scene, "--stale 20s", ["--progress-cmd", long], count);
    evidence(&scene, "progress", "xxxx");
    scene.beats("job", 4);
    end(&scene, wrapper);
}

#[test]
fn what_a_probe_leaves_behind_is_killed_and_never_taken_for_the_job() {
    let scene = Scene::new();
    // One in its group, and a daemon; both hold the pipes open and would be activity.
    let leave = "echo ask >> asked; (while :; do :; done) & setsid sh -c 'while :; do sleep 0.01; done' & sleep 0.05; echo 5";
    let options = "--stale 2s --beat-on progress --max-cpu 60";
    let wrapper = start(&scene, options, ["--progress-cmd", leave], "exec sleep 994");
    until("it was asked a few times", || asked(&scene) >= 3);
    let reason = becomes_hung(&scene, wrapper);
    assert!(reason.contains("progress: 5, unchanged for"), "{reason}");
    let result = scene.result("job");
    assert_eq!(result["survivors"], json!([]));
    assert!(result["cpu_s"].as_f64().unwrap() < 0.1, "{result}");
    let diagnosis = result["diagnosis"].as_str().unwrap();
    assert!(diagnosis.contains("sleep[") && !diagnosis.contains("sh["), "{diagnosis}");
}

#[test]
fn a_probe_is_no_activity_and_nothing_that_a_limit_counts() {
    let scene = Scene::new();
    let busy = "echo ask >> asked; i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done";
    let options = "--stale 2s --beat-on activity --max-cpu 20";
    let wrapper = start(&scene, options, ["--health-cmd", busy], "sleep 995");
    // A second of probing, and more: neither does it beat for the job nor is it held against it.
    let reason = becomes_hung(&scene, wrapper);
    assert!(reason.starts_with("no beat for"), "{reason}");
    let used = scene.result("job")["cpu_s"].as_f64().unwrap();
    assert!(asked(&scene) > 2 && used < 0.1, "{used} s of CPU");
}

#[test]
fn a_probe_knows_whom_it_is_asked_about() {
    let scene = Scene::new();
    let ask = "echo \"$SENTINEL_NAME $SENTINEL_RUN_ID $SENTINEL_PIDS ${NOTIFY_SOCKET-none}\" > \
               seen.new; mv seen.new seen; grep ^SigBlk: /proc/self/status; umask; pwd; read x; echo \"[$x]\"";
    let wrapper = start(
        &scene,
        "--stale 20s",
        ["--progress-cmd", &format!("{{ {ask}; }} > all.new; mv all.new all; cat all")],
        "exec sleep 996",
    );
    evidence(&scene, "progress", "SigBlk:\t0000000000000000".replace('\t', " ").as_str());
    let record = scene.heartbeat("job").unwrap();
    let told = format!("job {} {} none\n", record["run_id"].as_str().unwrap(), record["child_pid"]);
    assert_eq!(fs::read_to_string(scene.path("seen")).unwrap(), told);
    let all = fs::read_to_string(scene.path("all")).unwrap();
    let here = scene.sh("umask; pwd").finish().stdout;
    assert!(all.contains(&format!("{here}[]\n")), "{all}");
    end(&scene, wrapper);
}

#[test]
fn the_hook_of_a_hung_job_and_what_it_starts_have_no_signal_blocked() {
    let scene = Scene::new();
    let run = scene.run(QUICK).args("--end-if-stale --stale 500ms --beat-on output".split(' '));
    let run = run.args(["--on-hang", "grep ^SigBlk: /proc/self/status > blocked"]);
    run.args(["job", "--", "sleep", "997"]).finish().exits(124);
    let blocked = fs::read_to_string(scene.path("blocked")).unwrap();
    assert_eq!(blocked, "SigBlk:\t0000000000000000\n");
}

#[test]
fn what_makes_no_sense_is_refused_with_the_way_out() {
    let scene = Scene::new();
    let table: [(&[&str], &str); 9] = [
        (&["--beat-on", "progress"], "--progress-cmd or --progress-file"),
        (&["--beat-on", "output,health"], "--health-cmd or --health-http"),
        (&["--beat-on", "progress", "--health-cmd", "true"], "--progress-cmd or --progress-file"),
        (&["--health-http", "https://localhost/x"], "curl -fsS 'https://localhost/x'"),
        (&["--health-http", "localhost:80"], "expected http://HOST"),
        (&["--progress-file", "a[b"], "expected a pattern"),
        (&["--health-cmd", " "], "--health-cmd is empty"),
        (
            &["--health-cmd", "true", "--stale", "1m", "--progress-interval", "30s"],
            "twice the --progress-interval (30s)",
        ),
        (&["--health-cmd", "true", "--progress-interval", "0"], "more than 0"),
    ];
    for (options, words) in table {
        scene.run("").args(options).args(["job", "--", "true"]).finish().exits(125).says(words);
    }
    assert!(!scene.file("job.pid").exists());
}

#[test]
fn the_stale_threshold_leaves_room_for_the_probes() {
    let table = [
        ("--progress-cmd true", 300.0),
        ("--health-cmd true", 60.0),
        ("--health-cmd true --progress-interval 40s", 120.0),
        ("--health-cmd true --stale 25s", 25.0),
        ("--heartbeat-interval 1m --progress-cmd true", 360.0),
        ("--beat-on app,health --health-cmd true --progress-interval 1h --stale 30s", 30.0),
    ];
    for (options, stale) in table {
        let scene = Scene::new();
        scene.ran(&format!("{options} job -- true")).exits(0);
        assert_eq!(scene.heartbeat("job").unwrap()["stale_s"], json!(stale), "{options}");
    }
}

#[test]
fn probes_work_in_the_background_and_end_with_a_killed_command() {
    let scene = Scene::new();
    let options = format!("{QUICK} {OFTEN} --detach --stale 20s --progress-cmd");
    let run = scene.run(&options).args(["date +%N; sleep 998 &", "job", "--", "sleep", "999"]);
    run.finish().exits(0);
    scene.is_up("job");
    scene.beats("job", 3);
    scene.stop("job");
    scene.nothing_is_left();
}

#[test]
fn a_lost_wrapper_leaves_no_probe() {
    let scene = Scene::new();
    let probe = ["--health-cmd", "echo ask >> asked; sleep 1000"];
    let options = "--stale 100s --progress-interval 30s";
    let wrapper = start(&scene, options, probe, "sleep 1001");
    until("the probe is under way", || asked(&scene) == 1);
    wrapper.signal(rustix::process::Signal::KILL);
    wrapper.wait();
    scene.watched("job").exits(1);
    scene.nothing_is_left();
}

#[test]
fn a_slow_probe_delays_no_beat() {
    let scene = Scene::new();
    let options = "--stale 20s --beat-on alive --progress-interval 10s";
    let wrapper =
        start(&scene, options, ["--progress-cmd", "echo ask >> asked; sleep 1002"], "sleep 1003");
    until("the probe is under way", || asked(&scene) == 1);
    scene.beats("job", 8);
    assert_eq!(asked(&scene), 1);
    end(&scene, wrapper);
}

#[test]
fn both_kinds_together_and_one_of_them_is_enough() {
    let scene = Scene::new();
    let run = scene.run(&format!("{QUICK} {OFTEN} --stale 20s")).args(["--progress-cmd", "echo 1"]);
    let run = run.args(["--health-cmd", "true", "job", "--", "sleep", "1004"]);
    let wrapper = run.start();
    scene.is_up_as("job", &wrapper);
    evidence(&scene, "health", "exit code 0");
    scene.beats("job", 4);
    assert_eq!(scene.heartbeat("job").unwrap()["progress"], json!("1"));
    end(&scene, wrapper);
    assert_eq!(scene.heartbeat("job").unwrap()["beat_on"], json!(["auto"]));
}

#[test]
fn the_kill_of_a_job_with_probes_takes_no_longer() {
    let scene = Scene::new();
    let probe = ["--health-cmd", "trap '' TERM; sleep 1005"];
    let wrapper = start(&scene, "--stale 100s --progress-interval 30s", probe, "sleep 1006");
    wrapper.signal(rustix::process::Signal::TERM);
    let done = wrapper.wait().exits(143);
    assert!(done.took < Duration::from_secs(20), "{:?}", done.took);
    scene.nothing_is_left();
}

#[test]
fn a_dead_mount_holds_nothing_up_and_is_asked_only_once() {
    let name = "a_dead_mount_holds_nothing_up_and_is_asked_only_once";
    if !is_root() || !has("bindfs") || !Path::new("/dev/fuse").exists() {
        return skip(name, "bindfs is not installed, or may not mount");
    }
    let scene = Scene::new();
    let (real, seen) = (scene.path("real"), scene.path("seen"));
    fs::create_dir(&real).unwrap();
    fs::write(real.join("part"), "1234").unwrap();
    let Some(mount) = Mount::at(&seen, &format!("bindfs {}", real.display())) else {
        return skip(name, "bindfs may not mount");
    };
    let server = scene.members().into_iter().find(|it| it.command_line().starts_with("bindfs "));
    let server = server.expect("bindfs runs");
    let pattern = format!("{}/*", seen.display());
    let options = "--stale 20s --beat-on auto,alive";
    let wrapper = start(&scene, options, ["--progress-file", &pattern], "exec sleep 1007");
    until("the files were seen", || {
        scene.heartbeat("job").is_some_and(|record| record["progress"] == json!("1 file, 4 B"))
    });
    server.signal(rustix::process::Signal::STOP);
    evidence(&scene, "alive", "; progress: has not answered for ");
    evidence(&scene, "alive", ", 3 failures in a row");
    let threads = fs::read_dir(format!("/proc/{}/task", wrapper.pid())).unwrap().count();
    assert_eq!(threads, 2);
    scene.stop("job");
    wrapper.wait();
    server.signal(rustix::process::Signal::CONT);
    mount.unmount();
    server.is_gone();
}
