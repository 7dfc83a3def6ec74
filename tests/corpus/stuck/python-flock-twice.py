# corpus: stuck
# what: a process locks a file through two descriptors, each of which is a holder of its own
# run: /usr/bin/python3 {file}
# needs: python3
# says: file lock held by

import fcntl

first, second = open("lock", "w"), open("lock", "w")
fcntl.flock(first, fcntl.LOCK_EX)
open("up", "w").close()
fcntl.flock(second, fcntl.LOCK_EX)
