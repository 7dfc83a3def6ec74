# corpus: healthy
# what: socat listens, and nobody connects
# run: bash {file}
# needs: bash socat

: >up
exec socat TCP-LISTEN:0,bind=127.0.0.1 -
