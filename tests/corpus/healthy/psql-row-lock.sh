# corpus: healthy
# what: psql waits for a row that another session has locked
# run: bash {file}
# needs: bash psql initdb setpriv
# outside: bash {file} outside

# A server for this case alone. It will not run as root, so it gets a directory and a user of its own.
if [[ ${1-} == outside ]]; then
    home=$(mktemp -d)
    as_user=()
    if ((EUID == 0)); then
        as_user=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)
        chown nobody "$home"
    fi
    cd "$home" || exit
    "${as_user[@]}" initdb -D "$home/data" -U corpus -A trust --no-sync >/dev/null || exit
    "${as_user[@]}" "$(dirname "$(readlink -f "$(command -v initdb)")")/postgres" -D "$home/data" -k "$home" \
        -c listen_addresses= -c fsync=off 2>"$home/log" &
    server=$!
    end() {
        trap '' TERM
        kill -QUIT $server
        wait $server
        until rm -rf "$home" 2>/dev/null; do sleep 0.1; done
        exit
    }
    trap end TERM
    chmod 755 "$home"
    until psql -qAt -h "$home" -U corpus -d postgres -c 'create table if not exists t as select 1 as a' 2>/dev/null; do
        sleep 0.1
    done
    echo "$home" >"$CORPUS_DIR/socket-directory"
    mkfifo "$home/commands"
    psql -qAt -h "$home" -U corpus -d postgres <"$home/commands" >"$home/held" &
    exec 3>"$home/commands"
    echo "begin; update t set a = 3; select 'held';" >&3
    until grep -q held "$home/held"; do sleep 0.1; done
    : >"$CORPUS_DIR/ready"
    wait $server
    exit
fi
run() { exec psql -qAt -h "$(<socket-directory)" -U corpus -d postgres -c "$1"; }
: >up
run 'update t set a = 2'
