# corpus: healthy
# what: a script writes to a FIFO that nobody reads yet
# needs: mkfifo
mkfifo fifo
touch up
echo answer >fifo
