# corpus: healthy
# what: a session is recorded, and its command sleeps
# run: bash {file}
# needs: bash script

: >up
exec script -q -c "sleep 1000" /dev/null
