# corpus: stuck
# what: a deadlock while strace, itself of the job, looks on
# needs: strace flock
touch up
strace -f -o trace flock L flock L true
