//! What a host of agents waits for: one call of a hook, begun to end.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::lab::Lab;
use crate::process::{reap, wait_until};
use crate::table::{self, Samples};

const WARM_UP: usize = 5;
const ROUNDS: usize = 100;
const JOBS: usize = 1000;

/// A call, and what it has to say.
struct Call {
    name: &'static str,
    line: &'static str,
    event: Value,
    says: &'static str,
}

const HOOK: &str = "exec sentinel-keep --registry {registry} hook --host claude";

pub fn measure(lab: &Lab) {
    let absent = ["sentinel-keep", "sentinel-run", "jq"].map(|word| lab.program(word).is_none());
    if absent[0] || absent[1] {
        println!("Left out: hook (sentinel-keep is absent).\n");
        return;
    }
    let dir = lab.on_disk("hook");
    let jobs = format!(
        "for n in $(seq {JOBS}); do sentinel-run --quiet --dir jobs job$n -- true || exit; done"
    );
    let ran = lab.shell(&jobs).current_dir(&dir).status();
    assert!(ran.is_ok_and(|status| status.success()), "the jobs did not run");

    let mut calls = calls(&dir);
    calls.retain(|call| !call.line.contains("jq") || !absent[2]);
    let mut times = vec![Vec::new(); calls.len()];
    let mut late = vec![0; calls.len()];
    for round in 0..WARM_UP + ROUNDS {
        // In each round another memory of what was told.
        let registry = dir.join(format!("round{round}"));
        std::fs::create_dir(&registry).expect("a directory can be made");
        for (column, call) in calls.iter().enumerate() {
            let (time, answered) = once(lab, &dir, &registry.join("registry.json"), call);
            if round >= WARM_UP {
                times[column].push(time);
                late[column] += usize::from(!answered);
            }
            // What is written down after the answer is waited for, and not counted.
            assert!(wait_until(reap), "something of a hook is left");
        }
    }
    let samples: Vec<Samples> = times.into_iter().map(Samples::from).collect();
    let bare = samples[0].median();
    let jq = (!absent[2]).then(|| samples[1].median());
    let rows: Vec<Vec<String>> = calls
        .iter()
        .zip(samples.iter().zip(late))
        .map(|(call, (sample, late))| {
            vec![
                call.name.to_owned(),
                sample.count().to_string(),
                format!("{:.2}", sample.median()),
                format!("{:.2}", sample.p95()),
                format!("{:.2}", sample.max()),
                format!("{:.2}", sample.median() / bare),
                jq.map_or_else(|| "-".to_owned(), |jq| format!("{:.2}", sample.median() / jq)),
                late.to_string(),
            ]
        })
        .collect();
    table::print(
        "hook: one call, ms",
        &["call", "n", "median", "p95", "max", "× `sh -c :`", "× `jq`", "late"],
        &rows,
        "a command in at most 3 × `sh -c :`; none late, which is 45 ms from the event to the answer",
    );
}

fn calls(dir: &Path) -> Vec<Call> {
    let event = |name: &str, more: Value| {
        let mut event = json!({
            "session_id": "3f2b1c9e-7a44-4c1d-9a0e-52d1f0c6b8aa",
            "transcript_path": "/home/ann/.claude/projects/shop/transcript.jsonl",
            "cwd": dir,
            "permission_mode": "default",
            "hook_event_name": name,
        });
        if let (Value::Object(event), Value::Object(more)) = (&mut event, more) {
            event.extend(more);
        }
        event
    };
    let before = |command: &str| {
        event("PreToolUse", json!({"tool_name": "Bash", "tool_input": {"command": command}}))
    };
    let plain = "cargo test --workspace 2>&1 | grep -E '^test result|FAILED' | head -50";
    let left = "cd /srv/app && nohup ./server --port 80 < /dev/null > /dev/null 2>&1 & disown";
    let call = |name, line, event, says| Call { name, line, event, says };
    let start = event("SessionStart", json!({"source": "startup"}));
    vec![
        call("`sh -c :`", ":", before(plain), ""),
        call("`jq -r .tool_input.command`", "exec jq -r .tool_input.command", before(plain), plain),
        call("hook, a command that passes", HOOK, before(plain), ""),
        call("hook, one that is refused", HOOK, before(left), "sentinel-run --detach"),
        call("hook, a kill by pattern", HOOK, before("pkill -f 'vite --port 5173'"), ""),
        call(
            "hook, a session begins, 1000 jobs to tell of",
            HOOK,
            start.clone(),
            "sentinel-watch --list",
        ),
        call("hook, another begins, all told", HOOK, start, ""),
    ]
}

/// How long it took, in ms, and whether it was answered as it should be.
fn once(lab: &Lab, dir: &Path, registry: &Path, call: &Call) -> (f64, bool) {
    let line = call.line.replace("{registry}", &registry.display().to_string());
    let mut command: Command = lab.shell(&line);
    command.current_dir(dir).env("SENTINEL_DIR", dir.join("jobs"));
    command.env("HOME", dir).env_remove("SENTINEL_HOOK_MODE").env_remove("CLAUDE_PROJECT_DIR");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let event = call.event.to_string();
    let begun = Instant::now();
    let mut child = command.spawn().expect("a shell can be run");
    // Who does not read may be gone.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(event.as_bytes()));
    let done = child.wait_with_output().expect("a child of this process");
    let took = begun.elapsed().as_secs_f64() * 1e3;
    let said = String::from_utf8_lossy(&done.stdout);
    // One that comes after a late one is told what that should have been.
    let right = said.contains(call.says) && (call.says.is_empty() == said.is_empty());
    (took, done.stderr.is_empty() && right)
}
