# corpus: healthy
# what: a script that runs once at a time waits for its other run, outside
# run: bash {file}
# needs: bash flock
# outside: bash {file} outside

if [[ ${1-} == outside ]]; then
    exec flock lock sh -c ': >ready; exec sleep 100000'
fi
: >up
exec flock lock true
