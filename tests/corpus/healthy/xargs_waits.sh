# corpus: healthy
# what: xargs waits for more arguments from a program that takes its time
# needs: xargs
touch up
sleep 3600 | xargs echo
