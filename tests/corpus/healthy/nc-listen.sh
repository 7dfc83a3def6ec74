# corpus: healthy
# what: nc listens, and nobody connects
# run: bash {file}
# needs: bash nc

: >up
exec nc -l 127.0.0.1 0
