# corpus: healthy
# what: a command is run again each minute, by watch(1)
# run: bash {file}
# needs: bash watch

: >up
TERM=dumb exec watch -n 60 true
