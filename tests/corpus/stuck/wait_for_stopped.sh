# corpus: stuck
# what: dash waits (in rt_sigsuspend) for a background job that was stopped
# says: stopped
sleep 1000 &
kill -STOP $!
touch up
wait
