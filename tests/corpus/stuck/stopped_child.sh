# corpus: stuck
# what: a script runs a program that somebody stopped with Ctrl-Z or kill -STOP
# says: stopped
echo begins
sh -c 'kill -STOP $$'
