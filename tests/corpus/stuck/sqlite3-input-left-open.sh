# corpus: stuck
# what: a script waits for the shell of SQLite, which reads commands from the script
# run: bash {file}
# needs: bash sqlite3

coproc sqlite3 data
: >up
wait
