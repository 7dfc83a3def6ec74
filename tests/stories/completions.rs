//! Completions: one text a shell, sourced or put where the shell looks, for all three programs.

use std::fs;
use std::path::PathBuf;

use crate::scene::{Scene, has, skip};

/// The text for a shell, in a file of the name it is looked for by. Nothing else is made for it.
fn text(scene: &Scene, shell: &str, name: &str) -> PathBuf {
    let done = scene.kept(&format!("completions {shell}")).exits(0);
    assert!(!scene.path("state").exists() && done.stderr.is_empty(), "{}", done.told());
    fs::create_dir_all(scene.path("site")).unwrap();
    let path = scene.path("site").join(name);
    fs::write(&path, done.stdout).unwrap();
    path
}

#[test]
fn bash_completes_all_three_programs() {
    let scene = Scene::new();
    text(&scene, "bash", "sentinel");
    let script = r#"
        source site/sentinel
        try() { # PROGRAM WORD...: what completes the last word
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
            local how=($(complete -p "$1"))
            while [[ ${how[0]} != -F ]]; do how=("${how[@]:1}"); done
            "${how[1]}" "$1" "${@: -1}" "${@: -2:1}"
            echo "$1: ${COMPREPLY[*]}"
        }
        try sentinel-run --kill
        try sentinel-watch --pro
        try sentinel-keep metrics --for
        try sentinel-keep completions z"#;
    let done = scene.program("bash").args(["--norc", "-c", script]).finish().exits(0);
    let expected = "sentinel-run: --kill-survivors\nsentinel-watch: --probe\n\
        sentinel-keep: --format\nsentinel-keep: zsh\n";
    assert_eq!(done.stdout, expected, "{}", done.told());
    assert_eq!(done.stderr, "");
    scene.kept("completions tcsh").exits(2).says("invalid value 'tcsh'");
}

/// What a person at a terminal of zsh sees who types this and Tab, after these preparations.
fn typed_into_zsh(scene: &Scene, prepare: &str, typed: &str, until: &str) {
    let script = format!(
        r#"
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell 'PS1=; unsetopt beep; autoload -U compinit; {prepare}; print re""ady'
        zpty -r -m shell said '*ready*'
        zpty -n -w shell '{typed}'$'\t'
        zpty -r -m shell said '*{until}*'
        print -r -- $said"#
    );
    let done = scene.program("zsh").args(["-f", "-c", &script]).finish().exits(0);
    done.says(until);
}

#[test]
fn zsh_completes_all_three_programs() {
    if !has("zsh") {
        return skip("zsh completes all three programs", "zsh is not installed");
    }
    let scene = Scene::new();
    text(&scene, "zsh", "_sentinel-keep");
    let sourced = "compinit -D; source site/_sentinel-keep";
    let found = "fpath=($PWD/site $fpath); compinit -D -u";
    for (prepare, typed, until) in [
        (sourced, "sentinel-run --kill-s", "--kill-survivors"),
        // The second is asked of what the first has loaded.
        (found, "sentinel-watch --prob\tx; sentinel-keep metrics --outp", "--output"),
    ] {
        typed_into_zsh(&scene, prepare, typed, until);
    }
}

#[test]
fn fish_completes_all_three_programs() {
    if !has("fish") {
        return skip("fish completes all three programs", "fish is not installed");
    }
    let scene = Scene::new();
    let path = text(&scene, "fish", "sentinel.fish");
    let ask = "source $argv[1]; for line in 'sentinel-run --kill' 'sentinel-watch --prob' \
        'sentinel-keep metrics --outp'; complete -C $line; end";
    let done = scene.program("fish").args(["--no-config", "-c", ask]).arg(path).finish().exits(0);
    let words: Vec<&str> =
        done.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(words, ["--kill-survivors", "--probe", "--output"], "{}", done.told());
}
