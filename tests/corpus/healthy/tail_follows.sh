# corpus: healthy
# what: tail -f follows a log
# needs: tail
echo line >log
touch up
tail -f log
