//! What lies in the place of a job's file and is no plain file of its owner is refused, in
//! words that name the way out; nothing behind it is read, written or waited for.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use serde_json::json;

use crate::scene::{RUN, Scene, WATCH, can, is_root, skip};

const FILES: [&str; 7] = ["pid", "heartbeat", "status", "result", "log", "output", "history"];

const KINDS: [&str; 5] = ["symlink", "dangling symlink", "fifo", "directory", "world-writable"];

/// What a foreign file holds that no story may see copied, and no program change.
const TREASURE: &str = "treasure of another\n";

/// Puts something hostile in the place of a file.
fn plant(scene: &Scene, kind: &str, path: &Path) {
    let _ = fs::remove_file(path);
    let treasure = scene.path("treasure");
    fs::write(&treasure, TREASURE).unwrap();
    match kind {
        "symlink" => symlink(&treasure, path).unwrap(),
        "dangling symlink" => symlink(scene.path("nowhere"), path).unwrap(),
        "fifo" => nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap(),
        "directory" => fs::create_dir(path).unwrap(),
        "world-writable" => {
            fs::write(path, "").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
        }
        "foreign" => {
            fs::write(path, "").unwrap();
            chown(path, Some(12345), Some(12345)).unwrap();
        }
        kind => panic!("{kind}"),
    }
}

fn unplant(path: &Path) {
    if path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
        fs::remove_dir(path).unwrap();
    } else {
        fs::remove_file(path).unwrap();
    }
}

#[track_caller]
fn untouched(scene: &Scene, what: &str) {
    assert_eq!(fs::read_to_string(scene.path("treasure")).unwrap(), TREASURE, "{what}");
    assert!(!scene.path("nowhere").exists(), "{what}: the target was made");
}

fn kinds() -> Vec<&'static str> {
    let mut kinds = KINDS.to_vec();
    if is_root() {
        kinds.push("foreign");
    }
    kinds
}

#[test]
fn a_start_refuses_whatever_stands_in_the_place_of_its_files() {
    let scene = Scene::new();
    for file in FILES {
        for kind in kinds() {
            let what = format!("a {kind} as .{file}");
            scene.ran("--quiet job -- true").exits(0);
            let path = scene.file(&format!("job.{file}"));
            plant(&scene, kind, &path);
            let done = scene.ran("job -- sh -c 'echo ran > proof'");
            assert_eq!(done.code, Some(125), "{what}: {}", done.told());
            assert!(done.stderr.contains("--dir"), "{what}: {}", done.told());
            assert!(done.stderr.contains(&format!("job.{file}")), "{what}: {}", done.told());
            assert!(!scene.path("proof").exists(), "{what}: it ran");
            untouched(&scene, &what);
            unplant(&path);
        }
    }
    scene.ran("job -- true").exits(0);
}

#[test]
fn a_watcher_refuses_whatever_stands_in_the_place_of_the_files_it_reads() {
    let scene = Scene::new();
    // Of a finished job it is the end that is read, of any other the signs of life.
    for (file, finished) in
        [("status", true), ("result", true), ("pid", false), ("heartbeat", false)]
    {
        for kind in kinds() {
            let what = format!("a {kind} as .{file}");
            scene.ran("--quiet --max-failures 0 job -- sh -c 'exit 3'").exits(3);
            if !finished {
                fs::remove_file(scene.file("job.status")).unwrap();
                fs::remove_file(scene.file("job.result")).unwrap();
            }
            let path = scene.file(&format!("job.{file}"));
            plant(&scene, kind, &path);
            let done = scene.watched("--max-wait 5s --start-wait 0 job");
            assert_eq!(done.code, Some(2), "{what}: {}", done.told());
            assert!(done.stderr.contains("--dir"), "{what}: {}", done.told());
            done.never_says("panicked").never_says(TREASURE.trim());
            untouched(&scene, &what);
            unplant(&path);
        }
    }
}

#[test]
fn a_watcher_shows_nothing_from_behind_a_planted_log() {
    let scene = Scene::new();
    for file in ["log", "output", "history"] {
        for kind in kinds() {
            let what = format!("a {kind} as .{file}");
            scene.ran("--quiet --max-failures 0 job -- sh -c 'exit 3'").exits(3);
            let path = scene.file(&format!("job.{file}"));
            plant(&scene, kind, &path);
            let done = scene.watched("--max-wait 5s --json job").exits_one_of(&[1, 2]);
            done.never_says(TREASURE.trim()).never_says("panicked");
            untouched(&scene, &what);
            unplant(&path);
        }
    }
}

#[test]
fn a_planted_directory_is_refused() {
    let mut kinds = vec!["symlink", "dangling symlink", "fifo", "world-writable directory", "file"];
    if !is_root() {
        kinds.pop();
    }
    for kind in kinds {
        let scene = Scene::new();
        match kind {
            "symlink" => {
                fs::create_dir(scene.path("real")).unwrap();
                symlink(scene.path("real"), scene.dir()).unwrap();
            }
            "world-writable directory" => {
                fs::create_dir(scene.dir()).unwrap();
                fs::set_permissions(scene.dir(), fs::Permissions::from_mode(0o777)).unwrap();
            }
            "file" => fs::write(scene.dir(), "").unwrap(),
            kind => plant(&scene, kind, &scene.dir()),
        }
        scene.ran("job -- sh -c 'echo ran > proof'").exits(125).says("--dir");
        scene.watched("--max-wait 5s --start-wait 0 job").exits(2).says("--dir");
        assert!(!scene.path("proof").exists(), "{kind}");
    }
}

#[test]
fn the_directory_of_another_user_is_refused_to_all_but_root() {
    let name = "the_directory_of_another_user_is_refused_to_all_but_root";
    if !is_root() || !can("setpriv --reuid 65534 --clear-groups true") {
        return skip(name, "needs root, to be another user");
    }
    let scene = Scene::with_directory();
    // The other user may go everywhere but into the job's own directory.
    fs::set_permissions(scene.root(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(scene.dir(), fs::Permissions::from_mode(0o755)).unwrap();
    for (program, code) in [(RUN, 125), (WATCH, 2)] {
        let copy = scene.copy(program, program.rsplit('/').next().unwrap());
        let as_other = scene.program(&copy).with(|command| {
            command.uid(65534).gid(65534);
        });
        let options: &[&str] =
            if program == RUN { &["job", "--", "true"] } else { &["--start-wait", "0", "job"] };
        let done = as_other.arg("--dir").arg(scene.dir()).args(options).finish();
        done.exits(code).says("--dir");
    }
}

#[test]
fn garbage_in_a_file_is_no_hindrance_to_a_start() {
    let scene = Scene::new();
    let garbage: [&[u8]; 5] =
        [b"", b"{{{{", b"\0\0\0\0", b"\xff\xfe\xfd", b"[1, {\"pid\": \"x\"}]\n"];
    for file in FILES {
        for bytes in garbage {
            scene.ran("--quiet job -- sh -c 'exit 3'").exits(3);
            scene.write(&format!("job.{file}"), bytes);
            scene.ran("--quiet job -- true").exits(0);
            scene.watched("--once job").exits(0);
            assert_eq!(scene.outcome("job"), "success", "after {bytes:?} in .{file}");
        }
    }
}

#[test]
fn garbage_in_a_record_leaves_the_verdict_to_the_status() {
    let scene = Scene::new();
    for (code, word) in [(0, "success"), (3, "failed")] {
        for file in ["pid", "heartbeat", "result", "output", "history", "log"] {
            for bytes in [&b""[..], b"{\"outcome\": ", b"\xff\0\xff", b"null", b"{\"outcome\": 7}"]
            {
                scene
                    .ran(&format!("--quiet --max-failures 0 job -- sh -c 'exit {code}'"))
                    .exits(code);
                scene.write(&format!("job.{file}"), bytes);
                let done = scene.watched("--once --json job");
                // An emptied .pid is the first sign of a new start, which has no outcome yet.
                if file == "pid" && bytes.is_empty() {
                    let told = done.json()["verdict"] == json!(word) || done.code == Some(6);
                    assert!(told, "{}", done.told());
                    continue;
                }
                assert_eq!(
                    done.json()["verdict"],
                    json!(word),
                    "{:?} in .{file}: {}",
                    bytes.escape_ascii().to_string(),
                    done.told()
                );
                let in_words = scene.watched("--once job");
                let expected = Some(i32::from(code != 0));
                assert_eq!(in_words.code, expected, ".{file}: {}", in_words.told());
            }
        }
    }
}

#[test]
fn garbage_instead_of_a_pid_is_reported_and_nothing_hangs() {
    for garbage in [
        "",
        "\n",
        "hello\n",
        "12 34\n",
        "-5\n",
        "0x10\n",
        "1e3\n",
        "\u{661}\n",
        "99999999999999999999999\n",
    ] {
        let scene = Scene::with_directory();
        scene.write("job.pid", garbage);
        scene.write("job.heartbeat", "");
        scene.age("job.heartbeat", std::time::Duration::from_hours(1));
        let done = scene.watched("--max-wait 5s --grace 200ms job");
        done.exits_one_of(&[1, 2, 3]).never_says("panicked");
    }
}
