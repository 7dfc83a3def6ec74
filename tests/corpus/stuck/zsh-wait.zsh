# corpus: stuck
# what: a script waits for a job that reads a pipe whose writing end it has itself
# run: zsh -f {file}
# needs: zsh

coproc cat >/dev/null
: >up
wait
