# corpus: healthy
# what: a job waits for a lock file that another program outside holds
# outside: flock L sh -c 'touch ready; sleep 3600'
# needs: flock
# says: lock
touch up
flock L true
