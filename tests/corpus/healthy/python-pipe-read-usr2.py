# corpus: healthy
# what: a handler of USR2 writes to the pipe that the main loop reads (the self-pipe trick)
# run: /usr/bin/python3 {file}
# needs: python3

import os
import signal

read, write = os.pipe()
signal.signal(signal.SIGUSR2, lambda signum, frame: os.write(write, b"."))
open("up", "w").close()
os.read(read, 1)
