# corpus: healthy
# what: timeout(1) will end a deadlocked command, in time
# needs: timeout flock
touch up
timeout 3600 flock L flock L true
