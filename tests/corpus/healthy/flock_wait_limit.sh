# corpus: healthy
# what: flock --wait gives up after an hour; the lock is held by this script itself
# needs: flock
exec 9>L
flock 9
touch up
flock --wait 3600 L true
