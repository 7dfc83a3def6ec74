#!/usr/bin/env bash
# Wait for a job over a mount that tells of no change behind it: DIR COMMAND [ARG]..., MOUNT in an ARG is the mount.
if [ -z "$SILENT" ]; then SILENT=yes exec unshare --mount bash "$0" "$@"; fi
mount=$1.silent
mkdir -p "$mount" && bindfs "$1" "$mount" || exit
shift
"${@//MOUNT/$mount}"
code=$?
umount "$mount"
exit $code
