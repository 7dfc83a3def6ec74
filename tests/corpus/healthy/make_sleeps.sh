# corpus: healthy
# what: a parallel make waits for recipes that take their time
# needs: make
printf 'all: one two\none two:\n\t@touch up; sleep 3600\n' >Makefile
make -s -j2
