# corpus: healthy
# what: a worker waits for work in a Redis server outside
# run: bash {file}
# needs: bash redis-cli redis-check-rdb
# outside: bash {file} outside

if [[ ${1-} == outside ]]; then
    # The server is the same program as this checker, which is in the package of the client.
    (exec -a redis-server redis-check-rdb --port 0 --unixsocket "$CORPUS_DIR/socket" --save '') &
    until redis-cli -s socket ping 2>/dev/null | grep -q PONG; do sleep 0.1; done
    : >ready
    wait
fi
: >up
exec redis-cli -s socket blpop work 0
