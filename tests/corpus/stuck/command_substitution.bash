# corpus: stuck
# what: $(...) waits for a daemon that kept the pipe; the daemon waits for the lock that this script holds
# needs: flock
exec 9>L
flock 9
touch up
said=$(flock L true & echo started)
echo "$said"
