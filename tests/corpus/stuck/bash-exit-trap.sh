# corpus: stuck
# what: a script that cleans up at its exit (trap EXIT) reads what its coprocess will never say
# run: bash {file}
# needs: bash
# unprovable: with a trap for EXIT Bash catches every signal that ends, USR1 and ALRM too

trap 'rm -f scratch' EXIT
coproc cat
: >up
read -r line <&"${COPROC[0]}"
