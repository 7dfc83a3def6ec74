# corpus: healthy
# what: tail follows a file that somebody else may write to
# run: bash {file}
# needs: bash tail

: >log
: >up
exec tail -f log
