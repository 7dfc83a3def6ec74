# corpus: stuck
# what: make waits for a command that waits for itself
# run: bash {file}
# needs: bash make
# says: a pipe whose writers are all in this job

printf 'SHELL = bash\nall:\n\tcoproc cat; read -r line <&"$${COPROC[0]}"\n' >Makefile
: >up
exec make -s
