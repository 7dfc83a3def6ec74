# corpus: stuck
# what: rsync waits for a remote shell that is stopped
# run: bash {file}
# needs: bash rsync
# unprovable: rsync looks at its connection with a time limit

: >up
exec rsync -e 'sh -c "kill -STOP $$"' there:file .
