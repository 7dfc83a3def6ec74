# corpus: healthy
# what: cat reads a FIFO as its standard input, opened by the shell
# outside: bash -c 'mkfifo fifo; touch ready; exec 3<>fifo; sleep 3600'
# needs: cat mkfifo
touch up
cat <fifo | wc -l
