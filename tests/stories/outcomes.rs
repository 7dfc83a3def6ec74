//! How a run ends is what its files and its exit status say.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::scene::{RUN, Scene, until};

/// The record of the end holds each of these, for every outcome.
const RESULT_KEYS: [&str; 19] = [
    "schema",
    "name",
    "run_id",
    "outcome",
    "exit_code",
    "signal",
    "core_dumped",
    "reason",
    "ended_by",
    "started_at",
    "ended_at",
    "duration_s",
    "max_rss_bytes",
    "cpu_s",
    "log_bytes",
    "survivors",
    "diagnosis",
    "circuit",
    "output",
];

const HEARTBEAT_KEYS: [&str; 26] = [
    "schema",
    "name",
    "run_id",
    "pid",
    "pid_start",
    "child_pid",
    "host",
    "boot_id",
    "pid_ns",
    "lock",
    "started_at",
    "command",
    "cwd",
    "interval_s",
    "stale_s",
    "timeout_s",
    "grace_s",
    "beat_on",
    "beat",
    "evidence",
    "quiet_s",
    "log_bytes",
    "progress",
    "pace",
    "stuck",
    "circuit",
];

#[track_caller]
fn has_keys(record: &Value, keys: &[&str]) {
    for key in keys {
        assert!(record.get(key).is_some(), "{key} is missing in {record}");
    }
}

#[test]
fn the_exit_status_of_the_command_is_passed_on_and_recorded() {
    let scene = Scene::new();
    for code in [0, 1, 3, 42, 69, 75, 124, 125, 126, 127, 128, 255] {
        scene.ran(&format!("--max-failures 0 job -- sh -c 'exit {code}'")).exits(code);
        let result = scene.result("job");
        has_keys(&result, &RESULT_KEYS);
        assert_eq!(result["exit_code"], json!(code));
        assert_eq!(result["signal"], Value::Null);
        assert_eq!(result["core_dumped"], json!(false));
        assert_eq!(result["schema"], json!(1));
        assert_eq!(result["name"], json!("job"));
        assert_eq!(result["ended_by"], Value::Null);
        assert_eq!(result["survivors"], json!([]));
        let (outcome, status) =
            if code == 0 { ("success", "SUCCESS\n") } else { ("failed", "FAILED\n") };
        assert_eq!(result["outcome"], json!(outcome));
        assert_eq!(scene.status("job").as_deref(), Some(status));
    }
    let ids: Vec<Value> = scene.history("job").iter().map(|run| run["run_id"].clone()).collect();
    assert_eq!(ids.len(), 12);
    assert_eq!(ids.last(), Some(&scene.result("job")["run_id"]));
}

#[test]
fn a_death_by_signal_is_128_plus_its_number_and_named() {
    let scene = Scene::new();
    for (number, name) in
        [(9, Some("KILL")), (15, Some("TERM")), (11, Some("SEGV")), (40, None), (64, None)]
    {
        let script = format!("ulimit -c 0; kill -{number} $$");
        scene.run("job -- sh -c").arg(script).finish().exits(128 + number);
        let result = scene.result("job");
        let signal = result["signal"].as_str().expect("the signal is named").to_owned();
        if let Some(name) = name {
            assert!(signal.contains(name), "signal {number} is called {signal}");
        }
        assert_eq!(result["exit_code"], Value::Null, "for signal {number}");
        assert_eq!(result["outcome"], json!("failed"));
        assert_eq!(scene.status("job").as_deref(), Some("FAILED\n"));
    }
}

#[test]
fn a_core_dump_is_recorded_as_the_kernel_tells_it() {
    let scene = Scene::new();
    let script = "ulimit -c unlimited; kill -ABRT $$";
    let bare = Command::new("sh")
        .args(["-c", script])
        .current_dir(scene.root())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    scene.run("job -- sh -c").arg(script).finish().exits(128 + 6);
    assert_eq!(scene.result("job")["core_dumped"], json!(bare.core_dumped()));
}

#[test]
fn a_command_that_cannot_be_executed_is_recorded_as_failed() {
    let scene = Scene::new();
    fs::write(scene.path("plain"), "no program").unwrap();
    scene.script("stale-venv", "#!/nonexistent/venv/bin/python3\nprint(1)\n");
    let plain = scene.path("plain").display().to_string();
    let root = scene.root().display().to_string();
    let stale = scene.path("stale-venv").display().to_string();
    let table = [
        ("/nonexistent/program", &[127][..], "not found"),
        ("no-such-program-in-the-path", &[127], "not found"),
        ("'sleep 1; echo done'", &[127], "use sh -c"),
        (plain.as_str(), &[126], ""),
        (root.as_str(), &[126], ""),
        (stale.as_str(), &[126, 127], "bad interpreter"),
    ];
    for (command, codes, words) in table {
        let done = scene.ran(&format!("--max-failures 0 job -- {command}"));
        let done = done.exits_one_of(codes).says(words);
        assert_eq!(done.stdout, "");
        let result = scene.result("job");
        assert_eq!(result["outcome"], json!("failed"), "{command}");
        assert!(result["reason"].as_str().is_some_and(|reason| reason.contains(words)), "{result}");
        assert_eq!(scene.status("job").as_deref(), Some("FAILED\n"));
        scene.watched("--once job").exits(1);
    }
    let done = scene.ran(&format!("--max-failures 0 job -- {stale}"));
    done.says("/nonexistent/venv/bin/python3").never_says("not found");
    let done = scene.ran("--max-failures 0 job -- '/nonexistent/my program'");
    done.exits(127).says("not found").never_says("sh -c");
}

#[test]
fn a_script_without_a_first_line_runs_or_is_a_clear_error() {
    let scene = Scene::new();
    let script = scene.script("no-shebang", "echo ran > proof\n");
    let done = scene.run("job --").arg(script).finish().exits_one_of(&[0, 126]);
    if done.code == Some(0) {
        assert!(scene.path("proof").exists());
    } else {
        done.says("#!");
    }
}

#[test]
fn bad_usage_is_125_and_creates_nothing() {
    let scene = Scene::new();
    for line in [
        "",
        "job",
        "job --",
        "--no-such-option job -- true",
        "--timeout soon job -- true",
        "--heartbeat-interval -1s job -- true",
        "--max-log much job -- true",
        "--beat-on hope job -- true",
        "--max-failures many job -- true",
        "../job -- true",
        ".job -- true",
        "a/b -- true",
        "'a b' -- true",
        "'' -- true",
        "--cwd /nonexistent/place job -- true",
        &format!("{} -- true", "n".repeat(101)),
    ] {
        let done = scene.ran(line).exits(125);
        assert_eq!(done.stdout, "", "{line}");
        assert_ne!(done.stderr, "", "{line}");
        done.never_says("panicked");
    }
    // As one types it for `nohup` and `timeout`.
    for line in ["job ./work.sh", "sleep 1", "ls -l", "--timeout 1 job tail -f log"] {
        // Not by --dir, whose value is a word as well.
        let typed = scene.program(RUN).env("SENTINEL_DIR", scene.dir()).args(line.split(' '));
        typed.finish().exits(125).says("come after '--'").never_says("'-- -l'");
    }
    scene.ran("--timout 1 job true").exits(125).says("'--timeout'").never_says("come after");
    for line in ["--background job -- true", "--timeout -5 job -- true"] {
        scene.ran(line).exits(125).says("unexpected argument").never_says("tip:");
    }
    scene.ran("--max-failures many job -- true").exits(125).says("expected a whole number");
    // What is to be typed instead is not run into the time.
    fs::write(scene.path("work.sh"), "true").unwrap();
    scene.ran("plain -- ./work.sh").exits(126).says(" executable: chmod +x ./work.sh\n");
    assert!(!scene.file("job.status").exists());
    scene.ran(&format!("{} -- true", "n".repeat(100))).exits(0);
}

#[test]
fn nothing_is_on_stdout_and_one_closing_line_on_stderr_unless_quiet() {
    let scene = Scene::new();
    let done = scene.ran("job -- sh -c 'echo out; echo err >&2; exit 3'").exits(3);
    assert_eq!(done.stdout, "");
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.told());
    assert!(done.stderr.contains("job"), "{}", done.told());
    assert_eq!(scene.read("job.log"), "out\nerr\n");
    for quiet in ["--quiet", "-q"] {
        let done = scene.ran(&format!("{quiet} job -- sh -c 'echo out; exit 3'")).exits(3);
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
    }
}

#[test]
fn the_files_of_a_run_are_as_the_protocol_says() {
    let scene = Scene::new();
    let wrapper = scene.up("job", "--timeout 1h --heartbeat-interval 100ms job -- sleep 941");
    scene.beats("job", 2);
    assert_eq!(scene.read("job.pid"), format!("{}\n", wrapper.pid()));
    assert_eq!(fs::metadata(scene.dir()).unwrap().mode() & 0o7777, 0o700);
    for file in ["job.pid", "job.heartbeat", "job.log", "job.output"] {
        let mode = fs::metadata(scene.file(file)).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o600, "{file}");
    }
    assert_eq!(scene.read("job.output"), "");
    assert!(!scene.file("job.status").exists() && !scene.file("job.result").exists());

    let before = fs::metadata(scene.file("job.heartbeat")).unwrap();
    assert!(before.len() <= 4096);
    scene.beats("job", 2);
    let after = fs::metadata(scene.file("job.heartbeat")).unwrap();
    assert_eq!((before.len(), before.ino()), (after.len(), after.ino()), "rewritten in place");

    let record = crate::scene::until_some("a whole heartbeat", || scene.heartbeat("job"));
    has_keys(&record, &HEARTBEAT_KEYS);
    assert_eq!(record["schema"], json!(1));
    assert_eq!(record["name"], json!("job"));
    assert_eq!(record["pid"], json!(wrapper.pid()));
    assert_eq!(record["command"], json!(["sleep", "941"]));
    assert_eq!(record["timeout_s"].as_f64(), Some(3600.0));
    assert_eq!(record["interval_s"].as_f64(), Some(0.1));
    assert_eq!(record["stale_s"].as_f64(), Some(60.0));
    assert_eq!(record["grace_s"].as_f64(), Some(10.0));
    assert_eq!(record["stuck"], Value::Null);
    assert_eq!(record["progress"], Value::Null);
    has_keys(&record["beat"], &["monotonic_ns", "realtime_ns"]);
    has_keys(&record["evidence"], &["kind", "detail", "at"]);
    has_keys(&record["circuit"], &["key", "max_failures", "cooldown_s", "enforced"]);
    let child = u32::try_from(record["child_pid"].as_u64().unwrap()).unwrap();
    assert_eq!(scene.members_running("sleep 941")[0].pid, child);

    scene.stop("job");
    wrapper.wait();
    for file in ["job.result", "job.status", "job.history"] {
        let mode = fs::metadata(scene.file(file)).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o600, "{file}");
    }
    let status = fs::metadata(scene.file("job.status")).unwrap().modified().unwrap();
    until("the last beat comes after the status", || scene.last_beat("job") >= Some(status));
}

#[test]
fn no_environment_variable_is_ever_recorded() {
    let scene = Scene::new();
    scene.run("job -- true").env("A_SECRET", "xyzzy-plugh").finish().exits(0);
    for (name, bytes, ..) in Scene::snapshot(&scene.dir()) {
        assert!(!String::from_utf8_lossy(&bytes).contains("xyzzy-plugh"), "{name}");
    }
    assert!(!scene.read("job.heartbeat").contains("xyzzy-plugh"));
}

#[test]
fn a_very_long_command_line_is_cut_to_fit_the_heartbeat() {
    let scene = Scene::new();
    let wrapper = scene
        .run("job -- sh -c")
        .arg("sleep 942")
        .args(vec!["\u{e9}\"\\\n".repeat(300); 40])
        .start();
    scene.is_up("job");
    let record = scene.heartbeat("job").unwrap();
    assert_eq!(record["command"][0], json!("sh"));
    assert!(fs::metadata(scene.file("job.heartbeat")).unwrap().len() <= 4096);
    scene.stop("job");
    wrapper.wait();
}

#[test]
fn the_log_of_the_run_before_is_kept_beside() {
    let scene = Scene::new();
    for word in ["first", "second", "third"] {
        scene.ran(&format!("job -- echo {word}")).exits(0);
    }
    assert_eq!(scene.read("job.log"), "third\n");
    assert_eq!(scene.read("job.log.1"), "second\n");
}

#[test]
fn a_log_truncated_by_the_command_is_noticed() {
    let scene = Scene::new();
    scene.ran("job -- sh -c 'echo one; echo two; echo three > /dev/stderr; exit 0'").exits(0);
    let reason = scene.result("job")["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.contains("truncated"), "reason: {reason}");
    scene.ran("job -- sh -c 'echo one; echo two >&2'").exits(0);
    let reason = scene.result("job")["reason"].as_str().unwrap_or_default().to_owned();
    assert!(!reason.contains("truncated"), "reason: {reason}");
}

#[test]
fn what_the_command_leaves_as_its_output_is_in_the_result() {
    let scene = Scene::new();
    let script = r#"printf '{"rows": 3, "ok": [true, null]}' > "$SENTINEL_RESULT""#;
    scene.run("job -- sh -c").arg(script).finish().exits(0);
    assert_eq!(scene.result("job")["output"], json!({"rows": 3, "ok": [true, null]}));
    scene.watched("--once job").exits(0).says("output:").says("rows");

    // A file put in place by renaming, as careful writers do.
    let script = r#"printf '[1]' > "$SENTINEL_RESULT.new"; mv "$SENTINEL_RESULT.new" "$SENTINEL_RESULT"; exit 4"#;
    scene.run("job -- sh -c").arg(script).finish().exits(4);
    assert_eq!(scene.result("job")["output"], json!([1]));

    let bad = [
        (r#"printf '{"rows": ' > "$SENTINEL_RESULT""#, "JSON"),
        (r#"head -c 70000 /dev/zero | tr '\0' '7' > "$SENTINEL_RESULT""#, "64"),
        (r#"rm "$SENTINEL_RESULT"; mkdir "$SENTINEL_RESULT""#, ""),
        (r#"rm "$SENTINEL_RESULT"; mkfifo "$SENTINEL_RESULT""#, ""),
        (r#"ln -sf /etc/hostname "$SENTINEL_RESULT""#, ""),
    ];
    for (script, words) in bad {
        scene.run("job -- sh -c").arg(script).finish().exits(0);
        let result = scene.result("job");
        assert_eq!(result["output"], Value::Null, "{script}");
        assert_eq!(result["outcome"], json!("success"), "{script}");
        let reason = result["reason"].as_str().unwrap_or_default();
        assert!(!reason.is_empty() && reason.contains(words), "{script}: {reason:?}");
        assert!(!reason.contains('\n'));
        take_away(&scene);
    }

    scene.ran("job -- true").exits(0);
    assert_eq!(scene.result("job")["output"], Value::Null, "none left");
}

/// A foreign thing in the place of the output is refused at the next start; take it away.
fn take_away(scene: &Scene) {
    let path = scene.file("job.output");
    if path.is_dir() {
        fs::remove_dir(&path).unwrap();
    } else {
        let _ = fs::remove_file(&path);
    }
}

#[test]
fn the_command_is_told_where_it_runs() {
    let scene = Scene::new();
    let script = "env | grep ^SENTINEL_ > told; exit ${EXIT:-0}";
    let told = |scene: &Scene, name: &str| -> Option<String> {
        let text = fs::read_to_string(scene.path("told")).unwrap();
        let found = text.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        found.map(str::to_owned)
    };
    scene.run("job -- sh -c").arg(script).env("EXIT", "5").finish().exits(5);
    let run_id = scene.result("job")["run_id"].as_str().unwrap().to_owned();
    assert_eq!(told(&scene, "SENTINEL_NAME").as_deref(), Some("job"));
    assert_eq!(told(&scene, "SENTINEL_RUN_ID"), Some(run_id));
    let paths = [("SENTINEL_HEARTBEAT", "job.heartbeat"), ("SENTINEL_RESULT", "job.output")];
    for (name, file) in paths {
        let path = told(&scene, name).unwrap();
        assert_eq!(fs::canonicalize(path).unwrap(), fs::canonicalize(scene.file(file)).unwrap());
    }
    assert_eq!(told(&scene, "SENTINEL_ATTEMPT").as_deref(), Some("1"));
    let first = told(&scene, "SENTINEL_LAST_OUTCOME").unwrap_or_default();
    assert!(!matches!(first.as_str(), "success" | "failed"), "no run before: {first:?}");

    scene.run("job -- sh -c").arg(script).finish().exits(0);
    assert_eq!(told(&scene, "SENTINEL_ATTEMPT").as_deref(), Some("2"));
    assert_eq!(told(&scene, "SENTINEL_LAST_OUTCOME").as_deref(), Some("failed"));
    scene.run("job -- sh -c").arg(script).finish().exits(0);
    assert_eq!(told(&scene, "SENTINEL_LAST_OUTCOME").as_deref(), Some("success"));
}

#[test]
fn the_command_runs_where_it_is_asked_to() {
    let scene = Scene::new();
    fs::create_dir(scene.path("elsewhere")).unwrap();
    for option in ["-C", "--cwd"] {
        scene.ran(&format!("{option} elsewhere job -- pwd -P")).exits(0);
        let expected = fs::canonicalize(scene.path("elsewhere")).unwrap();
        assert_eq!(scene.read("job.log").trim_end(), expected.to_str().unwrap());
    }
    // A relative monitor directory stays where the caller stood.
    let done =
        scene.program(crate::scene::RUN).args(["--dir", "near", "-C", "elsewhere", "job", "--"]);
    done.args(["sh", "-c", r#"test -f "$SENTINEL_HEARTBEAT""#]).finish().exits(0);
    assert!(scene.path("near/job.status").exists());
}

#[test]
fn the_directory_is_the_option_then_the_variable_then_the_home() {
    let scene = Scene::new();
    let bare = || scene.program(crate::scene::RUN).env("HOME", scene.path("home"));
    let bare = || bare().env("XDG_STATE_HOME", "").env("SENTINEL_DIR", "");
    bare().args(["job", "--", "true"]).finish().exits(0);
    assert!(scene.path("home/.local/state/sentinel/jobs/job.status").exists());
    let state = scene.path("state");
    bare().env("XDG_STATE_HOME", &state).args(["job", "--", "true"]).finish().exits(0);
    assert!(scene.path("state/sentinel/jobs/job.status").exists());
    let named = bare().env("XDG_STATE_HOME", &state).env("SENTINEL_DIR", scene.path("named"));
    named.args(["job", "--", "true"]).finish().exits(0);
    assert!(scene.path("named/job.status").exists());
    let both =
        bare().env("SENTINEL_DIR", scene.path("named")).arg("--dir").arg(scene.path("given"));
    both.args(["job", "--", "true"]).finish().exits(0);
    assert!(scene.path("given/job.status").exists());
}

#[test]
fn a_preflight_that_fails_starts_nothing() {
    let scene = Scene::new();
    scene.ran("--preflight true --preflight 'test 1 = 1' job -- sh -c 'echo ran > proof'").exits(0);
    fs::remove_file(scene.path("proof")).unwrap();
    let before = Scene::snapshot(&scene.dir());
    for detach in ["", "--detach "] {
        let line = format!(
            "{detach}--preflight true --preflight 'exit 7' job -- sh -c 'echo ran > proof'"
        );
        scene.ran(&line).exits(125).says("exit 7").says("7");
        assert!(!scene.path("proof").exists());
        assert_eq!(before, Scene::snapshot(&scene.dir()), "a refused start changes no file");
    }
    scene.ran("--preflight /nonexistent/check job -- true").exits(125).says("/nonexistent/check");
}

#[test]
fn a_run_over_its_time_is_ended_with_124() {
    let scene = Scene::new();
    let done = scene.ran("--timeout 300ms --grace 300ms job -- sh -c 'sleep 943'").exits(124);
    assert!(done.took.as_secs() < 30);
    let result = scene.result("job");
    assert_eq!(result["outcome"], json!("timeout"));
    assert_eq!(scene.status("job").as_deref(), Some("FAILED\n"));
    scene.watched("job").exits(4).says("timeout");
    scene.nothing_is_left();
    // A bare number is seconds, as `timeout` takes it.
    scene.ran("--timeout 1 --grace 0.3 job -- sleep 944").exits(124);
}

#[test]
fn a_job_of_another_user_is_kept_his_by_root() {
    if !crate::scene::is_root() {
        return crate::scene::skip("a_job_of_another_user_is_kept_his_by_root", "needs root");
    }
    let scene = Scene::with_directory();
    std::os::unix::fs::chown(scene.dir(), Some(12345), Some(12345)).unwrap();
    scene.ran("job -- true").exits(0);
    for entry in fs::read_dir(scene.dir()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().uid(), 12345, "{:?}", entry.file_name());
    }
    scene.ran("job -- false").exits(1);
    scene.watched("--once job").exits(1);
}

#[test]
fn help_and_version_are_there() {
    let scene = Scene::new();
    for program in [crate::scene::RUN, crate::scene::WATCH] {
        let help = scene.program(program).arg("--help").finish().exits(0);
        let name = program.rsplit('/').next().unwrap();
        assert!(help.stdout.contains(name) && help.stdout.to_lowercase().contains("example"));
        let version = scene.program(program).arg("--version").finish().exits(0);
        assert!(version.stdout.contains(env!("CARGO_PKG_VERSION")));
    }
}
