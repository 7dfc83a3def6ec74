# corpus: stuck
# what: two background jobs take two lock files in opposite order
# needs: flock
first() { flock A sh -c "touch has-$1; until [ -e has-$2 ]; do sleep 0.1; done; flock B true"; }
second() { flock B sh -c "touch has-$1; until [ -e has-$2 ]; do sleep 0.1; done; flock A true"; }
first 1 2 &
second 2 1 &
until [ -e has-1 ] && [ -e has-2 ]; do sleep 0.1; done
touch up
wait
