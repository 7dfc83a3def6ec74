# corpus: healthy
# what: gdb waits for a quiet process outside the job to come to a breakpoint
# run: bash {file}
# needs: bash gdb
# outside: bash {file} outside

if [[ ${1-} == outside ]]; then
    echo $$ >pid
    : >ready
    exec sleep 100000
fi
: >up
exec gdb -nx -q -batch -p "$(<pid)" -ex continue </dev/null
