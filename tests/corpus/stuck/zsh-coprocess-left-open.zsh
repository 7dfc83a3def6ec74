# corpus: stuck
# what: a script reads what its coprocess says after the end of an input that the script keeps open
# run: zsh -f {file}
# needs: zsh
# says: a pipe whose writers are all in this job

coproc cat
: >up
read -p line
