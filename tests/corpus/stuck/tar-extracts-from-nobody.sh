# corpus: stuck
# what: tar reads an archive from a helper that waits for it
# run: bash {file}
# needs: bash tar gzip
# says: a pipe whose writers are all in this job

: >up
coproc gzip -dc
tar -xf - <&"${COPROC[0]}"
