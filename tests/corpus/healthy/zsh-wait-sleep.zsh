# corpus: healthy
# what: a script waits for a quiet job
# run: zsh -f {file}
# needs: zsh

sleep 1000 &
: >up
wait
