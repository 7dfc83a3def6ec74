# corpus: healthy
# what: a script tries every minute to make the lock directory that it made itself: stuck for people, but the clock wakes it
mkdir lock
touch up
until mkdir lock 2>/dev/null; do sleep 60; done
