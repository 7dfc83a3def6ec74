# corpus: stuck
# what: two recipes of a parallel make take two locks in opposite order
# needs: make flock
cat >Makefile <<'END'
all: one two
one:
	@touch one-is; flock A sh -c 'touch one-has; until [ -e two-has ]; do sleep 0.1; done; flock B true'
two:
	@touch two-is; flock B sh -c 'touch two-has; until [ -e one-has ]; do sleep 0.1; done; flock A true'
END
make -j2 &
until [ -e one-has ] && [ -e two-has ]; do sleep 0.1; done
touch up
wait $!
