#!/usr/bin/env bash
# A load into PostgreSQL that is believed by its rows: it is well while the table
# grows, and hung when it does not, however alive psql looks meanwhile.
#
#     examples/postgres-load.sh
#
# The function `load` is the part to copy. What follows it shows two loads: one
# that gets through, and one that another session's lock brings to a stop. Needs
# the server of PostgreSQL, which is started in a temporary directory and ended
# again, and takes about ten seconds. Exit status 0 if both verdicts were the
# expected ones.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/programs.sh"

# The probe finds the server as any psql does: by $PGHOST and the like. Rows count
# for others once they are committed; for a load in one transaction (psql -1, COPY)
# ask for what grows at once: select pg_size_pretty(pg_relation_size('measurements'))
rows="psql -XAtc \"select count(*) || ' rows' from measurements\""

load() { # SQL_FILE [OPTION]...
    local file=$1
    shift
    sentinel-run --detach --progress-cmd "$rows" "$@" \
        load -- psql -X -q -v ON_ERROR_STOP=1 -f "$file"
}

# The defaults are 300 s without a new row and a question every 20 s. These are for
# who looks on.
brisk=(--heartbeat-interval 500ms --progress-interval 500ms --stale 3s --grace 1s)

scratch=$(mktemp -d)
export SENTINEL_DIR=$scratch/jobs
unset SENTINEL_MAX_WAIT SENTINEL_MAX_FAILURES

for programs in /usr/lib/postgresql/*/bin; do PATH+=:$programs; done
command -v initdb >/dev/null || { echo "no server of PostgreSQL here" >&2 && exit 2; }
server=() # the server refuses to work as root
if ((EUID == 0)); then server=(setpriv --reuid=nobody --regid=nogroup --clear-groups); fi

clean_up() {
    sentinel-watch --stop load >/dev/null 2>&1 || true
    (cd / && "${server[@]}" pg_ctl -D "$scratch/server/data" -m immediate stop >/dev/null 2>&1) || true
    rm -rf "$scratch"
}
trap clean_up EXIT

mkdir "$scratch/server"
if ((EUID == 0)); then chmod 711 "$scratch" && chown nobody "$scratch/server"; fi
(
    cd /
    "${server[@]}" initdb -D "$scratch/server/data" -U loader -A trust --no-sync >/dev/null
    "${server[@]}" pg_ctl -w -D "$scratch/server/data" -l "$scratch/server/log" \
        -o "-k $scratch/server -c listen_addresses=''" start >/dev/null
)
export PGHOST=$scratch/server PGUSER=loader PGDATABASE=postgres
unset PGPORT PGSERVICE PGOPTIONS

# Each row takes its time, and is committed by itself.
for n in {1..50}; do
    echo "insert into measurements values ($n, random()); select pg_sleep(0.05) \\g /dev/null"
done >"$scratch/load.sql"
psql -X -q -c 'create table measurements (n int, value float)'

expect() { # EXIT_STATUS COMMAND...
    local status=0 expected=$1
    shift
    printf '$ %s\n' "$*"
    "$@" || status=$?
    printf '(exit status %d)\n' "$status"
    if ((status != expected)); then echo "expected exit status $expected" >&2 && exit 1; fi
}

echo "== a load that gets through"
load "$scratch/load.sql" "${brisk[@]}"
expect 5 sentinel-watch --max-wait 1500ms load
expect 0 sentinel-watch load

echo
echo "== a load that waits for somebody's lock"
psql -X -q -c 'begin; lock table measurements in exclusive mode; select pg_sleep(60)' >/dev/null 2>&1 &
until [[ $(psql -XAtc "select count(*) from pg_locks where mode = 'ExclusiveLock' and granted
    and relation = 'measurements'::regclass") == 1 ]]; do sleep 0.05; done
load "$scratch/load.sql" "${brisk[@]}"
expect 3 sentinel-watch load

printf '\n== both verdicts were as expected\n'
