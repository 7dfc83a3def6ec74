#!/usr/bin/env bash
# How a script or an agent attends a long job: start it detached, wait in pieces
# that are shorter than its own time limit, act on each exit status, and stop
# when the circuit opens.
#
#     examples/agent-loop.sh
#
# The function `attend` is the part to copy. What follows it shows two jobs: one
# that succeeds at its second attempt, and one that never does. Takes about ten
# seconds. Exit status 0 if both ended as expected.
set -uo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/programs.sh"

piece=1s # one wait; a real loop takes a little less than its host allows, such as 9m
tries=5  # starts in all, whatever happens

# Starts COMMAND as the job NAME until it succeeds. 0: done. 1: given up.
attend() { # NAME COMMAND [ARG]...
    local name=$1 try status
    shift
    for ((try = 1; try <= tries; try++)); do
        echo "-- $name: start $try of at most $tries"
        status=0
        sentinel-run --detach --max-failures 3 "$name" -- "$@" || status=$?
        case $status in
        0) ;;
        75) echo "-- it runs already: watch that" ;;
        69) echo "-- the circuit is open: a person must look" && return 1 ;;
        *) echo "-- it cannot be started ($status): a retry would change nothing" && return 1 ;;
        esac

        while :; do
            status=0
            sentinel-watch --max-wait "$piece" "$name" || status=$?
            case $status in
            0) echo "-- done" && return 0 ;;
            1) echo "-- failed, lost or stopped: try again" && break ;;
            3) echo "-- hung, and ended: try again" && break ;;
            4) echo "-- took too long, and ended: try again" && break ;;
            5) echo "-- still running: watch again" ;; # time to do something else
            6) echo "-- no such job: start it" && break ;;
            7) echo "-- failed, and the circuit is open: stop" && return 1 ;;
            *) echo "-- no verdict ($status): read the message above" && return 1 ;;
            esac
        done
    done
    echo "-- given up after $tries starts"
    return 1
}

SENTINEL_DIR=$(mktemp -d)
export SENTINEL_DIR
unset SENTINEL_MAX_FAILURES
clean_up() {
    sentinel-watch --stop second-time never >/dev/null 2>&1
    rm -rf "$SENTINEL_DIR"
}
trap clean_up EXIT

# $SENTINEL_ATTEMPT is 1 plus the failures in a row before this run.
attend second-time sh -c '
    echo "attempt $SENTINEL_ATTEMPT, last time: ${SENTINEL_LAST_OUTCOME:-none}"
    sleep 1.5
    test "$SENTINEL_ATTEMPT" -ge 2 || exit 1
    echo "{\"attempts\": $SENTINEL_ATTEMPT}" >"$SENTINEL_RESULT"
'
first=$?
echo

attend never sh -c 'echo "no route to the database" >&2; exit 4'
second=$?

if ((first == 0 && second == 1)); then
    echo "== both ended as expected"
else
    echo "== not as expected: $first $second" >&2
    exit 1
fi
