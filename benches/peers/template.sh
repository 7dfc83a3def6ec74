#!/usr/bin/env bash
# The sentinel files as a bash script writes them: NAME DIR COMMAND...
set -uo pipefail
STEP=$1 MONITOR_DIR=$2
shift 2
mkdir -p "$MONITOR_DIR"
echo $$ >"$MONITOR_DIR/$STEP.pid"
(while true; do touch "$MONITOR_DIR/$STEP.heartbeat"; sleep 10; done) &
HB_PID=$!
trap 'kill $HB_PID 2>/dev/null' EXIT
if "$@" 2>"$MONITOR_DIR/$STEP.log"; then
    echo SUCCESS >"$MONITOR_DIR/$STEP.status"
    echo '{"key": "value"}' >"$MONITOR_DIR/$STEP.result"
else
    echo FAILED >"$MONITOR_DIR/$STEP.status"
fi
