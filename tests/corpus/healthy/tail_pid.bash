# corpus: healthy
# what: tail --pid waits for the end of a process outside
# outside: bash -c 'echo $$ >pid; touch ready; sleep 3600'
# needs: tail
touch up
tail --pid="$(cat pid)" -f /dev/null
