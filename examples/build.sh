#!/usr/bin/env bash
# A real `cargo build` as a background job, twice: the first build succeeds, the
# second does not compile. sentinel-watch waits for each and says how it ended.
#
#     examples/build.sh
#
# Needs a Rust toolchain and no network. Everything is made in a temporary
# directory, which is removed at the end. Exit status 0 if both verdicts were
# the expected ones.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/programs.sh"

scratch=$(mktemp -d)
export SENTINEL_DIR=$scratch/jobs              # where the files of the jobs go
export CARGO_TARGET_DIR=$scratch/crate/target  # and those of the builds
unset SENTINEL_MAX_WAIT SENTINEL_MAX_FAILURES  # as if nobody had set defaults

clean_up() {
    sentinel-watch --stop build >/dev/null 2>&1 || true
    rm -rf "$scratch"
}
trap clean_up EXIT

mkdir -p "$scratch/crate/src"
cat >"$scratch/crate/Cargo.toml" <<'END'
[package]
name = "greeting"
version = "0.1.0"
edition = "2021"

[workspace]
END

source_is() {
    cat >"$scratch/crate/src/main.rs"
}

# Prints a command and runs it; its exit status goes to $status.
show() {
    printf '$ %s\n' "$*"
    status=0
    "$@" || status=$?
    printf '(exit status %d)\n' "$status"
}

# Starts a build in the background, waits for its verdict, and compares that.
build() { # EXPECTED_STATUS WHAT
    printf '== %s\n' "$2"
    show sentinel-run --detach -C "$scratch/crate" build -- cargo build --offline
    show sentinel-watch --timeout 10m build
    if ((status != $1)); then
        echo "expected exit status $1" >&2
        exit 1
    fi
}

source_is <<'END'
fn main() {
    println!("hello");
}
END
build 0 "a build that succeeds"
printf '$ greeting\n'
"$CARGO_TARGET_DIR/debug/greeting"
echo

source_is <<'END'
fn main() {
    let greeting: u32 = "hello";
    println!("{greeting}");
}
END
build 1 "a build that fails"

printf '\n== both verdicts were as expected\n'
