# corpus: healthy
# what: a script waits for a word in a tmux server outside
# run: bash {file}
# needs: bash tmux
# outside: bash {file} outside

if [[ ${1-} == outside ]]; then
    trap 'tmux -S socket kill-server; exit' TERM
    tmux -f /dev/null -S socket new-session -d cat
    : >ready
    while :; do sleep 1; done
fi
: >up
exec tmux -S socket wait-for word
