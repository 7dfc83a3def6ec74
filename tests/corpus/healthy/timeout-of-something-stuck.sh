# corpus: healthy
# what: a command that is stuck has a time limit from outside it
# run: bash {file}
# needs: bash timeout

: >up
exec timeout 1000 bash -c 'coproc cat; read -r line <&"${COPROC[0]}"'
