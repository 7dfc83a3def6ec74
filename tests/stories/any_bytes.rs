//! No bytes in any file make the watcher panic, hang or leave its exit codes.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::scene::Scene;

const FILES: [&str; 7] = ["pid", "heartbeat", "status", "result", "log", "output", "history"];

/// Bytes of any kind, and what is nearly right: whole records with a part exchanged.
fn content(sample: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = sample.len().max(1);
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        "[ -~\n\u{1b}\r\t]{0,200}".prop_map(String::into_bytes),
        (0..length, proptest::collection::vec(any::<u8>(), 0..12)).prop_map({
            let sample = sample.clone();
            move |(at, bytes)| {
                let mut changed = sample.clone();
                let end = (at + bytes.len()).min(changed.len());
                changed.splice(at.min(end)..end, bytes);
                changed
            }
        }),
        (0..length).prop_map(move |at| sample[..at.min(sample.len())].to_vec()),
        (r#"[{]"(outcome|pid|run_id|schema|exit_code|beat|circuit|interval_s)": (-?[0-9]{1,25}|null|"[a-z]{0,9}"|\[\]|[{][}]|1e999|-0\.5)[}]"#)
            .prop_map(String::into_bytes),
    ]
}

/// Puts such content into each file of a job in turn, after this was done to it.
#[track_caller]
fn never_panics(unfinished: bool, cases: u32) {
    let scene = Scene::new();
    scene.ran("--quiet job -- sh -c 'echo word; exit 3'").exits(3);
    let mut whole: Vec<(String, Vec<u8>)> = Vec::new();
    for file in FILES {
        let name = format!("job.{file}");
        whole.push((name.clone(), std::fs::read(scene.file(&name)).unwrap()));
    }
    for (index, (name, sample)) in whole.clone().into_iter().enumerate() {
        let mut runner =
            TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
        let outcome = runner.run(&content(sample), |bytes| {
            for (other, content) in &whole {
                let ended = other.ends_with(".status") || other.ends_with(".result");
                if unfinished && ended && *other != name {
                    let _ = std::fs::remove_file(scene.file(other));
                } else {
                    scene.write(other, content);
                }
            }
            scene.write(&whole[index].0, &bytes);
            for options in ["--once --no-kill --json job", "--once --no-kill job", "--list"] {
                let done = scene.watched(options);
                prop_assert!(
                    done.code.is_some_and(|code| (0..=7).contains(&code)),
                    "{}",
                    done.told()
                );
                prop_assert!(!done.stderr.contains("panicked"), "{}", done.told());
            }
            Ok(())
        });
        if let Err(failure) = outcome {
            panic!("in {name}: {failure}");
        }
    }
}

#[test]
fn no_bytes_in_a_file_of_a_finished_job_make_the_watcher_panic() {
    never_panics(false, 12);
}

#[test]
fn no_bytes_in_a_file_of_an_unfinished_job_make_the_watcher_panic() {
    never_panics(true, 12);
}

#[test]
fn no_bytes_in_a_file_make_a_start_panic() {
    let scene = Scene::with_directory();
    for file in FILES {
        let mut runner =
            TestRunner::new(Config { cases: 6, failure_persistence: None, ..Config::default() });
        let sample = br#"{"run_id":"x","outcome":"failed","schema":1}"#.to_vec();
        let outcome = runner.run(&content(sample), |bytes| {
            scene.write(&format!("job.{file}"), &bytes);
            let done = scene.ran("--quiet job -- true");
            prop_assert_eq!(done.code, Some(0), "{}", done.told());
            Ok(())
        });
        if let Err(failure) = outcome {
            panic!("in .{file}: {failure}");
        }
    }
}

#[test]
fn no_argument_makes_either_program_panic() {
    let scene = Scene::with_directory();
    let mut runner =
        TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    let duration = prop_oneof!["[0-9.a-z -]{0,12}", "[0-9]{1,30}(s|m|h|d|ms|years)?", "\\PC{0,8}"];
    let outcome = runner.run(&duration, |text| {
        for option in ["--timeout", "--stale", "--poll-interval", "--max-wait", "--grace", "--tail"]
        {
            let watch = scene.watch("--once").arg(format!("{option}={text}")).arg("job");
            let done = watch.finish();
            prop_assert!(matches!(done.code, Some(2 | 6)), "{}", done.told());
            prop_assert!(!done.stderr.contains("panicked"), "{}", done.told());
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
