# corpus: healthy
# what: a script opens a FIFO that nobody writes yet
# needs: mkfifo cat
mkfifo fifo
touch up
cat fifo
