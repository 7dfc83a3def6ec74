# corpus: stuck
# what: dash waits for a background job that locks a file it has locked through another descriptor
# needs: flock
(
    exec 8>L 9>L
    flock 8
    touch up
    flock 9
) &
wait
