# corpus: healthy
# what: a script waits for a sleeping job and reloads at HUP
trap 'echo reload' HUP
sleep 3600 &
touch up
wait
