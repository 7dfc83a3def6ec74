# corpus: healthy
# what: inotifywait waits for a file to appear
# needs: inotifywait
touch up
inotifywait -q -e create /etc
