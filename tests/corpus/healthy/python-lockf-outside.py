# corpus: healthy
# what: a program waits for a record lock that a program outside holds
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import fcntl
import signal
import sys

lock = open("lock", "w")
if sys.argv[1:] == ["outside"]:
    fcntl.lockf(lock, fcntl.LOCK_EX)
    open("ready", "w").close()
    signal.pause()

open("up", "w").close()
fcntl.lockf(lock, fcntl.LOCK_EX)
