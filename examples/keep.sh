#!/usr/bin/env bash
# A bot that has a bad night: it dies, it hangs, it cannot start any more.
# sentinel-keep restarts it, ends it and restarts it, gives it up, and has an
# alert for whoever comes in the morning.
#
#     examples/keep.sh
#
# Needs python3 and no network; takes about ten seconds. Everything is made in a
# temporary directory, which is removed at the end. Exit status 0 if all went as
# expected.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/programs.sh"

scratch=$(mktemp -d)
export SENTINEL_REGISTRY=$scratch/process-registry.json # all files go beside it
unset SENTINEL_ALERT_CMD

keeper=
clean_up() {
    [[ -z $keeper ]] || kill "$keeper" 2>/dev/null || true
    sentinel-keep stop --all >/dev/null 2>&1 || true
    rm -rf "$scratch"
}
trap clean_up EXIT

cat >"$scratch/bot.py" <<'END'
import os, sys, threading, time

with open("runs", "a") as runs:
    run = runs.tell()
    runs.write("x")
print("polling the exchange", flush=True)
time.sleep(0.5)
if run == 0:
    raise ConnectionError("the exchange closed the connection")
if run == 1:
    lock = threading.Lock()
    with lock:
        lock.acquire()  # a deadlock
if not os.path.exists("key"):
    sys.exit("the key has expired")
while True:
    time.sleep(0.1)
END

show() {
    printf '$ %s\n' "$*"
    "$@" || printf '(exit status %d)\n' $?
}

# Waits until the bot is in a state (or any), after so many restarts.
reaches() { # STATE RESTARTS
    local deadline=$((SECONDS + 30)) now= state="\"state\":\"$1\""
    [[ $1 != any ]] || state=
    until [[ $now == *"$state"*"\"restarts\":$2,"* ]]; do
        if ((SECONDS >= deadline)); then
            echo "expected: $1, restarts $2; got: $now" >&2
            exit 1
        fi
        sleep 0.1
        now=$(sentinel-keep --json status bot || true)
    done
}

printf '== a bot is registered and started; a keeper stays\n'
show sentinel-keep register -C "$scratch" --progress-timeout 2s --max-restarts 3 --restart-cooldown 1s \
    bot -- python3 bot.py
sentinel-keep healthcheck --every 1m &
keeper=$!
show sentinel-keep start bot

printf '\n== it dies, and is restarted\n'
reaches any 1
show sentinel-keep status

printf '\n== it hangs, is ended, and is restarted\n'
reaches any 2
show sentinel-keep status bot

printf '\n== it dies again and again, and is given up\n'
reaches given-up 3
show sentinel-keep status

printf '\n== in the morning\n'
show sentinel-keep alerts --take
show sentinel-keep logs -n 3 bot
touch "$scratch/key"
show sentinel-keep start bot
sleep 1
reaches running 3
show sentinel-keep stop bot

printf '\n== all went as expected\n'
