# corpus: stuck
# what: a cron line under flock calls a script that takes the same lock again
# needs: flock
touch up
flock L sh -c 'flock L true; echo done'
