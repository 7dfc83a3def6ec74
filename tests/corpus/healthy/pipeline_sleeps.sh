# corpus: healthy
# what: sort waits for the output of a program that takes its time
# needs: sort
touch up
{ sleep 3600; echo done; } | sort | cat
