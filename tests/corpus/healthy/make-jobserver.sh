# corpus: healthy
# what: make waits for a place to run a job, while the job that has it sleeps
# run: bash {file}
# needs: bash make

printf 'all:\n\t+$(MAKE) -s -f sub\n' >Makefile
printf 'all: a b c\na b c:\n\tsleep 1000\n' >sub
: >up
exec make -s -j2
