# corpus: healthy
# what: a program reads a named pipe that a quiet program outside writes to
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import os
import signal
import sys

if sys.argv[1:] == ["outside"]:
    os.mkfifo("fifo")
    open("ready", "w").close()
    fifo = open("fifo", "w")
    signal.pause()

open("up", "w").close()
open("fifo").read()
