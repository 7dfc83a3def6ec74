# corpus: healthy
# what: two hold a lock together, one in the job and one outside, and a third in the job wants it alone
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import fcntl
import signal
import sys

if sys.argv[1:] == ["outside"]:
    open("lock", "w").close()
lock = open("lock")
fcntl.flock(lock, fcntl.LOCK_SH)
if sys.argv[1:] == ["outside"]:
    open("ready", "w").close()
    signal.pause()

alone = open("lock")
open("up", "w").close()
fcntl.flock(alone, fcntl.LOCK_EX)
