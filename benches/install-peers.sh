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
    supervisord:supervisor
    monit:monit
    s6-svscan:s6
    supervise:daemontools
)

absent=()
for peer in "${peers[@]}"; do
    command -v "${peer%%:*}" >/dev/null || absent+=("${peer#*:}")
done
if command -v npm >/dev/null && ! command -v pm2 >/dev/null; then
    npm install --global --silent --no-fund --no-audit pm2 >/dev/null ||
        echo "left out: pm2 cannot be installed" >&2
fi
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
