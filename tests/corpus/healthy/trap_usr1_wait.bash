# corpus: healthy
# what: a daemon in Bash waits for a stopped worker, and for USR1, whichever comes first
sleep 3600 &
kill -STOP $!
trap 'echo reload' USR1
touch up
wait
