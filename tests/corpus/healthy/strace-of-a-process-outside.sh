# corpus: healthy
# what: strace follows a quiet process outside the job
# run: bash {file}
# needs: bash strace
# outside: bash {file} outside

if [[ ${1-} == outside ]]; then
    echo $$ >pid
    : >ready
    exec sleep 100000
fi
: >up
exec strace -o /dev/null -p "$(<pid)"
