# corpus: stuck
# what: a background job left the session and is stopped; its parent waits for it
# needs: setsid
setsid sh -c 'kill -STOP $$' &
touch up
wait $!
