# corpus: stuck
# what: a script that logs through >(tee) waits for a lock of its own, and tee for the script
# needs: tee flock
exec > >(tee -a log) 2>&1
echo begins
exec 9>L
flock 9
flock L true
