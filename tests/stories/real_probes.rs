//! Probes on real things: rows in PostgreSQL and SQLite, growing files, the health page of nginx.
//!
//! Their jobs say nothing themselves; only what they leave elsewhere tells work from standing still.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::scene::{Process, Running, Scene, has, skip, until, until_some};
use crate::servers::{Nginx, Postgres};

/// For probes that are commands: each has as long to answer as there is between two.
const COMMANDS: &str = "--heartbeat-interval 200ms --progress-interval 1s --grace 300ms";
/// For pages and files, which answer at once.
const QUICK: &str = "--heartbeat-interval 200ms --progress-interval 200ms --grace 300ms";
const COUNT: &str = "psql -Atc 'select count(*) from t'";

/// The last progress text of a job.
fn progress(scene: &Scene, job: &str) -> Option<String> {
    scene.heartbeat(job)?["progress"].as_str().map(str::to_owned)
}

fn number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

/// Waits until the first number of the progress text is at least this.
#[track_caller]
fn progresses_to(scene: &Scene, job: &str, least: u64) {
    until(&format!("the progress of {job} reaches {least}"), || {
        progress(scene, job).and_then(|text| number(&text)).is_some_and(|now| now >= least)
    });
}

fn evidence(scene: &Scene, job: &str) -> Option<Value> {
    Some(scene.heartbeat(job)?["evidence"].clone())
}

#[track_caller]
fn evidence_is(scene: &Scene, job: &str, kind: &str) {
    until(&format!("the evidence of {job} is {kind}"), || {
        evidence(scene, job).is_some_and(|evidence| evidence["kind"] == json!(kind))
    });
}

/// What the evidence says comes to have all these words.
#[track_caller]
fn evidence_says(scene: &Scene, job: &str, words: &[&str]) {
    let mut last = None;
    until(&format!("the evidence of {job} says {words:?}"), || {
        let detail = evidence(scene, job).and_then(|it| it["detail"].as_str().map(str::to_owned));
        let said = detail.as_ref().is_some_and(|it| words.iter().all(|word| it.contains(word)));
        if !said && detail != last {
            println!("evidence: {detail:?}");
        }
        last = detail;
        said
    });
}

/// A watcher calls the job hung and ends all of it; what it says has these words.
#[track_caller]
fn becomes_hung(
    scene: &Scene,
    job: &str,
    wrapper: Running,
    words: &[&str],
    spared: &[u32],
) -> String {
    let watch = format!("--poll-interval 200ms --stale 2s --json {job}");
    let verdict = scene.watched(&watch).exits(3).json();
    assert_eq!(verdict["outcome"], json!("hung"), "{verdict}");
    let reason = verdict["reason"].as_str().unwrap_or_default();
    let ended = wrapper.wait();
    for word in words {
        assert!(
            reason.contains(word),
            "expected {word:?} in: {reason}\n{}\n{verdict}",
            ended.told()
        );
    }
    assert_eq!(scene.result(job)["reason"], verdict["reason"]);
    ended.exits(124);
    scene.nothing_is_left_but(spared);
    reason.to_owned()
}

/// A watcher looks once and says it runs; its verdict has the progress.
#[track_caller]
fn runs(scene: &Scene, job: &str) -> Value {
    scene.watched(&format!("--once --json {job}")).exits(5).json()
}

#[track_caller]
fn end(scene: &Scene, job: &str, wrapper: Running) {
    scene.stop(job);
    wrapper.wait();
}

// ---- PostgreSQL ------------------------------------------------------------------------------

/// A load in one long session.
const LOAD: &str = "
    n=0
    while :; do n=$((n + 1)); echo \"insert into t values ($n);\"; sleep 0.05; done | psql -q";

/// A load that goes on, whatever becomes of each statement.
const STUBBORN_LOAD: &str = "
    while :; do psql -qc 'insert into t values (1)' 2>/dev/null; sleep 0.05; done";

#[track_caller]
fn load(scene: &Scene, server: &Postgres, script: &str) -> Running {
    server.sql(scene, "create table t (n int)");
    let run = scene.run(COMMANDS).args(["--progress-cmd", COUNT, "load", "--", "sh", "-c", script]);
    let wrapper = server.client(run).start();
    scene.is_up_as("load", &wrapper);
    progresses_to(scene, "load", 3);
    wrapper
}

/// Another session takes a lock on the table, and keeps it.
#[track_caller]
fn lock(scene: &Scene, server: &Postgres, mode: &str) -> Running {
    let locking = format!("begin; lock table t in {mode} mode; select pg_sleep(600)");
    let session = server.client(scene.program("psql").args(["-qc", &locking])).start();
    let held = format!(
        "select count(*) from pg_locks where relation = 't'::regclass and granted
         and lower(mode) = '{}lock'",
        mode.replace(' ', "")
    );
    until("the table is locked", || server.sql(scene, &held) == "1");
    session
}

#[test]
fn rows_that_grow_in_postgres_are_progress_until_a_lock_stops_them() {
    let scene = Scene::new();
    let Some(server) =
        Postgres::start("rows_that_grow_in_postgres_are_progress_until_a_lock_stops_them")
    else {
        return;
    };
    let wrapper = load(&scene, &server, LOAD);
    scene.beats("load", 5);
    evidence_is(&scene, "load", "progress");
    let seen = runs(&scene, "load");
    let count = number(seen["progress"].as_str().unwrap());
    assert!(count >= Some(3), "{seen}");
    assert_eq!(scene.heartbeat("load").unwrap()["stale_s"].as_f64(), Some(300.0));
    assert!(fs::read(scene.file("load.log")).unwrap().is_empty(), "it is silent");

    // The count can still be read: the lock is only against who writes.
    let session = lock(&scene, &server, "exclusive");
    let rows = server.sql(&scene, "select count(*) from t");
    let reason = becomes_hung(&scene, "load", wrapper, &["; progress: "], &[session.pid()]);
    // A machine whose disk stands still for seconds keeps the count from being told, too.
    let still = format!("progress: {rows}, unchanged for ");
    let told = [still.as_str(), "progress: has not answered for "];
    assert!(told.iter().any(|words| reason.contains(words)), "{rows} rows: {reason}");
    assert_eq!(server.sql(&scene, "select count(*) from t"), rows);
}

#[test]
fn a_load_in_one_transaction_has_a_table_that_grows_in_size() {
    let scene = Scene::new();
    let Some(server) = Postgres::start("a_load_in_one_transaction_has_a_table_that_grows_in_size")
    else {
        return;
    };
    server.sql(&scene, "create table t (n text)");
    // Nobody sees a row before the end, but everybody the pages that they fill.
    let script = "
        { echo 'begin;'
          until [ -e enough ]; do
              echo \"insert into t values (repeat('x', 1900));\"; sleep 0.02
          done
          sleep 973
        } | psql -q";
    let size = "psql -Atc \"select pg_relation_size('t')\"";
    let run = scene.run(COMMANDS).args(["--progress-cmd", size, "load", "--", "sh", "-c", script]);
    let wrapper = server.client(run).start();
    scene.is_up_as("load", &wrapper);
    progresses_to(&scene, "load", 3 * 8192);
    scene.beats("load", 3);
    assert_eq!(server.sql(&scene, "select count(*) from t"), "0");
    fs::write(scene.path("enough"), "").unwrap();
    becomes_hung(&scene, "load", wrapper, &["progress: "], &[]);
}

#[test]
fn a_probe_that_is_blocked_itself_keeps_nobody_from_the_verdict() {
    let scene = Scene::new();
    let Some(server) =
        Postgres::start("a_probe_that_is_blocked_itself_keeps_nobody_from_the_verdict")
    else {
        return;
    };
    let wrapper = load(&scene, &server, LOAD);
    // Now not even the count can be read, and the probe waits with the job.
    let session = lock(&scene, &server, "access exclusive");
    becomes_hung(&scene, "load", wrapper, &["progress: has not answered"], &[session.pid()]);
}

#[test]
fn a_postgres_that_went_away_is_named_in_the_reason() {
    let scene = Scene::new();
    let Some(server) = Postgres::start("a_postgres_that_went_away_is_named_in_the_reason") else {
        return;
    };
    let wrapper = load(&scene, &server, STUBBORN_LOAD);
    drop(server);
    becomes_hung(&scene, "load", wrapper, &["progress: psql: error: connection to server"], &[]);
}

/// A long statement is waited for, and that is said, with the place it is to come from.
#[track_caller]
fn a_long_statement_is_waited_for(story: &str, host: impl Fn(&Postgres) -> (String, String)) {
    let scene = Scene::new();
    let Some(server) = Postgres::start(story) else {
        return;
    };
    let (host, place) = host(&server);
    let psql = ["query", "--", "psql", "-c", "select pg_sleep(600)"];
    let wrapper = server.client(scene.run(COMMANDS).args(psql)).env("PGHOST", host).start();
    scene.is_up_as("query", &wrapper);
    evidence_says(&scene, "query", &["psql[", "waits for ", &place]);
    evidence_is(&scene, "query", "waiting");
    scene.beats("query", 20);
    assert_eq!(scene.heartbeat("query").unwrap()["stuck"], Value::Null);
    let seen = runs(&scene, "query");
    assert!(seen["awaits"].as_str().is_some_and(|awaits| awaits.contains(&place)), "{seen}");
    end(&scene, "query", wrapper);
}

#[test]
fn a_long_statement_over_tcp_is_waited_for() {
    a_long_statement_is_waited_for("a_long_statement_over_tcp_is_waited_for", |server| {
        (server.address.ip().to_string(), server.address.to_string())
    });
}

#[test]
fn a_long_statement_over_a_socket_is_waited_for() {
    a_long_statement_is_waited_for("a_long_statement_over_a_socket_is_waited_for", |server| {
        let socket = server.home().join(format!(".s.PGSQL.{}", server.address.port()));
        (server.home().display().to_string(), socket.display().to_string())
    });
}

#[test]
fn a_person_sees_the_rows_that_a_detached_load_has_written() {
    let scene = Scene::new();
    let Some(server) = Postgres::start("a_person_sees_the_rows_that_a_detached_load_has_written")
    else {
        return;
    };
    server.sql(&scene, "create table t (n int)");
    let script = "
        for n in $(seq 60); do psql -qc \"insert into t values ($n)\"; sleep 0.05; done
        psql -Atc 'select json_build_object($$rows$$, count(*)) from t' >\"$SENTINEL_RESULT\"";
    let count = "psql -Atc \"select count(*) || ' rows' from t\"";
    let run = scene.run(COMMANDS).args(["--detach", "--progress-cmd", count]);
    let run = run.args(["load", "--", "sh", "-c", script]);
    let started = server.client(run).finish().exits(0);
    assert!(started.stdout.starts_with("load\t"), "{}", started.told());
    progresses_to(&scene, "load", 5);

    let told = scene.watched("--max-wait 100ms load").exits(5);
    let line = told.stdout.lines().next().unwrap();
    // With the rate behind them, once there is one.
    let rows = line.split(" rows").next().and_then(|line| number(line.rsplit(' ').next()?));
    assert!(line.starts_with("running  load  for ") && rows >= Some(5), "{line}");
    let seen = runs(&scene, "load");
    let progress = seen["progress"].as_str().unwrap();
    assert!(progress.ends_with(" rows") && number(progress) >= rows, "{seen}");
    let listed = scene.watched("--list").stdout;
    assert!(listed.contains("load") && listed.contains(" rows"), "{listed}");

    let verdict = scene.watched("--json load").exits(0).json();
    assert_eq!(verdict["verdict"], json!("success"));
    assert_eq!(verdict["output"], json!({ "rows": 60 }));
}

// ---- SQLite ----------------------------------------------------------------------------------

#[test]
fn rows_that_grow_in_sqlite_are_progress_until_a_lock_stops_them() {
    if !has("sqlite3") {
        skip("rows_that_grow_in_sqlite_are_progress_until_a_lock_stops_them", "no sqlite3");
        return;
    }
    let scene = Scene::new();
    // Readers and the one writer do not block each other in this mode.
    scene.command("sqlite3 t.db 'pragma journal_mode = wal; create table t (n)'").finish().exits(0);
    let script = "
        while :; do
            sqlite3 -cmd '.timeout 600000' t.db 'insert into t values (1)'; sleep 0.05
        done";
    let count = "sqlite3 t.db 'select count(*) from t'";
    let run = scene.run(COMMANDS).args(["--progress-cmd", count, "load", "--", "sh", "-c", script]);
    let wrapper = run.start();
    scene.is_up_as("load", &wrapper);
    progresses_to(&scene, "load", 5);
    scene.beats("load", 5);
    evidence_is(&scene, "load", "progress");

    let other = scene.command("sqlite3 -cmd '.timeout 600000' t.db");
    let mut other = other.start_with(|command| {
        command.stdin(Stdio::piped());
    });
    let mut said = other.child.stdin.take().unwrap();
    std::io::Write::write_all(&mut said, b"begin immediate; select 'locked';\n").unwrap();
    other.until_it_says("locked");
    let rows = scene.command(count).finish().exits(0).stdout;
    let still = format!("progress: {}, unchanged for ", rows.trim_end());
    becomes_hung(&scene, "load", wrapper, &[&still], &[other.pid()]);
    assert_eq!(scene.command(count).finish().exits(0).stdout, rows);
}

// ---- files -----------------------------------------------------------------------------------

#[test]
fn growing_csv_files_are_progress_and_a_busy_loop_is_none() {
    let scene = Scene::new();
    let out = scene.path("out");
    fs::create_dir(&out).unwrap();
    // Writes line after line, a file for each fifty of them; then it only burns CPU time.
    let script = "
        n=0
        until [ -e enough ]; do
            n=$((n + 1))
            echo \"$n,$((n * n)),some more text\" >>out/part-$((n / 50)).csv
            sleep 0.02
        done
        while :; do :; done";
    let pattern = format!("{}/*.csv", out.display());
    let run = scene.run(QUICK).args(["--progress-file", &pattern, "export", "--", "sh", "-c"]);
    let wrapper = run.arg(script).start();
    scene.is_up_as("export", &wrapper);
    progresses_to(&scene, "export", 2);
    evidence_is(&scene, "export", "progress");
    let text = progress(&scene, "export").unwrap();
    assert!(text.contains(" files, "), "{text}");
    scene.beats("export", 5);
    runs(&scene, "export");

    fs::write(scene.path("enough"), "").unwrap();
    let child = scene.heartbeat("export").unwrap()["child_pid"].as_u64().unwrap();
    let busy = Process::of(u32::try_from(child).unwrap()).unwrap();
    until("it burns CPU time", || busy.state() == Some('R'));
    let files = fs::read_dir(&out).unwrap();
    let written: Vec<u64> = files.map(|file| file.unwrap().metadata().unwrap().len()).collect();
    let (many, bytes) = (written.len(), written.iter().sum::<u64>());
    assert!(bytes >= 1024, "{bytes}");
    let (whole, tenth) = (bytes / 1024, bytes % 1024 * 10 / 1024);
    let still = format!("progress: {many} files, {whole}.{tenth} KiB, unchanged for ");
    becomes_hung(&scene, "export", wrapper, &[&still], &[]);
}

#[test]
fn one_file_that_grows_in_place_is_progress() {
    let scene = Scene::new();
    let script = "until [ -e enough ]; do echo line; sleep 0.02; done >out.csv; sleep 967";
    let run = scene.run(QUICK).args(["--progress-file", "out.csv", "export", "--", "sh", "-c"]);
    let wrapper = run.arg(script).start();
    scene.is_up_as("export", &wrapper);
    let first = until_some("there is progress", || progress(&scene, "export"));
    until("the progress text changes", || progress(&scene, "export").is_some_and(|it| it != first));
    scene.beats("export", 3);
    fs::write(scene.path("enough"), "").unwrap();
    becomes_hung(&scene, "export", wrapper, &["progress: 1 file, "], &[]);
}

// ---- nginx -----------------------------------------------------------------------------------

#[test]
fn an_nginx_whose_health_page_goes_bad_is_hung_and_ended() {
    let scene = Scene::new();
    let Some(nginx) =
        Nginx::configure("an_nginx_whose_health_page_goes_bad_is_hung_and_ended", scene.root())
    else {
        return;
    };
    let run = scene.run(QUICK).arg("--health-http").arg(nginx.page("health"));
    let wrapper = run.args(["web", "--"]).args(nginx.command()).start();
    scene.is_up_as("web", &wrapper);
    evidence_is(&scene, "web", "health");
    scene.beats("web", 5);
    runs(&scene, "web");

    nginx.falls_ill();
    until("it was seen to be bad for long", || nginx.answered("health", 503) >= 5);
    // Three failures in a row, and no beat after the second.
    evidence_says(&scene, "web", &["HTTP 503 (2 of 3 failures)"]);
    let last = scene.last_beat("web");
    until("it was seen to be bad for longer", || nginx.answered("health", 503) >= 9);
    assert_eq!(scene.last_beat("web"), last, "a beat after three failures");
    becomes_hung(&scene, "web", wrapper, &["health: HTTP 503, "], &[]);
}

#[test]
fn a_health_page_that_recovers_after_two_failures_is_never_hung() {
    let scene = Scene::new();
    let Some(nginx) = Nginx::start("a_health_page_that_recovers_after_two_failures_is_never_hung")
    else {
        return;
    };
    let run = scene.run(QUICK).arg("--health-http").arg(nginx.page("flaky"));
    let wrapper = run.args(["client", "--", "sleep", "968"]).start();
    scene.is_up_as("client", &wrapper);
    until("it failed often", || nginx.answered("flaky", 503) >= 12);
    assert!(nginx.answered("flaky", 200) >= 4);
    // Its failures are told, and it goes on beating.
    evidence_says(&scene, "client", &["HTTP 503 (2 of 3 failures)"]);
    evidence_says(&scene, "client", &["HTTP 200"]);
    evidence_is(&scene, "client", "health");
    scene.beats("client", 5);
    runs(&scene, "client");
    end(&scene, "client", wrapper);
}

#[test]
fn a_health_page_that_comes_back_after_a_long_illness_counts_again() {
    let scene = Scene::new();
    let Some(nginx) =
        Nginx::start("a_health_page_that_comes_back_after_a_long_illness_counts_again")
    else {
        return;
    };
    let run = scene.run(QUICK).arg("--health-http").arg(nginx.page("health"));
    let wrapper = run.args(["client", "--", "sleep", "969"]).start();
    scene.is_up_as("client", &wrapper);
    scene.beats("client", 3);
    nginx.falls_ill();
    until("the last beat is a second old", || {
        let beat = scene.last_beat("client").unwrap();
        beat.elapsed().is_ok_and(|age| age > Duration::from_secs(1))
    });
    nginx.recovers();
    scene.beats("client", 5);
    runs(&scene, "client");
    end(&scene, "client", wrapper);
}

#[test]
fn an_nginx_that_was_killed_is_a_refused_connection() {
    let scene = Scene::new();
    let Some(mut nginx) = Nginx::start("an_nginx_that_was_killed_is_a_refused_connection") else {
        return;
    };
    let run = scene.run(QUICK).arg("--health-http").arg(nginx.page("health"));
    let wrapper = run.args(["client", "--", "sleep", "970"]).start();
    scene.is_up_as("client", &wrapper);
    scene.beats("client", 3);
    nginx.kill();
    becomes_hung(&scene, "client", wrapper, &["health", "refused"], &[]);
}

#[test]
fn a_health_command_asks_a_real_page() {
    if !has("curl") {
        skip("a_health_command_asks_a_real_page", "no curl");
        return;
    }
    let scene = Scene::new();
    let Some(nginx) = Nginx::start("a_health_command_asks_a_real_page") else {
        return;
    };
    let asked = format!("curl -fsS {}", nginx.page("health"));
    let run = scene.run(COMMANDS).args(["--end-if-stale", "--stale", "3s"]);
    let wrapper = run.arg("--health-cmd").arg(asked).args(["client", "--", "sleep", "971"]).start();
    scene.is_up_as("client", &wrapper);
    evidence_is(&scene, "client", "health");
    scene.beats("client", 3);
    nginx.falls_ill();
    // No watcher is needed to end it.
    wrapper.wait().exits(124).says("health: curl: ").says("503");
    assert_eq!(scene.outcome("client"), "hung");
    scene.nothing_is_left();
}

#[test]
fn files_that_grow_outweigh_a_bad_health_page_and_it_is_told() {
    let scene = Scene::new();
    let Some(nginx) = Nginx::start("files_that_grow_outweigh_a_bad_health_page_and_it_is_told")
    else {
        return;
    };
    nginx.falls_ill();
    let script = "until [ -e enough ]; do echo line; sleep 0.02; done >out.csv; sleep 972";
    let run = scene.run(QUICK).arg("--health-http").arg(nginx.page("health"));
    let run = run.args(["--progress-file", "out.csv", "export", "--", "sh", "-c", script]);
    let wrapper = run.start();
    scene.is_up_as("export", &wrapper);
    until("the page was bad often", || nginx.answered("health", 503) >= 5);
    scene.beats("export", 5);
    evidence_is(&scene, "export", "progress");
    evidence_says(&scene, "export", &["1 file, ", "health: HTTP 503, ", " failures in a row"]);
    fs::write(scene.path("enough"), "").unwrap();
    becomes_hung(&scene, "export", wrapper, &["progress: 1 file, ", "health: HTTP 503, "], &[]);
}
