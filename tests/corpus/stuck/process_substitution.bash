# corpus: stuck
# what: Bash waits for the reader of a pipe that it still holds open for writing
# needs: cat
exec 3> >(exec cat >out)
reader=$!
echo line >&3
touch up
wait "$reader"
