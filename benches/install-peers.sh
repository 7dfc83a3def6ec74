#!/usr/bin/env bash
# Install the tools that the benchmark compares with (Debian, Ubuntu). What
# cannot be had is named and left out; the benchmark then leaves it out too.
set -uo pipefail

# program:package
peers=(
    tsp:task-spooler
    nq:nq
    tini:tini
    dumb-init:dumb-init
    chpst:runit
    inotifywait:inotify-tools
)

absent=()
for peer in "${peers[@]}"; do
    command -v "${peer%%:*}" >/dev/null || absent+=("${peer#*:}")
done
((${#absent[@]})) || exit 0

as_root=()
((EUID == 0)) || as_root=(sudo -n)
"${as_root[@]}" apt-get -qq update
for package in "${absent[@]}"; do
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install "$package" >/dev/null ||
        echo "left out: $package cannot be installed" >&2
done
exit 0
