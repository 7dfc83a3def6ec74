# corpus: healthy
# what: a script waits for a word in a tmux server that it started itself
# run: bash {file}
# needs: bash tmux

trap 'tmux -S socket kill-server' EXIT
tmux -f /dev/null -S socket new-session -d cat
: >up
tmux -S socket wait-for word
