# corpus: healthy
# what: zsh waits for a stopped job, with a trap for USR1
trap 'echo reload' USR1
sleep 3600 &
kill -STOP $!
touch up
wait
