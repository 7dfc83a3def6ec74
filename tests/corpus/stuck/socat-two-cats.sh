# corpus: stuck
# what: socat joins two children, each of which waits for the other to speak
# run: bash {file}
# needs: bash socat

: >up
exec socat EXEC:cat EXEC:cat
