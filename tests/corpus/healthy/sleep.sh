# corpus: healthy
# what: a script sleeps
touch up
sleep 3600
