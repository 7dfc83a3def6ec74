#!/usr/bin/env bash
# The use of a GPU as progress: a training that holds its GPU and computes nothing
# any more is called hung, however busy its CPU looks.
#
#     examples/gpu.sh python3 train.py
#
# Each probe asks every GPU once for how much of it is in use, and for the memory
# that is taken. While a job trains, the numbers differ from one question to the
# next; once they stand still for the stale threshold (five minutes, unless
# --stale says otherwise), there is no beat any more.
#
# Untried with a real GPU: the machines this was written on have none. Without
# `nvidia-smi` the example says so, and shows with numbers of its own what happens:
# a job that works for a while and then hangs. That takes about ten seconds. Exit
# status 0 if it ended as expected.
set -uo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/programs.sh"

query='nvidia-smi --query-gpu=utilization.gpu,memory.used --format=csv,noheader'

if command -v nvidia-smi >/dev/null; then
    (($#)) || { echo "usage: examples/gpu.sh COMMAND [ARG]..." >&2 && exit 2; }
    # A GPU that is in use at 100 % all the time never changes, nor does an idle one.
    # So a number that shows full use counts as another answer each time.
    probe="$query | awk -v now=\"\$(date +%s)\" '{ print } \$1 >= 95 { print \"in full use at\", now }'"
    sentinel-run --detach --progress-cmd "$probe" --progress-interval 20s gpu -- "$@" || exit
    exec sentinel-watch gpu
fi

echo "no nvidia-smi here: this is what would happen, with made-up numbers and short times"
scratch=$(mktemp -d)
export SENTINEL_DIR=$scratch/jobs
trap 'sentinel-watch --stop gpu >/dev/null 2>&1; rm -rf "$scratch"' EXIT
cd "$scratch" || exit

# In use for three seconds, then not any more; the process goes on all the time.
sentinel-run --detach --heartbeat-interval 500ms --stale 3s --grace 1s \
    --progress-cmd 'cat use' --progress-interval 500ms gpu -- sh -c '
    for i in 1 2 3 4 5 6; do echo "$((40 + i * 7)) %, $((900 + i)) MiB" >use; sleep 0.5; done
    echo "0 %, 906 MiB" >use
    while :; do sleep 0.1; done' || exit
status=0
sentinel-watch --poll-interval 500ms gpu || status=$?
if ((status == 3)); then
    echo "== called hung, as expected"
else
    echo "== not as expected: exit status $status" >&2
    exit 1
fi
