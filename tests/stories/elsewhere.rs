//! Jobs of other hosts in the same directory. Another host, as far as a job can tell: a UTS and a PID
//! namespace of its own, and another boot.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::scene::{Mount, RUN, Running, Scene, WATCH, can, has, is_root, skip, until};

fn hosts(name: &str) -> bool {
    let able = is_root() && has("unshare") && can("unshare --uts --pid --mount --fork true");
    if !able {
        skip(name, "no host can be played: needs root and namespaces");
    }
    able
}

/// A job on a host `node7`, up; with a boot of its own, it is another machine.
fn up(scene: &Scene, rebooted: bool, options: &str, command: &[&str]) -> Running {
    let boot = scene.path("boot");
    fs::write(&boot, "11111111-2222-4333-8444-555555555555\n").unwrap();
    let script = format!(
        "hostname node7; if {rebooted}; then mount --bind {} /proc/sys/kernel/random/boot_id; fi; \"$@\"",
        boot.display()
    );
    let host = scene.command("unshare --uts --pid --fork --kill-child --mount-proc sh -c");
    let wrapper = host.arg(script).arg("sh").arg(RUN).arg("--dir").arg(scene.dir());
    let wrapper = wrapper.args(options.split(' ')).args(["job", "--"]).args(command).start();
    scene.is_up("job");
    wrapper
}

/// Kills a host, and all that is on it.
fn cut_power(scene: &Scene, host: Running) {
    drop(host);
    until("nothing of the host is left", || scene.members().is_empty());
}

#[test]
fn a_free_lock_on_the_same_boot_tells_that_a_job_of_another_namespace_is_gone() {
    if !hosts("a_free_lock_on_the_same_boot_tells_that_a_job_of_another_namespace_is_gone") {
        return;
    }
    let scene = Scene::with_directory();
    let host = up(&scene, false, "--stale 10m", &["sleep", "981"]);
    assert_eq!(scene.heartbeat("job").unwrap()["host"], json!("node7"));
    scene.watched("--once job").exits(5);
    cut_power(&scene, host);
    // Its beat is fresh, and this watcher has never seen it alive.
    let verdict = scene.watched("--once --json job").exits(1).json();
    assert_eq!(verdict["outcome"], json!("lost"));
    let reason = verdict["reason"].as_str().unwrap();
    assert!(reason.contains("in another PID namespace"), "{reason}");
}

#[test]
fn a_lock_of_another_host_that_was_held_and_is_free_for_two_beats_tells_its_death() {
    if !hosts("a_lock_of_another_host_that_was_held_and_is_free_for_two_beats_tells_its_death") {
        return;
    }
    let scene = Scene::with_directory();
    let options = "--stale 10m --heartbeat-interval 500ms";
    let host = up(&scene, true, options, &["sleep", "982"]);
    let mut watch = scene.watch("--events --json job").start();
    watch.until_it_says("started");
    cut_power(&scene, host);
    let died = Instant::now();
    watch.wait().exits(1);
    assert!(died.elapsed() < Duration::from_secs(10), "{:?}", died.elapsed());
    let result = scene.result("job");
    assert_eq!(result["outcome"], json!("lost"));
    assert!(result["reason"].as_str().unwrap().contains("on host node7"), "{result}");
}

#[test]
fn behind_a_mount_that_shows_no_lock_only_silence_tells_the_death_of_another_host() {
    let name = "behind_a_mount_that_shows_no_lock_only_silence_tells_the_death_of_another_host";
    if !hosts(name) {
        return;
    }
    let scene = Scene::with_directory();
    let seen = scene.path("seen");
    let mount =
        has("bindfs").then(|| Mount::at(&seen, &format!("bindfs {}", scene.dir().display())));
    let Some(mount) = mount.flatten() else { return skip(name, "bindfs may not mount") };
    let watch = |line: &str| scene.program(WATCH).arg("--dir").arg(&seen).args(line.split(' '));
    for rebooted in [false, true] {
        // The end of one that works is seen by polling: no event tells of it.
        let until_told = ["sh", "-c", "until [ -e \"$0\" ]; do sleep 0.02; done", "told"];
        let host = up(&scene, rebooted, "--stale 10m", &until_told);
        until("the mount has forgotten the run before", || !seen.join("job.status").exists());
        let mut watcher = watch("--tick 100ms job").start();
        watcher.until_it_says("job");
        fs::write(scene.path("told"), "").unwrap();
        host.wait().exits(0);
        let ended = Instant::now();
        watcher.wait().exits(0);
        assert!(ended.elapsed() < Duration::from_secs(3), "{:?}", ended.elapsed());
        fs::remove_file(scene.path("told")).unwrap();
        // Free as its lock may look from here, it lives.
        let options = "--beat-on alive --heartbeat-interval 200ms --stale 2s --grace 1s";
        let host = up(&scene, rebooted, options, &["sleep", "983"]);
        until("the mount has forgotten the run before", || !seen.join("job.status").exists());
        watch("--max-wait 1s --start-wait 5s job").finish().exits(5);
        // So it is not started a second time, here or there.
        let again = || scene.program(RUN).arg("--dir").arg(&seen).args(["job", "--", "true"]);
        let whose = if rebooted { "on host node7" } else { "in another PID namespace" };
        again().finish().exits(75).says(whose);
        assert!(scene.status("job").is_none(), "it goes on");
        // Nobody here is signalled for it; the user's command knows which it is.
        drop(host);
        until("the job is gone", || scene.members_running("sleep 983").is_empty());
        let kill = "echo \"$SENTINEL_HOST $SENTINEL_NAME $SENTINEL_PID\" >asked";
        let done = watch("--kill-cmd").arg(kill).arg("job").finish().exits(3);
        done.says("hung");
        assert_eq!(fs::read_to_string(scene.path("asked")).unwrap().split(' ').count(), 3);
        assert!(fs::read_to_string(scene.path("asked")).unwrap().starts_with("node7 job "));
        assert_eq!(scene.outcome("job"), "hung");
        // One that died alone is given the time of two beats, and is lost then.
        let host = up(&scene, rebooted, options, &["sleep", "983"]);
        until("the mount has forgotten the run before", || !seen.join("job.status").exists());
        drop(host);
        until("the job is gone", || scene.members_running("sleep 983").is_empty());
        again().finish().exits(0).says("waiting 3s for a beat");
        let outcomes: Vec<_> =
            scene.history("job").iter().map(|run| run["outcome"].clone()).collect();
        assert!(outcomes.ends_with(&[json!("lost"), json!("success")]), "{outcomes:?}");
    }
    mount.unmount();
    until("the file system's server has ended", || scene.members().is_empty());
}
