# corpus: healthy
# what: a Redis server that nobody asks
# run: bash {file}
# needs: bash redis-check-rdb

: >up
exec -a redis-server redis-check-rdb --port 0 --unixsocket "$CORPUS_DIR/socket" --save ''
