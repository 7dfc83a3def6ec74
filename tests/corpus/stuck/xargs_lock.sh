# corpus: stuck
# what: xargs runs programs that want the lock of the script that runs xargs
# needs: xargs flock
exec 9>L
flock 9
touch up
printf '%s\n' one two | xargs -n 1 -P 2 flock L echo
