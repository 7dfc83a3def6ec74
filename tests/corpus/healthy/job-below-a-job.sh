# corpus: healthy
# what: a script runs another job under a wrapper of its own
# run: bash {file}
# needs: bash sentinel-run

mkdir jobs
: >up
sentinel-run --dir jobs -q below -- sleep 1000
exit
