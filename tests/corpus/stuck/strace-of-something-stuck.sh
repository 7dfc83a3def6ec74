# corpus: stuck
# what: a command that is stuck is run under strace
# run: bash {file}
# needs: bash strace
# says: a pipe whose writers are all in this job

: >up
exec strace -f -o /dev/null bash -c 'coproc cat; read -r line <&"${COPROC[0]}"'
