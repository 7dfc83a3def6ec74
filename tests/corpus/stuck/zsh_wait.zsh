# corpus: stuck
# what: zsh waits for a background job that waits for a lock which zsh holds
# needs: flock
exec 9>L
flock 9
flock L true &
touch up
wait
