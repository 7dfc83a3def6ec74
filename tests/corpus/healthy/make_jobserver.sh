# corpus: healthy
# what: a make below a make waits for a free job; both jobs sleep
# needs: make
printf 'all: sub other\nsub:\n\t@$(MAKE) -s -f Sub\nother:\n\t@sleep 3600\n' >Makefile
printf 'all: a b c\na b c:\n\t@touch up; sleep 3600\n' >Sub
make -s -j2
