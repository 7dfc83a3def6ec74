#!/usr/bin/env bash
# An HTTP service that is believed by its health page, and started again when that
# stays bad: a service whose process lives and that serves nobody is hung.
#
#     examples/health-page.sh
#
# The function `serve` is the part to copy. What follows it is a small service in
# Python that falls ill once. Takes about ten seconds. Exit status 0 if it was
# started again, and well after that.
set -uo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/programs.sh"

# The defaults are a question every 20 s and 60 s without a good answer. These are
# for who looks on.
brisk=(--heartbeat-interval 500ms --progress-interval 500ms --stale 3s --grace 1s)

# Keeps COMMAND up until it is stopped or ends well, at most TRIES times. A page
# counts as bad when it failed three times in a row.
serve() { # TRIES HEALTH_PAGE COMMAND [ARG]...
    local tries=$1 page=$2 try status
    shift 2
    for ((try = 1; try <= tries; try++)); do
        echo "-- start $try of at most $tries"
        sentinel-run --detach --health-http "$page" "${brisk[@]}" web -- "$@" || return
        status=0
        sentinel-watch web || status=$?
        case $status in
        0) return 0 ;;
        3) echo "-- its page was bad for too long: it was ended" ;;
        *) [[ $(sentinel-watch --once --json web) == *'"outcome":"stopped"'* ]] && return 0 ;;
        esac
    done
    return 1
}

scratch=$(mktemp -d)
export SENTINEL_DIR=$scratch/jobs
unset SENTINEL_MAX_WAIT SENTINEL_MAX_FAILURES
clean_up() {
    sentinel-watch --stop web >/dev/null 2>&1
    rm -rf "$scratch"
}
trap clean_up EXIT

cat >"$scratch/service.py" <<'END'
import os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        ill = os.path.exists("ill")
        self.send_response(503 if ill else 200)
        self.end_headers()
        self.wfile.write(b"ill\n" if ill else b"well\n")

    def log_message(self, *args):
        pass

if os.path.exists("ill"):
    os.remove("ill")  # this illness is cured by a start
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
END
cd "$scratch" || exit
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

# Waits until NAME's heartbeat says this.
heartbeat_says() { until grep -qs "$1" jobs/web.heartbeat; do sleep 0.1; done; }

serve 3 "http://127.0.0.1:$port/health" python3 service.py "$port" &
serving=$!
heartbeat_says '"HTTP 200"'
sentinel-watch --once web
touch ill
until ! [[ -e ill ]]; do sleep 0.1; done
heartbeat_says '"HTTP 200"'
sentinel-watch --once web
sentinel-watch --stop web
if wait "$serving"; then
    echo "== it was started again, as expected"
else
    echo "== not as expected" >&2
    exit 1
fi
