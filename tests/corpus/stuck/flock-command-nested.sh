# corpus: stuck
# what: a script takes a lock and calls a part that takes the same lock
# run: bash {file}
# needs: bash flock
# says: file lock held by

: >up
exec flock lock flock lock true
