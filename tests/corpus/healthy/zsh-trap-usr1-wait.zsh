# corpus: healthy
# what: a script waits for a job that would never end, until USR1 comes
# run: zsh -f {file}
# needs: zsh

TRAPUSR1() { exit }
coproc cat >/dev/null
: >up
wait
