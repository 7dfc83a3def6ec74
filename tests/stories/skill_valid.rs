//! The skill, the subagent and the plugin, held against the checkers that others use for theirs.

use std::fs;
use std::path::{Path, PathBuf};

use crate::scene::{Scene, has, skip};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[test]
fn the_reference_checker_accepts_the_skill() {
    if !has("agentskills") {
        return skip("the reference checker accepts the skill", "agentskills is absent");
    }
    let scene = Scene::new();
    let folder = root().join("skill/skills/sentinel");
    scene.program("agentskills").arg("validate").arg(folder).finish().exits(0);
}

#[test]
fn a_linter_finds_nothing_in_skill_plugin_and_marketplace() {
    if !has("skillsaw") {
        return skip("a linter finds nothing in the skill", "skillsaw is absent");
    }
    let scene = Scene::new();
    let done = scene.program("skillsaw").arg("lint").arg(root()).finish().exits(0);
    done.says("Errors:   0").says("Warnings: 0");
}

/// What the checkers do not look at.
#[test]
fn the_skill_is_short_and_says_when_to_use_it_first() {
    let skill = fs::read_to_string(root().join("skill/skills/sentinel/SKILL.md")).unwrap();
    let (head, body) = skill.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap();
    let keys = head.lines().filter(|line| !line.starts_with(' '));
    let keys: Vec<&str> = keys.map(|line| line.split(':').next().unwrap()).collect();
    let allowed = ["name", "description", "license", "compatibility", "metadata"];
    assert!(keys.iter().all(|key| allowed.contains(key)), "{keys:?}");
    let description = head.lines().find_map(|line| line.strip_prefix("description: ")).unwrap();
    // Lists of skills are cut; and some hosts refuse angle brackets.
    let trigger: String = description.chars().take(150).collect();
    for word in ["long", "background", "builds", "nohup", "run_in_background"] {
        assert!(trigger.contains(word), "{word}: {trigger}");
    }
    assert!(description.len() <= 500 && !description.contains(['<', '>']), "{description}");
    // After a compaction the first 5000 tokens are given back; a token has two characters and more.
    assert!(body.len() < 10_000, "{} bytes", body.len());
    assert!(body.lines().count() < 500);
}

#[test]
fn the_snippet_for_agents_md_is_ten_to_fifteen_lines() {
    let snippet = fs::read_to_string(root().join("skill/AGENTS-snippet.md")).unwrap();
    let lines = snippet.lines().filter(|line| !line.is_empty()).count();
    assert!((10..=15).contains(&lines), "{lines}");
}

#[test]
fn the_version_is_the_same_everywhere() {
    let version = env!("CARGO_PKG_VERSION");
    for file in ["skill/.claude-plugin/plugin.json", ".claude-plugin/marketplace.json"] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        assert!(text.contains(&format!("\"version\": \"{version}\"")), "{file}");
    }
    let skill = fs::read_to_string(root().join("skill/skills/sentinel/SKILL.md")).unwrap();
    assert!(skill.contains(&format!("version: \"{version}\"")));
}

/// The plugin finds the programs where they are, and without them lets everything through.
#[test]
fn the_hook_of_the_plugin_works_with_the_programs_and_without_them() {
    let scene = Scene::new();
    let hook = root().join("skill/hooks/sentinel-hook");
    let event = scene.path("event.json");
    let ask = |path: &str, name: &str| {
        let text = format!(
            "{{\"session_id\": \"s\", \"cwd\": \"/\", \"hook_event_name\": \"{name}\", \"tool_name\": \"Bash\", \"tool_input\": {{\"command\": \"x &\"}}}}"
        );
        fs::write(&event, text).unwrap();
        let input = fs::File::open(&event).unwrap();
        let cmd =
            scene.program(&hook).args(["--host", "claude", "--within", "20s"]).env("PATH", path);
        let cmd = cmd.env("HOME", scene.root()).env("SENTINEL_REGISTRY", scene.registry());
        cmd.start_with(|command| {
            command.stdin(input);
        })
        .wait()
        .exits(0)
    };
    let programs = Path::new(crate::scene::KEEP).parent().unwrap().display().to_string();
    let with = ask(&format!("{programs}:/usr/bin:/bin"), "PreToolUse");
    assert!(with.stdout.contains("\"deny\""), "{}", with.told());
    // Of a version that had no hook.
    let old = scene.path("old");
    scene.script("old/sentinel-keep", "#!/bin/sh\nexit 2\n");
    let old = format!("{}:/usr/bin:/bin", old.display());
    assert_eq!(ask(&old, "PreToolUse").stdout, "");
    assert!(ask(&old, "SessionStart").stdout.contains("too old"));
    if has("sentinel-keep") || Path::new("/usr/local/bin/sentinel-keep").exists() {
        return skip("the plugin without the programs", "they are installed on this machine");
    }
    assert_eq!(ask("/usr/bin:/bin", "PreToolUse").stdout, "");
    assert!(ask("/usr/bin:/bin", "SessionStart").stdout.contains("not in PATH"));
}
