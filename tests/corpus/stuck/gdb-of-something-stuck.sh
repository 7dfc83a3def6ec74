# corpus: stuck
# what: a command that is stuck is run under gdb
# run: bash {file}
# needs: bash gdb
# unprovable: gdb keeps the memory of the command open, which is a file that nobody knows

: >up
exec gdb -nx -q -batch -ex run --args bash -c 'coproc cat; read -r line <&"${COPROC[0]}"' </dev/null
