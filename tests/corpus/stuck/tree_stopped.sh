# corpus: stuck
# what: the whole job was stopped, its sleep included
# says: stopped
sleep 1000 &
touch up
kill -STOP $! $$
