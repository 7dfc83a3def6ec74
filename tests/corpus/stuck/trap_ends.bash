# corpus: stuck
# what: a script with the usual traps for its end waits for a lock of its own
# needs: flock
trap 'rm -f L; exit 1' INT TERM HUP QUIT
exec 9>L
flock 9
touch up
flock L true
