# corpus: stuck
# what: two makes below make wait for a place to run a job, which two stuck commands have
# run: bash {file}
# needs: bash make
# unprovable: from make 4.4 on the places are in a named pipe, which anybody may open

printf 'all: x y\nx y:\n\t+$(MAKE) -s -f sub\n' >Makefile
printf 'SHELL = bash\nall: a b\na b:\n\tcoproc cat; read -r line <&"$${COPROC[0]}"\n' >sub
: >up
exec make -s -j2
