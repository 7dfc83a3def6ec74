# corpus: stuck
# what: the same with a trap for EXIT
# needs: flock
# unprovable: to run such a trap at any end, Bash also catches USR1, USR2, ALRM and VTALRM, like one that waits for them
trap 'rm -f L' EXIT
exec 9>L
flock 9
touch up
flock L true
