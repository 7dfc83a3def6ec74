# corpus: healthy
# what: a program waits for an open file description lock that a program outside holds
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import fcntl
import os
import signal
import struct
import sys

F_OFD_SETLKW = 38
whole_file = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
lock = open("lock", "w")
if sys.argv[1:] == ["outside"]:
    fcntl.fcntl(lock, F_OFD_SETLKW, whole_file)
    open("ready", "w").close()
    signal.pause()

open("up", "w").close()
fcntl.fcntl(lock, F_OFD_SETLKW, whole_file)
