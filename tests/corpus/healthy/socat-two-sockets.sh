# corpus: healthy
# what: socat joins a unix socket to a child
# run: bash {file}
# needs: bash socat

: >up
exec socat UNIX-LISTEN:socket EXEC:cat
