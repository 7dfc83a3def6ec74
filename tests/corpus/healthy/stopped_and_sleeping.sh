# corpus: healthy
# what: one child is stopped, another sleeps
sleep 3600 &
kill -STOP $!
sleep 3600 &
touch up
wait
