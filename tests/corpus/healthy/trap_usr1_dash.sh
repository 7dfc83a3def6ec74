# corpus: healthy
# what: the same in dash: its wait looks like any other, but a trap for USR1 is set
sleep 3600 &
kill -STOP $!
trap 'echo reload' USR1
touch up
wait
