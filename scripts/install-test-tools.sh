#!/usr/bin/env bash
# Install what the tests call besides cargo, and try that each tool works.
# Debian and Ubuntu. Quick when everything is there; may be run again.
set -euo pipefail

# program:package
tools=(
    strace:strace
    bindfs:bindfs
    fusermount3:fuse3
    mkfs.xfs:xfsprogs
    xfs_io:xfsprogs
    mkfs.ext4:e2fsprogs
    unshare:util-linux
    losetup:mount
    python3:python3
    tmux:tmux
    systemd-notify:systemd
    setpriv:util-linux
)
PATH=$PATH:/usr/sbin:/sbin

# A Linux with cgroup v2 of its own. Not every distribution or architecture has it.
if apt-cache show user-mode-linux >/dev/null 2>&1; then
    tools+=(linux.uml:user-mode-linux)
fi

absent=()
for tool in "${tools[@]}"; do
    command -v "${tool%%:*}" >/dev/null || absent+=("${tool#*:}")
done

if ((${#absent[@]})); then
    as_root=()
    if ((EUID != 0)); then
        as_root=(sudo -n)
        sudo -n true || { echo "needs root, or sudo without a password, to install: ${absent[*]}" >&2; exit 1; }
    fi
    echo "installing: ${absent[*]}"
    "${as_root[@]}" apt-get -qq update
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install "${absent[@]}" >/dev/null
fi

scratch=$(mktemp -d)
clean_up() {
    if mountpoint -q "$scratch/bound"; then fusermount3 -u "$scratch/bound"; fi
    rm -rf "$scratch"
}
trap clean_up EXIT
mkdir "$scratch/real" "$scratch/bound"
truncate -s 320M "$scratch/image"

failed=0
try() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$scratch/said" 2>&1 </dev/null; then
        echo "$name: works"
    else
        echo "$name: does not work here: $(tail -n 1 "$scratch/said")" >&2
        failed=1
    fi
}

try strace strace -o /dev/null true
try "bindfs, fuse3" bindfs --no-allow-other "$scratch/real" "$scratch/bound"
try xfsprogs mkfs.xfs -q -f "$scratch/image"
try e2fsprogs mkfs.ext4 -q -F "$scratch/image"
try unshare unshare --user --map-root-user --pid --fork true
try python3 python3 -c 'import json, socket, ctypes'
try tmux tmux -V
if command -v linux.uml >/dev/null; then
    try user-mode-linux linux.uml --version
fi
# Outside a service it has nobody to notify and says so; that it starts is enough.
try systemd-notify systemd-notify --version

exit "$failed"
