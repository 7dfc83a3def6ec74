# corpus: healthy
# what: tail waits for the end of a process outside
# run: bash {file}
# needs: bash tail
# outside: bash {file} outside

if [[ ${1-} == outside ]]; then
    echo $$ >pid
    : >ready
    exec sleep 100000
fi
: >up
exec tail --pid="$(<pid)" -f /dev/null
