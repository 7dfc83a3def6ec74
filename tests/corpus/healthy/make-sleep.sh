# corpus: healthy
# what: make waits for a quiet command
# run: bash {file}
# needs: bash make

printf 'all: a b\na b:\n\tsleep 1000\n' >Makefile
: >up
exec make -s -j2
