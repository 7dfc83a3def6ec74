//! `skill install` and `uninstall`: what is put where, and that nothing of the user's is lost.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::scene::{Cmd, Done, Scene};

const HOSTS: [&str; 4] = ["claude", "codex", "gemini", "cursor"];

fn skill(scene: &Scene, line: &str) -> Cmd {
    fs::create_dir_all(scene.path("home")).unwrap();
    fs::create_dir_all(scene.path("project/.git")).unwrap();
    scene
        .keep(&format!("skill {line}"))
        .env("HOME", scene.path("home"))
        .with(|command| {
            command.env_remove("CLAUDE_CONFIG_DIR").env_remove("CODEX_HOME");
        })
        .cwd(scene.path("project"))
}

fn done(scene: &Scene, line: &str) -> Done {
    skill(scene, line).finish().exits(0)
}

/// Every file below a directory, with its bytes and mode.
fn tree(dir: &Path) -> Vec<(PathBuf, Option<Vec<u8>>, u32)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let mode = fs::symlink_metadata(&path).unwrap().permissions().mode();
        if path.is_dir() {
            all.push((path.clone(), None, mode));
            all.extend(tree(&path));
        } else {
            all.push((path.clone(), Some(fs::read(&path).unwrap()), mode));
        }
    }
    all.sort();
    all
}

/// Settings as people have them: comments, hooks of others, an odd layout, a mode of its own.
fn own_settings(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn settings(host: &str) -> &'static str {
    match host {
        "claude" => ".claude/settings.json",
        "codex" => ".codex/hooks.json",
        "gemini" => ".gemini/settings.json",
        _ => ".cursor/hooks.json",
    }
}

const MINE: &str = "{\n\t// mine\n\t\"a\": [1,2],   \"hooks\": { \"Stop\": [ {\"hooks\": [{\"type\": \"command\", \"command\": \"say done\"}]} ] }\n}";

#[test]
fn it_is_put_where_each_host_looks_and_an_undo_restores_every_byte() {
    for scope in ["--user", "--project"] {
        let scene = Scene::new();
        let place = if scope == "--user" { "home" } else { "project" };
        fs::create_dir_all(scene.path("home")).unwrap();
        for host in HOSTS {
            own_settings(&scene.path(place).join(settings(host)), MINE);
        }
        let hosts = HOSTS.map(|host| format!("--host {host}")).join(" ");
        skill(&scene, "uninstall --host claude").finish().exits(0); // nothing there: no harm
        let before = tree(&scene.path(place));
        let dry = done(&scene, &format!("install {scope} --dry-run {hosts}"));
        assert!(dry.stdout.contains("would create") && dry.stdout.contains('+'), "{}", dry.told());
        assert_eq!(tree(&scene.path(place)), before, "a dry run writes nothing");
        done(&scene, &format!("install {scope} {hosts}"));
        let installed = tree(&scene.path(place));
        for host in HOSTS {
            let path = scene.path(place).join(settings(host));
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains("// mine") && text.contains("[1,2]"), "{text}");
            assert!(text.contains(&format!("hook --host {host}")), "{text}");
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            let by_path = text.contains("/sentinel-keep ");
            assert_eq!(by_path, scope == "--user", "a shared file has no path of this machine");
        }
        for skill in [".claude/skills", ".agents/skills", ".gemini/skills", ".cursor/skills"] {
            let path = scene.path(place).join(skill).join("sentinel/SKILL.md");
            assert!(fs::read_to_string(&path).unwrap().starts_with("---\nname: sentinel\n"));
        }
        let again = done(&scene, &format!("install {scope} {hosts}"));
        let unchanged = |line: &str| line.starts_with("unchanged  ");
        assert!(again.stdout.lines().all(unchanged), "{}", again.told());
        assert_eq!(tree(&scene.path(place)), installed, "once is enough");
        done(&scene, &format!("uninstall {scope} {hosts}"));
        assert_eq!(tree(&scene.path(place)), before);
    }
}

#[test]
fn what_was_changed_since_is_kept_and_what_is_ours_goes() {
    let scene = Scene::new();
    let path = scene.path("project/.claude/settings.json");
    own_settings(&path, "{\"model\": \"opus\"}\n");
    done(&scene, "install --project --host claude");
    // Somebody adds a key and a hook of theirs; somebody improves the skill.
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replacen("\"model\"", "\"theme\": \"dark\", // new\n \"model\"", 1);
    fs::write(&path, &text).unwrap();
    let own = scene.path("project/.claude/skills/sentinel/SKILL.md");
    fs::write(&own, "improved\n").unwrap();
    let again = skill(&scene, "install --project --host claude").finish().exits(1);
    assert!(again.stderr.contains("--force"), "{}", again.told());
    assert_eq!(fs::read_to_string(&own).unwrap(), "improved\n");
    skill(&scene, "uninstall --project --host claude").finish().exits(1).says("--force");
    assert_eq!(fs::read_to_string(&own).unwrap(), "improved\n");
    let left = fs::read_to_string(&path).unwrap();
    assert!(left.contains("\"theme\": \"dark\", // new") && left.contains("opus"), "{left}");
    assert!(!left.contains("sentinel"), "{left}");
    skill(&scene, "uninstall --project --host claude --force").finish().exits(0);
    assert!(!own.exists());
}

#[test]
fn without_a_record_nothing_is_taken_for_ours() {
    let scene = Scene::new();
    done(&scene, "install --project --host claude");
    fs::remove_file(scene.path("skill/installed.json")).unwrap();
    let own = scene.path("project/.claude/skills/sentinel/SKILL.md");
    skill(&scene, "uninstall --project --host claude").finish().exits(1).says("--force");
    assert!(own.exists());
    skill(&scene, "uninstall --project --host claude --force").finish().exits(0);
    assert!(!own.exists());
}

#[test]
fn settings_that_cannot_be_understood_are_left_alone_and_told() {
    for text in ["{\"hooks\": [", "[]", "{\"hooks\": {\"Stop\": 3}}"] {
        let scene = Scene::new();
        let path = scene.path("project/.claude/settings.json");
        own_settings(&path, text);
        let told = skill(&scene, "install --project --host claude").finish().exits(2);
        assert!(
            told.stderr.contains("settings.json") && told.stderr.contains("mend"),
            "{}",
            told.told()
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert!(!scene.path("project/.claude/skills").exists(), "nothing else is written either");
    }
}

#[test]
fn a_settings_file_that_is_a_link_stays_one() {
    let scene = Scene::new();
    let real = scene.path("dotfiles/claude.json");
    own_settings(&real, MINE);
    fs::create_dir_all(scene.path("home/.claude")).unwrap();
    symlink(&real, scene.path("home/.claude/settings.json")).unwrap();
    done(&scene, "install --user");
    assert!(scene.path("home/.claude/settings.json").is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("hook --host claude"));
    done(&scene, "uninstall --user");
    assert_eq!(fs::read_to_string(&real).unwrap(), MINE);
    assert!(scene.path("home/.claude/settings.json").is_symlink());
}

#[test]
fn without_a_host_it_serves_those_that_are_used_here() {
    let scene = Scene::new();
    skill(&scene, "install").finish().exits(2).says("--host");
    fs::create_dir_all(scene.path("home/.gemini")).unwrap();
    let done = done(&scene, "install --mode warn");
    assert!(done.stdout.contains("gemini") && !done.stdout.contains("claude"), "{}", done.told());
    let text = fs::read_to_string(scene.path("home/.gemini/settings.json")).unwrap();
    assert!(text.contains("hook --mode warn --host gemini"), "{text}");
}

#[test]
fn an_upgrade_replaces_its_own_files_and_a_disk_that_is_full_loses_nothing() {
    let scene = Scene::new();
    let path = scene.path("project/.codex/hooks.json");
    own_settings(&path, MINE);
    done(&scene, "install --project --host codex");
    // As an earlier version had left it.
    let record = scene.path("skill/installed.json");
    let mut known: Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    let own = scene.path("project/.agents/skills/sentinel/SKILL.md");
    let own = fs::canonicalize(own).unwrap();
    fs::write(&own, "of an earlier version\n").unwrap();
    known["files"][own.to_str().unwrap()]["after"] = serde_json::json!(["of an earlier version\n"]);
    fs::write(&record, known.to_string()).unwrap();
    done(&scene, "install --project --host codex").says("changed  codex");
    assert!(fs::read_to_string(&own).unwrap().starts_with("---\n"));
    done(&scene, "uninstall --project --host codex");
    assert_eq!(fs::read_to_string(&path).unwrap(), MINE);
}
