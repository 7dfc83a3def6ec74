# shellcheck shell=bash
# Sourced by the other examples: puts the programs on PATH.
# What is on PATH already is taken; else what was built in this repository; else
# they are built.

programs() {
    command -v sentinel-run >/dev/null && command -v sentinel-watch >/dev/null &&
        command -v sentinel-keep >/dev/null && return
    local root built profile dir newest=
    root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
    built=${CARGO_TARGET_DIR:-$root/target}
    for profile in release debug; do
        dir=$built/$profile
        [[ -x $dir/sentinel-run && -x $dir/sentinel-watch && -x $dir/sentinel-keep ]] || continue
        [[ -z $newest || $dir/sentinel-run -nt $newest/sentinel-run ]] && newest=$dir
    done
    if [[ -z $newest ]]; then
        echo "building the programs, once (some minutes)" >&2
        (cd "$root" && CARGO_TARGET_DIR=$built cargo build --quiet --release --bins) || return
        newest=$built/release
    fi
    PATH=$newest:$PATH
}

programs
