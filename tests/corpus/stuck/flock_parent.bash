# corpus: stuck
# what: a script holds its lock file by a descriptor and runs a program that takes the same lock
# needs: flock
# says: lock
exec 9>L
flock 9
touch up
flock L true
