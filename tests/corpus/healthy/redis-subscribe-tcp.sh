# corpus: healthy
# what: a subscriber of a Redis server outside, by TCP
# run: bash {file}
# needs: bash redis-cli redis-check-rdb
# outside: bash {file} outside
# says: (tcp)

if [[ ${1-} == outside ]]; then
    port=$((20000 + $$ % 20000))
    (exec -a redis-server redis-check-rdb --bind 127.0.0.1 --port $port --save '') &
    until redis-cli -p $port ping 2>/dev/null | grep -q PONG; do sleep 0.1; done
    echo $port >port
    : >ready
    wait
fi
: >up
exec redis-cli -p "$(<port)" subscribe news
