# corpus: healthy
# what: the lock was taken by a flock that has ended; a shell outside keeps it by its descriptor
# outside: bash -c 'exec 9>L; flock 9; touch ready; sleep 3600'
# needs: flock
touch up
exec 9>L
flock 9
